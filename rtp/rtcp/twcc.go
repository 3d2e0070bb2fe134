package rtcp

import (
	"encoding/binary"
	"iter"
	"time"

	"github.com/plainrtc/plainrtc/internal/wire"
)

// A TransportFeedback tells which packets of a transport arrived, and when. Its
// arrivals are read by [Packet.Arrivals].
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|      base sequence number     |      packet status count      |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                 reference time                | fb pkt. count |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|          packet chunk         |         packet chunk          |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	.                                                               .
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|         packet chunk          |  recv delta   |  recv delta   |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// draft-holmer-rmcat-transport-wide-cc-extensions-01, Section 3.1.
type TransportFeedback struct {
	Sender, Media uint32
	Base          uint16 // the first transport-wide sequence number told of
	Count         uint16 // how many; written from the arrivals
	Reference     uint32 // in units of 64 ms, 24 bits, wrapping; written from the arrivals
	Feedback      uint8  // numbers the feedback packets
}

// An Arrival is what a TransportFeedback tells of one packet.
type Arrival struct {
	Sequence uint16
	Received bool

	// Time is when, by the receiver's clock; read, it counts from a reference of 0
	// and wraps with it after 12 days. It is there when HasTime says so: a sender
	// may have asked for feedback without timing.
	Time    time.Duration
	HasTime bool
}

const (
	referenceUnit = 64 * time.Millisecond
	deltaUnit     = 250 * time.Microsecond
)

// What a chunk says of a packet. Section 3.1.1.
const (
	notReceived = 0
	smallDelta  = 1
	largeDelta  = 2 // "large or negative"
	reserved    = 3
)

// TransportFeedback reads the packet's header, and checks that its chunks and
// deltas are there.
func (p Packet) TransportFeedback() (f TransportFeedback, ok bool) {
	f, statuses, _, ok := p.twcc()
	if statuses.count == 0 {
		return TransportFeedback{}, false
	}
	return f, ok
}

// twcc reads the header, and returns a cursor for each of the two lists. A packet
// without deltas, or whose deltas do not fit, has an empty second list.
func (p Packet) twcc() (f TransportFeedback, s statuses, deltas wire.Reader, ok bool) {
	r := p.body(TWCC)
	f = TransportFeedback{Sender: r.Uint32(), Media: r.Uint32(), Base: r.Uint16(), Count: r.Uint16(), Reference: r.Uint24(), Feedback: r.Uint8()}
	s = statuses{r: r, count: int(f.Count)}
	scan, size, received := s, 0, false
	for {
		status, more := scan.next()
		if !more {
			break
		}
		received = received || status != notReceived
		size += status // one byte for a small delta, two for a large one
	}
	if !scan.r.OK() || scan.failed {
		return TransportFeedback{}, statuses{}, wire.Reader{}, false
	}
	if deltas = scan.r; deltas.Len() < size {
		// Feedback without timing has no deltas at all.
		if deltas.Len() >= 4 {
			return TransportFeedback{}, statuses{}, wire.Reader{}, false
		}
		deltas = wire.Reader{}
	}
	return f, s, deltas, true
}

// Arrivals yields what a transport-wide feedback tells of each packet, received or not.
func (p Packet) Arrivals() iter.Seq[Arrival] {
	return func(yield func(Arrival) bool) {
		f, s, deltas, _ := p.twcc()
		timing := deltas.Len() > 0
		at := time.Duration(f.Reference) * referenceUnit
		for sequence := f.Base; ; sequence++ {
			status, more := s.next()
			if !more {
				return
			}
			a := Arrival{Sequence: sequence, Received: status != notReceived}
			if a.Received && timing {
				if status == smallDelta {
					at += time.Duration(deltas.Uint8()) * deltaUnit
				} else {
					at += time.Duration(int16(deltas.Uint16())) * deltaUnit
				}
				a.Time, a.HasTime = at, true
			}
			if !yield(a) {
				return
			}
		}
	}
}

// statuses walks over packet chunks, symbol by symbol.
type statuses struct {
	r      wire.Reader
	count  int // packets left
	failed bool

	symbols uint32 // of the current vector, highest first
	width   int    // bits of a symbol; 0 in a run
	run     int    // symbols left in the chunk
}

func (s *statuses) next() (status int, ok bool) {
	if s.count == 0 {
		return 0, false
	}
	for s.run == 0 {
		chunk := uint32(s.r.Uint16())
		if !s.r.OK() {
			s.count = 0
			return 0, false
		}
		switch chunk >> 14 {
		case 0, 1: // run length chunk: |T| S |       Run Length        |
			s.width, s.symbols, s.run = 0, chunk>>13&3, int(chunk&0x1fff)
		case 2: // status vector chunk of one-bit symbols: |T|S|  14 of them  |
			s.width, s.symbols, s.run = 1, chunk<<18, 14
		case 3: // status vector chunk of two-bit symbols: |T|S|  7 of them   |
			s.width, s.symbols, s.run = 2, chunk<<18, 7
		}
	}
	s.run--
	s.count--
	if s.width == 0 {
		status = int(s.symbols)
	} else {
		status = int(s.symbols >> (32 - s.width))
		s.symbols <<= s.width
	}
	if status == reserved {
		s.failed, s.count = true, 0
		return 0, false
	}
	return status, true
}

