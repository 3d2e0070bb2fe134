package ice

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/internal/wire"
	"github.com/plainrtc/plainrtc/stun"
)

// A hostile world for one agent: its input decides what happens. Its datagrams
// may be garbage, but also checks and responses with correct integrity, as the
// peer itself could send them.
type hostile struct {
	*testing.T
	wire.Reader
	agent *Agent
	now   time.Time
	peer  Credentials
	sent  []stun.TransactionID // of the agent's last checks
	paths []Path
}

func (h *hostile) addr() netip.AddrPort {
	b := h.Uint8()
	if b&1 == 0 {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, b >> 1}), uint16(h.Uint8())+1)
	}
	return netip.AddrPortFrom(netip.AddrFrom16([16]byte{0x20, 1, 15: b >> 1}), uint16(h.Uint8())+1)
}

func (h *hostile) path() Path {
	p := Path{Remote: h.addr()}
	if n := len(h.agent.locals); n > 0 {
		l := h.agent.locals[int(h.Uint8())%n]
		p.Local, p.Protocol = l.addr, l.candidate.Protocol
	}
	return p
}

// stream is one of the agent's connections, or one that it does not know.
func (h *hostile) stream() Path {
	i := int(h.Uint8())
	if n := len(h.agent.streams); n > 0 && i < 200 {
		return h.agent.streams[i%n].path
	}
	p := h.path()
	p.Protocol = TCP
	return p
}

// check has the agent receive a check of the peer.
func (h *hostile) check() {
	flags := h.Uint8()
	var id stun.TransactionID
	copy(id[:], h.Bytes(2))
	b := stun.NewBuilder(nil, stun.BindingRequest, id)
	local := h.agent.session
	if flags&1 != 0 && h.agent.old != nil {
		local = h.agent.old
	}
	b.AddString(stun.AttrUsername, local.local.Ufrag+":"+h.peer.Ufrag)
	switch flags >> 1 & 3 {
	case 0:
		b.AddUint64(stun.AttrICEControlling, uint64(h.Uint8())<<56)
	case 1:
		b.AddUint64(stun.AttrICEControlled, uint64(h.Uint8())<<56)
	}
	if flags&8 != 0 {
		b.Add(stun.AttrUseCandidate, nil)
	}
	if flags&16 == 0 {
		b.AddUint32(stun.AttrPriority, h.Uint32())
	}
	if flags&32 != 0 {
		b.Add(stun.AttributeType(h.Uint16()), h.Vector8())
	}
	switch flags >> 6 {
	case 1:
		b.AddUint32(stun.AttrNomination, uint32(h.Uint8()))
	case 2:
		b.AddUint32(stun.AttrGoogNomination, uint32(h.Uint8()))
	}
	b.AddIntegrity(local.localKey)
	b.AddFingerprint()
	h.agent.Receive(h.now, h.path(), b.Bytes())
}

// response has the agent receive a response of the peer to one of its checks.
func (h *hostile) response() {
	if len(h.sent) == 0 || !h.agent.session.complete() {
		return
	}
	flags := h.Uint8()
	i := int(h.Uint8()) % len(h.sent)
	path := h.paths[i]
	if flags&1 != 0 {
		path = h.path()
	}
	var b stun.Builder
	if flags&6 == 6 {
		b = stun.NewBuilder(nil, stun.BindingErrorResponse, h.sent[i])
		b.AddErrorCode(300+stun.ErrorCode(h.Uint16()%400), "")
	} else {
		b = stun.NewBuilder(nil, stun.BindingSuccessResponse, h.sent[i])
		if flags&8 == 0 {
			b.AddXORAddress(stun.AttrXORMappedAddress, h.addr())
		}
	}
	b.AddIntegrity(h.agent.session.remoteKey)
	b.AddFingerprint()
	h.agent.Receive(h.now, path, b.Bytes())
}

