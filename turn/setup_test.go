package turn

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/internal/trace"
	"github.com/plainrtc/plainrtc/stun"
)

var start = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

func seeded(seed byte) *rand.ChaCha8 { return rand.NewChaCha8([32]byte{seed}) }

var (
	clientAddr = netip.MustParseAddrPort("192.0.2.1:49721")
	serverAddr = netip.MustParseAddrPort("192.0.2.15:3478")
	peerAddr   = netip.MustParseAddrPort("203.0.113.9:9000")
	peer6      = netip.MustParseAddrPort("[2001:db8::9]:9000")
	relayHost  = netip.MustParseAddr("198.51.100.1")
	relayHost6 = netip.MustParseAddr("2001:db8:1::1")
	tuple      = FiveTuple{Client: clientAddr, Server: serverAddr}
)

// A host is a Server and its shell: it opens relays on paper and keeps what is
// relayed to peers.
type host struct {
	*Server
	open    map[RelayID]netip.AddrPort
	port    uint16
	refuses bool // cannot open relays
	refuse6 bool // cannot open those of IPv6
	slow    bool // does not open relays at all
	toPeers []string
	opened  []OpenRelay
	asked   []ServerEvent // of TCP allocations
	abuses  []Abuse
	drained bool
}

func newHost(t testing.TB, config ServerConfig) *host {
	t.Helper()
	s, err := NewServer(withDefaults(config))
	if err != nil {
		t.Fatal(err)
	}
	return &host{Server: s, open: map[RelayID]netip.AddrPort{}, port: 50000}
}

func withDefaults(config ServerConfig) ServerConfig {
	if config.Realm == "" {
		config.Realm = "example.org"
	}
	if config.Users == nil && config.Secrets == nil {
		config.Users = map[string]string{"alice": "wonderland", "bob": "builder"}
	}
	if config.Rand == nil {
		config.Rand = seeded(2)
	}
	return config
}

// serve does what the events ask for, and returns them as text.
func (h *host) serve(now time.Time) (said []string) {
	for {
		e, ok := h.NextEvent()
		if !ok {
			return said
		}
		switch e := e.(type) {
		case Abuse:
			h.abuses = append(h.abuses, e)
		case ConnectPeer:
			h.asked = append(h.asked, e)
			said = append(said, fmt.Sprintf("relay %d connects with %v", e.Relay, e.Peer))
		case Splice:
			h.asked = append(h.asked, e)
			said = append(said, fmt.Sprintf("connection joined with %v", e.Client))
		case ClosePeer:
			h.asked = append(h.asked, e)
			said = append(said, "connection with a peer closed")
		case OpenRelay:
			h.opened = append(h.opened, e)
			switch {
			case h.slow:
			case h.refuses || h.refuse6 && e.IPv6:
				h.RelayFailed(now, e.Relay)
				said = append(said, "relay refused")
			default:
				addr := relayHost
				if e.IPv6 {
					addr = relayHost6
				}
				h.port += 2
				h.open[e.Relay] = netip.AddrPortFrom(addr, h.port)
				if e.Next != 0 {
					h.open[e.Next] = netip.AddrPortFrom(addr, h.port+1)
				}
				h.RelayOpened(now, e.Relay, h.open[e.Relay])
				said = append(said, fmt.Sprintf("relay %d opened at %v", e.Relay, h.open[e.Relay]))
			}
		case CloseRelay:
			delete(h.open, e.Relay)
			said = append(said, fmt.Sprintf("relay %d closed", e.Relay))
		case Drained:
			h.drained = true
			said = append(said, "drained")
		}
	}
}

// take keeps what the last Receive brought for a peer.
func (h *host) take() {
	if d, ok := h.NextToPeer(); ok {
		h.toPeers = append(h.toPeers, fmt.Sprintf("%v to %v: %s", h.open[d.Relay], d.Peer, d.Payload))
	}
}

// relayAt is the relay with an address.
func (h *host) relayAt(a netip.AddrPort) RelayID {
	for id, addr := range h.open {
		if addr == a {
			return id
		}
	}
	return 0
}

// fromPeer lets a datagram arrive on a relay; it returns the packet for the client.
func (h *host) fromPeer(now time.Time, relay, peer netip.AddrPort, text string) (ToClient, bool) {
	b := append(make([]byte, Headroom, Headroom+len(text)+3), text...)
	h.ReceivePeer(now, h.relayAt(relay), peer, b, Headroom)
	return h.NextToClient()
}

