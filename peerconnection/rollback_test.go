package peerconnection

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
)

// Offers taken back, and offers that cross (RFC 9429, Section 4.1.10.2; W3C, Section
// 10.7, "perfect negotiation").

// A local offer taken back leaves transceivers, without their mids, and the next offer has them.
func TestLocalRollback(t *testing.T) {
	a, z := quietPeer(t, 1), quietPeer(t, 2)
	x := mustAdd(t, a, KindAudio, nil)
	exchange(t, a, z)
	y := mustAdd(t, a, KindVideo, nil)
	first := offerOf(t, a)
	a.mustSet(t, true, first)
	if y.MID() != "1" || a.CurrentLocalDescription() == nil || a.PendingLocalDescription().SDP != first.SDP {
		t.Errorf("mid %q; the descriptions are not where they should be", y.MID())
	}
	a.mustSet(t, true, SessionDescription{Type: SDPTypeRollback})
	if x.MID() != "0" || y.MID() != "" || len(a.Transceivers()) != 2 || a.PendingLocalDescription() != nil || y.configured != "" {
		t.Errorf("after the rollback: mids %q and %q, %d transceivers, pending %v", x.MID(), y.MID(), len(a.Transceivers()), a.PendingLocalDescription())
	}
	if !a.core.negotiationNeeded {
		t.Error("the offer taken back is forgotten")
	}
	offer, _ := exchange(t, a, z)
	wantLines(t, offer, "audio 9 0 sendrecv", "video 9 1 sendrecv")
}

// What was stopped while it was offered is gone when the offer is taken back.
func TestStoppedAndRolledBack(t *testing.T) {
	a, z := quietPeer(t, 1), quietPeer(t, 2)
	exchange(t, a, z)
	x := mustAdd(t, a, KindAudio, nil)
	a.mustSet(t, true, offerOf(t, a))
	x.Stop()
	a.mustSet(t, true, SessionDescription{Type: SDPTypeRollback})
	if len(a.Transceivers()) != 0 || a.core.negotiationNeeded {
		t.Errorf("%d transceivers, an exchange is needed: %v", len(a.Transceivers()), a.core.negotiationNeeded)
	}
	wantLines(t, offerOf(t, a))
}

// A remote offer taken back takes along the transceivers that it made, but for those that
// have been given a track.
func TestRemoteRollback(t *testing.T) {
	a, z := quietPeer(t, 1), quietPeer(t, 2)
	mustAdd(t, a, KindAudio, nil)
	mustAdd(t, a, KindVideo, nil)
	z.mustSet(t, false, offerOf(t, a))
	s, err := z.AddTrack(NewTrack(KindVideo, "camera"))
	if err != nil {
		t.Fatal(err)
	}
	made := z.Transceivers()
	z.mustSet(t, false, SessionDescription{Type: SDPTypeRollback})
	if left := z.Transceivers(); len(left) != 1 || left[0] != s.Transceiver() || left[0].MID() != "" || len(z.core.unacceptedTracks) != 0 {
		t.Errorf("%d transceivers are left, with the mid %q; %d tracks to accept", len(left), left[0].MID(), len(z.core.unacceptedTracks))
	}
	if made[0].Direction() != DirectionStopped || !made[0].Receiver().Track().ended {
		t.Error("the transceiver that went goes on")
	}
	offer, _ := exchange(t, z, a)
	wantLines(t, offer, "video 9 0 sendrecv")
	// a has offered nothing yet, and still wants to.
	offer, _ = exchange(t, a, z)
	wantLines(t, offer, "video 9 0 recvonly", "audio 9 1 sendrecv", "video 9 2 sendrecv")
}

