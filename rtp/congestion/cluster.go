package congestion

import "time"

// A Cluster is packets that are to leave at a rate of their own, to see whether they arrive at it.
type Cluster struct {
	Bitrate float64 // bit/s
	Bytes   int     // that it has at least
	Packets int
}

const (
	clusterTime    = 15 * time.Millisecond
	clusterPackets = 5
	// clusterPatience is how long a cluster may take to leave.
	clusterPatience = 250 * time.Millisecond
	clusterArrived  = 0.8 // share of it that has to arrive
	clusterKept     = 4   // clusters that are remembered
	mostInterval    = time.Second
	validRatio      = 2.0  // a cluster can't arrive so much faster than it left
	fullRatio       = 0.9  // what arrives more slowly than that has filled the path
	fullUse         = 0.95 // of which not all is to be used
)

func newCluster(bitrate float64) Cluster {
	return Cluster{Bitrate: bitrate, Bytes: int(bitrate / 8 * clusterTime.Seconds()), Packets: clusterPackets}
}

// A measured is what is known of a cluster that leaves or left.
type measured struct {
	Cluster
	id                    uint16
	leftPackets           int
	leftBytes             int
	begun                 time.Duration
	packets, bytes        int // that arrived
	firstSent, lastSent   time.Duration
	firstArrived, arrived time.Duration
	firstSize, lastSize   int // of the packet that arrived first, and of the one that left last
}

// take enters a packet that arrived, and returns the rate that the cluster has shown by now; 0: none.
func (m *measured) take(sent, arrived time.Duration, size int) float64 {
	if m.packets == 0 {
		m.firstSent, m.lastSent, m.firstArrived, m.arrived = sent, sent, arrived, arrived
		m.firstSize, m.lastSize = size, size
	}
	m.packets++
	m.bytes += size
	m.firstSent = min(m.firstSent, sent)
	if sent >= m.lastSent {
		m.lastSent, m.lastSize = sent, size
	}
	if arrived < m.firstArrived {
		m.firstArrived, m.firstSize = arrived, size
	}
	m.arrived = max(m.arrived, arrived)
	if float64(m.packets) < clusterArrived*float64(m.Packets) || float64(m.bytes) < clusterArrived*float64(m.Bytes) {
		return 0
	}
	left, came := m.lastSent-m.firstSent, m.arrived-m.firstArrived
	if left <= 0 || came <= 0 || left > mostInterval || came > mostInterval {
		return 0
	}
	// n packets make n-1 intervals: what left last took none on the way out, what came first none on the way in.
	sendRate := 8 * float64(m.bytes-m.lastSize) / left.Seconds()
	receiveRate := 8 * float64(m.bytes-m.firstSize) / came.Seconds()
	switch {
	case receiveRate > validRatio*sendRate:
		return 0
	case receiveRate < fullRatio*sendRate:
		return fullUse * receiveRate
	}
	return min(sendRate, receiveRate)
}
