package dtls

import "time"

// The reasons for which bytes from the network are dropped, as they are traced.
const (
	DropMalformedRecord   = "malformed record"
	DropMalformedFragment = "malformed handshake fragment"
	DropMalformedAlert    = "malformed alert"
	DropContentType       = "record type that has no place here"
	DropEpoch             = "record of an epoch that does not exist"
	DropReplayed          = "record seen before, or too old to tell"
	DropNotAuthentic      = "record that its keys do not open"
	DropTooEarly          = "record ahead of its keys, with no room left to hold it"
	DropPlaintext         = "record in clear after the handshake"
	DropNotStarted        = "record before Connect"
	DropClosed            = "record after the end of the connection"
	DropMessageAhead      = "handshake message too far ahead"
	DropMessageTooLong    = "handshake message longer than any of its type"
	DropUnknownMessage    = "handshake message of unknown type"
	DropReassemblyFull    = "handshake fragment with no room left to hold it"
	DropFragmentMismatch  = "handshake fragment that contradicts an earlier one"
	DropWrongProtection   = "handshake message with the wrong protection"
	DropDuplicateMessage  = "handshake message seen before"
	DropRenegotiation     = "attempt to renegotiate"
	DropWarning           = "warning alert"
	DropMalformedACK      = "malformed ACK"
	DropACKInClear        = "ACK in clear"
	DropAlertNotAuthentic = "fatal alert in clear: believed if the handshake stands still"
)

// Receive takes a datagram from the peer. It is decrypted in place: the
// application data in it is read with NextData, before the datagram's memory is
// used again. What is wrong with it is told to the trace alone.
func (c *Conn) Receive(now time.Time, datagram []byte) {
	clear(c.data)
	c.data, c.nextData = c.data[:0], 0
	if c.state == StateNew && !c.isClient {
		c.Connect(now)
	}
	c.bytesIn += len(datagram)
	for len(datagram) > 0 {
		rest, ok := c.receiveNext(now, datagram)
		if !ok {
			c.drop(now, DropMalformedRecord, len(datagram))
			break
		}
		datagram = rest
	}
	for c.retryEarly && c.state != StateClosed {
		c.retryEarly = false
		held := c.early
		c.early, c.earlySize = nil, 0
		for _, raw := range held {
			c.receiveNext(now, raw)
		}
	}
	c.traceDrop(now)
}

// receiveNext takes the record at the front of b, of whichever version it is.
func (c *Conn) receiveNext(now time.Time, b []byte) (rest []byte, ok bool) {
	if isUnified(b[0]) {
		var rec ciphertext
		rest, ok := rec.parse(b)
		if ok {
			c.receiveCiphertext(now, &rec, b[:len(b)-len(rest)])
		}
		return rest, ok
	}
	rec, rest, ok := parseRecord(b)
	if ok {
		c.receiveRecord(now, rec, b[:len(b)-len(rest)])
	}
	return rest, ok
}

// receiveRecord takes one record; raw is all of it, header included.
func (c *Conn) receiveRecord(now time.Time, rec record, raw []byte) {
	switch {
	case c.state == StateClosed:
		c.drop(now, DropClosed, len(raw))
		c.repeatAlert(now, rec.typ)
	case c.state == StateNew:
		c.drop(now, DropNotStarted, len(raw))
	case rec.epoch == 0 && c.state == StateEstablished:
		c.drop(now, DropPlaintext, len(raw))
	case rec.epoch == 0:
		c.receiveClear(now, rec)
	case rec.epoch > 1, c.layer.v13 != nil:
		c.drop(now, DropEpoch, len(raw))
	case c.layer.in == nil, rec.typ == typeApplicationData && c.state != StateEstablished:
		c.hold(now, raw)
	default:
		c.receiveProtected(now, rec)
	}
}

