package interop

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	pionrtp "github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"
	"github.com/pion/webrtc/v4/pkg/media/samplebuilder"
	"github.com/plainrtc/plainrtc/peerconnection"
	"github.com/plainrtc/plainrtc/rtp/mediafile"
)

// Opus and VP8 go both ways between Pion and us, under each SRTP profile that
// Pion has and whoever offers, which changes roles in DTLS: what arrives are the frames that were sent, to the byte. Then each side adds
// a track and takes it away again.
func TestMediaWithPion(t *testing.T) {
	clips := pionClips(t)
	for profile, name := range map[dtls.SRTPProtectionProfile]string{
		dtls.SRTP_AEAD_AES_128_GCM: "SRTP_AEAD_AES_128_GCM", dtls.SRTP_AEAD_AES_256_GCM: "SRTP_AEAD_AES_256_GCM",
		dtls.SRTP_AES128_CM_HMAC_SHA1_80: "SRTP_AES128_CM_HMAC_SHA1_80",
	} {
		for _, weOffer := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, we offer: %v", name, weOffer), func(t *testing.T) {
				t.Parallel()
				var engine webrtc.SettingEngine
				engine.SetSRTPProtectionProfiles(profile)
				c := newPionCall(t, engine, clips, peerconnection.Config{SRTPProfiles: allProfiles})
				c.exchange(weOffer)
				c.play(0)
				if got := c.us.pc.Stats().Transport.SRTPCipher; got != name {
					t.Errorf("the SRTP profile is %s, want %s", got, name)
				}
				// One more track each way, by an offer of the other side.
				c.add(video)
				c.exchange(!weOffer)
				c.play(2)
				if err := c.them.pc.RemoveTrack(c.senders[2]); err != nil {
					t.Fatal(err)
				}
				if err := c.us.pc.RemoveTrack(c.ours[2].sender); err != nil {
					t.Fatal(err)
				}
				c.exchange(weOffer)
				if got := ourDirections(c.us.pc); got != "sendrecv sendrecv inactive" {
					t.Errorf("after the tracks were removed the directions are %s", got)
				}
			})
		}
	}
}

// A pionCall has tracks both ways, the same on either side.
type pionCall struct {
	t       *testing.T
	ctx     context.Context
	us      *plainPeer
	them    *pionPeer
	ours    []ourTrack
	theirs  []*webrtc.TrackLocalStaticSample
	senders []*webrtc.RTPSender
	arrived *queue[*webrtc.TrackRemote] // at Pion
	clips   map[peerconnection.Kind][]mediafile.Frame
}

// pionClips are what is played on tracks of each kind.
func pionClips(t *testing.T) map[peerconnection.Kind][]mediafile.Frame {
	t.Helper()
	clips := map[peerconnection.Kind][]mediafile.Frame{}
	for kind, name := range map[peerconnection.Kind]string{audio: "mono.ogg", video: "vp8.ivf"} {
		clip := clipNamed(t, name)
		clips[kind] = readClip(t, clip, encoded(t, clip))
	}
	return clips
}

type ourTrack struct {
	track  *peerconnection.Track
	sender *peerconnection.Sender
}

func newPionCall(t *testing.T, engine webrtc.SettingEngine, clips map[peerconnection.Kind][]mediafile.Frame, cfg peerconnection.Config) *pionCall {
	c := &pionCall{t: t, clips: clips, ctx: testContext(t), us: newPlainPeer(t, cfg), them: newPionPeer(t, engine), arrived: newQueue[*webrtc.TrackRemote]()}
	c.them.pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) { c.arrived.push(track) })
	c.add(audio)
	c.add(video)
	return c
}

// add makes a track on both sides.
func (c *pionCall) add(kind peerconnection.Kind) {
	c.t.Helper()
	n := len(c.ours)
	track := peerconnection.NewTrack(kind, fmt.Sprint("ours-", n))
	sender, err := c.us.pc.AddTrack(track, "stream")
	if err != nil {
		c.t.Fatal(err)
	}
	c.ours = append(c.ours, ourTrack{track, sender})
	mimeType := webrtc.MimeTypeVP8
	if kind == audio {
		mimeType = webrtc.MimeTypeOpus
	}
	theirs, err := webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: mimeType}, fmt.Sprint("theirs-", n), "stream")
	if err != nil {
		c.t.Fatal(err)
	}
	pionSender, err := c.them.pc.AddTrack(theirs)
	if err != nil {
		c.t.Fatal(err)
	}
	c.theirs, c.senders = append(c.theirs, theirs), append(c.senders, pionSender)
}

