package netns

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// Two hosts without a NAT whose firewalls let out TCP alone, and nothing in that was not asked for, and
// there is no server: they open a connection from both ends at once.
func TestSimultaneousOpen(t *testing.T) {
	t.Parallel()
	ctx, l := testContext(t), newLab(t)
	guarded := func() *Namespace {
		h := l.host()
		err := h.Run(`
table ip guard {
	chain in {
		type filter hook input priority filter;
		meta l4proto udp drop
		iifname != "lo" ct state new drop
	}
}
`, "nft", "-f", "-")
		if err != nil {
			t.Fatal(err)
		}
		return h.Namespace
	}
	near := newRemote(t, guarded(), settings{Open: true})
	far := newRemote(t, guarded(), settings{Open: true, Echo: true})
	after := call(t, ctx, near, far, near)
	if _, err := near.transfer(ctx, transfer{Size: 1 << 20}); err != nil {
		t.Fatal(err)
	}
	near.alive(t, ctx)
	t.Logf("connected after %v: %s", after, near.path(t, ctx))
}

// Firewalls that let little out: the peers have every transport of the server to choose from, and
// find the one that works.
func TestFirewalls(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		near, far Firewall
		over      []string // how the near one may reach the server; better first, and sooner mostly
	}{
		{NoUDP, Open, []string{"tcp", "tls"}},
		{Only443, Open, []string{"tls"}},
		{Only443, NoUDP, []string{"tls"}},
	} {
		t.Run(string(c.near)+" to "+string(c.far), func(t *testing.T) {
			t.Parallel()
			ctx, l := testContext(t), newLab(t)
			l.serve(l.certificate()...)
			servers := iceServers(l.url("udp"), l.url("tcp"), l.url("tls"))
			near := newRemote(t, l.site(Router{NAT: Cone, Firewall: c.near}).Namespace, settings{Servers: servers}, l.trust)
			far := newRemote(t, l.site(Router{NAT: Cone, Firewall: c.far}).Namespace, settings{Servers: servers, Echo: true}, l.trust)
			after := call(t, ctx, near, far, near)
			done, err := near.transfer(ctx, transfer{Size: 1 << 20})
			if err != nil {
				t.Fatal(err)
			}
			near.alive(t, ctx)
			path := near.path(t, ctx)
			t.Logf("connected after %v: %s; 1 MiB there and back in %v", after, path, done.Took.Round(time.Millisecond))
			reached := slices.ContainsFunc(c.over, func(over string) bool { return strings.Contains(path, "over "+over) })
			if !strings.Contains(path, "relay") || !reached {
				t.Errorf("the path is %s; it should be relayed over %s", path, strings.Join(c.over, " or "))
			}
		})
	}
}
