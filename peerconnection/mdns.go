package peerconnection

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/plainrtc/plainrtc/internal/mdns"
	"github.com/plainrtc/plainrtc/internal/udp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// A multicaster is the process's door to multicast DNS: it resolves the names that
// peers tell instead of their addresses, and answers for ours. All connections share
// one. While it is idle it has no socket, and while it has, a goroutine reads each of
// the two: one a family.
type multicaster struct {
	mu      sync.Mutex
	host    mdns.Host
	askers  map[string][]func(name string, addr netip.Addr)
	sockets *multicastSockets // nil while idle
	timer   *time.Timer
}

// theMulticaster is the one of the process.
var theMulticaster multicaster

// resolve finds out the address of a name and tells it: at once or from another
// goroutine, and within seconds. None, if it is not valid.
func (m *multicaster) resolve(name string, tell func(name string, addr netip.Addr)) {
	now := m.enter()
	if m.askers == nil {
		m.askers = map[string][]func(string, netip.Addr){}
	}
	m.askers[name] = append(m.askers[name], tell)
	m.host.Lookup(now, name)
	m.leave()
}

// register answers for a name from now on. It calls nobody, and may be called with locks held.
func (m *multicaster) register(name string, addr netip.Addr) {
	m.enter()
	m.host.Register(name, addr)
	m.leave()
}

// withdraw no longer does.
func (m *multicaster) withdraw(name string) {
	m.enter()
	m.host.Withdraw(name)
	m.leave()
}

// nameResolved is the door for what a name of the peer's resolves to.
func (pc *PeerConnection) nameResolved(name string, addr netip.Addr) {
	now := pc.enter()
	if !pc.isClosed {
		pc.core.nameResolved(now, name, addr)
	}
	pc.leave(now)
}

// answerForNames has questions for our names answered. The caller has entered.
func (pc *PeerConnection) answerForNames() {
	if h := pc.core.hiding; h != nil {
		for _, o := range h.ours[h.answered:] {
			pc.multicast.register(o.name, o.addr)
		}
		h.answered = len(h.ours)
	}
}

func (pc *PeerConnection) withdrawNames() {
	if h := pc.core.hiding; h != nil {
		for _, o := range h.ours[:h.answered] {
			pc.multicast.withdraw(o.name)
		}
		h.answered = 0
	}
}

func (m *multicaster) enter() time.Time {
	m.mu.Lock()
	return time.Now()
}

// leave sends what there is to send, opens or closes the sockets, sets the timer,
// unlocks, and tells those who have asked.
func (m *multicaster) leave() {
	if m.sockets == nil && !m.host.Idle() {
		// Where it can't be opened, lookups end in vain, as on a network without
		// multicast: nobody is to learn which.
		m.sockets = openMulticast(m)
	}
	for b, to := m.host.AppendPacket(nil); len(b) > 0; b, to = m.host.AppendPacket(nil) {
		m.sockets.send(b, to)
	}
	type telling struct {
		tell []func(string, netip.Addr)
		mdns.Resolved
	}
	var tellings []telling
	for e, ok := m.host.NextEvent(); ok; e, ok = m.host.NextEvent() {
		if r, ok := e.(mdns.Resolved); ok {
			tellings = append(tellings, telling{m.askers[r.Name], r})
			delete(m.askers, r.Name)
		}
	}
	if m.timer != nil {
		m.timer.Stop()
	}
	if next := m.host.NextTimeout(); !next.IsZero() {
		m.timer = time.AfterFunc(time.Until(next), m.timeout)
	}
	if m.host.Idle() {
		m.sockets.close()
		m.sockets = nil
	}
	m.mu.Unlock()
	for _, t := range tellings {
		for _, tell := range t.tell {
			tell(t.Name, t.Addr)
		}
	}
}

func (m *multicaster) timeout() {
	now := m.enter()
	m.host.Advance(now)
	m.leave()
}

func (m *multicaster) receive(from netip.AddrPort, b []byte) {
	now := m.enter()
	m.host.Receive(now, from, b)
	m.leave()
}

// multicastSockets are the two sockets of a multicaster. A nil one sends nothing.
type multicastSockets struct {
	conns [len(mdns.Groups)]*net.UDPConn // nil: the host has none of the family
	v4    *ipv4.PacketConn
	v6    *ipv6.PacketConn
	links []net.Interface
	watch *udp.Watcher
}

