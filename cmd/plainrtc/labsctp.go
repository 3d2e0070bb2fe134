package main

import (
	"context"
	"flag"
	"fmt"
	"time"

	"github.com/plainrtc/plainrtc/internal/lab"
	"github.com/plainrtc/plainrtc/sctp"
)

var labSCTPCommand = command{
	name: "lab sctp",
	synopsis: "[--rate RATE] [--rtt TIME] [--loss SHARE] [--queue SIZE] [--cc NAMES] [--flows N] [--stagger TIME]\n" +
		"       [--duration TIME] [--bytes SIZE] [--seed N] [--burst-loss SHARE/LENGTH] [--drop N@TIME] [--jitter TIME]\n" +
		"       [--reorder SHARE/TIME] [--mtu BYTES] [--message-size SIZE] [--every TIME] [--unordered]\n" +
		"       [--max-retransmits N] [--sweep] [--json] [--svg FILE] [--html FILE]",
	summary: "bulk transfer, latency and fairness of SCTP over a bottleneck",
	about: `
Lets associations of this module send over a simulated path: a queue, a link of
some rate behind it, and losses behind that. Packets are as long as between two
peers, with DTLS, UDP and IPv4; what is counted as goodput is messages that the
receiver got. The way back has the same rate and loses nothing.

It prints goodput, losses and what was sent again, and how long packets waited in
the queue. The picture shows the congestion window, what was in flight, goodput
and delays over time.

With --sweep, --rate, --rtt, --loss, --queue and --cc take several values with
commas between them, and every combination is tried; the result is a table.
Without it, several names in --cc are the flows that share the path.`,
	example: "plainrtc lab sctp --rate 100mbit --rtt 50ms --loss 0.1% --cc cubic --svg cubic.svg\n" +
		"plainrtc lab sctp --cc bbr,newreno --stagger 1s --duration 30s --html fairness.html\n" +
		"plainrtc lab sctp --bytes 10MB --rtt 100ms\n" +
		"plainrtc lab sctp --message-size 100 --every 10ms --unordered --max-retransmits 0 --loss 1%\n" +
		"plainrtc lab sctp --sweep --rate 10mbit,100mbit --rtt 20ms,100ms --loss 0,1% --cc bbr,cubic",
	define: func(flags *flag.FlagSet) func(context.Context, output) error {
		s := newSCTPLab()
		flags.Var(&s.rates, "rate", "the link's `rate`, of IP packets")
		flags.Var(&s.rtts, "rtt", "the round-trip `time` of the path without queues")
		flags.Var(&s.losses, "loss", "this `share` of packets is lost, each by itself")
		flags.Var(&s.queues, "queue", "the queue's `size`: in bandwidth-delay products, time at the link's rate, or bytes")
		flags.Var(&s.controls, "cc", "congestion control, by `name`: bbr, cubic, newreno; several for as many flows")
		flags.IntVar(&s.flows, "flows", 0, "let so `many` flows share the path, with the names of --cc in turn (default: one for each name)")
		flags.Var(&s.stagger, "stagger", "each flow begins this much `time` after the one before")
		flags.Var(&s.duration, "duration", "the experiment ends after this `time` (default 10s, or with --bytes none)")
		flags.Var(&s.bytes, "bytes", "it ends when each flow has moved this `size`, and tells how long that took")
		flags.Uint64Var(&s.e.Seed, "seed", 1, "a `number` that decides which packets are lost")
		flags.Var(&s.bursts, "burst-loss", "lose this share of packets in bursts of that many on average, such as 1%/20 (`share/length`)")
		flags.Var(&s.drop, "drop", "lose so many packets of the first flow in a row, such as 50@5s, and tell when its rate is back (`number@time`)")
		flags.Var(&s.jitter, "jitter", "delay packets by up to this much more `time`, in order")
		flags.Var(&s.reorder, "reorder", "delay this share of packets so that others overtake them, by 10ms or as said (`share/time`)")
		flags.IntVar(&s.e.MTU, "mtu", 1500, "the path's MTU in `bytes` of IP packets; the sender's own link has 1500 at least")
		flags.Var(&s.messageSize, "message-size", "the `size` of messages")
		flags.Var(&s.every, "every", "send a message each `time` and tell how long they take (default: as many as the path carries)")
		flags.BoolVar(&s.e.Unordered, "unordered", false, "messages do not wait for those before them")
		flags.IntVar(&s.maxRetransmits, "max-retransmits", -1, "send each fragment again so many `times` at most; -1: until it arrives")
		flags.BoolVar(&s.sweep, "sweep", false, "try every combination of several values and print a table")
		flags.BoolVar(&s.json, "json", false, "print the result as JSON, with samples over time")
		flags.StringVar(&s.svg, "svg", "", "draw the experiment into this SVG `file`")
		flags.StringVar(&s.html, "html", "", "write results and pictures as an HTML page to this `file`")
		return func(ctx context.Context, out output) error {
			if err := s.check(); err != nil {
				return err
			}
			s.line = again("lab sctp", flags, "svg", "html", "json")
			var svg, page picture
			if err := svg.open(s.svg); err != nil {
				return err
			}
			if err := page.open(s.html); err != nil {
				return err
			}
			if s.sweep {
				return s.runSweep(ctx, out, &svg, &page)
			}
			return s.runOne(ctx, out, &svg, &page)
		}
	},
}

// sctpLab is what the flags of lab sctp say.
type sctpLab struct {
	rates    list[int64]
	rtts     list[time.Duration]
	losses   list[float64]
	queues   list[queueSize]
	controls list[sctp.CongestionControl]

	e              lab.Experiment // what is the same in all experiments of a sweep
	flows          int
	stagger        value[time.Duration]
	duration       value[time.Duration]
	bytes          value[int64]
	bursts         value[bursts]
	drop           value[drop]
	jitter         value[time.Duration]
	reorder        value[reordering]
	messageSize    value[int64]
	every          value[time.Duration]
	maxRetransmits int

	sweep, json bool
	svg, html   string
	line        string // the command line that gives the same again
}

