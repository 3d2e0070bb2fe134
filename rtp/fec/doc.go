// Package fec is forward error correction of RTP by parity: packets are sent along
// with repair packets, from which a receiver makes what it has lost, without asking for
// anything.
//
// Two payload formats say which packets a repair packet is the parity of:
//
//   - [ULP]: RFC 5109, level 0, of browsers' "ulpfec". Repair packets are of the same
//     SSRC and sequence as the media, both wrapped as RFC 2198 has it ("red").
//   - [Flex]: draft-ietf-payload-flexible-fec-scheme-03, of libwebrtc's "flexfec-03".
//     Repair packets are a stream of their own. RFC 8627, which came of later drafts, has
//     another header, and no browser speaks it.
//
// This package makes and takes the payloads of repair packets, for one stream of media.
// What is around them, and what they are sent for, is the session's (package
// rtp/session). It keeps no time.
//
// # Sending
//
//	e := fec.Encoder{Format: fec.ULP, Extensions: &negotiated}
//	e.Add(header, payload)                   // each packet of a group, as it leaves
//	for i := range n {
//		b = e.AppendRepair(b, i, n)          // the payload of each repair packet
//	}
//	e.Reset()
//
// Which packet is in which of the n repair packets is such that any one, and any two, that are
// lost are recovered, as long as the group has no more than n(n+1)/2 packets; and most
// bursts shorter than n. Codes that recover any n do not fit these formats, which have but
// parity.
//
// # Receiving
//
//	d := fec.Decoder{Format: fec.ULP, Extensions: &negotiated}
//	d.Receive(packet)                        // each of the stream, as it arrived
//	d.Repair(payload)                        // each repair packet
//	for p, ok := d.Next(); ok; p, ok = d.Next() { … } // what could be recovered
//
// What a retransmission brought back must not be given to Receive: its header extensions
// are others than those that the parity is of. A decoder costs nothing until a repair
// packet arrives: only then does it keep packets. It holds the latest 256 packets and 64
// repair packets, neither longer than 2,048 bytes.
//
// # Header extensions
//
// The parity is of a packet's header extensions, too. Some are written as a packet
// leaves, after it was protected, where libwebrtc does it: the time of sending, the
// transport-wide sequence number, the transmission offset and the end of the video timing. So
// both ends take these for zero (libwebrtc's issue 7859), and that is what a recovered packet
// has there. Extensions must be what was negotiated for that to be right.
//
// # Out of scope
//
// ULP's levels above 0, which protect the beginnings of packets better than the rest:
// what they say is passed over, and a packet that is longer than level 0 protects is not
// recovered. Flex's fixed rows and columns (F=1), its retransmissions (R=1), and repair
// packets for several SSRCs. libwebrtc makes none of these.
package fec
