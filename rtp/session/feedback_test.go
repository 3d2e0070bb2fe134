package session

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/rtcp"
)

// told drains a session of feedback and returns what it tells, in order.
func told(t *testing.T, s *Session, now time.Time) (all []rtcp.Arrival) {
	t.Helper()
	for {
		b := s.AppendPacket(now, nil)
		if len(b) == 0 {
			return all
		}
		c, err := rtcp.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		for p := range c.Packets() {
			for a := range p.Arrivals() {
				all = append(all, a)
			}
		}
	}
}

// A packet that comes after feedback said that it did not is told of, with those behind it once more.
func TestLatePacketsAreToldOf(t *testing.T) {
	s, _, _ := newSession(t, 1, fullSections())
	for _, n := range []uint16{65534, 65535, 1} {
		s.receiveSequence(testStart, n, 1)
	}
	now := testStart.Add(time.Second)
	s.Advance(now)
	first := told(t, s, now)
	if len(first) != 4 || first[2].Received || !first[3].Received {
		t.Errorf("the first feedback tells %+v", first)
	}
	s.receiveSequence(now, 0, 1)
	now = now.Add(time.Second)
	s.Advance(now)
	second := told(t, s, now)
	if len(second) != 2 || second[0].Sequence != 0 || !second[0].Received || second[1].Sequence != 1 || !second[1].Received {
		t.Errorf("the second feedback tells %+v", second)
	}
	if second[0].Time-second[1].Time != time.Second {
		t.Errorf("packet 0 came %v after packet 1, want a second", second[0].Time-second[1].Time)
	}
}

// Numbers that jump are not told of one by one, and many at once do not wait for the interval.
func TestFeedbackOfMany(t *testing.T) {
	s, _, _ := newSession(t, 1, fullSections())
	s.receiveSequence(testStart, 0, 1)
	s.receiveSequence(testStart, 30000, 1)
	now := testStart.Add(time.Second)
	s.Advance(now)
	if got := told(t, s, now); len(got) != 1 || got[0].Sequence != 30000 {
		t.Errorf("after a jump feedback tells of %d packets", len(got))
	}
	n := uint16(30001)
	for range twccUrgent + 2 {
		s.receiveSequence(now, n, 1)
		n++
	}
	if got := told(t, s, now); len(got) != twccUrgent+2 || !got[len(got)-1].Received {
		t.Errorf("feedback tells of %d packets at once", len(got))
	}
}

// A packet that was told of as lost, and then as arrived, was not lost.
func TestLossIsTakenBack(t *testing.T) {
	s, _, _ := written(t)
	if err := s.senders[1].WriteFrame(testStart, 0, Frame{Data: vp8Frame(2500, true)}); err != nil {
		t.Fatal(err)
	}
	for len(s.AppendPacket(testStart, nil)) > 0 {
	}
	feed := func(arrivals ...rtcp.Arrival) {
		b, n := rtcp.TransportFeedback{Sender: 1, Media: 2}.Append(nil, arrivals, 1200)
		if n != len(arrivals) {
			t.Fatal("the feedback did not fit")
		}
		s.ReceiveRTCP(testStart, b)
	}
	feed(rtcp.Arrival{Sequence: 0, Received: true}, rtcp.Arrival{Sequence: 2, Received: true, Time: time.Millisecond})
	if v := s.Stats(testStart).Feedback; v.Packets != 2 || v.Lost != 1 {
		t.Errorf("%+v", v)
	}
	feed(rtcp.Arrival{Sequence: 1, Received: true}, rtcp.Arrival{Sequence: 2, Received: true}, rtcp.Arrival{Sequence: 3, Received: true})
	if v := s.Stats(testStart).Feedback; v.Packets != 4 || v.Lost != 0 || v.Feedback != 2 {
		t.Errorf("%+v", v)
	}
	// What was never sent is nothing.
	feed(rtcp.Arrival{Sequence: 500, Received: true})
	if v := s.Stats(testStart).Feedback; v.Packets != 4 || v.Lost != 0 {
		t.Errorf("%+v", v)
	}
}

// RFC 8888 takes the place of transport-wide feedback.
func TestOneKindOfFeedback(t *testing.T) {
	sections := fullSections()
	sections[1].Receive = []Codec{vp8Codec()}
	sections[1].Receive[0].CCFB = true
	s, _, _ := newSession(t, 1, sections)
	p := rtp.NewBuilder(nil, rtp.Header{PayloadType: 96, SSRC: 1})
	p.Add(idSequence, []byte{0, 1})
	p.Add(idMID, []byte("v"))
	s.ReceiveRTP(testStart, append(p.Bytes(), vp8Frame(10, true)...))
	now := testStart.Add(50 * time.Millisecond)
	s.Advance(now)
	c, err := rtcp.Parse(s.AppendPacket(now, nil))
	if err != nil {
		t.Fatal(err)
	}
	for p := range c.Packets() {
		if p.Kind() != rtcp.CCFB {
			t.Errorf("the feedback is %v", p)
		}
	}
}

// A log of arrivals says what a list says, however it has grown; and one that is read often stays small.
func TestArrivalLogAgainstAList(t *testing.T) {
	dice := rand.New(rand.NewPCG(7, 8))
	for range 100 {
		var l arrivalLog
		arrived := map[int64]time.Duration{}
		first := int64(dice.IntN(1 << 16))
		next := first
		pause := 1 + dice.IntN(400) // how many arrive between two reports
		for i := range 5000 {
			n := next
			switch dice.IntN(10) {
			case 0:
				next += 2 // one is lost
			case 1:
				n = max(next-int64(dice.IntN(20)), first) // late, or once more
			default:
				next++
			}
			at := time.Duration(i)
			if _, twice := arrived[n]; !twice {
				arrived[n] = at
			}
			l.add(uint16(n), at, 1024)
			if i%pause == 0 {
				for j := l.next; j <= l.highest; j++ {
					got, ok := l.at(j)
					want, there := arrived[j-firstCycle]
					if ok != there || ok && got != want {
						t.Fatalf("packet %d: %v, %v; want %v, %v", j-firstCycle, got, ok, want, there)
					}
				}
				l.next = l.highest + 1
			}
		}
		if n := len(l.times); n > max(minArrivals, 8*pause) || n > 1024 {
			t.Errorf("with %d packets between reports %d are remembered", pause, n)
		}
	}
}
