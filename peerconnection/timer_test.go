package peerconnection

import (
	"strings"
	"testing"
	"time"
)

// Timers fire on a shared beat, and go by the monotonic clock: an hour that the
// administrator takes from the wall clock must not keep a connection from
// renewing its consent.
func TestBeat(t *testing.T) {
	now := time.Now()
	for i := range 1000 {
		at := now.Add(time.Duration(i) * 777 * time.Microsecond)
		beat := onBeat(at)
		if late := beat.Sub(at); late <= 0 || late > timerSlack || beat.Sub(firstBeat)%timerSlack != 0 {
			t.Fatalf("%v after the first beat, the next is %v later", at.Sub(firstBeat), late)
		}
	}
	if !strings.Contains(onBeat(now).String(), "m=") {
		t.Error("the timers go by the wall clock")
	}
}
