// Package session is the RTP session of one transport: every stream of media
// that a BUNDLE group sends and receives, and all of the RTCP between the two
// ends (RFC 3550, RFC 4585, RFC 8834, RFC 9143).
//
// A [Session] is one end. It has no goroutine, clock or socket, and does not
// know SRTP: packets in clear and time go in; packets in clear, deadlines, media
// and events come out.
//
//	s := session.New(session.Config{Rand: rand.Reader, CNAME: "…"})
//	s.Configure(now, session.Section{MID: "0", Kind: session.Video, …}) // what SDP settled
//	sender, _ := s.AddSender(now, "0", []session.Encoding{{Active: true}})
//	sender.WriteFrame(now, 0, session.Frame{Data: frame, PTS: pts})
//
//	s.ReceiveRTP(now, packet)          // whenever one arrived, decrypted
//	s.ReceiveRTCP(now, packet)
//	s.Advance(now)                     // at NextTimeout
//
// After each of these calls, drain it:
//
//	for b = s.AppendPacket(now, nil); len(b) > 0; … { … }   // seal and send; rtcp.Is tells which kind
//	for e, ok := s.NextEvent(); ok; … { … }
//	for st, ok := s.NextStream(); ok; … {                   // the streams that have something to read
//		for p, ok := st.NextPacket(); ok; … { … }        // or st.NextFrame(now)
//	}
//	timer.Reset(s.NextTimeout())
//
// # Inbound
//
// A [Stream] is what arrives from one synchronization source. Packets find their
// media section by the MID in their header, or by what was learned of their SSRC,
// or as SDP declared it, or by a payload type that one section alone has (RFC
// 9143, Section 9.2); layers of a simulcast by their RtpStreamId (RFC 8853).
// Retransmissions are unwrapped into the stream they repair, duplicates are
// dropped, what is missing is asked for.
//
// [Stream.Deliver] says what a stream is read by: packets as they arrive, frames when their
// time has come, through a jitter buffer (package jitter), or nothing at all. Until somebody says,
// the latest packets are kept; a stream that is passed on does not pay for a jitter buffer.
//
// # Outbound
//
// A [Sender] sends for one section, with an [Encoding] for each layer. Frames are
// cut into packets; or packets of another source are passed on ([Sender.WritePacket]),
// under a sequence number, timestamp, payload type and SSRC of our own, which
// stay continuous when the source changes.
//
// # Forwarding
//
// What [Stream.NextPacket] returns is a [Packet]: bytes that nobody writes to
// again. It may be kept, and given to the senders of any number of sessions,
// under whatever locks these have: they all refer to the same bytes, also for
// their retransmissions, and each keeps only what it changes. A packet's bytes are
// copied once when it arrives, and once for each receiver, into the buffer where it
// is sealed. The memory is a slab for some thirty packets, which the garbage collector
// takes when the last history let go of it.
//
// # Choices
//
// The extensions mid and rid are sent until the peer's reports show that it has
// heard of the SSRC (RFC 7941, Section 4.2.3 has such, and Chromium does so): from then on they
// say nothing new. Other ids for them make it start over.
//
// Without a retransmission stream (RFC 4588) a NACK is not answered: the same
// SSRC and sequence number must not be sealed twice with other header
// extensions under one SRTP key.
//
// Reports leave every second on average, from half to one and a half of it, as
// RFC 3550, Section 6.3.1 randomizes them. Feedback leaves at once (RFC 4585,
// Section 3.5.2: with two participants there is nobody to wait for), reduced in size
// where that was negotiated (RFC 5506), and otherwise behind a report.
//
// Audio is not paced; video is, behind it, so that a key frame is spread over some
// time rather than lost in a queue on the way; but for packets that arrived in a session and
// are passed on, which their sender has paced. The pacer never holds back for long: what is too much is the
// encoder's to change.
//
// # Congestion control
//
// Package congestion estimates what the path carries, by transport-wide feedback, by that of RFC 8888 or
// by the peer's REMB, where one of them was negotiated. [Sender.TargetBitrate] tells each
// encoder its part, by the rules in allocate.go, within the limits of its encoding and of the peer's
// description. Media leaves at two and a half times the estimate; before anything is known, at 10 Mbit/s.
// What is sent again has half of the estimate at most, and encoders the rest.
//
// Where feedback and a stream of retransmissions were negotiated, and while there is media to send, the path is
// probed by clusters: of media, filled up with packets that left a moment before. They count as
// retransmissions, and those who have the originals drop them.
//
// For a peer who negotiates REMB and nothing better we estimate, by its abs-send-time.
//
// Sender reports of what is passed on translate the source's clock into ours, so that audio and
// video stay in step. NTP time is the wall clock reading of now.
//
// Tones are sent instead of audio (RFC 4733), and told of as events.
//
// # Redundancy and error correction
//
// They are used when a section has them among its codecs, without a [payload.Format]: "red",
// "ulpfec", "flexfec-03". What they bring back is read like what arrived, in the media's own
// format; it is no duplicate when it comes as well, nobody asks for it any more, and reports go on
// to call it lost, for that is what the sender protects against.
//
// Audio is sent in RED (RFC 2198), each packet with the frame before, when RED stands before its
// codec in Section.Send. Of what arrives, the older blocks find their place by timestamp: Chromium
// sends padding in between.
//
// Video is protected by FlexFEC, or else by ULPFEC in RED (package fec), while the peer reports
// losses and these are not repaired sooner by retransmissions: where there are none, or the round
// trip takes longer than 100 ms. There are six times as many repair packets, by share, as losses, from
// one of ten up to one of two. Only what is protected is wrapped in RED. Packets that are passed on are protected
// by FlexFEC alone: ULPFEC would need numbers among those of their source. A repair packet of ULPFEC is read as
// a packet without payload, so that its number is not missed.
//
// # How to read it
//
// Inbound: demux (which stream), stream, picture (its size), reception (RFC 3550, Appendix A), nack, keyframe, frames (jitter
// buffer and lip sync), packet, redundancy (RED, both ways) and recovery (of FEC). Outbound: sender, encoding, packetize and rewrite (where packets come
// from), history, queue and pacer (where they wait), build (as they leave), protection (by FEC), nackanswer, dtmf. RTCP: reports
// and control (out and in), rtt, clock, twcc, ccfb and remb over arrivals (what we tell the peer), feedback
// (what it tells us), allocate and probe. section is what negotiation settled, session joins all, stats counts; fifo is what several of them keep packets in.
//
// # Memory
//
// A peer can be hostile though authenticated. Streams of a section are bounded by
// what was negotiated and a few: the one heard least recently goes. Lists of missing
// packets, packets that wait to be read, histories and what feedback refers to are
// bounded each.
//
// # Out of scope
//
// Encryption (package srtp), SDP (package sdp), and codecs. RED around packets that are
// passed on: they leave as they came. The feedback messages SLI, RPSI and TSTR, that no browser sends; TMMBR.
// Holding encoders to their targets: who sends more than that is paced, and loses packets. Transport-wide sequence numbers with requests for feedback, that
// none negotiates. Resolving collisions of SSRCs, which of two ends happen once in four billion
// calls: the packets are dropped.
package session