func newSCTPLab() *sctpLab {
	s := &sctpLab{
		rates:       newList(parseRate, "100mbit"),
		rtts:        newList(parseTime, "50ms"),
		losses:      newList(parseShare, "0"),
		queues:      newList(parseQueue, "1bdp"),
		controls:    newList(parseControl, "bbr"),
		stagger:     value[time.Duration]{parse: parseTime},
		duration:    value[time.Duration]{parse: parseTime},
		bytes:       value[int64]{parse: parseSize},
		bursts:      value[bursts]{parse: parseBursts},
		drop:        value[drop]{parse: parseDrop},
		jitter:      value[time.Duration]{parse: parseTime},
		reorder:     value[reordering]{parse: parseReordering},
		messageSize: value[int64]{parse: parseSize},
		every:       value[time.Duration]{parse: parseTime},
	}
	if err := s.messageSize.Set("16KiB"); err != nil {
		panic("BUG: a default that does not parse: " + err.Error())
	}
	return s
}

const (
	mostFlows       = 100
	mostMessage     = 16 << 20
	leastMTU        = 1228 // a datagram of 1200 bytes, which we send on any path
	mostMTU         = 65535
	mostExperiments = 10_000
)

// check finds what makes no sense, and completes the experiment.
func (s *sctpLab) check() error {
	e := &s.e
	switch {
	case !s.sweep && (len(s.rates.values) > 1 || len(s.rtts.values) > 1 || len(s.losses.values) > 1 || len(s.queues.values) > 1):
		return usageError("several values in --rate, --rtt, --loss or --queue need --sweep")
	case s.sweep && s.flows > 1:
		return usageError("--sweep lets one flow have each path; leave out --flows")
	case s.sweep && s.drop.v.packets > 0:
		return usageError("--drop is for one experiment; leave out --sweep")
	case s.flows < 0 || s.flows > mostFlows || len(s.controls.values) > mostFlows:
		return usageError(fmt.Sprintf("there can be 1 to %d flows", mostFlows))
	case e.MTU < leastMTU || e.MTU > mostMTU:
		return usageError(fmt.Sprintf("--mtu must be between %d and %d", leastMTU, mostMTU))
	case s.messageSize.v > mostMessage:
		return usageError(fmt.Sprintf("--message-size must be no more than %d", mostMessage))
	case s.maxRetransmits < -1 || s.maxRetransmits > 65535:
		return usageError("--max-retransmits must be between 0 and 65535, or -1 for no limit")
	case s.duration.text != "" && s.duration.v == 0:
		return usageError("--duration must be longer than 0")
	case s.every.v > 0 && s.messageSize.v < 8:
		return usageError("messages that are timed need --message-size 8 at least: they say when they left")
	case s.maxRetransmits >= 0 && s.bytes.v > 0:
		return usageError("--bytes may never arrive with --max-retransmits; give --duration")
	case s.every.v > 0 && s.bytes.v > 0:
		return usageError("--every and --bytes are two experiments: give one of them")
	}
	if s.flows == 0 {
		s.flows = len(s.controls.values)
	}
	for i := 0; i < s.flows && !s.sweep; i++ {
		e.Control = append(e.Control, s.controls.values[i%len(s.controls.values)])
	}
	e.Stagger, e.Duration, e.Bytes = s.stagger.v, s.duration.v, s.bytes.v
	if e.Duration == 0 && e.Bytes == 0 {
		e.Duration = 10 * time.Second
	}
	if last := time.Duration(len(e.Control)-1) * e.Stagger; e.Duration > 0 && last >= e.Duration {
		return usageError("the last flow would begin after the end: shorten --stagger or lengthen --duration")
	}
	if s.drop.v.packets > 0 && e.Duration > 0 && s.drop.v.at >= e.Duration {
		return usageError("--drop is after the end: drop earlier or lengthen --duration")
	}
	if s.bursts.v.share > 0 {
		e.Burst = lab.Bursts(s.bursts.v.share, s.bursts.v.length)
	}
	e.DropPackets, e.DropAt = s.drop.v.packets, s.drop.v.at
	e.Jitter, e.Reorder, e.ReorderBy = s.jitter.v, s.reorder.v.share, s.reorder.v.by
	e.MessageSize, e.Every = int(s.messageSize.v), s.every.v
	if e.Limited = s.maxRetransmits >= 0; e.Limited {
		e.MaxRetransmits = uint16(s.maxRetransmits)
	}
	return nil
}

// on is the experiment on one path.
func (s *sctpLab) on(rate int64, rtt time.Duration, loss float64, queue queueSize) lab.Experiment {
	e := s.e
	e.Rate, e.RTT, e.Loss = rate, rtt, loss
	e.Queue = queue.of(&e.Path)
	return e
}

// runOne is one experiment.
func (s *sctpLab) runOne(ctx context.Context, out output, svg, page *picture) error {
	e := s.on(s.rates.values[0], s.rtts.values[0], s.losses.values[0], s.queues.values[0])
	run := lab.Start(e)
	if err := finish(ctx, out.stderr, run); err != nil {
		return err
	}
	r := sctpResult{run.Result(), s.line}
	if s.json {
		writeJSONLine(out.stdout, r.json(true))
	} else {
		fmt.Fprint(out.stdout, r.text())
	}
	if err := svg.write(r.svg); err != nil {
		return err
	}
	return page.write(r.html)
}
