package peerconnection

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/internal/relay"
	"github.com/plainrtc/plainrtc/turn"
)

// listenRelay runs a TURN server on loopback.
func listenRelay(t *testing.T) (s *relay.Server, addr netip.AddrPort) {
	t.Helper()
	s, err := relay.Listen(relay.Config{
		Turn: turn.ServerConfig{
			Realm: "example.org", Users: map[string]string{"alice": "wonderland"},
			AllowedPeers: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		},
		UDP:    []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")},
		Relays: []netip.Addr{netip.MustParseAddr("127.0.0.1")},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	addresses, _ := s.Addresses()
	return s, addresses[0]
}

// withRelay is a Config whose every path goes over the server.
func withRelay(url string) Config {
	return Config{
		ICEServers:         []ICEServer{{URLs: []string{url}, Username: "alice", Credential: "wonderland"}},
		ICETransportPolicy: ICETransportRelay,
	}
}

// Two connections that may meet at a TURN server only. Each tells the other
// nothing but its relayed address; when they are closed, the server has nothing
// of theirs any more. The second time the server has a name, and the third time both
// share one socket with others, which is not the one that the server sees.
func TestRelayOnly(t *testing.T) {
	server, addr := listenRelay(t)
	url := "turn:" + addr.String() + "?transport=udp"
	mux := func() *UDPMux {
		m, err := ListenUDPMux(netip.MustParseAddrPort("127.0.0.1:0"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { m.Close() })
		return m
	}
	for _, test := range []struct {
		name string
		a, z Config
	}{
		{"address", withRelay(url), withRelay(url)},
		{"name", withRelay(strings.Replace(url, "127.0.0.1", "localhost", 1)), withRelay(url)},
		{"shared", func() Config { c := withRelay(url); c.Mux = mux(); return c }(), func() Config { c := withRelay(url); c.Mux = mux(); return c }()},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			a, z := newPeer(t, test.a), newPeer(t, test.z)
			da, dz := connect(t, ctx, a, z)
			if err := da.SendText("over the relay"); err != nil {
				t.Fatal(err)
			}
			if m, err := dz.ReadMessage(ctx); err != nil || string(m.Data) != "over the relay" {
				t.Fatalf("received %q, %v", m.Data, err)
			}
			for _, pc := range []*PeerConnection{a, z} {
				sdp := pc.LocalDescription().SDP
				if strings.Contains(sdp, " typ host") || !strings.Contains(sdp, " typ relay raddr 0.0.0.0 rport 0") {
					t.Errorf("the local description has other candidates:\n%s", sdp)
				}
				stats := pc.Stats()
				for _, c := range stats.LocalCandidates {
					if c.CandidateType != "relay" || c.RelayProtocol != "udp" || !strings.HasPrefix(c.URL, "turn:") {
						t.Errorf("candidate %+v", c)
					}
				}
			}
			if n := server.Stats().Allocations; n != 2 {
				t.Errorf("the server has %d allocations", n)
			}
			a.Close()
			z.Close()
			for server.Stats().Allocations > 0 && ctx.Err() == nil {
				time.Sleep(time.Millisecond)
			}
			if n := server.Stats().Allocations; n != 0 {
				t.Errorf("after Close the server has %d allocations", n)
			}
		})
	}
}

// Connections that share a socket ask the same server from it: each gets its answer,
// and finds nothing new in it here. One that asks nobody who answers closes without
// delay, its names unresolved.
func TestStunOnASharedSocket(t *testing.T) {
	_, addr := listenRelay(t)
	m, err := ListenUDPMux(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second) // before servers are given up
	defer cancel()
	var pcs []*PeerConnection
	for range 5 {
		pc := newPeer(t, Config{Mux: m, ICEServers: []ICEServer{{URLs: []string{"stun:" + addr.String()}}}})
		pcs = append(pcs, pc)
		if _, err := pc.CreateDataChannel("test", nil); err != nil {
			t.Fatal(err)
		}
		if err := pc.SetLocalDescription(SessionDescription{}); err != nil {
			t.Fatal(err)
		}
	}
	for i, pc := range pcs {
		if err := pc.GatheringComplete(ctx); err != nil {
			t.Errorf("connection %d: %v", i, err)
		}
		pc.Close()
	}
	if len(m.asked) != 0 {
		t.Errorf("%d transactions of closed connections are remembered", len(m.asked))
	}
	pc := newPeer(t, Config{Addresses: loopback, ICEServers: []ICEServer{{URLs: []string{"stun:does-not-exist.invalid"}}}})
	if _, err := pc.CreateDataChannel("test", nil); err != nil {
		t.Fatal(err)
	}
	if err := pc.SetLocalDescription(SessionDescription{}); err != nil {
		t.Fatal(err)
	}
	pc.Close()
}
