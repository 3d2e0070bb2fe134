package peerconnection

import (
	"time"

	"github.com/plainrtc/plainrtc/ice"
	"github.com/plainrtc/plainrtc/turn"
)

// How large datagrams are: SCTP finds out what the path carries, within what is
// said here.

// pathMTU is the largest datagram that we send before more is known of a path:
// every one carries it (RFC 8831, Section 5).
const pathMTU = 1200

// maxDatagram is the largest that we ever send: a quarter of what one system call
// takes, and about what a DTLS record holds.
const maxDatagram = 65507 / 4

// streamMTU bounds the search on a connection over TCP. That would carry any size, but peers
// read what comes as they read datagrams: Firefox ends the connection at a message of more than
// 2,048 bytes, and Pion drops those of more than 8,192. So do they on a connection to their TURN
// server, and to its relayed address we may send whatever our interface has room for.
const streamMTU = 1500

// setLinkMTU tells what the interface at the beginning of the selected path, or of the way
// to its relay, carries, in IP packets, where nothing fragments them; zero: it is not known.
func (c *core) setLinkMTU(now time.Time, mtu int) {
	c.linkMTU = mtu
	c.measure(now)
}

// measure has SCTP search as far as the selected path may carry: by what is known of the interface, and
// of the peer's candidate.
func (c *core) measure(now time.Time) {
	if c.sctp != nil {
		size, headers := c.maxMTU()
		c.sctp.SetMaxMTU(now, size, headers)
	}
}

// anyMTU is the largest SCTP packet that every path carries.
func (c *core) anyMTU() int {
	mtu := pathMTU - c.dtls.Overhead()
	if limit := c.dtls.ConnectionState().RecordSizeLimit; limit > 0 {
		mtu = min(mtu, limit)
	}
	return mtu
}

// maxMTU is the largest SCTP packet to search for on the selected path, and what is
// below SCTP there.
func (c *core) maxMTU() (size, headers int) {
	if c.linkMTU == 0 {
		return 0, 0
	}
	const udp, ipv4, ipv6 = 8, 20, 40
	wire := c.ice.ServerPath(c.selected)
	headers = udp + ipv6
	if c.selected.Remote.Addr().Unmap().Is4() && wire.Remote.Addr().Unmap().Is4() {
		headers = udp + ipv4
	}
	if wire != c.selected {
		// The relay's header has its room, though it is smaller on a channel. How far the server's
		// own datagrams get is found out as everything is: by trying.
		headers += turn.Headroom
		if wire.Protocol == ice.DTLS {
			headers += c.dtls.Overhead() // the tunnel's is about the same
		}
	}
	link := c.linkMTU
	if peer := c.ice.PeerType(c.selected); peer != ice.Host && peer != ice.ServerReflexive {
		link = min(link, streamMTU) // it is a relay's, or may turn out to be
	}
	limit := c.dtls.ConnectionState().RecordSizeLimit
	if limit == 0 {
		limit = carefulRecord
	}
	overhead := c.dtls.Overhead()
	return min(link-headers-overhead, maxDatagram-overhead, limit), headers + overhead
}

// carefulRecord is the largest record for a peer that does not say what it takes:
// libwebrtc, which reads records into a buffer of so many bytes, ends the
// connection at a longer one.
const carefulRecord = 2048
