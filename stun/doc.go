// Package stun implements Session Traversal Utilities for NAT (STUN, RFC 8489):
// the message that asks "what address do you see me at?", the authentication
// that ICE and TURN build on, and the two roles that exchange it.
//
// # Messages
//
// [Parse] checks a datagram and returns a [Message], a small value over the
// borrowed bytes; its methods read attributes. [NewBuilder] appends a message
// to the caller's buffer, attribute by attribute. Neither allocates.
//
// A [Key] makes and checks MESSAGE-INTEGRITY and MESSAGE-INTEGRITY-SHA256. It
// keeps its keyed hashes, so that one key used for many messages (which is
// what ICE does) does not allocate either.
//
// # Roles
//
// A [Transaction] is the client's half of one request over UDP: it sends, sends
// again, and ends with an answer or a timeout. A [Server] answers Binding
// requests. Both are cores without I/O: datagrams and time go in by Receive and
// Advance, datagrams come out of AppendPacket, NextTimeout tells when to come
// back. ICE has transactions of its own, which are paced and cancelled by its
// check list; it uses the messages and keys of this package only.
//
// # Out of scope
//
// STUN over TCP, TLS and DTLS: nothing in WebRTC's path needs a Binding request
// over a stream, and TURN over TCP frames its messages itself, for which
// [MessageSize] is enough. DNS discovery of servers (Section 8) and
// ALTERNATE-SERVER redirection are the caller's: they need a resolver and a
// decision. The [Server] knows short-term credentials and none; the long-term
// mechanism's challenge lives with the TURN server, the one place that uses it,
// while its keys, USERHASH and PASSWORD-ALGORITHMS are here. RFC 3489 clients,
// which have no magic cookie, are not answered. [OpaqueString] does not
// normalize to NFC, for which the standard library has no tables.
package stun
