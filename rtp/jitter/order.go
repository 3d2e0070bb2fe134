package jitter

import "github.com/plainrtc/plainrtc/internal/serial"

// An order gives packets their places: sequence numbers counted through their
// laps. One that is far from all others is taken for a source that started anew
// only when the number after it comes too. RFC 3550, Appendix A.1.
type order struct {
	started bool
	highest int64
	stray   uint16 // the number that would prove that the source started anew
	strayed bool
	late    int // packets in a row that were behind what was handed out
}

const (
	// maxDropout is how far ahead a packet may be: RFC 3550, Appendix A.1.
	maxDropout = 3000

	// maxMisorder is how far behind. The RFC's example has 100, and knows no
	// retransmissions.
	maxMisorder = 1000

	// maxLate is how many in a row may be behind, before it is no longer the
	// network that is to blame: the source started anew with a number not far from
	// the old ones.
	maxLate = 100
)

type verdict uint8

const (
	belongs  verdict = iota
	strays           // it is dropped
	restarts         // it is the second of a source that started anew
)

// place returns the place of a packet, which it does not count as received yet. One
// that was sent again proves nothing.
func (o *order) place(sequenceNumber uint16, recovered bool) (int64, verdict) {
	if !o.started {
		return int64(sequenceNumber), belongs
	}
	d := int64(serial.Number16(sequenceNumber).Distance(serial.Number16(uint16(o.highest))))
	if o.late >= maxLate && !recovered {
		return int64(sequenceNumber), restarts
	}
	if d <= maxDropout && d >= -maxMisorder {
		o.strayed = false
		return o.highest + d, belongs
	}
	if recovered {
		return 0, strays
	}
	if o.strayed && sequenceNumber == o.stray {
		return int64(sequenceNumber), restarts
	}
	o.strayed, o.stray = true, sequenceNumber+1
	return 0, strays
}

// count counts a packet that is kept.
func (o *order) count(index int64) {
	if !o.started {
		o.started, o.highest = true, index
	}
	o.highest, o.late = max(o.highest, index), 0
}

// countLate counts a packet that came too late to be kept.
func (o *order) countLate() { o.late++ }