// An offer that takes the place of another keeps the transceivers of the sections that both have.
func TestOfferReplacesOffer(t *testing.T) {
	a, z := quietPeer(t, 1), quietPeer(t, 2)
	mustAdd(t, a, KindAudio, nil)
	mustAdd(t, a, KindVideo, nil)
	first := offerOf(t, a)
	a.mustSet(t, true, first)
	z.mustSet(t, false, first)
	made := z.Transceivers()
	made[0].SetDirection(DirectionSendRecv)
	mustAdd(t, a, KindVideo, nil)
	second := offerOf(t, a)
	a.mustSet(t, true, second)
	z.mustSet(t, false, second)
	if now := z.Transceivers(); len(now) != 3 || now[0] != made[0] || now[1] != made[1] || len(z.core.unacceptedTracks) != 3 {
		t.Errorf("%d transceivers, %d tracks", len(now), len(z.core.unacceptedTracks))
	}
	answer := answerOf(t, z)
	wantLines(t, answer, "audio 9 0 sendrecv", "video 9 1 recvonly", "video 9 2 recvonly")
	// Another, shorter one; and all taken back at once.
	y := quietPeer(t, 3)
	y.mustSet(t, false, second)
	y.mustSet(t, false, first)
	if now := y.Transceivers(); len(now) != 2 || len(y.core.unacceptedTracks) != 2 {
		t.Errorf("%d transceivers, %d tracks", len(now), len(y.core.unacceptedTracks))
	}
	y.mustSet(t, false, SessionDescription{Type: SDPTypeRollback})
	if now := y.Transceivers(); len(now) != 0 || len(y.core.unacceptedTracks) != 0 {
		t.Errorf("%d transceivers, %d tracks", len(now), len(y.core.unacceptedTracks))
	}
	z.mustSet(t, true, answer)
	a.mustSet(t, false, answer)
}

// A rollback gives back what the peer was sending before.
func TestRollbackOfDirections(t *testing.T) {
	a, z := quietPeer(t, 1), quietPeer(t, 2)
	x := mustAdd(t, a, KindVideo, &TransceiverInit{Streams: []string{"one"}})
	exchange(t, a, z)
	z.AcceptTrack(t.Context())
	y := z.Transceivers()[0]
	x.SetDirection(DirectionInactive)
	a.mustSet(t, true, offerOf(t, a))
	z.mustSet(t, false, *a.LocalDescription())
	if y.receiving || len(y.streams) != 0 {
		t.Error("the offer takes the track away, and it goes on")
	}
	z.mustSet(t, false, SessionDescription{Type: SDPTypeRollback})
	a.mustSet(t, true, SessionDescription{Type: SDPTypeRollback})
	if !y.receiving || !slices.Equal(y.streams, []string{"one"}) || y.CurrentDirection() != DirectionRecvOnly || len(z.core.unacceptedTracks) != 0 {
		t.Errorf("after the rollback: receiving %v of %q, %s", y.receiving, y.streams, y.CurrentDirection())
	}
	if len(z.core.sectionOf(y).settled().Receive) == 0 {
		t.Error("nothing can be received any more")
	}
}

// Rollback is for offers alone.
func TestRollbackInOtherStates(t *testing.T) {
	a, z := quietPeer(t, 1), quietPeer(t, 2)
	rollback := SessionDescription{Type: SDPTypeRollback}
	if a.SetLocalDescription(rollback) == nil || a.SetRemoteDescription(rollback) == nil {
		t.Error("there is nothing to roll back")
	}
	mustAdd(t, a, KindAudio, nil)
	offer := offerOf(t, a)
	a.mustSet(t, true, offer)
	z.mustSet(t, false, offer)
	answer := answerOf(t, z)
	answer.Type = SDPTypeProvisionalAnswer
	z.mustSet(t, true, answer)
	a.mustSet(t, false, answer)
	for _, pc := range []*PeerConnection{a, z} {
		if pc.SetLocalDescription(rollback) == nil || pc.SetRemoteDescription(rollback) == nil {
			t.Error("a provisional answer is rolled back")
		}
	}
}

// Offers cross. The polite side's is taken back for the other's, tracks and all, and comes
// after it.
func TestGlareOfMedia(t *testing.T) {
	polite, impolite := quietPeer(t, 1), quietPeer(t, 2)
	mine, _ := polite.AddTrack(NewTrack(KindVideo, "polite"))
	theirs, _ := impolite.AddTrack(NewTrack(KindVideo, "impolite"))
	voice := mustAdd(t, polite, KindAudio, nil)
	polite.mustSet(t, true, offerOf(t, polite))
	impolite.mustSet(t, true, offerOf(t, impolite))
	if err := impolite.SetRemoteDescription(SessionDescription{SDPTypeAnswer, polite.LocalDescription().SDP}); err == nil {
		t.Error("an offer is taken for an answer")
	}
	polite.mustSet(t, false, *impolite.LocalDescription())
	answer := answerOf(t, polite)
	wantLines(t, answer, "video 9 0 sendrecv")
	polite.mustSet(t, true, answer)
	impolite.mustSet(t, false, answer)
	if mine.Transceiver().MID() != "0" || theirs.Transceiver().MID() != "0" || voice.MID() != "" {
		t.Errorf("mids %q, %q and %q", mine.Transceiver().MID(), theirs.Transceiver().MID(), voice.MID())
	}
	if !polite.core.negotiationNeeded || impolite.core.negotiationNeeded {
		t.Errorf("an exchange is needed by the polite side: %v, the impolite: %v", polite.core.negotiationNeeded, impolite.core.negotiationNeeded)
	}
	offer, _ := exchange(t, polite, impolite)
	wantLines(t, offer, "video 9 0 sendrecv", "audio 9 1 sendrecv")
}

