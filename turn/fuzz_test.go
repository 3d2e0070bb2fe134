package turn

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/stun"
)

// A session's packets, as seeds.
func addSeeds(f *testing.F) {
	h := newHost(f, ServerConfig{IPv6: true, Mobility: true})
	w := newWire(f, h, ClientConfig{Mobility: true, Family: BothFamilies, EvenPort: true})
	keep := func(b []byte) []byte {
		if len(b) > 0 {
			f.Add(bytes.Clone(b), uint8(0))
		}
		return b
	}
	w.Start(start)
	for range 3 {
		h.Receive(start, tuple, keep(w.Client.AppendPacket(start, nil)))
		h.serve(start)
		p, _ := h.AppendPacket(start, nil)
		w.Client.Receive(start, keep(p))
		if w.state == stateAllocated {
			must(f, w.BindChannel(start, peerAddr))
		}
	}
	p, err := w.AppendData(start, nil, peerAddr, []byte("data"))
	must(f, err)
	keep(p)
	f.Add([]byte("\x40\x00\x00\x05hello\x00\x00\x00"), uint8(3))
	f.Add([]byte{}, uint8(255))
}

// patched returns a copy of a message with another transaction id: so that
// hostile answers are answers.
func patched(b []byte, id stun.TransactionID) []byte {
	b = bytes.Clone(b)
	if len(b) >= 20 {
		copy(b[8:20], id[:])
	}
	return b
}

// A client fed with anything stays bounded, and comes to rest.
func FuzzClient(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, b []byte, choice uint8) {
		c, err := NewClient(ClientConfig{Username: "alice", Password: "wonderland", Rand: seeded(1), Mobility: choice&1 != 0,
			DontFragment: choice&2 != 0, Stream: choice&4 != 0})
		must(t, err)
		if choice&8 != 0 {
			w := allocated(t, ServerConfig{Mobility: true}, ClientConfig{Mobility: true})
			w.bind(peerAddr)
			c = w.Client
			c.CreatePermission(start, relayHost)
			c.Move(start)
		} else {
			c.Start(start)
		}
		now := start
		for range 20 {
			for range 10 {
				p := c.AppendPacket(now, nil)
				if len(p) == 0 {
					break
				}
				c.Receive(now, patched(b, mustParse(t, p).TransactionID()))
			}
			c.Receive(now, b)
			if d, ok := c.NextData(); ok && (len(d.Payload) > len(b) || !d.Peer.IsValid()) {
				t.Fatalf("data of %v", d.Peer)
			}
			for e, ok := c.NextEvent(); ok; e, ok = c.NextEvent() {
				if _, ok := e.(TryAlternate); ok {
					c.Restart(now, netip.AddrPort{})
				}
			}
			if len(c.requests) > 8 || len(c.bindings) > maxBindings {
				t.Fatalf("%d requests, %d bindings", len(c.requests), len(c.bindings))
			}
			now = now.Add(31 * time.Second)
			c.Advance(now)
			if next := c.NextTimeout(); !next.IsZero() && !next.After(now) {
				t.Fatal("a timer stays due")
			}
		}
	})
}

// A server fed with anything answers each with at most one whole message, and
// relays nothing that was not permitted.
func FuzzServer(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, b []byte, choice uint8) {
		w := allocated(t, ServerConfig{IPv6: true, Mobility: true}, ClientConfig{Mobility: true, Family: BothFamilies})
		w.bind(peerAddr)
		h := w.host
		from := w.tuple
		if choice&1 != 0 {
			from.Client = peerAddr
		}
		now := start
		for range 3 {
			h.Receive(now, from, b)
			if d, ok := h.NextToPeer(); ok && (from != w.tuple || d.Peer.Addr() != peerAddr.Addr() || len(d.Payload) > len(b)) {
				t.Fatalf("relays to %v for %v", d.Peer, from)
			}
			h.serve(now)
			for answers := 0; ; answers++ {
				p, to := h.AppendPacket(now, nil)
				if len(p) == 0 {
					break
				}
				if m := mustParse(t, p); answers > 0 || to != from || m.Class() != stun.SuccessResponse && m.Class() != stun.ErrorResponse {
					t.Fatalf("answers %v by %v", to, m)
				}
			}
			// What a peer sends may be anything.
			packet := append(make([]byte, Headroom), b...)
			h.ReceivePeer(now, h.relayAt(w.relayed[0]), peerAddr, packet, Headroom)
			if d, ok := h.NextToClient(); ok {
				w.Receive(now, d.Packet)
				if got, ok := w.NextData(); !ok || !bytes.Equal(got.Payload, b) {
					t.Fatalf("%x arrives as %x", b, got.Payload)
				}
			}
			now = now.Add(time.Minute)
			h.Advance(now)
		}
		if len(h.allocations) != 1 || len(h.relays) != 2 {
			t.Fatalf("%d allocations, %d relays", len(h.allocations), len(h.relays))
		}
	})
}

