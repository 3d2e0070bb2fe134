// Package mdns is as much of multicast DNS (RFC 6762) as candidates need that tell a
// name instead of an address (draft-ietf-mmusic-mdns-ice-candidates): it asks for the
// addresses of other hosts' names, and answers for its own.
//
// # How to drive it
//
// A [Host] is a core without I/O. It is told what to find out, [Host.Lookup], and what to
// answer for, [Host.Register] and [Host.Withdraw]; what arrives, [Host.Receive]; and that
// time has passed, [Host.Advance], when [Host.NextTimeout] is due. After any of these the
// caller drains it: messages ([Host.AppendPacket], most of them for everybody on every link)
// and events ([Host.NextEvent]). While [Host.Idle], it needs no socket.
//
// # What it does
//
// A name is asked for at once and after 1, 3 and 7 s, the intervals of RFC 6762, Section
// 5.2; after 10 s it has no address. What was found out is remembered: an address for as
// long as its owner says and two minutes at most, the absence of one for ten seconds. Names
// that do not look like a UUID and ".local" are neither asked for nor answered.
//
// A name of our own is not probed for, "as the hostname is expected to be unique"; nor
// announced, as an announcement would hold back by a second the answer to who has just been
// told the name. It is answered for at most once a second, and said goodbye to if it ever was.
//
// # Out of scope
//
// Everything else that RFC 6762 is for: other records and names, probing and conflicts,
// lists of services, the maintenance of a cache. A questioner that would take an answer to
// itself alone (Section 5.4) gets one for all, unless it asks from another port than
// 5353 (Section 6.7); we ask for no such answer, as our port may be another program's, too.
package mdns
