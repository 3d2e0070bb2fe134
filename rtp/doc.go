// Package rtp reads and writes the packets of the Real-time Transport Protocol
// (RTP, RFC 3550, Section 5) and their header extensions (RFC 8285).
//
// # Packets
//
// [Parse] checks a datagram and returns a [Packet], a small value over the
// borrowed bytes. Its methods read the header, and write it: a forwarder
// changes SSRC, sequence number, timestamp and payload type where they stand.
// [NewBuilder] appends a packet's header to the caller's buffer; what the
// caller appends behind it is the payload. Neither allocates.
//
//	p, err := rtp.Parse(datagram)
//	b := rtp.NewBuilder(buffer, rtp.Header{SSRC: ssrc, …})
//	b.Add(ids.ID(rtp.ExtMID), []byte("0"))
//	packet := append(b.Bytes(), payload...)
//
// # Header extensions
//
// An extension is an id and a value of some bytes. Which id stands for which
// extension is negotiated, session by session; an [ExtensionMap] holds the
// outcome. Values have types of their own, with a Parse function and an Append
// method each: [AudioLevel], [AbsSendTime], [DependencyDescriptor] and so on.
// A value that [Packet.Extension] returned may be written to: that is how a
// send time or a transport-wide sequence number gets into a packet at the
// moment it leaves.
//
// The one-byte form is written as long as every element fits it; the first that
// does not turns the whole block into the two-byte form, in place.
//
// # Below and beside
//
// Package rtcp has the control packets, package payload the payload formats, package
// session what sends and receives all of these, package jitter the jitter buffer, and
// package mediafile files of frames. None of them is needed to use this one.
//
// # Out of scope
//
// Encryption of header extensions (RFC 6904) and of the whole header (Cryptex,
// RFC 9335) is package srtp's. The extension blocks of other profiles than
// RFC 8285's are kept and not looked into. Header compression is not for paths
// through the Internet.
package rtp
