package sctp

import (
	"encoding/binary"
	"math/bits"
)

// A tracker remembers which TSNs have arrived: everything up to the Cumulative
// TSN Ack Point, and a bit for each TSN after it.
//
// The bits are a ring addressed by TSN, so that a TSN is entered in constant
// time whatever the peer leaves out; nothing is allocated while TSNs arrive in
// order.
type tracker struct {
	cum     tsn      // all up to this one arrived, or were given up by the peer
	highest tsn      // the highest that arrived: cum when there is no gap
	ring    []uint64 // bit n: TSN n modulo its size, for those after cum; a power of two of words
	dups    []byte   // duplicates to report in the next SACK, as they stand in it
}

const (
	// maxSpan is how far after cum a TSN may lie. A gap ack block reaches 65535
	// at most; half of that is more packets than a path of 100 ms carries at
	// 3 Gbit/s, and bounds the rings that a TSN out of nowhere can make grow.
	maxSpan = 1 << 15

	// maxDuplicates is how many duplicate TSNs one SACK reports. No sender
	// needs more than a hint that it retransmitted for nothing.
	maxDuplicates = 16
)

// start begins before the peer's initial TSN.
func (t *tracker) start(initial tsn) {
	*t = tracker{cum: initial - 1, highest: initial - 1}
}

// A freshness is what the tracker says of a TSN before it is taken.
type freshness uint8

const (
	fresh     freshness = iota
	duplicate           // arrived before
	beyond              // more than maxSpan ahead
)

func (t *tracker) look(n tsn) freshness {
	switch {
	case n.AtMost(t.cum):
		return duplicate
	case n-t.cum > maxSpan:
		return beyond
	case n.AtMost(t.highest) && t.has(n):
		return duplicate
	}
	return fresh
}

// has reads the bit of a TSN in (cum, highest].
func (t *tracker) has(n tsn) bool {
	return t.ring[uint32(n)/64&uint32(len(t.ring)-1)]&(1<<(n%64)) != 0
}

// add enters a TSN that look called fresh.
func (t *tracker) add(n tsn) {
	if n == t.cum+1 {
		t.cum = n
		if t.highest.Before(n) {
			t.highest = n // in order, nothing missing: the usual case
			return
		}
		t.absorb()
		return
	}
	t.reserve(int(n - t.cum))
	t.ring[uint32(n)/64&uint32(len(t.ring)-1)] |= 1 << (n % 64)
	if t.highest.Before(n) {
		t.highest = n
	}
}

// forward moves cum to n, as if everything up to it had arrived (RFC 3758,
// Section 3.6), and on over what did arrive after it. The caller knows that n
// comes after cum.
func (t *tracker) forward(n tsn) {
	if t.highest.AtMost(n) {
		clear(t.ring)
		t.cum, t.highest = n, n
		return
	}
	for t.cum != n {
		t.cum++
		t.clear(t.cum)
	}
	t.absorb()
}

// absorb moves cum over the TSNs that follow it, a word of them at a time.
func (t *tracker) absorb() {
	for t.cum != t.highest {
		next := t.cum + 1
		word := &t.ring[uint32(next)/64&uint32(len(t.ring)-1)]
		run := min(bits.TrailingZeros64(^(*word >> (next % 64))), 64-int(next%64))
		if run == 0 {
			return
		}
		*word &^= (1<<run - 1) << (next % 64)
		t.cum += tsn(run)
	}
}

func (t *tracker) clear(n tsn) {
	if len(t.ring) > 0 {
		t.ring[uint32(n)/64&uint32(len(t.ring)-1)] &^= 1 << (n % 64)
	}
}

// reserve makes the ring hold span TSNs after cum.
func (t *tracker) reserve(span int) {
	// One word more than the span needs: it need not begin at a word.
	need := span/64 + 2
	if need <= len(t.ring) {
		return
	}
	size := 1 << bits.Len(uint(max(need, 4)-1))
	old := *t
	t.ring = make([]uint64, size)
	for n := old.cum + 1; n.AtMost(old.highest); n++ {
		if old.has(n) {
			t.ring[uint32(n)/64&uint32(size-1)] |= 1 << (n % 64)
		}
	}
}

// gap reports whether something after cum arrived.
func (t *tracker) gap() bool { return t.cum != t.highest }

// report remembers a duplicate: "The duplicate TSN number(s) SHOULD be reported
// in the SACK chunk as duplicate" (RFC 9260, Section 6.2).
func (t *tracker) report(n tsn) {
	if len(t.dups) < 4*maxDuplicates {
		t.dups = binary.BigEndian.AppendUint32(t.dups, uint32(n))
	}
}

// appendGaps appends Gap Ack Blocks, at most limit of them, the lowest first:
// those are what the sender needs to repair first.
func (t *tracker) appendGaps(b []byte, limit int) []byte {
	for n := t.cum + 1; limit > 0; limit-- {
		first := t.find(n, 1)
		if first.After(t.highest) {
			return b
		}
		end := t.find(first, 0)
		b = binary.BigEndian.AppendUint16(b, uint16(first-t.cum))
		b = binary.BigEndian.AppendUint16(b, uint16(end-1-t.cum))
		n = end
	}
	return b
}

// find returns the first TSN from n on whose bit is the given one; one past
// highest when there is none.
func (t *tracker) find(n tsn, bit uint64) tsn {
	for n.AtMost(t.highest) {
		word := t.ring[uint32(n)/64&uint32(len(t.ring)-1)]
		if bit == 0 {
			word = ^word
		}
		word >>= n % 64
		if word != 0 {
			n += tsn(bits.TrailingZeros64(word))
			break
		}
		n += 64 - n%64
	}
	if n.After(t.highest) {
		return t.highest + 1
	}
	return n
}

// shrink gives back what an idle tracker does not need.
func (t *tracker) shrink() {
	if !t.gap() {
		t.ring, t.dups = nil, nil
	}
}
