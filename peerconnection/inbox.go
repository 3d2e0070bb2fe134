package peerconnection

import (
	"time"

	"github.com/plainrtc/plainrtc/internal/trace"
	"github.com/plainrtc/plainrtc/sctp"
)

// What has come for a data channel and was not read: it counts against the
// association's receive window, which all channels share, until it is read.

// An inboxMessage is a received message. As long as it has a from, the
// association counts its bytes against the receive window.
type inboxMessage struct {
	kind MessageKind
	data []byte
	from sctp.Received
}

// take removes the first message of the inbox.
func (c *channel) take() {
	c.inbox[c.inboxRead] = inboxMessage{}
	c.inboxRead++
	if c.inboxRead == len(c.inbox) {
		c.inbox, c.inboxRead = c.inbox[:0], 0
		if cap(c.inbox) > 64 {
			c.inbox = nil
		}
	}
}

// receiveMessage takes one whole message from the association.
func (c *core) receiveMessage(now time.Time, m sctp.Received) {
	d := c.channels[m.Stream]
	if m.PPID == ppidDCEP {
		c.receiveDCEP(now, d, m)
		c.sctp.Release(now, m)
		return
	}
	if d == nil || d.closedByUser || d.remoteClosed {
		c.drop(now, trace.DCEP, dropNoChannel, len(m.Data))
		c.sctp.Release(now, m)
		return
	}
	in := inboxMessage{data: m.Data, from: m}
	switch m.PPID {
	case ppidString:
		in.kind = Text
	case ppidBinary:
	case ppidStringEmpty:
		in.kind, in.data = Text, nil
	case ppidBinaryEmpty:
		in.data = nil
	default:
		c.drop(now, trace.DCEP, dropUnknownPPID, len(m.Data))
		c.sctp.Release(now, m)
		return
	}
	d.heard = true
	d.messagesReceived++
	d.bytesReceived += uint64(len(in.data))
	if dead := d.inboxRead; dead > 0 && len(d.inbox) == cap(d.inbox) && dead >= len(d.inbox)/2 {
		n := copy(d.inbox, d.inbox[dead:])
		clear(d.inbox[n:])
		d.inbox, d.inboxRead = d.inbox[:n], 0
	}
	d.inbox = append(d.inbox, in)
	d.readable.signal()
}

// release gives a message's bytes back, and so reopens the receive window.
func (c *core) release(now time.Time, m inboxMessage) {
	if c.sctp != nil && m.from.Data != nil {
		c.sctp.Release(now, m.from)
	}
}

// keep is release for one who wants the bytes for good: they are not copied.
func (c *core) keep(now time.Time, m inboxMessage) []byte {
	if c.sctp != nil && m.from.Data != nil {
		c.sctp.Keep(now, m.from)
	}
	if len(m.data) == 0 {
		return []byte{}
	}
	return m.data[:len(m.data):len(m.data)]
}

// keepUnread moves what can still be read from a channel out of the receive
// window, into memory that goes with the channel.
func (c *core) keepUnread(now time.Time, d *DataChannel) {
	for i := d.inboxRead; i < len(d.inbox); i++ {
		m := &d.inbox[i]
		m.data = c.keep(now, *m)
		m.from.Data = nil
	}
}

// forgotten releases what nobody can read any more.
func (pc *PeerConnection) forgotten(inbox []inboxMessage) {
	pc.mu.Lock()
	defer pc.mu.Unlock()
	for _, m := range inbox {
		pc.core.release(pc.now(), m) // and the next packet tells the peer
	}
}
