package jitterlab

import (
	"encoding/binary"
	"io"
	"math"
	"slices"
	"strings"
	"time"
)

// A Kind is a way in which delay varies.
type Kind string

// The kinds.
const (
	Uniform  Kind = "uniform"  // each packet by itself, anything from nothing to Jitter
	Gaussian Kind = "gaussian" // Jitter is four standard deviations on either side; a packet may overtake another
	Gamma    Kind = "gamma"    // of shape 2, with a long tail that ends at Jitter
	Queue    Kind = "queue"    // in order, behind a queue that others fill and empty
	Spikes   Kind = "spikes"   // in order; every few seconds the path stands still for up to Jitter
	WiFi     Kind = "wifi"     // in order; retries, and every ten seconds the radio listens to another channel for Jitter
	Handover Kind = "handover" // steps between paths, every 15 s, that differ by up to Jitter
	Rare     Kind = "rare"     // as wifi, but it listens elsewhere only twice a minute: less than 1 % of packets meet that
)

// Kinds are all of them.
var Kinds = []Kind{Uniform, Gaussian, Gamma, Queue, Spikes, WiFi, Handover, Rare}

// ParseKind finds a kind by its name.
func ParseKind(name string) (Kind, bool) {
	k := Kind(strings.ToLower(name))
	return k, slices.Contains(Kinds, k)
}

// A Path is a network as a stream sees it.
type Path struct {
	Kind   Kind
	Jitter time.Duration // from the fastest packet to the slowest, or nearly
	Delay  time.Duration // of the fastest packet
	Loss   float64       // share of packets that do not arrive

	Interval time.Duration // from packet to packet; zero stands for 20 ms

	// Drift is how many seconds the sender's clock gains in a second.
	Drift float64
}

// A Trace is a stream of packets on its way.
type Trace struct {
	Packets []Packet
	Drift   float64 // as in Path
}

// A Packet of a trace.
type Packet struct {
	Sent, Arrived time.Duration
	Lost          bool
}

// A dice makes numbers of random bytes.
type dice struct{ r io.Reader }

// uniform is at least 0 and less than 1.
func (d dice) uniform() float64 {
	var b [8]byte
	if _, err := io.ReadFull(d.r, b[:]); err != nil {
		panic("BUG: the source of randomness has an end: " + err.Error())
	}
	return float64(binary.BigEndian.Uint64(b[:])>>11) / (1 << 53)
}

func (d dice) exponential() float64 { return -math.Log(1 - d.uniform()) }

func (d dice) normal() float64 {
	return math.Sqrt(2*d.exponential()) * math.Cos(2*math.Pi*d.uniform())
}

// Trace makes up when n packets arrive. random has no end; the same bytes make the
// same trace.
func (p Path) Trace(random io.Reader, n int) Trace {
	d := dice{random}
	if p.Interval == 0 {
		p.Interval = 20 * time.Millisecond
	}
	extra := p.delays(d)
	packets := make([]Packet, n)
	for i := range packets {
		sent := time.Duration(i) * p.Interval
		packets[i] = Packet{Sent: sent, Arrived: sent + p.Delay + extra(sent), Lost: d.uniform() < p.Loss}
	}
	return Trace{packets, p.Drift}
}

// delays returns how much longer than the fastest one a packet takes.
func (p Path) delays(d dice) func(sent time.Duration) time.Duration {
	most := float64(p.Jitter)
	clamp := func(x float64) time.Duration { return time.Duration(min(max(x, 0), most)) }
	// inOrder keeps packets from overtaking each other.
	inOrder := func(extra func(time.Duration) float64) func(time.Duration) time.Duration {
		var last time.Duration
		return func(sent time.Duration) time.Duration {
			last = max(sent+clamp(extra(sent)), last)
			return last - sent
		}
	}
	switch p.Kind {
	case Gaussian:
		return func(time.Duration) time.Duration { return clamp(most/2 + d.normal()*most/8) }
	case Gamma:
		return func(time.Duration) time.Duration { return clamp((d.exponential() + d.exponential()) * most / 10) }
	case Queue:
		queue, rate := 0.0, 0.0
		return inOrder(func(time.Duration) float64 {
			if d.uniform() < 0.02 {
				rate = (d.uniform() - 0.55) * 0.6
			}
			queue = min(max(queue+rate*float64(p.Interval), 0), most)
			return queue + d.exponential()*most/100
		})
	case Spikes:
		until := time.Duration(0)
		next := time.Duration((1 + 4*d.uniform()) * float64(time.Second))
		return inOrder(func(sent time.Duration) float64 {
			if sent >= next {
				until = sent + clamp((0.5+0.5*d.uniform())*most)
				next = sent + time.Duration((1+8*d.uniform())*float64(time.Second))
			}
			return max(float64(until-sent), 0) + d.exponential()*most/100
		})
	case WiFi, Rare:
		scan, period := time.Duration(0), 10*time.Second
		if p.Kind == Rare {
			period = 30 * time.Second
		}
		next := time.Duration(d.uniform() * float64(period))
		return inOrder(func(sent time.Duration) float64 {
			if sent >= next {
				scan, next = sent+clamp(most), next+period
			}
			wait := max(float64(scan-sent), 0)
			for retry := most / 100; d.uniform() < 0.3; retry *= 2 {
				wait += retry * d.uniform()
			}
			return wait
		})
	case Handover:
		base := 0.0
		next := 15 * time.Second
		return func(sent time.Duration) time.Duration {
			if sent >= next {
				base, next = d.uniform()*most*0.7, next+15*time.Second
			}
			return clamp(base + (d.exponential()+d.exponential())*most/40)
		}
	}
	return func(time.Duration) time.Duration { return time.Duration(d.uniform() * most) }
}
