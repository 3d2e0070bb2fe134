package jitter_test

import (
	"fmt"
	"time"

	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/jitter"
	"github.com/plainrtc/plainrtc/rtp/payload"
)

// Packets of 20 ms come out of order, and one does not come at all.
func Example() {
	b := jitter.New(jitter.Config{})
	opus := jitter.Codec{Format: payload.Opus, ClockRate: 48000}
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

	for _, n := range []uint16{1, 3, 2, 5} {
		packet := rtp.NewBuilder(nil, rtp.Header{PayloadType: 111, SequenceNumber: n, Timestamp: uint32(n) * 960, SSRC: 1})
		p, _ := rtp.Parse(append(packet.Bytes(), 0xf8, byte(n), byte(n)))
		b.Receive(now, p, opus)
	}
	for range 6 {
		for {
			frame, ok := b.NextFrame(now)
			if !ok {
				break
			}
			fmt.Printf("%x for %v, concealed: %t\n", frame.Data, frame.Duration, frame.Concealed)
		}
		now = b.NextTimeout()
	}
	// Output:
	// f80101 for 20ms, concealed: false
	// f80202 for 20ms, concealed: false
	// f80303 for 20ms, concealed: false
	//  for 20ms, concealed: true
	// f80505 for 20ms, concealed: false
}
