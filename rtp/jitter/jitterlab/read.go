package jitterlab

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/plainrtc/plainrtc/internal/serial"
	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/mediafile"
)

// mostPackets is how long a trace may be: more than a day of audio.
const mostPackets = 1 << 23

// Read reads a trace: an RTP dump, or text with two numbers on each line, when a
// packet was sent and when it arrived, in milliseconds, with a comma or spaces
// between. For a packet that did not arrive the second is "lost". Lines that begin
// with # say nothing.
func Read(r io.Reader) (Trace, error) {
	b := bufio.NewReader(r)
	if head, _ := b.Peek(2); bytes.Equal(head, []byte("#!")) {
		return readDump(b)
	}
	return readText(b)
}

func readText(r io.Reader) (t Trace, err error) {
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.FieldsFunc(line, func(r rune) bool { return r == ',' || r == ';' || r == ' ' || r == '\t' })
		if len(fields) != 2 {
			return Trace{}, fmt.Errorf("line %d is not two numbers, when a packet was sent and when it arrived, in milliseconds: %q", n, line)
		}
		p := Packet{Lost: strings.EqualFold(fields[1], "lost")}
		if p.Sent, err = parseMS(fields[0]); err == nil && !p.Lost {
			p.Arrived, err = parseMS(fields[1])
		}
		if err != nil {
			return Trace{}, fmt.Errorf("line %d: %w", n, err)
		}
		if len(t.Packets) == mostPackets {
			return Trace{}, errTooLong
		}
		t.Packets = append(t.Packets, p)
	}
	if err := lines.Err(); err != nil {
		return Trace{}, err
	}
	slices.SortStableFunc(t.Packets, func(a, b Packet) int { return cmp.Compare(a.Sent, b.Sent) })
	return t.begin()
}

func parseMS(text string) (time.Duration, error) {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !(v > -1e11 && v < 1e14) {
		return 0, fmt.Errorf("%q is not a number of milliseconds", text)
	}
	return time.Duration(v * float64(time.Millisecond)), nil
}

var (
	errNothing = errors.New("there is no packet in it that arrived")
	errTooLong = errors.New("it has more packets than this can hold")
)

// begin lets a trace begin at zero.
func (t Trace) begin() (Trace, error) {
	first := slices.IndexFunc(t.Packets, func(p Packet) bool { return !p.Lost })
	if first < 0 {
		return Trace{}, errNothing
	}
	sent, arrived := t.Packets[0].Sent, t.Packets[first].Arrived-(t.Packets[first].Sent-t.Packets[0].Sent)
	for _, p := range t.Packets {
		if !p.Lost {
			arrived = min(arrived, p.Arrived)
		}
	}
	for i := range t.Packets {
		t.Packets[i].Sent -= sent
		t.Packets[i].Arrived -= arrived
	}
	return t, nil
}

// A dumped packet, of which the timestamp is not yet a time.
type dumped struct {
	place     int64 // the sequence number, through its laps
	timestamp int64
	arrived   time.Duration
}

// readDump takes the stream with the most packets. Packets of one timestamp make
// one: a frame of video has arrived with its last one.
func readDump(r io.Reader) (Trace, error) {
	d, err := mediafile.NewDumpReader(r)
	if err != nil {
		return Trace{}, err
	}
	streams := map[uint32][]dumped{}
	var order []uint32
	for {
		entry, err := d.NextPacket()
		if err == io.EOF {
			break
		}
		if err != nil {
			return Trace{}, err
		}
		if entry.RTCP || len(entry.Data) < 12 {
			continue
		}
		// The header is enough, and often all there is.
		header := bytes.Clone(entry.Data[:12])
		header[0] = 0x80
		p, err := rtp.Parse(header)
		if err != nil {
			continue
		}
		if streams[p.SSRC()] == nil {
			order = append(order, p.SSRC())
		}
		if len(streams[p.SSRC()]) == mostPackets {
			return Trace{}, errTooLong
		}
		streams[p.SSRC()] = append(streams[p.SSRC()], dumped{int64(p.SequenceNumber()), int64(p.Timestamp()), entry.Offset})
	}
	var longest []dumped
	for _, ssrc := range order {
		if len(streams[ssrc]) > len(longest) {
			longest = streams[ssrc]
		}
	}
	if len(longest) == 0 {
		return Trace{}, errNothing
	}
	return assemble(longest).begin()
}

func assemble(all []dumped) (t Trace) {
	var places serial.Unwrapper16
	timestamp := serial.Number32(all[0].timestamp)
	last := all[0].timestamp
	for i := range all {
		p := &all[i]
		p.place = places.Unwrap(serial.Number16(p.place))
		now := serial.Number32(p.timestamp)
		p.timestamp = last + int64(now.Distance(timestamp))
		if p.timestamp > last {
			timestamp, last = now, p.timestamp
		}
	}
	slices.SortStableFunc(all, func(a, b dumped) int { return cmp.Compare(a.place, b.place) })
	rate := clockRateOf(all)
	sent := func(timestamp int64) time.Duration {
		return time.Duration(float64(timestamp-all[0].timestamp) / rate * float64(time.Second))
	}
	for i, p := range all {
		if i > 0 && p.place == all[i-1].place {
			continue
		}
		if i > 0 && p.timestamp == all[i-1].timestamp {
			last := &t.Packets[len(t.Packets)-1]
			last.Arrived = max(last.Arrived, p.arrived)
			continue
		}
		if i > 0 && p.timestamp > all[i-1].timestamp {
			// Each packet that is missing was as long as its share of the time that
			// is.
			missing := min(p.place-all[i-1].place-1, 1000)
			for m := range missing {
				at := all[i-1].timestamp + (p.timestamp-all[i-1].timestamp)*(m+1)/(missing+1)
				t.Packets = append(t.Packets, Packet{Sent: sent(at), Lost: true})
			}
		}
		t.Packets = append(t.Packets, Packet{Sent: sent(p.timestamp), Arrived: p.arrived})
	}
	slices.SortStableFunc(t.Packets, func(a, b Packet) int { return cmp.Compare(a.Sent, b.Sent) })
	return t
}

// clockRateOf finds the clock rate, of those in use, that the timestamps seem to
// have.
func clockRateOf(all []dumped) float64 {
	first, last := all[0], all[len(all)-1]
	span := (last.arrived - first.arrived).Seconds()
	best, nearest := 90000.0, 0.0
	for _, rate := range []float64{8000, 16000, 24000, 32000, 44100, 48000, 90000} {
		near := float64(last.timestamp-first.timestamp) / max(span, 1e-3) / rate
		if near > 1 {
			near = 1 / near
		}
		if near > nearest {
			best, nearest = rate, near
		}
	}
	return best
}
