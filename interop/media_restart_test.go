package interop

import (
	"testing"

	"github.com/plainrtc/plainrtc/peerconnection"
)

// ICE starts over in mid-call, by either side, and media goes on: the old path is used
// until there is a new one. What can get lost is what is on its way to sockets that a
// browser closes.
func TestICERestartInMidCall(t *testing.T) {
	for _, name := range []string{"Chromium", "Firefox"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newMediaCall(t, openMediaPage(t, name), peerconnection.Config{})
			c.do(nil, `for (const t of stream.getTracks()) pc.addTransceiver(t)`)
			c.answerWith(c.echo)
			var recordings []*recording
			for _, x := range c.pc.Transceivers() {
				recordings = append(recordings, record(c.ctx, x.Receiver().Track()))
			}
			c.connected()
			c.until("media flows", func() bool {
				for _, s := range c.received() {
					if s.PacketsReceived < 20 {
						return false
					}
				}
				return len(c.received()) == 2
			})
			ufrag := func() [2]string {
				return [2]string{attribute(c.pc.LocalDescription().SDP, "ice-ufrag"), attribute(c.pc.RemoteDescription().SDP, "ice-ufrag")}
			}
			for _, weOffer := range []bool{true, false} {
				before, counts := ufrag(), []int{recordings[0].count(), recordings[1].count()}
				if weOffer {
					c.offer(&peerconnection.OfferOptions{ICERestart: true})
				} else {
					c.answerWith(nil, map[string]bool{"iceRestart": true})
				}
				if after := ufrag(); after[0] == before[0] || after[1] == before[1] {
					t.Errorf("ICE has started over, and the credentials were %q and are %q", before, after)
				}
				c.until("media goes on", func() bool {
					return recordings[0].count() >= counts[0]+20 && recordings[1].count() >= counts[1]+20
				})
			}
			for i, s := range c.received() {
				in := c.inbound(s.MID)
				recordings[i].end()
				t.Logf("%s: %d packets at the browser, %d lost; %d packets here, %d lost; %v", s.Kind, s.PacketsReceived, s.PacketsLost, in.PacketsReceived, in.PacketsLost, recordings[i])
				const inFlight = 2 * 10 // of two restarts; a fifth of a second of sound, each time, for a machine that runs others
				if s.PacketsLost > inFlight || in.PacketsLost > inFlight || recordings[i].missing > inFlight {
					t.Errorf("%s: of the packets to the browser %d are lost, of those to us %d", s.Kind, s.PacketsLost, in.PacketsLost)
				}
			}
		})
	}
}
