package ice_test

import (
	"testing"
	"time"
)

// The two ends of an idle path renew their consent together, which takes half
// the wake-ups; and neither does so sooner or later than RFC 7675 has it.
func TestConsentBesideThePeers(t *testing.T) {
	p := connect(t, 1)
	p.pass(10 * time.Second)
	var last [2]time.Time
	var sent [2]int
	alone, together := 0, 0
	for i, a := range p.agents {
		sent[i] = a.Stats().ChecksSent
	}
	for end := p.now.Add(10 * time.Minute); p.now.Before(end); {
		p.pass(10 * time.Millisecond)
		checks := 0
		for i, a := range p.agents {
			n := a.Stats().ChecksSent
			if n == sent[i] {
				continue
			}
			if gap := p.now.Sub(last[i]); !last[i].IsZero() && (gap < 3990*time.Millisecond || gap > 6010*time.Millisecond) {
				t.Errorf("agent %d checks %v after its last check, where 4 s to 6 s are allowed", i, gap)
			}
			last[i], sent[i] = p.now, n
			checks++
		}
		switch checks {
		case 1:
			alone++
		case 2:
			together++
		}
	}
	if together < 100 || alone > together/10 {
		t.Errorf("%d times the two check together, %d times one alone", together, alone)
	}
}

// Data that is not answered has the path asked, at once and not for each datagram; where no data is
// sent, consent takes its time.
func TestUnansweredDataAsks(t *testing.T) {
	p := connect(t, 1)
	p.pass(3 * time.Second)
	a := p.agents[0]
	for _, c := range []struct {
		what            string
		sends, answered bool
		fewest, most    uint64 // checks meanwhile
		duration        time.Duration
	}{
		{"nothing is sent", false, false, 0, 1, 3 * time.Second},
		{"data is answered by data", true, true, 1, 4, 10 * time.Second},
		{"data is answered by nothing", true, false, 6, 12, 10 * time.Second},
	} {
		before := a.Stats().ChecksSent
		path, _ := a.SelectedPath()
		for end := p.now.Add(c.duration); p.now.Before(end); p.pass(20 * time.Millisecond) {
			if c.sends {
				a.SentData(p.now, 100)
			}
			if c.answered {
				a.SeenData(p.now, path, 100)
			}
		}
		if n := uint64(a.Stats().ChecksSent - before); n < c.fewest || n > c.most {
			t.Errorf("%s for %v: %d checks, want %d to %d", c.what, c.duration, n, c.fewest, c.most)
		}
		if again, _ := a.SelectedPath(); again != path {
			t.Errorf("%s: data goes by %v, where it went by %v", c.what, again, path)
		}
	}
}
