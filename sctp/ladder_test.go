package sctp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/internal/ladder"
	"github.com/plainrtc/plainrtc/internal/trace"
)

// TestLadders plays the scenarios under testdata. Their verbs:
//
//	config a dtls idata without=4   a is made anew: over DTLS, with I-DATA,
//	                                without other extensions
//	snap a                          both are made anew, and know each other's INIT
//	unaware a                       the signalling did not tell a
//	connect a                       Connect
//	send a 1 2000 [unordered] [retransmits=0] [lifetime=100ms] [times=3]
//	                                a message of 2000 bytes on stream 1
//	hoard z                         z does not read its messages any more
//	read z                          z reads them
//	priority a 1 512                SetStreamPriority
//	reset a 1 2                     ResetStreams
//	reset-incoming a 1 2            ResetIncomingStreams
//	add a 2 1                       AddStreams: two out, one in
//	reset-association a             ResetAssociation
//	shutdown a
//	abort a
//	crash a                         a forgets everything and starts anew
func TestLadders(t *testing.T) { ladder.Run(t, "testdata/*.ladder", setupLadder) }

// An end is an association under a ladder; it can crash.
type end struct {
	*Association
	config Config
	hoard  bool
	got    []string // messages, as events
	count  int      // messages read in all
}

// countingRand gives small numbers one after the other, so that tags and TSNs
// in transcripts are readable.
type countingRand struct{ next uint32 }

func (r *countingRand) Read(b []byte) (int, error) {
	clear(b)
	if len(b) == 4 {
		binary.BigEndian.PutUint32(b, r.next)
		r.next++
	}
	return len(b), nil
}

func setupLadder(t testing.TB, traceA, traceZ *trace.Tracer) *ladder.Pair {
	// The congestion control is that of the RFC whose scenarios these are.
	config := Config{MTU: 1200, MaxMessageSize: 16 << 10, ReceiveWindow: 40 << 10, MaxReceiveWindow: 40 << 10, CookieLifetime: 5 * time.Second, Congestion: NewReno, Without: Interleaving}
	ca, cz := config, config
	ca.Rand, ca.Trace = &countingRand{98}, traceA
	cz.Rand, cz.Trace = &countingRand{898}, traceZ
	ends := map[string]*end{"a": {config: ca}, "z": {config: cz}}
	for _, e := range ends {
		e.Association = New(e.config)
	}
	return &ladder.Pair{
		A: ends["a"], Z: ends["z"],
		Describe: describeLines,
		Command: func(now time.Time, verb, peer string, args []string) error {
			if verb == "snap" {
				a, z := ends["a"], ends["z"]
				a.config.LocalInit, z.config.LocalInit = NewInit(a.config), NewInit(z.config)
				a.config.RemoteInit, z.config.RemoteInit = z.config.LocalInit, a.config.LocalInit
				a.Association, z.Association = New(a.config), New(z.config)
				return nil
			}
			return ends[peer].command(now, verb, args)
		},
		Events: func(now time.Time, peer string) []string { return ends[peer].drain(now) },
	}
}

// describeLines is Describe with a line for each chunk and a tab after its name.
func describeLines(_ string, packet []byte) string {
	_, chunks, _ := parseHeader(packet)
	var lines []string
	if noChecksum(packet) {
		lines = append(lines, "no checksum")
	}
	for len(chunks) > 0 {
		c, rest, ok := nextChunk(chunks)
		if !ok {
			return "malformed"
		}
		name := c.typ.String()
		lines = append(lines, name+"\t"+strings.TrimSpace(strings.TrimPrefix(c.String(), name)))
		chunks = rest
	}
	return strings.Join(lines, "\n")
}

