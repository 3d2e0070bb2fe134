// Package serial is arithmetic on numbers that wrap: TSNs, stream sequence
// numbers, RTP sequence numbers (RFC 1982).
//
// A serial number has no order of its own, only before and after another that
// lies less than half the number space away. Exactly half the space apart
// RFC 1982, Section 3.2 leaves the order undefined; here neither is before the
// other.
package serial

// A Number16 wraps at 2^16: a stream sequence number, an RTP sequence number.
type Number16 uint16

// Before reports whether n comes before m.
func (n Number16) Before(m Number16) bool { return n != m && uint16(m-n) < 1<<15 }

// AtMost reports whether n is m or comes before it.
func (n Number16) AtMost(m Number16) bool { return n == m || n.Before(m) }

// After reports whether n comes after m.
func (n Number16) After(m Number16) bool { return m.Before(n) }

// AtLeast reports whether n is m or comes after it.
func (n Number16) AtLeast(m Number16) bool { return n == m || m.Before(n) }

// Distance is how far n lies after m: negative when it lies before.
func (n Number16) Distance(m Number16) int { return int(int16(n - m)) }

// A Number32 wraps at 2^32: a TSN, a message identifier.
type Number32 uint32

// Before reports whether n comes before m.
func (n Number32) Before(m Number32) bool { return n != m && uint32(m-n) < 1<<31 }

// AtMost reports whether n is m or comes before it.
func (n Number32) AtMost(m Number32) bool { return n == m || n.Before(m) }

// After reports whether n comes after m.
func (n Number32) After(m Number32) bool { return m.Before(n) }

// AtLeast reports whether n is m or comes after it.
func (n Number32) AtLeast(m Number32) bool { return n == m || m.Before(n) }

// Distance is how far n lies after m: negative when it lies before.
func (n Number32) Distance(m Number32) int { return int(int32(n - m)) }

// An Unwrapper16 counts the laps of a Number16, giving each a place on a line
// that does not wrap: what RFC 3711, Section 3.3.1 calls the packet index.
// The zero Unwrapper16 starts at the first number it is given.
type Unwrapper16 struct {
	last    int64
	started bool
}

// Unwrap returns n's place nearest to the highest place returned so far, and
// moves that highest place along.
func (u *Unwrapper16) Unwrap(n Number16) int64 {
	if !u.started {
		u.started, u.last = true, int64(n)
		return u.last
	}
	v := u.last + int64(n.Distance(Number16(u.last)))
	u.last = max(u.last, v)
	return v
}
