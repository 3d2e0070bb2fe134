package peerconnection

import (
	"runtime"
	"time"
)

// How a data channel ends: the closing procedure of RFC 8831, Section 6.7, and
// the end of all of them with the connection.

// forgetLabel no longer counts the label of a channel of the peer's making,
// once it was accepted and is closed: it is the program's then.
func (c *core) forgetLabel(d *DataChannel) {
	if d.byPeer && d.accepted && d.state == DataChannelClosed {
		c.labelBytes -= len(d.label) + len(d.protocol)
	}
}

// closeChannel begins the closing procedure of RFC 8831, Section 6.7: our
// outgoing stream is reset once what is queued has been sent; the peer answers
// by resetting its own.
func (c *core) closeChannel(now time.Time, d *DataChannel) {
	switch {
	case d.state == DataChannelClosed:
	case !d.hasID || c.sctp == nil || d.sayOpen:
		c.endChannel(d, nil)
	case d.state != DataChannelClosing:
		d.state = DataChannelClosing
		d.writable.signal()
		if !d.streamBusy {
			d.resetSent = true
			c.resetStream(now, d.id)
		}
	}
	// Whoever closes a channel may never read from it again, and what the peer
	// sends meanwhile must not take the receive window from the other channels.
	d.closedByUser = true
	c.keepUnread(now, d)
	d.readable.signal()
}

func (c *core) resetStream(now time.Time, id uint16) {
	if err := c.sctp.ResetStreams(now, id); err != nil {
		// A peer without RFC 6525 can't close channels one by one: the stream
		// stays, and only our side of the channel ends.
		if d := c.channels[id]; d != nil {
			d.resetDone, d.remoteClosed = true, true
			c.endChannel(d, nil)
		}
	}
}

// streamsReset: the peer has reset its outgoing streams; an empty list means all.
func (c *core) streamsReset(now time.Time, ids []uint16) {
	if len(ids) == 0 {
		for id := range uint16(maxStreams) {
			if c.channels[id] != nil {
				c.peerReset(now, id)
			}
		}
	}
	for _, id := range ids {
		c.peerReset(now, id)
	}
}

func (c *core) peerReset(now time.Time, id uint16) {
	d := c.channels[id]
	if d == nil {
		return
	}
	d.remoteClosed = true
	d.readable.signal()
	if !d.resetSent {
		// "When the peer sees that an incoming stream was reset, it also resets its
		// corresponding outgoing stream." RFC 8831, Section 6.7.
		d.state = DataChannelClosing
		d.writable.signal()
		if !d.streamBusy {
			d.resetSent = true
			c.resetStream(now, id)
		}
		return
	}
	if d.resetDone {
		c.endChannel(d, nil)
	}
}

// streamsResetDone: our outgoing streams were reset, or the peer would not.
func (c *core) streamsResetDone(now time.Time, ids []uint16) {
	for _, id := range ids {
		switch d := c.channels[id]; {
		case d == nil:
		case d.streamBusy:
			// It was the stream's last use that has ended: this one can begin.
			d.streamBusy = false
			if err := c.sendEarly(now, d); err != nil {
				c.endChannel(d, err)
			} else if d.state == DataChannelClosing {
				d.resetSent = true
				c.resetStream(now, id)
			}
		default:
			d.resetDone = true
			if d.remoteClosed {
				c.endChannel(d, nil)
			}
		}
	}
}

// endChannel closes a channel for good. Its stream may be used again.
func (c *core) endChannel(d *DataChannel, err error) {
	if d.state == DataChannelClosed {
		return
	}
	if d.state == DataChannelOpen || d.state == DataChannelClosing {
		c.channelsClosed++
	}
	d.unsent = d.buffered()
	d.state, d.err = DataChannelClosed, err
	d.early, d.earlyBytes = nil, 0
	c.forgetLabel(d)
	if d.hasID && c.channels[d.id] == d {
		delete(c.channels, d.id)
	}
	d.readable.signal()
	d.writable.signal()
	if d.inboxRead < len(d.inbox) && !d.closedByUser {
		// It can still be read, and counts against the receive window until it
		// is, or until the program has forgotten the channel.
		runtime.AddCleanup(d, c.pc.forgotten, d.inbox)
	}
}

// endChannels closes every channel, because the connection has ended with err.
func (c *core) endChannels(err error) {
	for id := range uint16(maxStreams) {
		if d := c.channels[id]; d != nil {
			c.endChannel(d, err)
		}
	}
	for _, d := range c.opening {
		c.endChannel(d, err)
	}
	c.opening = nil
}