func (e *end) command(now time.Time, verb string, args []string) error {
	switch verb {
	case "config":
		return e.configure(args)
	case "connect":
		e.Connect(now)
	case "shutdown":
		e.Shutdown(now)
	case "abort":
		e.Abort(now, "bye")
	case "unaware":
		e.config.RemoteInit = nil
		e.Association = New(e.config)
	case "crash":
		e.config.LocalInit, e.config.RemoteInit = nil, nil
		e.Association = New(e.config)
	case "hoard":
		e.hoard = true
	case "read":
		e.hoard = false
	case "reset":
		streams, err := numbers(args)
		if err != nil {
			return err
		}
		return e.ResetStreams(now, streams...)
	case "reset-incoming":
		streams, err := numbers(args)
		if err != nil {
			return err
		}
		return e.ResetIncomingStreams(streams...)
	case "add":
		n, err := numbers(args)
		if err != nil || len(n) != 2 {
			return errors.Join(ladder.ErrUsage, err)
		}
		return e.AddStreams(n[0], n[1])
	case "reset-association":
		return e.ResetAssociation()
	case "priority":
		n, err := numbers(args)
		if err != nil || len(n) != 2 {
			return errors.Join(ladder.ErrUsage, err)
		}
		e.SetStreamPriority(n[0], n[1])
	case "send":
		return e.sendCommand(now, args)
	default:
		return fmt.Errorf("%w: what is %s?", ladder.ErrUsage, verb)
	}
	return nil
}

func numbers(words []string) (list []uint16, err error) {
	for _, s := range words {
		n, err := strconv.ParseUint(s, 10, 16)
		if err != nil {
			return nil, errors.Join(ladder.ErrUsage, err)
		}
		list = append(list, uint16(n))
	}
	return list, nil
}

func (e *end) configure(args []string) (err error) {
	e.config.DTLS, e.config.Without, e.config.Scheduling, e.config.MaxMTU = false, Interleaving, 0, 0
	for _, word := range args {
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "dtls":
			e.config.DTLS = true
		case "max":
			e.config.MaxMTU, err = strconv.Atoi(value)
			e.config.Headers = 65
		case "idata":
			e.config.Without &^= Interleaving
		case "streams", "in":
			var n uint64
			n, err = strconv.ParseUint(value, 0, 16)
			if name == "in" {
				e.config.InStreams = uint16(n)
			} else {
				e.config.OutStreams = uint16(n)
			}
		case "policy":
			var n uint64
			n, err = strconv.ParseUint(value, 0, 8)
			e.config.Scheduling = SchedulingPolicy(n)
		case "without":
			var n uint64
			n, err = strconv.ParseUint(value, 0, 8)
			e.config.Without |= Extensions(n)
		default:
			err = fmt.Errorf("what is %s?", word)
		}
		if err != nil {
			return errors.Join(ladder.ErrUsage, err)
		}
	}
	e.Association = New(e.config)
	return nil
}

func (e *end) sendCommand(now time.Time, args []string) error {
	if len(args) < 2 {
		return fmt.Errorf("%w: send wants a stream and a size", ladder.ErrUsage)
	}
	stream, err1 := strconv.ParseUint(args[0], 10, 16)
	size, err2 := strconv.Atoi(args[1])
	m := Message{Stream: uint16(stream), PPID: 53, Data: make([]byte, size)}
	var err3 error
	times := 1
	for _, word := range args[2:] {
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "unordered":
			m.Unordered = true
		case "retransmits":
			m.Limited = true
			var n uint64
			n, err3 = strconv.ParseUint(value, 10, 16)
			m.MaxRetransmits = uint16(n)
		case "times":
			times, err3 = strconv.Atoi(value)
		case "lifetime":
			m.Lifetime, err3 = time.ParseDuration(value)
		default:
			err3 = fmt.Errorf("what is %s?", word)
		}
	}
	if err := errors.Join(err1, err2, err3); err != nil {
		return errors.Join(ladder.ErrUsage, err)
	}
	for range times {
		if err := e.Send(now, m); err != nil {
			return err
		}
	}
	return nil
}

