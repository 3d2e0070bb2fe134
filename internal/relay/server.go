package relay

import (
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/plainrtc/plainrtc/internal/udp"
	"github.com/plainrtc/plainrtc/turn"
)

// A Config says where to serve, and whom.
type Config struct {
	// Turn says whom to serve, and how much. Listen fills in Rand, OwnAddresses and which
	// families there are.
	Turn turn.ServerConfig

	// UDP, TCP, TLS and DTLS are the addresses to listen on. The unspecified address stands
	// for all that the host has. Port 0 is any that is free.
	UDP, TCP, TLS, DTLS []netip.AddrPort
	// Certificate is what TLS and DTLS show to clients; DTLS only its first, which is the
	// server's own.
	Certificate *tls.Certificate

	// Shards is how many sockets share each address of UDP, so that as many processors read
	// what arrives; a client's packets all come to one of them. Each gathers less at a time, which
	// costs more for a packet: on two processors nothing was won. So zero
	// means half as many as there are processors, one at least and four at most.
	Shards int

	// Second is another address and port of the host's, with which clients may find out what
	// their NAT does (RFC 5780): UDP is served on it, too, and on either address with the
	// other's port. Zero: they may not.
	Second netip.AddrPort

	// Relays are the host's addresses to open relays on: one of each family at most.
	// Advertised are what peers know them by, if that differs, as behind the 1:1 NAT of a
	// cloud; in the order of Relays.
	Relays, Advertised []netip.Addr
	// MinPort and MaxPort bound the ports of relays: 49152 and 65535 if zero (RFC 8656,
	// Section 7.2).
	MinPort, MaxPort uint16

	// MaxConnections bounds the connections of TCP, TLS and DTLS, MaxAddressConnections those of one address:
	// 10,000 and 64 if zero.
	MaxConnections, MaxAddressConnections int

	Log *slog.Logger // nil: nothing is logged

	limits limits // the package's, if zero; tests have shorter ones
}

// A Server is a running server.
type Server struct {
	config    Config
	sockets   []*udp.Socket   // of UDP and DTLS
	groups    [][]*udp.Socket // the same, by address
	listeners []net.Listener
	running   sync.WaitGroup // accepts, and serves of connections
	drained   chan struct{}  // closed once the core says Drained
	spare     spare

	mu          sync.Mutex
	core        *turn.Server
	closed      bool
	timer       *time.Timer
	timerAt     time.Time
	clients     map[turn.FiveTuple]*connection
	relays      map[turn.RelayID]*relay
	connections map[*connection]struct{}
	peers       map[turn.ConnectionID]*peerConn
	sessions    sessions
	perAddress  map[netip.Addr]int // connections, by subscriber
	ports       *mathrand.Rand
	warned      map[string]time.Time // when each warning was given last
	queued      atomic.Int64         // bytes that wait to be written to all connections
}

// A relay is the socket of an allocation, or its listener.
type relay struct {
	id       turn.RelayID
	socket   *udp.Socket
	listener net.Listener
}

func (r *relay) Close() error {
	if r.listener != nil {
		return r.listener.Close()
	}
	return r.socket.Close()
}

// Listen opens the sockets and serves.
func Listen(config Config) (s *Server, err error) {
	if config.MinPort == 0 {
		config.MinPort = 49152
	}
	if config.MaxPort == 0 {
		config.MaxPort = 65535
	}
	if config.MaxConnections == 0 {
		config.MaxConnections = 10_000
	}
	if config.MaxAddressConnections == 0 {
		config.MaxAddressConnections = 64
	}
	if config.Shards == 0 {
		config.Shards = max(1, min(4, runtime.GOMAXPROCS(0)/2))
	}
	if config.limits == (limits{}) {
		config.limits = usualLimits
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	switch {
	case len(config.Relays) == 0:
		return nil, errors.New("relay: there is no address to open relays on")
	case config.MinPort > config.MaxPort:
		return nil, fmt.Errorf("relay: there is no port from %d to %d", config.MinPort, config.MaxPort)
	case len(config.TLS)+len(config.DTLS) > 0 && config.Certificate == nil:
		return nil, errors.New("relay: TLS needs a certificate")
	case len(config.Advertised) > len(config.Relays):
		return nil, errors.New("relay: more addresses are advertised than relays are opened on")
	}
	seen4, seen6 := false, false
	for i, a := range config.Relays {
		if a.IsUnspecified() && i >= len(config.Advertised) {
			return nil, fmt.Errorf("relay: %v is no address that a peer could send to: relays are opened on one of this machine's", a)
		}
		if a.Is4() && seen4 || a.Is6() && seen6 {
			return nil, fmt.Errorf("relay: relays are opened on one address of each family, and %v is another", a)
		}
		seen4, seen6 = seen4 || a.Is4(), seen6 || a.Is6()
		// Now, and not when the first client asks.
		probe, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(a, 0)))
		if err != nil {
			return nil, fmt.Errorf("relay: no relay can be opened on %v: %w", a, err)
		}
		probe.Close()
	}
	if err := addDiscovery(&config); err != nil {
		return nil, err
	}
	t := config.Turn
	t.Rand, t.IPv6, t.NoIPv4 = rand.Reader, seen6, !seen4
	t.OwnAddresses = append(t.OwnAddresses, udp.HostAddresses()...)
	core, err := turn.NewServer(t)
	if err != nil {
		return nil, err
	}
	var seed [32]byte
	rand.Read(seed[:])
	server := &Server{
		config: config, core: core, drained: make(chan struct{}),
		clients: make(map[turn.FiveTuple]*connection), relays: make(map[turn.RelayID]*relay),
		connections: make(map[*connection]struct{}), peers: make(map[turn.ConnectionID]*peerConn), perAddress: make(map[netip.Addr]int),
		ports: mathrand.New(mathrand.NewChaCha8(seed)), warned: make(map[string]time.Time),
	}
	s = server
	defer func() {
		if err != nil {
			server.Close()
		}
	}()
	if len(config.DTLS) > 0 {
		if s.sessions, err = newSessions(config.Certificate); err != nil {
			return nil, err
		}
	}
	listen := func(at []netip.AddrPort, shards int, receive func(*udp.Socket, []udp.Packet)) error {
		for _, a := range expand(at) {
			group, err := udp.ListenGroup(a, shards, receive)
			if err != nil {
				return fmt.Errorf("relay: %w", err)
			}
			s.mu.Lock() // the first may have clients already
			s.groups = append(s.groups, group)
			s.sockets = append(s.sockets, group...)
			s.mu.Unlock()
		}
		return nil
	}
	if err := listen(config.UDP, config.Shards, s.fromClients); err != nil {
		return nil, err
	}
	if err := listen(config.DTLS, 1, s.fromSessions); err != nil {
		return nil, err
	}
	for _, a := range config.TCP {
		if err := s.listen(a, turn.TCP, nil); err != nil {
			return nil, err
		}
	}
	for _, a := range config.TLS {
		// A ticket behind the handshake is of no use to a client that stays, and confuses
		// coturn's.
		config := &tls.Config{Certificates: []tls.Certificate{*config.Certificate}, MinVersion: tls.VersionTLS12, SessionTicketsDisabled: true}
		if err := s.listen(a, turn.TLS, withProtocols(config)); err != nil {
			return nil, err
		}
	}
	if len(s.sockets)+len(s.listeners) == 0 {
		return nil, errors.New("relay: there is no address to listen on")
	}
	return s, nil
}

