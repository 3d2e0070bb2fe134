package session

import (
	"testing"
	"time"
)

// A history holds what was written in the last second, however fast; what is older makes room, and
// costs nothing.
func TestHistoryHoldsASecond(t *testing.T) {
	for _, gap := range []time.Duration{100 * time.Millisecond, 5 * time.Millisecond, time.Millisecond} {
		var h history
		at, sequence := time.Duration(0), uint16(65000)
		for range 5000 {
			if h.put(sequence, at) == nil {
				t.Fatalf("%d is there already", sequence)
			}
			if h.put(sequence, at) != nil {
				t.Fatalf("%d was put twice", sequence)
			}
			sequence++
			at += gap
		}
		within := int(historyTime / gap)
		for i := 1; i < within; i++ {
			v := h.get(sequence - uint16(i))
			if v == nil || at-v.at != time.Duration(i)*gap {
				t.Fatalf("each %v: the packet of %v ago is %+v", gap, time.Duration(i)*gap, v)
			}
		}
		if n := len(h.slots); n > max(minHistory, 4*within) {
			t.Errorf("each %v: %d packets are kept", gap, n)
		}
	}
}

// A burst beyond all bounds loses the oldest.
func TestHistoryIsBounded(t *testing.T) {
	var h history
	for i := range 20000 {
		h.put(uint16(i), 0)
	}
	if len(h.slots) != maxHistory || h.get(19999) == nil || h.get(19999-maxHistory) != nil {
		t.Errorf("%d packets are kept", len(h.slots))
	}
}