// drain takes out messages and events, in words.
func (e *end) drain(now time.Time) []string {
	var lines []string
	for v, ok := e.NextEvent(); ok; v, ok = e.NextEvent() {
		switch v := v.(type) {
		case Established:
			lines = append(lines, "established")
		case Closed:
			lines = append(lines, fmt.Sprintf("closed: %v", v.Err))
		default:
			lines = append(lines, strings.TrimPrefix(fmt.Sprintf("%T%+v", v, v), "sctp."))
		}
	}
	for !e.hoard {
		m, ok := e.NextMessage()
		if !ok {
			break
		}
		unordered := ""
		if m.Unordered {
			unordered = " unordered"
		}
		lines = append(lines, fmt.Sprintf("message[%d] stream=%d%s", len(m.Data), m.Stream, unordered))
		e.count++
		e.Release(now, m)
	}
	return lines
}

// The same set-up and the same data whichever datagram is lost, duplicated or
// late: both ends agree at the end, and everything has arrived once.
func TestSweeps(t *testing.T) {
	agree := func(state State, fromA, fromZ int) func(*ladder.Pair) error {
		return func(p *ladder.Pair) error {
			a, z := p.A.(*end), p.Z.(*end)
			switch {
			case a.State() != state || z.State() != state:
				return fmt.Errorf("the states are %v and %v, want %v", a.State(), z.State(), state)
			case a.Err() != nil || z.Err() != nil:
				return fmt.Errorf("the ends say %v and %v", a.Err(), z.Err())
			case a.count != fromZ || z.count != fromA:
				return fmt.Errorf("a got %d messages and z %d, want %d and %d", a.count, z.count, fromZ, fromA)
			}
			return nil
		}
	}
	for _, s := range []struct {
		name, script string
		check        func(*ladder.Pair) error
	}{
		{"sweep-connect", "# One end connects; both have something to say.\nsend a 1 100\nconnect a\nsend z 2 100\nrun", agree(StateEstablished, 1, 1)},
		{"sweep-simultaneous", "# Both ends connect at once, as browsers do.\nsend a 1 100\nsend z 2 100\nconnect a\nconnect z\nrun", agree(StateEstablished, 1, 1)},
		{"sweep-data", "# A message in fragments and one behind it.\nconnect a\nrun\nsend a 1 6000\nsend a 2 10\nrun", agree(StateEstablished, 2, 0)},
		{"sweep-shutdown", "# A shutdown waits for what was sent.\nconnect a\nrun\nsend a 1 2000\nsend z 1 2000\nshutdown a\nrun", agree(StateClosed, 1, 1)},
		{"sweep-idata", "# The same with I-DATA: the short message overtakes.\nconfig a idata\nconfig z idata\nconnect a\nrun\nsend a 1 6000\nsend a 2 10\nsend a 2 3000 unordered\nrun", agree(StateEstablished, 3, 0)},
		{"sweep-reconfig", "# Everything of RFC 6525, one after the other.\nconfig a idata streams=4\nconfig z idata streams=4\nconnect a\nrun\nsend z 1 2000\nreset-incoming a 1\nadd a 2 3\nrun\nsend z 1 10\nsend a 5 10\nsend z 6 10\nrun\nreset-association a\nsend a 1 10\nrun\nsend z 1 10\nrun", agree(StateEstablished, 2, 4)},
		{"sweep-snap", "# Both know the other's INIT from the signalling.\nsnap a\nsend a 1 2000\nsend z 2 100\nconnect a\nconnect z\nrun", agree(StateEstablished, 1, 1)},
		{"sweep-reset", "# A stream is closed both ways, and used again.\nconnect a\nrun\nsend a 1 2000\nreset a 1\nrun\nreset z 1\nrun\nsend a 1 10\nrun", agree(StateEstablished, 2, 0)},
	} {
		t.Run(s.name, func(t *testing.T) {
			ladder.Sweep(t, "testdata/"+s.name+".ladder", s.script, setupLadder, s.check)
		})
	}
}
