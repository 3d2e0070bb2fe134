package sctp

import (
	"testing"
	"time"
)

// A ccTest drives congestion control in round trips, with a PMDCS of 1000.
type ccTest struct {
	t *testing.T
	c congestion
}

func newCC(t *testing.T) *ccTest {
	k := &ccTest{t: t}
	k.c.start(1000+headerSize, new(newReno))
	return k
}

// ack acknowledges n bytes while flight bytes were in flight.
func (k *ccTest) ack(n, flight int, cum tsn) {
	k.c.opportunity(flight)
	k.c.acked(&sample{acked: n, cum: cum})
	k.c.built(true)
}

// lost finds losses while exit is the highest TSN outstanding.
func (k *ccTest) lost(exit tsn) { k.c.lost(&sample{next: exit + 1}) }

func (k *ccTest) want(cwnd, ssthresh int, why string) {
	k.t.Helper()
	if k.c.cwnd != cwnd || k.c.ssthresh != ssthresh {
		k.t.Fatalf("cwnd %d, ssthresh %d; want %d, %d: %s", k.c.cwnd, k.c.ssthresh, cwnd, ssthresh, why)
	}
}

func TestCongestionControl(t *testing.T) {
	const high = 1 << 30
	k := newCC(t)
	k.want(4000, high, "Section 7.2.1: min(4*PMDCS, max(2*PMDCS, 4404))")

	k.ack(2000, 4000, 1)
	k.want(5000, high, "slow start grows by at most one PMDCS a SACK")
	k.ack(500, 5000, 2)
	k.want(5500, high, "and by no more than was acknowledged")
	k.ack(2000, 3000, 3)
	k.want(5500, high, "not when the window was not used")

	k.c.cwnd = 20000
	k.lost(50)
	k.want(10000, 10000, "Section 7.2.3: half the window")
	k.lost(60)
	k.want(10000, 10000, "once for all losses of a window")
	k.ack(5000, 10000, 49)
	k.want(10000, 10000, "no growth in Fast Recovery")
	k.ack(5000, 10000, 50)
	k.want(10000+1000, 10000, "the exit point was acknowledged; cwnd <= ssthresh is slow start")

	k.ack(6000, 11000, 51)
	k.ack(4999, 11000, 52)
	k.want(11000, 10000, "Section 7.2.2: less than a window was acknowledged")
	k.ack(1, 11000, 53)
	k.want(12000, 10000, "one PMDCS for a whole window")
	k.ack(30000, 1000, 54)
	k.want(12000, 10000, "not when it was not used")
	k.ack(1000, 12000, 55)
	k.want(13000, 10000, "what was acknowledged meanwhile counts up to one window")

	k.c.timeout(90)
	k.want(1000, 6500, "Section 7.2.3: T3-rtx")
	k.c.opportunity(0)
	if k.c.canSend(0) || !k.c.canResend(0) {
		t.Error("after T3-rtx something else than a retransmission leaves")
	}
	k.c.built(true)
	if k.c.canResend(0) {
		t.Error("a second packet leaves before an acknowledgement")
	}
	k.c.cwnd = 2000
	k.c.timeout(90)
	k.want(1000, 4000, "ssthresh stays at 4*PMDCS or above")

	k.c.cwnd = 40000
	k.lost(95)
	k.want(40000, 4000, "the timeout was for losses up to 90")
	k.ack(1, 0, 90)
	k.lost(95)
	k.want(20000, 20000, "90 was acknowledged: this is another loss")

	k.c.cwnd = 40000
	k.c.idle(2)
	k.want(10000, 40000, "Section 7.2.1: half an RTO, twice")
	k.c.idle(100)
	k.want(4000, 10000, "down to 4*PMDCS")
}

func TestBurstLimit(t *testing.T) {
	k := newCC(t)
	k.c.cwnd = 100000
	k.c.opportunity(0)
	if !k.c.canSend(3999) || k.c.canSend(4000) {
		t.Error("after a pause four packets may leave")
	}
	k.c.built(true)
	k.c.opportunity(4000)
	k.c.opportunity(1000) // a second SACK before a packet is built
	if !k.c.canSend(7999) || k.c.canSend(8000) {
		t.Error("what several SACKs acknowledge may be replaced, and four packets more")
	}
	k.lost(1)
	k.c.burst = 0
	if k.c.canSend(1 << 20) {
		t.Error("new data may leave beyond the window after a loss")
	}
	if !k.c.canResend(1 << 20) {
		t.Error("a fast retransmission has to wait for the window")
	}
	k.c.built(true)
	if k.c.canResend(1 << 20) {
		t.Error("more than one packet is fast retransmitted regardless of the window")
	}
}

func TestRTO(t *testing.T) {
	const ms = time.Millisecond
	var r rto
	r.start(1000*ms, 250*ms, 5000*ms)
	for _, step := range []struct {
		do   func()
		want time.Duration
		why  string
	}{
		{func() {}, 1000 * ms, "RTO.Initial (C1)"},
		{func() { r.measured(100 * ms) }, 320 * ms, "SRTT + 4*RTTVAR is 300 ms, but SACKs may be 200 ms late"},
		{func() { r.backOff() }, 640 * ms, "doubled (E2)"},
		{func() { r.backOff() }, 1280 * ms, "and again"},
		{func() { r.measured(100 * ms) }, 320 * ms, "a new measurement ends that"},
		{func() { r.measured(900 * ms) }, 200*ms + 4*228125*time.Microsecond, "RTTVAR = 3/4*37.5 + 1/4*800, SRTT = 7/8*100 + 1/8*900 (C3)"},
		{func() { r.start(1000*ms, 250*ms, 5000*ms); r.measured(0) }, 250 * ms, "RTO.Min (C6)"},
		{func() { r.measured(time.Minute) }, 5000 * ms, "RTO.Max (C7)"},
	} {
		step.do()
		if got := r.current; got.Round(time.Microsecond) != step.want {
			t.Errorf("%v, want %v: %s", got, step.want, step.why)
		}
	}
}
