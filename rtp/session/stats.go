package session

import "time"

// InboundStats are what W3C's RTCInboundRtpStreamStats and its parents count of a
// stream, and what the peer's sender reports say (RTCRemoteOutboundRtpStreamStats).
type InboundStats struct {
	SSRC, RTX uint32
	MID, RID  string
	Kind      Kind
	Codec     *Codec // nil before the first packet

	PacketsReceived      uint64 // with those that were repaired or recovered
	BytesReceived        uint64 // of payload
	HeaderBytesReceived  uint64
	PacketsLost          int64 // RFC 3550, Appendix A.3: repaired and recovered ones count
	Jitter               time.Duration
	LastPacketReceived   time.Time
	PacketsDuplicated    uint64
	PacketsDiscarded     uint64 // nobody read them in time
	PacketsGivenUp       uint64 // that no retransmission came for
	RetransmittedPackets uint64 // that were repaired
	RetransmittedBytes   uint64
	UselessRepairs       uint64 // retransmissions of what was there
	FEC                  uint32 // the SSRC of its repair packets, if they have one
	FECPacketsReceived   uint64 // repair packets, and older blocks of redundant audio
	FECBytesReceived     uint64
	FECPacketsDiscarded  uint64 // that were of no use: nothing of theirs was lost, or too much
	RecoveredPackets     uint64 // that they brought back
	KeyFramesReceived    uint64
	Width, Height        int    // of pictures, as the latest key frame tells; 0: none did
	NACKs, PLIs, FIRs    uint64 // sent

	Remote RemoteOutboundStats
}

// RemoteOutboundStats are of the latest sender report; they are all zero before it.
type RemoteOutboundStats struct {
	PacketsSent, BytesSent uint32
	RemoteTimestamp        time.Time // by the peer's clock
	Received               time.Time
	ReportsSent            uint64
	RoundTrips             // by XR: a receiver's own measurement (RFC 3611, Section 4.5)
}

// OutboundStats are what W3C's RTCOutboundRtpStreamStats and its parents count of an
// encoding, and what the peer reports on it (RTCRemoteInboundRtpStreamStats).
type OutboundStats struct {
	SSRC, RTX uint32
	MID, RID  string
	Kind      Kind
	Codec     *Codec // nil: the section does not send
	Active    bool

	PacketsSent          uint64 // with retransmissions and probes
	BytesSent            uint64 // of payload
	HeaderBytesSent      uint64
	RetransmittedPackets uint64 // which the peer asked for
	RetransmittedBytes   uint64
	ProbePackets         uint64 // sent once more to find out what the path takes, unasked
	ProbeBytes           uint64
	TargetBitrate        int    // bits a second, as the method says; 0 while the encoding is not used
	FECPacketsSent       uint64 // repair packets, which PacketsSent counts, too
	FramesSent           uint64
	KeyFramesSent        uint64
	Width, Height        int // of pictures, as the latest key frame tells; 0: none did
	LastPacketSent       time.Time
	TotalSendDelay       time.Duration // from writing to leaving, over all packets
	NACKs, PLIs, FIRs    uint64        // received

	Remote RemoteInboundStats
}

// RemoteInboundStats are of the latest report of the peer's on an encoding; they are all zero
// before it.
type RemoteInboundStats struct {
	Received        time.Time
	PacketsReceived uint64 // computed from the two that are reported
	PacketsLost     int32
	FractionLost    float64
	Jitter          time.Duration
	HighestSequence uint32
	ReportsReceived uint64
	RoundTrips
}

// RoundTrips are what was measured of the time to the peer and back.
type RoundTrips struct {
	RoundTripTime             time.Duration // the latest; zero: none
	TotalRoundTripTime        time.Duration
	RoundTripTimeMeasurements uint64
}

func (r *RoundTrips) add(d time.Duration) {
	r.RoundTripTime = d
	r.TotalRoundTripTime += d
	r.RoundTripTimeMeasurements++
}

type inboundStats struct {
	packets, bytes, headerBytes    uint64
	duplicates, discarded, givenUp uint64
	repaired, repairedBytes        uint64
	uselessRepairs                 uint64
	fecPackets, fecBytes           uint64
	fecDiscarded, recovered        uint64
	keyFrames                      uint64
	size                           pictureSize
	nacks, plis, firs              uint64
	last                           time.Time
}

type outboundStats struct {
	packets, bytes, headerBytes uint64
	repairs, repairedBytes      uint64 // on the stream of retransmissions, with the probes
	probes, probeBytes          uint64
	frames, keyFrames           uint64
	size                        pictureSize
	delay                       time.Duration
	last                        time.Time
	remote                      RemoteInboundStats
}

