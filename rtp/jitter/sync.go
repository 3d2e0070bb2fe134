package jitter

import (
	"math"
	"time"

	"github.com/plainrtc/plainrtc/internal/serial"
)

// A Sync keeps an audio and a video stream of one source in step: lip sync. The
// faster one waits for the other. Its zero value is ready.
//
// By the sender reports it is known when the media of a timestamp was captured, on
// a clock that both streams have (RFC 3550, Section 6.4.1), and a buffer knows when
// that is played. The difference of the two holds the difference between the
// sender's clock and ours, which is the same in both streams and cancels out.
type Sync struct {
	// Skew is by how much video would be behind audio if each was on its own: what
	// the faster stream waits.
	Skew time.Duration

	measured bool
	last     time.Time
}

// apart is a least offset that bounds nothing.
const apart = time.Duration(math.MinInt64)

const (
	// syncEvery is how often the skew is measured. It counts for a quarter each time.
	syncEvery = time.Second
	syncShare = 4

	// syncStep bounds how much the skew changes at once.
	syncStep = 80 * time.Millisecond

	// syncMost is beyond what times are not believed.
	syncMost = 5 * time.Second
)

// Update measures the skew, at most once a second, and tells the buffers. It is
// called whenever something has come, or with each frame.
func (s *Sync) Update(now time.Time, audio, video *Buffer) {
	if !s.last.IsZero() && now.Sub(s.last) < syncEvery {
		return
	}
	s.last = now
	a, okA := audio.behind()
	v, okV := video.behind()
	skew := v - a
	if !okA || !okV || skew > syncMost || skew < -syncMost {
		*s = Sync{last: now}
		audio.together, video.together = apart, apart
		return
	}
	if !s.measured {
		s.measured, s.Skew = true, skew
	} else {
		s.Skew += min(max((skew-s.Skew)/syncShare, -syncStep), syncStep)
	}
	audio.together = audio.alone() + max(s.Skew, 0)
	video.together = video.alone() + max(-s.Skew, 0)
}

// behind is how long after its capture, on the sender's clock, media is played, on
// ours, when the stream is on its own.
func (b *Buffer) behind() (time.Duration, bool) {
	if !b.reports.known || b.delay.count == 0 {
		return 0, false
	}
	l := &b.timeline
	sent := l.sent + ticks(int64(serial.Number32(b.reports.timestamp).Distance(serial.Number32(l.anchor))), l.rate)
	return l.epoch.Add(sent + b.alone()).Sub(b.reports.ntp), true
}
