package congestion

import (
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/rtp"
)

// estimate brings a packet to a receiver.
func estimate(r *Receiver, sent, arrived time.Time, size int) (float64, bool) {
	r.Received(arrived, rtp.NewAbsSendTime(sent), size)
	return r.Estimate(arrived, 50*ms)
}

// A sender who does as he is told uses a path, whatever it carries and when it changes.
func TestReceiver(t *testing.T) {
	var r Receiver
	now, free := testStart, testStart
	rate, capacity := 300e3, 1e6
	told := 0
	run := func(d time.Duration) {
		for end := now.Add(d); now.Before(end); now = now.Add(5 * ms) {
			size := max(int(rate/8*0.005), 20)
			if free.Before(now) {
				free = now
			}
			free = free.Add(time.Duration(8 * float64(size) / capacity * float64(time.Second)))
			if v, due := estimate(&r, now, free.Add(25*ms), size); due {
				rate, told = v, told+1
			}
		}
	}
	between := func(what string, low, high float64) {
		t.Helper()
		if rate < low || rate > high {
			t.Errorf("%s it says %.0f, want %.0f to %.0f", what, rate, low, high)
		}
	}
	run(15 * time.Second)
	between("after 15 s", 0.7e6, 1.05e6)
	if told < 12 || told > 60 {
		t.Errorf("it was said %d times", told)
	}
	capacity = 300e3
	told = 0
	run(2 * time.Second)
	between("after a drop", 150e3, 310e3)
	run(70 * time.Second) // send times wrap
	between("a minute later", 200e3, 310e3)
	now = now.Add(time.Minute)
	capacity = 2e6
	run(60 * time.Second)
	between("after a pause, on a wider path", 1e6, 2.1e6)
}

// Before a rate was measured there is nothing to say.
func TestReceiverSaysNothingAtFirst(t *testing.T) {
	var r Receiver
	if _, due := r.Estimate(testStart, 0); due {
		t.Error("it says something before there was a packet")
	}
	for i := range 10 {
		at := testStart.Add(time.Duration(i) * 20 * ms)
		if v, due := estimate(&r, at, at, 1000); due {
			t.Errorf("after %d packets it says %.0f", i+1, v)
		}
	}
}
