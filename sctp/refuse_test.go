package sctp

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/internal/trace"
)

// drops is a trace of nothing but drops.
type drops struct{ reasons []string }

func (d *drops) Trace(e *trace.Event) {
	if e.Kind == trace.KindDrop {
		d.reasons = append(d.reasons, e.Text)
	}
}

// newTraced is a pipe whose A tells what it drops.
func newTraced(t *testing.T) (*pipe, *drops) {
	d := new(drops)
	return newPipe(t, Config{Trace: trace.New(d, "a")}, Config{}), d
}

// packet builds a packet of chunks for x, with its own verification tag.
func packet(x *Association, chunks ...[]byte) []byte {
	b := header{source: 5000, destination: 5000, tag: x.localTag}.append(nil)
	b = append(b, bytes.Join(chunks, nil)...)
	fillChecksum(b)
	return b
}

// said is what x has to say, in words.
func said(x *Association, now time.Time) string {
	var s []string
	for b := x.AppendPacket(now, nil); len(b) > 0; b = x.AppendPacket(now, nil) {
		s = append(s, Describe(b))
	}
	return strings.Join(s, "; ")
}

func TestPacketsThatAreNotForUs(t *testing.T) {
	p, d := newTraced(t)
	p.connect()
	good := packet(p.a, appendChunk(nil, typeHeartbeat, 0, appendParam(nil, paramHeartbeatInfo, []byte{1, 2, 3, 4})))
	change := func(at int, sum bool) []byte {
		b := bytes.Clone(good)
		b[at] ^= 1
		if sum {
			clear(b[8:12])
			fillChecksum(b)
		}
		return b
	}
	for _, test := range []struct {
		packet []byte
		want   string
	}{
		{good[:8], dropShort},
		{change(0, true), dropPort},
		{change(3, true), dropPort},
		{change(4, true), dropTag},
		{change(20, false), dropChecksum},
		{change(15, true), dropMalformed},
		{packet(p.a), dropMalformed},
		{packet(p.a, samplePackets()[1][headerSize:], appendChunk(nil, typeCookieAck, 0, nil)), dropBundled},
		{packet(p.a, samplePackets()[1][headerSize:]), dropTag},
		{packet(p.a, appendChunk(nil, typeCookieAck, 0, nil)), dropState},
		{packet(p.a, samplePackets()[2][headerSize:]), dropState},
		{packet(p.a, appendChunk(nil, typeHeartbeatAck, 0, appendParam(nil, paramHeartbeatInfo, make([]byte, 8)))), dropHeartbeat},
		{packet(p.a, appendChunk(nil, typeSack, 0, make([]byte, 11))), dropMalformed},
		{packet(p.a, sackBytes(sackChunk{cumTSN: p.a.send.out.cum - 1})), dropStaleSack},
		{packet(p.a, sackBytes(sackChunk{cumTSN: p.a.send.out.next})), dropBadSack},
		{packet(p.a, appendShutdown(nil, p.a.send.out.next)), dropBadSack},
		{packet(p.a, appendChunk(nil, typeShutdownAck, 0, nil)), dropState},
		{packet(p.a, appendChunk(nil, typeCookieEcho, 0, make([]byte, cookieSize+cookieMACSize))), dropCookie},
		{packet(p.a, appendChunk(nil, chunkType(0x80), 0, nil)), dropUnknown},
	} {
		d.reasons = nil
		p.a.Receive(p.now, test.packet)
		if !slices.Contains(d.reasons, test.want) {
			t.Errorf("%s: dropped for %q, want %q", Describe(test.packet), d.reasons, test.want)
		}
		if p.a.State() != StateEstablished {
			t.Fatalf("%s: the state is %v", Describe(test.packet), p.a.State())
		}
	}
	if got := said(p.a, p.now); got != "" {
		t.Errorf("A answered %s", got)
	}
	p.a.Receive(p.now, good)
	if got := said(p.a, p.now); got != "HEARTBEAT ACK" {
		t.Errorf("the good one was answered by %q", got)
	}
}

