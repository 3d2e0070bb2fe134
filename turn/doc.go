// Package turn implements Traversal Using Relays around NAT (TURN, RFC 8656):
// a server lends a client one of its addresses, and relays datagrams between
// that address and the peers whom the client permits.
//
// # The picture
//
//	client ── 5-tuple ── server ── relayed transport address ── peer
//
//	Allocate          ──►          ask for the address
//	CreatePermission  ──►          name a peer's IP address that may be relayed
//	ChannelBind       ──►          give a peer a number: 4 bytes of header, not 36
//	Send indication, ChannelData ──►  ──►  a datagram to the peer
//	Data indication, ChannelData ◄──  ◄──  a datagram from the peer
//	Refresh           ──►          keep the allocation, or (lifetime 0) end it
//
// Of a TCP allocation (RFC 6062) connections are relayed, each on one more connection between
// client and server:
//
//	Connect           ──►  ──►  connect with a peer
//	ConnectionAttempt ◄──  ◄──  a peer has connected
//	ConnectionBind    ──►       this connection is for that one: bytes, from here on
//
// # How to drive it
//
// [Client] and [Server] are cores without I/O. Both have the five verbs:
// Receive, Advance, AppendPacket, NextTimeout, NextEvent; after any call that
// may change a core it is drained of packets, data and events.
//
// A Client is one allocation. [Client.Start] asks for it, [Client.CreatePermission]
// and [Client.BindChannel] admit peers, [Client.AppendData] builds the packet that
// carries a datagram to a peer, or [Client.WrapData] in front of a payload that
// is in its place already; [Client.NextData] returns what a peer sent. The
// allocation is refreshed by itself; permissions and channels are renewed as
// long as there is traffic with their peer, and end when there is none.
//
// A Server has no sockets of its own: the events [OpenRelay] and [CloseRelay]
// tell the shell to open and close one, and [Server.RelayOpened] tells the
// Server its address. What arrives from clients goes to [Server.Receive], what
// arrives on a relay's socket to [Server.ReceivePeer]; datagrams to be relayed
// come out of [Server.NextToPeer] and [Server.NextToClient], in the buffer they
// came in.
//
// For a TCP allocation, the Client's [Client.Connect] and the event [Attempted] bring the names of
// connections, and [Client.BindConnection] the Client for each one's own transport. The Server
// asks its shell to connect ([ConnectPeer]) and to join two connections ([Splice]), and never
// sees their bytes.
//
// Over TCP and TLS a [Framer] cuts the stream into the messages that Receive
// takes; the cores need only know that their transport is a stream.
//
// # Hard to abuse
//
// A relay is inside whatever network its host is in. So by default nobody is
// relayed to loopback, link-local, private, shared, multicast or reserved
// addresses, cloud metadata among them, in whatever IPv6 clothes (see
// [DefaultDeniedPeers]); nor to the server's own addresses, except where a
// relayed transport address is. TCP allocations are off by default. Nonces are stateless, bound to the 5-tuple and
// expire; what a source may ask without credentials is limited, and so is all
// of it together; every table has a bound. Over a stream what is too much waits ([Server.Hold]),
// for a client on one asks only once and would wait for ever. Whatever looks like abuse is told by
// the event [Abuse], once a minute of each kind.
//
// # Where it goes its own way
//
//   - The Server answers Binding requests too, from a second address and port where it is asked
//     to and has them (RFC 5780). RESPONSE-PORT and PADDING are unknown to it: they help an
//     attacker more than a client.
//   - A connection of a TCP allocation may be bound with the nonce of the control connection, and
//     our Client does so: coturn's server takes, and its client sends, nothing else.
//   - The Server checks the nonce before the password: it is cheaper, and shows
//     that the source is where it says to be.
//   - A time-limited username is checked when an allocation is made. The
//     allocation may be refreshed beyond that time, as coturn allows.
//   - The Server takes the channel numbers of RFC 5766, up to 0x7FFF.
//   - Both addresses of a dual allocation have one time to expiry.
//   - A channel carries data to its peer for its ten minutes, though the permission
//     that lets the peer answer needs to be renewed after five: RFC 8656, Section
//     12.6 asks for no more.
//   - After 437 the Client tries its mobility ticket, if it has one, before it
//     gives up: a NAT may have changed our address.
//
// # How it is built
//
// In the order of a session. Wire: attributes, channeldata, framer, errors. The
// client: client, login (RFC 8489, Section 9.2), allocate, refresh, binding
// (permissions and channels), data, connect (TCP allocations), thirdparty. The server: server, receive, authenticate,
// nonce, users, limiter, allocation, lifetime, mobility, permission, relay, connection (TCP
// allocations), discovery (RFC 5780), policy, suspect, stats.
//
// # Out of scope
//
// Sockets, TLS with its ALPN (RFC 7443) and the resolution of names are the shell's; so is the
// discovery of servers (RFC 8155: by DNS, mDNS or an anycast address), of which the cores
// know what the last needs: a server that answers at an anycast address sends the client on by
// 300 (Try Alternate), and the Client tells so by [TryAlternate]. ICMP errors are not relayed, which RFC 8656 asks
// for and nobody's socket layer makes easy; a Data indication that brings one is
// dropped. Third-party authorization (RFC 7635) is read and not spoken: an [AccessToken] is opened
// and sealed for those who want it, the Client says in its error that a server asks for one, and
// neither side sends one, since browsers do not. A
// packet's DSCP, TTL and ECN are the shell's to copy or not.
package turn
