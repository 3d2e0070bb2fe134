package peerconnection

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/dtls"
)

// Each profile can be the one that is chosen; where both ends have several, the order of
// the server of DTLS counts, and that is who offered.
func TestSRTPProfiles(t *testing.T) {
	type profiles = []dtls.SRTPProfile
	const cm80, cm32, gcm128, gcm256 = dtls.SRTP_AES128_CM_HMAC_SHA1_80, dtls.SRTP_AES128_CM_HMAC_SHA1_32, dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AEAD_AES_256_GCM
	for _, c := range []struct {
		offerer, answerer profiles
		want              dtls.SRTPProfile
	}{
		{nil, nil, gcm128},
		{profiles{cm80, cm32, gcm256, gcm128}, nil, cm80},
		{nil, profiles{cm80, cm32, gcm256, gcm128}, gcm128},
		{profiles{cm32}, profiles{gcm128, cm32}, cm32},
		{profiles{cm80}, nil, cm80},
		{nil, profiles{gcm256}, gcm256},
		{profiles{gcm256, cm80}, profiles{cm80, gcm256}, gcm256},
		{profiles{cm32}, nil, 0}, // nothing in common: no media, and data all the same
	} {
		t.Run(fmt.Sprint(c.offerer, c.answerer), func(t *testing.T) {
			ctx := within(t, 60*time.Second)
			a, z := newPeer(t, Config{SRTPProfiles: c.offerer}), newPeer(t, Config{SRTPProfiles: c.answerer})
			mic := NewTrack(KindAudio, "mic")
			if _, err := a.AddTrack(mic); err != nil {
				t.Fatal(err)
			}
			tell(t, ctx, a, z)
			want := ""
			if c.want != 0 {
				want = c.want.String()
				go play(ctx, mic, func(n int) Frame { return Frame{Data: fmt.Appendf([]byte{0xf8}, "audio %d", n)} })
				if _, err := accept(t, ctx, z, KindAudio).ReadFrame(ctx); err != nil {
					t.Error(err)
				}
			}
			for _, pc := range []*PeerConnection{a, z} {
				if got := pc.Stats().Transport.SRTPCipher; got != want {
					t.Errorf("the profile is %q, want %q", got, want)
				}
			}
		})
	}
	for _, wrong := range []profiles{{3}, {gcm128, 0}, {gcm128, cm80, gcm128}} {
		if _, err := New(Config{SRTPProfiles: wrong}); err == nil || !strings.Contains(err.Error(), "SRTPProfiles") {
			t.Errorf("with the profiles %v New says: %v", wrong, err)
		}
	}
}
