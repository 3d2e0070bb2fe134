package rtp

import "time"

// An NTPTime is a wall clock time in seconds since 1900, of which the upper 32
// bits are whole seconds and the lower the fraction. RFC 3550, Section 4. It
// wraps in 2036.
type NTPTime uint64

// ntpEpoch is the Unix time of 1900-01-01: 70 years, 17 of them leap years, ago.
const ntpEpoch = -(70*365 + 17) * 86400

// NewNTPTime converts t.
func NewNTPTime(t time.Time) NTPTime {
	seconds := uint64(t.Unix() - ntpEpoch)
	return NTPTime(seconds<<32 | scale(uint64(t.Nanosecond()), 1e9))
}

// scale returns n/unit as a 32-bit fraction, rounded to nearest.
func scale(n, unit uint64) uint64 { return (n<<32 + unit/2) / unit }

// Time converts back. Numbers in the lower half are taken to be after the wrap
// of 2036, as RFC 5905, Section 6 has it.
func (t NTPTime) Time() time.Time {
	seconds := int64(t >> 32)
	if seconds < 1<<31 {
		seconds += 1 << 32
	}
	return time.Unix(seconds+ntpEpoch, int64((uint64(uint32(t))*1e9+1<<31)>>32)).UTC()
}

// Middle returns "the middle 32 bits out of 64", which is what reports refer to a
// time by: units of 1/65,536 s, wrapping after 18 hours. RFC 3550, Section 6.4.1.
func (t NTPTime) Middle() uint32 { return uint32(t >> 16) }
