package jitter

import (
	"time"

	"github.com/plainrtc/plainrtc/rtp/payload"
)

// video is what is known of a stream of video.
type video struct {
	chain    chain
	needsKey bool // nothing can be decoded until a key frame comes
	aligned  bool // the next packet is the first of a frame, as the one before it was the last of another
	missing  int  // packets given up since the last frame
	lastKey  int64
	hasKey   bool

	candidate candidate
	hole      hole
	sent      time.Duration // of the last frame

	depacketizers [payload.AV1 + 1]payload.Depacketizer
	frame         []byte
	freezes       freezes
}

func (v *video) reset() {
	*v = video{depacketizers: v.depacketizers, frame: v.frame, freezes: v.freezes, needsKey: true}
}

// broken notes that packets were given up.
func (v *video) broken() {
	v.chain.gap()
	v.aligned = false
}

// A candidate is the frame to come, as far as it has been looked at.
type candidate struct {
	first, end int64 // its packets; all up to end are there
	whole      bool  // and more there are not
	judged     bool  // the fields below are set
	decodable  bool
	relation   relation
	arrival    time.Time // of the packet that came last
}

func (b *Buffer) nextVideo(now time.Time) (Frame, bool) {
	v, r := &b.video, &b.ring
	for {
		s := r.held(r.next)
		switch {
		case s == nil:
			if r.following(r.next) == nil {
				return Frame{}, false
			}
			if !b.waitForHole(now, r.next) {
				return Frame{}, false
			}
			continue
		case s.filler():
			r.consume(s, false)
			r.next++
			continue
		case !v.aligned && !b.startsFrame(r.next):
			if grace := s.arrival.Add(reorderGrace); !r.settled && b.waits(now, grace) {
				b.wake = grace // for what was sent before the first packet that came
				return Frame{}, false
			}
			b.dropRest(now, s)
			continue
		}

		c := &v.candidate
		b.look(c)
		switch {
		case !c.whole && !s.key && !v.chain.keyed:
			b.dropFrame(now, c, dropUndecodable)
		case !c.whole && c.end < r.top:
			if !b.waitForHole(now, c.end) {
				return Frame{}, false
			}
		case !c.whole: // the rest has yet to be sent
			return Frame{}, false
		default:
			if !c.judged {
				b.judge(c)
			}
			if !c.decodable {
				v.chain.undecodable(&c.relation)
				b.dropFrame(now, c, dropUndecodable)
				continue
			}
			if !b.playout.started {
				b.playout = playout{started: true, offset: b.wanted()}
			}
			if due := b.due(s.sent); b.waits(now, due) {
				b.wake = due
				return Frame{}, false
			}
			if f, ok := b.emitVideo(now, c); ok {
				return f, true
			}
		}
	}
}

// look goes on from where it stopped, to find the end of the frame.
func (b *Buffer) look(c *candidate) {
	r := &b.ring
	if c.first != r.next || c.end <= c.first {
		*c = candidate{first: r.next, end: r.next}
	}
	timestamp := r.held(c.first).timestamp
	for !c.whole {
		s := r.held(c.end)
		switch {
		case s == nil:
			return
		case s.filler():
		case s.timestamp != timestamp:
			c.whole = true // the sender sets no marker bits
			return
		default:
			c.whole = s.marker
			if s.arrival.After(c.arrival) {
				c.arrival = s.arrival
			}
		}
		c.end++
	}
}

// judge finds out whether a frame that is whole can be decoded, and learns from
// how long it took.
func (b *Buffer) judge(c *candidate) {
	v := &b.video
	c.judged = true
	c.relation = v.chain.relate(&b.ring, c.first, c.end, b.config.Extensions)
	c.decodable = v.chain.decodable(&c.relation)
	b.stats.FramesReceived++
	if c.relation.key {
		b.stats.KeyFramesReceived++
	}
	recovered := false
	for i := c.first; i < c.end; i++ {
		recovered = recovered || b.ring.held(i).recovered
	}
	b.learn(b.ring.held(c.first).sent, c.arrival, recovered)
}

