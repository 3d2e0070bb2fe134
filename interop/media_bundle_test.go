package interop

import (
	"fmt"
	"slices"
	"testing"

	"github.com/plainrtc/plainrtc/peerconnection"
)

// Whatever each side says of peers that may not bundle, everything goes over one transport
// in the end, and comes back.
func TestBundlePolicies(t *testing.T) {
	for _, name := range []string{"Chromium", "Firefox"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			page := openMediaPage(t, name)
			for _, policy := range []peerconnection.BundlePolicy{peerconnection.BundleBalanced, peerconnection.BundleMaxCompat, peerconnection.BundleMaxBundle} {
				for _, weOffer := range []bool{false, true} {
					t.Run(fmt.Sprintf("%s, we offer: %v", policy, weOffer), func(t *testing.T) {
						c := newMediaCall(t, page, peerconnection.Config{BundlePolicy: policy})
						c.do(&c.id, `return newCall({bundlePolicy: args[0]})`, policy)
						if weOffer {
							for _, kind := range []peerconnection.Kind{audio, video, audio} {
								if _, err := c.pc.AddTransceiverOf(kind, nil); err != nil {
									t.Fatal(err)
								}
							}
							c.do(nil, `pc.answering = async () => {
								for (const t of pc.getTransceivers()) {
									t.direction = "sendrecv";
									await t.sender.replaceTrack(stream.getTracks().find(s => s.kind === t.receiver.track.kind).clone());
								}
							}`)
							c.echo()
							c.offer(nil)
						} else {
							c.do(nil, `for (const kind of ["audio", "video", "audio"]) pc.addTransceiver(stream.getTracks().find(t => t.kind === kind).clone())`)
							c.answerWith(c.echo)
						}
						c.connected()
						c.until("all three come back", func() bool {
							all := c.received()
							return len(all) == 3 && !slices.ContainsFunc(all, func(s pageStream) bool { return s.PacketsReceived < 5 })
						})
						var transports int
						c.do(&transports, `return new Set(pc.getTransceivers().map(t => t.sender.transport)).size`)
						if transports != 1 {
							t.Errorf("the browser has %d transports", transports)
						}
					})
				}
			}
		})
	}
}

// A browser sends as soon as it has answered. What arrives before its answer does is
// received: in a section that the call did not have before.
func TestMediaBeforeTheAnswer(t *testing.T) {
	for _, name := range []string{"Chromium", "Firefox"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newMediaCall(t, openMediaPage(t, name), peerconnection.Config{})
			c.do(nil, `pc.addTransceiver(stream.getAudioTracks()[0])`)
			c.answerWith(c.echo)
			c.connected()
			x, err := c.pc.AddTransceiverOf(video, &peerconnection.TransceiverInit{Direction: peerconnection.DirectionRecvOnly})
			if err != nil {
				t.Fatal(err)
			}
			if err := c.pc.SetLocalDescription(peerconnection.SessionDescription{}); err != nil {
				t.Fatal(err)
			}
			if c.pc.PendingLocalDescription() == nil || c.pc.CurrentLocalDescription() == nil || c.pc.PendingRemoteDescription() != nil {
				t.Error("our offer is not the pending description, beside the one in force")
			}
			var answer string
			c.do(&answer, `
				await pc.setRemoteDescription({type: "offer", sdp: args[0]});
				const t = pc.getTransceivers().find(t => t.receiver.track.kind === "video");
				t.direction = "sendonly";
				await t.sender.replaceTrack(stream.getVideoTracks()[0]);
				await pc.setLocalDescription();
				return pc.localDescription.sdp;`, c.pc.LocalDescription().SDP)
			c.arrives(x.Receiver().Track())
			if state := c.pc.SignalingState(); state != peerconnection.SignalingHaveLocalOffer {
				t.Errorf("the state is %v", state)
			}
			c.theirs(peerconnection.SDPTypeAnswer, answer)
			c.arrives(x.Receiver().Track())
			if c.pc.PendingLocalDescription() != nil || x.CurrentDirection() != peerconnection.DirectionRecvOnly {
				t.Errorf("after the answer the direction is %s, and there is an offer: %v", x.CurrentDirection(), c.pc.PendingLocalDescription() != nil)
			}
			if in := c.inbound(x.MID()); in.PacketsLost != 0 {
				t.Errorf("%d packets are lost", in.PacketsLost)
			}
		})
	}
}
