package session

import (
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/rtcp"
)

// A peer that asks for everything again and again gets no more again than it was sent, and
// what one that loses half may ask for, it gets.
func TestNACKFlood(t *testing.T) {
	for _, test := range []struct {
		name string
		asks int // for each packet
		all  bool
	}{{"a peer that loses every other packet", 1, true}, {"a peer that asks for all, always", 1000, false}} {
		s, _, video := newSession(t, 1, fullSections())
		s.rtt.sample(10 * time.Millisecond)
		e := video.encodings[0]
		media, again, wanted := 0, 0, 0
		drain := func(now time.Time) {
			for {
				b := s.AppendPacket(now, nil)
				if len(b) == 0 {
					return
				}
				if p, err := rtp.Parse(b); err == nil && p.PayloadType() == 97 {
					again += len(b)
				} else if err == nil && p.PayloadType() == 96 {
					media += len(b)
				}
			}
		}
		now := testStart
		for i := range 300 { // 12 seconds
			first := e.rewrite.next
			if err := video.WriteFrame(now, 0, Frame{Data: vp8Frame(10_000, i == 0), PTS: now.Sub(testStart)}); err != nil {
				t.Fatal(err)
			}
			drain(now.Add(2 * time.Millisecond))
			var lost []uint16
			for n := first; n != e.rewrite.next; n++ {
				if n&1 == 0 || !test.all {
					lost = append(lost, n)
					wanted += len(e.history.get(n).packet.Bytes())
				}
			}
			if !test.all {
				for n := first - 200; n != first; n++ {
					lost = append(lost, n)
				}
			}
			for j := range min(test.asks, 38) {
				at := now.Add(time.Duration(2+j) * time.Millisecond)
				s.ReceiveRTCP(at, rtcp.AppendNACK(nil, 1, e.SSRC, lost))
				drain(at)
			}
			now = now.Add(40 * time.Millisecond)
			s.Advance(now)
			drain(now)
		}
		if test.all && again < wanted {
			t.Errorf("%s: of %d bytes %d are sent again", test.name, wanted, again)
		}
		if limit := media + media/20 + firstCredit; again > limit {
			t.Errorf("%s: %d bytes were sent, and %d again", test.name, media, again)
		}
	}
}