func (c *pionCall) exchange(weOffer bool) {
	c.t.Helper()
	var offerer, answerer peer = c.them, c.us
	if weOffer {
		offerer, answerer = answerer, offerer
	}
	connect(c.t, c.ctx, offerer, answerer, signalling{})
}

// play sends a clip on each track from the given one on, both ways and at once, and
// compares what arrives with it.
func (c *pionCall) play(from int) {
	c.t.Helper()
	var all sync.WaitGroup
	for i := from; i < len(c.ours); i++ {
		e, err := c.us.pc.AcceptTrack(c.ctx)
		if err != nil {
			c.t.Fatal(err)
		}
		r := record(c.ctx, e.Track)
		frames := c.clips[e.Track.Kind()]
		// Pion's track of that name.
		at := slices.IndexFunc(c.theirs, func(theirs *webrtc.TrackLocalStaticSample) bool { return theirs.ID() == e.Track.ID() })
		if at < from {
			c.t.Fatalf("the track %q of Pion's is not one that it has added", e.Track.ID())
		}
		all.Go(func() {
			for _, f := range frames {
				if err := c.theirs[at].WriteSample(media.Sample{Data: f.Data, Duration: f.Duration}); err != nil {
					c.t.Error(err)
				}
				time.Sleep(f.Duration)
			}
			for r.count() < len(frames) && c.ctx.Err() == nil {
				time.Sleep(20 * time.Millisecond)
			}
			r.end()
			c.compare(e.Track.ID()+" from Pion", r.frames, frames)
		})

		all.Go(func() {
			for _, f := range c.clips[c.ours[i].track.Kind()] {
				if err := c.ours[i].track.WriteFrame(peerconnection.Frame{Data: f.Data, PTS: f.PTS, KeyFrame: f.KeyFrame}); err != nil {
					c.t.Error(err)
				}
				time.Sleep(f.Duration)
			}
		})
		all.Go(func() {
			track, err := c.arrived.next(c.ctx) // once the first packet has come
			if err != nil {
				c.t.Error(err)
				return
			}
			var depacketizer pionrtp.Depacketizer = &codecs.VP8Packet{}
			if track.Kind() == webrtc.RTPCodecTypeAudio {
				depacketizer = &codecs.OpusPacket{}
			}
			want := c.clips[peerconnection.Kind(track.Kind().String())]
			builder := samplebuilder.New(50, depacketizer, track.Codec().ClockRate)
			var got []mediafile.Frame
			track.SetReadDeadline(endOf(c.ctx))
			for len(got) < len(want)-1 { // the last is not known to be whole
				p, _, err := track.ReadRTP()
				if err != nil {
					c.t.Errorf("%s to Pion: %v, after %d frames", track.ID(), err, len(got))
					return
				}
				builder.Push(p)
				for s := builder.Pop(); s != nil; s = builder.Pop() {
					got = append(got, mediafile.Frame{Data: s.Data})
				}
			}
			c.compare(track.ID()+" to Pion", got, want[:len(got)])
		})
	}
	all.Wait()
}

// endOf is when a test is over that waits in vain.
func endOf(ctx context.Context) time.Time {
	end, _ := ctx.Deadline()
	return end
}

func (c *pionCall) compare(what string, got, want []mediafile.Frame) {
	c.t.Helper()
	same := 0
	for i := range min(len(got), len(want)) {
		if bytes.Equal(got[i].Data, want[i].Data) {
			same++
		}
	}
	if same != len(want) || len(got) != len(want) {
		c.t.Errorf("%s: %d frames arrived, %d of them as sent, want %d", what, len(got), same, len(want))
	}
}

