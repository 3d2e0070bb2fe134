// Package relay is the shell of a TURN server: sockets, a clock and a lock around the core
// that package turn has (RFC 8656).
//
// [Listen] opens the doors that clients come in by: UDP, TCP, TLS and DTLS. The core says when to
// open a socket for a client's allocation, and what to send from it. [Server.Drain]
// ends the service without ending anybody's call; [Server.Close] ends it.
//
// # How it works
//
// There is one lock. A batch of datagrams enters once; what it makes is gathered in a
// slab, and sent when the lock is released, runs of one size to one place in one system
// call. So packets that come together leave together, and nothing is allocated for them.
//
// Where there are processors for it several sockets share each address of UDP, and the kernel
// divides the clients among them (SO_REUSEPORT): each is read by a reader of its own, and the lock
// is held for a small part of the work, most of which is the kernel's. On two processors nothing is
// won, so that there is one socket up to three processors.
//
// UDP costs no goroutine (see package udp). A TCP connection has two: one reads and
// enters, one writes what waits for it, so that a client that does not read holds up
// nobody else; what does not fit its queue is lost, as a datagram would be. A client on
// DTLS is a dtls.Conn and no goroutine; before it has shown a cookie it is nothing at all.
//
// A TCP allocation (RFC 6062) has a listener with a goroutine, and its connections leave from the
// listener's port. Once a client has come for a connection, the two goroutines of the client's
// connection pass on bytes, one in each direction, as they come; before that nobody reads, and
// TCP itself holds the peer back.
//
// With a second address the server answers from where it is asked to (RFC 5780). Clients on TLS
// may name the protocol they want (ALPN: RFC 7443); those that name another are served all the same.
// Over DTLS there is no ALPN here.
//
// # Hard to abuse
//
// What the core bounds is said in package turn. The shell bounds connections, of all
// clients and of one subscriber; the time that a connection may be without an allocation
// (RFC 8656, Section 3 leaves that to us), with an unfinished TLS handshake or with
// half a message; the size of a message without an allocation; and what waits to be
// written, to one client and to all. Requests of strangers beyond their rate are dropped over UDP and
// DTLS, where they are repeated; over TCP and TLS the connection is not read until there is room,
// so that the client gets its answer late, and not never. A warning that strangers can bring about
// is logged once a minute, each kind by itself.
//
// # Out of scope
//
// TCP allocations are served on Linux alone. A client on DTLS
// that begins anew from the same port has to wait until its old session has ended; the
// intermediate certificates of an authority are not shown over DTLS.
package relay
