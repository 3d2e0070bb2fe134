package session

import (
	"errors"
	"slices"
	"testing"

	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/payload"
	"github.com/plainrtc/plainrtc/rtp/rtcp"
)

// An arrival is a packet in few words.
type arrival struct {
	ssrc     uint32
	pt       uint8
	seq      uint16
	mid, rid string
	repaired string
	osn      int // of a retransmission; -1: padding, without one
}

func (a arrival) packet() []byte {
	b := rtp.NewBuilder(nil, rtp.Header{PayloadType: a.pt, SequenceNumber: a.seq, SSRC: a.ssrc, Timestamp: uint32(a.seq) * 3000})
	for id, text := range map[uint8]string{idMID: a.mid, idRID: a.rid, idRepaired: a.repaired} {
		if text != "" {
			b.Add(id, []byte(text))
		}
	}
	out := b.Bytes()
	if a.pt == 97 {
		if a.osn < 0 {
			return rtp.AppendPadding(out, 0, 100)
		}
		out = append(out, byte(a.osn>>8), byte(a.osn))
	}
	return append(out, vp8Frame(10, true)...)
}

// happened drains a session of events and packets, in words.
func happened(s *Session) (list []string) {
	e := &end{Session: s}
	return e.drain(testStart)
}

// RFC 9143, Section 9.2, rule by rule.
func TestRouting(t *testing.T) {
	two := func() []Section { // of one kind: payload types tell nothing
		a, b := testSections()[1], testSections()[1]
		a.MID, b.MID = "1", "2"
		return []Section{a, b}
	}
	declared := two()
	declared[1].Sources = []Source{{SSRC: 0x11, RTX: 0x12, CNAME: "c"}}
	layers := testSections()
	layers[1].RIDs = []string{"h", "l"}
	sendonly := testSections()
	sendonly[1].Receive = nil

	for _, test := range []struct {
		name     string
		sections []Section
		packets  []arrival
		want     []string // what happens
		drops    []string
	}{
		{"by MID", two(), []arrival{{ssrc: 1, pt: 96, mid: "2"}},
			[]string{"stream 01 of 2 started", "packet 0 of 01"}, nil},
		{"by what was learned from a MID", two(), []arrival{{ssrc: 1, pt: 96, mid: "2"}, {ssrc: 1, pt: 96, seq: 1}},
			[]string{"stream 01 of 2 started", "packet 0 of 01", "packet 1 of 01"}, nil},
		{"to another MID", two(), []arrival{{ssrc: 1, pt: 96, mid: "2"}, {ssrc: 1, pt: 96, seq: 1, mid: "1"}},
			[]string{"stream 01 of 2 started", "stream 01 ended: replaced", "stream 01 of 1 started", "packet 0 of 01", "packet 1 of 01"}, nil},
		{"to another MID, and a late packet", two(), []arrival{{ssrc: 1, pt: 96, mid: "2"}, {ssrc: 1, pt: 96, seq: 3, mid: "1"}, {ssrc: 1, pt: 96, seq: 2, mid: "2"}},
			[]string{"stream 01 of 2 started", "stream 01 ended: replaced", "stream 01 of 1 started", "packet 0 of 01", "packet 3 of 01", "packet 2 of 01"}, nil},
		{"unknown MID", two(), []arrival{{ssrc: 1, pt: 96, mid: "3"}}, nil, []string{dropUnknownMID}},
		{"by a=ssrc", declared, []arrival{{ssrc: 0x11, pt: 96}},
			[]string{"stream 11 of 2 started", "packet 0 of 11"}, nil},
		{"by ssrc-group:FID", declared, []arrival{{ssrc: 0x11, pt: 96}, {ssrc: 0x11, pt: 96, seq: 2}, {ssrc: 0x12, pt: 97, osn: 1}},
			[]string{"stream 11 of 2 started", "packet 0 of 11", "packet 2 of 11", "packet 1 of 11"}, nil},
		{"payload type of two sections", two(), []arrival{{ssrc: 1, pt: 96}}, nil, []string{dropUnrouted}},
		{"payload type of one section", testSections(), []arrival{{ssrc: 1, pt: 96}},
			[]string{"stream 01 of v started", "packet 0 of 01"}, nil},
		{"payload type of none", testSections(), []arrival{{ssrc: 1, pt: 50}}, nil, []string{dropUnrouted}},
		{"payload type of another section", testSections(), []arrival{{ssrc: 1, pt: 96, mid: "a"}}, nil, []string{dropPayloadType}},
		{"layers", layers, []arrival{{ssrc: 1, pt: 96, mid: "v", rid: "l"}, {ssrc: 1, pt: 96, seq: 1}},
			[]string{"stream 01 of v started l", "packet 0 of 01", "packet 1 of 01"}, nil},
		{"unknown layer", layers, []arrival{{ssrc: 1, pt: 96, mid: "v", rid: "x"}}, nil, []string{dropUnknownRID}},
		{"a layer changes its SSRC", layers, []arrival{{ssrc: 1, pt: 96, mid: "v", rid: "l"}, {ssrc: 2, pt: 96, mid: "v", rid: "l"}},
			[]string{"stream 01 of v started l", "stream 01 ended: replaced", "stream 02 of v started l", "packet 0 of 01", "packet 0 of 02"}, nil},
		{"retransmission by RID", layers, []arrival{{ssrc: 1, pt: 96, mid: "v", rid: "l"}, {ssrc: 2, pt: 96, mid: "v", rid: "h"}, {ssrc: 3, pt: 97, mid: "v", repaired: "l", osn: 5}},
			[]string{"stream 01 of v started l", "stream 02 of v started h", "packet 0 of 01", "packet 5 of 01", "packet 0 of 02"}, nil},
		{"retransmission of the only stream", testSections(), []arrival{{ssrc: 1, pt: 96}, {ssrc: 3, pt: 97, osn: 1}},
			[]string{"stream 01 of v started", "packet 0 of 01", "packet 1 of 01"}, nil},
		{"retransmission of the latest stream", testSections(), []arrival{{ssrc: 1, pt: 96}, {ssrc: 2, pt: 96}, {ssrc: 3, pt: 97, osn: 1}},
			[]string{"stream 01 of v started", "stream 02 of v started", "packet 0 of 01", "packet 0 of 02", "packet 1 of 02"}, nil},
		{"retransmission of nothing", testSections(), []arrival{{ssrc: 3, pt: 97, osn: 1}}, nil, []string{dropUnknownRepair}},
		{"probe", testSections(), []arrival{{ssrc: 1, pt: 96}, {ssrc: 3, pt: 97, osn: -1}},
			[]string{"stream 01 of v started", "packet 0 of 01"}, []string{dropProbe}},
		{"retransmission of what is there", testSections(), []arrival{{ssrc: 1, pt: 96}, {ssrc: 3, pt: 97, osn: 0}},
			[]string{"stream 01 of v started", "packet 0 of 01"}, []string{dropDuplicate}},
		{"section that does not receive", sendonly, []arrival{{ssrc: 1, pt: 96, mid: "v"}}, nil, []string{dropNotReceiving}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := New(Config{Rand: &countingRand{0xf0}})
			for _, c := range test.sections {
				if err := s.Configure(testStart, c); err != nil {
					t.Fatal(err)
				}
			}
			var packets [][]byte
			for _, p := range test.packets {
				packets = append(packets, p.packet())
			}
			why := drops(t, s, packets...)
			if !slices.Equal(why, test.drops) {
				t.Errorf("dropped %q, want %q", why, test.drops)
			}
			if got := happened(s); !slices.Equal(got, test.want) {
				t.Errorf("what happens is\n%q\nwant\n%q", got, test.want)
			}
		})
	}
}