// A server whose client has the right password, and no manners: requests of
// any content, signed.
func FuzzAuthenticated(f *testing.F) {
	allocate := []byte{0, 1, 0, 0x19, 4, 17, 0, 0, 0, 1}
	both := []byte{0, 2, 1, 0x19, 4, 17, 0, 0, 0, 0x80, 4, 2, 0, 0, 0, 1}
	reserve := []byte{0, 2, 0, 0x19, 4, 17, 0, 0, 0, 0x18, 1, 0x80, 1}
	bind := []byte{3, 2, 0, 0x0c, 4, 0x40, 0, 0, 0, 0x12, 8, 0, 1, 2, 2, 2, 2, 2, 2, 1}
	permit := []byte{2, 1, 0, 0x12, 8, 0, 1, 2, 2, 2, 2, 2, 2, 1}
	end := []byte{1, 1, 0, 0x0d, 4, 0, 0, 0, 0, 1}
	f.Add(slices.Concat(allocate, bind, permit))
	f.Add(slices.Concat(both, allocate, end, bind, end))
	f.Add(slices.Concat(reserve, end, allocate))
	// Over TCP: an allocation, a connection with a peer, and its end.
	tcp := []byte{0, 1, 2, 0x19, 4, 6, 0, 0, 0, 1}
	connect := []byte{5, 1, 2, 0x12, 8, 0, 1, 2, 2, 2, 2, 2, 2, 1}
	f.Add(slices.Concat(tcp, connect, connect, end))
	f.Fuzz(func(t *testing.T, script []byte) {
		a := newAsker(t, newHost(t, ServerConfig{IPv6: true, Mobility: true, TCPRelays: true, UnknownRate: 1 << 20}), "alice", "wonderland")
		next := func() (b byte) {
			if len(script) > 0 {
				b, script = script[0], script[1:]
			}
			return b
		}
		methods := []stun.Method{stun.Allocate, stun.Refresh, stun.CreatePermission, stun.ChannelBind, stun.Connect, stun.ConnectionBind, stun.Binding}
		for i := 0; len(script) > 0 && i < 20; i++ {
			method := methods[int(next())%len(methods)]
			attributes := int(next()) % 4
			from := next()
			a.from.Client, a.from.Protocol = netip.AddrPortFrom(clientAddr.Addr(), uint16(1+from%2)), Protocol(from>>1&1)
			a.nonce = nil
			a.ask(method, func(b *stun.Builder) {
				for range attributes {
					typ := stun.AttributeType(next())
					if typ >= 0x80 {
						typ = 0x8000 | typ&0x7f
					}
					value := make([]byte, next()%20)
					for j := range value {
						value[j] = next()
					}
					b.Add(typ, value)
				}
			})
			a.now = a.now.Add(time.Duration(next()) * time.Second)
			a.host.Advance(a.now)
			a.host.serve(a.now)
			for _, c := range asked[ConnectPeer](a.host) {
				if a.ids%2 == 0 {
					a.host.PeerConnected(a.now, c.Connection)
				}
			}
			for packet, _ := a.host.AppendPacket(a.now, nil); len(packet) > 0; packet, _ = a.host.AppendPacket(a.now, nil) {
			}
		}
		s := a.host.Server
		open, unbound := 0, 0
		for _, c := range s.connections {
			if c.state != stateBound {
				unbound++
			}
		}
		for _, r := range s.relays {
			if r.address.IsValid() {
				open++
			}
		}
		if len(s.allocations) > 4 || open != len(a.host.open) || len(s.relays) != open || len(s.expiries) < len(s.allocations) ||
			len(s.expiries) != len(s.allocations)+len(s.reserved)+unbound {
			t.Fatalf("%d allocations, %d relays of which %d open, host has %d; %d expiries, %d reserved",
				len(s.allocations), len(s.relays), open, len(a.host.open), len(s.expiries), len(s.reserved))
		}
		// When all is over nothing is left.
		a.now = a.now.Add(3 * time.Hour)
		s.Advance(a.now)
		a.host.serve(a.now)
		if len(s.allocations)+len(s.relays)+len(s.addresses)+len(s.relayHosts)+len(s.reserved)+len(s.users)+len(s.expiries)+len(s.connections)+len(a.host.open) > 0 {
			t.Fatal("something is left for ever")
		}
	})
}

// A stream of anything is cut into messages, or is at its end; in whatever
// pieces it comes.
func FuzzFramer(f *testing.F) {
	f.Add([]byte("\x40\x00\x00\x05hello\x00\x00\x00\x00\x01\x00\x00\x21\x12\xa4\x42transaction!"), uint8(1))
	f.Fuzz(func(t *testing.T, stream []byte, piece uint8) {
		n := int(piece) + 1
		whole, parts := &Framer{Max: 4096}, &Framer{Max: 4096}
		want, got := pieces(whole, stream, 1<<20), pieces(parts, stream, n)
		if len(want) != len(got) || (whole.Err() == nil) != (parts.Err() == nil) {
			t.Fatalf("%d messages (%v), in pieces of %d %d (%v)", len(want), whole.Err(), n, len(got), parts.Err())
		}
		for i := range want {
			if !bytes.Equal(want[i], got[i]) {
				t.Fatalf("message %d differs", i)
			}
			if !IsChannelData(want[i]) && len(want[i]) < 20 {
				t.Fatal("a message that is none")
			}
		}
		if len(parts.b) > 4*4096 {
			t.Fatalf("it takes %d bytes", len(parts.b))
		}
	})
}