// A wire is a Client and a host without anything between them: what one says the
// other hears at once.
type wire struct {
	t testing.TB
	*Client
	host   *host
	tuple  FiveTuple
	now    time.Time
	drops  trace.Recorder
	events []ClientEvent
	data   []Data
}

func newWire(t testing.TB, h *host, config ClientConfig) *wire {
	t.Helper()
	w := &wire{t: t, host: h, tuple: tuple, now: start}
	if config.Username == "" {
		config.Username, config.Password = "alice", "wonderland"
	}
	if config.Rand == nil {
		config.Rand = seeded(1)
	}
	config.Trace = trace.New(&w.drops, "")
	var err error
	if w.Client, err = NewClient(config); err != nil {
		t.Fatal(err)
	}
	if config.Stream {
		w.tuple.Protocol = TCP
	}
	return w
}

// talk passes packets until nobody has any more.
func (w *wire) talk() {
	w.t.Helper()
	for range 1000 {
		quiet := true
		if p := w.Client.AppendPacket(w.now, nil); len(p) > 0 {
			w.host.Receive(w.now, w.tuple, p)
			w.host.take()
			quiet = false
		}
		w.host.serve(w.now)
		if p, to := w.host.AppendPacket(w.now, nil); len(p) > 0 {
			quiet = false
			if to == w.tuple {
				w.Client.Receive(w.now, p)
				w.takeData()
			}
		}
		for e, ok := w.Client.NextEvent(); ok; e, ok = w.Client.NextEvent() {
			w.events = append(w.events, e)
		}
		if quiet {
			return
		}
	}
	w.t.Fatal("they talk without end")
}

func (w *wire) takeData() {
	if d, ok := w.NextData(); ok {
		d.Payload = append([]byte(nil), d.Payload...)
		w.data = append(w.data, d)
	}
}

// pass lets time pass, timer by timer.
func (w *wire) pass(d time.Duration) {
	w.t.Helper()
	for end := w.now.Add(d); ; {
		next := w.Client.NextTimeout()
		if other := w.host.NextTimeout(); next.IsZero() || !other.IsZero() && other.Before(next) {
			next = other
		}
		if next.IsZero() || next.After(end) {
			w.now = end
			w.talk()
			return
		}
		w.now = next
		w.Client.Advance(w.now)
		w.host.Advance(w.now)
		w.talk()
	}
}

// send sends a datagram to a peer, and reports whether the host relayed it.
func (w *wire) send(peer netip.AddrPort, text string) bool {
	w.t.Helper()
	p, err := w.AppendData(w.now, nil, peer, []byte(text))
	if err != nil {
		w.t.Logf("%v", err)
		return false
	}
	before := len(w.host.toPeers)
	w.host.Receive(w.now, w.tuple, p)
	w.host.take()
	return len(w.host.toPeers) > before && strings.HasSuffix(w.host.toPeers[before], ": "+text)
}

// hear lets a peer send a datagram, and reports whether the client got it.
func (w *wire) hear(peer netip.AddrPort, text string) bool {
	relay := w.relayed[0]
	if peer.Addr().Is6() && w.relayed[0].Addr().Is4() {
		relay = w.relayed[1]
	}
	p, ok := w.host.fromPeer(w.now, relay, peer, text)
	if !ok || p.To != w.tuple {
		return false
	}
	before := len(w.data)
	w.Receive(w.now, p.Packet)
	w.takeData()
	return len(w.data) > before && string(w.data[before].Payload) == text && w.data[before].Peer == peer
}

// allocated is a wire with an allocation.
func allocated(t testing.TB, server ServerConfig, client ClientConfig) *wire {
	t.Helper()
	w := newWire(t, newHost(t, server), client)
	w.Start(w.now)
	w.talk()
	if w.state != stateAllocated {
		t.Fatalf("the client is %v: %v", w.state, w.Err())
	}
	return w
}

func (w *wire) permit(peer netip.AddrPort) {
	w.t.Helper()
	must(w.t, w.CreatePermission(w.now, peer.Addr()))
	w.talk()
}

func (w *wire) bind(peer netip.AddrPort) {
	w.t.Helper()
	must(w.t, w.BindChannel(w.now, peer))
	w.talk()
}

// has returns the last event of a type.
func has[E ClientEvent](w *wire) (e E, ok bool) {
	for _, event := range w.events {
		if found, is := event.(E); is {
			e, ok = found, true
		}
	}
	return e, ok
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func mustParse(t testing.TB, b []byte) stun.Message {
	t.Helper()
	m, err := stun.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
