// Package peerconnection is WebRTC for Go programs: data, audio and video between two
// peers, encrypted end to end, found through whatever network lies between them. It is
// the one package most programs import, and this page is the map of the stack.
//
// # Using it
//
// Two peers exchange an offer and an answer over a channel of the application's
// (HTTP, a chat, a file), and then talk directly:
//
//	pc, err := peerconnection.New(peerconnection.Config{})
//	dc, err := pc.CreateDataChannel("chat", nil)
//	offer, err := pc.CreateOffer(nil)
//	err = pc.SetLocalDescription(offer)
//	err = pc.GatheringComplete(ctx)
//	answer := exchange(*pc.LocalDescription()) // however the application does it
//	err = pc.SetRemoteDescription(answer)
//	err = dc.SendText("hello")
//	reply, err := dc.ReadMessage(ctx)
//
// The nouns are W3C's (RTCPeerConnection, RTCDataChannel), the verbs Go's. There
// are no callbacks to set in time: what may come is accepted or read by a call
// that blocks and takes a context, [PeerConnection.AcceptDataChannel],
// [DataChannel.ReadMessage], [PeerConnection.NextICECandidate],
// [PeerConnection.NextConnectionState]. A write blocks while the network is
// slower than the writer. Nothing needs tuning, nothing must be drained, and
// Close frees everything at once.
//
// # Audio and video
//
// What is sent and received are encoded frames, in [Track]s:
//
//	camera := peerconnection.NewTrack(peerconnection.KindVideo, "camera")
//	sender, err := pc.AddTrack(camera)             // and then offer and answer
//	err = camera.WriteFrame(peerconnection.Frame{Data: vp8, PTS: pts, KeyFrame: key})
//
//	event, err := pc.AcceptTrack(ctx)              // at the other end
//	frame, err := event.Track.ReadFrame(ctx)       // in order, in time, whole
//
// Lost packets are asked for and sent again, reports and feedback go out, a jitter
// buffer keeps the time: the application drains nothing for that. Whoever wants packets
// reads and writes them by [Track.ReadRTP] and [Track.WriteRTP]. A remote track that is given
// to senders, of this connection or of any number of others, is forwarded to them packet by
// packet, as a selective forwarding unit does, and their requests for key frames go back
// to its source:
//
//	sender, err := viewer.AddTrack(event.Track)
//
// Encoding and decoding are the application's.
//
// # When the peer goes
//
// A peer that calls Close ends the connection here, too: whoever waits gets an
// error that wraps [ErrClosed], and [PeerConnection.Done] is closed. A peer that
// vanishes without a word is missed by ICE: the state is disconnected after 7 s
// of silence and failed after 30 s. Calls that wait go on waiting then, for an
// ICE restart may bring the peer back. A program that will not try closes the
// connection:
//
//	for s := pc.ConnectionState(); s != peerconnection.ConnectionFailed && s != peerconnection.ConnectionClosed; {
//		s, _ = pc.NextConnectionState(context.Background(), s)
//	}
//	pc.Close()
//
// # Negotiating
//
// What the two sides send is agreed on in pairs of descriptions, at any time and from
// either side (RFC 9429). [PeerConnection.AddTrack], [PeerConnection.AddTransceiver],
// [Transceiver.SetDirection], [Transceiver.Stop] say what this side wants;
// [PeerConnection.NextNegotiationNeeded] returns when the peer must learn of it, by another
// offer. Offers that cross are no accident: the side that the application has made
// polite sets the peer's offer, which takes back its own:
//
//	go func() {
//		for pc.NextNegotiationNeeded(ctx) == nil {
//			if pc.SetLocalDescription(peerconnection.SessionDescription{}) == nil {
//				send(*pc.LocalDescription())
//			}
//		}
//	}()
//	for d := range received {
//		offer := d.Type == peerconnection.SDPTypeOffer
//		if offer && !polite && pc.SignalingState() != peerconnection.SignalingStable {
//			continue // the peer takes ours
//		}
//		err := pc.SetRemoteDescription(d)
//		if err == nil && offer && pc.SetLocalDescription(peerconnection.SessionDescription{}) == nil {
//			send(*pc.LocalDescription())
//		}
//	}
//
// # How it works
//
// Each protocol is a core: a struct without goroutine, lock, clock or socket.
// Datagrams and the time go in; datagrams, the next deadline and events come
// out, by the same five verbs in every package:
//
//	Receive(now, packet)         bytes in
//	Advance(now)                 time in: fire the timers that are due
//	AppendPacket(now, b) []byte  bytes out: the next packet, appended to b
//	NextTimeout() time.Time      when to call Advance next
//	NextEvent() (Event, bool)    what happened
//
// The cores do not know each other. This package's core (core.go) carries bytes
// between them:
//
//	                     PeerConnection              lock, clock, timer, sockets
//	                           │                     (peerconnection.go, doors.go, mux.go, route.go)
//	datagram ──► demux ──► core.Receive              (core.go, demux.go)
//	               ├─ STUN ──► ice.Agent             which path works
//	               ├─ RTP  ──► srtp.Inbound          opens packets in place (srtp.go)
//	               │              └──► session.Session    streams, loss, feedback
//	               │                      └──► Track   frames or packets (media.go, track.go),
//	               │                                   or other connections (forward.go)
//	               └─ DTLS ──► dtls.Conn             keys; opens records in place
//	                              └──► sctp.Association   messages, in order, whole
//	                                      └──► channel    data channels, DCEP
//	                                                 (channel.go, inbox.go, closing.go, dcep.go)
//
// What a TURN server has relayed, ice.Agent unwraps before anybody looks at it, and wraps on
// its way out (iceserver.go).
//
// The other way, core.AppendPacket asks them in turn for the next datagram:
// ICE first, which sends on paths of its own; then the DTLS handshake; then media, as its
// pacer lets it go, sealed where it stands; then SCTP, whose packet is built where its
// record's plaintext will be and sealed there.
// What the two peers tell each other beforehand, the session descriptions, is
// made and read in negotiate.go with the help of package sdp: associate.go ties media
// descriptions to [Transceiver]s, codecmatch.go finds the codecs that both sides have.
//
// PeerConnection is the shell around that core, and the only place with a clock
// and a lock. There are three doors: a datagram (mux.go), the timer, a call of
// the user's. Each enters, does one thing and leaves; leaving sends what there is to send,
// wakes whoever waits and sets the timer. No goroutine belongs to a connection, but for the
// moments in which the names of servers are resolved (resolve.go), and one for each TCP connection
// it has, which reads it, as package net wants it (streams.go): a connection whose path is UDP has
// none, once that is nominated, but to TURN servers over TCP or TLS.
// All connections share one watcher of the host's networks, and one participant in multicast
// DNS while there are names to resolve or to answer for: a goroutine that the kernel wakes for the
// one, and one for each family of addresses for the other.
// An idle one with a data channel holds some 23 kB of heap; one that has sent and received
// audio and video some 90 kB: jitter buffers, what is kept to be sent again, and descriptions
// (idle_test.go measures both).
//
// # The life of a connection
//
//  1. New makes the ICE credentials and the certificate.
//  2. CreateOffer, SetLocalDescription: sockets are opened, their addresses are
//     our candidates (RFC 8839); the description carries them, with the
//     certificate's fingerprint (RFC 8122).
//  3. SetRemoteDescription: ICE pairs the candidates and checks the pairs (RFC 8445).
//  4. The first pair that works carries the DTLS handshake (RFC 9147, 6347), even before
//     ICE has settled: the offer's fingerprint says who the peer must be.
//  5. Both sides open the SCTP association inside it (RFC 8261) at once; a data
//     channel's DATA_CHANNEL_OPEN and first messages travel with its third packet.
//  6. Connected: consent to send is renewed every few seconds (RFC 7675), and
//     nothing else is sent unless the user has something to say.
//
// # How to read it
//
// Begin with core.go, which is the picture above, and doors.go, which is how anybody
// gets in and out; config.go and peerconnection.go have the configuration and the state that users see.
// The rest in groups, each in the order in which to read it:
//
//   - Around the core: secure (DTLS), mux and route (sockets, shared or not), interfaces and network (as
//     networks come and go), hidden and mdns (names in the place of addresses), streams, tcpmux and simultaneous (connections
//     over TCP and TLS), tunnel (servers over DTLS), demux, mtu, trickle
//     (candidates), iceserver and resolve (STUN and TURN servers), ending (and the state that
//     follows from the layers), gate (where calls
//     wait), tracer, stats and mediastats.
//   - Negotiation: description (its words), negotiate (the state of offer and answer),
//     section (a media description that both know), describe (making ours), remote
//     (reading the peer's), associate (sections and transceivers), bundle, numbering
//     (payload types and ids), codecs, codecmatch, headerextension, rtpsection, simulcast,
//     negotiationneeded, release (when no section is left).
//   - Media: tracks (the calls that make them), transceiver, sender, receiver, parameters,
//     track and remotetrack, mediaframe; below these mediasection (what was negotiated, for
//     the session), media, mediaclock, srtp, forward.
//   - Data channels: datachannel (the user's half), channel (the core's), dcep, inbox, closing.
//
// Of the tests, ladder_test.go shows set-ups packet by packet, in testdata, and sim_test.go
// lets whole stacks live on bad networks.
//
// # Networks
//
// Without [Config].Addresses and Mux a connection uses all of the host's networks that
// [Config].InterfaceFilter takes, and follows them: a network that comes up is another
// candidate, which [PeerConnection.NextICECandidate] returns even after io.EOF, and one that goes
// takes its paths along, and the call moves to another without a restart, in two round trips where the
// system tells. Cables come before wireless networks, and these before mobile ones, as far as
// names of interfaces tell; the peer learns what ours cost, too. A call moves to a better network that
// comes up if both sides know renomination, as two of these do. On Linux the kernel tells of
// changes; elsewhere they are looked for every three seconds.
//
// The names that browsers tell instead of their addresses are resolved by multicast DNS on all
// links; with [Config].HideHostAddresses ours are told so, too.
//
// Any number of connections share the sockets of a [UDPMux]. Which one a packet is for costs two
// looks into a map, however many there are. What can't be: two connections between the same two
// sockets, for it is the peer's address that tells packets apart which are not checks. DTLS connection
// ids (RFC 9146) would, and browsers have none; nor does SRTP.
//
// # Watching it
//
// A [Capture] writes a file that Wireshark opens, with the messages in clear; a
// [NewLogTracer] writes states, drops and timers to a log; [PeerConnection.Stats]
// counts what W3C's getStats counts.
//
// # Scope
//
// All media is bundled on one transport with RTCP multiplexed, as every browser does; what
// would need another transport is rejected. No codec is in here. What is lost
// is sent again (RFC 4588), or recovered by redundant audio (RFC 2198), ULPFEC (RFC 5109) or FlexFEC,
// all as Chromium offers them: L16 and FlexFEC are not offered unless they are preferred, and taken when
// the peer does. Candidates are the host's own addresses, and what STUN and TURN
// servers add to them, over UDP, DTLS, TCP and TLS ([Config].ICEServers). Over TCP a connection goes
// to peers that take some, and takes some itself if it is given a [TCPMux]; both ends open one at once if they are
// told to ([Config].TCPSimultaneousOpen), for which browsers are not made. It goes through no HTTP proxy.
// Datagrams that a TCP connection has no room for are lost, as in a router: nothing waits for a peer
// that reads slowly.
package peerconnection