// Pion sends three layers, each the same clip under a RID of its own, and we read three tracks.
func TestSimulcastFromPion(t *testing.T) {
	ctx, frames, rids := testContext(t), pionClips(t)[video], []string{"q", "h", "f"}
	us, them := newPlainPeer(t, peerconnection.Config{}), newPionPeer(t, webrtc.SettingEngine{})
	var sender *webrtc.RTPSender
	var layers []*webrtc.TrackLocalStaticRTP
	for i, rid := range rids {
		layer, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8}, "camera", "stream", webrtc.WithRTPStreamID(rid))
		if err != nil {
			t.Fatal(err)
		}
		layers = append(layers, layer)
		if i == 0 {
			sender, err = them.pc.AddTrack(layer)
		} else {
			err = sender.AddEncoding(layer)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	connect(t, ctx, them, us, signalling{})
	e, err := us.pc.AcceptTrack(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var recordings []*recording
	for i, track := range e.Receiver.Layers() {
		if track.RID() != rids[i] {
			t.Errorf("layer %d is %q, want %q", i, track.RID(), rids[i])
		}
		recordings = append(recordings, record(ctx, track))
	}
	// Pion leaves the header extensions that name a layer to its user.
	ids := map[string]uint8{}
	for _, e := range sender.GetParameters().HeaderExtensions {
		ids[e.URI] = uint8(e.ID)
	}
	packetizers := make([]pionrtp.Packetizer, len(layers))
	for i := range packetizers {
		packetizers[i] = pionrtp.NewPacketizer(1100, 0, 0, &codecs.VP8Payloader{}, pionrtp.NewRandomSequencer(), 90000)
	}
	for _, f := range frames {
		for i, layer := range layers {
			for _, p := range packetizers[i].Packetize(f.Data, 6000) {
				p.SetExtension(ids["urn:ietf:params:rtp-hdrext:sdes:mid"], []byte(e.Transceiver.MID()))
				p.SetExtension(ids["urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"], []byte(rids[i]))
				if err := layer.WriteRTP(p); err != nil {
					t.Fatal(err)
				}
			}
		}
		time.Sleep(f.Duration / 2)
	}
	c := &pionCall{t: t}
	for i, r := range recordings {
		for r.count() < len(frames) && ctx.Err() == nil {
			time.Sleep(20 * time.Millisecond)
		}
		r.end()
		c.compare("layer "+rids[i], r.frames, frames)
	}
}

// We send three layers, and Pion tells them apart by their RIDs: each has the frames that were
// written to it, and each that rests by our parameters has none.
func TestSimulcastToPion(t *testing.T) {
	t.Parallel()
	ctx, frames, rids := testContext(t), pionClips(t)[video], []string{"q", "h", "f"}
	us, them := newPlainPeer(t, peerconnection.Config{}), newPionPeer(t, webrtc.SettingEngine{})
	arrived := newQueue[*webrtc.TrackRemote]()
	them.pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) { arrived.push(track) })
	track := peerconnection.NewTrack(video, "camera")
	var encodings []peerconnection.EncodingParameters
	for _, rid := range rids {
		encodings = append(encodings, peerconnection.EncodingParameters{RID: rid})
	}
	x, err := us.pc.AddTransceiver(track, &peerconnection.TransceiverInit{Direction: peerconnection.DirectionSendOnly, SendEncodings: encodings})
	if err != nil {
		t.Fatal(err)
	}
	connect(t, ctx, us, them, signalling{})
	parameters := x.Sender().Parameters()
	parameters.Encodings[1].Inactive = true
	if err := x.Sender().SetParameters(parameters); err != nil {
		t.Fatal(err)
	}
	c := &pionCall{t: t}
	var all sync.WaitGroup
	all.Go(func() {
		for _, f := range frames {
			for i, rid := range rids {
				// Each layer has the frames with a byte more, that decoders pass over.
				data := append(bytes.Clone(f.Data), byte(i))
				if err := track.WriteFrame(peerconnection.Frame{Data: data, RID: rid, PTS: f.PTS, KeyFrame: f.KeyFrame}); err != nil {
					t.Error(err)
				}
			}
			time.Sleep(f.Duration / 2)
		}
	})
	for range 2 {
		remote, err := arrived.next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			i := slices.Index(rids, remote.RID())
			if i != 0 && i != 2 {
				t.Errorf("the layer %q arrives", remote.RID())
				return
			}
			var want, got []mediafile.Frame
			for _, f := range frames {
				want = append(want, mediafile.Frame{Data: append(bytes.Clone(f.Data), byte(i))})
			}
			builder := samplebuilder.New(50, &codecs.VP8Packet{}, 90000)
			remote.SetReadDeadline(endOf(ctx))
			for len(got) < len(want)-1 { // the last is not known to be whole
				p, _, err := remote.ReadRTP()
				if err != nil {
					t.Errorf("layer %s: %v, after %d frames", remote.RID(), err, len(got))
					return
				}
				builder.Push(p)
				for s := builder.Pop(); s != nil; s = builder.Pop() {
					got = append(got, mediafile.Frame{Data: s.Data})
				}
			}
			c.compare("layer "+remote.RID(), got, want[:len(got)])
		})
	}
	all.Wait()
}
