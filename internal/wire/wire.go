// Package wire reads network byte order from untrusted bytes.
//
// A [Reader] is a cursor with a sticky failure: a parser reads every field in
// the order of the RFC's figure and asks once, at the end, whether the bytes
// were there. After the first short read every further read returns zero
// values, so a parser cannot run past its input and cannot loop on it.
//
// Writing needs no counterpart: encoders are functions append(b []byte) []byte
// over [encoding/binary.BigEndian], with lengths filled in afterwards by
// [PutUint16At] and [PutUint24At].
package wire

import "encoding/binary"

// A Reader is a cursor over borrowed bytes. The zero Reader is empty.
type Reader struct {
	b      []byte
	failed bool
}

// NewReader returns a Reader over b. It keeps b, and never writes to it.
func NewReader(b []byte) Reader { return Reader{b: b} }

// OK reports whether every read so far found the bytes it asked for.
func (r *Reader) OK() bool { return !r.failed }

// Done reports whether every read succeeded and nothing is left over.
func (r *Reader) Done() bool { return !r.failed && len(r.b) == 0 }

// Len is the number of bytes left: zero after a failure.
func (r *Reader) Len() int { return len(r.b) }

// Fail makes the Reader fail as if it had run out of bytes; for a parser that
// meets a value it cannot accept.
func (r *Reader) Fail() { r.failed, r.b = true, nil }

// Bytes returns the next n bytes, borrowed from the input, or nil.
func (r *Reader) Bytes(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.Fail()
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

// Skip passes over n bytes.
func (r *Reader) Skip(n int) { r.Bytes(n) }

// Rest returns everything that is left.
func (r *Reader) Rest() []byte { return r.Bytes(len(r.b)) }

// Sub returns a Reader over the next n bytes. If they are not there both fail.
func (r *Reader) Sub(n int) Reader {
	b := r.Bytes(n)
	return Reader{b: b, failed: r.failed}
}

// Uint8 reads one byte.
func (r *Reader) Uint8() uint8 {
	if len(r.b) < 1 {
		r.Fail()
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

// Uint16 reads two bytes.
func (r *Reader) Uint16() uint16 {
	if len(r.b) < 2 {
		r.Fail()
		return 0
	}
	v := binary.BigEndian.Uint16(r.b)
	r.b = r.b[2:]
	return v
}

// Uint24 reads three bytes.
func (r *Reader) Uint24() uint32 {
	if len(r.b) < 3 {
		r.Fail()
		return 0
	}
	v := uint32(r.b[0])<<16 | uint32(r.b[1])<<8 | uint32(r.b[2])
	r.b = r.b[3:]
	return v
}

// Uint32 reads four bytes.
func (r *Reader) Uint32() uint32 {
	if len(r.b) < 4 {
		r.Fail()
		return 0
	}
	v := binary.BigEndian.Uint32(r.b)
	r.b = r.b[4:]
	return v
}

// Uint48 reads six bytes.
func (r *Reader) Uint48() uint64 {
	hi := r.Uint16()
	lo := r.Uint32()
	if r.failed {
		return 0
	}
	return uint64(hi)<<32 | uint64(lo)
}

// Uint64 reads eight bytes.
func (r *Reader) Uint64() uint64 {
	if len(r.b) < 8 {
		r.Fail()
		return 0
	}
	v := binary.BigEndian.Uint64(r.b)
	r.b = r.b[8:]
	return v
}

// Vector8 reads a byte of length and returns that many bytes.
func (r *Reader) Vector8() []byte { return r.Bytes(int(r.Uint8())) }

// Vector16 reads two bytes of length and returns that many bytes.
func (r *Reader) Vector16() []byte { return r.Bytes(int(r.Uint16())) }

// Vector24 reads three bytes of length and returns that many bytes.
func (r *Reader) Vector24() []byte { return r.Bytes(int(r.Uint24())) }

// AppendUint24 appends v's low 24 bits.
func AppendUint24(b []byte, v uint32) []byte {
	return append(b, byte(v>>16), byte(v>>8), byte(v))
}

// AppendUint48 appends v's low 48 bits.
func AppendUint48(b []byte, v uint64) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(v>>32))
	return binary.BigEndian.AppendUint32(b, uint32(v))
}

// PutUint16At fills in a length at b[at:] that was left blank.
func PutUint16At(b []byte, at int, v int) {
	if v < 0 || v > 0xffff {
		panic("BUG: length does not fit 16 bits")
	}
	binary.BigEndian.PutUint16(b[at:], uint16(v))
}

// PutUint24At fills in a length at b[at:] that was left blank.
func PutUint24At(b []byte, at int, v int) {
	if v < 0 || v > 0xffffff {
		panic("BUG: length does not fit 24 bits")
	}
	b[at], b[at+1], b[at+2] = byte(v>>16), byte(v>>8), byte(v)
}
