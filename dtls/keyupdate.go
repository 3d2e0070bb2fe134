package dtls

import (
	"errors"
	"fmt"
	"time"
)

// A session13 is what DTLS 1.3 needs after the handshake.
type session13 struct {
	// schedule has the exporter master secret.
	schedule *schedule
	// in puts together what the peer sends, and sendSeq numbers what we do:
	// both go on where the handshake ended.
	in      reassembly
	sendSeq uint16
	// clientRandom names the connection in the key log.
	clientRandom [randomSize]byte
	// updating: our KeyUpdate is on its way. wanted: one is to be sent, and
	// wantPeer: it is to ask the peer for its own.
	updating, wanted, wantPeer bool
}

// UpdateKeys makes the connection go on with new keys to send with, and with
// both set asks the peer to do so too (RFC 9147, Section 8). It is done by
// itself long before a key has protected as much as it may.
func (c *Conn) UpdateKeys(now time.Time, both bool) error {
	if c.state != StateEstablished || c.session == nil {
		return errors.New("dtls: only an established connection of DTLS 1.3 can update its keys")
	}
	s := c.session
	s.wanted, s.wantPeer = true, s.wantPeer || both
	c.sendKeyUpdate(now)
	return nil
}

// sendKeyUpdate sends the KeyUpdate that is wanted, unless our last flight is
// still on its way: "implementations MUST NOT send records with the new keys or
// send a new KeyUpdate until the previous KeyUpdate has been acknowledged" (RFC
// 9147, Section 8).
func (c *Conn) sendKeyUpdate(now time.Time) {
	s := c.session
	if !s.wanted || len(c.flight.items) > 0 {
		return
	}
	c.flight.start(now, s.in.next, c.config.InitialRTO)
	c.flight.addMessage(c.writeEpoch, typeKeyUpdate, s.sendSeq, &keyUpdate{s.wantPeer})
	s.sendSeq++
	s.updating, s.wanted, s.wantPeer = true, false, false
	// The RFC does not say how long to go on with that. As long as a handshake may
	// take: a peer that is there and does not acknowledge would leave us with a key
	// that wears out; and under ICE, one that is not there has lost its consent by
	// then (RFC 7675, Section 5.1).
	c.flight.maxRTO = maxIdleRTO
	c.timers.Set(timerHandshake, now.Add(c.config.HandshakeTimeout))
}

// flightArrived is told when all of our last flight was acknowledged: the
// client's Finished, or a KeyUpdate.
func (c *Conn) flightArrived(now time.Time) {
	c.flight.drop()
	c.timers.Stop(timerRetransmit)
	s := c.session
	if s == nil {
		// The server's flight is acknowledged, and the client's follows.
		return
	}
	c.timers.Stop(timerHandshake)
	if s.updating {
		s.updating = false
		old := c.layer.v13.out[c.writeEpoch&3]
		next, err := newProtection13(c.layer.v13.params, s.schedule, old.epoch+1, s.schedule.next(old.secret))
		if err != nil {
			c.fail(now, asLocal(refuse(AlertInternalError, "cannot make keys: %v", err)))
			return
		}
		c.layer.v13.out = [4]*protection13{}
		c.layer.v13.install(&c.layer.v13.out, next)
		c.writeEpoch = next.epoch
		s.trace(now, c, c.isClient, next)
	} else {
		// The peer has our Finished. Epoch 2 was for what led to it.
		c.layer.v13.out[epochHandshake], c.layer.v13.in[epochHandshake] = nil, nil
	}
	c.sendKeyUpdate(now)
}

// readKeyUpdate goes on with the peer's new keys. The old ones stay: "receivers
// MUST retain the pre-update keying material until receipt and successful
// decryption of a message using the new keys" (RFC 9147, Section 8).
func (c *Conn) readKeyUpdate(now time.Time, epoch uint64, body []byte) error {
	m, ok := parseKeyUpdate(body)
	if !ok {
		return refuse(AlertIllegalParameter, "the peer's KeyUpdate is malformed")
	}
	l, s := c.layer.v13, c.session
	old := l.in[epoch&3]
	if l.in[(epoch+1)&3] != nil {
		return refuse(AlertUnexpectedMessage, "the peer sent a KeyUpdate with keys that it updated before")
	}
	next, err := newProtection13(l.params, s.schedule, old.epoch+1, s.schedule.next(old.secret))
	if err != nil {
		return refuse(AlertInternalError, "cannot make keys: %v", err)
	}
	l.install(&l.in, next)
	s.trace(now, c, !c.isClient, next)
	c.retryEarly = true
	if m.requested {
		s.wanted = true
		c.sendKeyUpdate(now)
	}
	return nil
}

// trace tells the key log a traffic secret: the one of epoch 3 is number 0.
func (s *session13) trace(now time.Time, c *Conn, client bool, k *protection13) {
	if c.config.Trace == nil {
		return
	}
	whose := "SERVER"
	if client {
		whose = "CLIENT"
	}
	c.config.Trace.Secret(now, fmt.Sprintf("%s_TRAFFIC_SECRET_%d", whose, k.epoch-epochApplication), s.clientRandom[:], k.secret)
}

// updateKeysInTime changes our keys when they have protected many records.
func (c *Conn) updateKeysInTime(now time.Time) {
	s := c.session
	if s == nil || s.updating || s.wanted || c.state != StateEstablished {
		return
	}
	if c.layer.v13.out[c.writeEpoch&3].seq >= updateAfter {
		s.wanted = true
		c.sendKeyUpdate(now)
	}
}
