package netns

import (
	"testing"
	"time"
)

// Two peers of ours, each behind a NAT: directly where theory says that it is
// possible, and else by the relay.
func TestNATs(t *testing.T) {
	t.Parallel()
	ours := func(l *lab) { l.serve() }
	for _, c := range []struct {
		near, far NAT
		server    func(*lab)
		by        string
		relayed   bool
	}{
		{Cone, Cone, ours, "", false},
		{Cone, Symmetric, ours, "", true}, // what is let in comes from where it was sent, and nobody knows that port
		{Symmetric, Cone, ours, "", true},
		{Symmetric, Symmetric, ours, "", true},
		{Symmetric, Symmetric, (*lab).serveByCoturn, " by coturn", true},
	} {
		t.Run(string(c.near)+" to "+string(c.far)+c.by, func(t *testing.T) {
			t.Parallel()
			ctx, l := testContext(t), newLab(t)
			c.server(l)
			servers := iceServers(l.url("udp"))
			near := newRemote(t, l.site(Router{NAT: c.near}).Namespace, settings{Servers: servers})
			far := newRemote(t, l.site(Router{NAT: c.far}).Namespace, settings{Servers: servers, Echo: true})
			after := call(t, ctx, near, far, near)
			done, err := near.transfer(ctx, transfer{Size: 1 << 20})
			if err != nil {
				t.Fatal(err)
			}
			path := near.settled(t, ctx, c.relayed)
			t.Logf("connected after %v: %s; 1 MiB there and back in %v", after, path, done.Took.Round(time.Millisecond))
		})
	}
}