// Append appends feedback on arrivals, which are in the order of their sequence
// numbers, the first of them at f.Base or after it; those that did not arrive are
// left out or not Received. It takes as many of them as fit limit bytes, the
// range of a delta (8 s) and that of sequence numbers, and returns how many that
// were: the rest is for a next packet, whose Base is behind them. It
// takes at least one when limit is 64 or more.
func (f TransportFeedback) Append(b []byte, arrivals []Arrival, limit int) (_ []byte, n int) {
	// How many fit. A chunk takes 7 symbols, or a long gap.
	size, symbols := headerSize+16, 0
	var first, last int64 // in delta units
	for _, a := range arrivals {
		if !a.Received {
			n++
			continue
		}
		span := int(a.Sequence-f.Base) + 1
		at := int64(a.Time / deltaUnit)
		if symbols == 0 {
			first = at / int64(referenceUnit/deltaUnit) * int64(referenceUnit/deltaUnit)
			last = first
		}
		gap := span - symbols
		cost := 2 + 2*min((gap+6)/7, 3+gap/0x1fff)
		if span <= symbols || span > 1<<15 || at-last != int64(int16(at-last)) || size+cost > limit-4 {
			break
		}
		size, symbols, last = size+cost, span, at
		n++
	}
	if symbols == 0 {
		return b, n
	}
	arrivals = arrivals[:n]

	b, start := beginFeedback(b, TWCC, f.Sender, f.Media)
	b = binary.BigEndian.AppendUint16(b, f.Base)
	b = binary.BigEndian.AppendUint16(b, uint16(symbols))
	b = wire.AppendUint24(b, uint32(first/int64(referenceUnit/deltaUnit)))
	b = append(b, f.Feedback)
	var c chunker
	next := f.Base
	last = first
	for _, a := range arrivals {
		if !a.Received {
			continue
		}
		for ; next != a.Sequence; next++ {
			b = c.add(b, notReceived)
		}
		next++
		at := int64(a.Time / deltaUnit)
		b = c.add(b, deltaSize(at-last))
		last = at
	}
	b = c.flush(b)
	last = first
	for _, a := range arrivals {
		if !a.Received {
			continue
		}
		at := int64(a.Time / deltaUnit)
		if delta := at - last; deltaSize(delta) == smallDelta {
			b = append(b, byte(delta))
		} else {
			b = binary.BigEndian.AppendUint16(b, uint16(delta))
		}
		last = at
	}
	return end(pad(b, start), start), n
}

// deltaSize returns the status of a packet with the given delta, which is also
// how many bytes the delta takes.
func deltaSize(delta int64) int {
	if delta >= 0 && delta <= 0xff {
		return smallDelta
	}
	return largeDelta
}

// A chunker packs symbols into chunks: those that are all the same into runs,
// others by 14 or by 7.
type chunker struct {
	symbols [14]uint8 // the first of them
	n       int       // how many wait; more than 14 when they are all the same
	large   bool      // one of them takes two bits
	mixed   bool      // they are not all the same
}

func (c *chunker) add(b []byte, symbol int) []byte {
	s := uint8(symbol)
	for {
		mixed := c.mixed || c.n > 0 && c.symbols[0] != s
		large := c.large || s == largeDelta
		if c.n < 7 || c.n < 14 && !large || c.n < 0x1fff && !mixed {
			if c.n < len(c.symbols) {
				c.symbols[c.n] = s
			}
			c.n++
			c.mixed, c.large = mixed, large
			return b
		}
		b = c.emit(b, false)
	}
}

// emit writes one chunk of what waits. Only the last one may be filled up.
func (c *chunker) emit(b []byte, last bool) []byte {
	var chunk uint16
	var taken int
	switch {
	case !c.mixed:
		taken = c.n
		chunk = uint16(c.symbols[0])<<13 | uint16(c.n)
	case c.n == 14, last && !c.large && c.n > 7:
		taken = min(c.n, 14)
		chunk = 2 << 14
		for i, s := range c.symbols[:taken] {
			chunk |= uint16(s) << (13 - i)
		}
	default:
		taken = min(c.n, 7)
		chunk = 3 << 14
		for i, s := range c.symbols[:taken] {
			chunk |= uint16(s) << (12 - 2*i)
		}
	}
	rest := c.symbols[min(taken, len(c.symbols)):min(c.n, len(c.symbols))]
	*c = chunker{n: copy(c.symbols[:], rest), symbols: c.symbols}
	for _, s := range c.symbols[:c.n] {
		c.mixed = c.mixed || s != c.symbols[0]
		c.large = c.large || s == largeDelta
	}
	return binary.BigEndian.AppendUint16(b, chunk)
}

func (c *chunker) flush(b []byte) []byte {
	for c.n > 0 {
		b = c.emit(b, true)
	}
	return b
}
