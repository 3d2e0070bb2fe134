package interop

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/peerconnection"
	"github.com/plainrtc/plainrtc/rtp/mediafile"
)

// What changes in mid-call, with a sound that goes on all the while and of which no
// packet is lost.
func TestRenegotiationInMidCall(t *testing.T) {
	clip := clipNamed(t, "vp8.ivf")
	frames := readClip(t, clip, encoded(t, clip))
	for _, name := range []string{"Chromium", "Firefox"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			page := openMediaPage(t, name)
			for _, test := range []struct {
				name string
				run  func(c *mediaCall, frames []mediafile.Frame)
			}{{"tracks", tracksComeAndGo}, {"directions", directionsChange}, {"glare", offersCross}, {"rollback", offersAreTakenBack}} {
				t.Run(test.name, func(t *testing.T) {
					c := newMediaCall(t, page, peerconnection.Config{})
					c.do(nil, `pc.addTransceiver(stream.getAudioTracks()[0])`)
					c.answerWith(c.echo)
					c.connected()
					c.until("sound comes back", func() bool { s := c.received(); return len(s) == 1 && s[0].PacketsReceived > 5 })

					test.run(c, frames)

					before := c.received()[0].PacketsReceived
					c.until("sound goes on", func() bool { return c.received()[0].PacketsReceived > before+5 })
					sound := c.received()[0]
					if in := c.inbound(sound.MID); in.PacketsLost != 0 || sound.PacketsLost != 0 {
						t.Errorf("of the sound %d packets are lost here, and %d there", in.PacketsLost, sound.PacketsLost)
					}
				})
			}
		})
	}
}

// newest is the transceiver that was made last.
func (c *mediaCall) newest() *peerconnection.Transceiver {
	all := c.pc.Transceivers()
	return all[len(all)-1]
}

// arrives waits for some of the frames that the page sends on a track.
func (c *mediaCall) arrives(track *peerconnection.Track) {
	c.t.Helper()
	for range 3 {
		if _, err := track.ReadFrame(c.ctx); err != nil {
			c.t.Fatalf("the page's track does not arrive: %v", err)
		}
	}
}

// isSeen waits until the page has decoded some of the frames of a section, beyond those
// that it had.
func (c *mediaCall) isSeen(mid string) {
	c.t.Helper()
	c.until("the page sees section "+mid, func() bool {
		return slices.ContainsFunc(c.received(), func(s pageStream) bool { return s.MID == mid && s.FramesDecoded >= 3 })
	})
}

// Twenty times one side adds a track, which the other one sees, and takes it away.
func tracksComeAndGo(c *mediaCall, frames []mediafile.Frame) {
	for i := range 20 {
		ours, stop := i%2 == 0, i >= 10
		if ours {
			track := peerconnection.NewTrack(video, fmt.Sprint("ours-", i))
			sender, err := c.pc.AddTrack(track, "stream")
			if err != nil {
				c.t.Fatal(err)
			}
			c.offer(nil)
			go perform(c.ctx, track, frames)
			c.isSeen(sender.Transceiver().MID())
			if stop {
				err = sender.Transceiver().Stop()
			} else {
				err = c.pc.RemoveTrack(sender)
			}
			if err != nil {
				c.t.Fatal(err)
			}
			c.offer(nil)
			continue
		}
		c.do(nil, `pc.added = pc.addTrack(stream.getVideoTracks()[0].clone(), stream)`)
		c.answerWith(nil)
		var track *peerconnection.Track
		for track == nil || track.Kind() != video {
			e, err := c.pc.AcceptTrack(c.ctx)
			if err != nil {
				c.t.Fatal(err)
			}
			track = e.Track
		}
		c.arrives(track)
		c.do(nil, `
			if (args[0]) pc.getTransceivers().find(t => t.sender === pc.added).stop();
			else pc.removeTrack(pc.added);`, stop)
		c.answerWith(nil)
	}
	// The places of those that were stopped were taken again.
	if n := strings.Count(c.pc.LocalDescription().SDP, "m=video"); n > 11 {
		c.t.Errorf("after twenty tracks there are %d sections for video", n)
	}
}

// Either side turns either way off and on again; packets follow.
func directionsChange(c *mediaCall, frames []mediafile.Frame) {
	track := peerconnection.NewTrack(video, "ours")
	c.do(nil, `pc.video = pc.addTransceiver(stream.getVideoTracks()[0].clone())`)
	c.answerWith(func() {
		x := c.newest()
		if err := x.Sender().ReplaceTrack(track); err != nil {
			c.t.Fatal(err)
		}
		if err := x.SetDirection(peerconnection.DirectionSendRecv); err != nil {
			c.t.Fatal(err)
		}
	})
	x := c.newest()
	go perform(c.ctx, track, frames)
	c.arrives(x.Receiver().Track())
	c.isSeen(x.MID())
	counts := func() (in, out int) {
		for _, s := range c.pc.Stats().InboundRTP {
			if s.MID == x.MID() {
				in = int(s.PacketsReceived)
			}
		}
		for _, s := range c.received() {
			if s.MID == x.MID() {
				out = s.PacketsReceived
			}
		}
		return in, out
	}
	for i, direction := range []peerconnection.Direction{
		peerconnection.DirectionRecvOnly, peerconnection.DirectionSendOnly, peerconnection.DirectionInactive, peerconnection.DirectionSendRecv,
		peerconnection.DirectionSendOnly, peerconnection.DirectionRecvOnly, peerconnection.DirectionSendRecv,
	} {
		// The one that offers has its way as long as the other is ready for all.
		if i%2 == 0 {
			c.do(nil, `pc.video.direction = "sendrecv"`)
			if err := x.SetDirection(direction); err != nil {
				c.t.Fatal(err)
			}
			c.offer(nil)
		} else {
			if err := x.SetDirection(peerconnection.DirectionSendRecv); err != nil {
				c.t.Fatal(err)
			}
			c.do(nil, `pc.video.direction = args[0]`, reversed(string(direction)))
			c.answerWith(nil)
		}
		var theirs string
		c.do(&theirs, `return pc.video.currentDirection`)
		if x.CurrentDirection() != direction || theirs != reversed(string(direction)) {
			c.t.Errorf("the directions are %s here and %s there, want %s", x.CurrentDirection(), theirs, direction)
		}
		in, out := counts()
		if direction == peerconnection.DirectionSendRecv || direction == peerconnection.DirectionRecvOnly {
			c.until("video comes, "+string(direction), func() bool { n, _ := counts(); return n > in+5 })
		}
		if direction == peerconnection.DirectionSendRecv || direction == peerconnection.DirectionSendOnly {
			c.until("video goes, "+string(direction), func() bool { _, n := counts(); return n > out+5 })
		}
		// What was on its way may come, and nothing after it.
		c.until("video rests, "+string(direction), func() bool {
			in, out := counts()
			time.Sleep(300 * time.Millisecond)
			nowIn, nowOut := counts()
			return (nowIn == in || direction == peerconnection.DirectionSendRecv || direction == peerconnection.DirectionRecvOnly) &&
				(nowOut == out || direction == peerconnection.DirectionSendRecv || direction == peerconnection.DirectionSendOnly)
		})
	}
}

