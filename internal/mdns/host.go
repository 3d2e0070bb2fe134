package mdns

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/plainrtc/plainrtc/internal/timers"
)

// Port is the port of multicast DNS: all messages but those to legacy askers go
// there, and come from there.
const Port = 5353

// Groups are where messages for everybody go, in each family.
var Groups = [...]netip.AddrPort{
	netip.AddrPortFrom(netip.AddrFrom4([4]byte{224, 0, 0, 251}), Port),
	netip.AddrPortFrom(netip.AddrFrom16([16]byte{0xff, 2, 15: 0xfb}), Port),
}

const (
	// maxLookups bounds how many names are asked for at once, maxKnown how many
	// are remembered, and maxWaiting how many messages wait to be sent.
	maxLookups = 64
	maxKnown   = 256
	maxWaiting = 256

	// giveUpAfter is how long there may be no answer, and forgetAfter how long its
	// absence is remembered.
	giveUpAfter = 10 * time.Second
	forgetAfter = 10 * time.Second

	// "A Multicast DNS responder MUST NOT (except in the one special case of answering
	// probe queries) multicast a record on a given interface until at least one second
	// has elapsed since the last time that record was multicast on that particular
	// interface." RFC 6762, Section 6.
	answerEvery = time.Second
)

// askAgain is how long after the first question the others are asked: "The interval
// between the first two queries MUST be at least one second, the intervals between
// successive queries MUST increase by at least a factor of two". RFC 6762, Section 5.2.
var askAgain = [...]time.Duration{time.Second, 3 * time.Second, 7 * time.Second}

// An Event is a rare fact that a Host tells.
type Event interface{ event() }

// Resolved tells the address of a name that was asked for: none, if it is not valid.
type Resolved struct {
	Name string
	Addr netip.Addr
}

func (Resolved) event() {}

// A Host asks and answers. Its zero value is ready to use. It is not safe for
// concurrent use.
type Host struct {
	lookups []*lookup          // in the order in which they began
	known   []finding          // the newest last
	ours    map[string]*record // by name
	waiting []sending
	events  []Event
}

// A lookup is a name that is asked for.
type lookup struct {
	name  string
	began time.Time
	asked int       // how many times
	next  time.Time // when it is asked again, or given up
}

// A finding is what was found out.
type finding struct {
	name  string
	addr  netip.Addr // not valid: there is none
	until time.Time
}

// A record is a name of ours.
type record struct {
	addr   netip.Addr
	toldAt time.Time // to everybody; zero: never
}

// A sending is a message to be sent.
type sending struct {
	name   string
	addr   netip.Addr // not valid: a question
	ttl    time.Duration
	legacy *legacyQuery // whom to tell alone; nil: everybody
}

// A legacyQuery is the question of somebody who speaks DNS, and does not know that
// this is not quite the same: the answer "MUST repeat the query ID and the question given
// in the query message". RFC 6762, Section 6.7.
type legacyQuery struct {
	id   uint16
	from netip.AddrPort
}

// Lookup asks for the address of a name, which the event [Resolved] tells: at once,
// if it is known, and after ten seconds at the latest.
func (h *Host) Lookup(now time.Time, name string) {
	name = strings.ToLower(name)
	if !IsName(name) || len(h.lookups) == maxLookups && !h.asks(name) {
		h.tell(name, netip.Addr{})
		return
	}
	if r := h.ours[name]; r != nil {
		h.tell(name, r.addr)
		return
	}
	for _, f := range h.known {
		if f.name == name && f.until.After(now) {
			h.tell(name, f.addr)
			return
		}
	}
	if h.asks(name) {
		return
	}
	l := &lookup{name: name, began: now}
	h.lookups = append(h.lookups, l)
	h.ask(l)
}

func (h *Host) asks(name string) bool {
	return slices.ContainsFunc(h.lookups, func(l *lookup) bool { return l.name == name })
}

// ask asks once more, and says when that is of no use any longer.
func (h *Host) ask(l *lookup) {
	h.send(sending{name: l.name})
	l.next = l.began.Add(giveUpAfter)
	if l.asked < len(askAgain) {
		l.next = l.began.Add(askAgain[l.asked])
	}
	l.asked++
}

func (h *Host) send(s sending) {
	if len(h.waiting) < maxWaiting {
		h.waiting = append(h.waiting, s)
	}
}

func (h *Host) tell(name string, addr netip.Addr) {
	h.events = append(h.events, Resolved{name, addr})
}

// found ends the lookup of a name.
func (h *Host) found(now time.Time, name string, addr netip.Addr, lasts time.Duration) {
	h.lookups = slices.DeleteFunc(h.lookups, func(l *lookup) bool { return l.name == name })
	h.forget(now, name)
	if len(h.known) == maxKnown {
		h.known = slices.Delete(h.known, 0, 1)
	}
	h.known = append(h.known, finding{name, addr, now.Add(lasts)})
	h.tell(name, addr)
}

// forget forgets what is known of a name, and what was true once.
func (h *Host) forget(now time.Time, name string) {
	h.known = slices.DeleteFunc(h.known, func(f finding) bool { return f.name == name || !f.until.After(now) })
}

