package main

import (
	"context"
	"embed"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/plainrtc/plainrtc/peerconnection"
	"github.com/plainrtc/plainrtc/rtp/mediafile"
)

// probeFiles are a picture in VP8 and a tone in Opus, made with ffmpeg: what the echo
// client sends, over and over.
//
//go:embed probe
var probeFiles embed.FS

// wantedFrames is how many frames must come back.
var wantedFrames = map[peerconnection.Kind]int{peerconnection.KindVideo: 10, peerconnection.KindAudio: 20}

// A mediaCheck is media that was sent and what came back.
type mediaCheck struct {
	Kind    peerconnection.Kind `json:"kind"`
	Codec   string              `json:"codec"`
	Frames  int                 `json:"frames"` // that came back as they were
	OK      bool                `json:"ok"`
	Skipped bool                `json:"skipped,omitempty"` // the peer does not take it, or sends none
	Error   string              `json:"error,omitempty"`
	MS      float64             `json:"ms,omitempty"`
}

// A mediaProbe sends video and audio, and checks what comes back.
type mediaProbe struct {
	player       *player
	transceivers []*peerconnection.Transceiver
}

// newMediaProbe adds both to a connection that has not offered yet.
func newMediaProbe(pc *peerconnection.PeerConnection) (*mediaProbe, error) {
	c, err := openProbe()
	if err != nil {
		return nil, err
	}
	p := &mediaProbe{player: newPlayer(c)}
	for _, track := range []*peerconnection.Track{p.player.video, p.player.audio} {
		t, err := pc.AddTransceiver(track, nil)
		if err != nil {
			return nil, err
		}
		p.transceivers = append(p.transceivers, t)
	}
	return p, nil
}

func openProbe() (c clips, err error) {
	for name, kind := range map[string]peerconnection.Kind{"probe/picture.ivf": peerconnection.KindVideo, "probe/tone.ogg": peerconnection.KindAudio} {
		file, err := probeFiles.Open(name)
		if err != nil {
			return c, err
		}
		defer file.Close()
		clip, err := readClip(file, kind)
		if err != nil {
			return c, err
		}
		if kind == peerconnection.KindVideo {
			c.video = clip
		} else {
			c.audio = clip
		}
	}
	return c, nil
}

// check waits until enough has come back of both.
func (p *mediaProbe) check(ctx context.Context) (checks []mediaCheck) {
	p.player.start()
	defer p.player.end()
	for i, clip := range []*clip{p.player.clips.video, p.player.clips.audio} {
		checks = append(checks, echoedTrack(ctx, p.transceivers[i], clip))
	}
	return checks
}

func echoedTrack(ctx context.Context, t *peerconnection.Transceiver, sent *clip) mediaCheck {
	_, codec, _ := strings.Cut(sent.codec.MimeType, "/")
	c := mediaCheck{Kind: sent.kind, Codec: codec}
	if t.CurrentDirection() != peerconnection.DirectionSendRecv {
		c.Skipped = true
		return c
	}
	began := time.Now()
	for c.Frames < wantedFrames[sent.kind] && c.Error == "" {
		f, err := t.Receiver().Track().ReadFrame(ctx)
		switch {
		case err != nil:
			c.Error = fmt.Sprintf("%d frames of %d came back: %v", c.Frames, wantedFrames[sent.kind], err)
		case f.Concealed:
			// It did not come.
		case !strings.EqualFold(f.Codec.MimeType, sent.codec.MimeType):
			c.Error = fmt.Sprintf("%s came back as %s", sent.codec.MimeType, f.Codec.MimeType)
		case !slices.ContainsFunc(sent.frames, func(s mediafile.Frame) bool { return string(s.Data) == string(f.Data) }):
			c.Error = fmt.Sprintf("a frame of %d bytes came back that was not sent", len(f.Data))
		default:
			c.Frames++
		}
	}
	c.OK = c.Error == ""
	c.MS = milliseconds(time.Since(began))
	return c
}

func (c *mediaCheck) String() string {
	switch {
	case c.OK:
		return fmt.Sprintf("%d frames", c.Frames)
	case c.Skipped:
		return "not echoed by the peer"
	}
	return "WRONG: " + c.Error
}