// An INIT leaves nothing behind but the answer: no state before a valid cookie.
func TestInitCostsNothing(t *testing.T) {
	p := newPipe(t, Config{}, Config{})
	p.a.Connect(p.now)
	init := p.a.AppendPacket(p.now, nil)
	for range 100 {
		p.z.Receive(p.now, init)
	}
	if p.z.State() != StateClosed || p.z.setup != nil || p.z.peerTag != 0 || !p.z.NextTimeout().IsZero() {
		t.Error("Z keeps something of an INIT")
	}
	if n := strings.Count(said(p.z, p.now), "INIT ACK"); n != maxReplies {
		t.Errorf("%d answers wait, want at most %d", n, maxReplies)
	}
	if n := testing.AllocsPerRun(10, func() { said(p.z, p.now) }); n != 0 {
		t.Error("answers do not end")
	}
}

func TestCookieIsAuthenticated(t *testing.T) {
	p, _ := newTraced(t)
	d := new(drops)
	p.z = New(Config{Rand: seeded(1, 'z'), Trace: trace.New(d, "z")})
	p.a.Connect(p.now)
	p.until("COOKIE-ECHOED", time.Second, func() bool { return p.a.State() == StateCookieEchoed })
	echo := p.a.AppendPacket(p.now, nil)
	for i := headerSize + chunkHeaderSize; i < len(echo); i += 7 {
		b := bytes.Clone(echo)
		b[i] ^= 1
		clear(b[8:12])
		fillChecksum(b)
		p.z.Receive(p.now, b)
	}
	wrongTag := bytes.Clone(echo)
	wrongTag[4] ^= 1
	clear(wrongTag[8:12])
	fillChecksum(wrongTag)
	p.z.Receive(p.now, wrongTag)
	if p.z.State() != StateClosed || said(p.z, p.now) != "" {
		t.Error("a forged cookie was taken")
	}
	p.z.Receive(p.now, echo)
	if p.z.State() != StateEstablished {
		t.Errorf("the true one was not: %q", d.reasons)
	}
}

// RFC 9260, Section 5.2.4, the table.
func TestCollisionTable(t *testing.T) {
	a := New(Config{Rand: seeded(1, 'a')})
	a.localTag, a.peerTag, a.tie = 10, 20, tieTags{1, 2}
	for _, test := range []struct {
		local, peer uint32
		tie         tieTags
		want        collision
	}{
		{11, 21, tieTags{1, 2}, restart},
		{11, 21, tieTags{1, 3}, unrelated},
		{11, 21, tieTags{}, unrelated},
		{10, 21, tieTags{}, simultaneous},
		{10, 21, tieTags{9, 9}, simultaneous},
		{11, 20, tieTags{}, late},
		{11, 20, tieTags{1, 2}, unrelated},
		{10, 20, tieTags{}, duplicated},
		{10, 20, tieTags{9, 9}, duplicated},
	} {
		if got := a.collide(cookie{localTag: test.local, tie: test.tie, peer: peerInit{tag: test.peer}}); got != test.want {
			t.Errorf("tags %d and %d, tie tags %v: %d, want %d", test.local, test.peer, test.tie, got, test.want)
		}
	}
	a.peerTag = 0 // COOKIE-WAIT
	if got := a.collide(cookie{localTag: 10, peer: peerInit{tag: 20}}); got != simultaneous {
		t.Errorf("before the peer's tag is known: %d", got)
	}
}

