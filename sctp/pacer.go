package sctp

import "time"

// A pacer spreads packets over time, so that a window's worth does not arrive at
// the bottleneck's queue at once. Packets leave in bursts of a quantum, and the
// next burst waits until the rate has made up for the last one: one wake-up a
// quantum, not one a packet.
//
// It is not active where the round trip is too short for timers to be worth
// it: on loopback and in most local networks, Max.Burst does.
type pacer struct {
	active  bool
	rate    float64   // bytes a second, at the last packet; zero: not active
	quantum int       // bytes that may leave at once
	next    time.Time // when the rate has made up for what left
	release time.Time // nothing leaves before this
	held    bool      // something had to wait since the last acknowledgement
}

const (
	// pacedRTT is the round trip from which on packets are paced.
	pacedRTT = 2 * time.Millisecond
	// quantumTime is how much may leave at once, by the rate.
	quantumTime = time.Millisecond
)

// waits reports whether the next packet has to wait until release.
func (p *pacer) waits(now time.Time) bool { return p.active && now.Before(p.release) }

// forget lets packets leave again at once.
func (p *pacer) forget() { p.next, p.release = time.Time{}, time.Time{} }

// sent notes that size bytes leave, at a rate in bytes a second.
func (p *pacer) sent(now time.Time, size int, rate float64, least int) {
	p.rate = rate
	if p.active = rate > 0; !p.active {
		return
	}
	p.quantum = max(int(rate*quantumTime.Seconds()), least)
	burst := time.Duration(float64(p.quantum) / rate * float64(time.Second))
	// A timer that fired late does not lower the rate; a pause is no credit.
	if earliest := now.Add(-burst); p.next.Before(earliest) {
		p.next = now
	}
	p.next = p.next.Add(time.Duration(float64(size) / rate * float64(time.Second)))
	if !p.next.Before(now.Add(burst)) {
		p.release = p.next
	}
}
