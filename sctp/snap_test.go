package sctp

import (
	"encoding/base64"
	"testing"
	"time"
)

// Chromium 156's INIT, as it stood in its description, and ours make an
// association without a packet.
func TestSnapWithChromium(t *testing.T) {
	remote, err := base64.StdEncoding.DecodeString("AQAAHjcSLlcAUAAA/////8DkV3HAAAAEgAgABoLA")
	if err != nil {
		t.Fatal(err)
	}
	c := Config{Rand: seeded(1, 'a'), DTLS: true, InStreams: 1024, OutStreams: 1024, RemoteInit: remote}
	c.LocalInit = NewInit(c)
	a := New(c)
	a.Connect(epoch())
	if a.State() != StateEstablished || a.peerTag != 0x37122e57 || a.peer != PartialReliability|Reconfiguration ||
		a.send.rwnd != 5<<20 || a.recv.tracker.cum != 3236190064 {
		t.Errorf("%v, peer %x with %b, window %d, TSN %d", a.State(), a.peerTag, a.peer, a.send.rwnd, a.recv.tracker.cum)
	}
	if e, _ := a.NextEvent(); e != (Established{OutStreams: 1024, InStreams: 1024}) {
		t.Errorf("the event is %v", e)
	}
	if b := a.AppendPacket(epoch(), nil); len(b) != 0 {
		t.Errorf("the first packet is %s", Describe(b))
	}
}

// What is not one good INIT chunk is refused, and an association that was given
// it begins with INIT.
func TestSnapRefuses(t *testing.T) {
	c := Config{Rand: seeded(1, 'a')}
	good := NewInit(c)
	if err := CheckInit(good); err != nil {
		t.Fatal(err)
	}
	change := func(at int, b ...byte) []byte {
		bad := append([]byte(nil), good...)
		copy(bad[at:], b)
		return bad
	}
	bad := map[string][]byte{
		"nothing":              {},
		"two chunks":           append(pad(append([]byte(nil), good...), len(good)), 11, 0, 0, 4),
		"INIT ACK":             change(0, byte(typeInitAck)),
		"tag zero":             change(4, 0, 0, 0, 0),
		"no outbound streams":  change(12, 0, 0),
		"no inbound streams":   change(14, 0, 0),
		"a parameter too long": change(len(good)-6, 0, 99),
	}
	for n := range len(good) {
		bad["a prefix"] = good[:n]
		if CheckInit(good[:n]) == nil {
			t.Errorf("%d of %d bytes are taken", n, len(good))
		}
	}
	for what, b := range bad {
		if CheckInit(b) == nil {
			t.Errorf("%s is taken: %x", what, b)
		}
		c.LocalInit, c.RemoteInit = good, b
		a := New(c)
		a.Connect(epoch())
		if a.State() != StateCookieWait {
			t.Errorf("%s: the state is %v", what, a.State())
		}
	}
}

// If the signalling lost one of the INITs, the end that should have got it sends
// its own, and nothing that either end has sent meanwhile is lost, whatever the
// network does.
func TestSnapOnOneSide(t *testing.T) {
	for seed := range uint64(100) {
		rng := seeded(seed, 's')
		ca, cz := Config{Rand: seeded(seed, 'a')}, Config{Rand: seeded(seed, 'z')}
		ca.LocalInit, cz.LocalInit = NewInit(ca), NewInit(cz)
		cz.RemoteInit = ca.LocalInit
		p := newPipe(t, ca, cz)
		p.fate = func(*Association, []byte) (int, time.Duration) {
			return []int{0, 1, 1, 1, 2}[rng.Uint64()%5], time.Duration(rng.Uint64() % uint64(50*time.Millisecond))
		}
		for i := range byte(5) {
			p.send(p.a, Message{Data: pattern(2000, i)})
			p.send(p.z, Message{Data: pattern(2000, i)})
		}
		p.a.Connect(p.now)
		p.z.Connect(p.now)
		p.until("everything arrived", 2*time.Minute, func() bool { return len(p.got[p.a]) == 5 && len(p.got[p.z]) == 5 })
		if len(events[Restarted](p, p.a))+len(events[Restarted](p, p.z)) != 0 {
			t.Errorf("seed %d: there was a restart", seed)
		}
	}
}

// FuzzInit: no chunk from a description makes an association that panics.
func FuzzInit(f *testing.F) {
	f.Add(NewInit(Config{Rand: seeded(1, 'f')}))
	f.Add(NewInit(Config{Rand: seeded(1, 'f'), DTLS: true, Without: Interleaving}))
	f.Fuzz(func(t *testing.T, b []byte) {
		c := Config{Rand: seeded(1, 'a'), RemoteInit: b}
		c.LocalInit = NewInit(c)
		a := New(c)
		a.Send(epoch(), Message{Stream: 9, Data: make([]byte, 5000)})
		a.Connect(epoch())
		if (a.State() == StateEstablished) != (CheckInit(b) == nil) && CheckInit(b) != nil {
			t.Errorf("established with what CheckInit refuses: %x", b)
		}
		for range 10 {
			a.AppendPacket(epoch(), nil)
		}
		checkInvariants(t, a)
	})
}
