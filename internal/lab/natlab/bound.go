package natlab

import (
	"net/netip"
	"slices"
	"time"

	"github.com/plainrtc/plainrtc/internal/netsim"
	"github.com/plainrtc/plainrtc/internal/timers"
	"github.com/plainrtc/plainrtc/stun"
	"github.com/plainrtc/plainrtc/turn"
)

// A Bound is what no agent can beat, in round trips since the answer was back: when
// both ends can have a path, and when they can have a direct one.
type Bound struct {
	Connected float64 // +Inf: they did not find any in a time that is a multiple of what it takes
	Direct    float64 // +Inf if there is none
	Possible  bool    // there is a direct path
}

// Least finds it by brute force. In place of agents stand two that do not heed any
// pace: whenever something can have changed, which is every quarter of a one-way
// delay, they check every address they know of the other side from every one of
// theirs, and answer at once. Addresses of their own they learn as agents do, and
// they tell them by the same signalling.
//
// It knows nothing of how pairs are ranked, and so is a second opinion on what
// [Direct] says, too: what brute force does not find is not there.
func Least(e Experiment) (Bound, error) { return probe(e, false, 12*e.rtt()) }

// probe lets two of them try, for a time that is a multiple of what the slowest take.
func probe(e Experiment, browsers bool, limit time.Duration) (Bound, error) {
	w := newWorld(e, nil)
	if err := addServer(w); err != nil {
		return Bound{}, err
	}
	var both [2]*brute
	for i := range both {
		both[i] = &brute{
			world: w, name: users[i], browser: browsers,
			clients: map[netip.AddrPort]*turn.Client{},
			relays:  map[netip.AddrPort]netip.AddrPort{}, permitted: map[netip.AddrPort]bool{},
		}
		w.add(i, both[i])
		both[i].bases, both[i].nat64 = w.hosts[i].addrs, w.hosts[i].topology.nat64()
	}
	both[0].peer, both[1].peer = both[1], both[0]
	for i, b := range both {
		w.After(time.Duration(i)*w.signalling(), func() { b.begin(w.Now()) })
	}
	w.Run(func() bool { return !both[0].direct.IsZero() && !both[1].direct.IsZero() }, limit)
	return Bound{
		Connected: w.sinceExchange(both[0].valid, both[1].valid),
		Direct:    w.sinceExchange(both[0].direct, both[1].direct),
		Possible:  !both[0].direct.IsZero() && !both[1].direct.IsZero(),
	}, nil
}

// brute is an agent without manners.
type brute struct {
	world *world
	name  string
	peer  *brute
	nat64 bool
	// synthesizes says that it has heard of the NAT64 from the STUN server.
	synthesizes bool
	// browser says that it keeps libwebrtc's pace.
	browser bool
	pings   []*ping

	bases   []netip.AddrPort
	clients map[netip.AddrPort]*turn.Client   // by base
	relays  map[netip.AddrPort]netip.AddrPort // relayed address to its base

	own       []netip.AddrPort // candidates
	knows     bool             // we know the peer
	remotes   []netip.AddrPort
	permitted map[netip.AddrPort]bool // which remotes the servers were told of

	next   time.Time // to check all
	out    []letter
	valid  time.Time // when the first check was answered
	direct time.Time // when the first was that went over no relay
}

// What they send: a check with the address that it goes to, and the same as an answer,
// which must come from there. RFC 8445, Section 7.2.5.2.1.
const (
	bruteCheck  = '!'
	bruteAnswer = '='
)

// begin learns addresses, and tells what there is.
func (b *brute) begin(now time.Time) {
	for _, base := range b.bases {
		client, err := turn.NewClient(turn.ClientConfig{Username: b.name, Password: password, Family: turn.BothFamilies, Rand: b.world.Rand(b.name + base.String())})
		if err != nil {
			panic("BUG: " + err.Error())
		}
		b.clients[base] = client
		b.world.After(b.relayDelay(), func() { client.Start(b.world.Now()) })
		if s := stunServer(base.Addr(), b.nat64); s.IsValid() {
			request := stun.NewBuilder(nil, stun.BindingRequest, stun.TransactionID{byte(len(b.own))})
			b.out = append(b.out, letter{base, s, request.Bytes()})
		}
		b.own = append(b.own, base)
	}
	b.world.After(b.world.signalling(), func() {
		b.peer.knows = true
		b.peer.wake(b.world.Now())
	})
	for _, c := range b.own {
		b.tell(c)
	}
}

// relayDelay is how long it waits until it asks TURN servers.
func (b *brute) relayDelay() time.Duration {
	if b.browser {
		return allocationStep
	}
	return 0
}

// wake has it check everything, for something has changed.
func (b *brute) wake(now time.Time) {
	if !b.browser {
		b.next = now
	} else if b.next.IsZero() && b.knows && len(b.remotes) > 0 {
		b.next = now // from here on it has its own pace
	}
}

// tell signals a candidate.
func (b *brute) tell(c netip.AddrPort) {
	b.world.After(b.world.signalling(), func() { b.peer.learn(b.world.Now(), c) })
}