func TestInitThatCannotBe(t *testing.T) {
	good := initChunk{tag: 7, rwnd: 1 << 16, outStreams: 1, inStreams: 1, tsn: 1}
	for _, test := range []struct {
		name   string
		change func(*initChunk)
		want   string
	}{
		{"no outbound streams", func(i *initChunk) { i.outStreams = 0 }, "ABORT (Invalid Mandatory Parameter)"},
		{"no inbound streams", func(i *initChunk) { i.inStreams = 0 }, "ABORT (Invalid Mandatory Parameter)"},
		{"a tag of zero", func(i *initChunk) { i.tag = 0 }, ""},
		{"a host name", func(i *initChunk) { i.params = appendParam(nil, paramHostName, []byte("x\x00")) }, "ABORT (Unresolvable Address)"},
		{"a parameter cut short", func(i *initChunk) { i.params = []byte{0, 7, 0, 9} }, `ABORT (Protocol Violation: "malformed parameter")`},
	} {
		i := good
		test.change(&i)
		a := New(Config{Rand: seeded(1, 'a')})
		a.Receive(epoch(), packet(a, i.append(nil, typeInit)))
		if got := said(a, epoch()); got != test.want {
			t.Errorf("%s: answered by %q, want %q", test.name, got, test.want)
		}
		// An INIT ACK like that ends the attempt.
		a.Connect(epoch())
		said(a, epoch())
		if i.params == nil {
			i.params = appendParam(nil, paramStateCookie, make([]byte, 10))
		}
		a.Receive(epoch(), packet(a, i.append(nil, typeInitAck)))
		var local *LocalError
		if a.State() != StateClosed || !errors.As(a.Err(), &local) {
			t.Errorf("%s: after INIT ACK the state is %v (%v)", test.name, a.State(), a.Err())
		}
	}
	a := New(Config{Rand: seeded(1, 'a')})
	a.Connect(epoch())
	said(a, epoch())
	a.Receive(epoch(), packet(a, good.append(nil, typeInitAck)))
	if got := said(a, epoch()); got != "ABORT (Missing Mandatory Parameter)" {
		t.Errorf("an INIT ACK without a cookie is answered by %q", got)
	}
}

// Unknown parameters of INIT and INIT ACK that want to be reported are.
func TestUnknownParametersAreReported(t *testing.T) {
	i := initChunk{tag: 7, rwnd: 1 << 16, outStreams: 1, inStreams: 1, tsn: 1, params: appendParam(nil, 0xfffe, []byte{1, 2, 3})}
	a := New(Config{Rand: seeded(1, 'a')})
	a.Receive(epoch(), packet(a, i.append(nil, typeInit)))
	b := a.AppendPacket(epoch(), nil)
	if !bytes.Contains(b, appendParam(nil, paramUnrecognized, []byte{0xff, 0xfe, 0, 7, 1, 2, 3})) {
		t.Errorf("INIT ACK is %x", b)
	}
	a.Connect(epoch())
	said(a, epoch())
	i.params = appendParam(i.params, paramStateCookie, make([]byte, 10))
	a.Receive(epoch(), packet(a, i.append(nil, typeInitAck)))
	if got := said(a, epoch()); got != "COOKIE ECHO cookie[10] + ERROR (Unrecognized Parameters)" {
		t.Errorf("INIT ACK is answered by %q", got)
	}
}

// Unknown chunks are treated as their two highest bits say (RFC 9260, Section
// 3.2).
func TestUnknownChunks(t *testing.T) {
	heartbeat := appendChunk(nil, typeHeartbeat, 0, appendParam(nil, paramHeartbeatInfo, []byte{1, 2, 3, 4}))
	for typ, want := range map[chunkType]string{
		0x3f: "",
		0x7f: "ERROR (Unrecognized Chunk Type)",
		0xbf: "HEARTBEAT ACK",
		0xff: "ERROR (Unrecognized Chunk Type) + HEARTBEAT ACK",
	} {
		p := newPipe(t, Config{}, Config{})
		p.connect()
		p.a.Receive(p.now, packet(p.a, appendChunk(nil, typ, 0, []byte{1, 2, 3}), heartbeat))
		if got := said(p.a, p.now); got != want {
			t.Errorf("%02x: %q, want %q", uint8(typ), got, want)
		}
	}
}

