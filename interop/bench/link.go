package main

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A link is a path between two peers of this process that takes its time: a
// relay with one socket for each to talk to. What a sends to toZ leaves later
// from toA, and reaches z as if it came from there; and the other way round.
// It is the same for every stack: it sees packets, and knows no implementation.
type link struct {
	delay    time.Duration // one way
	toZ, toA *net.UDPConn  // what a sees as z, and what z sees as a
	a, z     atomic.Pointer[netip.AddrPort]
	first    atomic.Int64 // when the first packet came, in Unix nanoseconds
	packets  atomic.Int64
	wg       sync.WaitGroup
}

func newLink(delay time.Duration) (*link, error) {
	l := &link{delay: delay}
	var err error
	if l.toZ, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
		return nil, err
	}
	if l.toA, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
		return nil, err
	}
	l.wg.Go(func() { l.carry(l.toZ, &l.a, l.toA, &l.z) })
	l.wg.Go(func() { l.carry(l.toA, &l.z, l.toZ, &l.a) })
	return l, nil
}

// fromA and fromZ change the description of a, or z, on its way to the other:
// its candidates are the link's. A nil link changes nothing.
func (l *link) fromA(sdp string) string {
	if l == nil {
		return sdp
	}
	return l.replaceCandidates(sdp, &l.a, l.toA)
}

func (l *link) fromZ(sdp string) string {
	if l == nil {
		return sdp
	}
	return l.replaceCandidates(sdp, &l.z, l.toZ)
}

// replaceCandidates leaves the first candidate of a description, with socket's
// address for its own, which becomes where the link sends to.
func (l *link) replaceCandidates(sdp string, peer *atomic.Pointer[netip.AddrPort], socket *net.UDPConn) string {
	var out strings.Builder
	for line := range strings.Lines(sdp) {
		// candidate:foundation component protocol priority address port typ host …
		f := strings.Fields(line)
		if strings.HasPrefix(line, "a=candidate:") && len(f) > 7 {
			ip, err := netip.ParseAddr(f[4])
			port, err2 := strconv.ParseUint(f[5], 10, 16)
			if peer.Load() != nil || err != nil || err2 != nil || f[1] != "1" || !strings.EqualFold(f[2], "udp") {
				continue
			}
			addr := netip.AddrPortFrom(ip, uint16(port))
			peer.Store(&addr)
			ours := socket.LocalAddr().(*net.UDPAddr).AddrPort()
			f[4], f[5] = ours.Addr().Unmap().String(), strconv.Itoa(int(ours.Port()))
			line = strings.Join(f, " ") + "\r\n"
		}
		out.WriteString(line)
	}
	return out.String()
}

// carry passes on what in receives from the peer from, out to the peer to.
func (l *link) carry(in *net.UDPConn, from *atomic.Pointer[netip.AddrPort], out *net.UDPConn, to *atomic.Pointer[netip.AddrPort]) {
	type packet struct {
		due time.Time
		b   []byte
	}
	onTheWay := make(chan packet, 10_000)
	defer close(onTheWay)
	l.wg.Go(func() {
		for p := range onTheWay {
			time.Sleep(time.Until(p.due))
			if addr := to.Load(); addr != nil {
				out.WriteToUDPAddrPort(p.b, *addr)
			}
		}
	})
	b := make([]byte, 65536)
	for {
		n, _, err := in.ReadFromUDPAddrPort(b)
		now := time.Now()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // such as a refusal by a socket that is closed by now
		}
		l.packets.Add(1)
		l.first.CompareAndSwap(0, now.UnixNano())
		onTheWay <- packet{now.Add(l.delay), append([]byte(nil), b[:n]...)}
	}
}

func (l *link) close() {
	l.toZ.Close()
	l.toA.Close()
	l.wg.Wait()
}
