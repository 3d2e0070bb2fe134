package peerconnection

import (
	"fmt"
	"time"

	"github.com/plainrtc/plainrtc/rtp/session"
)

// CodecStats is RTCCodecStats.
type CodecStats struct {
	ID          string `json:"id"`
	PayloadType uint8  `json:"payloadType"`
	TransportID string `json:"transportId"`
	MimeType    string `json:"mimeType"`
	ClockRate   uint32 `json:"clockRate,omitempty"`
	Channels    uint16 `json:"channels,omitempty"`
	SDPFmtpLine string `json:"sdpFmtpLine,omitempty"`
}

// RTPStreamStats is RTCRtpStreamStats.
type RTPStreamStats struct {
	ID          string `json:"id"`
	SSRC        uint32 `json:"ssrc"`
	Kind        Kind   `json:"kind"`
	TransportID string `json:"transportId"`
	CodecID     string `json:"codecId,omitempty"`
}

// InboundRTPStats is RTCInboundRtpStreamStats. What depends on a jitter buffer is zero
// for a track that nobody reads by frame; decoding is the application's.
type InboundRTPStats struct {
	RTPStreamStats
	TrackIdentifier string `json:"trackIdentifier"`
	MID             string `json:"mid"`
	RID             string `json:"rid,omitempty"` // ours: browsers receive no simulcast
	RemoteID        string `json:"remoteId,omitempty"`

	PacketsReceived              uint64  `json:"packetsReceived"`
	PacketsLost                  int64   `json:"packetsLost"`
	Jitter                       float64 `json:"jitter"` // seconds
	PacketsDiscarded             uint64  `json:"packetsDiscarded"`
	BytesReceived                uint64  `json:"bytesReceived"` // of payload
	HeaderBytesReceived          uint64  `json:"headerBytesReceived"`
	RetransmittedPacketsReceived uint64  `json:"retransmittedPacketsReceived"`
	RetransmittedBytesReceived   uint64  `json:"retransmittedBytesReceived"`
	RTXSSRC                      uint32  `json:"rtxSsrc,omitempty"`
	PacketsRepaired              uint64  `json:"packetsRepaired"`    // that error correction brought back; W3C had it until 2021
	FECPacketsReceived           uint64  `json:"fecPacketsReceived"` // repair packets, and older blocks of redundant audio
	FECBytesReceived             uint64  `json:"fecBytesReceived"`   // of payload
	FECPacketsDiscarded          uint64  `json:"fecPacketsDiscarded"`
	FECSSRC                      uint32  `json:"fecSsrc,omitempty"`                     // of FlexFEC
	LastPacketReceivedTimestamp  float64 `json:"lastPacketReceivedTimestamp,omitempty"` // milliseconds since 1970
	NACKCount                    uint64  `json:"nackCount"`
	PLICount                     uint64  `json:"pliCount"`
	FIRCount                     uint64  `json:"firCount"`

	// By the latest key frame's header, whoever decodes it.
	FrameWidth  int `json:"frameWidth,omitempty"`
	FrameHeight int `json:"frameHeight,omitempty"`

	FramesReceived                     uint64  `json:"framesReceived"`
	FramesDropped                      uint64  `json:"framesDropped"`
	FramesAssembledFromMultiplePackets uint64  `json:"framesAssembledFromMultiplePackets"`
	TotalAssemblyTime                  float64 `json:"totalAssemblyTime"` // seconds
	FreezeCount                        uint64  `json:"freezeCount"`
	TotalFreezesDuration               float64 `json:"totalFreezesDuration"` // seconds
	JitterBufferDelay                  float64 `json:"jitterBufferDelay"`    // seconds, summed
	JitterBufferTargetDelay            float64 `json:"jitterBufferTargetDelay"`
	JitterBufferMinimumDelay           float64 `json:"jitterBufferMinimumDelay"`
	JitterBufferEmittedCount           uint64  `json:"jitterBufferEmittedCount"`
	TotalSamplesReceived               uint64  `json:"totalSamplesReceived"`
	ConcealedSamples                   uint64  `json:"concealedSamples"`
	SilentConcealedSamples             uint64  `json:"silentConcealedSamples"`
	ConcealmentEvents                  uint64  `json:"concealmentEvents"`
	InsertedSamplesForDeceleration     uint64  `json:"insertedSamplesForDeceleration"`
	RemovedSamplesForAcceleration      uint64  `json:"removedSamplesForAcceleration"`
}

