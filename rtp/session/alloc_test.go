package session

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/rtcp"
)

var testStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// fullSections have all the extensions that browsers negotiate.
func fullSections() []Section {
	all := testSections()
	for i := range all {
		x := &all[i].Extensions
		x.Set(rtp.ExtAbsSendTime, idSendTime)
		x.Set(rtp.ExtTransportSequence, idSequence)
		x.Set(rtp.ExtAudioLevel, idAudioLevel)
		x.Set(rtp.ExtVideoOrientation, idOrientation)
		x.Set(rtp.ExtAbsCaptureTime, idCaptureTime)
		x.Set(rtp.ExtDependencyDescriptor, idDependency)
	}
	return all
}

// newSession makes a session with sections, and a sender for each that sends.
func newSession(t testing.TB, seed byte, sections []Section) (s *Session, audio, video *Sender) {
	t.Helper()
	s = New(Config{Rand: rand.NewChaCha8([32]byte{seed}), CNAME: "0123456789abcdef"})
	for _, c := range sections {
		if err := s.Configure(testStart, c); err != nil {
			t.Fatal(err)
		}
		x, err := s.AddSender(testStart, c.MID, []Encoding{{Active: true}})
		if err != nil {
			t.Fatal(err)
		}
		if c.Kind == Audio {
			audio = x
		} else {
			video = x
		}
	}
	return s, audio, video
}

// A pump drives packets through sessions, a frame each 33 ms.
type pump struct {
	t        testing.TB
	now      time.Time
	from, to *Session
	video    *Sender
	frame    []byte
	buffer   []byte
	count    int

	each func(p Packet)   // what to do with each packet that arrives
	lose func(n int) bool // whether the nth is lost on its way; nil: none is
}

func newPump(t testing.TB) *pump {
	p := &pump{t: t, now: testStart, frame: vp8Frame(2500, true), buffer: make([]byte, 0, 2048)}
	p.from, _, p.video = newSession(t, 1, fullSections())
	p.to, _, _ = newSession(t, 2, fullSections())
	return p
}

// step writes a frame, brings it over, and all that follows from it.
func (p *pump) step() {
	p.now = p.now.Add(33 * time.Millisecond)
	err := p.video.WriteFrame(p.now, 0, Frame{Data: p.frame, PTS: p.now.Sub(testStart), KeyFrame: true})
	if err != nil {
		p.t.Fatal(err)
	}
	for _, s := range []*Session{p.from, p.to} {
		if at := s.NextTimeout(); !at.IsZero() && !at.After(p.now) {
			s.Advance(p.now)
		}
	}
	p.carry(p.from, p.to)
	p.carry(p.to, p.from)
}

// carry brings what one has to send to the other.
func (p *pump) carry(from, to *Session) {
	for {
		b := from.AppendPacket(p.now, p.buffer[:0])
		if len(b) == 0 {
			break
		}
		if rtcp.Is(b) {
			to.ReceiveRTCP(p.now, b)
		} else {
			if p.count++; p.lose == nil || !p.lose(p.count) {
				to.ReceiveRTP(p.now, b)
			}
		}
	}
	for e, ok := to.NextEvent(); ok; e, ok = to.NextEvent() {
		if e, ok := e.(StreamStarted); ok {
			e.Stream.Deliver(p.now, Packets)
		}
	}
	for st, ok := to.NextStream(); ok; st, ok = to.NextStream() {
		for q, ok := st.NextPacket(); ok; q, ok = st.NextPacket() {
			if p.each != nil {
				p.each(q)
			}
		}
	}
}

// A frame goes from WriteFrame to NextPacket, with its feedback, reports and congestion control, without an
// allocation: but for a slab in which thirty packets are kept.
func TestNothingIsAllocatedForAPacket(t *testing.T) {
	p := newPump(t)
	for range 3000 { // until histories have grown
		p.step()
	}
	before := p.count
	const runs = 300
	allocs := testing.AllocsPerRun(runs, func() {
		if p.video.TargetBitrate(p.now, 0) <= 0 {
			t.Fatal("there is no target")
		}
		p.step()
	})
	if p.from.AvailableOutgoingBitrate(p.now) == 0 {
		t.Error("nothing is known of the path: there is no congestion control")
	}
	if packets := float64(p.count-before) / (runs + 1); allocs > 0 || packets < 3 {
		t.Errorf("a frame of %.1f packets costs %v allocations, want none", packets, allocs)
	}
}

