package peerconnection

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/sdp"
)

// What becomes of transceivers in the course of exchanges (RFC 9429, Section 4.1).

// Every direction meets every other, in both roles: what is agreed on is theirs and
// ours, and a transceiver keeps wanting what it wants.
func TestDirections(t *testing.T) {
	all := []Direction{DirectionSendRecv, DirectionSendOnly, DirectionRecvOnly, DirectionInactive}
	for _, offered := range all {
		for _, wanted := range all {
			a, z := quietPeer(t, 1), quietPeer(t, 2)
			x := mustAdd(t, a, KindVideo, &TransceiverInit{Direction: offered})
			offer := offerOf(t, a)
			a.mustSet(t, true, offer)
			z.mustSet(t, false, offer)
			y := z.Transceivers()[0]
			if err := y.SetDirection(wanted); err != nil {
				t.Fatal(err)
			}
			answer := answerOf(t, z)
			z.mustSet(t, true, answer)
			a.mustSet(t, false, answer)
			agreed := offered.bits() & wanted.bits().Reverse()
			if x.CurrentDirection() != directionOf(agreed) || y.CurrentDirection() != directionOf(agreed.Reverse()) {
				t.Errorf("%s meets %s: %s and %s were agreed on", offered, wanted, x.CurrentDirection(), y.CurrentDirection())
			}
			if x.Direction() != offered || y.Direction() != wanted {
				t.Errorf("%s meets %s, and they want %s and %s afterwards", offered, wanted, x.Direction(), y.Direction())
			}
			in, out := a.core.sectionOf(x).settled(), z.core.sectionOf(y).settled()
			for name, got := range map[string][2]bool{
				"a sends":    {len(in.Send) > 0, sends(agreed)},
				"a receives": {len(in.Receive) > 0, receives(agreed)},
				"z receives": {len(out.Receive) > 0, sends(agreed)},
				"z sends":    {len(out.Send) > 0, receives(agreed)},
			} {
				if got[0] != got[1] {
					t.Errorf("%s meets %s: %s is %v", offered, wanted, name, got[0])
				}
			}
			// W3C, Section 4.7.3: the offerer has said what it wants; the answerer may want more.
			more := wanted.bits()&offered.bits().Reverse() != wanted.bits() && sends(wanted.bits()&^offered.bits().Reverse())
			if a.core.negotiationNeeded || z.core.negotiationNeeded != more {
				t.Errorf("%s meets %s: another exchange is needed here: %v, there: %v", offered, wanted, a.core.negotiationNeeded, z.core.negotiationNeeded)
			}
		}
	}
}

// AddTrack takes a transceiver that has not sent yet, its own or one of the peer's offer, and
// makes one when there is none (W3C, Section 5.1).
func TestAddTrackReusesTransceivers(t *testing.T) {
	a, z := quietPeer(t, 1), quietPeer(t, 2)
	mustAdd(t, a, KindAudio, nil)
	mustAdd(t, a, KindVideo, nil)
	z.mustSet(t, false, offerOf(t, a))
	s, err := z.AddTrack(NewTrack(KindVideo, "camera"), "stream")
	if err != nil {
		t.Fatal(err)
	}
	if len(z.Transceivers()) != 2 || s.Transceiver() != z.Transceivers()[1] || s.Transceiver().Direction() != DirectionSendRecv {
		t.Errorf("the track is sent by a transceiver of direction %s of %d", s.Transceiver().Direction(), len(z.Transceivers()))
	}
	if _, err := z.AddTrack(s.Track()); err == nil {
		t.Error("a track is added twice")
	}
	answer := answerOf(t, z)
	wantLines(t, answer, "audio 9 0 recvonly", "video 9 1 sendrecv")
	z.mustSet(t, true, answer)
	// Removed, and replaced by another: the transceiver has sent, and is left alone.
	if err := z.RemoveTrack(s); err != nil {
		t.Fatal(err)
	}
	if d := s.Transceiver().Direction(); d != DirectionRecvOnly || s.Track() != nil {
		t.Errorf("after RemoveTrack the direction is %s and the track %v", d, s.Track())
	}
	again, err := z.AddTrack(NewTrack(KindVideo, "screen"))
	if err != nil || again == s || len(z.Transceivers()) != 3 {
		t.Errorf("%v: there are %d transceivers", err, len(z.Transceivers()))
	}
	if _, err := z.AddTrack(NewTrack(KindVideo, "third")); err != nil || len(z.Transceivers()) != 4 {
		t.Errorf("%v: there are %d transceivers", err, len(z.Transceivers()))
	}
}

