package session

import (
	"slices"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/rtcp"
)

// events drains a session of events.
func events(s *Session) (all []Event) {
	for e, ok := s.NextEvent(); ok; e, ok = s.NextEvent() {
		all = append(all, e)
	}
	return all
}

// written makes a session that has sent a key frame of video.
func written(t *testing.T) (s *Session, x *Sender, ssrc uint32) {
	s, _, x = newSession(t, 1, fullSections())
	if err := x.WriteFrame(testStart, 0, Frame{Data: vp8Frame(100, true), KeyFrame: true}); err != nil {
		t.Fatal(err)
	}
	for len(s.AppendPacket(testStart, nil)) > 0 {
	}
	return s, x, x.Encodings()[0].SSRC
}

// RFC 5104, Section 4.3.1.2: a FIR with the sequence number of the one before is a repetition.
func TestFIRIsRepeated(t *testing.T) {
	s, x, ssrc := written(t)
	at := testStart
	for i, test := range []struct {
		sequence uint8
		want     int
	}{{7, 1}, {7, 0}, {8, 1}, {7, 1}} {
		at = at.Add(time.Second)
		s.ReceiveRTCP(at, rtcp.AppendFIR(nil, 1, rtcp.FullIntraRequest{SSRC: 99, Sequence: 1}, rtcp.FullIntraRequest{SSRC: ssrc, Sequence: test.sequence}))
		if got := events(s); len(got) != test.want {
			t.Errorf("request %d: %v", i, got)
		}
	}
	if v := x.Stats(testStart, 0); v.FIRs != 4 {
		t.Errorf("%d requests are counted", v.FIRs)
	}
}

// Requests of the peer's are passed on at once, then with some time between them; and not when a
// key frame is on its way.
func TestKeyframeRequestsAreLimited(t *testing.T) {
	s, x, ssrc := written(t)
	told := 0
	run := func(until time.Duration) {
		for {
			at := s.timers.At(timerKeyframe)
			if at.IsZero() || at.Sub(testStart) > until {
				return
			}
			s.Advance(at)
			told += len(events(s))
		}
	}
	for i := range 100 { // a second of PLIs
		after := time.Duration(i) * 10 * time.Millisecond
		run(after)
		s.ReceiveRTCP(testStart.Add(after), rtcp.AppendPLI(nil, 1, ssrc))
		told += len(events(s))
	}
	run(2 * time.Second)
	if told < 4 || told > 6 {
		t.Errorf("a hundred requests in a second were passed on %d times, want one each %v", told, minKeyframeInterval)
	}
	s.rtt.sample(80 * time.Millisecond)
	at := testStart.Add(3 * time.Second)
	if err := x.WriteFrame(at, 0, Frame{Data: vp8Frame(100, true), PTS: 3 * time.Second, KeyFrame: true}); err != nil {
		t.Fatal(err)
	}
	s.ReceiveRTCP(at.Add(70*time.Millisecond), rtcp.AppendPLI(nil, 1, ssrc))
	if got := events(s); len(got) != 0 {
		t.Error("a request that left before the key frame can have arrived is passed on")
	}
	s.ReceiveRTCP(at.Add(90*time.Millisecond), rtcp.AppendPLI(nil, 1, ssrc))
	if got := events(s); len(got) != 1 {
		t.Error("a request that left later is not passed on")
	}
}

// Reports about what was never sent say nothing, and impossible round trips are none.
func TestReportsThatCannotBe(t *testing.T) {
	s, x, _ := newSession(t, 1, fullSections())
	e := x.encodings[0]
	report := func(r rtcp.ReceptionReport) {
		r.SSRC = e.SSRC
		s.ReceiveRTCP(testStart, rtcp.AppendReceiverReport(nil, 1, r))
	}
	report(rtcp.ReceptionReport{CumulativeLost: 5})
	if v := x.Stats(testStart, 0); e.heard || v.Remote.ReportsReceived != 0 {
		t.Errorf("a report on nothing is believed: %+v", v.Remote)
	}
	if err := x.WriteFrame(testStart, 0, Frame{Data: make([]byte, 10)}); err != nil {
		t.Fatal(err)
	}
	for len(s.AppendPacket(testStart, nil)) > 0 {
	}
	middle := rtp.NewNTPTime(testStart).Middle()
	for _, r := range []rtcp.ReceptionReport{
		{},                                       // no SR yet
		{LastSR: middle - 30<<16},                // half a minute
		{LastSR: middle, DelaySinceSR: 10 << 16}, // before it was sent
	} {
		report(r)
		if s.RTT() != 0 {
			t.Errorf("%+v makes a round trip of %v", r, s.RTT())
		}
	}
	report(rtcp.ReceptionReport{LastSR: middle - 3<<16, DelaySinceSR: 2 << 16})
	if s.RTT() != time.Second || !e.heard {
		t.Errorf("the round trip is %v, want a second", s.RTT())
	}
	report(rtcp.ReceptionReport{LastSR: middle, DelaySinceSR: 1})
	if v := x.Stats(testStart, 0).Remote; v.RoundTripTime <= 0 || v.RoundTripTimeMeasurements != 2 {
		t.Errorf("clocks that disagree by a tick make a round trip of %v", v.RoundTripTime)
	}
}

