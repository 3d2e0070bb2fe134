package peerconnection

import (
	"context"
	"crypto/rand"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/internal/mdns"
	"golang.org/x/net/ipv4"
)

// multicastWorks reports whether this host hears itself on a group: there are
// containers where it does not. Then the tests of this file say so.
func multicastWorks(t *testing.T) bool {
	t.Helper()
	group := &net.UDPAddr{IP: net.IPv4(224, 0, 0, 251), Port: 15353}
	conn, err := net.ListenUDP("udp4", group)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	p := ipv4.NewPacketConn(conn)
	p.SetMulticastLoopback(true)
	links, _ := net.Interfaces()
	for _, link := range links {
		if link.Flags&net.FlagUp != 0 && p.JoinGroup(&link, group) == nil && p.SetMulticastInterface(&link) == nil {
			p.WriteTo([]byte("?"), nil, group)
		}
	}
	conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, _, err := conn.ReadFrom(make([]byte, 100)); err != nil {
		t.Logf("NOT RUN: this host does not hear its own multicasts (%v): no name can be resolved here", err)
		return false
	}
	return true
}

func newTestName() string {
	var random [16]byte
	rand.Read(random[:])
	return mdns.NewName(random)
}

// Two processes on paper: each has sockets of its own.
func TestMulticast(t *testing.T) {
	if !multicastWorks(t) {
		return
	}
	var one, other multicaster
	type answer struct {
		name string
		addr netip.Addr
	}
	answers := make(chan answer, 4)
	tell := func(name string, addr netip.Addr) { answers <- answer{name, addr} }
	name, v6 := newTestName(), newTestName()
	want := map[string]netip.Addr{name: netip.MustParseAddr("192.0.2.77"), v6: netip.MustParseAddr("2001:db8::77")}
	one.register(name, want[name])
	one.register(v6, want[v6])
	for name := range want {
		other.resolve(name, tell)
	}
	ctx := within(t, 60*time.Second)
	for range want {
		var a answer
		select {
		case a = <-answers:
		case <-ctx.Done():
			t.Fatal(context.Cause(ctx))
		}
		if a.addr != want[a.name] {
			t.Errorf("%s is told to be at %v, not at %v", a.name, a.addr, want[a.name])
		}
	}
	one.withdraw(name)
	one.withdraw(v6)
	for _, m := range []*multicaster{&one, &other} {
		m.mu.Lock()
		if m.sockets != nil {
			t.Error("nothing is asked or answered any more, and there are sockets")
		}
		m.mu.Unlock()
	}
}

// Two connections that hide their addresses: no description has one, and the
// pair they settle on is the one of their names, not of what checks revealed. What
// answers for the names ends with the connections.
func TestHideHostAddresses(t *testing.T) {
	if !multicastWorks(t) {
		return
	}
	before := runtime.NumGoroutine()
	ctx := within(t, 60*time.Second)
	var pcs [2]*PeerConnection
	var lans [2]multicaster
	for i := range pcs {
		pcs[i] = newPeer(t, Config{HideHostAddresses: true})
		pcs[i].multicast = &lans[i]
	}
	connect(t, ctx, pcs[0], pcs[1])
	for i, pc := range pcs {
		text := pc.LocalDescription().SDP
		for _, a := range pc.mux.addresses() {
			if strings.Contains(text, " "+a.Addr().String()+" ") {
				t.Errorf("the description tells the address %v:\n%s", a.Addr(), text)
			}
		}
		if !strings.Contains(text, ".local ") || !strings.Contains(text, "m=application 9 ") || !strings.Contains(text, "c=IN IP4 0.0.0.0\r\n") {
			t.Errorf("the description has no name for a candidate, or a default candidate:\n%s", text)
		}
		for { // until it is so
			stats := pc.Stats()
			var remote ICECandidateStats
			for _, p := range stats.CandidatePairs {
				for _, c := range stats.RemoteCandidates {
					if p.Selected && c.ID == p.RemoteCandidateID {
						remote = c
					}
				}
			}
			if remote.CandidateType == "host" && mdns.IsName(remote.Address) && strings.Contains(pcs[1-i].LocalDescription().SDP, remote.Address) {
				break
			}
			if ctx.Err() != nil {
				t.Fatalf("data goes to the candidate %+v, which is not of a name", remote)
			}
			time.Sleep(10 * time.Millisecond)
		}
		stats := pc.Stats()
		for _, c := range append(stats.LocalCandidates, stats.RemoteCandidates...) {
			if c.Address != "" && !mdns.IsName(c.Address) {
				t.Errorf("statistics tell the address of %+v", c)
			}
		}
	}
	for _, pc := range pcs {
		pc.Close()
	}
	for n := runtime.NumGoroutine(); n > before; n = runtime.NumGoroutine() {
		if ctx.Err() != nil {
			t.Fatalf("%d goroutines are left of %d", n, before)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
