package peerconnection

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/plainrtc/plainrtc/ice"
)

// A TCPMux is a set of listening TCP sockets, one for each local address, at which the peers of
// many connections arrive: each address is a passive candidate of theirs (RFC 6544). Peers
// that cannot use UDP come here, browsers among them.
//
// Whom a connection is for says its first message, which must be a connectivity check, in
// its USERNAME. Who does not say it in time, or says something else, has to go.
type TCPMux struct {
	listeners []*net.TCPListener
	claimFor  time.Duration
	running   sync.WaitGroup

	mu      sync.Mutex
	ufrags  map[string]*PeerConnection
	members map[*PeerConnection][]string // their ufrags
	silent  map[net.Conn]netip.Addr      // those that have not said whom they are for
	closed  bool
}

const (
	// claimFor is how long a connection has to say whom it is for.
	claimFor = 5 * time.Second
	// maxSilent is how many may be silent at a time, and maxSilentFrom from one address.
	maxSilent, maxSilentFrom = 256, 16
	// maxClaim is how large a first message may be: checks have some 150 bytes.
	maxClaim = 1200
)

// ListenTCPMux opens listening sockets: one at each of the given addresses, which are as those of
// [ListenUDPMux]. The connections that are to have them are told in [Config].
func ListenTCPMux(addresses ...netip.AddrPort) (*TCPMux, error) {
	return listenTCPMux(claimFor, addresses, nil)
}

// listenTCPMux may be told of something to do with each socket before it is bound.
func listenTCPMux(claimFor time.Duration, addresses []netip.AddrPort, control func(string, string, syscall.RawConn) error) (*TCPMux, error) {
	config := net.ListenConfig{Control: control}
	m := &TCPMux{
		claimFor: claimFor, ufrags: make(map[string]*PeerConnection), members: make(map[*PeerConnection][]string), silent: make(map[net.Conn]netip.Addr),
	}
	var failed error
	for _, a := range expand(addresses) {
		network := "tcp4"
		if a.Addr().Is6() {
			network = "tcp6"
		}
		l, err := config.Listen(context.Background(), network, a.String())
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		m.listeners = append(m.listeners, l.(*net.TCPListener))
	}
	if len(m.listeners) == 0 {
		if failed == nil {
			failed = errors.New("the host has no address")
		}
		return nil, fmt.Errorf("peerconnection: no TCP socket could be opened: %w", failed)
	}
	for _, l := range m.listeners {
		m.running.Go(func() { m.accept(l) })
	}
	return m, nil
}

// Addresses are the local addresses of the sockets.
func (m *TCPMux) Addresses() []netip.AddrPort {
	all := make([]netip.AddrPort, len(m.listeners))
	for i, l := range m.listeners {
		all[i] = addrPortOf(l.Addr())
	}
	return all
}

// Close closes the listening sockets. Connections that were accepted for somebody go on.
func (m *TCPMux) Close() error {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return nil
	}
	m.closed = true
	for conn := range m.silent {
		conn.Close()
	}
	m.mu.Unlock()
	var failed error
	for _, l := range m.listeners {
		failed = errors.Join(failed, l.Close())
	}
	m.running.Wait()
	return failed
}

func (m *TCPMux) accept(l *net.TCPListener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			m.mu.Lock()
			closed := m.closed
			m.mu.Unlock()
			if closed {
				return
			}
			time.Sleep(50 * time.Millisecond) // out of descriptors, perhaps
			continue
		}
		if !m.admit(conn) {
			conn.Close()
			continue
		}
		go m.serve(conn)
	}
}

// admit counts in a connection that has not said whom it is for, if there are not too many.
func (m *TCPMux) admit(conn net.Conn) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	from, same := addrPortOf(conn.RemoteAddr()).Addr(), 0
	for _, other := range m.silent {
		if other == from {
			same++
		}
	}
	if m.closed || len(m.silent) >= maxSilent || same >= maxSilentFrom {
		return false
	}
	m.silent[conn] = from
	return true
}

// serve learns whom a connection is for, and is its reader from then on.
func (m *TCPMux) serve(conn net.Conn) {
	conn.SetReadDeadline(time.Now().Add(m.claimFor))
	first, err := readFirst(conn)
	ufrag, isCheck := requestUfrag(first[min(2, len(first)):])
	m.mu.Lock()
	delete(m.silent, conn)
	pc := m.ufrags[string(ufrag)]
	m.mu.Unlock()
	if err != nil || !isCheck || pc == nil {
		conn.Close()
		return
	}
	conn.SetReadDeadline(time.Time{})
	path := ice.Path{Protocol: ice.TCP, Local: addrPortOf(conn.LocalAddr()), Remote: addrPortOf(conn.RemoteAddr())}
	s := &stream{pc: pc, path: path, peer: true, conn: conn}
	if !pc.acceptStream(s, first[2:]) {
		conn.Close()
		return
	}
	s.read()
}

// readFirst reads one frame, with its length in front and nothing of what follows.
func readFirst(conn net.Conn) ([]byte, error) {
	b := make([]byte, 2, 2+160)
	if _, err := io.ReadFull(conn, b); err != nil {
		return nil, err
	}
	size := int(binary.BigEndian.Uint16(b))
	if size > maxClaim {
		return nil, errors.New("that is no check")
	}
	b = append(b, make([]byte, size)...)
	_, err := io.ReadFull(conn, b[2:])
	return b, err
}

// acceptStream takes a connection that the peer has opened, with its first check.
func (pc *PeerConnection) acceptStream(s *stream, check []byte) bool {
	now := pc.enter()
	defer pc.leave(now)
	if other := pc.streams[s.path]; pc.isClosed || other != nil && other.isOpen() {
		return false
	}
	pc.hangUp(s.path) // both dialled, and the peer was first
	pc.addStream(s)
	pc.core.connected(now, s.path)
	pc.core.Receive(now, s.path, check)
	return true
}

// register makes connections for ufrag come to pc.
func (m *TCPMux) register(pc *PeerConnection, ufrag string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch other := m.ufrags[ufrag]; {
	case m.closed:
		return errors.New("peerconnection: the TCPMux is closed")
	case other == pc:
		return nil
	case other != nil:
		return errors.New("peerconnection: another connection of the TCPMux has the same ufrag by chance: try again")
	}
	mine := m.members[pc]
	if len(mine) == 2 { // as in UDPMux.register
		delete(m.ufrags, mine[0])
		mine = mine[1:]
	}
	m.ufrags[ufrag] = pc
	m.members[pc] = append(mine[:len(mine):len(mine)], ufrag)
	return nil
}

// forget takes everything of pc's out of the mux.
func (m *TCPMux) forget(pc *PeerConnection) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, ufrag := range m.members[pc] {
		delete(m.ufrags, ufrag)
	}
	delete(m.members, pc)
}

func addrPortOf(a net.Addr) netip.AddrPort {
	at := a.(*net.TCPAddr).AddrPort()
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
}
