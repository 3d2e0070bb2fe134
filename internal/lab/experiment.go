package lab

import (
	"cmp"
	"time"

	"github.com/plainrtc/plainrtc/internal/netsim"
	"github.com/plainrtc/plainrtc/sctp"
)

// A Path is what lies between senders and receiver.
type Path struct {
	Rate  int64         // of the bottleneck, in bits a second, of IP packets
	RTT   time.Duration // there and back, without queues
	Queue int           // bytes that may wait at the bottleneck; 0: one bandwidth-delay product
	Loss  float64       // the probability to be lost behind the queue
	Burst netsim.Burst  // losses that come together, beside Loss

	Jitter    time.Duration // up to this much more delay, at random, in order
	Reorder   float64       // the probability to be late by ReorderBy
	ReorderBy time.Duration // 0: 10 ms

	MTU int // of IP packets; 0: 1500. The first link, the sender's own, carries 1500 at least
}

// BDP is the bandwidth-delay product, in bytes: what is under way when the path is
// full and its queue is empty.
func (p *Path) BDP() int { return int(float64(p.Rate) / 8 * p.RTT.Seconds()) }

// Bursts is a netsim.Burst that loses this share of all packets, in runs of length
// on average.
func Bursts(share, length float64) netsim.Burst {
	leave := 1 / length
	return netsim.Burst{Enter: leave * share / (1 - share), Leave: leave}
}

// An Experiment is flows over a path.
type Experiment struct {
	Path
	Control []sctp.CongestionControl // a flow for each; nil: one with the default
	Stagger time.Duration            // each flow begins so much later than the one before
	Seed    uint64

	// The experiment ends after Duration, or when every flow has moved Bytes,
	// whichever is first and not zero.
	Duration time.Duration
	Bytes    int64

	MessageSize    int           // 0: 16 KiB
	Every          time.Duration // each flow sends a message so often; 0: as many as it can
	Unordered      bool
	Limited        bool // as in sctp.Message
	MaxRetransmits uint16

	// DropPackets packets of the first flow that carry data, one after the other,
	// are lost from DropAt on.
	DropAt      time.Duration
	DropPackets int
}

const (
	headers       = 28   // IPv4 and UDP
	record        = 22   // a DTLS 1.3 record of AES-GCM: header, content type and tag
	anyPath       = 1200 // a datagram that any path carries, as peerconnection has it
	defaultMTU    = 1500
	defaultSize   = 16 << 10
	defaultLength = 10 * time.Second
	leastInterval = time.Millisecond
	mostInterval  = 100 * time.Millisecond
	mostSamples   = 50_000
)

// setDefaults fills in what zero stands for.
func (e *Experiment) setDefaults() {
	if len(e.Control) == 0 {
		e.Control = make([]sctp.CongestionControl, 1)
	}
	e.MTU = cmp.Or(e.MTU, defaultMTU)
	e.MessageSize = cmp.Or(e.MessageSize, defaultSize)
	if e.Queue == 0 {
		e.Queue = max(e.BDP(), 2*e.MTU)
	}
	if e.Duration == 0 && e.Bytes == 0 {
		e.Duration = defaultLength
	}
}

// interval is how often the flows are looked at: four times in a round trip, and no
// more often than mostSamples in all.
func (e *Experiment) interval() time.Duration {
	return max(min(max(e.RTT/4, leastInterval), mostInterval), e.Duration/mostSamples)
}

// patience is after how long an experiment without Duration has failed.
const patience = time.Hour
