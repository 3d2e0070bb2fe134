package session_test

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/payload"
	"github.com/plainrtc/plainrtc/rtp/rtcp"
	"github.com/plainrtc/plainrtc/rtp/session"
)

// Two ends of a session; the network between them is a loop.
func Example() {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	vp8 := session.Codec{PayloadType: 96, Name: "VP8", Format: payload.VP8, ClockRate: 90000, RTX: 97, NACK: true, PLI: true}
	video := session.Section{MID: "0", Kind: session.Video, ReducedSize: true}
	video.Extensions.Set(rtp.ExtMID, 4)

	sending, receiving := video, video
	sending.Send = []session.Codec{vp8}
	receiving.Receive = []session.Codec{vp8}

	a := session.New(session.Config{Rand: rand.NewChaCha8([32]byte{1}), CNAME: "a"})
	z := session.New(session.Config{Rand: rand.NewChaCha8([32]byte{2}), CNAME: "z"})
	a.Configure(now, sending)
	z.Configure(now, receiving)

	sender, err := a.AddSender(now, "0", []session.Encoding{{Active: true}})
	if err != nil {
		fmt.Println(err)
		return
	}
	keyframe := append([]byte{0x10, 0, 0, 0x9d, 0x01, 0x2a}, make([]byte, 3000)...)
	if err := sender.WriteFrame(now, 0, session.Frame{Data: keyframe, KeyFrame: true}); err != nil {
		fmt.Println(err)
		return
	}
	for {
		packet := a.AppendPacket(now, nil)
		if len(packet) == 0 {
			break
		}
		if rtcp.Is(packet) {
			z.ReceiveRTCP(now, packet)
		} else {
			z.ReceiveRTP(now, packet)
		}
	}
	for e, ok := z.NextEvent(); ok; e, ok = z.NextEvent() {
		if started, ok := e.(session.StreamStarted); ok {
			fmt.Printf("a stream of section %s started\n", started.Stream.MID)
		}
	}
	for stream, ok := z.NextStream(); ok; stream, ok = z.NextStream() {
		for p, ok := stream.NextPacket(); ok; p, ok = stream.NextPacket() {
			fmt.Printf("%s, %d bytes, key frame starts: %t, marker: %t\n", p.Codec.Name, len(p.Payload()), p.Start && p.Key, p.Marker())
		}
	}
	// Output:
	// a stream of section 0 started
	// VP8, 1006 bytes, key frame starts: true, marker: false
	// VP8, 1006 bytes, key frame starts: false, marker: false
	// VP8, 1006 bytes, key frame starts: false, marker: true
}
