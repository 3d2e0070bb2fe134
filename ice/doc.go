// Package ice finds a path between two hosts and keeps watch over it:
// Interactive Connectivity Establishment (RFC 8445), with trickled candidates
// (RFC 8838), the candidate attribute of SDP (RFC 8839), patience (RFC 8863),
// consent freshness (RFC 7675), renomination (draft-thatcher-ice-renomination) and
// names in the place of addresses (draft-ietf-mmusic-mdns-ice-candidates).
//
// # How to drive it
//
// An [Agent] is a core without I/O: it knows no socket and no clock. What it
// must be told:
//
//   - its role, [Agent.SetControlling]: the side that offers is controlling;
//   - the addresses it can send from, [Agent.AddLocalAddress]; each becomes a
//     candidate to signal, which the event [CandidateGathered] brings;
//   - the servers that help, [Agent.AddServer]: what they see of a base becomes a
//     server-reflexive candidate, what they lend a relayed one;
//   - the peer's credentials and candidates, [Agent.SetRemoteCredentials] and
//     [Agent.AddRemoteCandidate], in any order and at any time;
//   - each STUN message that arrives, [Agent.Receive], and the path it took;
//   - that a connection is there or is no more, [Agent.Connected] and
//     [Agent.Disconnected]: the agent asks for those it needs by the events [Dial]
//     and [HangUp];
//   - that time has passed, [Agent.Advance], when [Agent.NextTimeout] is due.
//
// After any of these the caller drains it: packets ([Agent.AppendPacket], each
// with the path it must take), events ([Agent.NextEvent]), the next timeout.
// Application data goes where [Agent.SelectedPath] says, from the first check
// that is answered: no need to wait for nomination (RFC 8445, Section 12.1).
//
// A path may begin at a relayed address. Only two places know what that means on
// the wire: every datagram goes through [Agent.Unwrap] when it arrives, and what
// is sent where [Agent.Relayed] says so through [Agent.Wrap].
//
// # How it is built
//
// In the order of the RFC: candidates and their priorities (candidate,
// priority, gather, remote), the check list (pair, checklist), the checks
// (check, response), answering the peer's (request), roles (role), nomination
// (nominate, renominate), which path carries data (selection), consent (consent), restarts
// (restart), servers (server), what they relay (relay) and forget (reallocate), how that comes along
// to another address (mobility), and connections (stream). One [Agent] is one
// data stream with one component: everything is bundled and RTCP shares the path
// (RFC 8843, RFC 5761).
//
// # Where it goes its own way
//
//   - A triggered check is sent at once, not at the next Ta: each is paid for
//     by an authenticated check of the peer, which paces its own.
//   - A check is repeated after a Ta for each pair that is being checked, not after
//     500 ms at least, then at doubling intervals up to 2 s, for 30 s: each time with
//     another transaction, so that the answers can be told apart. Repetitions are
//     beside the pace of ordinary checks, as retransmissions are in the RFC.
//   - When a nominated path dies another valid one takes over without a restart,
//     and is nominated, as browsers do and RFC 8445, Section 8.1.1 does not. For
//     that a few pairs outlive nomination, without any traffic on them.
//   - Where both sides know renomination, a better pair that becomes valid later is
//     nominated, too: new networks are used. The NOMINATION attribute, for which the draft has no
//     number, has libwebrtc's (0xC001) for peers that tell of their networks as that does, and
//     Pion's (0x0030) for others; either is understood.
//   - When an address is removed that the nominated pair began at, the best pair that is left is
//     nominated with its first check; a peer that checks a pair which was kept is checked
//     back; and data that comes there alone says that the nominated one is dead. So a
//     network that is lost and known to be costs two round trips. Where nobody knows, it is consent
//     that is missed, after some seconds; or after two, where data is sent ([Agent.SentData]) and
//     nothing comes back.
//   - Addresses of networks that cost less come first, and then IPv6 and IPv4 in turn.
//   - Candidates come after [GatheringDone] when networks do, which RFC 8838 wants a
//     restart for; whoever does not take them still hears the checks.
//   - An unanswered consent check is followed by further ones within the
//     second, so that a lost datagram is not taken for a lost peer.
//   - A pair that is relayed, or over TCP, waits two seconds for better ones before it is
//     nominated. Data flows meanwhile.
//   - Candidates over TCP have libwebrtc's type preferences, lower than every one over
//     UDP that is not relayed. Relayed ones rank by how the server is reached: UDP, DTLS, TCP, TLS.
//   - A connection to the peer that breaks is opened again while there is consent. Once a pair
//     was nominated, connections of the others are given up.
//   - Servers have five seconds to answer, not the 39.5 of RFC 8489.
//   - An allocation that a server has forgotten is asked for anew, without a
//     restart; its candidate comes after [GatheringDone], and is to be signalled. What carries
//     no data is kept all the same, and the way to it open.
//   - Refusals without integrity (400, 401) do not end a check: anybody can send
//     them, and a peer may not know our credentials yet.
//   - A host without IPv4 reaches the peer's IPv4 candidates through a NAT64, once a
//     server that was reached by one has revealed it (nat64).
//
// # Out of scope
//
// No candidates over TCP are server reflexive: a mapping that a STUN server sees of one
// connection is nobody else's in most NATs. Names of servers are resolved by others. Names that end in ".local"
// are others' to resolve, too ([Agent.RemoteResolved]); without that, the peer's own
// checks may reach us and reveal the address. Two lite agents do not connect.
package ice