// RemoteOutboundRTPStats is RTCRemoteOutboundRtpStreamStats: what the peer says it has sent.
type RemoteOutboundRTPStats struct {
	RTPStreamStats
	LocalID         string  `json:"localId"`
	PacketsSent     uint32  `json:"packetsSent"`
	BytesSent       uint32  `json:"bytesSent"`
	RemoteTimestamp float64 `json:"remoteTimestamp"` // milliseconds since 1970, by the peer's clock
	ReportsSent     uint64  `json:"reportsSent"`

	// By the peer's answers to our own reports (RFC 3611, Section 4.5), which a side that sends
	// nothing needs to know the round trip.
	RoundTripTime             float64 `json:"roundTripTime,omitempty"` // seconds
	TotalRoundTripTime        float64 `json:"totalRoundTripTime"`
	RoundTripTimeMeasurements uint64  `json:"roundTripTimeMeasurements"`
}

// OutboundRTPStats is RTCOutboundRtpStreamStats: one encoding of a sender.
type OutboundRTPStats struct {
	RTPStreamStats
	MediaSourceID string `json:"mediaSourceId,omitempty"`
	MID           string `json:"mid"`
	RID           string `json:"rid,omitempty"`
	RemoteID      string `json:"remoteId,omitempty"`
	EncodingIndex int    `json:"encodingIndex"`
	Active        bool   `json:"active"`

	PacketsSent              uint64  `json:"packetsSent"`
	BytesSent                uint64  `json:"bytesSent"` // of payload
	HeaderBytesSent          uint64  `json:"headerBytesSent"`
	RetransmittedPacketsSent uint64  `json:"retransmittedPacketsSent"` // which the peer asked for
	RetransmittedBytesSent   uint64  `json:"retransmittedBytesSent"`
	ProbePacketsSent         uint64  `json:"probePacketsSent"` // ours: sent once more, unasked, to find out what the path takes
	ProbeBytesSent           uint64  `json:"probeBytesSent"`
	RTXSSRC                  uint32  `json:"rtxSsrc,omitempty"`
	TotalPacketSendDelay     float64 `json:"totalPacketSendDelay"`    // seconds, in the pacer, summed
	TargetBitrate            float64 `json:"targetBitrate,omitempty"` // bit/s: Sender.TargetBitrate, while it is used
	FrameWidth               int     `json:"frameWidth,omitempty"`    // by the latest key frame's header
	FrameHeight              int     `json:"frameHeight,omitempty"`
	FramesSent               uint64  `json:"framesSent"`
	KeyFramesEncoded         uint64  `json:"keyFramesEncoded"`
	NACKCount                uint64  `json:"nackCount"`
	PLICount                 uint64  `json:"pliCount"`
	FIRCount                 uint64  `json:"firCount"`
}

// RemoteInboundRTPStats is RTCRemoteInboundRtpStreamStats: what the peer reports of an
// encoding.
type RemoteInboundRTPStats struct {
	RTPStreamStats
	LocalID                   string  `json:"localId"`
	PacketsReceived           uint64  `json:"packetsReceived"` // the highest number reported, less those lost
	PacketsLost               int32   `json:"packetsLost"`
	FractionLost              float64 `json:"fractionLost"`
	Jitter                    float64 `json:"jitter"`                  // seconds
	RoundTripTime             float64 `json:"roundTripTime,omitempty"` // seconds
	TotalRoundTripTime        float64 `json:"totalRoundTripTime"`
	RoundTripTimeMeasurements uint64  `json:"roundTripTimeMeasurements"`
}

