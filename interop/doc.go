// Package interop holds what proves that plainrtc talks to the others: its
// tests connect it to real browsers and to Pion, and its program bench measures
// it beside Pion. It is a module of its own, so that the stacks it needs as
// peers are no business of those who import plainrtc.
//
// # Whole connections
//
// A test is written once, against two peers (peer_test.go), and run with each other
// stack in each role: page_peer_test.go is a browser, pion_peer_test.go Pion,
// plainrtc_peer_test.go ours. To see whether a failure is ours or the machine's, put
// Pion in plainrtc's place: go test . -us pion.
//
// Messages, channels, transfers, restarts and refusals are in files of these names; jsep is
// negotiation of media, and media_… are calls: every codec, echo, loss, restarts, simulcast,
// tones. serve and servemedia open the page of plainrtc serve in both browsers. The
// harness that drives browsers is package browser.
//
// # One layer alone
//
// Where only DTLS matters, dtls_test.go is one table of what plainrtc dtls agrees on with
// OpenSSL, GnuTLS and Pion; where only SCTP does, usrsctp_test.go is one of what our
// associations do with usrsctp's; srtp_test.go does so with libsrtp, for SRTP, and
// turn_test.go with coturn's client, for our TURN server.
//
// # Real networks
//
// Package netns builds internets of network namespaces, with the kernel's NATs, firewalls and bad
// links, and has calls live through them and through what happens on the way.
//
// # Second readers
//
// wireshark, media_wireshark and keylog13 have tshark read our traces; mediafile and
// webm_browser have ffmpeg and browsers play the files that we write.
//
// # What is needed
//
// Programs and libraries that the tests need are listed in .ci/deps, which make deps runs.
// A test whose peer is not installed fails, and says what to install.
package interop
