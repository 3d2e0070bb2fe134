package sctp_test

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/plainrtc/plainrtc/sctp"
)

// Two associations talk in memory. The loop is what a program does around an
// association, with the other one in the place of DTLS and the network.
func Example() {
	now := time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
	a := sctp.New(sctp.Config{Rand: rand.NewChaCha8([32]byte{1})})
	z := sctp.New(sctp.Config{Rand: rand.NewChaCha8([32]byte{2})})

	a.Connect(now)
	a.Send(now, sctp.Message{Stream: 1, PPID: 51, Data: []byte("hello")}) // waits for the association

	exchange := func(from, to *sctp.Association) (moved bool) {
		for b := from.AppendPacket(now, nil); len(b) > 0; b = from.AppendPacket(now, nil) {
			fmt.Println(sctp.Describe(b))
			to.Receive(now, b)
			moved = true
		}
		for m, ok := to.NextMessage(); ok; m, ok = to.NextMessage() {
			fmt.Printf("stream %d: %q\n", m.Stream, m.Data)
			to.Release(now, m)
		}
		return moved
	}
	for exchange(a, z) || exchange(z, a) {
	}
	for e, ok := z.NextEvent(); ok; e, ok = z.NextEvent() {
		fmt.Printf("%T\n", e)
	}
	// Output:
	// INIT tag=af0e0d36 tsn=3360255415 rwnd=1048576 streams=65535/65535
	// INIT ACK tag=8efb0458 tsn=2980687027 rwnd=1048576 streams=65535/65535 cookie[81]
	// COOKIE ECHO cookie[81] + I-DATA tsn=3360255415 stream=1 mid=0 ppid=51 flags=BE data[5]
	// stream 1: "hello"
	// COOKIE ACK + SACK cum=3360255415 rwnd=1048576
	// sctp.Established
}
