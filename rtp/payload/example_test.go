package payload_test

import (
	"bytes"
	"fmt"

	"github.com/plainrtc/plainrtc/rtp/payload"
)

// An access unit is cut into payloads, and put together again.
func Example() {
	format, _ := payload.FormatByName("H264")
	unit := append([]byte{0, 0, 0, 1, 0x67, 'S', 'P', 'S', 0, 0, 0, 1, 0x68, 'P', 'P', 'S', 0, 0, 0, 1, 0x65}, bytes.Repeat([]byte{'x'}, 1500)...)

	packetizer := format.NewPacketizer()
	if err := packetizer.Start(unit, 1200); err != nil {
		fmt.Println(err)
		return
	}
	var payloads [][]byte
	for last := false; !last; {
		var b []byte
		b, last = packetizer.Append(nil) // or behind an RTP header
		payloads = append(payloads, b)
	}

	var frame []byte
	depacketizer := format.NewDepacketizer()
	for _, p := range payloads {
		info, err := format.Inspect(p)
		fmt.Printf("%d bytes, start %t, key %t, %v\n", len(p), info.Start, info.Key, err)
		frame, _ = depacketizer.Append(frame, p)
	}
	fmt.Println(depacketizer.Finish(), bytes.Equal(frame, unit))
	// Output:
	// 13 bytes, start true, key true, <nil>
	// 752 bytes, start true, key true, <nil>
	// 752 bytes, start false, key false, <nil>
	// <nil> true
}
