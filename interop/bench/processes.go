package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"sync/atomic"
	"time"
)

// Two processes, one for each end, are told what to do by a third, which does
// nothing while they are busy: a line of JSON on standard input for each order,
// and one on standard output when it is carried out. A program in another
// language can be an end, too.
type order struct {
	Do   string `json:"do"`             // what runEnd has a case for
	SDP  string `json:"sdp,omitempty"`  // the other end's
	Size int    `json:"size,omitempty"` // of each message, in bytes
}

// endReport is the answer to an order. All counters are since the start.
type endReport struct {
	SDP    string  `json:"sdp,omitempty"`
	Bytes  int64   `json:"bytes"` // that arrived
	CPU    float64 `json:"cpu"`   // seconds, user and system
	Drops  int64   `json:"drops"`
	Allocs uint64  `json:"allocs"`
	Error  string  `json:"error,omitempty"`

	Version string `json:"version,omitempty"` // of a program in another language
}

// An endCommand returns the program that is one end, not started.
type endCommand func() (*exec.Cmd, error)

// goEnd is this program, as one end of a stack.
func goEnd(s stack) endCommand {
	return func() (*exec.Cmd, error) {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		return exec.Command(self, "-end", s.name), nil
	}
}

// measureProcesses measures a reliable, ordered channel from one process to
// another.
func measureProcesses(from, to endCommand, size int) (figures, error) {
	a, err := startEnd(from)
	if err != nil {
		return nil, err
	}
	defer a.end()
	z, err := startEnd(to)
	if err != nil {
		return nil, err
	}
	defer z.end()
	var failed error
	tell := func(to *end, o order) endReport {
		if failed != nil {
			return endReport{}
		}
		r, err := to.tell(o)
		failed = err
		return r
	}
	offer := tell(a, order{Do: "offer"})
	answer := tell(z, order{Do: "answer", SDP: offer.SDP})
	tell(a, order{Do: "finish", SDP: answer.SDP})
	tell(z, order{Do: "receive", Size: size})
	tell(a, order{Do: "send", Size: size})
	if failed != nil {
		return nil, failed
	}
	time.Sleep(bulkWarm)
	a0, z0, start := tell(a, order{Do: "count"}), tell(z, order{Do: "count"}), time.Now()
	time.Sleep(bulkTime)
	a1, z1, wall := tell(a, order{Do: "count"}), tell(z, order{Do: "count"}), time.Since(start).Seconds()
	if failed != nil {
		return nil, failed
	}
	bytes := float64(z1.Bytes - z0.Bytes)
	if bytes == 0 {
		return nil, fmt.Errorf("nothing arrived")
	}
	return figures{
		"MB/s":     bytes / 1e6 / wall,
		"CPU s/GB": (a1.CPU - a0.CPU + z1.CPU - z0.CPU) / (bytes / 1e9),
		"drops":    float64(a1.Drops - a0.Drops + z1.Drops - z0.Drops),
	}, nil
}

// An end is a process.
type end struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	out   *json.Decoder
}

func startEnd(command endCommand) (*end, error) {
	cmd, err := command()
	if err != nil {
		return nil, err
	}
	cmd.Stderr = os.Stderr
	e := &end{cmd: cmd}
	if e.stdin, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	e.out = json.NewDecoder(out)
	return e, cmd.Start()
}

func (e *end) tell(o order) (r endReport, err error) {
	tooLate := time.AfterFunc(connectTimeout, func() { e.cmd.Process.Kill() })
	defer tooLate.Stop()
	if err = json.NewEncoder(e.stdin).Encode(o); err == nil {
		err = e.out.Decode(&r)
	}
	if err != nil {
		return r, fmt.Errorf("the end that was told to %s is gone, or does not answer: %w", o.Do, err)
	}
	if r.Error != "" {
		return r, fmt.Errorf("%s: %s", o.Do, r.Error)
	}
	return r, nil
}

func (e *end) end() {
	e.stdin.Close()
	e.cmd.Process.Kill()
	e.cmd.Wait()
}

// runEnd carries out orders until standard input ends.
func runEnd(name string) error {
	i := slices.IndexFunc(stacks, func(s stack) bool { return s.name == name })
	if i < 0 {
		return fmt.Errorf("no such stack: %s", name)
	}
	s, o := stacks[i], options{bulk: true}
	var p *peer
	var bytes, messages atomic.Int64
	opened := func() (channel, error) {
		ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
		defer cancel()
		return p.opened(ctx)
	}
	ended := make(chan error, 1)
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var do order
		if err := in.Decode(&do); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		var r endReport
		var c channel
		var err error
		switch do.Do {
		case "offer":
			if p, err = s.offer(context.Background(), o); err == nil {
				r.SDP = p.description
			}
		case "answer":
			if p, err = s.answer(context.Background(), o, do.SDP); err == nil {
				r.SDP = p.description
			}
		case "finish":
			err = p.finish(do.SDP)
		case "send":
			if c, err = opened(); err == nil {
				go func() { ended <- sendAll(c, do.Size, func() {}) }()
			}
		case "receive":
			if c, err = opened(); err == nil {
				go func() { ended <- receiveAll(c, do.Size, &bytes, &messages) }()
			}
		case "count":
			r = endReport{Bytes: bytes.Load(), CPU: cpuTime().Seconds(), Drops: drops()}
			select {
			case err = <-ended:
			default:
			}
		default:
			err = fmt.Errorf("no such order")
		}
		if err != nil {
			r.Error = err.Error()
		}
		if err := out.Encode(r); err != nil {
			return err
		}
	}
}