// An answer to another's question is not ours.
func TestAnswersToOthers(t *testing.T) {
	s, _, _ := newSession(t, 1, fullSections())
	for _, test := range []struct {
		ssrc uint32
		want time.Duration
	}{{s.local + 1, 0}, {s.local, time.Second}} {
		x := rtcp.NewXRBuilder(nil, 5)
		x.AddDelays(rtcp.DelaySinceRR{SSRC: test.ssrc, LastRR: rtp.NewNTPTime(testStart).Middle() - 1<<16})
		s.ReceiveRTCP(testStart, x.Bytes())
		if s.RTT() != test.want {
			t.Errorf("an answer to %x makes a round trip of %v, want %v", test.ssrc, s.RTT(), test.want)
		}
	}
}

// The peer's estimate stands for ours while there is no other feedback, and then bounds it; for a while.
func TestREMB(t *testing.T) {
	s, _, ssrc := written(t)
	now := testStart
	check := func(what string, want uint64) {
		t.Helper()
		if got := s.AvailableOutgoingBitrate(now); got != want {
			t.Errorf("%s: the estimate is %d, want %d", what, got, want)
		}
	}
	remb := func(bitrate uint64) { s.ReceiveRTCP(now, rtcp.AppendREMB(nil, 1, bitrate, ssrc)) }
	check("nothing was said", 0)
	remb(500_000)
	check("the peer says 500,000", 500_000)
	now = now.Add(11 * time.Second)
	check("that was long ago", 0)
	remb(100_000)
	s.congestion.BeginFeedback()
	s.congestion.EndFeedback(now, 0)
	check("the peer says 100,000 and we 300,000", 100_000)
	remb(1<<63 - 1)
	check("the peer says that there is no limit", 300_000)
	b := rtcp.AppendREMB(nil, 1, 1000, ssrc)
	b[17] = 0xfc | b[17]&3 // an exponent of 63
	b[18] = 0xff
	s.ReceiveRTCP(now, b)
	check("the peer says more than 64 bits", 300_000)
	c := fullSections()[1]
	c.SessionMaxBitrate = 250_000
	if err := s.Configure(now, c); err != nil {
		t.Fatal(err)
	}
	check("the peer's description says 250,000", 250_000)
}

// Queued packets of a sender that was removed do not leave; it says goodbye if it ever sent.
func TestGoodbye(t *testing.T) {
	s, x, ssrc := written(t)
	quiet, err := s.AddSender(testStart, "v", []Encoding{{Active: true}})
	if err != nil {
		t.Fatal(err)
	}
	if err := x.WriteFrame(testStart, 0, Frame{Data: vp8Frame(100, false), PTS: time.Second}); err != nil {
		t.Fatal(err)
	}
	s.RemoveSender(testStart, x)
	s.RemoveSender(testStart, quiet)
	s.RemoveSender(testStart, quiet) // once more does nothing
	var gone []uint32
	for {
		b := s.AppendPacket(testStart, nil)
		if len(b) == 0 {
			break
		}
		c, err := rtcp.Parse(b)
		if err != nil {
			t.Fatalf("%v: %x", err, b)
		}
		if c.CheckFull() != nil {
			t.Errorf("%v: %v", c, c.CheckFull())
		}
		for p := range c.Packets() {
			gone = slices.AppendSeq(gone, p.Leaving())
		}
	}
	if !slices.Equal(gone, []uint32{ssrc}) {
		t.Errorf("goodbye is said of %x, want %x", gone, ssrc)
	}
}

// Close says goodbye of all, and ends all streams.
func TestClose(t *testing.T) {
	s, _, _ := written(t)
	s.ReceiveRTP(testStart, arrival{ssrc: 1, pt: 96, mid: "v"}.packet())
	events(s)
	s.Close(testStart)
	if got := events(s); len(got) != 1 || got[0].(StreamEnded).Reason != Removed {
		t.Errorf("the events are %v", got)
	}
	if b := s.AppendPacket(testStart, nil); !rtcp.Is(b) {
		t.Errorf("no goodbye but %x", b)
	}
	if len(s.sections) > 0 || len(s.senders) > 0 || len(s.AppendPacket(testStart, nil)) > 0 {
		t.Error("something is left")
	}
	if why := drops(t, s, arrival{ssrc: 1, pt: 96, mid: "v"}.packet()); len(why) != 1 {
		t.Errorf("after it: %q", why)
	}
}

// RFC 5506 is used where all sections have it, and only there.
func TestReducedSizeNeedsAll(t *testing.T) {
	for _, test := range []struct{ audio, video, want bool }{{true, true, true}, {true, false, false}, {false, true, false}} {
		sections := testSections()
		sections[0].ReducedSize, sections[1].ReducedSize = test.audio, test.video
		s, _, _ := newSession(t, 1, sections)
		s.ReceiveRTP(testStart, arrival{ssrc: 1, pt: 96, mid: "v"}.packet())
		s.Streams()[0].RequestKeyframe(testStart)
		c, err := rtcp.Parse(s.AppendPacket(testStart, nil))
		if err != nil {
			t.Fatal(err)
		}
		if reduced := c.CheckFull() != nil; reduced != test.want {
			t.Errorf("%+v: %v", test, c)
		}
	}
}