// protocols are what clients may name in ALPN: RFC 7443, Section 3.
var protocols = []string{"stun.turn", "stun.nat-discovery"}

// withProtocols lets clients name the protocol that they want (ALPN, RFC 7301). Who names
// only others, such as that of a web server to get past a firewall, is served all the same.
func withProtocols(config *tls.Config) *tls.Config {
	named := config.Clone()
	named.NextProtos = protocols
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if slices.ContainsFunc(hello.SupportedProtos, func(p string) bool { return slices.Contains(protocols, p) }) {
			return named, nil
		}
		return nil, nil
	}
	return config
}

// expand puts the host's addresses in the place of the unspecified one: an answer must
// leave from the address that was asked.
func expand(addresses []netip.AddrPort) (all []netip.AddrPort) {
	for _, a := range addresses {
		if !a.Addr().IsUnspecified() {
			all = append(all, a)
			continue
		}
		own := append(udp.HostAddresses(), netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback())
		taken := map[netip.Addr]bool{}
		for _, host := range own {
			if host.Is4() == a.Addr().Is4() && !taken[host] {
				taken[host] = true
				all = append(all, netip.AddrPortFrom(host, a.Port()))
			}
		}
	}
	return all
}

// Addresses are where clients come in: of UDP and DTLS, and of the listeners of TCP and TLS.
func (s *Server) Addresses() (datagrams, streams []netip.AddrPort) {
	for _, group := range s.groups {
		datagrams = append(datagrams, group[0].Local())
	}
	for _, l := range s.listeners {
		streams = append(streams, addrPort(l.Addr()))
	}
	return datagrams, streams
}

// Stats returns the core's counters.
func (s *Server) Stats() turn.Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.core.Stats()
}

// Drain takes no new allocations; the channel is closed when the last one has ended.
func (s *Server) Drain() <-chan struct{} {
	b := s.enter()
	s.core.Drain(b.now)
	s.leave(b)
	return s.drained
}

// warn logs what may happen again and again, but once a minute: who is refused does not
// fill the disk. It is called with the server locked.
func (s *Server) warn(now time.Time, text string, args ...any) {
	if last, given := s.warned[text]; !given || now.Sub(last) >= time.Minute {
		s.warned[text] = now
		s.config.Log.Warn(text, args...)
	}
}

// Close ends the service at once.
func (s *Server) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	if s.timer != nil {
		s.timer.Stop()
	}
	relays := s.relays
	s.relays = nil
	var connections []*connection
	for c := range s.connections {
		connections = append(connections, c)
	}
	s.mu.Unlock()
	var failed error
	for _, l := range s.listeners {
		failed = errors.Join(failed, l.Close())
	}
	for _, r := range relays {
		failed = errors.Join(failed, r.Close())
	}
	for _, c := range connections {
		c.conn.Close()
	}
	b := s.enter()
	for id := range s.peers {
		s.closePeer(b, id)
	}
	s.leave(b)
	s.running.Wait()
	for _, socket := range s.sockets {
		failed = errors.Join(failed, socket.Close())
	}
	return failed
}

// addrPort is a net.Addr of TCP as a netip.AddrPort.
func addrPort(a net.Addr) netip.AddrPort {
	if t, ok := a.(*net.TCPAddr); ok {
		ap := t.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port())
	}
	return netip.AddrPort{}
}
