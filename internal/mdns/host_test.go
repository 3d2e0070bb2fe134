package mdns_test

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/internal/mdns"
	"github.com/plainrtc/plainrtc/internal/timers"
	"golang.org/x/net/dns/dnsmessage"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

const (
	name  = "0a1b2c3d-4e5f-4a6b-8c7d-8e9f0a1b2c3d.local"
	other = "11111111-2222-4333-8444-555555555555.local"
)

var (
	v4 = netip.MustParseAddr("192.0.2.7")
	v6 = netip.MustParseAddr("2001:db8::7")
)

// A link is hosts that hear each other, on virtual time.
type link struct {
	now   time.Time
	hosts []*mdns.Host
	loses func(n int) bool // whether the nth message to everybody is lost
	sent  []string         // "question" or "answer", and when
	alone int              // messages to one asker
	heard []mdns.Resolved  // of hosts[0]
}

func newLink(n int) *link {
	l := &link{now: start, loses: func(int) bool { return false }}
	for range n {
		l.hosts = append(l.hosts, &mdns.Host{})
	}
	return l
}

func address(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), mdns.Port)
}

func (l *link) drain() {
	for again := true; again; {
		again = false
		for i, h := range l.hosts {
			for b, to := h.AppendPacket(nil); len(b) > 0; b, to = h.AppendPacket(nil) {
				again = true
				if to.IsValid() {
					l.alone++
					continue
				}
				what := "question"
				if b[2]&0x80 != 0 {
					what = "answer"
				}
				l.sent = append(l.sent, what+" "+l.now.Sub(start).String())
				if l.loses(len(l.sent)) {
					continue
				}
				for _, to := range l.hosts { // the sender hears itself, too
					to.Receive(l.now, address(i), b)
				}
			}
		}
	}
	for e, ok := l.hosts[0].NextEvent(); ok; e, ok = l.hosts[0].NextEvent() {
		l.heard = append(l.heard, e.(mdns.Resolved))
	}
}

func (l *link) run(d time.Duration) {
	end := l.now.Add(d)
	for {
		l.drain()
		var next time.Time
		for _, h := range l.hosts {
			next = timers.Earlier(next, h.NextTimeout())
		}
		if next.IsZero() || next.After(end) {
			l.now = end
			return
		}
		l.now = next
		for _, h := range l.hosts {
			h.Advance(l.now)
		}
	}
}

func (l *link) expect(t *testing.T, why string, want ...mdns.Resolved) {
	t.Helper()
	if !slices.Equal(l.heard, want) {
		t.Errorf("%s: heard %v, want %v", why, l.heard, want)
	}
	l.heard = nil
}

func (l *link) expectSent(t *testing.T, why string, want ...string) {
	t.Helper()
	if !slices.Equal(l.sent, want) {
		t.Errorf("%s: sent %q, want %q", why, l.sent, want)
	}
	l.sent = nil
}

func TestLookup(t *testing.T) {
	for _, addr := range []netip.Addr{v4, v6} {
		l := newLink(3)
		l.hosts[1].Register(name, addr)
		l.run(time.Minute)
		l.expectSent(t, "nothing before anybody asks")

		l.hosts[0].Lookup(l.now, strings.ToUpper(name))
		l.hosts[0].Lookup(l.now, name)
		l.run(time.Second)
		l.expect(t, "asked", mdns.Resolved{Name: name, Addr: addr})
		l.expectSent(t, "a question and its answer", "question 1m0s", "answer 1m0s")

		l.hosts[0].Lookup(l.now, name)
		l.run(time.Second)
		l.expect(t, "asked again", mdns.Resolved{Name: name, Addr: addr})
		l.expectSent(t, "what is known is not asked")

		l.hosts[1].Withdraw(name)
		l.run(time.Second)
		l.expectSent(t, "goodbye", "answer 1m2s")
		l.hosts[0].Lookup(l.now, name)
		l.run(15 * time.Second)
		l.expect(t, "after goodbye nobody has the name", mdns.Resolved{Name: name})
		l.expectSent(t, "four questions", "question 1m3s", "question 1m4s", "question 1m6s", "question 1m10s")

		l.hosts[0].Lookup(l.now, name)
		l.run(0)
		l.expect(t, "that there is none is remembered", mdns.Resolved{Name: name})
		l.expectSent(t, "and not asked")
		l.run(10 * time.Second)
		l.hosts[0].Lookup(l.now, name)
		l.run(0)
		l.expectSent(t, "for a while", "question 1m28s")
		if l.hosts[0].Idle() || !l.hosts[1].Idle() || !l.hosts[2].Idle() {
			t.Error("the first asks still, and the others are idle")
		}
	}
}