// Protecting packets costs none, by either format, nor does recovering them, nor redundant audio.
func TestNothingIsAllocatedForRecovery(t *testing.T) {
	for _, r := range []resilience{byULP, byFlex} {
		p := newPump(t)
		sections := r.sections()
		sections[0] = redSections(true)[0]
		var audio *Sender
		p.from, audio, p.video = newSession(t, 1, sections)
		p.to, _, _ = newSession(t, 2, sections)
		frame := make([]byte, 80)
		step := func() {
			if err := audio.WriteFrame(p.now, 0, Frame{Data: frame, PTS: p.now.Sub(testStart)}); err != nil {
				t.Fatal(err)
			}
			p.video.encodings[0].protection.loss = 0.1
			p.step()
		}
		p.lose = func(n int) bool { return n%10 == 0 }
		for range 3000 {
			step()
		}
		before := uint64(0)
		for _, st := range p.to.Streams() {
			before += st.Stats().RecoveredPackets
		}
		allocs := testing.AllocsPerRun(300, step)
		recovered := -before
		for _, st := range p.to.Streams() {
			recovered += st.Stats().RecoveredPackets
		}
		if allocs > 0 || recovered < 50 {
			t.Errorf("%v: a frame of video and one of audio cost %v allocations, want none; %d packets were recovered", r, allocs, recovered)
		}
	}
}

// protectedPackets are what leaves of protected video, two of ten packets lost.
func protectedPackets(t testing.TB, r resilience) (packets [][]byte) {
	s, _, video := newSession(t, 3, r.sections())
	video.encodings[0].protection.loss = 0.1
	video.encodings[0].codec.NACK = false
	now := testStart
	for i := range 8 {
		if err := video.WriteFrame(now, 0, Frame{Data: vp8Frame(3000, i == 0), PTS: now.Sub(testStart), KeyFrame: i == 0}); err != nil {
			t.Fatal(err)
		}
		for b := s.AppendPacket(now, nil); len(b) > 0; b = s.AppendPacket(now, nil) {
			if !rtcp.Is(b) && len(packets)%10 != 9 {
				packets = append(packets, b)
			}
		}
		now = now.Add(33 * time.Millisecond)
	}
	return packets
}

// A packet that is passed on to ten others costs no allocation either, whatever their number.
func TestNothingIsAllocatedForAPacketPassedOn(t *testing.T) {
	p, to := newForwarding(t, 10)
	for range 3000 {
		p.step()
	}
	sent := to[0].sent
	if allocs := testing.AllocsPerRun(300, p.step); allocs > 0 || to[0].sent == sent {
		t.Errorf("a frame that is passed on costs %v allocations, want none (%d packets)", allocs, to[0].sent-sent)
	}
}

// A viewer is one of many that a stream is passed on to.
type viewer struct {
	*Session
	video  *Sender
	sent   int
	buffer []byte
}

// newForwarding makes a pump whose packets are passed on.
func newForwarding(t testing.TB, viewers int) (*pump, []*viewer) {
	p := newPump(t)
	var all []*viewer
	for i := range viewers {
		v := &viewer{buffer: make([]byte, 0, 2048)}
		v.Session, _, v.video = newSession(t, byte(10+i), fullSections())
		all = append(all, v)
	}
	p.each = func(q Packet) {
		for _, v := range all {
			if _, err := v.video.WritePacket(p.now, 0, q); err != nil {
				t.Fatal(err)
			}
			if at := v.NextTimeout(); !at.IsZero() && !at.After(p.now) {
				v.Advance(p.now)
			}
			for {
				b := v.AppendPacket(p.now, v.buffer[:0])
				if len(b) == 0 {
					break
				}
				v.sent++
			}
		}
	}
	return p, all
}

// rtpPackets are the packets of a stream of video, as they arrive.
func rtpPackets(t testing.TB, n int) [][]byte {
	s, _, video := newSession(t, 1, fullSections())
	var all [][]byte
	for now := testStart; len(all) < n; now = now.Add(33 * time.Millisecond) {
		if err := video.WriteFrame(now, 0, Frame{Data: vp8Frame(2500, true), PTS: now.Sub(testStart), KeyFrame: true}); err != nil {
			t.Fatal(err)
		}
		for {
			b := s.AppendPacket(now, nil)
			if len(b) == 0 {
				break
			}
			if !rtcp.Is(b) {
				all = append(all, b)
			}
		}
	}
	return all[:n]
}

