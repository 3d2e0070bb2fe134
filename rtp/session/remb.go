package session

import (
	"time"

	"github.com/plainrtc/plainrtc/rtp/rtcp"
)

// A remb is the latest estimate that the peer made of what it can receive.
type remb struct {
	bitrate uint64
	at      time.Time
}

// rembLifetime is how long an estimate holds: it is repeated every second.
const rembLifetime = 10 * time.Second

func (s *Session) receiveREMB(now time.Time, p rtcp.Packet) {
	bitrate, ok := p.Estimate()
	if !ok {
		bitrate = 1<<63 - 1 // it does not fit 64 bits: no limit
	}
	s.remb = remb{bitrate, now}
}
