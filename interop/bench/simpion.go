package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	pionsctp "github.com/pion/sctp"
	"github.com/plainrtc/plainrtc/internal/lab"
)

// inBubble runs f on virtual time, and ends the process. Pion has goroutines and
// timers of its own, and no clock that one could turn; but in a bubble of
// testing/synctest, time jumps to the next timer when all of them wait. Its
// processor is infinitely fast there. That package wants a test around it; this is
// none.
func inBubble(f func() error) error {
	testing.Init()
	testing.Main(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{{Name: "bubble", F: func(t *testing.T) {
		synctest.Test(t, func(*testing.T) {
			if err := f(); err != nil {
				fmt.Fprintln(os.Stderr, "bench:", err)
				os.Exit(1)
			}
			os.Exit(0) // what runs in the bubble ends with it
		})
	}}}, nil, nil)
	return fmt.Errorf("the package testing did not run the simulation")
}

// pionFlow is an association of Pion's.
type pionFlow struct {
	mu        sync.Mutex
	arrivals  []lab.Arrival
	latencies []time.Duration
	err       error
}

// simulatePion does an experiment with Pion's SCTP, as its WebRTC sets it up, in a
// bubble. Of the result it has what the table shows.
func simulatePion(e lab.Experiment) (lab.Result, error) {
	start := time.Now()
	there := newBottleneck(e.Path, e.RTT/2, true, e.Seed)
	back := newBottleneck(e.Path, e.RTT/2, false, 0)
	if e.DropPackets > 0 {
		time.AfterFunc(e.DropAt, func() {
			there.mu.Lock()
			defer there.mu.Unlock()
			there.lose = e.DropPackets
		})
	}
	finished := make(chan struct{}, len(e.Control))
	flows := make([]*pionFlow, len(e.Control))
	for i := range flows {
		f := &pionFlow{}
		flows[i] = f
		go func() {
			time.Sleep(time.Duration(i) * e.Stagger)
			if err := f.run(e, start, there, back); err != nil {
				f.mu.Lock()
				defer f.mu.Unlock()
				f.err = err
			}
			finished <- struct{}{}
		}()
	}
	timeout := time.After(e.Duration)
	for n := 0; n < len(flows); {
		select {
		case <-finished:
			n++
		case <-timeout:
			n = len(flows)
		}
	}

	r := lab.Result{Experiment: e, Took: time.Since(start)}
	there.mu.Lock()
	r.Wait = lab.Quantiles(there.waits)
	lost := there.lastLoss
	there.mu.Unlock()
	var late []float64
	for i, f := range flows {
		f.mu.Lock()
		if f.err != nil {
			return r, f.err
		}
		begun := time.Duration(i) * e.Stagger
		x := lab.FlowResult{
			Begun: begun, Latency: lab.Quantiles(f.latencies),
			Goodput:     lab.Goodput(f.arrivals, begun, r.Took),
			LateGoodput: lab.Goodput(f.arrivals, max(begun, r.Took/2), r.Took),
		}
		if n := len(f.arrivals); e.Bytes > 0 && n > 0 && f.arrivals[n-1].Total >= e.Bytes {
			x.Moved = f.arrivals[n-1].At - begun
		}
		if i == 0 && !lost.IsZero() {
			x.Recovery = lab.Recovery(f.arrivals, lost.Sub(start), e.RTT)
		}
		f.mu.Unlock()
		r.Flows = append(r.Flows, x)
		late = append(late, x.LateGoodput)
	}
	r.Fairness = lab.Fairness(late)
	return r, nil
}

// run connects two ends and lets one send to the other, until e.Bytes have arrived
// or for ever.
func (f *pionFlow) run(e lab.Experiment, start time.Time, there, back *bottleneck) error {
	x, y := newSimulatedPair(there, back)
	type result struct {
		a   *pionsctp.Association
		err error
	}
	accepted := make(chan result, 1)
	go func() {
		z, err := pionsctp.ServerWithOptions(pionsctp.WithNetConn(y))
		accepted <- result{z, err}
	}()
	a, err := pionsctp.ClientWithOptions(pionsctp.WithNetConn(x), pionsctp.WithBlockWrite(true))
	if err != nil {
		return err
	}
	z := <-accepted
	if z.err != nil {
		return z.err
	}
	from, err := a.OpenStream(1, pionsctp.PayloadTypeWebRTCBinary)
	if err != nil {
		return err
	}
	if e.Limited {
		from.SetReliabilityParams(e.Unordered, pionsctp.ReliabilityTypeRexmit, uint32(e.MaxRetransmits))
	}
	go f.write(e, from)
	to, err := z.a.AcceptStream()
	if err != nil {
		return err
	}
	b := make([]byte, 64<<10)
	for total := int64(0); e.Bytes == 0 || total < e.Bytes; {
		n, err := to.Read(b)
		if err != nil {
			return err
		}
		now := time.Now()
		total += int64(n)
		f.mu.Lock()
		f.arrivals = append(f.arrivals, lab.Arrival{At: now.Sub(start), Total: total})
		if e.Every > 0 {
			f.latencies = append(f.latencies, now.Sub(time.Unix(0, int64(binary.BigEndian.Uint64(b)))))
		}
		f.mu.Unlock()
	}
	return nil
}

func (f *pionFlow) write(e lab.Experiment, to *pionsctp.Stream) {
	message := make([]byte, e.MessageSize)
	for next := time.Now(); ; next = next.Add(e.Every) {
		time.Sleep(time.Until(next))
		binary.BigEndian.PutUint64(message, uint64(time.Now().UnixNano()))
		if _, err := to.Write(message); err != nil {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.err = err
			return
		}
	}
}
