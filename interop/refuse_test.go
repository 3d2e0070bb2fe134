package interop

import (
	"context"
	"testing"
	"time"
)

// A peer whose certificate is not the one that signalling promised is an
// impostor: the end that was told the fingerprint refuses it.
func TestWrongFingerprintIsRefused(t *testing.T) {
	refuse(t, withAttribute("fingerprint", func(value string) string {
		// sha-256 AA:BB:…: one digit of the last byte is another one.
		last := byte('0')
		if value[len(value)-1] == '0' {
			last = '1'
		}
		return value[:len(value)-1] + string(last)
	}))
}

// Checks under another password than the peer's fail their MESSAGE-INTEGRITY.
func TestWrongICEPasswordIsRefused(t *testing.T) {
	refuse(t, withAttribute("ice-pwd", func(string) string { return "thisIsNotThePasswordOfThePeer" }))
}

// refuse lies to one end about the other, and checks that the end that was lied
// to fails, and that no channel opens.
func refuse(t *testing.T, lie func(sdp string) string) {
	for _, lieToUs := range []bool{true, false} {
		name := "LieToThem"
		if lieToUs {
			name = "LieToUs"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel() // timeouts pass together
			eachRole(t, func(t *testing.T, offerer, answerer peer) {
				t.Parallel()
				ctx := testContext(t)
				near, err := offerer.Create(ctx, "never", channelOptions{})
				if err != nil {
					t.Fatal(err)
				}
				s, deceived := signalling{toOfferer: lie}, offerer
				if isOurs(answerer) == lieToUs {
					s, deceived = signalling{toAnswerer: lie}, answerer
				}
				if _, _, err := negotiate(ctx, offerer, answerer, s); err != nil {
					t.Fatal(err)
				}
				if err := deceived.WaitState(ctx, "failed"); err != nil {
					t.Errorf("the end that was lied to: %v", err)
				}
				short, cancel := context.WithTimeout(ctx, time.Second)
				defer cancel()
				if near.Opened(short) == nil {
					t.Errorf("the channel opened")
				}
			}, chromium)
		})
	}
}
