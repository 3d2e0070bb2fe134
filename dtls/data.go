package dtls

// AppendRecordHeader starts a record of application data at the end of b: it
// appends its header. The caller appends up to 16,384 bytes of plaintext and
// calls SealRecord. Before the handshake is done, b comes back as it is.
func (c *Conn) AppendRecordHeader(b []byte) []byte {
	if c.state != StateEstablished || c.layer.spent(c.writeEpoch) {
		return b
	}
	return c.layer.begin(b, typeApplicationData, c.writeEpoch)
}

// SealRecord finishes the record whose header AppendRecordHeader put at
// b[start:]: it encrypts the plaintext where it stands and appends the tag. It
// allocates only if b has no room for the tag.
//
// Where no record can be sent, because the connection is not established, there
// is no plaintext or too much, it takes the record back: b[:start] is returned.
func (c *Conn) SealRecord(b []byte, start int) []byte {
	if c.state != StateEstablished || c.layer.spent(c.writeEpoch) {
		return b[:start]
	}
	if n := len(b) - start - c.layer.headerSize(); n <= 0 || n > c.recordLimit {
		return b[:start]
	}
	return c.layer.end(b, start)
}

// Seal appends plaintext to b as a record of application data.
func (c *Conn) Seal(b, plaintext []byte) []byte {
	start := len(b)
	b = c.AppendRecordHeader(b)
	if len(b) == start {
		return b
	}
	return c.SealRecord(append(b, plaintext...), start)
}

// Overhead is how many bytes longer a record is than its plaintext, once the
// handshake is done; before that it is the most it may become.
func (c *Conn) Overhead() int {
	switch {
	case c.layer.v13 != nil:
		return overhead13
	case c.layer.out == nil:
		return recordHeaderSize + 8 + tagSize
	}
	return c.layer.out.overhead()
}
