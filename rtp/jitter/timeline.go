package jitter

import (
	"time"

	"github.com/plainrtc/plainrtc/internal/serial"
)

// A timeline turns RTP timestamps into times that go on evenly: how long after the
// first packet each was sent, by the sender's clock.
//
// A sender's timestamps may jump although its sequence numbers do not, as when
// another source takes the place of a track's first one. A packet cannot arrive
// before it was sent: one that seems to have shows a jump. One that seems very late
// may be so, but then those after it are less late, one by one.
type timeline struct {
	started bool
	epoch   time.Time // when the first packet arrived: the timeline's zero

	anchor uint32        // the timestamp of the latest packet
	sent   time.Duration // its time
	rate   uint32        // its clock rate

	lateSince time.Time // from when on all packets have been too late; zero when they are not
}

const (
	maxEarly    = time.Second // than the fastest packet: earlier means another clock
	lateForGood = time.Second // late for that long means another clock, too
)

// ticks converts a number of clock ticks.
func ticks(n int64, rate uint32) time.Duration {
	return time.Duration(n/int64(rate))*time.Second + time.Duration(n%int64(rate))*time.Second/time.Duration(rate)
}

// place returns when a packet was sent, and whether the clock jumped.
// fastest is the least transit time of late, and most the longest that makes sense.
func (l *timeline) place(now time.Time, timestamp, rate uint32, fastest, most time.Duration) (sent time.Duration, jumped bool) {
	if !l.started {
		*l = timeline{started: true, epoch: now, anchor: timestamp, rate: rate}
		return 0, false
	}
	// After a change of the codec the timestamp goes on at another rate. RFC 7160,
	// Section 4.
	d := ticks(int64(serial.Number32(timestamp).Distance(serial.Number32(l.anchor))), rate)
	sent = l.sent + d
	arrived := now.Sub(l.epoch)
	transit := arrived - sent

	if transit < fastest-maxEarly {
		jumped = true
	}
	if transit <= fastest+most {
		l.lateSince = time.Time{}
	} else if l.lateSince.IsZero() {
		l.lateSince = now
	} else if now.Sub(l.lateSince) >= lateForGood {
		jumped = true
	}
	if jumped {
		sent = arrived - fastest
		l.lateSince = time.Time{}
	}
	if jumped || d > 0 {
		l.anchor, l.sent, l.rate = timestamp, sent, rate
	}
	return sent, jumped
}

// arrived is a time of ours on the timeline.
func (l *timeline) arrived(t time.Time) time.Duration { return t.Sub(l.epoch) }

// timestampAt is the timestamp at a time on the timeline.
func (l *timeline) timestampAt(sent time.Duration) uint32 {
	d := sent - l.sent
	n := int64(d/time.Second)*int64(l.rate) + int64(d%time.Second)*int64(l.rate)/int64(time.Second)
	return l.anchor + uint32(n)
}
