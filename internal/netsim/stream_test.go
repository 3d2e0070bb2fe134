package netsim

import (
	"bytes"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// A talker is a toy with TCP connections: it notes what happens to them.
type talker struct {
	toy
	conns []*Conn
	notes []string
	heard []byte
}

func (t *talker) Connected(now time.Time, c *Conn) {
	t.conns = append(t.conns, c)
	t.notes = append(t.notes, fmt.Sprintf("connected to %v@%v", c.Remote, now.Sub(start)))
}

func (t *talker) ReceiveStream(_ time.Time, _ *Conn, b []byte) { t.heard = append(t.heard, b...) }

func (t *talker) Disconnected(now time.Time, c *Conn, err error) {
	t.notes = append(t.notes, fmt.Sprintf("%v@%v", err, now.Sub(start)))
}

func wantNotes(t *testing.T, node *talker, want string) {
	t.Helper()
	if got := strings.Join(node.notes, ", "); got != want {
		t.Errorf("what happened is %q, want %q", got, want)
	}
}

// A line is two talkers, 192.0.2.1 and 192.0.2.2, who hear each other after 10 ms.
func line(seed uint64, p Profile) (n *Network, hosts [2]*Host, nodes [2]*talker) {
	n = New(seed, start)
	p.Delay += 5 * time.Millisecond
	for i := range hosts {
		nodes[i] = &talker{}
		hosts[i] = n.AddHost(nodes[i], p, a(byte(1+i), 0).Addr())
	}
	return n, hosts, nodes
}

func TestStream(t *testing.T) {
	n, hosts, nodes := line(1, Profile{})
	hosts[1].Listen(a(2, 80))
	c := hosts[0].Dial(a(1, 0), a(2, 80))
	n.Run(nil, time.Second)
	wantNotes(t, nodes[0], "connected to 192.0.2.2:80@20ms")
	wantNotes(t, nodes[1], "connected to 192.0.2.1:49152@30ms")
	if c.Accepted() || !nodes[1].conns[0].Accepted() {
		t.Error("who dialled and who accepted is mixed up")
	}
	n.At(n.Now(), func() { c.Write([]byte("ping")); nodes[1].conns[0].Write([]byte("pong")); c.Close() })
	n.Run(nil, time.Second)
	if string(nodes[1].heard) != "ping" || string(nodes[0].heard) != "pong" {
		t.Errorf("they heard %q and %q", nodes[0].heard, nodes[1].heard)
	}
	wantNotes(t, nodes[1], "connected to 192.0.2.1:49152@30ms, EOF@1.01s")
	if len(hosts[0].conns)+len(hosts[1].conns) != 0 {
		t.Error("something is left of the connection")
	}
}

func TestStreamRefusedAndUnanswered(t *testing.T) {
	n, hosts, nodes := line(1, Profile{})
	hosts[0].Dial(a(1, 0), a(2, 80))
	n.Run(nil, time.Second)
	wantNotes(t, nodes[0], "netsim: connection refused@20ms")
	hosts[1].Listen(a(2, 80))
	hosts[0].Dial(a(1, 0), a(3, 80)) // nobody is there
	n.Run(nil, 3*time.Minute)
	wantNotes(t, nodes[0], "netsim: connection refused@20ms, netsim: connection timed out@1m20s")

	c := hosts[0].Dial(a(1, 0), a(2, 80))
	n.Run(nil, time.Second)
	n.At(n.Now(), c.Reset)
	n.Run(nil, time.Second)
	if last := nodes[1].notes[len(nodes[1].notes)-1]; !strings.Contains(last, ErrReset.Error()) {
		t.Errorf("a reset is told as %q", last)
	}
	// The other side is gone without a word: what is written is answered by a reset.
	c = hosts[0].Dial(a(1, 0), a(2, 80))
	n.Run(nil, time.Second)
	n.At(n.Now(), func() { nodes[1].conns[1].forget(); c.Write([]byte("anybody?")) })
	n.Run(nil, time.Second)
	if last := nodes[0].notes[len(nodes[0].notes)-1]; !strings.Contains(last, ErrReset.Error()) {
		t.Errorf("it is told as %q", last)
	}
}

// Whatever the links lose, double and reorder, every byte arrives once, in order.
func TestStreamOverBadLinks(t *testing.T) {
	for seed := range uint64(50) {
		n, hosts, nodes := line(seed, Profile{Loss: 0.2, Duplicate: 0.2, Reorder: 0.2, Jitter: 20 * time.Millisecond})
		hosts[1].Listen(a(2, 80))
		c := hosts[0].Dial(a(1, 7), a(2, 80))
		ok := n.Run(func() bool { return len(nodes[0].conns) == 1 && len(nodes[1].conns) == 1 }, 5*time.Minute)
		if !ok {
			t.Fatalf("seed %d: not connected: %v, %v", seed, nodes[0].notes, nodes[1].notes)
		}
		var said []byte
		for i := range 40 {
			b := bytes.Repeat([]byte{byte(i)}, 1+100*i)
			said = append(said, b...)
			n.After(time.Duration(i)*5*time.Millisecond, func() { c.Write(b); nodes[1].conns[0].Write(b) })
		}
		ok = n.Run(func() bool { return len(nodes[0].heard) >= len(said) && len(nodes[1].heard) >= len(said) }, 10*time.Minute)
		if !ok || !bytes.Equal(nodes[0].heard, said) || !bytes.Equal(nodes[1].heard, said) {
			t.Fatalf("seed %d: of %d bytes %d and %d came, or not in order; %v, %v", seed, len(said), len(nodes[0].heard), len(nodes[1].heard), nodes[0].notes, nodes[1].notes)
		}
		n.At(n.Now(), c.Close)
		n.Run(func() bool { return len(hosts[0].conns)+len(hosts[1].conns) == 0 }, 5*time.Minute)
		if got := nodes[1].notes[len(nodes[1].notes)-1]; !strings.HasPrefix(got, io.EOF.Error()) {
			t.Errorf("seed %d: the end is told as %q", seed, got)
		}
	}
}

// A NAT lets connections out, and in only what it is asked for: RFC 5382. Two that
// dial each other meet by simultaneous open where datagrams would.
func TestStreamsThroughNATs(t *testing.T) {
	for _, test := range []struct {
		left, right NAT
		meet        bool
	}{
		{FullCone, FullCone, true},
		{PortRestrictedCone, PortRestrictedCone, true},
		{PortRestrictedCone, Symmetric, false},
		{Symmetric, Symmetric, false},
	} {
		n := New(1, start)
		server := &talker{}
		far := n.AddHost(server, Profile{}, a(1, 0).Addr())
		far.Listen(a(1, 80))
		nats, nodes, hosts := [2]NAT{test.left, test.right}, [2]*talker{}, [2]*Host{}
		link := Profile{Delay: 10 * time.Millisecond}
		for i := range nats {
			nodes[i] = &talker{}
			hosts[i] = n.AddNAT(nats[i], link, a(byte(100+i), 0).Addr()).AddHost(nodes[i], Profile{}, private(2, 0).Addr())
			hosts[i].Dial(private(2, 5000), a(1, 80))
		}
		n.Run(nil, time.Second)
		seen := [2]netip.AddrPort{}
		for i := range nats {
			if len(nodes[i].conns) != 1 {
				t.Fatalf("%+v: no way to the server: %v", nats[i], nodes[i].notes)
			}
		}
		for _, c := range server.conns {
			seen[c.Remote.Addr().As4()[3]-100] = c.Remote
		}
		n.At(n.Now(), func() {
			hosts[0].Dial(private(2, 5000), seen[1])
			hosts[1].Dial(private(2, 5000), seen[0])
		})
		n.Run(nil, 3*time.Minute)
		if met := len(nodes[0].conns) == 2 && len(nodes[1].conns) == 2; met != test.meet {
			t.Errorf("%+v and %+v: they meet: %v; %v; %v", test.left, test.right, met, nodes[0].notes, nodes[1].notes)
		}
		if test.meet {
			n.At(n.Now(), func() { nodes[0].conns[1].Write([]byte("hello")) })
			n.Run(nil, time.Second)
			if string(nodes[1].heard) != "hello" {
				t.Errorf("%+v and %+v: it hears %q", test.left, test.right, nodes[1].heard)
			}
		}
	}
}

// A firewall for TCP port 443 alone.
func TestStreamThroughFirewall(t *testing.T) {
	n := New(1, start)
	server, node := &talker{}, &talker{}
	far := n.AddHost(server, Profile{}, a(1, 0).Addr())
	far.Listen(a(1, 80))
	far.Listen(a(1, 443))
	h := n.AddNAT(NAT{Allow: []Rule{{TCP, 443}}, Timeout: time.Second}, Profile{}, a(100, 0).Addr()).AddHost(node, Profile{}, private(2, 0).Addr())
	h.Dial(private(2, 0), a(1, 80))
	c := h.Dial(private(2, 0), a(1, 443))
	node.send(private(2, 5000), a(1, 443), "a datagram")
	n.Run(nil, 3*time.Minute)
	wantNotes(t, node, "connected to 192.0.2.1:443@0s, netsim: connection timed out@1m19s")
	// Mappings of TCP outlive those of UDP.
	n.At(n.Now(), func() { server.conns[0].Write([]byte("still there")) })
	n.Run(nil, time.Second)
	if string(node.heard) != "still there" || len(server.got) != 0 {
		t.Errorf("it hears %q, and the server %v", node.heard, server.got)
	}
	n.At(n.Now(), func() { c.Close() })
	n.Run(nil, time.Minute)
	if len(h.conns)+len(far.conns) != 0 {
		t.Error("something is left of the connections")
	}
}
