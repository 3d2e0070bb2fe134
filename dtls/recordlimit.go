package dtls

// The record size limit (RFC 8449): how much plaintext an end takes in a record.
// We take what the protocol allows, and say so, for there are stacks that take
// less and do not: whoever wants to send them large records has to be careful.

// The least limit that may be announced, and what we announce; version 1.3
// counts the content type, too (Section 4).
const (
	minRecordLimit = 64
	recordLimit12  = maxPlaintext
	recordLimit13  = maxPlaintext + 1
)

// readRecordLimit learns what the peer takes.
func (h *handshake) readRecordLimit(ext *extensions, version Version) error {
	limit := ext.recordSizeLimit
	switch {
	case limit == 0:
		return nil
	case limit < minRecordLimit:
		// "An endpoint MUST treat receipt of a smaller value as a fatal error and
		// generate an "illegal_parameter" alert."
		return refuse(AlertIllegalParameter, "the peer's record size limit of %d bytes is below %d", limit, minRecordLimit)
	}
	if version == DTLS13 {
		limit--
	}
	// "A server MUST NOT enforce this restriction; a client might advertise a
	// higher limit that is enabled by an extension or version the server does not
	// understand."
	h.recordLimit = min(limit, maxPlaintext)
	h.c.recordLimit = h.recordLimit
	// What else is protected, which this keeps within the limit too, is a flight.
	h.c.config.MTU = min(h.c.config.MTU, max(h.recordLimit, minMTU))
	return nil
}