func TestBadData(t *testing.T) {
	p := newPipe(t, Config{InStreams: 2, Without: Interleaving}, Config{})
	p.connect()
	d := dataChunk{flags: flagBegin | flagEnd, tsn: p.a.recv.tracker.cum + 1, stream: 2, payload: []byte{1}}
	p.a.Receive(p.now, packet(p.a, d.append(nil)))
	if got := said(p.a, p.now); !strings.Contains(got, "ERROR (Invalid Stream Identifier)") || !strings.Contains(got, "SACK") {
		t.Errorf("a stream that is not there: %q", got)
	}
	d = dataChunk{flags: flagBegin | flagEnd, tsn: p.a.recv.tracker.cum + 1}
	p.a.Receive(p.now, packet(p.a, d.append(nil)))
	if got := said(p.a, p.now); got != "ABORT (No User Data)" {
		t.Errorf("a chunk without data: %q", got)
	}
	var local *LocalError
	if !errors.As(p.a.Err(), &local) || local.Cause != NoUserData {
		t.Errorf("the association ended with %v", p.a.Err())
	}
}

// RFC 9260, Section 8.4, at an association that never was.
func TestOutOfTheBlue(t *testing.T) {
	for _, test := range []struct {
		chunk []byte
		want  string
	}{
		{appendChunk(nil, typeAbort, 0, nil), ""},
		{appendChunk(nil, typeShutdownComplete, 0, nil), ""},
		{appendChunk(nil, typeCookieAck, 0, nil), ""},
		{appendChunk(nil, typeError, 0, appendCause(nil, StaleCookie, make([]byte, 4))), ""},
		{appendChunk(nil, typeShutdownAck, 0, nil), "SHUTDOWN COMPLETE T"},
		{samplePackets()[0][headerSize:], "ABORT T"},
		{appendChunk(nil, typeHeartbeat, 0, nil), "ABORT T"},
		{appendChunk(nil, typeError, 0, nil), "ABORT T"},
	} {
		a := New(Config{Rand: seeded(1, 'a')})
		b := header{source: 5000, destination: 5000, tag: 0x1234}.append(nil)
		b = append(b, test.chunk...)
		fillChecksum(b)
		a.Receive(epoch(), b)
		answer := a.AppendPacket(epoch(), nil)
		if got := Describe(answer); len(answer) > 0 && got != test.want || len(answer) == 0 && test.want != "" {
			t.Errorf("%s is answered by %q, want %q", Describe(b), got, test.want)
		}
		if h, _, _ := parseHeader(answer); len(answer) > 0 && h.tag != 0x1234 {
			t.Errorf("the answer's tag is %x", h.tag)
		}
	}
}

// Without FORWARD TSN every message is reliable; without RE-CONFIG no stream
// can be reset.
func TestPeerWithoutExtensions(t *testing.T) {
	p := newPipe(t, Config{}, Config{Without: ^Extensions(0)})
	p.a.ResetStreams(p.now, 5)
	p.a.Connect(p.now)
	p.run(time.Second)
	if p.a.State() != StateEstablished || p.a.peer != 0 {
		t.Fatalf("the state is %v, the extensions %+v", p.a.State(), p.a.peer)
	}
	if e := events[StreamsResetDone](p, p.a); len(e) != 1 || !e[0].Denied {
		t.Errorf("the reset that was asked for too early: %v", e)
	}
	if err := p.a.ResetStreams(p.now, 1); err != ErrUnsupported {
		t.Errorf("ResetStreams: %v", err)
	}
	lose := true
	p.fate = func(from *Association, b []byte) (int, time.Duration) {
		if lose && from == p.a {
			lose = false
			return 0, 0
		}
		return 1, 0
	}
	p.send(p.a, Message{Data: []byte("x"), Limited: true})
	p.run(5 * time.Second)
	if len(p.got[p.z]) != 1 {
		t.Error("the message was given up although the peer cannot be told")
	}
}