// MediaSourceStats is RTCMediaSourceStats: a track that a sender sends.
type MediaSourceStats struct {
	ID              string `json:"id"`
	TrackIdentifier string `json:"trackIdentifier"`
	Kind            Kind   `json:"kind"`
}

// milliseconds is a time as W3C's DOMHighResTimeStamp.
func milliseconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMicro()) / 1000
}

// mediaStats lists what the RTP session counts: of each of its streams, senders and codecs.
func (c *core) mediaStats(s *Stats) {
	for _, t := range c.transceivers {
		if x := t.sender.rtp; x != nil {
			source := ""
			if track := t.sender.track; track != nil {
				source = fmt.Sprint("SV", t.mid)
				s.MediaSources = append(s.MediaSources, MediaSourceStats{ID: source, TrackIdentifier: track.ID(), Kind: t.kind})
			}
			for i := range t.encodings {
				c.outboundStats(s, t, source, i, x.Stats(s.Timestamp, i))
			}
		}
	}
	for _, st := range c.rtp.Streams() {
		if t := c.transceiverOf(st.MID); t != nil {
			c.inboundStats(s, t, st)
		}
	}
}

func (c *core) outboundStats(s *Stats, t *Transceiver, source string, index int, v session.OutboundStats) {
	id := fmt.Sprint("OT", v.SSRC)
	stream := RTPStreamStats{ID: id, SSRC: v.SSRC, Kind: t.kind, TransportID: transportID, CodecID: codecStats(s, "O", t, v.Codec)}
	out := OutboundRTPStats{
		RTPStreamStats: stream, MediaSourceID: source, MID: v.MID, RID: v.RID, EncodingIndex: index, Active: v.Active,
		PacketsSent: v.PacketsSent, BytesSent: v.BytesSent, HeaderBytesSent: v.HeaderBytesSent,
		RetransmittedPacketsSent: v.RetransmittedPackets, RetransmittedBytesSent: v.RetransmittedBytes,
		ProbePacketsSent: v.ProbePackets, ProbeBytesSent: v.ProbeBytes, RTXSSRC: v.RTX,
		TotalPacketSendDelay: v.TotalSendDelay.Seconds(), TargetBitrate: float64(v.TargetBitrate), FrameWidth: v.Width, FrameHeight: v.Height,
		FramesSent: v.FramesSent, KeyFramesEncoded: v.KeyFramesSent, NACKCount: v.NACKs, PLICount: v.PLIs, FIRCount: v.FIRs,
	}
	if r := v.Remote; r.ReportsReceived > 0 {
		out.RemoteID = fmt.Sprint("RI", v.SSRC)
		stream.ID = out.RemoteID
		s.RemoteInboundRTP = append(s.RemoteInboundRTP, RemoteInboundRTPStats{
			RTPStreamStats: stream, LocalID: id, PacketsReceived: r.PacketsReceived, PacketsLost: r.PacketsLost, FractionLost: r.FractionLost, Jitter: r.Jitter.Seconds(),
			RoundTripTime: r.RoundTripTime.Seconds(), TotalRoundTripTime: r.TotalRoundTripTime.Seconds(), RoundTripTimeMeasurements: r.RoundTripTimeMeasurements,
		})
	}
	s.OutboundRTP = append(s.OutboundRTP, out)
}

