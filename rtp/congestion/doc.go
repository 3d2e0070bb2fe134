// Package congestion is Google Congestion Control (draft-ietf-rmcat-gcc-02): how much
// media a path takes, told from when packets left and when the receiver says that they
// arrived.
//
// A [Controller] is at the sender. It is told of every packet that leaves and of all
// feedback, transport-wide (draft-holmer-rmcat-transport-wide-cc-extensions-01) or per
// stream (RFC 8888), and says what to send:
//
//	c := congestion.New(congestion.Config{})
//	c.Sent(now, number, size)                    // each packet, as it leaves
//
//	c.BeginFeedback()                            // for each feedback packet
//	for … { c.Take(number, received, at, timed) }
//	c.EndFeedback(now, rtt)
//
//	c.Target(now)                                // for encoders, in bit/s
//	c.PacingRate(now)                            // for the pacer
//	cluster, ok := c.Probe(now)                  // packets to be sent faster, to see whether they arrive as fast
//
// A [Receiver] is at the receiver of who has no such feedback: it makes the estimate for a
// REMB message (draft-alvestrand-rmcat-remb-03) from the send times in headers.
//
// Both are pure: no goroutine, clock or socket; the same calls give the same figures. After
// their beginning they allocate nothing, whatever feedback says, and what they keep is bounded.
//
// # What is as in the draft, and what is not
//
// The draft describes what browsers did in 2016. Where libwebrtc has gone on since, this package goes
// with it, for who talks to browsers shares bottlenecks with them too:
//
//   - the arrival-time filter (Section 5.3) is a line fitted through the smoothed delays of the last
//     twenty groups, in place of a Kalman filter; it needs no model of noise;
//   - the incoming rate R_hat (Section 5.5) is a Bayesian estimate, that trusts a measurement less the
//     further it is from what was known;
//   - near a known capacity the rate rises by half a packet in a response time, as the draft has it, and
//     what is known is forgotten when throughput leaves three standard deviations;
//   - clusters of probes find capacity at the beginning, after a large drop, and while the application sends
//     less than it might but says that it could use more. The draft has none.
//
// Three things are our own. A probe can only raise the estimate: what it does not show, delay does.
// After a large drop the queue that it made is worked off (drain), and not only kept from growing.
// And without any feedback the target is halved every two seconds, so that a path that is gone is not
// flooded the moment it returns; a probe then finds what it was.
//
// # Figures
//
// Rates are in bit/s and sizes in bytes, of RTP packets with their headers, without those of SRTP, UDP and IP.
//
// # How to read it
//
// In the order of the draft. Section 2: controller. Section 3: history, what left and was told of. Section 4:
// pacing. Section 5.1 and 5.2: groups; 5.3: trendline; 5.4: overuse; 5.5: aimd, capacity, throughput, drain. Section 6: loss.
// Section 7: receiver. Then what the draft has not: probing (when), cluster (what came of it), idle
// (whether the application uses what it is given).
//
// # Out of scope
//
// Explicit congestion notification: who marks is heard, and nobody on the Internet marks media yet. SCReAM and NADA.
// Congestion windows: libwebrtc has one that is off.
package congestion
