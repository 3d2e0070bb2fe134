package netns

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// What befalls a call that goes on: it is talking meanwhile, and transfers what
// must arrive whole.

// a calm call: it has settled on a path, and messages go there and back.
func calm(t *testing.T, near, far *remote) (path string, after time.Duration) {
	t.Helper()
	ctx := testContext(t)
	after = call(t, ctx, near, far, near)
	near.alive(t, ctx)
	return near.path(t, ctx), after
}

// during has a transfer go on while f happens, and tells what became of the call.
func during(t *testing.T, near *remote, f func()) (pulse, string) {
	t.Helper()
	ctx := testContext(t)
	carried := make(chan error, 1)
	go func() {
		_, err := near.transfer(ctx, transfer{Size: 256 << 10, Rate: 128 << 10})
		carried <- err
	}()
	f()
	v := near.alive(t, ctx)
	if err := <-carried; err != nil {
		t.Errorf("the transfer: %v", err)
	}
	return v, near.path(t, ctx)
}

func (v pulse) String() string {
	return fmt.Sprintf("silent for %v, %d of %d messages lost", v.Silence.Round(time.Millisecond), max(0, v.Sent-v.Returned), v.Sent)
}

// A NAT forgets its flows and gives them other ports, and another address, too. The peer has no NAT:
// the next datagram tells it.
func TestRebinding(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.serve()
	site, other := l.site(Router{NAT: Cone}), l.host()
	near := newRemote(t, site.Namespace, settings{Servers: iceServers(l.url("udp"))})
	far := newRemote(t, other.Namespace, settings{Echo: true})
	before, after := calm(t, near, far)
	t.Logf("connected after %v: %s", after, before)
	for _, c := range []struct {
		what string
		do   func() error
	}{{"other ports", site.Rebind}, {"another address", site.Move}} {
		v, path := during(t, near, func() {
			if err := c.do(); err != nil {
				t.Fatal(err)
			}
		})
		t.Logf("%s: %v; %s", c.what, v, path)
	}
}

// The same where the peer is behind a NAT, too, which lets in nothing from an address that it does not
// know: the relay joins them, where allocations are lost as well that were another address's.
func TestRebindingBetweenNATs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what string
		do   func(*Site) error
	}{{"other ports", (*Site).Rebind}, {"another address", (*Site).Move}} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			l.serve()
			servers := iceServers(l.url("udp"))
			site := l.site(Router{NAT: Cone})
			near := newRemote(t, site.Namespace, settings{Servers: servers})
			far := newRemote(t, l.site(Router{NAT: Cone}).Namespace, settings{Servers: servers, Echo: true})
			before, after := calm(t, near, far)
			v, path := during(t, near, func() {
				if err := c.do(site); err != nil {
					t.Fatal(err)
				}
			})
			t.Logf("connected after %v: %s; %s: %v; %s", after, before, c.what, v, path)
		})
	}
}

// The TURN server that carries a call starts anew, at once or after a while, and has forgotten it. Both
// reach it over UDP, or one by a connection, which breaks.
func TestServerRestart(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		over     string
		firewall Firewall // before the near one
		away     time.Duration
	}{
		{"udp", Open, 0},
		{"udp", Open, 3 * time.Second},
		{"tcp", NoUDP, 0},
		{"tcp", NoUDP, 3 * time.Second},
	} {
		t.Run(fmt.Sprintf("over %s, away for %v", c.over, c.away), func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			l.serve()
			near := newRemote(t, l.site(Router{NAT: Symmetric, Firewall: c.firewall}).Namespace, settings{Servers: iceServers(l.url(c.over))})
			far := newRemote(t, l.site(Router{NAT: Symmetric}).Namespace, settings{Servers: iceServers(l.url("udp")), Echo: true})
			before, after := calm(t, near, far)
			v, path := during(t, near, func() {
				l.turn.End()
				time.Sleep(c.away)
				l.serve()
			})
			if !strings.Contains(before, "relay") || !strings.Contains(path, "relay") {
				t.Errorf("the path is %s, and later %s; it should be relayed", before, path)
			}
			t.Logf("connected after %v: %s; server restarted: %v; %s", after, before, v, path)
		})
	}
}

// A client has two interfaces, and loses the one that carries the call.
func TestInterfaceDown(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.serve()
	site := l.site(Router{NAT: Cone})
	if _, err := site.SecondInterface(); err != nil {
		t.Fatal(err)
	}
	servers := iceServers(l.url("udp"))
	near := newRemote(t, site.Namespace, settings{Servers: servers})
	far := newRemote(t, l.site(Router{NAT: Cone}).Namespace, settings{Servers: servers, Echo: true})
	before, after := calm(t, near, far)
	v, path := during(t, near, func() {
		if err := site.InterfaceDown("eth0"); err != nil {
			t.Fatal(err)
		}
	})
	t.Logf("connected after %v: %s; eth0 down: %v; %s", after, before, v, path)
}

// A bad link.
func TestBadLinks(t *testing.T) {
	t.Parallel()
	t.Run("5 percent lost, 2 Mbit/s", func(t *testing.T) {
		t.Parallel()
		l := newLab(t)
		l.serve()
		site := l.site(Router{NAT: Cone})
		if err := site.Impair(5, 2000); err != nil {
			t.Fatal(err)
		}
		badCall(t, l, site)
	})
	t.Run("40 to 60 ms each way, 5 percent lost", func(t *testing.T) {
		t.Parallel()
		l := newLab(t)
		l.serve()
		badCall(t, l, l.site(Router{NAT: Cone, Outside: Wire{Delay: 40 * time.Millisecond, Jitter: 20 * time.Millisecond, Loss: 0.05, Seed: 1}}))
	})
}

func badCall(t *testing.T, l *lab, site *Site) {
	servers := iceServers(l.url("udp"))
	near := newRemote(t, site.Namespace, settings{Servers: servers})
	far := newRemote(t, l.site(Router{NAT: Cone}).Namespace, settings{Servers: servers, Echo: true})
	before, after := calm(t, near, far)
	ctx := testContext(t)
	done, err := near.transfer(ctx, transfer{Size: 512 << 10})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("connected after %v: %s; 512 KiB there and back in %v; %v; %s", after, before, done.Took.Round(time.Millisecond), near.alive(t, ctx), near.path(t, ctx))
}
