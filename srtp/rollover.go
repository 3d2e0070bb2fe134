package srtp

import "github.com/plainrtc/plainrtc/internal/replay"

// maxIndex is the last packet index: 32 bits of roll-over counter and 16 of
// sequence number.
const maxIndex = 1<<48 - 1

// estimateIndex finds the 48-bit index of an RTP packet with the sequence number
// seq (RFC 3711, Section 3.3.1 and Appendix A): the one of all with these low 16
// bits that is nearest to the highest index of the source so far.
//
//	i = 2^16 * v + SEQ, with v in { ROC-1, ROC, ROC+1 }
//
// Where nothing else is told, the first ROC is zero: the index of a source's
// first packet is its sequence number. Where the nearest index would be below
// zero, which Appendix A makes roll-over counter 2^32-1, there was no such
// packet, and seq is far ahead instead. An index over maxIndex means that the
// key is spent.
//
// If the first packets of a source are lost and its numbers wrap meanwhile, the
// receiver never finds the roll-over counter. A sender therefore begins with a
// number below 2^15.
func estimateIndex(w *replay.Window, seq uint16) uint64 {
	highest, started := w.Highest()
	if !started {
		return uint64(seq)
	}
	index := highest&^0xffff | uint64(seq)
	switch ahead := int64(index) - int64(highest); {
	case ahead > 1<<15 && index > 0xffff:
		return index - 1<<16
	case ahead < -1<<15:
		return index + 1<<16
	}
	return index
}
