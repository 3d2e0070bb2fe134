package peerconnection

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/rtp"
)

// Media over real sockets: what one writes to a track the other reads from one.

// tell connects a with z, a offering.
func tell(t *testing.T, ctx context.Context, a, z *PeerConnection) {
	t.Helper()
	signal(t, ctx, a, z, nil)
	for _, pc := range []*PeerConnection{a, z} {
		if err := pc.WaitConnected(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

// vp8Frame is a frame that says of itself which one it is: a key frame's header, or a
// delta frame's, with n and padding behind it.
func vp8Frame(n, size int, key bool) []byte {
	b := []byte{0x11, 0, 0}
	if key {
		b = []byte{0x10, 0, 0, 0x9d, 0x01, 0x2a, 64, 0, 48, 0}
	}
	b = fmt.Appendf(b, "frame %d ", n)
	return append(b, bytes.Repeat([]byte{byte(n)}, max(size-len(b), 0))...)
}

// play writes frames to a track, 20 ms apart, until the context ends.
func play(ctx context.Context, track *Track, frame func(n int) Frame) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		f := frame(n)
		f.PTS = time.Duration(n) * 5 * time.Millisecond
		track.WriteFrame(f)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func accept(t *testing.T, ctx context.Context, pc *PeerConnection, kind Kind) *Track {
	t.Helper()
	for {
		e, err := pc.AcceptTrack(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if e.Track.Kind() == kind {
			return e.Track
		}
	}
}

func TestMediaFramesBothWays(t *testing.T) {
	ctx := within(t, 60*time.Second)
	a, z := newPeer(t, Config{}), newPeer(t, Config{})
	audio, video, back := NewTrack(KindAudio, "mic"), NewTrack(KindVideo, "cam"), NewTrack(KindVideo, "back")
	for _, track := range []*Track{audio, video} {
		if _, err := a.AddTrack(track, "stream"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := z.AddTrack(back); err != nil {
		t.Fatal(err)
	}
	tell(t, ctx, a, z)

	writing, stop := context.WithCancel(ctx)
	defer stop()
	video2 := func(n int) Frame { return Frame{Data: vp8Frame(n, 5000, n%10 == 0), KeyFrame: n%10 == 0} }
	go play(writing, audio, func(n int) Frame { return Frame{Data: fmt.Appendf([]byte{0xf8}, "audio %d", n)} })
	go play(writing, video, video2)
	go play(writing, back, video2)

	for _, read := range []struct {
		pc   *PeerConnection
		kind Kind
		want string
	}{{z, KindAudio, "audio "}, {a, KindVideo, "frame "}} {
		track := accept(t, ctx, read.pc, read.kind)
		var last time.Duration = -1
		for i := range 30 {
			f, err := track.ReadFrame(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if f.Concealed {
				continue
			}
			if i == 0 && !f.KeyFrame {
				t.Errorf("%s begins with a frame that can't be decoded alone", read.kind)
			}
			if !bytes.Contains(f.Data, []byte(read.want)) || f.PTS <= last {
				t.Fatalf("%s frame %d at %v after %v: %.20q", read.kind, i, f.PTS, last, f.Data)
			}
			last = f.PTS
			if want := string(read.kind) + "/"; !strings.HasPrefix(f.Codec.MimeType, want) {
				t.Fatalf("the frame's codec is %q", f.Codec.MimeType)
			}
		}
	}
}

func TestMediaRTP(t *testing.T) {
	ctx := within(t, 60*time.Second)
	a, z := newPeer(t, Config{}), newPeer(t, Config{})
	mic := NewTrack(KindAudio, "mic")
	if _, err := a.AddTrack(mic); err != nil {
		t.Fatal(err)
	}
	tell(t, ctx, a, z)
	go func() {
		for seq := uint16(1); ctx.Err() == nil; seq++ {
			b := rtp.NewBuilder(nil, rtp.Header{SSRC: 7, SequenceNumber: seq, Timestamp: uint32(seq) * 960})
			mic.WriteRTP(fmt.Appendf(b.Bytes(), "packet %05d", seq))
			time.Sleep(2 * time.Millisecond)
		}
	}()
	track := accept(t, ctx, z, KindAudio)
	first, err := track.ReadRTP(ctx)
	if err != nil {
		t.Fatal(err)
	}
	last := first
	for i := range 50 {
		p, err := track.ReadRTP(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if p.SequenceNumber() != last.SequenceNumber()+1 || p.Timestamp() != last.Timestamp()+960 || p.SSRC() != first.SSRC() {
			t.Fatalf("packet %d is %d at %d after %d at %d", i, p.SequenceNumber(), p.Timestamp(), last.SequenceNumber(), last.Timestamp())
		}
		if bytes.Equal(p.Payload(), last.Payload()) || string(last.Payload()[:7]) != "packet " {
			t.Fatalf("%q follows %q", p.Payload(), last.Payload())
		}
		last = p
	}
	z.Close()
	if _, err := track.ReadFrame(ctx); !errors.Is(err, ErrTrackEnded) {
		t.Errorf("reading from a closed connection's track: %v", err)
	}
}

// One connection's remote track is given to the senders of others, and of its own: what
// comes goes to all of them, and begins with a key frame, which they ask for.
func TestMediaForwarded(t *testing.T) {
	ctx := within(t, 60*time.Second)
	source, sfu := newPeer(t, Config{}), newPeer(t, Config{})
	cam := NewTrack(KindVideo, "cam")
	if _, err := source.AddTrack(cam); err != nil {
		t.Fatal(err)
	}
	tell(t, ctx, source, sfu)
	wanted := make(chan struct{}, 1)
	go func() {
		for {
			if _, err := cam.NextKeyframeRequest(ctx); err != nil {
				return
			}
			select {
			case wanted <- struct{}{}:
			default:
			}
		}
	}()
	writing, stop := context.WithCancel(ctx)
	defer stop()
	go play(writing, cam, func(n int) Frame {
		key := n == 0
		select {
		case <-wanted:
			key = true
		default:
		}
		return Frame{Data: vp8Frame(n, 3000, key), KeyFrame: key}
	})
	track := accept(t, ctx, sfu, KindVideo)

	for i := range 3 {
		door, viewer := newPeer(t, Config{}), newPeer(t, Config{})
		if _, err := door.AddTrack(track, "stream"); err != nil {
			t.Fatal(err)
		}
		tell(t, ctx, door, viewer)
		seen := accept(t, ctx, viewer, KindVideo)
		for n := range 20 {
			f, err := seen.ReadFrame(ctx)
			if err != nil {
				t.Fatalf("viewer %d, frame %d: %v", i, n, err)
			}
			if n == 0 && !f.KeyFrame {
				t.Errorf("viewer %d begins without a key frame", i)
			}
			if !bytes.Contains(f.Data, []byte("frame ")) || len(f.Data) < 3000 {
				t.Fatalf("viewer %d, frame %d: %d bytes, %.20q", i, n, len(f.Data), f.Data)
			}
		}
	}
	// And read where it arrives, while it is passed on.
	if f, err := track.ReadFrame(ctx); err != nil || len(f.Data) < 3000 {
		t.Errorf("a track that is forwarded: %v, %d bytes", err, len(f.Data))
	}
}

// Audio is passed on too, to the one it came from here.
func TestMediaEchoed(t *testing.T) {
	ctx := within(t, 60*time.Second)
	a, z := newPeer(t, Config{}), newPeer(t, Config{})
	mic := NewTrack(KindAudio, "mic")
	if _, err := a.AddTrack(mic); err != nil {
		t.Fatal(err)
	}
	tell(t, ctx, a, z)
	if _, err := z.AddTrack(accept(t, ctx, z, KindAudio)); err != nil {
		t.Fatal(err)
	}
	tell(t, ctx, z, a)
	go play(ctx, mic, func(n int) Frame { return Frame{Data: fmt.Appendf([]byte{0xf8}, "audio %d", n)} })
	back := accept(t, ctx, a, KindAudio)
	for n := 0; n < 10; {
		f, err := back.ReadFrame(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(f.Data, []byte("audio ")) {
			n++
		}
	}
}

// A track takes the place of another whose times count from somewhere else: for the peer
// time goes on.
func TestMediaReplacedTrack(t *testing.T) {
	ctx := within(t, 60*time.Second)
	a, z := newPeer(t, Config{}), newPeer(t, Config{})
	cameras := []*Track{NewTrack(KindVideo, "late"), NewTrack(KindVideo, "early")}
	sender, err := a.AddTrack(cameras[0])
	if err != nil {
		t.Fatal(err)
	}
	tell(t, ctx, a, z)
	writing, stop := context.WithCancel(ctx)
	defer stop()
	for i, track := range cameras {
		from := time.Duration(1-i) * time.Hour
		go func() {
			began := time.Now()
			for n := 0; writing.Err() == nil; n++ {
				track.WriteFrame(Frame{Data: vp8Frame(n, 1000+i, n%10 == 0), KeyFrame: n%10 == 0, PTS: from + time.Since(began)})
				time.Sleep(5 * time.Millisecond)
			}
		}()
	}
	track := accept(t, ctx, z, KindVideo)
	var last time.Duration
	for got, changes := 0, 0; changes < 4; got++ {
		f, err := track.ReadFrame(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if got > 0 && (f.PTS <= last || f.PTS > last+5*time.Second) {
			t.Fatalf("a frame at %v follows one at %v", f.PTS, last)
		}
		if last = f.PTS; len(f.Data) == 1000+changes%2 { // it is of the track that is sent now
			changes++
			if err := sender.ReplaceTrack(cameras[changes%2]); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// What the statistics say of media adds up, and what refers to another part finds it.
func TestMediaStats(t *testing.T) {
	ctx := within(t, 60*time.Second)
	a, z := newPeer(t, Config{}), newPeer(t, Config{})
	cam := NewTrack(KindVideo, "cam")
	if _, err := a.AddTrack(cam); err != nil {
		t.Fatal(err)
	}
	tell(t, ctx, a, z)
	writing, stop := context.WithCancel(ctx)
	defer stop()
	go play(writing, cam, func(n int) Frame { return Frame{Data: vp8Frame(n, 5000, n%10 == 0), KeyFrame: n%10 == 0} })
	track := accept(t, ctx, z, KindVideo)
	var in, out Stats
	for len(in.RemoteOutboundRTP) == 0 || len(out.RemoteInboundRTP) == 0 || in.InboundRTP[0].PacketsReceived < 100 { // the first reports
		if _, err := track.ReadFrame(ctx); err != nil {
			t.Fatal(err)
		}
		in, out = z.Stats(), a.Stats()
	}
	i, o, r := in.InboundRTP[0], out.OutboundRTP[0], out.RemoteInboundRTP[0]
	if i.SSRC != o.SSRC || i.SSRC != r.SSRC || o.RTXSSRC == 0 {
		t.Errorf("the SSRCs are %d, %d and %d, with retransmissions %d and %d", i.SSRC, o.SSRC, r.SSRC, i.RTXSSRC, o.RTXSSRC)
	}
	if i.PacketsReceived < 100 || o.PacketsSent < i.PacketsReceived || i.BytesReceived < 100_000 || i.FramesReceived < 10 || i.JitterBufferEmittedCount < 10 {
		t.Errorf("in: %+v\nout: %+v", i, o)
	}
	if i.RemoteID != in.RemoteOutboundRTP[0].ID || o.RemoteID != r.ID || r.LocalID != o.ID || in.RemoteOutboundRTP[0].LocalID != i.ID {
		t.Errorf("the ids do not refer to each other: %+v, %+v, %+v, %+v", i, o, r, in.RemoteOutboundRTP[0])
	}
	if r.RoundTripTimeMeasurements > 0 && (r.RoundTripTime <= 0 || r.RoundTripTime > 5) {
		t.Errorf("a round-trip time of %v seconds on loopback", r.RoundTripTime)
	}
	if in.Codecs[0].ID != i.CodecID || in.Codecs[0].MimeType != "video/VP8" || out.MediaSources[0].ID != o.MediaSourceID || out.MediaSources[0].TrackIdentifier != "cam" {
		t.Errorf("codecs %+v, sources %+v", in.Codecs, out.MediaSources)
	}
}