// hold keeps a record for when it can be read: datagrams overtake each other,
// and it would cost the peer a retransmission, or the application its data.
func (c *Conn) hold(now time.Time, raw []byte) {
	if len(c.early) == maxEarly || c.earlySize+len(raw) > maxEarlySize {
		c.drop(now, DropTooEarly, len(raw))
		return
	}
	c.early = append(c.early, append([]byte(nil), raw...))
	c.earlySize += len(raw)
}

// receiveClear takes a record of epoch 0, during the handshake.
func (c *Conn) receiveClear(now time.Time, rec record) {
	switch rec.typ {
	case typeHandshake:
		before := c.layer.v13
		c.receiveHandshake(now, rec)
		if c.isClient && c.hs != nil && c.layer.v13 != before {
			// ServerHello, which says that our flight arrived, and which the rest of
			// the server's should follow.
			c.acks.received(recordNumber{0, rec.seq})
			c.incomplete(now)
		}
	case typeAlert:
		m, ok := parseAlert(rec.payload)
		switch {
		case !ok:
			c.drop(now, DropMalformedAlert, len(rec.payload))
		case !m.ends():
			c.drop(now, DropWarning, len(rec.payload))
		default:
			// RFC 6347, Section 4.1.2.7 warns of what a forged alert can do.
			c.drop(now, DropAlertNotAuthentic, len(rec.payload))
			c.rumour = m.description
			c.timers.SetEarlier(timerAlert, now.Add(alertGrace))
		}
	case typeChangeCipherSpec:
		// The epoch of the records behind it says the same, and arrives for
		// sure when they do.
	case typeACK:
		c.receiveClearACK(now, rec.payload)
	default:
		c.drop(now, DropContentType, len(rec.payload))
	}
}

// receiveProtected takes a record of epoch 1, whose keys are known.
func (c *Conn) receiveProtected(now time.Time, rec record) {
	if !c.layer.window.Fresh(rec.seq) {
		c.drop(now, DropReplayed, len(rec.payload))
		return
	}
	plain, ok := c.layer.in.open(rec)
	if !ok {
		// RFC 6347, Section 4.1.2.7: "invalid records SHOULD be silently
		// discarded, thus preserving the association".
		c.drop(now, DropNotAuthentic, len(rec.payload))
		return
	}
	c.layer.window.Accept(rec.seq)
	c.validated = true
	switch rec.typ {
	case typeApplicationData:
		if len(plain) > 0 {
			c.data = append(c.data, plain)
		}
	case typeHandshake:
		rec.payload = plain
		c.receiveHandshake(now, rec)
	case typeAlert:
		m, ok := parseAlert(plain)
		switch {
		case !ok:
			c.drop(now, DropMalformedAlert, len(plain))
		case !m.ends():
			c.drop(now, DropWarning, len(plain))
		default:
			if m.description == AlertCloseNotify {
				// RFC 5246, Section 7.2.1: "The other party MUST respond with a
				// close_notify alert of its own".
				c.sendAlert(alertMessage{levelWarning, AlertCloseNotify})
			}
			c.close(now, &PeerError{Alert: m.description})
		}
	default:
		c.drop(now, DropContentType, len(plain))
	}
}

// receiveHandshake takes a record's handshake fragments.
func (c *Conn) receiveHandshake(now time.Time, rec record) {
	for b := rec.payload; len(b) > 0 && c.state != StateClosed; {
		f, rest, ok := parseFragment(b)
		if !ok {
			c.drop(now, DropMalformedFragment, len(b))
			return
		}
		b = rest
		if drop := c.receiveFragment(now, rec, f); drop != "" {
			c.drop(now, drop, len(f.body))
		}
	}
}

