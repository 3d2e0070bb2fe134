package jitter

import (
	"time"

	"github.com/plainrtc/plainrtc/internal/trace"
	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/payload"
)

// longestFrame is more audio than anybody has in a packet: Opus has 120 ms at most.
const longestFrame = time.Second

func tooLong(c Codec, data []byte) bool {
	return ticks(int64(c.Format.Duration(data, c.Channels)), c.ClockRate) > longestFrame
}

func (b *Buffer) receive(now time.Time, p rtp.Packet, codec Codec, recovered bool) {
	size := len(p.Bytes())
	media := codec.Format != 0 && len(p.Payload()) > 0
	block := payload.Redundancy{Data: p.Payload()}
	if media {
		switch {
		case codec.ClockRate < 1e3 || codec.ClockRate > 1e6:
			b.dropPacket(now, dropClockRate, size)
			return
		case (codec.Format >= payload.VP8) != b.config.Video:
			b.dropPacket(now, dropKind, size)
			return
		case codec.RED:
			var ok bool
			if block, ok = payload.ParseRED(p.Payload()); !ok {
				b.dropPacket(now, dropPayload, size)
				return
			}
			media = len(block.Data) > 0
		}
	}
	var info payload.Info
	if media {
		var err error
		if info, err = codec.Format.Inspect(block.Data); err != nil {
			b.dropPacket(now, dropPayload, size)
			return
		}
		if tooLong(codec, block.Data) {
			b.dropPacket(now, dropLong, size)
			return
		}
	}

	index, verdict := b.order.place(p.SequenceNumber(), recovered)
	switch verdict {
	case strays:
		b.dropPacket(now, dropStray, size)
		return
	case restarts:
		b.restart(now, index)
	}
	if !b.order.started {
		b.ring.next, b.ring.top = index, index
	}

	if s := b.ring.at(index); s != nil {
		b.stats.PacketsDuplicate++
		b.dropTrace(now, dropDuplicate, size)
		return
	}
	var sent time.Duration
	if media {
		var jumped bool
		if sent, jumped = b.timeline.place(now, p.Timestamp(), codec.ClockRate, b.delay.fastest(), b.config.MaxDelay); jumped {
			// Delays are what they were; reports are of the old timestamps.
			b.config.Trace.Note(now, trace.RTP, "timestamps of the source jumped")
			b.stats.Restarts++
			b.reports, b.together = reportClock{}, apart
		}
		if !b.config.Video {
			b.learn(sent, now, recovered)
		}
	}
	if index < b.ring.next && !b.ring.lower(index) {
		b.stats.PacketsLate++
		if !recovered {
			b.order.countLate()
		}
		b.dropPacket(now, dropLate, size)
		return
	}
	if !b.makeRoom(now, index, size) {
		return
	}
	b.order.count(index)
	b.asked(p)
	b.stats.PacketsReceived++
	if recovered {
		b.stats.PacketsRecovered++
	}

	s := b.ring.reserve(index)
	b.ring.keep(s, p)
	if !media {
		s.payload = nil
	} else if codec.RED {
		s.payload = s.payload[len(s.payload)-len(block.Data):]
	}
	s.codec, s.timestamp, s.sent, s.arrival = codec, p.Timestamp(), sent, now
	s.marker, s.start, s.key, s.recovered = p.Marker(), info.Start, info.Key, recovered
	if info.Key && info.Start && (!b.video.hasKey || index > b.video.lastKey) {
		b.video.hasKey, b.video.lastKey = true, index
	}
	if media && codec.RED {
		b.receiveRedundancy(now, p, block.PayloadType, index, sent, codec)
	}
	b.wake = now
}

// How long after the fastest packet one that was lost and recovered may come, to be
// worth waiting for: without it video stands still, and audio has but a gap.
const (
	audioRecovers = 250 * time.Millisecond
	videoRecovers = 500 * time.Millisecond
)

