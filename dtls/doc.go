// Package dtls is DTLS 1.2 and 1.3 without I/O, as WebRTC uses them: it proves to each
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
// DTLS 1.3 (RFC 9147, RFC 8446) with X25519MLKEM768, X25519, P-256 and P-384,
// AES-GCM and ChaCha20-Poly1305: HelloRetryRequest with a stateless cookie, ACKs,
// KeyUpdate, the exporter. And DTLS 1.2 (RFC 6347) with ECDHE on the three curves
// (RFC 8422), the same ciphers (RFC 5289, RFC 7905), the extended master secret
// (RFC 7627), which is required, exporters (RFC 5705), and the indication of RFC
// 5746 that renegotiation is secure. Both with use_srtp (RFC 5764) and the record
// size limit (RFC 8449). Both ends show
// certificates, which are known by their fingerprints: no authority is asked, no
// date is looked at (but see Config.NoClientCertificate, for what is not WebRTC). Their keys are ECDSA's, as RFC 8827 wants WebRTC's to be, or
// RSA's of 2048 to 8192 bits, as a page may ask its browser for, in either role
// and at either end.
//
// Left out because WebRTC does not use them: renegotiation (refused), session
// resumption, tickets and early data, static key exchanges, CBC cipher suites,
// compression, connection identifiers, heartbeats, names in SNI and ALPN,
// post-handshake authentication (refused).
//
// # How the versions share what they share
//
// A client that speaks both sends one ClientHello for both, and so cannot know
// what will become of it; hello.go is the stage before the version is chosen. A
// server chooses the newest in common. If that is 1.2 though it speaks 1.3, its
// random says so (RFC 8446, Section 4.1.3) and is signed: nobody on the path can
// talk two ends down that both speak 1.3.
//
// From there on the steps differ, and the table in state.go has both. What they
// stand on is one: flights that are sent again until they are answered, messages
// in fragments, certificates and signatures, extensions, alerts, timers, and the
// data path. Three things under it have two forms:
//
//   - Records. Those in clear are the same. record.go protects epoch 1 of version
//     1.2; record13.go the epochs from 2 on of version 1.3, whose header is the
//     unified one and whose numbers are encrypted. The first byte tells which.
//   - Keys. prf.go is version 1.2's function and what is derived with it;
//     schedule.go is version 1.3's.
//   - The transcript that is signed and hashed. That of 1.3 leaves the fields of
//     DTLS out of the messages, so it is rewritten when 1.3 is chosen.
//
// A flight of version 1.3 also remembers which record carried what, so that an ACK
// spares what arrived from being sent again (ack.go).
//
// In version 1.3 the client is done with its own last flight, after one round trip,
// and application data may travel right behind that. A server could send data
// before it has that flight; ours does not, since it would not know to whom.
//
// # Randomness
//
// Every byte follows from Config.Rand and the time, with one exception: Go's
// crypto/mlkem encapsulates with randomness of its own and offers no other way
// outside of tests. So a server that agrees on X25519MLKEM768 does not replay.
// A test that compares bytes leaves that group out, or calls
// testing/cryptotest.SetGlobalRandom.
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
// In version 1.3 all that follows the hellos is protected, alerts and ACKs too, and
// nothing in clear is taken any more once the keys are there; what was sent ahead
// of its turn in clear is thrown away. ACKs in clear are not believed, but for one
// that names nothing and so asks for a lost ServerHello.
//
// A server can be used to flood others: to an address that has not shown to be the
// client's it sends three times what came from there at most, or nothing but a
// request for a cookie (Config.Cookie), after which it may be forgotten
// (Conn.Forgettable). Under ICE the address is known to be the peer's
// (Config.PathValidated). A handshake that a ClientHello has begun holds
// 15 kB with the largest key exchange, and 7 kB while a cookie is asked for;
// whatever a client sends to be held, it is less than 64 kB (measured by
// TestHalfOpenHandshakesAreSmall).
//
// # How to read it
//
// state.go lists the states and the step that each waits for; hello.go opens a
// handshake and chooses the version; client12.go and server12.go, client13.go,
// server13.go and retry.go are the steps in the order of the wire, and
// handshake13.go and keyshare.go what those of 1.3 have in common; certificate.go,
// fingerprint.go and signature.go say who may prove what how, in both. messages.go,
// messages13.go and extensions.go are what the steps read and write. Underneath,
// flight.go sends and repeats, ack.go spares it from that, fragment.go reassembles,
// record.go and record13.go protect. conn.go, receive.go and receive13.go move
// datagrams between them, keyupdate.go changes keys, and data.go is the
// application's part.
package dtls