// Register has the host answer for a name, which [NewName] has made.
func (h *Host) Register(name string, addr netip.Addr) {
	if !IsName(name) || !addr.IsValid() {
		return
	}
	if h.ours == nil {
		h.ours = map[string]*record{}
	}
	h.ours[name] = &record{addr: addr.Unmap().WithZone("")}
}

// Withdraw takes back a name: "In the case where a host knows that certain resource
// record data is about to become invalid [...], the host SHOULD send an unsolicited
// Multicast DNS response packet, giving the same resource record name, rrtype, rrclass,
// and rdata, but an RR TTL of zero." RFC 6762, Section 10.1.
func (h *Host) Withdraw(name string) {
	if r := h.ours[name]; r != nil {
		delete(h.ours, name)
		if !r.toldAt.IsZero() {
			h.send(sending{name: name, addr: r.addr})
		}
	}
}

// Idle reports whether nothing is asked, and nothing to be answered.
func (h *Host) Idle() bool { return len(h.lookups) == 0 && len(h.ours) == 0 && len(h.waiting) == 0 }

// Receive takes a message. It is borrowed for the call.
func (h *Host) Receive(now time.Time, from netip.AddrPort, packet []byte) {
	m, ok := parse(packet)
	switch {
	case !ok:
	case !m.response:
		h.receiveQuery(now, from, m)
	case from.Port() == Port:
		// "Multicast DNS implementations MUST silently ignore any Multicast DNS responses they
		// receive where the source UDP port is not 5353." RFC 6762, Section 6.
		h.receiveResponse(now, m)
	}
}

func (h *Host) receiveQuery(now time.Time, from netip.AddrPort, m message) {
	for i, q := range m.questions {
		r := h.ours[q.name]
		if r == nil || !q.asks(r.addr) || slices.ContainsFunc(m.questions[:i], func(p question) bool { return p.name == q.name && p.asks(r.addr) }) {
			continue
		}
		if from.Port() != Port {
			// It remembers for ten seconds: no goodbye is needed.
			h.send(sending{name: q.name, addr: r.addr, ttl: ttl, legacy: &legacyQuery{m.id, from}})
			return // one is all that such a one can ask for
		}
		// "A Multicast DNS responder MUST NOT answer a Multicast DNS query if the answer it
		// would give is already included in the Answer Section with an RR TTL at least
		// half the correct value." RFC 6762, Section 7.1.
		known := slices.ContainsFunc(m.answers, func(a answer) bool { return a.name == q.name && a.addr == r.addr && a.ttl >= ttl/2 })
		if known || now.Sub(r.toldAt) < answerEvery {
			continue
		}
		r.toldAt = now
		h.send(sending{name: q.name, addr: r.addr, ttl: ttl})
	}
}

func (h *Host) receiveResponse(now time.Time, m message) {
	for i, a := range m.answers {
		switch {
		case a.ttl == 0:
			h.forget(now, a.name)
		case !h.asks(a.name): // nobody wants to know
		case slices.ContainsFunc(m.answers[i+1:], func(b answer) bool { return b.name == a.name && b.addr != a.addr && b.ttl > 0 }):
			// "An ICE agent SHOULD ignore candidates where the hostname resolution returns
			// more than one IP address."
			h.found(now, a.name, netip.Addr{}, forgetAfter)
		default:
			h.found(now, a.name, a.addr, min(a.ttl, ttl))
		}
	}
}

// Advance asks again, and gives up, where that is due.
func (h *Host) Advance(now time.Time) {
	for _, l := range slices.Clone(h.lookups) {
		switch {
		case l.next.After(now):
		case !l.began.Add(giveUpAfter).After(now):
			h.found(now, l.name, netip.Addr{}, forgetAfter)
		default:
			h.ask(l)
		}
	}
}

// NextTimeout is when Advance has something to do; zero means never.
func (h *Host) NextTimeout() (next time.Time) {
	for _, l := range h.lookups {
		next = timers.Earlier(next, l.next)
	}
	return next
}

// AppendPacket appends the next message to b, and tells where to send it: if that is
// not valid, to the [Groups] on every link. It returns b unchanged when there is
// nothing to send.
func (h *Host) AppendPacket(b []byte) ([]byte, netip.AddrPort) {
	if len(h.waiting) == 0 {
		return b, netip.AddrPort{}
	}
	s := h.waiting[0]
	h.waiting = h.waiting[1:]
	if s.addr.IsValid() {
		b = appendAnswer(b, s.name, s.addr, s.ttl, s.legacy)
		if s.legacy != nil {
			return b, s.legacy.from
		}
		return b, netip.AddrPort{}
	}
	// Questions that wait together go together.
	const maxTogether = 16
	names := []string{s.name}
	for len(h.waiting) > 0 && !h.waiting[0].addr.IsValid() && len(names) < maxTogether {
		names = append(names, h.waiting[0].name)
		h.waiting = h.waiting[1:]
	}
	return appendQuestion(b, names), netip.AddrPort{}
}

// NextEvent takes out the next event.
func (h *Host) NextEvent() (Event, bool) {
	if len(h.events) == 0 {
		return nil, false
	}
	e := h.events[0]
	if h.events = h.events[1:]; len(h.events) == 0 {
		h.events = nil
	}
	return e, true
}
