package rtcp_test

import (
	"fmt"

	"github.com/plainrtc/plainrtc/rtp/rtcp"
)

// A receiver asks for what it lacks, in a compound packet.
func Example() {
	b := rtcp.AppendReceiverReport(nil, 0x1111, rtcp.ReceptionReport{SSRC: 0x2222, HighestSequence: 107})
	b = rtcp.AppendDescription(b, rtcp.Item{SSRC: 0x1111, Type: rtcp.CNAME, Text: []byte("somebody")})
	b = rtcp.AppendNACK(b, 0x1111, 0x2222, []uint16{100, 102})

	c, err := rtcp.Parse(b)
	fmt.Println(err, c.CheckFull())
	for p := range c.Packets() {
		fmt.Println(p)
		for seq := range p.Lost() {
			fmt.Println("send again:", seq)
		}
	}
	// Output:
	// <nil> <nil>
	// RR ssrc=00001111 [ssrc=00002222 fraction=0 lost=0 highest=107 jitter=0 lsr=00000000 dlsr=0]
	// SDES 00001111 1="somebody"
	// NACK ssrc=00001111 media=00002222 lost=100,102
	// send again: 100
	// send again: 102
}
