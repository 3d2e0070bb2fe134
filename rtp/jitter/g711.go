package jitter

import (
	"math/bits"

	"github.com/plainrtc/plainrtc/rtp/payload"
)

// The two laws of ITU-T G.711, with samples of 16 bits.

var linearALaw, linearULaw = func() (a, u [256]int16) {
	for i := range 256 {
		// A-law: every second bit is inverted. A sign, 3 bits of exponent, 4 of
		// mantissa.
		v := i ^ 0x55
		x := v&0x0f<<4 + 8
		if e := v >> 4 & 7; e > 0 {
			x = (x + 0x100) << (e - 1)
		}
		if v&0x80 == 0 {
			x = -x
		}
		a[i] = int16(x)

		// µ-law: every bit is inverted, and 132 has been added.
		v = ^i
		x = (v&0x0f<<3+0x84)<<(v>>4&7) - 0x84
		if v&0x80 != 0 {
			x = -x
		}
		u[i] = int16(x)
	}
	return a, u
}()

func aLaw(s int16) byte {
	v, sign := int(s), byte(0x80)
	if v < 0 {
		v, sign = ^v, 0
	}
	v >>= 4
	e := max(bits.Len(uint(v))-4, 1) // of v in 16 and more; below, the exponent is 0 or 1 alike
	if v < 16 {
		return (sign | byte(v)) ^ 0x55
	}
	return (sign | byte(e)<<4 | byte(v>>(e-1)&0x0f)) ^ 0x55
}

func uLaw(s int16) byte {
	v, sign := int(s), byte(0)
	if v < 0 {
		v, sign = -v, 0x80
	}
	v = min(v, 32635) + 0x84
	e := bits.Len(uint(v)) - 8
	return ^(sign | byte(e)<<4 | byte(v>>(e+3)&0x0f))
}

// decode appends the samples of a payload.
func (c *Codec) decode(samples []int16, data []byte) []int16 {
	if c.Format == payload.L16 {
		return payload.AppendSamples(samples, data)
	}
	table := &linearULaw
	if c.ALaw {
		table = &linearALaw
	}
	for _, v := range data {
		samples = append(samples, table[v])
	}
	return samples
}

// encode appends samples as a payload has them.
func (c *Codec) encode(data []byte, samples []int16) []byte {
	switch {
	case c.Format == payload.L16:
		return payload.AppendL16(data, samples...)
	case c.ALaw:
		for _, s := range samples {
			data = append(data, aLaw(s))
		}
	default:
		for _, s := range samples {
			data = append(data, uLaw(s))
		}
	}
	return data
}