// A remote offer takes a transceiver that AddTrack made, and none that AddTransceiver made
// (RFC 9429, Section 5.10).
func TestOfferTakesAddedTracks(t *testing.T) {
	a, z := quietPeer(t, 1), quietPeer(t, 2)
	mustAdd(t, z, KindVideo, nil)
	s, _ := z.AddTrack(NewTrack(KindVideo, "camera"))
	mustAdd(t, a, KindVideo, nil)
	_, answer := exchange(t, a, z)
	wantLines(t, answer, "video 9 0 sendrecv")
	if s.Transceiver().MID() != "0" || z.Transceivers()[0].MID() != "" {
		t.Errorf("the mids are %q and %q", z.Transceivers()[0].MID(), s.Transceiver().MID())
	}
	// The other one is offered now, in a section of its own.
	if !z.core.negotiationNeeded {
		t.Error("the transceiver that is left does not need an exchange")
	}
	offer, _ := exchange(t, z, a)
	wantLines(t, offer, "video 9 0 sendrecv", "video 9 1 sendrecv")
}

// A track is added and removed twenty times by either side, in mid-session: there are never
// more sections than at the height of it.
func TestAddAndRemoveTwentyTimes(t *testing.T) {
	a, z := quietPeer(t, 1), quietPeer(t, 2)
	a.CreateDataChannel("x", nil)
	exchange(t, a, z)
	for i := range 20 {
		from, to := a, z
		if i%2 == 1 {
			from, to = z, a
		}
		s, err := from.AddTrack(NewTrack(KindVideo, fmt.Sprint(i)))
		if err != nil {
			t.Fatal(err)
		}
		exchange(t, from, to)
		if s.Transceiver().CurrentDirection() != DirectionSendOnly {
			t.Fatalf("round %d: %s", i, s.Transceiver().CurrentDirection())
		}
		e, err := to.AcceptTrack(t.Context())
		if err != nil || e.Track.ID() != fmt.Sprint(i) {
			t.Fatalf("round %d: the peer gets %v, %v", i, e.Track, err)
		}
		if err := s.Transceiver().Stop(); err != nil {
			t.Fatal(err)
		}
		// Who stops and who is told offer in turn.
		if i%4 < 2 {
			from, to = to, from
		}
		exchange(t, from, to)
		if n := len(a.Transceivers()) + len(z.Transceivers()); n != 0 {
			t.Fatalf("round %d: %d transceivers are left", i, n)
		}
		if !e.Track.ended {
			t.Fatalf("round %d: the track has not ended", i)
		}
	}
	wantLines(t, *a.LocalDescription(), "application 9 0", "video 0 "+a.core.sections[1].mid)
	if a.core.negotiationNeeded || z.core.negotiationNeeded {
		t.Error("an exchange is needed in the end")
	}
}

