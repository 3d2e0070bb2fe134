package session

import (
	"testing"
	"time"
)

// What there is, is shared by the rules of allocate.go.
func TestAllocation(t *testing.T) {
	audio, video := testSections()[0], testSections()[1]
	type share struct {
		sender, encoding int
		want             int // kbit/s
	}
	type sending struct {
		section   Section
		max       int // b= of the section, kbit/s
		encodings []Encoding
	}
	one := []Encoding{{Active: true}}
	most := func(kbit int) []Encoding { return []Encoding{{Active: true, MaxBitrate: kbit * 1000}} }
	layers := func(max ...int) (all []Encoding) {
		for i, m := range max {
			all = append(all, Encoding{
				RID: string(rune('a' + i)), Active: m >= 0, MaxBitrate: 1000 * m, ScaleResolutionDownBy: float64(int(1) << (len(max) - 1 - i)),
			})
		}
		return all
	}
	for _, test := range []struct {
		name  string
		limit int // of all, kbit/s; below the 300 that it begins with
		send  []sending
		want  []share
	}{
		{"all for one", 0, []sending{{video, 0, one}}, []share{{0, 0, 300}}},
		{"all that is allowed", 210, []sending{{video, 0, one}}, []share{{0, 0, 210}}},
		{"no more than its most", 0, []sending{{video, 0, most(120)}}, []share{{0, 0, 120}}},
		{"nor than the peer says", 0, []sending{{video, 100, one}}, []share{{0, 0, 100}}},
		{"none for who rests", 0, []sending{{video, 0, []Encoding{{}}}, {video, 0, one}}, []share{{0, 0, 0}, {1, 0, 300}}},
		{"audio first", 0, []sending{{video, 0, one}, {audio, 0, one}}, []share{{0, 0, 236}, {1, 0, 64}}},
		{"audio as it says", 0, []sending{{video, 0, one}, {audio, 0, most(20)}}, []share{{0, 0, 280}, {1, 0, 20}}},
		{"audio where there is little", 40, []sending{{video, 0, one}, {audio, 0, one}}, []share{{0, 0, 0}, {1, 0, 40}}},
		{"two of video", 0, []sending{{video, 0, one}, {video, 0, one}}, []share{{0, 0, 150}, {1, 0, 150}}},
		{"what one can't use is for the other", 0, []sending{{video, 0, most(50)}, {video, 0, one}}, []share{{0, 0, 50}, {1, 0, 250}}},
		{"and for two others", 0, []sending{{video, 0, one}, {video, 0, most(50)}, {video, 0, most(110)}}, []share{{0, 0, 140}, {1, 0, 50}, {2, 0, 110}}},
		{"layers from the lowest on", 0, []sending{{video, 0, layers(60, 150, 500)}}, []share{{0, 0, 60}, {0, 1, 150}, {0, 2, 90}}},
		{"the highest gets nothing", 100, []sending{{video, 0, layers(60, 150, 500)}}, []share{{0, 0, 60}, {0, 1, 40}, {0, 2, 0}}},
		{"one rests", 0, []sending{{video, 0, layers(60, -1, 500)}}, []share{{0, 0, 60}, {0, 1, 0}, {0, 2, 240}}},
		{"by their pixels", 210, []sending{{video, 0, layers(0, 0, 0)}}, []share{{0, 0, 10}, {0, 1, 40}, {0, 2, 160}}},
		{"the lowest with a most, the others by their pixels", 200, []sending{{video, 0, layers(50, 0, 0)}}, []share{{0, 0, 50}, {0, 1, 30}, {0, 2, 120}}},
	} {
		s := New(Config{Rand: &countingRand{1}, CNAME: "c"})
		var senders []*Sender
		for i, x := range test.send {
			x.section.MID = string(rune('A' + i))
			x.section.MaxBitrate, x.section.SessionMaxBitrate = 1000*x.max, 1000*test.limit
			if err := s.Configure(testStart, x.section); err != nil {
				t.Fatal(err)
			}
			sender, err := s.AddSender(testStart, x.section.MID, x.encodings)
			if err != nil {
				t.Fatal(err)
			}
			senders = append(senders, sender)
		}
		ask := func(when string, now time.Time) {
			for _, w := range test.want {
				// Others count from when they were asked for.
				for range 2 {
					for _, o := range test.want {
						senders[o.sender].TargetBitrate(now, o.encoding)
					}
				}
				if got := senders[w.sender].TargetBitrate(now, w.encoding); (got+500)/1000 != w.want {
					t.Errorf("%s, %s: encoding %d of sender %d gets %d, want %d kbit/s", test.name, when, w.encoding, w.sender, got, w.want)
				}
			}
		}
		ask("at once", testStart)
		ask("later", testStart.Add(time.Minute))
	}
}

// Who does not send and does not ask leaves his share to others.
func TestUnusedShares(t *testing.T) {
	s := New(Config{Rand: &countingRand{1}, CNAME: "c"})
	var senders []*Sender
	for _, mid := range []string{"1", "2"} {
		c := testSections()[1]
		c.MID = mid
		if err := s.Configure(testStart, c); err != nil {
			t.Fatal(err)
		}
		x, err := s.AddSender(testStart, mid, []Encoding{{Active: true}})
		if err != nil {
			t.Fatal(err)
		}
		senders = append(senders, x)
	}
	check := func(what string, at time.Duration, want int) {
		t.Helper()
		if got := senders[0].TargetBitrate(testStart.Add(at), 0); got != want {
			t.Errorf("%s: %d, want %d", what, got, want)
		}
	}
	check("alone", 0, 300_000)
	if err := senders[1].WriteFrame(testStart, 0, Frame{Data: vp8Frame(100, true)}); err != nil {
		t.Fatal(err)
	}
	for len(s.AppendPacket(testStart, nil)) > 0 {
	}
	check("beside one who sends", time.Second, 150_000)
	check("who does not any more", 6*time.Second, 300_000)
	senders[1].TargetBitrate(testStart.Add(7*time.Second), 0)
	check("beside one who asks", 8*time.Second, 150_000)
	s.RemoveSender(testStart, senders[1])
	check("who is gone", 9*time.Second, 300_000)
	if got := senders[1].TargetBitrate(testStart, 0); got != 0 {
		t.Errorf("a sender that was removed gets %d", got)
	}
	if got := senders[0].TargetBitrate(testStart, 5); got != 0 {
		t.Errorf("an encoding that is not there gets %d", got)
	}
}
