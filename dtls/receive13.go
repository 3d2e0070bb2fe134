package dtls

import "time"

// receiveCiphertext takes a record in cipher of DTLS 1.3; raw is all of it,
// header included.
func (c *Conn) receiveCiphertext(now time.Time, rec *ciphertext, raw []byte) {
	l := c.layer.v13
	switch {
	case c.state == StateClosed:
		c.drop(now, DropClosed, len(raw))
		if rec.epochBits() == epochHandshake {
			c.repeatAlert(now, typeHandshake) // most likely: it is not opened any more
		}
		return
	case c.state == StateNew:
		c.drop(now, DropNotStarted, len(raw))
		return
	case c.hs != nil && c.config.speaks(DTLS13) && c.hs.version != DTLS12 && (l == nil || l.in[rec.epochBits()] == nil):
		c.hold(now, raw)
		if c.state == StateAwaitServerHello {
			// ServerHello is late, or lost; what came proves nothing yet, so our
			// ClientHello goes on being sent again, too.
			c.acknowledgeSoon(now)
		}
		return
	case l == nil || l.in[rec.epochBits()] == nil:
		c.drop(now, DropEpoch, len(raw))
		return
	}
	k := l.in[rec.epochBits()]
	seq, ok := k.number(rec)
	if !ok {
		c.drop(now, DropNotAuthentic, len(raw))
		return
	}
	if !k.window.Fresh(seq) {
		c.drop(now, DropReplayed, len(raw))
		return
	}
	typ, plain, ok := k.open(rec, seq)
	if !ok {
		c.drop(now, DropNotAuthentic, len(raw))
		if k.forgeries > maxForgeries {
			c.fail(now, asLocal(refuse(AlertBadRecordMAC, "%d records were forged: the keys have borne what they may", k.forgeries)))
		}
		return
	}
	k.window.Accept(seq)
	c.validated = true
	switch {
	case typ == typeApplicationData && k.epoch >= epochApplication:
		if len(plain) > 0 {
			c.data = append(c.data, plain)
		}
	case typ == typeHandshake:
		c.receiveHandshake13(now, record{typ: typ, epoch: k.epoch, seq: seq, payload: plain})
	case typ == typeAlert:
		c.receiveAlert13(now, plain)
	case typ == typeACK:
		c.receiveACK(now, plain)
	default:
		c.drop(now, DropContentType, len(plain))
	}
}

// receiveHandshake13 takes a protected record's handshake fragments, and sees to
// it that they are acknowledged.
func (c *Conn) receiveHandshake13(now time.Time, rec record) {
	number := recordNumber{rec.epoch, rec.seq}
	c.acks.received(number)
	kept := false
	for b := rec.payload; len(b) > 0 && c.state != StateClosed; {
		f, rest, ok := parseFragment(b)
		if !ok {
			c.drop(now, DropMalformedFragment, len(b))
			break
		}
		b = rest
		drop := c.receiveFragment(now, rec, f)
		if drop != "" {
			c.drop(now, drop, len(f.body))
		}
		kept = kept || drop == "" || drop == DropDuplicateMessage
	}
	if !kept {
		// "Implementations MUST NOT acknowledge records containing handshake
		// messages or fragments which have not been processed or buffered." (RFC
		// 9147, Section 7)
		c.acks.forget(number)
	}
	switch {
	case c.state == StateClosed || !kept:
	case c.hs != nil && len(c.acks.numbers) > 0:
		c.incomplete(now)
	case c.hs == nil && c.isClient && rec.epoch == epochHandshake:
		// The server's flight again: our own, which answers it, goes again too.
		c.acks.answered()
	case c.hs == nil:
		c.acks.unsent = true
	}
}

// receiveAlert13 takes an alert, whose level says nothing: "All the alerts listed
// in Section 6.2 MUST be sent with AlertLevel=fatal and MUST be treated as error
// alerts when received regardless of the AlertLevel in the message. Unknown Alert
// types MUST be treated as error alerts." (RFC 8446, Section 6)
func (c *Conn) receiveAlert13(now time.Time, plain []byte) {
	m, ok := parseAlert(plain)
	switch {
	case !ok:
		c.drop(now, DropMalformedAlert, len(plain))
	case m.description == AlertUserCanceled:
		c.drop(now, DropWarning, len(plain)) // close_notify follows
	default:
		if m.description == AlertCloseNotify {
			c.sendAlert(alertMessage{levelWarning, AlertCloseNotify})
		}
		c.close(now, &PeerError{Alert: m.description})
	}
}

// receiveAfterHandshake13 takes a fragment of a message after the handshake, or
// of the handshake again.
func (c *Conn) receiveAfterHandshake13(now time.Time, rec record, f fragment) (drop string) {
	s := c.session
	switch {
	case int16(f.seq-s.in.next) < 0:
		if rec.epoch == epochHandshake && c.isClient {
			c.repeatFlight(now)
		}
		return DropDuplicateMessage
	case rec.epoch < epochApplication:
		return DropWrongProtection
	}
	if _, known := handshakeTypes[f.typ]; !known {
		c.fail(now, asLocal(refuse(AlertUnexpectedMessage, "the peer sent %v after the handshake", f.typ)))
		return ""
	}
	if drop := s.in.add(f); drop != "" {
		return drop
	}
	for c.state == StateEstablished {
		typ, body, ok := s.in.take()
		if !ok {
			break
		}
		if err := c.readAfterHandshake13(now, rec.epoch, typ, body); err != nil {
			c.fail(now, asLocal(err))
		}
	}
	return ""
}

// readAfterHandshake13 takes a message after the handshake.
func (c *Conn) readAfterHandshake13(now time.Time, epoch uint64, typ handshakeType, body []byte) error {
	switch {
	case typ == typeKeyUpdate:
		return c.readKeyUpdate(now, epoch, body)
	case typ == typeNewSessionTicket && c.isClient:
		// Sessions are not resumed here; it is acknowledged, so that it is not
		// sent again.
		return nil
	case typ == typeCertificateRequest && c.isClient:
		// RFC 8446, Section 4.6.2: "A client that receives a CertificateRequest message
		// without having sent the "post_handshake_auth" extension MUST send an
		// "unexpected_message" fatal alert."
		return refuse(AlertUnexpectedMessage, "the server asks for a certificate after the handshake, which was not offered")
	}
	return refuse(AlertUnexpectedMessage, "the peer sent %v after the handshake", typ)
}