// The place of a section that was rejected goes to another, of whatever kind, under a mid
// that was never used (RFC 9429, Section 5.2.2).
func TestSectionsAreRecycled(t *testing.T) {
	a, z := quietPeer(t, 1), quietPeer(t, 2)
	x, y := mustAdd(t, a, KindAudio, nil), mustAdd(t, a, KindVideo, nil)
	exchange(t, a, z)
	x.Stop()
	mustAdd(t, a, KindVideo, nil)
	// Before the peer has agreed to the end of the first, its place is not free.
	offer, _ := exchange(t, a, z)
	wantLines(t, offer, "audio 0 0", "video 9 1 sendrecv", "video 9 2 sendrecv")
	if x.CurrentDirection() != DirectionStopped || slices.Contains(a.Transceivers(), x) || x.SetDirection(DirectionSendRecv) == nil {
		t.Errorf("the stopped transceiver is %s", x.CurrentDirection())
	}
	mustAdd(t, z, KindVideo, nil)
	offer, answer := exchange(t, z, a)
	wantLines(t, offer, "video 9 3 sendrecv", "video 9 1 recvonly", "video 9 2 recvonly")
	wantLines(t, answer, "video 9 3 recvonly", "video 9 1 sendonly", "video 9 2 sendonly")
	// Stopped by both at once.
	y.Stop()
	z.Transceivers()[0].Stop()
	mustAdd(t, a, KindAudio, nil)
	_, answer = exchange(t, a, z)
	if lines := mLines(answer); !slices.Contains(lines, "video 0 1") {
		t.Errorf("the answer has %q", lines)
	}
	exchange(t, z, a)
	if a.core.negotiationNeeded || z.core.negotiationNeeded {
		t.Error("an exchange is needed in the end")
	}
}

// A rejected section ends the transceiver that offered it.
func TestAnswerRejects(t *testing.T) {
	a, z := quietPeer(t, 1), quietPeer(t, 2)
	x := mustAdd(t, a, KindAudio, nil)
	mustAdd(t, a, KindVideo, nil)
	offer := offerOf(t, a)
	a.mustSet(t, true, offer)
	z.mustSet(t, false, offer)
	z.Transceivers()[0].Stop()
	answer := answerOf(t, z)
	wantLines(t, answer, "audio 0 0", "video 9 1 recvonly")
	z.mustSet(t, true, answer)
	a.mustSet(t, false, answer)
	if len(a.Transceivers()) != 1 || x.Direction() != DirectionStopped || x.CurrentDirection() != DirectionStopped {
		t.Errorf("%d transceivers; the rejected one is %s", len(a.Transceivers()), x.Direction())
	}
	if err := x.Sender().ReplaceTrack(NewTrack(KindAudio, "another")); err == nil {
		t.Error("a stopped sender takes a track")
	}
}

// Nothing that was ever stopped before it was offered is offered.
func TestStoppedBeforeItIsOffered(t *testing.T) {
	a, z := quietPeer(t, 1), quietPeer(t, 2)
	x := mustAdd(t, a, KindAudio, nil)
	stale := offerOf(t, a)
	x.Stop()
	if len(a.Transceivers()) != 0 {
		t.Errorf("%d transceivers are left", len(a.Transceivers()))
	}
	wantLines(t, offerOf(t, a))
	// The offer that was made before is set nevertheless: the peer must be told.
	b := quietPeer(t, 1)
	y := mustAdd(t, b, KindAudio, nil)
	stale = offerOf(t, b)
	y.Stop()
	b.mustSet(t, true, stale)
	z.mustSet(t, false, stale)
	answer := answerOf(t, z)
	z.mustSet(t, true, answer)
	b.mustSet(t, false, answer)
	if !b.core.negotiationNeeded {
		t.Error("the peer is not told of the end")
	}
	offer, _ := exchange(t, b, z)
	wantLines(t, offer, "audio 0 0")
	if len(b.Transceivers())+len(z.Transceivers()) != 0 {
		t.Error("transceivers are left")
	}
}

// ReplaceTrack says nothing to the peer, and takes tracks of its kind.
func TestReplaceTrack(t *testing.T) {
	a, z := quietPeer(t, 1), quietPeer(t, 2)
	x := mustAdd(t, a, KindVideo, nil)
	exchange(t, a, z)
	before := offerOf(t, a)
	first, second := x.Sender().Track(), NewTrack(KindVideo, "other")
	if err := x.Sender().ReplaceTrack(second); err != nil {
		t.Fatal(err)
	}
	if len(first.attached()) != 0 || !slices.Equal(second.attached(), []*Sender{x.Sender()}) {
		t.Error("what is written to the tracks goes to the wrong senders")
	}
	if after := offerOf(t, a); after.SDP != before.SDP || a.core.negotiationNeeded {
		t.Error("the description changes with the track")
	}
	if err := x.Sender().ReplaceTrack(NewTrack(KindAudio, "voice")); err == nil {
		t.Error("a sender of video takes audio")
	}
	if err := x.Sender().ReplaceTrack(nil); err != nil || len(second.attached()) != 0 {
		t.Errorf("taking the track away: %v", err)
	}
}