// Our own packets, come back by a loop, are not taken.
func TestOwnPacketsAreDropped(t *testing.T) {
	s, _, video := newSession(t, 1, testSections())
	p := arrival{ssrc: video.Encodings()[0].SSRC, pt: 96}
	if why := drops(t, s, p.packet()); !slices.Equal(why, []string{dropOwnSSRC}) {
		t.Errorf("dropped %q", why)
	}
}

// A section may be configured again at any time: streams go on, or end where it does not
// receive any more.
func TestConfigureAgain(t *testing.T) {
	s := New(Config{Rand: &countingRand{0xf0}})
	configure := func(c Section) {
		t.Helper()
		if err := s.Configure(testStart, c); err != nil {
			t.Fatal(err)
		}
	}
	v := testSections()[1]
	configure(v)
	drops(t, s, arrival{ssrc: 1, pt: 96}.packet())
	happened(s)

	other := v
	other.Receive = []Codec{{PayloadType: 45, Name: "AV1", Format: payload.AV1, ClockRate: 90000}}
	configure(other)
	if why := drops(t, s, arrival{ssrc: 1, pt: 96, seq: 1}.packet()); !slices.Equal(why, []string{dropPayloadType}) {
		t.Errorf("the payload type that is gone: dropped %q", why)
	}
	if why := drops(t, s, arrival{ssrc: 1, pt: 45, seq: 1}.packet()); len(why) > 0 {
		t.Errorf("the payload type that came: dropped %q", why)
	}
	if got := happened(s); !slices.Equal(got, []string{"packet 1 of 01"}) {
		t.Errorf("after another payload type: %q", got)
	}

	none := v
	none.Receive = nil
	configure(none)
	if got := happened(s); !slices.Equal(got, []string{"stream 01 ended: section removed"}) {
		t.Errorf("when nothing is received any more: %q", got)
	}
	configure(v)
	drops(t, s, arrival{ssrc: 1, pt: 96, seq: 9}.packet())
	if got := happened(s); !slices.Equal(got, []string{"stream 01 of v started", "packet 9 of 01"}) {
		t.Errorf("when it is received again: %q", got)
	}
	s.Remove(testStart, "v")
	if got := happened(s); !slices.Equal(got, []string{"stream 01 ended: section removed"}) || len(s.demux.routes) > 0 {
		t.Errorf("when the section is removed: %q, %d routes", got, len(s.demux.routes))
	}
}

