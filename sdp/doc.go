// Package sdp reads and writes session descriptions: the text in which two
// WebRTC peers tell each other, through whatever signalling the application
// has, what they want to send and how to reach them.
//
// A description is a list of lines, each a letter, an equals sign and a text
// (RFC 8866). The lines before the first "m=" concern the session; each "m="
// begins a media section. [Parse] makes a [Session] of [Media] sections;
// [Session.Append] and [Session.String] write it back. What browsers write
// comes back byte for byte.
//
//	v=0                                             Session
//	o=- 5252792872090358374 2 IN IP4 127.0.0.1        Origin
//	s=-                                               Name
//	t=0 0                                             Timing
//	a=group:BUNDLE 0                                  Attributes
//	m=application 9 UDP/DTLS/SCTP webrtc-datachannel  Media[0]
//	c=IN IP4 0.0.0.0                                    Connection
//	a=mid:0                                             Attributes
//	a=sctp-port:5000
//
// # Attributes
//
// Nearly everything WebRTC says, it says in "a=" lines. An [Attribute] is the
// text of such a line, and [Attributes] is a section's list of them, in order,
// known and unknown alike. It is embedded in both Session and Media, so that
// the typed readers are methods of both:
//
//	mid, ok := m.MID()
//	for codec := range m.RTPMaps() { … }
//
// and it is built from constructors, constants and values that know how to be
// attributes:
//
//	m.Attributes = append(m.Attributes, sdp.MID("0"), sdp.RTCPMux,
//		sdp.RTPMap{PayloadType: 111, Encoding: "opus", ClockRate: 48000, Channels: 2}.Attribute())
//
// Some attributes may stand at either level, and a media section inherits what
// it does not say: those are read through the session ([Session.Transport],
// [Session.Setup], [Session.Direction], …), with the section as the argument.
//
// # What is strict and what is tolerated
//
// A reader must not fail on what it does not need, and must not guess at what
// it does. Tolerated: lines that end in LF alone, no line end at the end, blank
// lines at the end, several spaces where there should be one, lines of known
// types in another order than RFC 8866 asks for, unknown line types (RFC 8866,
// Section 5, would have the whole description ignored), unknown attributes.
// All of it is kept, but for line ends and spacing, and written in RFC order.
//
// Refused: a description that does not begin with "v=", "o=", "s="; no "t=";
// an "m=" line that is incomplete; two sections of the same mid; and
// ill-formed values of those attributes that decide where packets go and who
// may send them ([Parse] lists them). Every refusal is an [*Error] that names
// line and column and says what was expected there. Every other attribute is
// read when somebody asks for it, and one that is ill-formed is not there: as
// RFC 8851 and RFC 8853 want it for "rid" and "simulcast".
//
// A description comes from the peer and is bounded: one MiB, 32,768 lines,
// 512 media sections.
//
// # Memory
//
// Parse copies nothing: every string of a Session is a part of the text it was
// parsed from, and keeps that text alive. All attributes of a description share
// one allocation of 16 bytes each. A Session may be changed freely: appending to
// one section's Attributes never disturbs another's.
//
// # How to read it
//
// session has the types, parse reads and write writes them, cursor is what parses a line
// and error says where that failed. attributes has the list and those that are a name alone;
// the others are in files of their idea: transport, bundle, direction, datachannel, codec,
// extmap, source, simulcast.
//
// # Out of scope
//
// What an offer may contain and which answer fits it (RFC 3264, RFC 9429) is
// negotiation, and package peerconnection's. ICE candidates stay text here;
// package ice reads them. Attributes of protocols that WebRTC does not use
// (SDES keys, MSRP, RTSP) are unknown attributes.
package sdp
