// Package lab experiments with congestion control: flows of SCTP, or of video, share a
// bottleneck of internal/netsim, on virtual time, and what they do is measured
// and drawn.
//
//	run := lab.Start(lab.Experiment{
//		Path:     lab.Path{Rate: 100e6, RTT: 50 * time.Millisecond, Loss: 0.001},
//		Control:  []sctp.CongestionControl{sctp.CUBIC},
//		Duration: 10 * time.Second,
//		Seed:     1,
//	})
//	for run.Step() {
//	}
//	result := run.Result()
//	chart := result.Chart()
//
// The same experiment gives the same result, to the byte; with another seed other
// packets are lost.
//
// # What is simulated
//
// Each flow is one end of an [sctp.Association] at a host of its own, and the other
// end at a host that all share:
//
//	sender 1 ──┐
//	sender 2 ──┼──► queue ──► rate ──► loss, RTT/2, jitter, reordering ──► receiver
//	           └◄─────────────────────────────────────────── RTT/2 ──────────┘
//
// A packet is 28 bytes of IPv4 and UDP and 22 of a DTLS 1.3 record longer than what
// SCTP built, as between two peers. The way back has the rate of the way there,
// and loses nothing: what is studied is the sender of data. Senders have data at
// all times, unless Every is set, and receivers take theirs at once; so the
// associations, and not those who use them, are what is measured. The time to set
// up SCTP counts, and that of DTLS and ICE does not.
//
// A [MediaExperiment] has senders of video in their place, and flows of data beside them if asked: sessions of
// package rtp/session, whose encoders make frames as large as congestion control says. [MediaCases]
// are the test cases of RFC 8867. A packet is 16 bytes of SRTP and 28 of headers longer than what the session made.
//
// # How to read it
//
// experiment is what is asked, and run drives it; flow is a host of the simulation
// and measures at the receiver; result has the figures and figure draws them. media, mediaflow, mediarun and
// mediaresult are the same for media.
package lab