// step does one thing.
func (h *hostile) step() {
	a := h.agent
	switch h.Uint8() % 16 {
	case 0, 1, 2, 3:
		h.check()
	case 4, 5, 6, 7:
		h.response()
	case 8, 9:
		h.now = h.now.Add(time.Duration(h.Uint16()) * time.Millisecond)
		a.Advance(h.now)
	case 10:
		a.Receive(h.now, h.path(), append([]byte(nil), h.Vector8()...))
	case 11:
		a.AddRemoteCandidate(h.now, Candidate{Foundation: string('a' + rune(h.Uint8()%8)), Component: 1, Priority: h.Uint32(), Addr: h.addr()})
	case 12:
		a.SeenData(h.now, h.path(), 100)
	case 13:
		switch h.Uint8() % 4 {
		case 0:
			a.AddLocalAddress(h.now, h.addr(), LocalOptions{})
		case 1:
			a.RemoveLocalAddress(h.now, h.path().Local)
		case 2:
			a.SetControlling(h.Uint8()&1 == 0)
		case 3:
			a.SetRemoteLite(h.Uint8()&1 == 0)
		}
	case 14:
		a.SetRemoteCredentials(h.now, h.peer)
	case 15:
		switch h.Uint8() % 8 {
		case 0:
			a.Restart(h.now, NewCredentials(a.config.Rand))
			h.peer.Ufrag += "x"
		case 2:
			a.SetRenomination(h.Uint8()&1 == 0)
		case 3: // a name of the peer's
			c := Candidate{Foundation: "n", Component: 1, Priority: h.Uint32(), Host: string('a'+rune(h.Uint8()%4)) + ".local"}
			c.Addr = netip.AddrPortFrom(netip.Addr{}, h.addr().Port())
			a.AddRemoteCandidate(h.now, c)
		case 4:
			addr := h.addr().Addr()
			if h.Uint8()&7 == 0 {
				addr = netip.Addr{}
			}
			a.RemoteResolved(h.now, string('a'+rune(h.Uint8()%4))+".local", addr)
		case 6:
			a.AddLocalAddress(h.now, h.addr(), LocalOptions{TCP: TCPType(1 + h.Uint8()%3)})
			c := Candidate{Foundation: "t", Component: 1, Protocol: TCP, TCPType: TCPType(1 + h.Uint8()%3), Priority: h.Uint32(), Addr: h.addr()}
			a.AddRemoteCandidate(h.now, c)
		case 7:
			switch h.Uint8() % 4 {
			case 0, 1:
				a.Connected(h.now, h.stream())
			case 2:
				a.Disconnected(h.now, h.stream(), nil)
			case 3:
				a.RemoveTCPAddress(h.now, h.path().Local, TCPType(1+h.Uint8()%3))
			}
		case 5:
			a.AddLocalAddress(h.now, h.addr(), LocalOptions{Name: "us.local", NetworkCost: h.Uint16()})
		case 1: // the peer restarts alone
			h.peer.Ufrag += "y"
			a.SetRemoteCredentials(h.now, h.peer)
		}
	}
}

// drain takes out what the agent has to say, which must be little.
func (h *hostile) drain() {
	a := h.agent
	for n := 0; ; n++ {
		packet, path := a.AppendPacket(h.now, nil)
		if len(packet) == 0 {
			break
		}
		if n > maxResponses+2*a.config.MaxPairs {
			h.Fatal("there is no end to what the agent sends at one instant")
		}
		m, err := stun.Parse(packet)
		if err != nil || m.CheckFingerprint() != nil || !path.Local.IsValid() || !path.Remote.IsValid() {
			h.Fatalf("sent %v on %v: %v", m, path, err)
		}
		if s := a.stream(path); path.Protocol == TCP && m.Type() == stun.BindingRequest && (s == nil || !s.open) {
			h.Fatalf("sent a check on %v, where no connection is", path)
		}
		if m.Type() == stun.BindingRequest {
			h.sent, h.paths = append(h.sent, m.TransactionID()), append(h.paths, path)
		}
	}
	if n := len(h.sent); n > 32 {
		h.sent, h.paths = h.sent[n-32:], h.paths[n-32:]
	}
	for ok := true; ok; _, ok = a.NextEvent() {
	}
}

