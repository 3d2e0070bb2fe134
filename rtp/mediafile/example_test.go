package mediafile_test

import (
	"fmt"
	"io"
	"os"

	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/mediafile"
	"github.com/plainrtc/plainrtc/rtp/payload"
)

// A file is played: its frames are cut into packets, with the timestamps that they
// have in RTP.
func Example() {
	file, err := os.Open("testdata/vp8.ivf")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer file.Close()
	r, err := mediafile.NewReader(file)
	if err != nil {
		fmt.Println(err)
		return
	}
	codec := r.Codec()
	format, _ := payload.FormatByName(codec.Name)
	packetizer := format.NewPacketizer()
	header := rtp.Header{PayloadType: 96, SSRC: 0x1234, SequenceNumber: 1}
	for range 3 {
		frame, err := r.NextFrame()
		if err == io.EOF {
			break
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		header.Timestamp = codec.Timestamp(frame.PTS)
		if err := packetizer.Start(frame.Data, 1000); err != nil {
			fmt.Println(err)
			return
		}
		for header.Marker = false; !header.Marker; {
			var payload []byte
			payload, header.Marker = packetizer.Append(nil)
			b := rtp.NewBuilder(nil, header)
			p, _ := rtp.Parse(append(b.Bytes(), payload...))
			fmt.Println(p)
			header.SequenceNumber++
		}
	}
	// Output:
	// RTP PT=96 seq=1 ts=0 ssrc=00001234 payload[751]
	// RTP PT=96 seq=2 ts=0 ssrc=00001234 M payload[751]
	// RTP PT=96 seq=3 ts=3600 ssrc=00001234 M payload[22]
	// RTP PT=96 seq=4 ts=7200 ssrc=00001234 M payload[30]
}
