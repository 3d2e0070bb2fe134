package turn

import (
	"net/netip"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/stun"
)

func TestSession(t *testing.T) {
	for name, c := range map[string]struct {
		server ServerConfig
		client ClientConfig
		peer   netip.AddrPort
	}{
		"SHA-256 and USERHASH": {peer: peerAddr},
		"MD5 of old":           {server: ServerConfig{Algorithms: []stun.PasswordAlgorithm{stun.AlgorithmMD5}}, peer: peerAddr},
		"MD5 offered first": {server: ServerConfig{Algorithms: []stun.PasswordAlgorithm{stun.AlgorithmMD5, stun.AlgorithmSHA256}},
			peer: peerAddr},
		"time-limited": {server: ServerConfig{Secrets: []string{"old", "new"}}, peer: peerAddr,
			client: ClientConfig{Username: "1767225700:alice", Password: TimeLimitedPassword("new", "1767225700:alice")}},
		"TCP":  {client: ClientConfig{Stream: true}, peer: peerAddr},
		"IPv6": {server: ServerConfig{IPv6: true}, client: ClientConfig{Family: IPv6}, peer: peer6},
		"both": {server: ServerConfig{IPv6: true}, client: ClientConfig{Family: BothFamilies}, peer: peer6},
	} {
		t.Run(name, func(t *testing.T) {
			w := allocated(t, c.server, c.client)
			e, ok := has[Allocated](w)
			if !ok || e.Mapped != clientAddr || e.Lifetime != defaultLifetime {
				t.Fatalf("allocated: %+v", e)
			}
			if w.send(c.peer, "nobody may yet") || w.hear(c.peer, "nobody may yet") {
				t.Fatal("data passes without a permission")
			}
			w.permit(c.peer)
			if !w.send(c.peer, "indication") || !w.hear(c.peer, "an indication back") {
				t.Fatal("no indication passes")
			}
			w.bind(c.peer)
			if e, _ := has[ChannelBound](w); e.Number != minChannel || e.Peer != c.peer {
				t.Fatalf("channel bound: %+v", e)
			}
			if !w.send(c.peer, "channel") || !w.hear(c.peer, "a channel back") {
				t.Fatal("no channel data passes")
			}
			// An hour with a word a minute: refreshes, renewals, nonces.
			for range 70 {
				w.pass(time.Minute)
				if !w.send(c.peer, "still here") || !w.hear(c.peer, "me too") {
					t.Fatalf("after %v nothing passes: %v", w.now.Sub(start), w.Err())
				}
			}
			w.Close(w.now)
			w.talk()
			if _, ok := has[Closed](w); !ok || w.Err() != nil || len(w.host.open) != 0 || w.host.Stats().Allocations != 0 {
				t.Errorf("closed: %v %v, %d relays are open", ok, w.Err(), len(w.host.open))
			}
		})
	}
}
