package peerconnection

import (
	"context"
	"runtime"
	"testing"
	"time"
)

// What an idle connection holds is measured, and bounded well above that: a
// buffer that is not given back shows.
func TestIdleConnectionsAreSmall(t *testing.T) {
	for _, test := range []struct {
		what    string
		pairs   int
		bound   float64
		connect func(t *testing.T, ctx context.Context, a, z *PeerConnection)
	}{
		{"one channel", 50, 28_000, func(t *testing.T, ctx context.Context, a, z *PeerConnection) { connect(t, ctx, a, z) }},
		{"audio and video both ways, that have sent and read a frame", 15, 110_000, exchangeFrames},
	} {
		ctx := within(t, 60*time.Second)
		// As many first as readers of sockets may come: the process has those, with their buffers, once.
		for range 4 {
			a, z := newPeer(t, Config{}), newPeer(t, Config{})
			test.connect(t, ctx, a, z)
		}
		heap := func() int64 {
			var m runtime.MemStats
			for range 3 {
				runtime.GC()
				time.Sleep(20 * time.Millisecond) // finalizers, and readers that still hold a batch
			}
			runtime.ReadMemStats(&m)
			return int64(m.HeapAlloc)
		}
		before := heap()
		var kept []*PeerConnection
		for range test.pairs {
			a, z := newPeer(t, Config{}), newPeer(t, Config{})
			test.connect(t, ctx, a, z)
			kept = append(kept, a, z)
		}
		time.Sleep(time.Second) // the last acknowledgements
		each := float64(heap()-before) / float64(2*test.pairs)
		for each > test.bound && ctx.Err() == nil { // on a busy machine it takes longer until all is said
			time.Sleep(time.Second)
			each = float64(heap()-before) / float64(2*test.pairs)
		}
		t.Logf("an idle connection with %s holds %.1f kB of heap", test.what, each/1000)
		if each > test.bound {
			t.Errorf("an idle connection with %s holds %.0f bytes of heap, %.0f at most are allowed", test.what, each, test.bound)
		}
		for _, pc := range kept {
			pc.Close()
		}
		runtime.KeepAlive(kept)
	}
}

// exchangeFrames connects two with a track of audio and one of video each, and has both send and read
// one frame of each.
func exchangeFrames(t *testing.T, ctx context.Context, a, z *PeerConnection) {
	t.Helper()
	frames := map[Kind]Frame{KindAudio: {Data: []byte{0xf8, 1}}, KindVideo: {Data: vp8Frame(0, 500, true), KeyFrame: true}}
	var tracks []*Track
	for _, pc := range []*PeerConnection{a, z} {
		for kind := range frames {
			track := NewTrack(kind, string(kind))
			if _, err := pc.AddTrack(track, "stream"); err != nil {
				t.Fatal(err)
			}
			tracks = append(tracks, track)
		}
	}
	tell(t, ctx, a, z)
	for _, track := range tracks {
		if err := track.WriteFrame(frames[track.Kind()]); err != nil {
			t.Fatal(err)
		}
	}
	for _, pc := range []*PeerConnection{a, z} {
		for _, r := range pc.Receivers() {
			if _, err := r.Track().ReadFrame(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
}
