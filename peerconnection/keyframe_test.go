package peerconnection

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// still is a camera that makes frames only when it is asked for a key frame, of a scene in which
// nothing moves: that one, and two more in case it is lost.
func still(ctx context.Context, camera *Track) {
	began := time.Now()
	for n := 0; ; n++ {
		if n%3 == 0 {
			if _, err := camera.NextKeyframeRequest(ctx); err != nil {
				return
			}
		}
		camera.WriteFrame(Frame{Data: vp8Frame(n, 1000, true), KeyFrame: true, PTS: time.Since(began)})
		time.Sleep(20 * time.Millisecond)
	}
}

// Who comes later than others sees something at once: the source is asked for a key frame when
// sending begins, and not by the viewer, who has nothing yet to ask about.
func TestKeyframeForLateViewers(t *testing.T) {
	ctx := within(t, 60*time.Second)
	sees := func(who string, track *Track, pc *PeerConnection) {
		t.Helper()
		f, err := track.ReadFrame(ctx)
		if err != nil || !f.KeyFrame {
			t.Fatalf("%s sees: %v, key frame: %v", who, err, f.KeyFrame)
		}
		if in := pc.Stats().InboundRTP[0]; in.PLICount+in.FIRCount > 0 {
			t.Errorf("%s had to ask for a key frame", who)
		}
	}
	camera := NewTrack(KindVideo, "camera")
	go still(ctx, camera)
	var forwarder *PeerConnection
	var forwarded *Track
	for _, who := range []string{"the first viewer", "the second", "the third"} {
		source, viewer := newPeer(t, Config{}), newPeer(t, Config{})
		if _, err := source.AddTrack(camera); err != nil {
			t.Fatal(err)
		}
		tell(t, ctx, source, viewer)
		track := accept(t, ctx, viewer, KindVideo)
		if forwarded == nil {
			forwarder, forwarded = viewer, track
		}
		sees(who, track, viewer)
	}
	for _, who := range []string{"the first who it is forwarded to", "the second", "the third"} {
		door, viewer := newPeer(t, Config{}), newPeer(t, Config{})
		if _, err := door.AddTrack(forwarded); err != nil {
			t.Fatal(err)
		}
		tell(t, ctx, door, viewer)
		sees(who, accept(t, ctx, viewer, KindVideo), viewer)
	}
	if in := forwarder.Stats().InboundRTP[0]; in.PLICount == 0 {
		t.Error("nobody was asked by who forwards")
	}
}

// A track that takes the place of another, and a layer that is taken up again, begin too.
func TestKeyframeWhenSendingChanges(t *testing.T) {
	ctx := within(t, 60*time.Second)
	a, z := newPeer(t, Config{}), newPeer(t, Config{})
	first, second := NewTrack(KindVideo, "first"), NewTrack(KindVideo, "second")
	sender, err := a.AddTrack(first)
	if err != nil {
		t.Fatal(err)
	}
	asked := func(track *Track, why string) {
		t.Helper()
		if _, err := track.NextKeyframeRequest(ctx); err != nil {
			t.Fatalf("%s: %v", why, err)
		}
	}
	tell(t, ctx, a, z)
	asked(first, "the connection is there")
	if err := sender.ReplaceTrack(second); err != nil {
		t.Fatal(err)
	}
	asked(second, "it takes the other's place")
	for _, inactive := range []bool{true, false} {
		p := sender.Parameters()
		p.Encodings[0].Inactive = inactive
		if err := sender.SetParameters(p); err != nil {
			t.Fatal(err)
		}
	}
	asked(second, "its encoding is active again")
	for _, direction := range []Direction{DirectionInactive, DirectionSendOnly} {
		if err := sender.Transceiver().SetDirection(direction); err != nil {
			t.Fatal(err)
		}
		tell(t, ctx, a, z)
	}
	asked(second, "its direction is back")
}

// However many peers ask for a key frame, the encoder is told five times a second, and each is served.
func TestKeyframeRequestsAreRare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		camera, told := NewTrack(KindVideo, "camera"), 0
		ctx, stop := context.WithCancel(t.Context())
		var last time.Time
		go func() {
			for {
				if _, err := camera.NextKeyframeRequest(ctx); err != nil {
					return
				}
				told, last = told+1, time.Now()
			}
		}()
		var asked time.Time
		for range 100 {
			camera.requestKeyframe("")
			asked = time.Now()
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if told < 5 || told > 6 || last.Before(asked) {
			t.Errorf("of 100 requests in a second the encoder was told %d times, at last %v after the last", told, last.Sub(asked))
		}
		stop()
	})
}
