package turn

import (
	"net/netip"
	"runtime"
	"strings"
	"testing"

	"github.com/plainrtc/plainrtc/stun"
)

// relaying is a session with data on its way in all four forms.
type relaying struct {
	*wire
	relay               RelayID
	channel, indication []byte // from the client
	space               []byte // where data of peers arrives
}

func newRelaying(t testing.TB) *relaying {
	r := &relaying{wire: allocated(t, ServerConfig{UserBandwidth: 1 << 30}, ClientConfig{})}
	payload := []byte(strings.Repeat("x", 1200))
	r.permit(peerAddr)
	var err error
	r.indication, err = r.AppendData(r.now, nil, peerAddr, payload)
	must(t, err)
	r.bind(peerAddr)
	r.channel, err = r.AppendData(r.now, nil, peerAddr, payload)
	must(t, err)
	r.relay = r.host.relayAt(r.relayed[0])
	r.space = append(make([]byte, Headroom, Headroom+1200+3), payload...)
	return r
}

func (r *relaying) toPeer(t testing.TB, packet []byte) {
	r.host.Receive(r.now, r.tuple, packet)
	if d, ok := r.host.NextToPeer(); !ok || len(d.Payload) != 1200 {
		t.Fatal("not relayed")
	}
}

func (r *relaying) toClient(t testing.TB, from netip.AddrPort) {
	r.host.ReceivePeer(r.now, r.relay, from, r.space, Headroom)
	d, ok := r.host.NextToClient()
	if !ok || len(d.Packet) < 1200 {
		t.Fatal("not relayed")
	}
	r.Receive(r.now, d.Packet)
	if d, ok := r.NextData(); !ok || len(d.Payload) != 1200 {
		t.Fatal("not received")
	}
}

func TestRelayPathDoesNotAllocate(t *testing.T) {
	r := newRelaying(t)
	other := netip.AddrPortFrom(peerAddr.Addr(), 1) // permitted, without a channel
	r.permit(other)
	buffer := make([]byte, 0, 1500)
	for name, f := range map[string]func(){
		"ChannelData to a peer":       func() { r.toPeer(t, r.channel) },
		"a Send indication to a peer": func() { r.toPeer(t, r.indication) },
		"ChannelData to a client":     func() { r.toClient(t, peerAddr) },
		"a Data indication":           func() { r.toClient(t, other) },
		"a stranger's datagram": func() {
			r.host.ReceivePeer(r.now, r.relay, netip.MustParseAddrPort("203.0.113.66:6"), r.space, Headroom)
		},
		"an unauthenticated flood": func() {
			r.host.Receive(r.now, FiveTuple{Client: peerAddr}, r.channel)
		},
		"data appended": func() {
			if _, err := r.AppendData(r.now, buffer, peerAddr, r.space[:1200]); err != nil {
				t.Fatal(err)
			}
			if _, err := r.AppendData(r.now, buffer, other, r.space[:1200]); err != nil {
				t.Fatal(err)
			}
		},
		"data wrapped": func() {
			if p, err := r.WrapData(r.now, r.space, Headroom, peerAddr); err != nil || &p[0] != &r.space[Headroom-channelHeader] {
				t.Fatal("not in place")
			}
		},
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

// The payload is where it was: what is relayed is not copied.
func TestRelayPathDoesNotCopy(t *testing.T) {
	r := newRelaying(t)
	r.host.Receive(r.now, r.tuple, r.channel)
	if d, _ := r.host.NextToPeer(); &d.Payload[0] != &r.channel[channelHeader] {
		t.Error("the payload of ChannelData moved")
	}
	r.host.ReceivePeer(r.now, r.relay, peerAddr, r.space, Headroom)
	if d, _ := r.host.NextToClient(); &d.Packet[channelHeader] != &r.space[Headroom] {
		t.Error("the payload of a peer moved")
	}
}

// An idle allocation, with its permission and its channel, takes little.
func TestIdleAllocationIsSmall(t *testing.T) {
	const n = 1000
	h := newHost(t, ServerConfig{UnknownRate: 1 << 20})
	a := newAsker(t, h, "alice", "wonderland")
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range n {
		a.from.Client = netip.AddrPortFrom(clientAddr.Addr(), uint16(i+1))
		a.nonce = nil
		if a.ask(stun.Allocate, udp) != 0 || a.ask(stun.ChannelBind, with(attr(stun.AttrChannelNumber, "\x40\x00\x00\x00"), peer("203.0.113.9:9"))) != 0 {
			t.Fatal("refused")
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	each := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) / n
	t.Logf("%d bytes an allocation", each)
	if each > 4096 {
		t.Errorf("an idle allocation takes %d bytes of heap, want at most 4096", each)
	}
	runtime.KeepAlive(h)
}

func BenchmarkChannelDataToPeer(b *testing.B) {
	r := newRelaying(b)
	b.ReportAllocs()
	for b.Loop() {
		r.toPeer(b, r.channel)
	}
}

func BenchmarkSendIndicationToPeer(b *testing.B) {
	r := newRelaying(b)
	b.ReportAllocs()
	for b.Loop() {
		r.toPeer(b, r.indication)
	}
}

func BenchmarkPeerToChannelData(b *testing.B) {
	r := newRelaying(b)
	b.ReportAllocs()
	for b.Loop() {
		r.host.ReceivePeer(r.now, r.relay, peerAddr, r.space, Headroom)
		r.host.NextToClient()
	}
}

// A request of nobody: what a flood costs.
func BenchmarkChallenge(b *testing.B) {
	h := newHost(b, ServerConfig{UnknownRate: 1 << 30, UnknownTotal: 1 << 30})
	request := stunHeader(stun.NewType(stun.Allocate, stun.Request))
	buffer := make([]byte, 0, 1500)
	b.ReportAllocs()
	for b.Loop() {
		h.Receive(start, tuple, request)
		if p, _ := h.AppendPacket(start, buffer); len(p) == 0 {
			b.Fatal("no answer")
		}
	}
}
