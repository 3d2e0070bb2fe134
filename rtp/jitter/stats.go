package jitter

import "time"

// Stats are counted from the start; their names and units are those of W3C's
// RTCInboundRtpStreamStats, where that has them.
type Stats struct {
	PacketsReceived  uint64 // that were kept: neither duplicates nor discarded
	PacketsDiscarded uint64 // came too late or had no room
	PacketsLate      uint64 // of these, came behind what was handed out
	PacketsDuplicate uint64
	PacketsMissing   uint64 // given up
	PacketsRecovered uint64 // came by Recover, or as blocks of RED, and were of use

	// Of audio: samples are ticks of the codec's clock rate. Of video: frames.
	JitterBufferDelay        float64 // in seconds, summed over what was handed out
	JitterBufferTargetDelay  float64 // what it should have been, summed alike
	JitterBufferMinimumDelay float64 // what it would have been without MinDelay and lip sync
	JitterBufferEmittedCount uint64

	TotalSamplesReceived               uint64 // handed out, concealed ones too
	ConcealedSamples                   uint64
	SilentConcealedSamples             uint64 // of these, so long after the last frame that silence was put in
	ConcealmentEvents                  uint64
	InsertedSamplesForDeceleration     uint64
	RemovedSamplesForAcceleration      uint64
	FramesDelayed                      uint64 // came behind their time, when nothing followed, and were played late
	FramesReceived                     uint64 // of video, whole
	KeyFramesReceived                  uint64
	FramesDropped                      uint64 // of video: holes, and what depends on them
	FramesAssembledFromMultiplePackets uint64
	TotalAssemblyTime                  float64 // in seconds
	FreezeCount                        uint64
	TotalFreezesDuration               float64 // in seconds
	Restarts                           uint64  // of the source, by sequence number or timestamp

	// As they are now.
	Offset, Target, Minimum time.Duration // delays beyond that of the fastest packet of late: of play-out, where that should be, and without bounds
	ClockDrift              float64       // seconds by which the sender's clock falls behind in a second
	HeldPackets, HeldBytes  int
}

// Stats returns what has been counted.
func (b *Buffer) Stats() Stats {
	s := b.stats
	if b.delay.count > 0 {
		fastest := b.delay.fastest()
		s.Target, s.Minimum = b.wanted()-fastest, b.delay.wanted-fastest
		if b.playout.started {
			s.Offset = b.playout.offset - fastest
		}
	}
	s.ClockDrift = b.delay.drift.slope
	s.HeldPackets, s.HeldBytes = b.ring.count, b.ring.bytes
	return s
}

// countDelay adds a frame that is handed out to the sums; n is its samples, or one.
func (b *Buffer) countDelay(now, arrival time.Time, n uint64) {
	fastest := b.delay.fastest()
	b.stats.JitterBufferEmittedCount += n
	b.stats.JitterBufferDelay += now.Sub(arrival).Seconds() * float64(n)
	b.stats.JitterBufferTargetDelay += (b.wanted() - fastest).Seconds() * float64(n)
	b.stats.JitterBufferMinimumDelay += (b.delay.wanted - fastest).Seconds() * float64(n)
}
