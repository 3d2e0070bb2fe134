package peerconnection

import (
	"crypto/x509"
	"io"
	"net/netip"

	"github.com/plainrtc/plainrtc/dtls"
)

// A Config changes how a PeerConnection is made. The zero Config is what most
// programs want.
type Config struct {
	// Certificate authenticates this side. If nil, one is made for this
	// connection alone. A program that makes many connections a second saves
	// time by sharing one, and gives up that its peers can't tell they are talking to
	// the same program.
	Certificate *dtls.Certificate

	// Mux shares UDP sockets between connections. If nil, the connection
	// opens sockets of its own: one for each address.
	Mux *UDPMux

	// TCPMux has the sockets at which peers arrive that come over TCP; see [ListenTCPMux]. If nil,
	// there are none: over TCP this side then only goes to peers that have them.
	TCPMux *TCPMux

	// TCPSimultaneousOpen adds candidates for TCP connections that both ends open at once (RFC 6544), which
	// firewalls let through that let out TCP alone and nothing in. Both ends must have them,
	// and neither may be behind a NAT: browsers do not, and it costs a listening socket for each address and
	// connection. Where there is a [TCPMux], or a TURN server over TCP, they are not
	// needed. Systems that cannot share a port among sockets have none.
	TCPSimultaneousOpen bool

	// Addresses are the addresses to open sockets on, when Mux is nil. If
	// empty, they are those of the host's interfaces that are up, and of the
	// loopback interface when there is no other: of the IPv6 addresses the temporary ones
	// where there are any, and no link-local one (RFC 8445, Section 5.1.1.1). The connection
	// follows them then as networks come and go.
	Addresses []netip.Addr

	// InterfaceFilter says of an address of this host's whether to use it, where neither
	// Addresses nor Mux do; it is told the interface's name. All are used if it is nil.
	InterfaceFilter func(name string, addr netip.Addr) bool

	// ICEServers help to find paths where the two ends are not in one network.
	ICEServers []ICEServer

	// ICETransportPolicy says which candidates there are: all if empty.
	ICETransportPolicy ICETransportPolicy

	// RootCAs are the authorities that certificates of servers over TLS and DTLS must be
	// from: the host's if nil.
	RootCAs *x509.CertPool

	// HideHostAddresses has the peer told names instead of this host's addresses, as web
	// pages do that may not use the camera: names that multicast DNS resolves on the
	// same network, and nobody elsewhere (draft-ietf-mmusic-mdns-ice-candidates). The peer
	// learns the addresses that STUN servers see, and those that reach it directly.
	HideHostAddresses bool

	// BundlePolicy says how offers treat a peer that may not bundle: balanced if empty.
	BundlePolicy BundlePolicy

	// MaxDTLSVersion is the newest version of DTLS to speak, and DTLSGroups are
	// the groups for its key exchange, best first. Zero, they are what package
	// dtls has by default. Wireshark 4.0, for one, decrypts no DTLS 1.3.
	MaxDTLSVersion dtls.Version
	DTLSGroups     []dtls.Group

	// SRTPProfiles are how media may be protected, best first; our order decides
	// when we are the server of DTLS, which offerers mostly are. If empty, they are
	// AES-GCM with 128 bits, with 256, and AES_CM_128_HMAC_SHA1_80, which all peers
	// know. Those are what use hardware best and what is safe: the fourth, with tags
	// of 32 bits, saves six bytes a packet, and lets one forgery in four thousand
	// million through.
	SRTPProfiles []dtls.SRTPProfile

	// MaxMessageSize is the largest message that the peer may send, in bytes:
	// 16 MiB if zero, and 256 MiB at most. A peer can make us hold one message as
	// large, beside the receive window.
	MaxMessageSize int

	// Tracer follows the connection; see [NewLogTracer] and [Capture]. It may be nil.
	Tracer *Tracer

	// Rand is where keys, identifiers and nonces come from: crypto/rand if nil.
	// Anything else is for tests that replay a connection to the byte.
	Rand io.Reader
}
