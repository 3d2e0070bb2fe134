// Package srtp is the Secure Real-time Transport Protocol (RFC 3711) as WebRTC
// uses it: what turns RTP and RTCP packets into ones that only the peer can read
// and nobody can forge, with the keys that a DTLS handshake agreed on (RFC 5764).
//
// # Driving it
//
// [New] takes what the DTLS connection exported under [ExporterLabel] and makes
// the two halves: an [Outbound] that seals and an [Inbound] that opens. Both are
// pure transforms without I/O, clock or randomness, work in place, and allocate
// nothing for a packet of a source they know:
//
//	out, in, err := srtp.New(srtp.Config{Profile: profile}, exported, srtp.Client)
//	b, err = out.SealRTP(b, start) // b[start:] is an RTP packet, and then an SRTP packet
//	rtp, err := in.OpenRTP(datagram)
//
// An Outbound and an Inbound know nothing of each other. Neither is safe for
// concurrent use.
//
// # What is kept
//
// An SRTP packet carries 16 bits of its 48-bit index; the other 32, the roll-over
// counter, each side counts for itself, for each synchronization source (SSRC).
// That and a replay window are the whole state of a source, some 160 bytes.
// Only an authenticated packet makes or changes it, so a stranger who invents
// sources leaves no trace. A peer, who has the keys, could invent them too:
// an Inbound remembers [MaxSources] sources of RTP and as many of RTCP, and
// forgets the one heard least recently. An Outbound forgets none, because an
// index used twice with one key gives both packets away, and a forgotten source
// would begin at zero again; it refuses new ones beyond [MaxOutboundSources].
//
// # Transforms
//
// A [Profile] names them: AES in counter mode with HMAC-SHA1 (RFC 3711), or
// AES-GCM (RFC 7714). [Preferred] has GCM first: its tags are longer and, where the
// processor helps, it is four times as fast. Cryptex (RFC 9335) encrypts header extensions and contributing
// sources too; it is switched on in each half when signalling has agreed on it.
//
// # How to read it
//
// session makes both halves from what was exported (keys) for a profile; outbound and
// inbound are the two; header is what they must know of a packet, sources and rollover
// what they remember of its source. transform is what they ask of aescm, which stands on
// ctr and bulk, and of aesgcm; cryptex moves what it encrypts beside the payload. errors
// has the reasons for not opening a packet.
//
// # Out of scope
//
// AES-f8, NULL ciphers, TESLA and SDES keys: RFC 8827 asks for DTLS-SRTP with
// the profiles above and nothing else in WebRTC speaks the rest. A key
// derivation rate other than zero (Section 4.3.1), which DTLS-SRTP does not
// negotiate. The encryption of single header extensions (RFC 6904), which
// Cryptex replaces. A master key identifier (MKI) is sent and checked if
// configured, but one session has one master key: whoever changes keys makes a
// new session, and [DropMKI] says that a packet belongs to another. The sender
// always encrypts RTCP; the receiver also takes what the peer authenticated
// without encrypting.
package srtp
