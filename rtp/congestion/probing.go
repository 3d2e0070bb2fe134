package congestion

import "time"

// probing decides when clusters leave. The draft has none; this is as libwebrtc does it: with the first feedback at
// three and six times the first estimate, then twice what was found for as long as that goes well; after a large drop while the
// application was idle, at most of what there was before; and every five seconds while it is idle, if it says that it
// could use more than the estimate.
type probing struct {
	begun   bool
	planned [2]float64 // bit/s; 0: none
	active  *measured  // the cluster that leaves
	kept    [clusterKept]measured
	id      uint16
	last    time.Duration // when a cluster left
	further float64       // what a result must show so that the next probe is planned; 0: none is
	until   time.Duration // for so long a result is waited for

	dropped float64 // what the estimate was before a large drop; 0: there was none
	at      time.Duration
}

const (
	firstProbe, secondProbe = 3, 6
	nextProbe               = 2
	furtherShare            = 0.7
	probePatience           = time.Second
	idleProbe               = 5 * time.Second
	largeDrop               = 0.66
	recoverShare            = 0.85
	// mostProbe is the highest rate that is tried. Arbitrary: ten streams of high definition.
	mostProbe = 30e6
)

// plan notes a probe, or two, of which the last decides how it goes on.
func (p *probing) plan(now time.Duration, first, second, most float64) {
	p.planned = [2]float64{min(first, most), 0}
	highest := p.planned[0]
	if second > 0 && first < most {
		p.planned[1] = min(second, most)
		highest = p.planned[1]
	}
	p.further, p.until = furtherShare*highest, now+probePatience
	if highest >= most {
		p.further = 0
	}
}

// begin starts the next cluster, if one is planned.
func (p *probing) begin(now time.Duration) bool {
	if p.active != nil {
		return true
	}
	if p.planned[0] == 0 {
		return false
	}
	p.id++
	if p.id == 0 {
		p.id = 1
	}
	p.active = &p.kept[p.id%clusterKept]
	*p.active = measured{Cluster: newCluster(p.planned[0]), id: p.id, begun: now}
	p.planned[0], p.planned[1] = p.planned[1], 0
	p.last, p.until = now, now+probePatience
	return true
}

// sent takes a packet that leaves, and returns the id of its cluster.
func (p *probing) sent(now time.Duration, size int) uint16 {
	if p.active == nil {
		return 0
	}
	id := p.active.id
	p.active.leftPackets++
	p.active.leftBytes += size
	if p.active.leftPackets >= p.active.Packets && p.active.leftBytes >= p.active.Bytes || now-p.active.begun > clusterPatience {
		p.active = nil
	}
	return id
}

// arrived takes a packet of a cluster, and returns the rate that the cluster has shown; 0: none.
func (p *probing) arrived(id uint16, sent, arrived time.Duration, size int) float64 {
	m := &p.kept[id%clusterKept]
	if m.id != id {
		return 0
	}
	return m.take(sent, arrived, size)
}

// fell notes that the estimate fell, from what it was before.
func (p *probing) fell(now time.Duration, before, after float64) {
	if after < largeDrop*before && (p.dropped == 0 || now-p.at > dropLifetime) {
		p.dropped, p.at = before, now
	}
}

// consider plans what is to be probed, when feedback has come. most is the highest rate that is of use.
func (p *probing) consider(now time.Duration, s signal, estimate, wanted, most float64, i *idle) {
	if p.further > 0 && now > p.until && p.active == nil {
		p.further, p.planned = 0, [2]float64{}
	}
	if p.active != nil || p.planned[0] > 0 {
		return
	}
	switch {
	case p.further > 0 && estimate > p.further:
		p.plan(now, nextProbe*estimate, 0, most)
		return
	case s != normal || now-p.last < idleProbe || estimate >= most:
		return
	case p.dropped > 0 && i.lately(now):
		if now-p.at < dropLifetime && estimate < largeDrop*p.dropped {
			p.plan(now, recoverShare*p.dropped, 0, most)
		}
		p.dropped = 0
	case i.is && wanted > estimate:
		p.plan(now, nextProbe*estimate, 0, most)
	}
}
