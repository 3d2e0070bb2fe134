package turn

import (
	"net/netip"
	"testing"

	"github.com/plainrtc/plainrtc/stun"
)

// A client asks to be answered from elsewhere. RFC 5780, Section 6.1.
func TestDiscovery(t *testing.T) {
	addr := netip.MustParseAddrPort
	d := Discovery{First: serverAddr, Second: addr("192.0.2.16:3479")}
	h := newHost(t, ServerConfig{Discovery: []Discovery{{addr("[2001:db8::1]:3478"), addr("[2001:db8::2]:3479")}, d}})
	ask := func(at netip.AddrPort, protocol Protocol, write func(*stun.Builder)) (m stun.Message, from netip.AddrPort) {
		t.Helper()
		b := stun.NewBuilder(nil, stun.BindingRequest, stun.TransactionID{1})
		if write != nil {
			write(&b)
		}
		h.Receive(start, FiveTuple{clientAddr, at, protocol}, b.Bytes())
		packet, to := h.AppendPacket(start, nil)
		if to.Client != clientAddr {
			t.Fatalf("the answer goes to %v", to)
		}
		return mustParse(t, packet), to.Server
	}
	for _, c := range []struct{ at, change, from, other string }{
		{"192.0.2.15:3478", "\x00", "192.0.2.15:3478", "192.0.2.16:3479"},
		{"192.0.2.15:3478", "\x02", "192.0.2.15:3479", "192.0.2.16:3479"},
		{"192.0.2.15:3478", "\x04", "192.0.2.16:3478", "192.0.2.16:3479"},
		{"192.0.2.15:3478", "\x06", "192.0.2.16:3479", "192.0.2.16:3479"},
		{"192.0.2.16:3479", "\x06", "192.0.2.15:3478", "192.0.2.15:3478"},
		{"192.0.2.16:3478", "\x00", "192.0.2.16:3478", "192.0.2.15:3479"},
		{"192.0.2.15:3479", "\x04", "192.0.2.16:3479", "192.0.2.16:3478"},
		{"[2001:db8::1]:3478", "\x06", "[2001:db8::2]:3479", "[2001:db8::2]:3479"},
	} {
		m, from := ask(addr(c.at), UDP, attr(stun.AttrChangeRequest, "\x00\x00\x00"+c.change))
		other, _ := m.Address(stun.AttrOtherAddress)
		origin, _ := m.Address(stun.AttrResponseOrigin)
		if from != addr(c.from) || origin != addr(c.from) || other != addr(c.other) {
			t.Errorf("%s asked to change %q: from %v, which says %v and %v, want %s and %s", c.at, c.change, from, origin, other, c.from, c.other)
		}
	}
	if m, _ := ask(serverAddr, UDP, nil); !m.Has(stun.AttrOtherAddress) {
		t.Error("who does not ask is not told of the other address")
	}
	// Where it cannot be done nobody is told that it can.
	for name, at := range map[string]FiveTuple{"TCP": {Server: serverAddr, Protocol: TCP}, "a third address": {Server: addr("192.0.2.99:3478")}} {
		m, _ := ask(at.Server, at.Protocol, nil)
		if code, _, _ := m.ErrorCode(); m.Has(stun.AttrOtherAddress) || code != 0 {
			t.Errorf("%s: %v", name, m)
		}
		m, from := ask(at.Server, at.Protocol, attr(stun.AttrChangeRequest, "\x00\x00\x00\x06"))
		if code, _, _ := m.ErrorCode(); code != stun.CodeUnknownAttribute || from != at.Server {
			t.Errorf("%s, asked to change: %v from %v", name, m, from)
		}
	}
	m, _ := ask(serverAddr, UDP, attr(stun.AttrResponsePort, "\x00\x35\x00\x00"))
	if code, _, _ := m.ErrorCode(); code != stun.CodeUnknownAttribute {
		t.Errorf("asked to answer another port: %v", m)
	}
}