func TestConfigureRefuses(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(c *Section)
		want   error
	}{
		{"no mid", func(c *Section) { c.MID = "" }, ErrMID},
		{"payload type of RTCP", func(c *Section) { c.Receive[0].PayloadType = 72 }, ErrPayloadType},
		{"payload type of 8 bits", func(c *Section) { c.Receive[0].PayloadType = 128 }, ErrPayloadType},
		{"twice", func(c *Section) { c.Receive = append(c.Receive, c.Receive[0]) }, ErrPayloadType},
		{"retransmissions under a codec", func(c *Section) { c.Receive[0].RTX = 96 }, ErrPayloadType},
		{"to be sent", func(c *Section) { c.Send = []Codec{{PayloadType: 200}} }, ErrPayloadType},
	} {
		s := New(Config{Rand: &countingRand{1}})
		c := testSections()[1]
		c.Receive = slices.Clone(c.Receive)
		test.change(&c)
		if err := s.Configure(testStart, c); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
}

// What senders refuse.
func TestSendersRefuse(t *testing.T) {
	s := New(Config{Rand: &countingRand{1}})
	if _, err := s.AddSender(testStart, "v", nil); err != ErrNoEncoding {
		t.Errorf("without encodings: %v", err)
	}
	if _, err := s.AddSender(testStart, "v", []Encoding{{SSRC: 5}, {SSRC: 5}}); err != ErrSSRC {
		t.Errorf("the same SSRC twice: %v", err)
	}
	x, err := s.AddSender(testStart, "v", []Encoding{{SSRC: 5, Active: true}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.AddSender(testStart, "w", []Encoding{{RTX: 5}}); err != ErrSSRC {
		t.Errorf("an SSRC in use: %v", err)
	}
	f := Frame{Data: vp8Frame(10, true)}
	if err := x.WriteFrame(testStart, 0, f); err != ErrNotSending {
		t.Errorf("before negotiation: %v", err)
	}
	if err := s.Configure(testStart, testSections()[1]); err != nil {
		t.Fatal(err)
	}
	if err := x.WriteFrame(testStart, 1, f); err != ErrNoEncoding {
		t.Errorf("an encoding that is not there: %v", err)
	}
	if err := x.WriteFrame(testStart, 0, Frame{}); err != payload.ErrEmpty {
		t.Errorf("an empty frame: %v", err)
	}
	if err := x.WriteFrame(testStart, 0, f); err != nil {
		t.Errorf("after negotiation: %v", err)
	}
	if err := x.InsertDTMF(testStart, "1", 0, 0); err != ErrNoTelephone {
		t.Errorf("a tone of video: %v", err)
	}
	p, err := NewPacket(arrival{ssrc: 1, pt: 45}.packet(), &Codec{Name: "AV1", Format: payload.AV1, ClockRate: 90000}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x.WritePacket(testStart, 0, p); err != ErrCodec {
		t.Errorf("a packet of a codec that was not negotiated: %v", err)
	}
	s.RemoveSender(testStart, x)
	if err := x.WriteFrame(testStart, 0, f); err != ErrNotSending {
		t.Errorf("when it was removed: %v", err)
	}
}

// A hundred sources and a hundred streams: reports take several packets, none above the MTU, and tell
// of all.
func TestReportsOfMany(t *testing.T) {
	s := New(Config{Rand: &countingRand{1}, CNAME: "0123456789abcdef"})
	sources := map[uint32]bool{}
	for i := range 100 {
		c := testSections()[0]
		c.MID = string(rune('A'+i/10)) + string(rune('0'+i%10))
		if err := s.Configure(testStart, c); err != nil {
			t.Fatal(err)
		}
		x, err := s.AddSender(testStart, c.MID, []Encoding{{Active: true}})
		if err != nil {
			t.Fatal(err)
		}
		if err := x.WriteFrame(testStart, 0, Frame{Data: make([]byte, 10)}); err != nil {
			t.Fatal(err)
		}
		sources[x.Encodings()[0].SSRC] = true
		s.ReceiveRTP(testStart, arrival{ssrc: uint32(1000 + i), pt: 111, mid: c.MID}.packet())
	}
	for len(s.AppendPacket(testStart, nil)) > 0 {
	}
	now := s.NextTimeout()
	s.Advance(now)
	told, reported, packets := map[uint32]bool{}, map[uint32]bool{}, 0
	for {
		b := s.AppendPacket(now, nil)
		if len(b) == 0 {
			break
		}
		packets++
		c, err := rtcp.Parse(b)
		if err != nil || c.CheckFull() != nil || len(b) > 1200 {
			t.Fatalf("a report of %d bytes: %v, %v", len(b), err, c.CheckFull())
		}
		for p := range c.Packets() {
			if sr, ok := p.SenderReport(); ok {
				told[sr.SSRC] = true
			}
			for r := range p.Reports() {
				reported[r.SSRC] = true
			}
		}
	}
	if len(told) != 100 || len(reported) != 100 {
		t.Errorf("%d sources told of themselves and %d are reported on, in %d packets, want 100 each", len(told), len(reported), packets)
	}
	for ssrc := range told {
		if !sources[ssrc] {
			t.Errorf("%x is no source", ssrc)
		}
	}
}