// startsFrame reports whether a packet is the first of a frame, without knowing the
// one before it.
func (b *Buffer) startsFrame(index int64) bool {
	s := b.ring.held(index)
	if before := b.ring.held(index - 1); before != nil && !before.filler() && (before.marker || before.timestamp != s.timestamp) {
		return true
	}
	if !s.start {
		return false
	}
	switch s.codec.Format {
	case payload.H264:
		// Every NAL unit that is not continued may be the first. An access unit with
		// parameter sets starts with them, or with a delimiter.
		return startsH264(s.payload)
	case payload.H265:
		return startsH265(s.payload)
	}
	return true
}

func startsH264(data []byte) bool {
	t := data[0] & 0x1f
	if t == 24 && len(data) > 3 { // STAP-A
		t = data[3] & 0x1f
	}
	return t == 7 || t == 9 // sequence parameter set, access unit delimiter
}

func startsH265(data []byte) bool {
	t := data[0] >> 1 & 0x3f
	if t == 48 && len(data) > 4 { // aggregation packet
		t = data[4] >> 1 & 0x3f
	}
	return t >= 32 && t <= 35 // parameter sets, access unit delimiter
}

// dropRest drops the packets of a frame whose beginning is not there.
func (b *Buffer) dropRest(now time.Time, first *slot) {
	r := &b.ring
	timestamp, end, aligned := first.timestamp, first.index, false
	for ; !aligned && end < r.top; end++ {
		s := r.held(end)
		if s == nil {
			break
		}
		if !s.filler() && s.timestamp != timestamp {
			aligned = true
			break
		}
		aligned = s.marker
	}
	b.giveUpVideo(now, end, dropHole)
	b.video.aligned = aligned
}

// dropFrame drops the packets of a frame that are there. What it means for the
// frames after it the chain has been told.
func (b *Buffer) dropFrame(now time.Time, c *candidate, reason string) {
	v, bytes := &b.video, b.ring.bytes
	b.stats.FramesDropped++
	v.aligned = c.whole
	dropped, _ := b.ring.advance(c.end)
	v.missing += dropped
	v.needsKey = !v.chain.keyed
	b.dropTrace(now, reason, bytes-b.ring.bytes)
}

// emitVideo puts a frame together and hands it out.
func (b *Buffer) emitVideo(now time.Time, c *candidate) (Frame, bool) {
	v, r := &b.video, &b.ring
	first := r.held(c.first)
	f := Frame{
		Codec: first.codec, Timestamp: first.timestamp, KeyFrame: c.relation.key, Missing: v.missing,
		Due: b.due(first.sent), ReceivedAt: c.arrival, CaptureTime: b.reports.at(first.timestamp, first.codec.ClockRate),
	}
	depacketizer := v.depacketizers[first.codec.Format]
	if depacketizer == nil {
		depacketizer = first.codec.Format.NewDepacketizer()
		v.depacketizers[first.codec.Format] = depacketizer
	}
	v.frame = v.frame[:0]
	var err error
	packets := 0
	for i := c.first; i < c.end && err == nil; i++ {
		if s := r.held(i); !s.filler() {
			v.frame, err = depacketizer.Append(v.frame, s.payload)
			f.Packet = s.packet
			packets++
		}
	}
	if finish := depacketizer.Finish(); err == nil {
		err = finish
	}
	if err != nil || len(v.frame) == 0 {
		v.chain.undecodable(&c.relation)
		b.dropFrame(now, c, dropFrame)
		return Frame{}, false
	}
	f.Data = v.frame

	b.countDelay(now, first.arrival, 1)
	if packets > 1 {
		b.stats.FramesAssembledFromMultiplePackets++
		b.stats.TotalAssemblyTime += max(c.arrival.Sub(first.arrival), 0).Seconds()
	}
	if frozen := v.freezes.frame(now); frozen > 0 {
		b.stats.FreezeCount++
		b.stats.TotalFreezesDuration += frozen.Seconds()
	}
	b.playout.step(b.wanted(), min(max(first.sent-v.sent, 0), time.Second), false)
	v.sent = first.sent

	for i := c.first; i < c.end; i++ {
		r.consume(r.held(i), true)
	}
	r.next = c.end
	v.chain.decoded(&c.relation)
	v.missing, v.aligned, v.needsKey, v.hole = 0, true, false, hole{}
	return f, true
}