// check looks at what must always be true.
func (h *hostile) invariants() {
	a := h.agent
	if len(a.streams) > maxStreams || a.ended() && len(a.streams) > 0 {
		h.Fatalf("%d connections in state %v", len(a.streams), a.state)
	}
	if len(a.pairs) > a.config.MaxPairs || len(a.remotes) > maxRemotes || len(a.locals) > maxLocals ||
		len(a.triggered) > a.config.MaxPairs+1 || len(a.responses) > 0 {
		h.Fatalf("%d pairs, %d remote and %d local candidates, %d checks and %d responses to send: beyond the bounds",
			len(a.pairs), len(a.remotes), len(a.locals), len(a.triggered), len(a.responses))
	}
	for _, p := range [...]*pair{a.selected, a.nominated, a.nominating} {
		if p != nil && (p.removed && p.session == a.session || p.state == PairFailed) {
			h.Fatalf("%v is %v, removed: %v, and still in use", p.path(), p.state, p.removed)
		}
	}
	if p := a.nominated; p != nil && p.session != a.session {
		h.Fatalf("%v is nominated in another session", p.path())
	}
	for i, p := range a.pairs {
		if p.removed || p.session != a.session || i > 0 && a.pairs[i-1].priority < p.priority {
			h.Fatalf("pair %d, %v, is out of place", i, p.path())
		}
		for _, q := range a.pairs[:i] {
			if q.path() == p.path() {
				h.Fatalf("%v is on the check list twice", p.path())
			}
		}
	}
	if path, ok := a.SelectedPath(); ok && (a.state == StateNew || a.state == StateChecking || a.ended()) {
		h.Fatalf("data may go %v in state %v", path, a.state)
	}
	if next := a.NextTimeout(); !next.IsZero() && next.Before(h.now.Add(-time.Hour)) {
		h.Fatalf("a timer was forgotten an hour ago")
	}
}

func FuzzAgent(f *testing.F) {
	random := rand.New(rand.NewPCG(8445, 0))
	for size := 32; size <= 4096; size *= 2 {
		for range 4 {
			b := make([]byte, size)
			for i := range b {
				b[i] = byte(random.Uint32())
			}
			f.Add(b)
		}
	}
	f.Fuzz(playHostile)
}

// playHostile plays an input to its end, and then leaves the agent alone.
func playHostile(t *testing.T, input []byte) {
	h := &hostile{T: t, Reader: wire.NewReader(input), now: time.Unix(1e9, 0), peer: Credentials{"peer", "0123456789012345678901"}}
	flags := h.Uint8()
	h.agent = New(Config{Rand: rand.NewChaCha8([32]byte{}), Lite: flags&7 == 7, MaxPairs: 24})
	h.agent.SetControlling(flags&8 == 0)
	for range 1 + flags>>4&3 {
		h.agent.AddLocalAddress(h.now, h.addr(), LocalOptions{})
	}
	if flags&64 == 0 {
		h.agent.SetRemoteCredentials(h.now, h.peer)
	}
	for h.Len() > 0 {
		h.step()
		h.drain()
		h.invariants()
	}
	// Left alone, the agent comes to an end.
	for range 1000 {
		next := h.agent.NextTimeout()
		if next.IsZero() || h.agent.ended() {
			return
		}
		h.now = next
		h.agent.Advance(h.now)
		h.drain()
		h.invariants()
	}
	if !h.agent.config.Lite {
		t.Fatalf("alone for %v, the agent is %v still", h.now.Sub(time.Unix(1e9, 0)), h.agent.state)
	}
}
