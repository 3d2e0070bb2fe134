package rtp

// A bitReader reads numbers of any number of bits, highest bit first, with a
// sticky failure.
type bitReader struct {
	b      []byte
	at     int // in bits
	failed bool
}

// f reads n bits, at most 32: f(n) of the AV1 specification.
func (r *bitReader) f(n int) (v uint32) {
	if r.at+n > 8*len(r.b) {
		r.failed, r.at = true, 8*len(r.b)
	}
	if r.failed {
		return 0
	}
	for range n {
		v = v<<1 | uint32(r.b[r.at/8]>>(7-r.at%8))&1
		r.at++
	}
	return v
}

func (r *bitReader) flag() bool { return r.f(1) != 0 }

// ns reads a number below n in as few bits as that takes: ns(n) of the AV1
// specification, Section 4.10.7.
func (r *bitReader) ns(n uint32) uint32 {
	w := 0
	for x := n; x != 0; x >>= 1 {
		w++
	}
	m := uint32(1)<<w - n
	v := r.f(w - 1)
	if v < m {
		return v
	}
	return v<<1 - m + r.f(1)
}

// A bitWriter appends numbers of any number of bits.
type bitWriter struct {
	b    []byte
	used int // bits of the last byte; 0 when it is full, or not there
}

func (w *bitWriter) f(n int, v uint32) {
	for i := n - 1; i >= 0; i-- {
		if w.used == 0 {
			w.b = append(w.b, 0)
		}
		w.b[len(w.b)-1] |= byte(v>>i&1) << (7 - w.used)
		w.used = (w.used + 1) % 8
	}
}

func (w *bitWriter) flag(v bool) {
	if v {
		w.f(1, 1)
	} else {
		w.f(1, 0)
	}
}

func (w *bitWriter) ns(n, v uint32) {
	bits := 0
	for x := n; x != 0; x >>= 1 {
		bits++
	}
	m := uint32(1)<<bits - n
	if v < m {
		w.f(bits-1, v)
		return
	}
	w.f(bits-1, (v+m)>>1)
	w.f(1, (v+m)&1)
}
