package session

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/internal/trace"
	"github.com/plainrtc/plainrtc/rtp/rtcp"
)

// FuzzSession feeds a session with what a hostile peer might send who has the keys: a row of
// packets, each behind its length. The session must not panic, must come to rest,
// and must hold no more than its bounds.
func FuzzSession(f *testing.F) {
	row := func(packets ...[]byte) []byte {
		var b []byte
		for _, p := range packets {
			b = append(b, byte(len(p)>>8), byte(len(p)))
			b = append(b, p...)
		}
		return b
	}
	f.Add(row(rtpPackets(f, 12)...))
	for _, c := range captures(f, "../testdata/*.hex") {
		f.Add(row(c.packets[:min(len(c.packets), 30)]...))
	}
	for _, r := range []resilience{byNACKAndULP, byFlex} {
		f.Add(row(protectedPackets(f, r)...))
	}
	f.Fuzz(func(t *testing.T, data []byte) { hostile(t, data) })
}

// hostile gives a session a row of packets.
func hostile(t *testing.T, data []byte) {
	now := testStart
	// Everything is negotiated that may come.
	sections := byNACKAndULP.sections()
	sections[0] = redSections(true)[0]
	sections[1].Receive = append(slices.Clone(sections[1].Receive), byFlex.sections()[1].Receive[1])
	s, audio, video := newSession(t, 3, sections)
	for i, delivery := 0, []Delivery{Latest, Packets, Frames, Nothing}; len(data) >= 2 && i < 100; i++ {
		n := min(int(data[0])<<8|int(data[1]), len(data)-2)
		packet := bytes.Clone(data[2 : 2+n])
		data = data[2+n:]
		now = now.Add(time.Duration(n) * time.Millisecond)
		if i%5 == 0 { // something that NACKs, PLIs and reports can be about
			if err := video.WriteFrame(now, 0, Frame{Data: vp8Frame(1500, i == 0), PTS: now.Sub(testStart)}); err != nil {
				t.Fatal(err)
			}
			if err := audio.WriteFrame(now, 0, Frame{Data: make([]byte, 50), PTS: now.Sub(testStart)}); err != nil {
				t.Fatal(err)
			}
		}
		if rtcp.Is(packet) {
			s.ReceiveRTCP(now, packet)
		} else {
			s.ReceiveRTP(now, packet)
		}
		if at := s.NextTimeout(); !at.IsZero() && !at.After(now) {
			s.Advance(now)
		}
		settle(t, s, now, delivery[i%len(delivery)])
		checkBounds(t, s)
	}
}

// settle drains a session, which must come to an end.
func settle(t testing.TB, s *Session, now time.Time, d Delivery) {
	for n := 0; ; n++ {
		b := s.AppendPacket(now, nil)
		if len(b) == 0 {
			break
		}
		if n > 10000 {
			t.Fatal("there is no end of packets at one instant")
		}
		if len(b) > s.cfg.MTU {
			t.Fatalf("a packet of %d bytes, of at most %d", len(b), s.cfg.MTU)
		}
		if rtcp.Is(b) {
			if _, err := rtcp.Parse(b); err != nil {
				t.Fatalf("%v: %x", err, b)
			}
		}
	}
	for e, ok := s.NextEvent(); ok; e, ok = s.NextEvent() {
		if e, ok := e.(StreamStarted); ok {
			e.Stream.Deliver(now, d)
		}
	}
	for st, ok := s.NextStream(); ok; st, ok = s.NextStream() {
		for _, ok := st.NextPacket(); ok; _, ok = st.NextPacket() {
		}
		for _, ok := st.NextFrame(now); ok; _, ok = st.NextFrame(now) {
		}
	}
	if at := s.NextTimeout(); !at.IsZero() && at.Before(now) {
		s.Advance(now)
	}
}

// checkBounds holds a session to what the package's doc says of memory.
func checkBounds(t testing.TB, s *Session) {
	streams := 0
	for _, c := range s.sections {
		streams += len(c.streams)
		if len(c.streams) > c.limit() {
			t.Fatalf("%d streams in a section, of at most %d", len(c.streams), c.limit())
		}
		for _, st := range c.streams {
			if len(st.nack.missing) > maxMissing || st.packets.len() > maxUnread {
				t.Fatalf("%d packets missing, %d unread", len(st.nack.missing), st.packets.len())
			}
		}
	}
	if len(s.demux.routes) > 2*streams {
		t.Fatalf("%d routes for %d streams", len(s.demux.routes), streams)
	}
	for _, x := range s.senders {
		for _, e := range x.encodings {
			if len(e.history.slots) > maxHistory {
				t.Fatalf("%d packets are kept", len(e.history.slots))
			}
		}
	}
	if s.queue.repairs.len() > 2*maxHistory {
		t.Fatalf("%d retransmissions wait", s.queue.repairs.len())
	}
}

// A peer that invents sources makes the session forget those it invented before, and keeps
// nothing.
func TestSourcesAreBounded(t *testing.T) {
	s, _, _ := newSession(t, 3, fullSections())
	packets := rtpPackets(t, 1)
	for i := range 10000 {
		p := bytes.Clone(packets[0])
		p[8], p[9], p[10], p[11] = 0x77, byte(i>>16), byte(i>>8), byte(i)
		s.ReceiveRTP(testStart, p)
		settle(t, s, testStart, Packets)
		checkBounds(t, s)
	}
}

// Packets at random, among them many with one byte changed.
func TestHostilePeers(t *testing.T) {
	dice := rand.New(rand.NewPCG(1, 2))
	var seeds [][]byte
	for _, c := range captures(t, "../testdata/*.hex") {
		seeds = append(seeds, c.packets...)
	}
	seeds = append(seeds, rtpPackets(t, 50)...)
	for range 300 {
		var row []byte
		for range 20 {
			p := bytes.Clone(seeds[dice.IntN(len(seeds))])
			for range dice.IntN(4) {
				p[dice.IntN(min(len(p), 40))] = byte(dice.Uint32())
			}
			row = append(row, byte(len(p)>>8), byte(len(p)))
			row = append(row, p...)
		}
		hostile(t, row)
	}
}

// drops returns the reasons that a session gave for what it is handed.
func drops(t testing.TB, s *Session, packets ...[]byte) []string {
	t.Helper()
	var r trace.Recorder
	s.cfg.Trace = trace.New(&r, "test")
	for _, p := range packets {
		if rtcp.Is(p) {
			s.ReceiveRTCP(testStart, bytes.Clone(p))
		} else {
			s.ReceiveRTP(testStart, bytes.Clone(p))
		}
	}
	s.cfg.Trace = nil
	return r.Drops()
}