// receiveFragment takes a fragment, and whatever messages it completes. It
// returns a reason when it drops it.
func (c *Conn) receiveFragment(now time.Time, rec record, f fragment) (drop string) {
	h := c.hs
	switch {
	case h == nil && c.session != nil:
		return c.receiveAfterHandshake13(now, rec, f)
	case h == nil:
		return c.receiveAfterHandshake(now, f)
	}
	if f.seq == 1 && f.typ == typeClientHello && c.fresh() {
		// The client answers a server like this one, which was forgotten.
		h.in.next, h.sendSeq = 1, 1
	}
	if int16(f.seq-h.in.next) < 0 {
		if int16(f.seq-c.flight.answers) < 0 {
			c.repeatFlight(now)
		}
		return DropDuplicateMessage
	}
	if c.layer.v13 != nil {
		// All that follows the hellos is protected: nothing in clear can disturb
		// the handshake any more.
		if rec.epoch != epochHandshake {
			return DropWrongProtection
		}
	} else if protected := rec.epoch == 1; protected != (f.typ == typeFinished) || !protected && steps[c.state].want == typeFinished {
		// Only Finished stands behind ChangeCipherSpec, and it must. Once it is due
		// nothing in clear can disturb the handshake any more.
		return DropWrongProtection
	}
	if c.config.Cookie && !c.isClient && f.typ == typeClientHello {
		// RFC 6347, Section 4.2.1: "the server MUST use the record sequence
		// number in the ClientHello as the record sequence number in the
		// HelloVerifyRequest", and in the ServerHello. The bound keeps a forged
		// number from using them up.
		c.layer.seq[0] = max(c.layer.seq[0], min(rec.seq, maxSequence/2))
	}
	if f.seq == h.in.next && f.whole() && !h.in.pending() {
		// The usual case: nothing to put together.
		if known, ok := handshakeTypes[f.typ]; !ok {
			return DropUnknownMessage
		} else if f.length > known.max {
			return DropMessageTooLong
		}
		h.in.next++
		c.receiveMessage(now, f.seq, f.typ, f.body)
	} else if drop := h.in.add(f); drop != "" {
		return drop
	}
	for c.hs != nil {
		seq := h.in.next
		typ, body, ok := h.in.take()
		if !ok {
			break
		}
		c.receiveMessage(now, seq, typ, body)
	}
	return ""
}

// receiveMessage takes the next message and makes the step it is for.
func (c *Conn) receiveMessage(now time.Time, seq uint16, typ handshakeType, body []byte) {
	h := c.hs
	if c.config.NoClientCertificate {
		h.skipCertificateRequest(now, typ)
	}
	s := steps[c.state]
	var err error
	switch {
	case typ == s.want:
		h.received(seq, typ, body)
		err = s.read(h, now, body)
	case typ == typeHelloVerifyRequest && c.state == StateAwaitServerHello:
		err = h.readHelloVerifyRequest(now, body)
	case typ == typeHelloRequest && c.isClient:
		// RFC 5246, Section 7.4.1.1: "This message will be ignored by the client
		// if the client is currently negotiating a session."
	default:
		err = refuse(AlertUnexpectedMessage, "the peer sent %v where %v is due", typ, s.want)
	}
	if err != nil {
		c.fail(now, asLocal(err))
		return
	}
	c.timers.Stop(timerAlert)
}

// skipCertificateRequest makes a client's step over a request that its server does not make.
func (h *handshake) skipCertificateRequest(now time.Time, typ handshakeType) {
	switch {
	case h.c.state == StateAwaitCertificateRequest && typ == typeServerHelloDone:
		h.c.setState(now, StateAwaitServerHelloDone)
	case h.c.state == StateAwaitCertificateRequest13 && typ == typeCertificate:
		h.c.setState(now, StateAwaitServerCertificate13)
	}
}

// receiveAfterHandshake takes a fragment when no handshake is going on.
func (c *Conn) receiveAfterHandshake(now time.Time, f fragment) (drop string) {
	switch {
	case f.typ == typeFinished && !c.isClient:
		// Our Finished was lost. That the client's came in a fresh, protected
		// record says that it is the client who asks.
		c.repeatFlight(now)
		return DropDuplicateMessage
	case f.typ == typeHelloRequest && c.isClient, f.typ == typeClientHello && !c.isClient:
		if c.alert.level == 0 { // once is enough
			c.sendAlert(alertMessage{levelWarning, AlertNoRenegotiation})
		}
		return DropRenegotiation
	}
	return DropDuplicateMessage
}