func BenchmarkReceive(b *testing.B) {
	for _, d := range []struct {
		name     string
		delivery Delivery
	}{{"Packets", Packets}, {"Frames", Frames}, {"Nothing", Nothing}} {
		b.Run(d.name, func(b *testing.B) {
			packets := rtpPackets(b, 1<<16) // the numbers wrap there
			s, _, _ := newSession(b, 2, fullSections())
			now, buffer := testStart, make([]byte, 0, 2048)
			b.SetBytes(int64(len(packets[0])))
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				s.ReceiveRTP(now, packets[i&(1<<16-1)])
				for e, ok := s.NextEvent(); ok; e, ok = s.NextEvent() {
					if e, ok := e.(StreamStarted); ok {
						e.Stream.Deliver(now, d.delivery)
					}
				}
				for st, ok := s.NextStream(); ok; st, ok = s.NextStream() {
					for _, ok := st.NextPacket(); ok; _, ok = st.NextPacket() {
					}
					for _, ok := st.NextFrame(now); ok; _, ok = st.NextFrame(now) {
					}
				}
				i++
				now = now.Add(11 * time.Millisecond)
				if at := s.NextTimeout(); !at.IsZero() && !at.After(now) {
					s.Advance(now)
				}
				for len(s.AppendPacket(now, buffer[:0])) > 0 {
				}
			}
		})
	}
}

func BenchmarkWriteFrame(b *testing.B) {
	s, _, video := newSession(b, 1, fullSections())
	frame, buffer := vp8Frame(10*1100, true), make([]byte, 0, 2048)
	now, packets := testStart, 0
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(33 * time.Millisecond)
		if err := video.WriteFrame(now, 0, Frame{Data: frame, PTS: now.Sub(testStart)}); err != nil {
			b.Fatal(err)
		}
		for len(s.AppendPacket(now, buffer[:0])) > 0 {
			packets++
		}
		if at := s.NextTimeout(); !at.IsZero() && !at.After(now) {
			s.Advance(now)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(packets), "ns/packet")
}

func BenchmarkWritePacket(b *testing.B) {
	in, _, _ := newSession(b, 2, fullSections())
	var kept []Packet
	for _, packet := range rtpPackets(b, 1<<16) {
		in.ReceiveRTP(testStart, packet)
		for st, ok := in.NextStream(); ok; st, ok = in.NextStream() {
			for p, ok := st.NextPacket(); ok; p, ok = st.NextPacket() {
				kept = append(kept, p)
			}
		}
	}
	s, _, video := newSession(b, 1, fullSections())
	buffer := make([]byte, 0, 2048)
	now, i := testStart, 0
	b.SetBytes(int64(len(kept[0].Bytes())))
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(2 * time.Millisecond)
		if _, err := video.WritePacket(now, 0, kept[i&(1<<16-1)]); err != nil {
			b.Fatal(err)
		}
		for len(s.AppendPacket(now, buffer[:0])) > 0 {
		}
		if at := s.NextTimeout(); !at.IsZero() && !at.After(now) {
			s.Advance(now)
		}
		i++
	}
}

// BenchmarkForward is one stream to fifty receivers, without SRTP and sockets.
func BenchmarkForward(b *testing.B) {
	p, to := newForwarding(b, 50)
	for range 300 {
		p.step()
	}
	sent := to[0].sent
	b.ReportAllocs()
	for b.Loop() {
		p.step()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64((to[0].sent-sent)*len(to)), "ns/packet")
}

func BenchmarkTransportFeedback(b *testing.B) {
	s, _, _ := newSession(b, 2, fullSections())
	now, number := testStart, uint16(0)
	buffer := make([]byte, 0, 2048)
	b.ReportAllocs()
	for b.Loop() {
		for range 50 {
			now = now.Add(2 * time.Millisecond)
			s.receiveSequence(now, number, 1)
			number++
		}
		s.Advance(now)
		for len(s.AppendPacket(now, buffer[:0])) > 0 {
		}
	}
}
