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
