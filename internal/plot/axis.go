package plot

import (
	"math"
	"strconv"
	"strings"
)

// A Unit is what the numbers of an axis count.
type Unit uint8

// The units.
const (
	Number Unit = iota
	Seconds
	Bytes
	BitsPerSecond
	Fraction // of one, shown in percent
)

// prefixes are those of SI, each a thousandth of the one after.
var prefixes = [...]string{"n", "µ", "m", "", "k", "M", "G", "T"}

const noPrefix = 3

// scale returns by what to divide values up to most, and the unit they are in then.
func (u Unit) scale(most float64) (by float64, name string) {
	low, high := noPrefix, len(prefixes)-1
	switch u {
	case Number:
		return 1, ""
	case Fraction:
		return 0.01, "%"
	case Seconds:
		low, high, name = 0, noPrefix, "s"
	case Bytes:
		low, name = noPrefix, "B"
	case BitsPerSecond:
		low, name = noPrefix, "bit/s"
	}
	i, by := noPrefix, 1.0
	for ; i < high && most >= 1000*by*(1-1e-9); i++ {
		by *= 1000
	}
	for ; i > low && most > 0 && most < by*(1-1e-9); i-- {
		by /= 1000
	}
	return by, prefixes[i] + name
}

// Format returns a value with its unit, such as 12.4 Mbit/s, in three digits or
// so.
func (u Unit) Format(v float64) string {
	by, name := u.scale(math.Abs(v))
	v /= by
	decimals := 2
	for limit := 9.995; decimals > 0 && math.Abs(v) >= limit; limit *= 10 {
		decimals--
	}
	text := minus(trimZeros(strconv.FormatFloat(v, 'f', decimals, 64)))
	if name == "" {
		return text
	}
	return text + " " + name
}

// A scale is an axis with its numbers: it maps values to 0…1.
type scale struct {
	from, to float64
	ticks    []float64
	by       float64 // values are divided by this
	decimals int
	title    string
}

// at is where a value lies between 0 and 1.
func (s *scale) at(v float64) float64 { return (v - s.from) / (s.to - s.from) }

// number is the text at a tick.
func (s *scale) number(v float64) string {
	text := strconv.FormatFloat(v/s.by, 'f', s.decimals, 64)
	if strings.Trim(text, "-0.") == "" {
		text = strings.TrimPrefix(text, "-")
	}
	return minus(text)
}

// newScale returns an axis for values from low to high with about n steps between
// ticks. Round: it ends at ticks.
func newScale(a Axis, low, high float64, n int, round bool) scale {
	if a.Min != 0 || a.Max != 0 {
		low, high = a.Min, a.Max
	} else if round {
		low, high = min(low, 0), max(high, 0)
	}
	if !(high > low) { // also for NaN, of no value at all
		if math.IsNaN(low) || math.IsInf(low, 0) {
			low = 0
		}
		high = low + 1
	}
	by, unit := a.Unit.scale(max(math.Abs(low), math.Abs(high)))
	step, decimals := niceStep((high - low) / by / float64(max(n, 1)))
	s := scale{from: low, to: high, by: by, decimals: decimals, title: title(a.Label, unit)}
	if round {
		s.from, s.to = by*step*math.Floor(low/by/step+1e-9), by*step*math.Ceil(high/by/step-1e-9)
	}
	first := math.Ceil(s.from/by/step - 1e-9)
	for i := range 1000 {
		v := (first + float64(i)) * step * by
		if v > s.to+1e-9*(s.to-s.from) {
			break
		}
		s.ticks = append(s.ticks, v)
	}
	return s
}

// beside returns an axis whose ticks stand at the height of another's, so that one
// grid serves both.
func beside(a Axis, low, high float64, other scale) scale {
	n := max(len(other.ticks)-1, 1)
	if a.Min != 0 || a.Max != 0 {
		low, high = a.Min, a.Max
	}
	s := newScale(a, low, high, n, true)
	low, high = s.from, s.to
	step, decimals := niceStep((high - low) / s.by / float64(n))
	for from := math.Floor(low/s.by/step + 1e-9); ; {
		if (from+float64(n))*step >= high/s.by-1e-9*step {
			s.from, s.to, s.decimals = from*step*s.by, (from+float64(n))*step*s.by, decimals
			break
		}
		step, decimals = niceStep(step * 1.01)
		from = math.Floor(low/s.by/step + 1e-9)
	}
	s.ticks = s.ticks[:0]
	for i := range n + 1 {
		s.ticks = append(s.ticks, s.from+float64(i)*step*s.by)
	}
	return s
}

// niceStep returns the least of 1, 2, 5, 10, 20, … that is at least about, and how
// many decimals its multiples have.
func niceStep(about float64) (step float64, decimals int) {
	exponent := int(math.Floor(math.Log10(about)))
	for ; ; exponent++ {
		for _, digit := range [...]float64{1, 2, 5} {
			// By division: 3/10 is 0.3 and 3*0.1 is not.
			if exponent < 0 {
				step = digit / math.Pow10(-exponent)
			} else {
				step = digit * math.Pow10(exponent)
			}
			if step >= about*(1-1e-9) {
				return step, max(0, -exponent)
			}
		}
	}
}

func title(label, unit string) string {
	switch {
	case label == "":
		return unit
	case unit == "":
		return label
	}
	return label + ", " + unit
}

// trimZeros takes zeros from the end of decimals.
func trimZeros(s string) string {
	if !strings.Contains(s, ".") {
		return s
	}
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// minus writes a negative number with the sign that is as wide as a digit.
func minus(s string) string {
	if strings.HasPrefix(s, "-") {
		return "−" + s[1:]
	}
	return s
}
