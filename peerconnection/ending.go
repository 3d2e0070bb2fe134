package peerconnection

import (
	"fmt"
	"time"

	"github.com/plainrtc/plainrtc/ice"
	"github.com/plainrtc/plainrtc/internal/trace"
)

// How the connection ends, and its state meanwhile, which follows from its layers'.

// end is the end of the connection, other than by close: the peer has closed it
// or the handshake has failed.
func (c *core) end(now time.Time, err error) {
	if c.ended {
		return
	}
	if c.sctp != nil {
		c.takeMessages(now) // those that came with the end itself
	}
	c.ended, c.endedErr = true, err
	c.endChannels(err)
	c.endMedia()
	if c.rtp != nil {
		c.rtp.Close(now)
	}
	if err != nil {
		c.srtpOut = nil // there is nobody to say goodbye to
	}
	c.updateState(now)
	c.stateChanged.signal()
	c.channelAccepted.signal()
	c.candidateGathered.signal()
}

// close begins the end that we want: the peer is told, by what AppendPacket
// returns from now on. The caller then calls stop.
func (c *core) close(now time.Time) {
	c.end(now, nil)
	if c.dtls != nil {
		c.dtls.Close(now)
	}
}

// stop is the end of the core: it gives back what it holds.
func (c *core) stop(now time.Time) {
	c.closed = true
	c.dtls, c.sctp, c.early, c.trickled = nil, nil, nil, nil
	c.rtpTransport = rtpTransport{}
	c.ice.Close(now)
	c.signaling = SignalingClosed
	c.updateState(now)
}

// updateState derives the connection's state from its layers' (W3C
// RTCPeerConnectionState).
func (c *core) updateState(now time.Time) {
	s := c.state
	switch {
	case c.closed:
		s = ConnectionClosed
	case c.ended && c.dtlsUp:
		s = ConnectionClosed
	case c.ended || c.iceState == ice.StateFailed:
		s = ConnectionFailed
	case c.iceState == ice.StateDisconnected:
		s = ConnectionDisconnected
	case c.iceState == ice.StateNew && !c.dtlsUp:
		s = ConnectionNew
	case c.dtlsUp && c.iceState != ice.StateChecking:
		s = ConnectionConnected
	default:
		s = ConnectionConnecting
	}
	if s != c.state {
		c.cfg.Trace.State(now, trace.PC, c.state.String(), s.String())
		c.state = s
		c.stateChanged.signal()
	}
}

// noChannels reports whether the time of data channels is over.
func (c *core) noChannels() bool { return c.ended || c.sctpEnded }

// endError is what a call on an ended connection returns.
func (c *core) endError(doing string) error {
	if c.sctpEnded && !c.ended {
		if err := c.sctp.Err(); err != nil {
			return fmt.Errorf("peerconnection: %s: %w: %w", doing, ErrClosed, err)
		}
	}
	if c.endedErr != nil {
		return fmt.Errorf("peerconnection: %s: %w: %w", doing, ErrClosed, c.endedErr)
	}
	return fmt.Errorf("peerconnection: %s: %w", doing, ErrClosed)
}
