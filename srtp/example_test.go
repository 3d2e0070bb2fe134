package srtp_test

import (
	"bytes"
	"fmt"

	"github.com/plainrtc/plainrtc/srtp"
)

// Two ends of a DTLS connection protect a packet of one and open it at the other.
// A real program exports the keying material from DTLS:
//
//	conn.ExportKeyingMaterial(srtp.ExporterLabel, nil, profile.KeyingMaterialLen())
func Example() {
	config := srtp.Config{Profile: srtp.Preferred()[0]}
	exported := bytes.Repeat([]byte{0x5a}, config.Profile.KeyingMaterialLen())

	client, _, err := srtp.New(config, exported, srtp.Client)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, server, err := srtp.New(config, exported, srtp.Server)
	if err != nil {
		fmt.Println(err)
		return
	}

	// Version 2, payload type 0, sequence number 7, timestamp 160, SSRC 0x1234.
	packet := []byte{0x80, 0, 0, 7, 0, 0, 0, 160, 0, 0, 0x12, 0x34}
	packet = append(packet, "a word of speech"...)

	datagram, err := client.SealRTP(packet, 0)
	fmt.Println(config.Profile, len(datagram), err)

	again := bytes.Clone(datagram)
	opened, err := server.OpenRTP(datagram)
	fmt.Printf("%s %v\n", opened[12:], err)

	_, err = server.OpenRTP(again)
	fmt.Println(err)
	// Output:
	// SRTP_AEAD_AES_128_GCM 44 <nil>
	// a word of speech <nil>
	// srtp: packet seen before, or too old to tell
}