// maxMulticastLinks bounds on how many links a message is sent.
const maxMulticastLinks = 16

func openMulticast(m *multicaster) *multicastSockets {
	s := &multicastSockets{}
	for i, network := range [...]string{"udp4", "udp6"} {
		// The port is shared with other programs, and bound on all addresses.
		conn, err := net.ListenUDP(network, net.UDPAddrFromAddrPort(mdns.Groups[i]))
		if err != nil {
			continue
		}
		s.conns[i] = conn
		// "All Multicast DNS responses (including responses sent via unicast) SHOULD be sent
		// with IP TTL set to 255." RFC 6762, Section 11. Other programs on this host are to
		// hear them, too.
		var read func([]byte) (int, net.Addr, bool, error)
		if i == 0 {
			s.v4 = ipv4.NewPacketConn(conn)
			s.v4.SetMulticastTTL(255)
			s.v4.SetMulticastLoopback(true)
			s.v4.SetControlMessage(ipv4.FlagDst, true)
			read = func(b []byte) (int, net.Addr, bool, error) {
				n, c, from, err := s.v4.ReadFrom(b)
				return n, from, c == nil || c.Dst == nil || c.Dst.IsMulticast(), err
			}
		} else {
			s.v6 = ipv6.NewPacketConn(conn)
			s.v6.SetMulticastHopLimit(255)
			s.v6.SetMulticastLoopback(true)
			s.v6.SetControlMessage(ipv6.FlagDst, true)
			read = func(b []byte) (int, net.Addr, bool, error) {
				n, c, from, err := s.v6.ReadFrom(b)
				return n, from, c == nil || c.Dst == nil || c.Dst.IsMulticast(), err
			}
		}
		go m.read(read)
	}
	s.watch = udp.Watch(func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.sockets.join()
	})
	s.join()
	return s
}

// join has the sockets hear what is said on every link.
func (s *multicastSockets) join() {
	if s == nil {
		return
	}
	s.links = nil
	all, _ := net.Interfaces()
	for _, link := range all {
		if link.Flags&net.FlagUp == 0 || link.Flags&(net.FlagMulticast|net.FlagLoopback) == 0 || len(s.links) == maxMulticastLinks {
			continue
		}
		s.links = append(s.links, link)
		if s.v4 != nil {
			s.v4.JoinGroup(&link, net.UDPAddrFromAddrPort(mdns.Groups[0]))
		}
		if s.v6 != nil {
			s.v6.JoinGroup(&link, net.UDPAddrFromAddrPort(mdns.Groups[1]))
		}
	}
}

// read reads from a socket until that is closed.
func (m *multicaster) read(read func([]byte) (int, net.Addr, bool, error)) {
	b := make([]byte, 9000)
	for {
		n, from, multicast, err := read(b)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(10 * time.Millisecond) // should the error stay, it shall not eat a processor
			continue
		}
		// What was sent to this host alone may come from anywhere. RFC 6762, Section 11.
		if from, ok := from.(*net.UDPAddr); ok && multicast {
			m.receive(from.AddrPort(), b[:n])
		}
	}
}

// send sends a message to one, or to everybody on every link.
func (s *multicastSockets) send(b []byte, to netip.AddrPort) {
	if s == nil {
		return
	}
	if to.IsValid() {
		for i, conn := range s.conns {
			if conn != nil && to.Addr().Unmap().Is4() == (i == 0) {
				conn.WriteToUDPAddrPort(b, to)
			}
		}
		return
	}
	for _, link := range s.links {
		if s.v4 != nil && s.v4.SetMulticastInterface(&link) == nil {
			s.conns[0].WriteToUDPAddrPort(b, mdns.Groups[0])
		}
		if s.v6 != nil && s.v6.SetMulticastInterface(&link) == nil {
			s.conns[1].WriteToUDPAddrPort(b, mdns.Groups[1])
		}
	}
}

func (s *multicastSockets) close() {
	if s == nil {
		return
	}
	s.watch.Close()
	for _, conn := range s.conns {
		if conn != nil {
			conn.Close()
		}
	}
}
