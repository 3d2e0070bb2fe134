package jitterlab

import (
	"cmp"
	"slices"
	"time"

	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/jitter"
	"github.com/plainrtc/plainrtc/rtp/payload"
)

// A Result is how a buffer did.
type Result struct {
	Packets, Arrived, Lost int
	Late                   int // arrived, and were discarded because their time was over
	Delayed                int // arrived after their time, and were played late, as nothing else was there

	// Delays beyond that of the trace's fastest packet.
	JitterP99 time.Duration // of arrival: 99 % of the packets that arrived took no longer
	MeanDelay time.Duration // of play-out
	P99Delay  time.Duration

	Concealed time.Duration // of time for which nothing was there, for whatever reason
	Length    time.Duration // of the trace

	Points []Point // for a plot
	Stats  jitter.Stats
}

// A Point is what was at one packet.
type Point struct {
	Sent    time.Duration
	Arrival time.Duration // how much longer than the fastest packet it took; negative when it was lost
	Playout time.Duration // when it was played, after Sent and the fastest packet's way; negative when it was not
	Target  time.Duration // what the buffer aimed at then
	Late    bool          // it was discarded, or played late
}

// LateLoss is the share of the packets that arrived, but behind their time.
func (r *Result) LateLoss() float64 {
	return float64(r.Late+r.Delayed) / float64(max(r.Arrived, 1))
}

// Ratio is the mean delay in units of the 99th percentile of the jitter.
func (r *Result) Ratio() float64 {
	return float64(r.MeanDelay) / float64(max(r.JitterP99, time.Millisecond))
}

// Packets are audio that is as many bytes long as ticks of the clock: G.722.
const clockRate = 8000

// Run sends a trace through a buffer, as audio without gaps.
func Run(trace Trace, config jitter.Config) Result {
	packets := trace.Packets
	order := make([]int, 0, len(packets))
	var fastest time.Duration
	for i, p := range packets {
		if !p.Lost {
			if transit := p.Arrived - p.Sent; len(order) == 0 || transit < fastest {
				fastest = transit
			}
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(packets[i].Arrived, packets[j].Arrived) })

	result := Result{Packets: len(packets), Arrived: len(order), Lost: len(packets) - len(order)}
	result.Points = make([]Point, len(packets))
	jitters := make([]time.Duration, 0, len(order))
	for i, p := range packets {
		result.Points[i] = Point{Sent: p.Sent, Arrival: -1, Playout: -1}
		if !p.Lost {
			result.Points[i].Arrival = p.Arrived - p.Sent - fastest
			jitters = append(jitters, result.Points[i].Arrival)
		}
	}
	result.JitterP99 = percentile(jitters, 0.99)
	if len(packets) == 0 {
		return result
	}
	interval := trace.interval()
	result.Length = packets[len(packets)-1].Sent - packets[0].Sent + interval

	b := jitter.New(config)
	codec := jitter.Codec{Format: payload.G722, ClockRate: clockRate}
	start := time.Unix(0, 0).UTC()
	var total time.Duration
	var delays []time.Duration
	var delayed uint64
	drain := func(now time.Time) {
		for {
			f, ok := b.NextFrame(now)
			if !ok {
				return
			}
			if f.Concealed {
				result.Concealed += f.Duration
				continue
			}
			i := int(f.Data[0])<<16 | int(f.Data[1])<<8 | int(f.Data[2])
			point, stats := &result.Points[i], b.Stats()
			point.Playout = now.Sub(start) - point.Sent - fastest
			point.Target = f.Due.Sub(start) - point.Sent - fastest + stats.Target - stats.Offset
			if stats.FramesDelayed > delayed {
				delayed, point.Late = stats.FramesDelayed, true
			}
			total += point.Playout
			delays = append(delays, point.Playout)
		}
	}
	buffer := make([]byte, 0, 2048)
	silence := make([]byte, max(int(interval*clockRate/time.Second), 3))
	for _, i := range order {
		arrival := start.Add(packets[i].Arrived)
		for at := b.NextTimeout(); !at.IsZero() && at.Before(arrival); at = b.NextTimeout() {
			drain(at)
		}
		head := rtp.NewBuilder(buffer[:0], rtp.Header{PayloadType: 9, SequenceNumber: uint16(i), Timestamp: trace.timestamp(packets[i].Sent), SSRC: 1})
		silence[0], silence[1], silence[2] = byte(i>>16), byte(i>>8), byte(i)
		buffer = append(head.Bytes(), silence...)
		p, err := rtp.Parse(buffer)
		if err != nil {
			panic("BUG: " + err.Error())
		}
		before := b.Stats().PacketsLate
		b.Receive(arrival, p, codec)
		result.Points[i].Late = b.Stats().PacketsLate > before
		drain(arrival)
	}
	result.Stats = b.Stats()
	result.Late, result.Delayed = int(result.Stats.PacketsLate), int(result.Stats.FramesDelayed)
	for at := b.NextTimeout(); !at.IsZero() && len(delays) < result.Arrived-result.Late; at = b.NextTimeout() {
		drain(at)
	}
	result.MeanDelay = total / time.Duration(max(len(delays), 1))
	result.P99Delay = percentile(delays, 0.99)
	return result
}

func (t *Trace) timestamp(sent time.Duration) uint32 {
	sent += time.Duration(float64(sent) * t.Drift)
	return uint32(int64(sent) * (clockRate / 1000) / int64(time.Millisecond))
}

// interval is how much time is between most packets and the next, and no more than
// a buffer takes for audio of one packet.
func (t *Trace) interval() time.Duration {
	var all []time.Duration
	for i := range t.Packets[1:] {
		all = append(all, t.Packets[i+1].Sent-t.Packets[i].Sent)
	}
	if len(all) == 0 {
		return 20 * time.Millisecond
	}
	return min(max(percentile(all, 0.5), time.Millisecond), time.Second/2)
}

// percentile returns the value that the given share is not above.
func percentile(all []time.Duration, share float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	return sorted[min(int(share*float64(len(sorted))), len(sorted)-1)]
}
