package mediafile

// A bitReader reads fields of bits, the highest first. Behind the end it reads
// zeros, and has failed.
type bitReader struct {
	b      []byte
	at     int // in bits
	failed bool
	// escaped is set for H.264 and H.265, in which a byte of 3 behind two zeros
	// belongs to the byte stream (emulation_prevention_three_byte).
	escaped bool
}

// bit reads one bit.
func (r *bitReader) bit() uint32 {
	i := r.at >> 3
	if r.escaped && r.at&7 == 0 && i >= 2 && i < len(r.b) && r.b[i] == 3 && r.b[i-1] == 0 && r.b[i-2] == 0 {
		r.at += 8
		i++
	}
	if i >= len(r.b) {
		r.failed = true
		return 0
	}
	v := r.b[i] >> (7 - r.at&7) & 1
	r.at++
	return uint32(v)
}

// flag reads one bit as a flag.
func (r *bitReader) flag() bool { return r.bit() == 1 }

// bits reads a number of n bits, 32 at most.
func (r *bitReader) bits(n int) (v uint32) {
	for range n {
		v = v<<1 | r.bit()
	}
	return v
}

// skip reads n bits and drops them.
func (r *bitReader) skip(n int) {
	for ; n > 0 && !r.failed; n-- {
		r.bit()
	}
}

// ue reads an unsigned Exp-Golomb number: ue(v) of H.264, Section 9.1, and
// uvlc() of AV1, Section 4.10.3.
func (r *bitReader) ue() uint32 {
	zeros := 0
	for r.bit() == 0 {
		if zeros++; zeros > 31 || r.failed {
			r.failed = true
			return 0
		}
	}
	return 1<<zeros - 1 + r.bits(zeros)
}

// se reads a signed one.
func (r *bitReader) se() int32 {
	v := r.ue()
	if v&1 == 1 {
		return int32(v/2 + 1)
	}
	return -int32(v / 2)
}