// Two tracks of one id have two in the descriptions: Chromium refuses them otherwise.
func TestTrackIDsAreUnique(t *testing.T) {
	a := quietPeer(t, 1)
	x, y := mustAdd(t, a, KindVideo, nil), mustAdd(t, a, KindVideo, nil)
	if x.Sender().id == y.Sender().id || strings.Count(offerOf(t, a).SDP, x.Sender().id) != 1 {
		t.Errorf("the tracks are %q and %q", x.Sender().id, y.Sender().id)
	}
}

// The end of a connection leaves no track with its senders.
func TestCloseDetachesTracks(t *testing.T) {
	a := quietPeer(t, 1)
	x := mustAdd(t, a, KindVideo, nil)
	track := x.Sender().Track()
	a.Close()
	if len(track.attached()) != 0 || !x.Receiver().Track().ended {
		t.Error("tracks outlive the connection")
	}
	if _, err := a.AcceptTrack(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("accepting a track: %v", err)
	}
	if err := a.NextNegotiationNeeded(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("waiting for negotiation to be needed: %v", err)
	}
	if _, err := a.AddTrack(track); !errors.Is(err, ErrClosed) {
		t.Errorf("adding a track: %v", err)
	}
	if _, err := a.AddTransceiverOf(KindAudio, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("adding a transceiver: %v", err)
	}
}

// A section without a mid is answered without one, and is offered with one later.
func TestPeerWithoutMIDs(t *testing.T) {
	z := quietPeer(t, 2)
	offer := captured(t, "chromium-default-offer.sdp")
	audio, _, _ := strings.Cut(strings.ReplaceAll(offer.SDP, "\r", ""), "m=video")
	audio = strings.Replace(strings.Replace(audio, "a=mid:0\n", "", 1), "a=group:BUNDLE 0 1 2\n", "", 1)
	z.mustSet(t, false, SessionDescription{SDPTypeOffer, audio})
	answer := answerOf(t, z)
	if strings.Contains(answer.SDP, "a=mid") || strings.Contains(answer.SDP, "a=group") {
		t.Errorf("the answer names what the offer does not:\n%s", answer.SDP)
	}
	z.mustSet(t, true, answer)
	wantLines(t, offerOf(t, z), "audio 9 0 recvonly")
	if s, err := sdp.Parse(offerOf(t, z).SDP); err != nil || s.BundleTag() == nil {
		t.Errorf("the next offer has no bundle: %v", err)
	}
}

// When the last section goes, so does the transport; when there is one again, there is
// another transport, and the connection is the same.
func TestLastSectionGoes(t *testing.T) {
	ctx := within(t, 60*time.Second)
	a, z := newPeer(t, Config{}), newPeer(t, Config{})
	for i := range 3 {
		from, to := a, z
		if i == 1 {
			from, to = z, a
		}
		x, err := from.AddTransceiverOf(KindAudio, nil)
		if err != nil {
			t.Fatal(err)
		}
		signal(t, ctx, from, to, nil)
		for _, pc := range []*PeerConnection{a, z} {
			if err := pc.WaitConnected(ctx); err != nil {
				t.Fatal(err)
			}
		}
		// The data channels' section goes as well, when the peer rejects it: here there is none.
		if err := x.Stop(); err != nil {
			t.Fatal(err)
		}
		signal(t, ctx, to, from, nil) // who has stopped answers
		if a.ConnectionState() != ConnectionNew || z.ConnectionState() != ConnectionNew || a.Err() != nil {
			t.Errorf("round %d: the states are %v and %v", i, a.ConnectionState(), z.ConnectionState())
		}
	}
	da, dz := connect(t, ctx, a, z)
	if err := da.SendText("still there"); err != nil {
		t.Fatal(err)
	}
	if m, err := dz.ReadMessage(ctx); err != nil || string(m.Data) != "still there" {
		t.Errorf("%q, %v", m.Data, err)
	}
}
