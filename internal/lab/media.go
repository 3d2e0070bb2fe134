package lab

import (
	"cmp"
	"time"

	"github.com/plainrtc/plainrtc/sctp"
)

// A MediaExperiment is flows of video, and of data beside them, over a path.
type MediaExperiment struct {
	Path // Queue 0: what the link carries in 300 ms, as RFC 8867 has it
	// Changes are when the link's rate changes, in order.
	Changes []RateChange

	Flows    []MediaFlow // nil: one
	Data     []DataFlow
	Feedback Feedback

	Duration time.Duration // 0: a minute
	Seed     uint64
}

// A RateChange gives the link another rate.
type RateChange struct {
	At   time.Duration
	Rate int64 // bit/s
}

// A MediaFlow is a sender of video that follows what it is told.
type MediaFlow struct {
	Begin         time.Duration
	Pause, Resume time.Duration // it sends nothing in between; both 0: it always does
	RTT           time.Duration // more than the path's
	Max           int           // bit/s, that its encoder makes at most; 0: any
}

// A DataFlow is an SCTP association that sends as much as it can.
type DataFlow struct {
	Control sctp.CongestionControl
	Begin   time.Duration
	Bytes   int64 // 0: without end
}

// A Feedback is what the receivers of media tell the senders.
type Feedback uint8

// The kinds of feedback.
const (
	TransportWide Feedback = iota // draft-holmer-rmcat-transport-wide-cc-extensions-01
	PerStream                     // RFC 8888
	Estimates                     // REMB
)

func (f Feedback) String() string {
	return [...]string{"transport-wide feedback", "RFC 8888 feedback", "REMB"}[f]
}

const (
	frameRate          = 30
	defaultMediaLength = time.Minute
	mediaQueue         = 300 * time.Millisecond // RFC 8867, Section 4.4
	mediaInterval      = 100 * time.Millisecond // between samples
)

func (e *MediaExperiment) setDefaults() {
	if len(e.Flows) == 0 {
		e.Flows = make([]MediaFlow, 1)
	}
	e.MTU = cmp.Or(e.MTU, defaultMTU)
	e.Duration = cmp.Or(e.Duration, defaultMediaLength)
	if e.Queue == 0 {
		e.Queue = int(float64(e.Rate) / 8 * mediaQueue.Seconds())
	}
}

// rateAt is the link's rate at a time.
func (e *MediaExperiment) rateAt(at time.Duration) int64 {
	rate := e.Rate
	for _, c := range e.Changes {
		if c.At <= at {
			rate = c.Rate
		}
	}
	return rate
}

// A MediaCase is one of the test cases of RFC 8867, for media that senders adapt.
type MediaCase struct {
	Name, About string
	Experiment  MediaExperiment
}

const testPath = 100 * time.Millisecond // there and back: "one-way propagation delay: 50 ms"

// MediaCases are the test cases of RFC 8867, Section 5, that have one direction of media.
var MediaCases = []MediaCase{
	{"variable", "RFC 8867, Section 5.1: variable available capacity with a single flow", MediaExperiment{
		Path:    Path{Rate: 1e6, RTT: testPath},
		Changes: []RateChange{{40 * time.Second, 2.5e6}, {60 * time.Second, 600e3}, {80 * time.Second, 1e6}}, Duration: 100 * time.Second,
	}},
	{"several", "RFC 8867, Section 5.2: variable available capacity with multiple flows", MediaExperiment{
		Path:    Path{Rate: 4e6, RTT: testPath},
		Changes: []RateChange{{25 * time.Second, 2e6}, {50 * time.Second, 3.5e6}, {75 * time.Second, 1e6}, {100 * time.Second, 2e6}},
		Flows:   make([]MediaFlow, 2), Duration: 125 * time.Second,
	}},
	{"share", "RFC 8867, Section 5.4: competing media flows with the same congestion control", MediaExperiment{
		Path:  Path{Rate: 3.5e6, RTT: testPath},
		Flows: []MediaFlow{{}, {Begin: 20 * time.Second}, {Begin: 40 * time.Second}}, Duration: 120 * time.Second,
	}},
	{"roundtrips", "RFC 8867, Section 5.5: round-trip time fairness", MediaExperiment{
		Path: Path{Rate: 4e6, RTT: 20 * time.Millisecond},
		Flows: []MediaFlow{
			{}, {Begin: 10 * time.Second, RTT: 30 * time.Millisecond}, {Begin: 20 * time.Second, RTT: 80 * time.Millisecond},
			{Begin: 30 * time.Second, RTT: 180 * time.Millisecond}, {Begin: 40 * time.Second, RTT: 280 * time.Millisecond},
		},
		Duration: 300 * time.Second,
	}},
	{"data", "RFC 8867, Section 5.6: a media flow that competes with a long flow of data, here SCTP with NewReno", MediaExperiment{
		Path: Path{Rate: 2e6, RTT: testPath}, Data: []DataFlow{{Control: sctp.NewReno}}, Duration: 120 * time.Second,
	}},
	{"bursts", "RFC 8867, Section 5.7: a media flow that competes with short flows of data", MediaExperiment{
		Path: Path{Rate: 2e6, RTT: testPath}, Duration: 120 * time.Second,
		Data: []DataFlow{
			{sctp.NewReno, 10 * time.Second, 500e3}, {sctp.NewReno, 30 * time.Second, 100e3}, {sctp.NewReno, 50 * time.Second, 1e6},
			{sctp.NewReno, 70 * time.Second, 200e3}, {sctp.NewReno, 90 * time.Second, 500e3},
		},
	}},
	{"pause", "RFC 8867, Section 5.8: media pause and resume", MediaExperiment{
		Path:     Path{Rate: 3.5e6, RTT: testPath},
		Flows:    []MediaFlow{{}, {Pause: 40 * time.Second, Resume: 60 * time.Second}, {}},
		Duration: 120 * time.Second,
	}},
}