// Both sides offer a track at once. The polite one gives way (W3C, perfect negotiation): first
// the page, then we.
func offersCross(c *mediaCall, frames []mediafile.Frame) {
	for _, weAreIn := range []bool{true, false} {
		track := peerconnection.NewTrack(video, fmt.Sprint("ours-", weAreIn))
		x, err := c.pc.AddTransceiver(track, nil)
		if err != nil {
			c.t.Fatal(err)
		}
		if err := c.pc.SetLocalDescription(peerconnection.SessionDescription{}); err != nil {
			c.t.Fatal(err)
		}
		var theirs string
		c.do(&theirs, `
			pc.addTransceiver(stream.getVideoTracks()[0].clone());
			await pc.setLocalDescription();
			return pc.signalingState + "\n" + pc.localDescription.sdp;`)
		state, offer, _ := strings.Cut(theirs, "\n")
		if state != "have-local-offer" || c.pc.SignalingState() != peerconnection.SignalingHaveLocalOffer {
			c.t.Fatalf("the states are %s there and %v here", state, c.pc.SignalingState())
		}
		if weAreIn {
			var answer string
			c.do(&answer, `
				await pc.setRemoteDescription({type: "offer", sdp: args[0]});
				await pc.setLocalDescription();
				return pc.localDescription.sdp;`, c.pc.LocalDescription().SDP)
			c.theirs(peerconnection.SDPTypeAnswer, answer)
			c.answerWith(nil) // what it had offered it has to offer again
		} else {
			c.theirs(peerconnection.SDPTypeOffer, offer)
			if err := c.pc.SetLocalDescription(peerconnection.SessionDescription{}); err != nil {
				c.t.Fatal(err)
			}
			c.do(nil, `await pc.setRemoteDescription({type: "answer", sdp: args[0]})`, c.pc.LocalDescription().SDP)
			if err := c.pc.NextNegotiationNeeded(c.ctx); err != nil {
				c.t.Fatal(err)
			}
			c.offer(nil) // and so have we
		}
		go perform(c.ctx, track, frames)
		c.isSeen(x.MID())
		for {
			e, err := c.pc.AcceptTrack(c.ctx)
			if err != nil {
				c.t.Fatal(err)
			}
			if e.Track.Kind() == video {
				c.arrives(e.Track)
				break
			}
		}
	}
}

// An offer with a track is taken back, ours and theirs, and nothing has changed. Then it
// is made again and holds.
func offersAreTakenBack(c *mediaCall, frames []mediafile.Frame) {
	before := c.pc.LocalDescription().SDP
	track := peerconnection.NewTrack(video, "ours")
	sender, err := c.pc.AddTrack(track)
	if err != nil {
		c.t.Fatal(err)
	}
	for range 3 {
		if err := c.pc.SetLocalDescription(peerconnection.SessionDescription{}); err != nil {
			c.t.Fatal(err)
		}
		c.do(nil, `
			await pc.setRemoteDescription({type: "offer", sdp: args[0]});
			await pc.setRemoteDescription({type: "rollback"});
			if (pc.getTransceivers().length != 1) throw new Error("there are " + pc.getTransceivers().length + " transceivers")`, c.pc.LocalDescription().SDP)
		if err := c.pc.SetLocalDescription(peerconnection.SessionDescription{Type: peerconnection.SDPTypeRollback}); err != nil {
			c.t.Fatal(err)
		}
		if now := c.pc.LocalDescription().SDP; strings.Count(now, "m=") != strings.Count(before, "m=") {
			c.t.Errorf("after the rollback our description is\n%s", now)
		}
	}
	for range 3 {
		var offer string
		c.do(&offer, `
			pc.extra ??= pc.addTrack(stream.getVideoTracks()[0].clone(), stream);
			await pc.setLocalDescription();
			return pc.localDescription.sdp;`)
		c.theirs(peerconnection.SDPTypeOffer, offer)
		if err := c.pc.SetRemoteDescription(peerconnection.SessionDescription{Type: peerconnection.SDPTypeRollback}); err != nil {
			c.t.Fatal(err)
		}
		c.do(nil, `await pc.setLocalDescription({type: "rollback"})`)
	}
	c.offer(nil)
	go perform(c.ctx, track, frames)
	c.isSeen(sender.Transceiver().MID())
}