// The peer is told the MID again when it is told otherwise of it; and its own CNAME is kept.
func TestIdentities(t *testing.T) {
	s, x, ssrc := written(t)
	s.ReceiveRTCP(testStart, rtcp.AppendReceiverReport(nil, 1, rtcp.ReceptionReport{SSRC: ssrc}))
	mid := func() bool {
		t.Helper()
		if err := x.WriteFrame(testStart, 0, Frame{Data: vp8Frame(100, true)}); err != nil {
			t.Fatal(err)
		}
		p, err := rtp.Parse(s.AppendPacket(testStart, nil))
		if err != nil {
			t.Fatal(err)
		}
		_, ok := p.Extension(s.ids.ID(rtp.ExtMID))
		return ok
	}
	if mid() {
		t.Error("the MID is sent though the peer has reported")
	}
	c := fullSections()[1]
	if err := s.Configure(testStart, c); err != nil {
		t.Fatal(err)
	}
	if mid() {
		t.Error("the MID is sent again though nothing has changed")
	}
	c.Extensions.Set(rtp.ExtMID, 11)
	if err := s.Configure(testStart, c); err != nil {
		t.Fatal(err)
	}
	if !mid() {
		t.Error("the MID is not sent under its new id")
	}
	s.ReceiveRTP(testStart, arrival{ssrc: 1, pt: 96}.packet())
	s.ReceiveRTCP(testStart, rtcp.AppendDescription(nil, rtcp.Item{SSRC: 1, Type: rtcp.CNAME, Text: []byte("them")}))
	if got := s.Streams()[0].CNAME; got != "them" {
		t.Errorf("the CNAME is %q", got)
	}
}

// The retransmission stream needs no MID either once a report has named it.
func TestRetransmissionsAreHeardOf(t *testing.T) {
	s, x, ssrc := written(t)
	repair := func(after time.Duration) rtp.Packet {
		t.Helper()
		now := testStart.Add(after)
		s.ReceiveRTCP(now, rtcp.AppendNACK(nil, 1, ssrc, []uint16{x.encodings[0].rewrite.next - 1}))
		p, err := rtp.Parse(s.AppendPacket(now, nil))
		if err != nil || p.SSRC() != x.Encodings()[0].RTX {
			t.Fatalf("%v, %v", p, err)
		}
		return p
	}
	if _, ok := repair(10 * time.Millisecond).Extension(idMID); !ok {
		t.Error("the first retransmission has no MID")
	}
	s.ReceiveRTCP(testStart, rtcp.AppendReceiverReport(nil, 1, rtcp.ReceptionReport{SSRC: x.Encodings()[0].RTX}))
	if _, ok := repair(300 * time.Millisecond).Extension(idMID); ok {
		t.Error("the second one has a MID")
	}
}

// A section that pauses goes on without a gap, with what decoding can start with.
func TestSectionPauses(t *testing.T) {
	g := newStage(t)
	o := &studio{t: t, codec: vp8Codec(), ssrc: 1}
	g.pass(o.shoot(true)...)
	c := fullSections()[1]
	c.Send = nil
	if err := g.Configure(testStart, c); err != nil {
		t.Fatal(err)
	}
	if _, err := g.video.WritePacket(g.now, 0, o.shoot(false)[0]); err != ErrNotSending {
		t.Errorf("a section that does not send: %v", err)
	}
	if err := g.Configure(testStart, fullSections()[1]); err != nil {
		t.Fatal(err)
	}
	if g.pass(o.shoot(false)...) != 0 || g.pass(o.shoot(true)...) != 2 {
		t.Error("video does not go on with a key frame")
	}
	if len(g.out) != 4 || g.out[2].SequenceNumber() != g.out[1].SequenceNumber()+1 {
		t.Errorf("what left is %v", g.out)
	}
}

// A packet of a codec that nobody knows may be a key frame or not: it does not answer the peer's
// request for one, though it left a moment before.
func TestUnknownPacketsAreNoKeyFrames(t *testing.T) {
	s, _, video := newSession(t, 1, fullSections())
	s.rtt.sample(100 * time.Millisecond)
	now := testStart
	for i := range uint16(3) {
		b := rtp.NewBuilder(nil, rtp.Header{SSRC: 9, SequenceNumber: i, Timestamp: 1})
		p, err := NewPacket(append(b.Bytes(), "payload"...), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if taken, err := video.WritePacket(now, 0, p); !taken || err != nil {
			t.Fatalf("packet %d: taken %v, %v", i, taken, err)
		}
		events(s)
		now = now.Add(10 * time.Millisecond)
	}
	s.ReceiveRTCP(now, rtcp.AppendPLI(nil, 77, video.Encodings()[0].SSRC))
	if all := events(s); len(all) != 1 || all[0] != (KeyframeRequested{video, 0}) {
		t.Errorf("the peer's request gives %v", all)
	}
}
