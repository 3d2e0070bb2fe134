package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/plainrtc/plainrtc/internal/lab"
	"github.com/plainrtc/plainrtc/sctp"
)

// A list is a flag whose value is one or several things, with commas between.
type list[T any] struct {
	values []T
	parse  func(string) (T, error)
	text   string
}

func newList[T any](parse func(string) (T, error), text string) list[T] {
	l := list[T]{parse: parse}
	if err := l.Set(text); err != nil {
		panic("BUG: a default that does not parse: " + err.Error())
	}
	return l
}

func (l *list[T]) String() string { return l.text }

func (l *list[T]) Set(text string) error {
	var values []T
	for item := range strings.SplitSeq(text, ",") {
		v, err := l.parse(strings.TrimSpace(item))
		if err != nil {
			return err
		}
		values = append(values, v)
	}
	l.values, l.text = values, text
	return nil
}

// value is a flag of one thing that parse reads; an empty text leaves it zero.
type value[T any] struct {
	v     T
	parse func(string) (T, error)
	text  string
}

func (v *value[T]) String() string { return v.text }

func (v *value[T]) Set(text string) error {
	got, err := v.parse(strings.TrimSpace(text))
	if err == nil {
		v.v, v.text = got, text
	}
	return err
}

// scaled reads a number and a unit, of those in the table; the number may stand
// alone if "" is in it.
func scaled(text string, units map[string]float64) (float64, bool) {
	end := strings.IndexFunc(text, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	if end < 0 {
		end = len(text)
	}
	v, err := strconv.ParseFloat(text[:end], 64)
	unit, ok := units[strings.ToLower(strings.TrimSpace(text[end:]))]
	return v * unit, err == nil && ok
}

func parseRate(text string) (int64, error) {
	v, ok := scaled(strings.TrimSuffix(strings.ToLower(text), "/s"), map[string]float64{"bit": 1, "kbit": 1e3, "mbit": 1e6, "gbit": 1e9})
	switch {
	case !ok:
		return 0, errors.New("it is not a rate such as 100mbit or 1.5gbit")
	case v < 1000 || v > 1e12:
		return 0, errors.New("it is not between 1kbit and 1000gbit")
	}
	return int64(v), nil
}

func parseSize(text string) (int64, error) {
	v, ok := scaled(text, map[string]float64{"": 1, "b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30})
	if !ok || v < 1 || v > 1e15 || v != math.Trunc(v) {
		return 0, errors.New("it is not a number of bytes such as 1200, 10MB or 64KiB")
	}
	return int64(v), nil
}

// parseShare reads a part of a whole, less than all of it.
func parseShare(text string) (float64, error) {
	v, ok := scaled(text, map[string]float64{"": 1, "%": 0.01})
	switch {
	case !ok:
		return 0, errors.New("it is not a share such as 0.1% or 0.001")
	case v >= 1:
		return 0, errors.New("it would be all; write 1% for one in a hundred")
	}
	return v, nil
}

func parseTime(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		return 0, errors.New("it is not a time such as 50ms or 1.5s")
	case d < 0 || d > 24*time.Hour:
		return 0, errors.New("it is not between 0 and a day")
	}
	return d, nil
}

// parseControl reads the name of a congestion control in any case.
func parseControl(text string) (sctp.CongestionControl, error) {
	all := []sctp.CongestionControl{sctp.BBR, sctp.CUBIC, sctp.NewReno}
	for _, c := range all {
		if strings.EqualFold(c.String(), text) {
			return c, nil
		}
	}
	return 0, fmt.Errorf("it is not one of bbr, cubic and newreno")
}

// A queueSize is how much may wait at the bottleneck: one of these, or nothing.
type queueSize struct {
	bytes int64
	time  time.Duration
	bdps  float64
}

func parseQueue(text string) (queueSize, error) {
	if v, ok := scaled(text, map[string]float64{"bdp": 1}); ok && v > 0 && v <= 1000 {
		return queueSize{bdps: v}, nil
	}
	if d, err := parseTime(text); err == nil && d > 0 {
		return queueSize{time: d}, nil
	}
	if n, err := parseSize(text); err == nil {
		return queueSize{bytes: n}, nil
	}
	return queueSize{}, errors.New("it is not a size such as 4bdp (bandwidth-delay products), 50ms or 64kB")
}

// of is the size in bytes on a path.
func (q queueSize) of(p *lab.Path) int {
	least := 2 * float64(max(p.MTU, 1500))
	switch {
	case q.bytes > 0:
		return int(q.bytes)
	case q.time > 0:
		return int(max(least, float64(p.Rate)/8*q.time.Seconds()))
	case q.bdps > 0:
		return int(max(least, q.bdps*float64(p.BDP())))
	}
	return 0
}

// A reordering is a share of packets that are late, and by how much.
type reordering struct {
	share float64
	by    time.Duration
}

func parseReordering(text string) (r reordering, err error) {
	share, by, given := strings.Cut(text, "/")
	if r.share, err = parseShare(share); err != nil {
		return reordering{}, err
	}
	if given {
		r.by, err = parseTime(by)
	}
	return r, err
}

// bursts are a share of packets that are lost, and how many at a time.
type bursts struct{ share, length float64 }

func parseBursts(text string) (b bursts, err error) {
	share, length, given := strings.Cut(text, "/")
	if b.share, err = parseShare(share); err != nil {
		return bursts{}, err
	}
	b.length = 10
	if given {
		b.length, err = strconv.ParseFloat(length, 64)
	}
	if err != nil || b.length < 1 || b.length > 1e6 || b.share > 0.5 {
		return bursts{}, errors.New("it is not a share of packets and the length of a burst, such as 1%/20")
	}
	return b, nil
}

// A drop is packets to be lost in a row, and when.
type drop struct {
	packets int
	at      time.Duration
}

func parseDrop(text string) (d drop, err error) {
	packets, at, given := strings.Cut(text, "@")
	d.packets, err = strconv.Atoi(packets)
	if err == nil && given {
		d.at, err = parseTime(at)
	}
	if err != nil || !given || d.packets < 1 || d.packets > 1e6 {
		return drop{}, errors.New("it is not a number of packets and a time, such as 50@5s")
	}
	return d, nil
}