func (b *brute) learn(now time.Time, remote netip.AddrPort) {
	if !slices.Contains(b.remotes, remote) {
		b.remotes = append(b.remotes, remote)
		b.wake(now)
	}
}

func (b *brute) found(now time.Time, c netip.AddrPort) {
	if c.IsValid() && !slices.Contains(b.own, c) {
		b.own = append(b.own, c)
		b.tell(c)
		b.wake(now)
	}
}

func (b *brute) Receive(now time.Time, local, remote netip.AddrPort, packet []byte) {
	if !slices.Contains(b.bases, local) {
		return // our own, to the address that the peer has in its home
	}
	if remote != turnServer(local.Addr(), serverPort) && remote != stunServer(local.Addr(), b.nat64) {
		b.hear(now, local, remote, packet)
		return
	}
	if m, err := stun.Parse(packet); err == nil && m.Type() == stun.BindingSuccessResponse {
		mapped, _ := m.XORMappedAddress()
		b.synthesizes = b.nat64
		b.found(now, mapped)
		return
	}
	client := b.clients[local]
	client.Receive(now, packet)
	if data, ok := client.NextData(); ok {
		for relayed, base := range b.relays {
			if base == local && relayed.Addr().Is4() == data.Peer.Addr().Is4() {
				b.hear(now, relayed, data.Peer, data.Payload)
				break
			}
		}
	}
	for e, ok := client.NextEvent(); ok; e, ok = client.NextEvent() {
		if e, ok := e.(turn.Allocated); ok {
			for _, relayed := range []netip.AddrPort{e.Relayed, e.Additional} {
				if relayed.IsValid() {
					b.relays[relayed] = local
					b.found(now, relayed)
				}
			}
		}
		b.wake(now)
	}
}

// hear takes what the peer sends: a check is answered, and tells where it is.
func (b *brute) hear(now time.Time, local, remote netip.AddrPort, text []byte) {
	switch {
	case text[0] == bruteCheck:
		b.out = append(b.out, letter{local, remote, append([]byte{bruteAnswer}, text[1:]...)})
		b.learn(now, remote)
		b.heard(now, local, remote)
	case text[0] == bruteAnswer && string(text[1:]) == remote.String():
		if b.valid.IsZero() {
			b.valid = now
		}
		b.answered(local, remote)
		if _, relayed := b.relays[local]; !relayed && !isRelay(remote.Addr()) && b.direct.IsZero() {
			b.direct = now
		}
	}
}

// Advance checks everything.
func (b *brute) Advance(now time.Time) {
	for _, base := range b.bases {
		if c := b.clients[base]; c != nil {
			c.Advance(now)
		}
	}
	if b.next.IsZero() || b.next.After(now) {
		return
	}
	if b.browser {
		b.next = now.Add(weakPingInterval)
		b.pingNext(now)
		return
	}
	b.next = now.Add(b.world.rtt / 8)
	if !b.knows {
		return
	}
	for _, p := range b.pairs(now) {
		b.check(p[0], p[1])
	}
}

func (b *brute) check(local, to netip.AddrPort) {
	b.out = append(b.out, letter{local, to, append([]byte{bruteCheck}, to.String()...)})
}

// pairs are all pairs of an address to send from and one to send to. TURN servers
// are asked for permissions on the way.
func (b *brute) pairs(now time.Time) (all [][2]netip.AddrPort) {
	for _, local := range b.own {
		base, relayed := b.relays[local]
		if !relayed && !slices.Contains(b.bases, local) {
			continue // what a server sees of a base
		}
		for _, remote := range b.remotes {
			to := remote
			if !relayed && local.Addr().Is6() && remote.Addr().Is4() && b.synthesizes {
				to = netip.AddrPortFrom(netsim.Synthesize(netsim.WellKnownPrefix, remote.Addr()), remote.Port())
			}
			if local.Addr().Is4() != to.Addr().Is4() {
				continue
			}
			if key := netip.AddrPortFrom(remote.Addr(), base.Port()); relayed && !b.permitted[key] {
				b.permitted[key] = true
				b.clients[base].CreatePermission(now, remote.Addr())
			}
			all = append(all, [2]netip.AddrPort{local, to})
		}
	}
	return all
}

func (b *brute) NextTimeout() time.Time {
	next := b.next
	for _, base := range b.bases {
		if c := b.clients[base]; c != nil {
			next = timers.Earlier(next, c.NextTimeout())
		}
	}
	return next
}

func (b *brute) AppendPacket(now time.Time, p []byte) ([]byte, netip.AddrPort, netip.AddrPort) {
	for _, base := range b.bases {
		if c := b.clients[base]; c != nil {
			if packet := c.AppendPacket(now, p); len(packet) > len(p) {
				return packet, base, turnServer(base.Addr(), serverPort)
			}
		}
	}
	for len(b.out) > 0 {
		l := b.out[0]
		b.out = b.out[1:]
		base, relayed := b.relays[l.from]
		if !relayed {
			return append(p, l.packet...), l.from, l.to
		}
		if wrapped, err := b.clients[base].AppendData(now, p, l.to, l.packet); err == nil {
			return wrapped, base, turnServer(base.Addr(), serverPort)
		}
	}
	return p, netip.AddrPort{}, netip.AddrPort{}
}
