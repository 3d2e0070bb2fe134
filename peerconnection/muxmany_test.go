package peerconnection

import (
	"crypto/rand"
	"flag"
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/dtls"
	"github.com/plainrtc/plainrtc/ice"
	"github.com/plainrtc/plainrtc/internal/udp"
)

var muxConnections = flag.Int("mux.connections", 100, "how many connections TestManyOnOnePort has on one socket")

// Many connections on one UDP port: each is told from the others by its ufrag while it
// connects, and by its peer's address from then on. The peers have a port each. With
// -mux.connections 10000 it is a server's day.
func TestManyOnOnePort(t *testing.T) {
	n := *muxConnections
	ctx := within(t, 2*time.Minute+time.Duration(n)*100*time.Millisecond)
	mux, err := ListenUDPMux(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	defer mux.Close()
	certificate, err := dtls.GenerateCertificate(rand.Reader, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, began := heap(), time.Now()
	type call struct{ near, far *DataChannel }
	calls := make([]call, n)
	var ends []*PeerConnection
	// What became of the others says whether it is one of them that ails, or the machine.
	defer func() {
		if !t.Failed() {
			return
		}
		count := map[ConnectionState]int{}
		for _, pc := range ends {
			count[pc.ConnectionState()]++
		}
		t.Logf("after %v the ends that there are have these states: %v", time.Since(began), count)
	}()
	for i := range n {
		server, client := newPeer(t, Config{Mux: mux, Certificate: certificate}), newPeer(t, Config{Certificate: certificate})
		ends = append(ends, server, client)
		near, far := connect(t, within(t, time.Minute), client, server)
		calls[i] = call{near, far}
	}
	setUp := time.Since(began)
	mux.mu.RLock()
	members, routes := len(mux.members), len(mux.routes)
	mux.mu.RUnlock()
	t.Logf("%d connections on %v after %v, %.2f ms each; %d routes; %.1f kB of heap for both ends of each", n, mux.Addresses(), setUp,
		float64(setUp.Microseconds())/1000/float64(n), routes, float64(heap()-before)/1000/float64(n))
	if members != n || routes > 2*n {
		t.Errorf("the mux knows of %d connections and %d paths, where there are %d", members, routes, n)
	}
	ctx = within(t, time.Minute)
	// Each says its number to its own peer, and hears it back.
	began = time.Now()
	for i, c := range calls {
		if err := c.near.SendText(ordinal(i)); err != nil {
			t.Fatal(err)
		}
	}
	for i, c := range calls {
		m, err := c.far.ReadMessage(ctx)
		if err != nil || string(m.Data) != ordinal(i) {
			t.Fatalf("connection %d heard %q, %v: ends are %v and %v", i, m.Data, err, c.near.pc.ConnectionState(), c.far.pc.ConnectionState())
		}
		if err := c.far.SendText(ordinal(i)); err != nil {
			t.Fatal(err)
		}
	}
	for i, c := range calls {
		if m, err := c.near.ReadMessage(ctx); err != nil || string(m.Data) != ordinal(i) {
			t.Fatalf("connection %d heard back %q, %v: ends are %v and %v", i, m.Data, err, c.near.pc.ConnectionState(), c.far.pc.ConnectionState())
		}
	}
	t.Logf("a message there and back on each takes %v", time.Since(began))
}

func ordinal(i int) string { return fmt.Sprintf("number %d", i) }

// What it takes to find the connection of a packet does not depend on how many there are.
func BenchmarkRoute(b *testing.B) {
	for _, n := range []int{10, 1000, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			m := &UDPMux{ufrags: map[string]*PeerConnection{}, routes: map[ice.Path]route{}, members: map[*PeerConnection]*member{}}
			local := netip.MustParseAddrPort("192.0.2.1:5000")
			packets := make([]udp.Packet, n)
			for i := range packets {
				pc := &PeerConnection{}
				from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 40000)
				if err := m.register(pc, ordinal(i)); err != nil {
					b.Fatal(err)
				}
				m.learn(pc, ice.Path{Local: local, Remote: from}, sentData)
				packets[i] = udp.Packet{Data: sentData, From: from}
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if to := m.route(local, packets[i%n]); to[0] == nil {
					b.Fatal("nobody's")
				}
				i += 7919 // another one each time
			}
		})
	}
}
