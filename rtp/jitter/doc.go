// Package jitter is a jitter buffer: the packets of one RTP stream go in as the
// network brings them, and frames come out in their order and at their time.
//
// A [Buffer] reorders, drops what comes twice or too late, puts frames together,
// and holds each as long as it takes for nearly all of the later ones to be there
// when their turn comes. It serves audio and video; what differs is said below.
//
//	b := jitter.New(jitter.Config{})
//	b.Receive(now, packet, codec)          // of the packet's payload type
//	b.Recover(now, packet, codec)          // one that came as a retransmission
//	b.SenderReport(now, ntp, rtpTimestamp) // of each RTCP sender report
//	b.SetRTT(rtt)                          // when packets are asked for again
//
// After any of these, and at NextTimeout, take what is due:
//
//	for {
//		frame, ok := b.NextFrame(now)
//		if !ok {
//			break
//		}
//		… // frame.Data is valid until the next call
//	}
//	if b.NeedsKeyFrame() { … } // ask for one: PLI
//	wake := b.NextTimeout()
//
// When the stream has ended, Flush has the rest handed out without waiting.
//
// # How long to wait
//
// A frame sent at time s, by its RTP timestamp, is due at s + offset. What the
// offset should be is read from a histogram of how much later than s packets
// arrived, in which old ones count less and less: the place that 0.4 % of its
// weight lie beyond, but no more than 1.1 times as far from the fastest packet as
// the place that 1 % lie beyond. So fewer than one packet in a hundred comes too
// late, whatever the distribution, and a long tail that is rarer than that is not
// waited for. NetEQ takes 95 %, as it can stretch audio of every codec for the
// rest; frames that are still encoded cannot be stretched.
//
// Four things speed that up. When the buffer has to conceal a frame, and the offset
// is below where it should be, the time of that concealment raises the offset. When
// the path has changed for good, which three signs tell (see estimator.notice), the
// old weights shrink fast. When a queue grows on the way, so that packets take
// longer one after the other, the buffer goes ahead of it. And the histogram moves
// along with the sender's clock, whose drift is a regression line through the
// fastest packets of each 2.5 s.
//
// The same serves video, where a frame arrives with its last packet. libwebrtc
// fits a line of delay over frame size instead, by a Kalman filter, and adds 2.33
// standard deviations: that is 99 % of a Gaussian, which delays are not. A
// histogram of whole frames has the serialization of large ones in it already.
// What is lost is foresight: the first large frame after many small ones may be
// late. It is shown late, and not dropped.
//
// How well this does is measured by package jitterlab, on kinds of paths whose jitter is 5 to
// 200 ms: less than one packet in a hundred is late on each, 0.02 % to 0.9 %; and the mean delay
// is 0.7 to 1.3 times the 99th percentile of the jitter. There are two exceptions. Where
// only one packet in two hundred meets a long delay, that percentile is a few
// milliseconds or less, and the mean delay up to 2.5 ms above it: of these, 0.1 ms are the 60 ms
// that every stream of audio begins with, shared among five minutes, and the rest is what
// has built up while nothing came, and is played off, as it is not thrown away.
// And where about one in a hundred does, the percentile of the last forty seconds is now what is
// usual and now the long delay, and its mean above that of the whole: up to 1.4 times.
//
// # From one delay to another
//
// The offset moves by a share of the time that passes: an eighth up; a quarter down when
// it is 20 ms too high or more, as after a stall, and then less, to a fiftieth for the
// last millisecond or two; a half in silence. For
// G.711 and L16 that is done by leaving out and putting in periods of the waveform,
// so that what comes out plays without gaps. Frames of other codecs come out that
// much faster or slower than they were recorded: who plays them to a device with a
// clock of its own stretches after decoding, as for the drift of that device.
//
// # What is not there
//
// A packet that is sent again is one that took long. When that happens to more than
// one in a hundred the delay becomes such that they come in time, within reason: a
// quarter of a second for audio, half of one for video. The same goes for audio
// that comes once more in the next packet (RED).
//
// Audio: when the time of a frame has come and it has not, a [Frame] marked
// Concealed takes its place: for G.711 and L16 with a made-up waveform, in the way
// of ITU-T G.711, Appendix I; for other codecs without data, as decoders conceal by
// themselves. Time of which no packet was sent, as timestamps tell, needs none.
// When nothing follows at all, play-out waits, concealing for a second, and goes on
// with the frame that was late.
//
// Video: a frame that has a hole waits for the retransmission, when SetRTT said
// that there are any, for four round trips. Then it is given up, and so is
// everything that cannot be decoded without it: what that is, the layers of VP8 and
// VP9 and the dependency descriptor tell; of codecs that say nothing it is
// everything up to the next key frame. A key frame that is there and due ends the
// waiting.
//
// # Lip sync
//
// [Sync] holds back the faster of an audio and a video stream, so that what was
// captured together is due together, by the clock that both have in RTCP sender
// reports.
//
// # How to read it
//
// A packet comes in by receive: timeline and order give it a time and a place, ring keeps
// it there. delay says how long to wait, by histogram; playout moves the offset to that.
// buffer is what a user sees, audio and video take what is due, out of a frame's packets;
// hole and chain decide what becomes of what is not there, and pcm, g711 and conceal make up
// sound. sync is lip sync, freeze and stats count, drop has the reasons.
//
// # Out of scope
//
// Asking for packets again: that is the session's, and [Buffer.FirstWanted] tells
// it what is still of use. Decoding, but for G.711 and L16. Mixing. Choosing a
// spatial layer: the frames of one timestamp are one frame here. B-frames, whose
// timestamps go backwards and which WebRTC does not send.
package jitter
