package natlab

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
)

// Browser is what the schedule of libwebrtc, the stack of browsers, makes of two
// topologies: a model of it, made from its source, in the place of both agents. It
// is beside the point of the model how libwebrtc ranks and nominates pairs; it is
// about when checks are sent, and so when the first ones are answered.
//
//   - Every 48 ms one check is sent (WEAK_PING_INTERVAL), from when there is a
//     first pair on, until a pair works; whatever arrives does not change that.
//   - Which: a pair on which the peer was heard since it was last checked, and that
//     does not work yet, the one heard first; else one that was never checked,
//     the one with the highest priority; else the one whose check is the longest ago.
//   - A check is never repeated but by its turn.
//   - STUN servers are asked at once, TURN servers 50 ms later (kMinimumStepDelay).
//
// That is what BasicIceController::SelectConnectionToPing does by the third and fourth
// rule of FindNextPingableConnection. The others have pairs that work checked before
// those that do not; they could only make it slower, and are left out. A path counts
// as found with the first answer, on each side for itself, nominated or not.
func Browser(e Experiment) (Bound, error) { return probe(e, true, 12*e.rtt()+1500*time.Millisecond) }

const (
	weakPingInterval = 48 * time.Millisecond
	allocationStep   = 50 * time.Millisecond
)

// A ping is what libwebrtc calls a connection: a pair.
type ping struct {
	local, to netip.AddrPort
	sent      time.Time // zero: never
	heardAt   time.Time
	writable  bool
}

// ping returns the one of a pair.
func (b *brute) ping(local, to netip.AddrPort) *ping {
	for _, p := range b.pings {
		if p.local == local && p.to == to {
			return p
		}
	}
	p := &ping{local: local, to: to}
	b.pings = append(b.pings, p)
	return p
}

func (b *brute) heard(now time.Time, local, remote netip.AddrPort) {
	if b.browser {
		b.ping(local, remote).heardAt = now
	}
}

func (b *brute) answered(local, remote netip.AddrPort) {
	if b.browser {
		b.ping(local, remote).writable = true
	}
}

// rank orders types of addresses by their preference.
func (b *brute) rank(p *ping) int {
	kind := func(relayed, host bool) int {
		switch {
		case relayed:
			return 2
		case host:
			return 126
		}
		return 100
	}
	_, relayed := b.relays[p.local]
	return min(kind(relayed, true), kind(isRelay(p.to.Addr()), slices.Contains(b.peer.bases, p.to)))
}

// pingNext checks the pair whose turn it is.
func (b *brute) pingNext(now time.Time) {
	if !b.knows {
		return
	}
	for _, p := range b.pairs(now) {
		b.ping(p[0], p[1])
	}
	var triggered, next *ping
	for _, p := range b.pings {
		if !p.writable && p.heardAt.After(p.sent) && (triggered == nil || p.heardAt.Before(triggered.heardAt)) {
			triggered = p
		}
		better := func() bool {
			if c := p.sent.Compare(next.sent); c != 0 {
				return c < 0
			}
			return cmp.Compare(b.rank(p), b.rank(next)) > 0
		}
		if next == nil || better() {
			next = p
		}
	}
	if triggered != nil {
		next = triggered
	}
	if next != nil {
		next.sent = now
		b.check(next.local, next.to)
	}
}
