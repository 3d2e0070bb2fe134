// Package dtls is DTLS 1.2 without I/O, as WebRTC uses it: it proves to each
// end who the other is, agrees on keys, and protects records of application
// data.
//
// A [Conn] is one end of a connection. Datagrams go in and come out, time is a
// parameter, and nothing runs by itself:
//
//	conn, err := dtls.NewClient(config)      // or NewServer
//	conn.Connect(now)
//	for each datagram that arrived:
//		conn.Receive(now, datagram)          // decrypts it in place
//		for data, ok := conn.NextData(); ok; data, ok = conn.NextData() { … }
//	when conn.NextTimeout() is reached:
//		conn.Advance(now)
//	after each of these calls:
//		for { packet := conn.AppendPacket(now, nil); len(packet) > 0 … }  // send it
//		for event, ok := conn.NextEvent(); ok; event, ok = conn.NextEvent() { … }
//
// Once [Established] was told, application data is sealed where it stands:
//
//	start := len(b)
//	b = conn.AppendRecordHeader(b)
//	b = append(b, plaintext...)
//	b = conn.SealRecord(b, start)
//
// Neither that nor opening a record allocates.
//
// # What is spoken
//
// RFC 6347 with ECDHE on X25519 and P-256 (RFC 8422), AES-GCM and
// ChaCha20-Poly1305 (RFC 5289, RFC 7905), the extended master secret (RFC
// 7627), which is required, use_srtp (RFC 5764), exporters (RFC 5705), and the
// indication of RFC 5746 that renegotiation is secure. Both ends show
// certificates, which are known by their fingerprints: no authority is asked,
// no date is looked at.
//
// Left out because WebRTC does not use them: renegotiation (refused), session
// resumption and tickets, static key exchanges, CBC cipher suites, compression,
// connection identifiers, heartbeats, names in SNI and ALPN.
//
// # What an attacker can do
//
// A datagram may come from anyone. What does not parse, does not authenticate
// or does not belong is dropped, and the trace is told why. Memory for messages
// in fragments, and for records ahead of their keys, is bounded by constants.
//
// Handshake messages in clear are taken from whoever sends them first, for DTLS
// has no way to tell: who can send from the peer's address can make a handshake
// fail, but not succeed. Under ICE that takes an attacker on the path. Alerts in
// clear are softer: a fatal one does not end the handshake, it starts a second
// within which the handshake must make progress. So a forged alert changes
// nothing, and a real one is told to the user before the handshake times out.
//
// # How to read it
//
// state.go lists the states and the step that each waits for; hello.go opens a
// handshake and chooses the version, client12.go and server12.go are the steps
// of version 1.2 in the order of the wire. messages.go and extensions.go are
// what the steps read and write. Underneath, flight.go sends and repeats,
// fragment.go reassembles, record.go protects. conn.go and receive.go move
// datagrams between them, and data.go is the application's part.
package dtls