// A negotiator is the W3C's example of perfect negotiation.
type negotiator struct {
	pc      *PeerConnection
	polite  bool
	in, out chan SessionDescription
	offers  int
}

// set is SetLocalDescription or SetRemoteDescription without sockets.
func (n *negotiator) set(local bool, d SessionDescription) error {
	now := n.pc.enter()
	defer n.pc.leave(now)
	if local {
		return n.pc.core.setLocalDescription(now, d)
	}
	return n.pc.core.setRemoteDescription(now, d)
}

// run carries on until the context ends. The W3C's makingOffer is the time between two
// calls; here both are one.
func (n *negotiator) run(ctx context.Context) error {
	needed := make(chan error, 1)
	wait := func() { needed <- n.pc.NextNegotiationNeeded(ctx) }
	go wait()
	for {
		select {
		case err := <-needed:
			if err != nil {
				return err
			}
			if n.pc.SignalingState() == SignalingStable {
				n.offers++
				if err := n.set(true, SessionDescription{}); err != nil {
					return err
				}
				n.out <- *n.pc.LocalDescription()
			}
			go wait()
		case d := <-n.in:
			if collision := d.Type == SDPTypeOffer && n.pc.SignalingState() != SignalingStable; collision && !n.polite {
				continue
			}
			if err := n.set(false, d); err != nil {
				return err
			}
			if d.Type == SDPTypeOffer {
				if err := n.set(true, SessionDescription{}); err != nil {
					return err
				}
				n.out <- *n.pc.LocalDescription()
			}
		}
	}
}

// Both sides add, stop, and turn round at any time, each with the loop that applications have,
// and end with the same view.
func TestPerfectNegotiation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		ab, ba := make(chan SessionDescription, 100), make(chan SessionDescription, 100)
		a := &negotiator{pc: quietPeer(t, 1), polite: true, in: ba, out: ab}
		z := &negotiator{pc: quietPeer(t, 2), in: ab, out: ba}
		errs := make(chan error, 2)
		for _, n := range []*negotiator{a, z} {
			go func() { errs <- n.run(ctx) }()
		}
		for i := range 10 {
			// Both at once, so that their offers cross.
			for j, n := range []*negotiator{a, z} {
				kind := []Kind{KindAudio, KindVideo}[(i+j)%2]
				x, err := n.pc.AddTransceiverOf(kind, nil)
				if err != nil {
					t.Fatal(err)
				}
				if i%3 == 2 {
					n.pc.Transceivers()[0].Stop()
				}
				if i%4 == 1 {
					x.SetDirection(DirectionRecvOnly)
				}
			}
			synctest.Wait()
		}
		if a.pc.SignalingState() != SignalingStable || z.pc.SignalingState() != SignalingStable || a.pc.core.negotiationNeeded || z.pc.core.negotiationNeeded {
			t.Errorf("in the end: %v and %v, needed: %v and %v", a.pc.SignalingState(), z.pc.SignalingState(), a.pc.core.negotiationNeeded, z.pc.core.negotiationNeeded)
		}
		mids := map[string]Direction{}
		for _, x := range a.pc.Transceivers() {
			mids[x.MID()] = directionOf(x.CurrentDirection().bits().Reverse())
		}
		for _, x := range z.pc.Transceivers() {
			if d, ok := mids[x.MID()]; !ok || d != x.CurrentDirection() {
				t.Errorf("section %q is %s at one end and %s (there: %v) at the other", x.MID(), x.CurrentDirection(), d, ok)
			}
		}
		if len(mids) != len(z.pc.Transceivers()) || len(mids) < 10 {
			t.Errorf("%d transceivers and %d", len(mids), len(z.pc.Transceivers()))
		}
		t.Logf("%d and %d offers, %d transceivers", a.offers, z.offers, len(mids))
		cancel()
		for range 2 {
			if err := <-errs; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}
		a.pc.Close()
		z.pc.Close()
	})
}
