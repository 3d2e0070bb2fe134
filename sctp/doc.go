// Package sctp is the Stream Control Transmission Protocol (RFC 9260) as
// WebRTC runs it, over DTLS (RFC 8261): many streams of messages in one
// association, each message whole, ordered or not, reliable or not (RFC 3758);
// long messages that do not hold up others (RFC 8260), streams with priorities,
// and streams that can be closed and used again (RFC 6525).
//
// An [Association] is one end. It has no goroutine, clock or socket: packets
// and time go in, packets, deadlines, messages and events come out.
//
//	a := sctp.New(sctp.Config{Rand: rand.Reader})
//	a.Connect(now)                  // or wait for the peer to; both may
//	a.Send(now, sctp.Message{Stream: 1, Data: data})
//
//	a.Receive(now, packet)          // whenever a packet arrived
//	a.Advance(now)                  // at NextTimeout
//
// After each of these calls, drain it:
//
//	for b = a.AppendPacket(now, nil); len(b) > 0; … { … }   // send the packets
//	for m, ok := a.NextMessage(); ok; … { …; a.Release(now, m) }
//	for e, ok := a.NextEvent(); ok; … { … }
//	timer.Reset(a.NextTimeout())
//
// # How to read it
//
// The wire is packet, chunktype, chunks, idata, params, extensions and errors.
// The receive side is receiver: tracker (which TSNs came), sack (when to say
// so), reassembly and interleaving (fragments of DATA and of I-DATA to
// messages), delivery (messages in order), window (the memory this takes). The
// send side is sender: sendqueue and scheduler (messages that wait),
// outstanding (chunks that are not acknowledged), rack (which of them are lost),
// rate and rto (what acknowledgements measure), congestion (when packets may leave)
// with bbr, cubic, hystart and newreno, pacer, transmit (as they leave), forward (messages given up). The two know nothing of each other. association
// joins them: state, connect, snap, cookie and collision, receive, build, shutdown,
// reset, reconfig, heartbeat, pmtud.
//
// # Memory
//
// What a peer can make us hold is bounded by the receive window, one message of
// Config.MaxMessageSize and a MiB, whatever it sends: every buffer is charged with
// its capacity and an overhead, and a message that the user has taken counts
// until it is released or kept. One message longer than 256 KiB at a time is held
// beside the window, so that it needs none as large as itself; it is put together
// in one buffer, which grows as fragments come, and which the user may keep. The window grows with what the user takes in a round
// trip, never with what waits for him. Two rules keep a full window from blocking for ever.
// The window is never smaller than the largest message that is not long; and the chunk that
// comes next in order is taken even beyond the window, so that the message it
// belongs to can be finished and delivered. If the window is full of messages
// that can never be delivered, the association is aborted with Out of Resource.
// Messages that are interleaved can fill it too: a sender should not begin more
// of them than it has been offered room for, and ours does not; for one that does,
// the window grows with the streams that have an unfinished message.
// A message above MaxMessageSize ends the association too, as soon as that
// much of it came.
//
// What the user sends is not bounded here: look at [Association.Buffered].
//
// # Choices
//
// RTO.Min is 250 ms and the variance term of the RTO at least 220 ms, RTO.Max
// is 5 s; SACKs are delayed by 50 ms at most; [Config] says why. Messages given
// to Send before the association is established leave in the packet of the
// COOKIE ECHO or COOKIE ACK. The first round trip is measured on the handshake.
// Two ends that were told each other's INIT need no handshake (SNAP): [NewInit].
// I-DATA is used with every peer that has it, and the scheduler is weighted fair
// queueing over chunks, so that a message waits for its share and not for the
// end of another. Checksums are left out if the peer agrees (RFC 9653).
// Packets grow to what the path and the peer take, by probes, once there is more
// to send than fits into a few (RFC 8899); [Association.SetMaxMTU] says how far.
// Losses are found by time, as RACK-TLP does (RFC 8985), and not by three miss
// indications: it finds the loss of a retransmission and of the last packet too,
// does not take reordering for loss, and takes back what it did when the peer
// reports duplicates. Congestion control is BBRv3 (draft-ietf-ccwg-bbr), for it
// neither fills queues nor takes the loss of a packet in a hundred for congestion;
// CUBIC and NewReno, which RFC 9260 has, can be chosen. After T3-rtx, losses of what was outstanding then do not cut
// the window again (RFC 6582). Packets are paced where the round trip is 2 ms or
// more; below, Max.Burst bounds bursts.
//
// # Out of scope
//
// Multihoming and address parameters: DTLS has one path. What ICMP says of its
// MTU: probes find that out (RFC 8899). ECN, which cannot be seen from above DTLS.
// Authenticated chunks (RFC 4895): DTLS authenticates. Messages delivered in
// part: they are bounded, and the W3C API knows only whole ones.
package sctp
