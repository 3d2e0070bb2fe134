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

// Timers that cannot be served at once hold nothing while they wait: what arrives is read,
// answered and handed over all the same.
func TestTimersTakeTurns(t *testing.T) {
	ctx := within(t, 60*time.Second)
	da, dz := connect(t, ctx, newPeer(t, Config{}), newPeer(t, Config{}))
	for range cap(turns) {
		turns <- struct{}{}
	}
	served := make(chan struct{})
	go func() {
		da.pc.timeout()
		close(served)
	}()
	for range 100 {
		if err := da.SendText("there"); err != nil {
			t.Fatal(err)
		}
		if _, err := dz.ReadMessage(ctx); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-served:
		t.Error("a timer was served out of turn")
	default:
	}
	for range cap(turns) {
		<-turns
	}
	<-served
}
