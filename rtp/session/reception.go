package session

import (
	"time"

	"github.com/plainrtc/plainrtc/internal/replay"
)

// How far a sequence number may be from the highest so far. RFC 3550, Appendix A.1.
const (
	maxDropout  = 3000 // ahead
	maxMisorder = 1000 // behind: what the window remembers
)

// A reception is what RFC 3550, Appendix A keeps of a source: which packets came,
// how many are lost, and how their spacing varies.
type reception struct {
	started bool
	base    int64 // the first sequence number since the source started over
	highest int64 // extended by the count of cycles
	bad     int32 // one more than the last number that was far off; -1: none was
	window  replay.Window

	received      int64 // since base; with late ones and duplicates, without repairs
	expectedPrior int64 // when the last report was made
	receivedPrior int64
	lostBefore    int64 // before the source started over

	measured  bool   // the three below mean something
	transit   int64  // relative, of the last packet, in units of the RTP clock
	jitter    int64  // times 16
	timestamp uint32 // of the last packet that jitter was computed for
}

// take enters a sequence number that arrived. reason is why it is not to be used;
// ahead tells how many were passed over.
func (r *reception) take(seq uint16, repair bool) (ext int64, ahead int, reason string) {
	if !r.started {
		if repair {
			return 0, 0, dropUnknownRepair
		}
		r.restart(seq)
		return r.highest, 0, ""
	}
	d := int64(int16(seq - uint16(r.highest)))
	if d > maxDropout || d < -maxMisorder {
		// "Two sequential packets -- assume that the other side restarted without telling us so
		// just re-sync". Appendix A.1.
		if repair || r.bad != int32(seq) {
			if !repair {
				r.bad = int32(seq + 1)
			}
			return 0, 0, dropJump
		}
		r.lostBefore += r.lost()
		r.restart(seq)
		return r.highest, 0, ""
	}
	if !repair {
		r.received++
	}
	ext = r.highest + d
	if !r.window.Accept(uint64(ext)) {
		return 0, 0, dropDuplicate
	}
	if d > 0 {
		r.highest, ahead = ext, int(d)-1
	}
	r.bad = -1
	return ext, ahead, ""
}

// firstCycle is the count of cycles that extended numbers begin with, so that those before the
// first have a place.
const firstCycle = 1 << 16

func (r *reception) restart(seq uint16) {
	r.started, r.bad = true, -1
	// A cycle above where it was, so that numbers go up.
	r.highest = (r.highest>>16+1)<<16 | int64(seq)
	r.base = r.highest
	r.window = replay.Window{}
	r.window.Accept(uint64(r.highest))
	r.received, r.expectedPrior, r.receivedPrior = 1, 0, 0
}

// ahead reports whether a sequence number is beyond all that came.
func (r *reception) ahead(seq uint16) bool { return !r.started || int16(seq-uint16(r.highest)) > 0 }

// extend returns the place of a sequence number near the highest.
func (r *reception) extend(seq uint16) int64 { return r.highest + int64(int16(seq-uint16(r.highest))) }

func (r *reception) expected() int64 { return r.highest - r.base + 1 }

// lost is how many of those expected did not come, since base. Appendix A.3.
func (r *reception) lost() int64 { return r.expected() - r.received }

// measure updates the interarrival jitter. RFC 3550, Appendix A.8. Packets of one
// frame share a timestamp and are spaced by their sender: only the first counts.
func (r *reception) measure(at time.Duration, timestamp uint32, clock uint32) {
	if r.measured && timestamp == r.timestamp {
		return
	}
	arrival := int64(at) / 1000 * int64(clock) / 1e6
	transit := int64(int32(uint32(arrival) - timestamp))
	d := int64(int32(uint32(transit) - uint32(r.transit)))
	first := !r.measured
	r.measured, r.transit, r.timestamp = true, transit, timestamp
	if d < 0 {
		d = -d
	}
	// A step of the clock of more than ten seconds is none of the network's.
	if first || d > 10*int64(clock) {
		return
	}
	r.jitter += d - (r.jitter+8)>>4
}

// fractionLost is the loss since the last report, of 256. Appendix A.3.
func (r *reception) fractionLost() uint8 {
	expected := r.expected() - r.expectedPrior
	lost := expected - (r.received - r.receivedPrior)
	r.expectedPrior, r.receivedPrior = r.expected(), r.received
	if expected == 0 || lost <= 0 {
		return 0
	}
	return uint8(min(lost<<8/expected, 255))
}