// Each message that is lost costs a second or two, and no more.
func TestLookupWithLoss(t *testing.T) {
	for lost, want := range map[int]time.Duration{0: 0, 1: time.Second, 2: time.Second, 3: 3 * time.Second} {
		l := newLink(2)
		l.hosts[1].Register(name, v4)
		l.run(time.Minute)
		l.sent = nil
		l.loses = func(n int) bool { return n == lost%3 || lost == 3 && n < 3 } // 3: the first two
		asked := l.now
		l.hosts[0].Lookup(l.now, name)
		for len(l.heard) == 0 && l.now.Sub(asked) < time.Minute {
			l.run(100 * time.Millisecond)
		}
		if took := l.now.Sub(asked).Truncate(time.Second); took != want {
			t.Errorf("loss %d: it takes %v, not %v", lost, took, want)
		}
		l.expect(t, "in the end", mdns.Resolved{Name: name, Addr: v4})
	}
}

// Everybody asks at once: one answer is for all of them, and the questions of one
// host go in one message.
func TestManyAsk(t *testing.T) {
	l := newLink(5)
	l.hosts[4].Register(name, v4)
	l.hosts[4].Register(other, v6)
	l.run(time.Minute)
	l.sent = nil
	for _, h := range l.hosts[:4] {
		h.Lookup(l.now, name)
		h.Lookup(l.now, other)
	}
	l.run(10 * time.Second)
	l.expect(t, "both", mdns.Resolved{Name: name, Addr: v4}, mdns.Resolved{Name: other, Addr: v6})
	if n := len(l.sent); n != 6 {
		t.Errorf("sent %q: four questions and two answers are enough", l.sent)
	}
}

// What the host does not do.
func TestRefused(t *testing.T) {
	l := newLink(2)
	l.hosts[1].Register("printer.local", v4)
	for _, name := range []string{"printer.local", "", "x" + name, name[1:], strings.Replace(name, "-", "x", 1), strings.Replace(name, "0a", "0g", 1), name[:36] + ".lokal"} {
		l.hosts[0].Lookup(l.now, name)
		l.run(0)
		l.expect(t, "no such name", mdns.Resolved{Name: strings.ToLower(name)})
	}
	l.expectSent(t, "other names are not asked for, nor announced")

	response := func(records ...netip.Addr) []byte {
		m := dnsmessage.Message{Header: dnsmessage.Header{Response: true}}
		for _, a := range records {
			h := dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(name + "."), Class: dnsmessage.ClassINET, TTL: 100}
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AResource{A: a.As4()}})
		}
		b, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	h := l.hosts[0]
	h.Receive(l.now, address(1), response(v4))
	h.Lookup(l.now, name)
	l.run(0)
	l.expect(t, "an answer before the question is none")
	h.Receive(l.now, netip.AddrPortFrom(address(1).Addr(), 5354), response(v4))
	l.run(0)
	l.expect(t, "nor is one from another port")
	h.Receive(l.now, address(1), response(v4, netip.MustParseAddr("192.0.2.8")))
	l.run(0)
	l.expect(t, "a name with two addresses is not to be trusted", mdns.Resolved{Name: name})
}

