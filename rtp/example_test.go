package rtp_test

import (
	"fmt"

	"github.com/plainrtc/plainrtc/rtp"
)

// A packet is written, read, and forwarded under another SSRC.
func Example() {
	var ids rtp.ExtensionMap // as negotiated
	ids.Set(rtp.ExtMID, 4)
	ids.Set(rtp.ExtAudioLevel, 1)

	b := rtp.NewBuilder(nil, rtp.Header{PayloadType: 111, SequenceNumber: 7, Timestamp: 960, SSRC: 0x11111111})
	b.Add(ids.ID(rtp.ExtMID), []byte("0"))
	b.Add(ids.ID(rtp.ExtAudioLevel), rtp.AudioLevel{Voice: true, Level: 30}.Append(nil))
	packet := append(b.Bytes(), "some Opus"...)

	p, err := rtp.Parse(packet)
	fmt.Println(p, err)
	if value, ok := p.Extension(ids.ID(rtp.ExtAudioLevel)); ok {
		level, _ := rtp.ParseAudioLevel(value)
		fmt.Printf("%+v\n", level)
	}

	p.SetSSRC(0x22222222)
	p.SetSequenceNumber(1000)
	fmt.Println(p)
	// Output:
	// RTP PT=111 seq=7 ts=960 ssrc=11111111 ext4=30 ext1=9e payload[9] <nil>
	// {Voice:true Level:30}
	// RTP PT=111 seq=1000 ts=960 ssrc=22222222 ext4=30 ext1=9e payload[9]
}