// learn tells how long a packet took, or a frame of video. One that was sent again
// took that long, too: where it happens often enough it is waited for.
func (b *Buffer) learn(sent time.Duration, arrival time.Time, recovered bool) {
	most := b.config.MaxDelay // what is later than that would not be waited for
	switch {
	case recovered && b.config.Video:
		most = min(most, videoRecovers)
	case recovered:
		most = min(most, audioRecovers)
	}
	transit := b.timeline.arrived(arrival) - sent
	if transit <= b.delay.fastest()+most { // the first packet took no time, by definition
		b.delay.add(sent, transit)
	}
}

// receiveRedundancy takes the older blocks of a RED packet: audio that its own
// packets may not have brought. What those packets' sequence numbers were is not
// said: senders repeat each of the last packets once. Blocks of another payload
// type than the packet's own are of a codec that is not known here.
func (b *Buffer) receiveRedundancy(now time.Time, p rtp.Packet, payloadType uint8, index int64, sent time.Duration, codec Codec) {
	at := index + 1
	for range payload.REDBlocks(p.Payload()) {
		at--
	}
	for r := range payload.REDBlocks(p.Payload()) {
		known := at >= index || at < b.ring.next || b.ring.at(at) != nil
		room := b.ring.count < b.config.MaxPackets && b.ring.bytes+len(r.Data) <= b.config.MaxBytes
		if !known && room && r.PayloadType == payloadType && len(r.Data) > 0 && !tooLong(codec, r.Data) {
			s := b.ring.reserve(at)
			b.ring.keepBlock(s, r.Data)
			s.codec, s.timestamp, s.arrival = codec, p.Timestamp()-uint32(r.Offset), now
			s.sent = sent - ticks(int64(r.Offset), codec.ClockRate)
			s.start, s.key, s.recovered = true, true, true
			b.learn(s.sent, now, true)
			b.stats.PacketsRecovered++
		}
		at++
	}
}

// makeRoom gives up the oldest packets for one that would be too much. It returns
// false when the packet itself is too large.
func (b *Buffer) makeRoom(now time.Time, index int64, size int) bool {
	if size > b.config.MaxBytes {
		b.dropPacket(now, dropOverflow, size)
		return false
	}
	next := b.ring.next
	if !b.ring.reaches(index) {
		next = index - int64(b.ring.limit) + 1
	}
	for {
		b.giveUp(now, next, dropOverflow)
		if b.ring.count == 0 || b.ring.count < b.config.MaxPackets && b.ring.bytes+size <= b.config.MaxBytes {
			return index >= b.ring.next
		}
		next = b.ring.following(b.ring.next).index + 1
	}
}

// giveUp goes on at index, whatever was there or should have been before it.
func (b *Buffer) giveUp(now time.Time, index int64, reason string) {
	if index <= b.ring.next {
		return
	}
	bytes := b.ring.bytes
	dropped, missing := b.ring.advance(index)
	b.stats.PacketsMissing += uint64(missing)
	if dropped > 0 {
		b.dropTrace(now, reason, bytes-b.ring.bytes)
	}
	if reason == dropOverflow {
		b.stats.PacketsDiscarded += uint64(dropped)
	}
	b.audio.missing += missing + dropped
	b.video.missing += missing + dropped
	b.video.broken()
}

// restart begins anew, with a source that began anew under the same SSRC.
func (b *Buffer) restart(now time.Time, index int64) {
	b.config.Trace.Note(now, trace.RTP, "source started anew")
	b.stats.Restarts++
	bytes := b.ring.bytes
	if dropped := b.ring.reset(index); dropped > 0 {
		b.stats.PacketsDiscarded += uint64(dropped)
		b.dropTrace(now, dropRestarted, bytes)
	}
	b.order = order{}
	b.timeline = timeline{}
	b.delay.reset()
	b.playout = playout{}
	b.reports, b.together = reportClock{}, apart
	b.audio.reset()
	b.video.reset()
}

// dropTrace tells of a drop that is counted elsewhere.
func (b *Buffer) dropTrace(now time.Time, reason string, size int) {
	b.config.Trace.Drop(now, trace.RTP, reason, size)
}
