package interop

import (
	"fmt"
	"slices"
	"testing"

	"github.com/plainrtc/plainrtc/dtls"
	"github.com/plainrtc/plainrtc/peerconnection"
)

// allProfiles are the SRTP profiles that there are, the weakest first.
var allProfiles = []dtls.SRTPProfile{
	dtls.SRTP_AES128_CM_HMAC_SHA1_32, dtls.SRTP_AES128_CM_HMAC_SHA1_80, dtls.SRTP_AEAD_AES_256_GCM, dtls.SRTP_AEAD_AES_128_GCM,
}

// A sound goes to us and back under each SRTP profile that a browser has, in both roles of
// DTLS. Of one that it does not have nothing comes to pass: it takes the next.
func TestSRTPProfiles(t *testing.T) {
	for name, lacks := range map[string][]dtls.SRTPProfile{
		"Chromium": {dtls.SRTP_AES128_CM_HMAC_SHA1_32},
		"Firefox":  nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			page := openMediaPage(t, name)
			for i, profile := range allProfiles {
				// The one, and for who does not have it the next.
				ours := []dtls.SRTPProfile{profile, allProfiles[(i+1)%len(allProfiles)]}
				want := ours[0]
				if slices.Contains(lacks, want) {
					want = ours[1]
				} else {
					ours = ours[:1]
				}
				for _, weOffer := range []bool{false, true} {
					t.Run(fmt.Sprintf("%v, we offer: %v", profile, weOffer), func(t *testing.T) {
						c := newMediaCall(t, page, peerconnection.Config{SRTPProfiles: ours})
						role := "client" // who answers is
						if weOffer {
							role = "server"
							if _, err := c.pc.AddTransceiverOf(audio, nil); err != nil {
								t.Fatal(err)
							}
							c.do(nil, `pc.answering = async () => {
								const [t] = pc.getTransceivers();
								t.direction = "sendrecv";
								await t.sender.replaceTrack(stream.getAudioTracks()[0]);
							}`)
							c.echo()
							c.offer(nil)
						} else {
							c.do(nil, `pc.addTransceiver(stream.getAudioTracks()[0])`)
							c.answerWith(c.echo)
						}
						c.connected()
						c.until("sound comes back", func() bool { s := c.received(); return len(s) == 1 && s[0].PacketsReceived > 5 })
						got := c.pc.Stats().Transport
						if got.SRTPCipher != want.String() || got.DTLSRole != role {
							t.Errorf("as the DTLS %s we have %s, want %v as the %s", got.DTLSRole, got.SRTPCipher, want, role)
						}
						var theirs string
						c.do(&theirs, `return [...(await pc.getStats()).values()].find(s => s.type === "transport").srtpCipher`)
						if theirs != want.String() {
							t.Errorf("the browser says that it has %q, want %v", theirs, want)
						}
					})
				}
			}
		})
	}
}
