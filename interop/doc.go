// Package interop holds what proves that plainrtc talks to the others: its
// tests connect it to real browsers and to Pion, and its program bench measures
// it beside Pion. It is a module of its own, so that the stacks it needs as
// peers are no business of those who import plainrtc.
//
// A test is written once, against two peers, and run with each other stack in
// each role. To see whether a failure is ours or the machine's, put Pion in
// plainrtc's place: go test . -us pion. Where only DTLS matters, dtls_test.go is
// one table of what plainrtc dtls agrees on with OpenSSL, GnuTLS and Pion; where only
// SCTP does, usrsctp_test.go is one of what our associations do with usrsctp's.
package interop
