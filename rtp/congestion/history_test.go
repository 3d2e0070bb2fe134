package congestion

import (
	"testing"
	"time"
)

// Departures are remembered for a second, as many as there are; those that were told of make room.
func TestDeparturesAreBounded(t *testing.T) {
	var h history
	for i := range 100_000 {
		h.remember(uint16(i), time.Duration(i)*time.Millisecond, 100, 0)
		if i >= 40 {
			h.find(uint16(i - 40)).state = settled
		}
	}
	if len(h.left) != minDepartures {
		t.Errorf("with 40 packets on their way %d are remembered", len(h.left))
	}
	h = history{}
	for i := range 1000 { // from the middle of the ring on
		h.remember(uint16(minDepartures/2+i), 0, 100, 0)
	}
	for i := range 1000 {
		if v := h.find(uint16(minDepartures/2 + i)); v == nil {
			t.Fatalf("packet %d is not found again when the ring has grown", i)
		} else {
			v.state = settled
		}
	}
	for i := range 100_000 {
		h.remember(uint16(i), 0, 100, 0)
	}
	if len(h.left) != departures {
		t.Errorf("without feedback %d are remembered", len(h.left))
	}
}
