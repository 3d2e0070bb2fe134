// Package payload cuts encoded frames into RTP payloads, and puts them together
// again: the RTP payload formats.
//
//	format      RFC           a frame is
//	Opus        7587          an Opus packet
//	G711, G722  3551          samples, one byte each tick of the RTP clock
//	L16         3551          samples of 16 bits, in network order
//	CN          3389          the noise that goes on until something else is sent ([ComfortNoise])
//	VP8         7741          a VP8 frame
//	VP9         9628          a VP9 frame, or the frame of one spatial layer
//	H264        6184          an access unit, as an Annex B byte stream
//	H265        7798          an access unit, as an Annex B byte stream
//	AV1         AV1 RTP spec  a temporal unit, as OBUs that have their size
//
// Beside these: telephone events, which are DTMF tones ([Event], RFC 4733),
// redundant audio ([Redundancy], RFC 2198), and what a retransmission carries
// ([ParseRTX], RFC 4588).
//
// # Cutting
//
// A [Packetizer] is given a frame and the largest payload, and then asked for one
// payload after the other, each appended to a buffer that has the packet's header
// already:
//
//	err := packetizer.Start(frame, 1200)
//	for last := false; !last; {
//		b := rtp.NewBuilder(buffer[:0], header)
//		packet, last = packetizer.Append(b.Bytes())
//		…
//	}
//
// The packet of the last payload has the marker bit set, in video.
//
// # Putting together
//
// [Format.Inspect] looks at one payload alone: a jitter buffer learns where frames
// start, and which are key frames. When it has all payloads of a frame, a
// [Depacketizer] appends what each contributes to the frame:
//
//	for _, p := range payloads {
//		if frame, err = depacketizer.Append(frame, p); err != nil { … }
//	}
//	err = depacketizer.Finish()
//
// The frame is never more than twice as long as the payloads, and a little.
//
// # Scalable video
//
// What VP8 and VP9 say of layers is in their descriptors ([VP8Descriptor],
// [VP9Descriptor]), which parse and append by themselves; for AV1 it is in the
// header extension of package rtp.
//
// # Out of scope
//
// H.264's interleaved mode (packetization-mode=2) and H.265's decoding order
// numbers (sprop-max-don-diff above 0) and PACI packets, which WebRTC never
// negotiates. Codecs themselves.
package payload
