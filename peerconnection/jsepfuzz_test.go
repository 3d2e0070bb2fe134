package peerconnection

import (
	"strings"
	"testing"

	"github.com/plainrtc/plainrtc/sdp"
)

// FuzzMediaDescriptions is a peer that says anything at all: as its offer, as a second offer, as the
// answer to ours, with transceivers of our own in between. Nothing panics, whatever was
// taken can be answered, and what we say ourselves can be read.
func FuzzMediaDescriptions(f *testing.F) {
	for _, name := range []string{"chromium-default-offer.sdp", "firefox-default-offer.sdp", "simulcast-offer.sdp"} {
		text := strings.ReplaceAll(captured(f, name).SDP, "\r", "")
		f.Add(text, text, uint8(0))
		f.Add(text, strings.Replace(text, "m=audio 9", "m=audio 0", 1), uint8(7))
	}
	f.Fuzz(func(t *testing.T, first, second string, what uint8) {
		z, now := quietPeer(t, 1), simStart
		c := &z.core
		if what&1 != 0 {
			z.AddTransceiverOf(KindVideo, &TransceiverInit{SendEncodings: []EncodingParameters{{RID: "q"}, {RID: "h"}}})
		}
		if what&2 != 0 {
			z.AddTrack(NewTrack(KindAudio, "voice"))
		}
		if what&4 != 0 {
			z.CreateDataChannel("x", nil)
		}
		for _, text := range []string{first, second} {
			if c.setRemoteDescription(now, SessionDescription{SDPTypeOffer, text}) == nil {
				if what&8 != 0 {
					z.AddTrack(NewTrack(KindVideo, "camera"))
				}
				for _, x := range c.transceivers {
					x.direction = DirectionSendRecv
				}
				if what&16 != 0 && len(c.transceivers) > 0 {
					c.stopTransceiver(now, c.transceivers[0])
				}
				if what&32 != 0 {
					if err := c.rollback(now); err != nil {
						t.Fatalf("an offer can't be taken back: %v", err)
					}
				} else {
					readable(t, c.createAnswer)
					if err := c.setLocalDescription(now, SessionDescription{}); err != nil {
						t.Fatalf("an offer is taken that can't be answered: %v", err)
					}
				}
			}
			readable(t, func() (SessionDescription, error) { return c.createOffer(nil) })
			if err := c.setLocalDescription(now, SessionDescription{}); err != nil {
				t.Fatalf("our offer is not taken: %v", err)
			}
			typ := SDPTypeAnswer
			if what&64 != 0 {
				typ = SDPTypeProvisionalAnswer
			}
			c.setRemoteDescription(now, SessionDescription{typ, text})
			if what&64 != 0 {
				c.setRemoteDescription(now, SessionDescription{SDPTypeAnswer, second})
			}
			if c.signaling == SignalingHaveRemotePranswer {
				return
			}
			if c.signaling != SignalingStable {
				if err := c.rollback(now); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

// readable makes a description and reads it back.
func readable(t *testing.T, make func() (SessionDescription, error)) {
	t.Helper()
	d, err := make()
	if err != nil {
		t.Fatalf("no description can be made: %v", err)
	}
	s, err := sdp.Parse(d.SDP)
	if err != nil {
		t.Fatalf("our description can't be read: %v\n%s", err, d.SDP)
	}
	if s.String() != d.SDP {
		t.Fatalf("our description is read as\n%s\nand was\n%s", s.String(), d.SDP)
	}
	checkOneMeaning(t, s)
}

// checkOneMeaning checks that no payload type and no header extension's id has two
// meanings in a bundle of ours.
func checkOneMeaning(t *testing.T, s *sdp.Session) {
	t.Helper()
	meanings, ids := map[uint8]string{}, map[uint16]string{}
	for i := range s.Media {
		m := &s.Media[i]
		if m.Rejected() {
			continue
		}
		for _, c := range readCodecs(m) {
			claim := func(pt uint8, key string) {
				if was, ok := meanings[pt]; ok && was != key {
					t.Errorf("payload type %d means %q and %q", pt, was, key)
				}
				meanings[pt] = key
			}
			claim(c.payloadType, c.key)
			if c.rtx != 0 {
				claim(c.rtx, rtxKey(c.payloadType))
			}
		}
		for x := range m.Extmaps() {
			if was, ok := ids[x.ID]; ok && was != x.URI {
				t.Errorf("id %d means %q and %q", x.ID, was, x.URI)
			}
			ids[x.ID] = x.URI
		}
	}
}
