package sdp_test

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/plainrtc/plainrtc/sdp"
)

// A browser offers a data channel; this is how the answer to it is made.
func Example() {
	offer, err := sdp.Parse(browserOffer)
	if err != nil {
		fmt.Println(err) // names line and column
		return
	}
	section := offer.BundleTag()
	browser, err := offer.Transport(section)
	if err != nil {
		fmt.Println(err)
		return
	}
	mid, _ := section.MID()
	port, _ := section.SCTPPort()
	fmt.Println(section.Kind, mid, port, section.MaxMessageSize())
	fmt.Println(browser.Ufrag, browser.Setup, browser.Fingerprints[0].Algorithm, len(browser.Candidates))

	hash := sha256.Sum256([]byte("our certificate"))
	ours := sdp.Transport{
		Ufrag:        "Yf8C",
		Pwd:          "hl6GLbIpdHAbNBYJ6nJLcgvQ",
		Options:      []string{"trickle"},
		Fingerprints: []sdp.Fingerprint{{Algorithm: "sha-256", Value: hash[:]}},
		Setup:        browser.Setup.Answer(),
	}
	m := sdp.NewDataMedia()
	m.Attributes = ours.Append(nil)
	m.Attributes = append(m.Attributes, sdp.MID(mid), sdp.SCTPPort(5000), sdp.MaxMessageSize(262144))

	answer := sdp.New(4611731400430051336, 1)
	answer.Attributes = sdp.Attributes{sdp.Bundle(mid)}
	answer.Media = []sdp.Media{m}
	fmt.Print(strings.ReplaceAll(answer.String(), "\r\n", "\n"))

	// Output:
	// application 0 5000 262144
	// FAll actpass sha-256 1
	// v=0
	// o=- 4611731400430051336 1 IN IP4 127.0.0.1
	// s=-
	// t=0 0
	// a=group:BUNDLE 0
	// m=application 9 UDP/DTLS/SCTP webrtc-datachannel
	// c=IN IP4 0.0.0.0
	// a=ice-ufrag:Yf8C
	// a=ice-pwd:hl6GLbIpdHAbNBYJ6nJLcgvQ
	// a=ice-options:trickle
	// a=fingerprint:sha-256 AF:0F:31:D1:A2:FE:FD:3D:69:EA:C7:22:CC:36:2B:DE:02:0B:EF:B9:35:F6:6B:A9:8D:84:AA:AD:1E:57:DB:DC
	// a=setup:active
	// a=mid:0
	// a=sctp-port:5000
	// a=max-message-size:262144
}

const browserOffer = `v=0
o=- 5252792872090358374 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0
a=extmap-allow-mixed
a=msid-semantic: WMS
m=application 51094 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 192.0.2.2
a=candidate:3722700188 1 udp 2122194687 192.0.2.2 51094 typ host generation 0 network-id 1
a=ice-ufrag:FAll
a=ice-pwd:Z9yOy2L5ZP2w9XLk0odH+9eo
a=ice-options:trickle
a=fingerprint:sha-256 25:8D:48:42:5D:0A:6C:66:FD:6D:56:60:C3:96:DA:F6:48:46:CB:68:7E:4A:B4:00:75:AA:10:51:35:D7:8C:46
a=setup:actpass
a=mid:0
a=sctp-port:5000
a=max-message-size:262144
`
