package main

import (
	"errors"
	"math/rand/v2"
	"time"

	"github.com/pion/sctp"
	"github.com/pion/transport/v5/dpipe"
	plainsctp "github.com/plainrtc/plainrtc/sctp"
)

// SCTP alone carries sctpBytes, after sctpWarm that are not counted.
const (
	sctpBytes = 512 << 20
	sctpWarm  = 64 << 20
	sctpMTU   = 1200
)

// measureSCTP measures SCTP without a network, and without checksums: both
// stacks leave them out over DTLS if they agree to (RFC 9653).
func measureSCTP(s stack) (figures, error) {
	var start time.Duration
	bytes := sctpBytes
	if s.name == pionStack.name {
		bytes /= 8 // it takes as long
	}
	if err := s.sctp(func() { start = cpuTime() }, sctpWarm, bytes, 64<<10); err != nil {
		return nil, err
	}
	return figures{"MB a CPU second": float64(bytes) / 1e6 / (cpuTime() - start).Seconds()}, nil
}

// plainSCTP is ours: one goroutine drives both ends.
func plainSCTP(begin func(), warm, bytes, size int) error {
	random := rand.NewChaCha8([32]byte{1})
	config := plainsctp.Config{Rand: random, DTLS: true, MTU: sctpMTU}
	a, z := plainsctp.New(config), plainsctp.New(config)
	message := plainsctp.Message{Stream: 1, PPID: 53, Data: make([]byte, size)}
	buf := make([]byte, 0, 64<<10)
	arrived := 0
	a.Connect(time.Now())
	for deadline := time.Now().Add(time.Minute); arrived < warm+bytes; {
		before := arrived
		for range 16 {
			now := time.Now()
			for a.Buffered() < 1<<20 {
				if err := a.Send(now, message); err != nil {
					return err
				}
			}
			for _, way := range [][2]*plainsctp.Association{{a, z}, {z, a}} {
				from, to := way[0], way[1]
				for range 32 { // a batch, as sockets have it
					b := from.AppendPacket(now, buf)
					if len(b) == 0 {
						break
					}
					to.Receive(now, b)
					for m, ok := to.NextMessage(); ok; m, ok = to.NextMessage() {
						arrived += len(m.Data)
						to.Release(now, m)
					}
				}
				for _, ok := from.NextEvent(); ok; _, ok = from.NextEvent() {
				}
				if t := from.NextTimeout(); !t.IsZero() && !t.After(now) {
					from.Advance(now)
				}
			}
		}
		if before < warm && arrived >= warm {
			bytes += arrived - warm
			begin()
		}
		if time.Now().After(deadline) {
			return errors.New("it takes more than a minute")
		}
	}
	return nil
}

// pionSCTP is Pion's, over the pipe that its own benchmarks of DTLS use.
func pionSCTP(begin func(), warm, bytes, size int) error {
	x, y := dpipe.Pipe()
	type result struct {
		a   *sctp.Association
		err error
	}
	server := []sctp.ServerOption{sctp.WithNetConn(y)}
	client := []sctp.ClientOption{sctp.WithNetConn(x), sctp.WithBlockWrite(true)}
	for _, o := range []sctp.AssociationOption{sctp.WithMTU(sctpMTU), sctp.WithEnableZeroChecksum(true)} {
		server, client = append(server, o), append(client, o)
	}
	accepted := make(chan result, 1)
	go func() {
		z, err := sctp.ServerWithOptions(server...)
		accepted <- result{z, err}
	}()
	a, err := sctp.ClientWithOptions(client...)
	if err != nil {
		return err
	}
	defer a.Close()
	z := <-accepted
	if z.err != nil {
		return z.err
	}
	defer z.a.Close()
	from, err := a.OpenStream(1, sctp.PayloadTypeWebRTCBinary)
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() {
		message := make([]byte, size)
		for {
			if _, err := from.Write(message); err != nil {
				failed <- err
				return
			}
		}
	}()
	to, err := z.a.AcceptStream()
	if err != nil {
		return err
	}
	b := make([]byte, size)
	for arrived := 0; arrived < warm+bytes; {
		n, err := to.Read(b)
		if err != nil {
			return errors.Join(err, <-failed)
		}
		if arrived < warm && arrived+n >= warm {
			begin()
		}
		arrived += n
	}
	return nil
}