// Stats returns the stream's figures.
func (st *Stream) Stats() InboundStats {
	r, c := &st.reception, &st.stats
	v := InboundStats{
		SSRC: st.SSRC, RTX: st.rtx, MID: st.MID, RID: st.RID, Kind: st.Kind, Codec: st.codec,
		PacketsReceived: c.packets, BytesReceived: c.bytes, HeaderBytesReceived: c.headerBytes,
		LastPacketReceived: c.last, PacketsDuplicated: c.duplicates, PacketsDiscarded: c.discarded, PacketsGivenUp: c.givenUp,
		RetransmittedPackets: c.repaired, RetransmittedBytes: c.repairedBytes, UselessRepairs: c.uselessRepairs,
		KeyFramesReceived: c.keyFrames, Width: c.size.width, Height: c.size.height, NACKs: c.nacks, PLIs: c.plis, FIRs: c.firs,
	}
	v.FEC, v.FECPacketsReceived, v.FECBytesReceived = st.fec, c.fecPackets, c.fecBytes
	v.FECPacketsDiscarded, v.RecoveredPackets = c.fecDiscarded, c.recovered
	if st.parity != nil {
		v.FECPacketsDiscarded += st.parity.Discarded
	}
	if r.started {
		v.PacketsLost = r.lostBefore + r.lost()
	}
	if st.codec != nil {
		v.Jitter = duration(uint32(r.jitter>>4), st.codec.ClockRate)
	}
	if !st.report.at.IsZero() {
		v.Remote = RemoteOutboundStats{PacketsSent: st.report.PacketCount, BytesSent: st.report.OctetCount,
			RemoteTimestamp: st.report.NTPTimestamp.Time(), Received: st.report.at, ReportsSent: st.report.count, RoundTrips: st.session.reports.rtt}
	}
	return v
}

// duration converts from units of the RTP clock.
func duration(ticks, rate uint32) time.Duration {
	if rate == 0 {
		return 0
	}
	return time.Duration(uint64(ticks) * uint64(time.Second) / uint64(rate))
}

// Stats returns the figures of an encoding; all zero if there is none.
func (x *Sender) Stats(now time.Time, encoding int) OutboundStats {
	if encoding < 0 || encoding >= len(x.encodings) {
		return OutboundStats{}
	}
	e := x.encodings[encoding]
	c := &e.stats
	v := OutboundStats{
		SSRC: e.SSRC, RTX: e.RTX, MID: x.mid, RID: e.RID, Codec: e.codec, Active: e.Active,
		PacketsSent: c.packets, BytesSent: c.bytes, HeaderBytesSent: c.headerBytes,
		FECPacketsSent: e.protection.sent, RetransmittedPackets: c.repairs - c.probes, RetransmittedBytes: c.repairedBytes - c.probeBytes,
		ProbePackets: c.probes, ProbeBytes: c.probeBytes, FramesSent: c.frames, KeyFramesSent: c.keyFrames, Width: c.size.width, Height: c.size.height,
		LastPacketSent: c.last, TotalSendDelay: c.delay, NACKs: e.answered.received, PLIs: e.requested.plis, FIRs: e.requested.firs, Remote: c.remote,
	}
	if x.section != nil {
		v.Kind = x.section.Kind
	}
	if e.used(now) {
		v.TargetBitrate = x.target(now, e)
	}
	if r := &v.Remote; r.ReportsReceived > 0 {
		// "calculated … by subtracting the cumulative number of packets lost from the extended highest sequence number" that
		// has been reported, less the first that was sent: as libwebrtc has it.
		r.PacketsReceived = uint64(max(int64(r.HighestSequence)-int64(e.first)+1-int64(r.PacketsLost), 0))
	}
	return v
}

// TransportStats are figures of the session as a whole.
type TransportStats struct {
	RTT     time.Duration // smoothed; zero: not measured yet
	Dropped uint64        // packets that were not taken

	Feedback TransportTotals // by feedback, of what we sent

	// AvailableOutgoingBitrate is as the method says.
	AvailableOutgoingBitrate uint64
}

// Stats returns the session's figures.
func (s *Session) Stats(now time.Time) TransportStats {
	return TransportStats{RTT: s.rtt.value(), Dropped: s.dropped, Feedback: s.congestion.Totals(), AvailableOutgoingBitrate: s.AvailableOutgoingBitrate(now)}
}

// Streams returns the streams that are there, section by section.
func (s *Session) Streams() []*Stream {
	var all []*Stream
	for _, c := range s.sections {
		all = append(all, c.streams...)
	}
	return all
}

// Senders returns the senders that are there.
func (s *Session) Senders() []*Sender { return append([]*Sender(nil), s.senders...) }
