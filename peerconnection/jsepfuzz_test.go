package peerconnection

import (
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/plainrtc/plainrtc/dtls"
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
		converse(t, quietPeer(t, 1), first, second, what)
	})
}

// converse is what the peer says, and what we do in between, by the bits of what.
func converse(t *testing.T, z *PeerConnection, first, second string, what uint8) {
	now := simStart
	c := &z.core
	z.isClosed = true // the shell sets no timer: time stands still
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
			if what&128 != 0 { // another takes its place
				c.setRemoteDescription(now, SessionDescription{SDPTypeOffer, second})
			}
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
}

// Lines of real offers, in places where they do not belong.
func TestShuffledDescriptions(t *testing.T) {
	certificate, err := dtls.GenerateCertificate(rand.NewChaCha8([32]byte{}), simStart)
	if err != nil {
		t.Fatal(err)
	}
	var offers [][]string
	var pool []string
	for _, name := range []string{"chromium-default-offer.sdp", "firefox-default-offer.sdp", "simulcast-offer.sdp"} {
		lines := strings.Split(strings.TrimSpace(strings.ReplaceAll(captured(t, name).SDP, "\r", "")), "\n")
		lines = slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, "a=candidate:") })
		offers = append(offers, lines)
		pool = append(pool, lines[4:]...)
	}
	taken := 0
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(1, seed))
		shuffled := func() string {
			lines := slices.Clone(offers[r.IntN(len(offers))])
			for range r.IntN(20) {
				i := 4 + r.IntN(len(lines)-4)
				line := pool[r.IntN(len(pool))]
				switch r.IntN(6) {
				case 0:
					lines = slices.Delete(lines, i, i+1)
				case 1, 2:
					lines = slices.Insert(lines, i, line)
				case 3:
					lines[i] = digits.ReplaceAllStringFunc(lines[i], func(n string) string {
						return []string{n, n, "0", "1", "96", "97", "64", "111", "255"}[r.IntN(9)]
					})
				case 4:
					lines = slices.Insert(lines, i, lines[i])
				case 5:
					lines[i] = []string{"a=inactive", "a=recvonly", "a=sendonly", "a=bundle-only", "a=rid:x send", "a=simulcast:send x;q;q recv thumb", "m=video 0 UDP/TLS/RTP/SAVPF 96"}[r.IntN(7)]
				}
			}
			return strings.Join(lines, "\n") + "\n"
		}
		z, err := New(Config{Rand: rand.NewChaCha8([32]byte{1}), Certificate: certificate})
		if err != nil {
			t.Fatal(err)
		}
		first, second := shuffled(), shuffled()
		if r.IntN(2) == 0 {
			second = first
		}
		converse(t, z, first, second, uint8(r.Uint32()))
		if z.RemoteDescription() != nil {
			taken++
		}
		if t.Failed() {
			t.Fatalf("seed %d: first\n%s\nsecond\n%s", seed, first, second)
		}
	}
	if taken < 40 {
		t.Errorf("only %d descriptions of 400 were taken: this test tests nothing", taken)
	}
	t.Logf("%d were taken", taken)
}

var digits = regexp.MustCompile(`\b[0-9]{1,3}\b`)

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