// A questioner from another port speaks plain DNS.
func TestLegacyQuestion(t *testing.T) {
	h := &mdns.Host{}
	h.Register(name, v6)
	ask := func(typ dnsmessage.Type, from netip.AddrPort, known ...dnsmessage.Resource) ([]byte, netip.AddrPort) {
		m := dnsmessage.Message{Header: dnsmessage.Header{ID: 4711, RecursionDesired: true}, Answers: known}
		m.Questions = []dnsmessage.Question{{Name: dnsmessage.MustNewName(name + "."), Type: typ, Class: dnsmessage.ClassINET}}
		b, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		h.Receive(start.Add(time.Minute), from, b)
		return h.AppendPacket([]byte("in front"))
	}
	legacy := netip.MustParseAddrPort("192.0.2.9:40000")
	b, to := ask(dnsmessage.TypeAAAA, legacy)
	var m dnsmessage.Message
	if err := m.Unpack(b[len("in front"):]); err != nil || to != legacy || m.ID != 4711 || len(m.Questions) != 1 || len(m.Answers) != 1 ||
		m.Answers[0].Header.TTL > 10 || m.Answers[0].Header.Class != dnsmessage.ClassINET || m.Answers[0].Body.(*dnsmessage.AAAAResource).AAAA != v6.As16() {
		t.Errorf("to %v: %v, %v", to, m.GoString(), err)
	}
	if b, _ := ask(dnsmessage.TypeA, legacy); len(b) != len("in front") {
		t.Error("there is no IPv4 address, and it was told")
	}
	known := dnsmessage.Resource{
		Header: dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(name + "."), Class: dnsmessage.ClassINET, TTL: 100},
		Body:   &dnsmessage.AAAAResource{AAAA: v6.As16()},
	}
	if b, _ := ask(dnsmessage.TypeALL, address(1), known); len(b) != len("in front") {
		t.Error("who knows the answer was told")
	}
	known.Header.TTL = 20
	if b, to := ask(dnsmessage.TypeALL, address(1), known); len(b) == len("in front") || to.IsValid() {
		t.Error("who knows the answer no longer was not told, or alone")
	}
}

// However many names there are, what is kept of them is bounded.
func TestBounds(t *testing.T) {
	h := &mdns.Host{}
	random := rand.NewChaCha8([32]byte{})
	now := start
	failed := 0
	for range 2000 {
		var b [16]byte
		random.Read(b[:])
		h.Lookup(now, mdns.NewName(b))
		for _, ok := h.NextEvent(); ok; _, ok = h.NextEvent() {
			failed++
		}
	}
	if failed != 2000-64 {
		t.Errorf("%d of 2000 names are given up at once", failed)
	}
	for packets := 0; ; packets++ {
		b, _ := h.AppendPacket(nil)
		if len(b) == 0 {
			break
		}
		if len(b) > 1400 || packets > 4 {
			t.Errorf("message %d has %d bytes", packets, len(b))
		}
	}
	h.Advance(now.Add(time.Minute))
	if !h.Idle() || !h.NextTimeout().IsZero() {
		t.Error("after a minute something is still asked")
	}
}

func TestNewName(t *testing.T) {
	n := mdns.NewName([16]byte{0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0, 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0})
	if want := "12345678-9abc-4ef0-9234-56789abcdef0.local"; n != want || !mdns.IsName(n) {
		t.Errorf("%q, want %q", n, want)
	}
}

func FuzzHost(f *testing.F) {
	l := newLink(1)
	h := l.hosts[0]
	h.Register(name, v4)
	h.Lookup(start, other)
	for b, _ := h.AppendPacket(nil); len(b) > 0; b, _ = h.AppendPacket(nil) {
		f.Add(b, uint16(mdns.Port))
		for i := range b {
			f.Add(b[:i], uint16(i))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, port uint16) {
		h := &mdns.Host{}
		h.Register(name, v4)
		h.Lookup(start, other)
		for i := range 2 {
			h.Receive(start.Add(time.Duration(i)*time.Hour), netip.AddrPortFrom(v6, port), b)
		}
		for n := 0; ; n++ {
			out, to := h.AppendPacket(nil)
			if len(out) == 0 {
				break
			}
			if n > 3 || len(out) > 500 || to.IsValid() && port == mdns.Port {
				t.Fatalf("message %d to %v has %d bytes", n, to, len(out))
			}
		}
		for e, ok := h.NextEvent(); ok; e, ok = h.NextEvent() {
			if e.(mdns.Resolved).Name != other {
				t.Fatalf("told %v, which nobody has asked for", e)
			}
		}
	})
}