func (c *core) inboundStats(s *Stats, t *Transceiver, st *session.Stream) {
	v := st.Stats()
	id := fmt.Sprint("IT", v.SSRC)
	stream := RTPStreamStats{ID: id, SSRC: v.SSRC, Kind: t.kind, TransportID: transportID, CodecID: codecStats(s, "I", t, v.Codec)}
	in := InboundRTPStats{
		RTPStreamStats: stream, TrackIdentifier: t.receiver.layer(st.RID).id, MID: v.MID, RID: v.RID,
		PacketsReceived: v.PacketsReceived, PacketsLost: v.PacketsLost, Jitter: v.Jitter.Seconds(), PacketsDiscarded: v.PacketsDiscarded,
		BytesReceived: v.BytesReceived, HeaderBytesReceived: v.HeaderBytesReceived,
		RetransmittedPacketsReceived: v.RetransmittedPackets, RetransmittedBytesReceived: v.RetransmittedBytes, RTXSSRC: v.RTX,
		PacketsRepaired: v.RecoveredPackets, FECPacketsReceived: v.FECPacketsReceived, FECBytesReceived: v.FECBytesReceived, FECPacketsDiscarded: v.FECPacketsDiscarded, FECSSRC: v.FEC,
		LastPacketReceivedTimestamp: milliseconds(v.LastPacketReceived), NACKCount: v.NACKs, PLICount: v.PLIs, FIRCount: v.FIRs,
		FrameWidth: v.Width, FrameHeight: v.Height,
	}
	if b := st.Buffer(); b != nil {
		j := b.Stats()
		in.PacketsDiscarded += j.PacketsDiscarded
		in.FramesReceived, in.FramesDropped = j.FramesReceived, j.FramesDropped
		in.FramesAssembledFromMultiplePackets, in.TotalAssemblyTime = j.FramesAssembledFromMultiplePackets, j.TotalAssemblyTime
		in.FreezeCount, in.TotalFreezesDuration = j.FreezeCount, j.TotalFreezesDuration
		in.JitterBufferDelay, in.JitterBufferTargetDelay = j.JitterBufferDelay, j.JitterBufferTargetDelay
		in.JitterBufferMinimumDelay, in.JitterBufferEmittedCount = j.JitterBufferMinimumDelay, j.JitterBufferEmittedCount
		in.TotalSamplesReceived, in.ConcealedSamples = j.TotalSamplesReceived, j.ConcealedSamples
		in.SilentConcealedSamples, in.ConcealmentEvents = j.SilentConcealedSamples, j.ConcealmentEvents
		in.InsertedSamplesForDeceleration, in.RemovedSamplesForAcceleration = j.InsertedSamplesForDeceleration, j.RemovedSamplesForAcceleration
	}
	if r := v.Remote; r.ReportsSent > 0 {
		in.RemoteID = fmt.Sprint("RO", v.SSRC)
		stream.ID = in.RemoteID
		s.RemoteOutboundRTP = append(s.RemoteOutboundRTP, RemoteOutboundRTPStats{
			RTPStreamStats: stream, LocalID: id, PacketsSent: r.PacketsSent, BytesSent: r.BytesSent,
			RemoteTimestamp: milliseconds(r.RemoteTimestamp), ReportsSent: r.ReportsSent,
			RoundTripTime: r.RoundTripTime.Seconds(), TotalRoundTripTime: r.TotalRoundTripTime.Seconds(), RoundTripTimeMeasurements: r.RoundTripTimeMeasurements,
		})
	}
	s.InboundRTP = append(s.InboundRTP, in)
}

// codecStats lists a codec, once for each direction and section that it is used in, and
// returns its id.
func codecStats(s *Stats, direction string, t *Transceiver, c *session.Codec) string {
	if c == nil {
		return ""
	}
	id := fmt.Sprint("C", direction, t.mid, "-", c.PayloadType)
	for i := range s.Codecs {
		if s.Codecs[i].ID == id {
			return id
		}
	}
	public := publicCodec(t.kind, c)
	s.Codecs = append(s.Codecs, CodecStats{
		ID: id, PayloadType: c.PayloadType, TransportID: transportID, MimeType: public.MimeType,
		ClockRate: public.ClockRate, Channels: public.Channels, SDPFmtpLine: public.SDPFmtpLine,
	})
	return id
}
