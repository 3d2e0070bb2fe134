package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/plainrtc/plainrtc/peerconnection"
	"github.com/plainrtc/plainrtc/rtp/mediafile"
)

// maxClip is how large a file to play may be: it is held in memory, once for all
// who watch it.
const maxClip = 256 << 20

// A clip is a file to play, whole.
type clip struct {
	name   string // of the file, without its directory
	kind   peerconnection.Kind
	codec  peerconnection.Codec
	frames []mediafile.Frame
	length time.Duration // from its first frame to the end of its last
}

// openClip reads a file of video or audio, and says what to do if it can't be played.
func openClip(name string, kind peerconnection.Kind) (*clip, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("the clip cannot be read: %w", err)
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.Size() > maxClip {
		return nil, fmt.Errorf("the clip %s is larger than %d MiB, which is as much as fits into memory here; cut it with: ffmpeg -i %s -c copy -t 60 short%s",
			name, maxClip>>20, name, filepath.Ext(name))
	}
	c, err := readClip(file, kind)
	if err != nil {
		return nil, fmt.Errorf("the clip %s cannot be played: %w", name, err)
	}
	c.name = filepath.Base(name)
	return c, nil
}

// conversions are what makes a file that can be played from any other.
var conversions = map[peerconnection.Kind]string{
	peerconnection.KindVideo: "ffmpeg -i FILE -an -c:v libvpx -b:v 1M -g 60 clip.ivf",
	peerconnection.KindAudio: "ffmpeg -i FILE -vn -c:a libopus clip.ogg",
}

func readClip(file io.Reader, kind peerconnection.Kind) (*clip, error) {
	r, err := mediafile.NewReader(file)
	if errors.Is(err, mediafile.ErrUnknown) {
		return nil, fmt.Errorf("it is none of IVF, Ogg, WAV and Annex B; make one with: %s", conversions[kind])
	}
	if err != nil {
		return nil, err
	}
	codec := r.Codec()
	c := &clip{kind: peerconnection.KindVideo}
	if codec.Channels > 0 {
		c.kind = peerconnection.KindAudio
	}
	if c.kind != kind {
		return nil, fmt.Errorf("it is %s (%s): --play is for video, --play-audio for audio", c.kind, codec.Name)
	}
	c.codec = peerconnection.Codec{MimeType: string(c.kind) + "/" + codec.Name}
	// We could send L16, and no browser says that it takes it.
	if strings.EqualFold(codec.Name, "L16") || !slices.ContainsFunc(peerconnection.Capabilities(kind).Codecs, func(k peerconnection.Codec) bool {
		return strings.EqualFold(k.MimeType, c.codec.MimeType)
	}) {
		return nil, fmt.Errorf("browsers take no %s; make another with: %s", codec.Name, conversions[kind])
	}
	for {
		f, err := r.NextFrame()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		if len(c.frames) == 0 && !f.KeyFrame {
			continue // nothing decodes it
		}
		f.Data = bytes.Clone(f.Data)
		c.frames = append(c.frames, f)
	}
	if len(c.frames) == 0 {
		return nil, errors.New("there is nothing in it that decoding could begin with")
	}
	first := c.frames[0].PTS
	for i := range c.frames {
		f := &c.frames[i]
		if f.PTS -= first; i > 0 {
			// Players take times as they come; senders do not go back.
			f.PTS = max(f.PTS, c.frames[i-1].PTS)
		}
	}
	last := c.frames[len(c.frames)-1]
	c.length = last.PTS + max(last.Duration, 10*time.Millisecond)
	return c, nil
}

// label is what the page calls it.
func (c *clip) label() string {
	_, codec, _ := strings.Cut(c.codec.MimeType, "/")
	return fmt.Sprintf("%s (%s, %.1f s)", c.name, codec, c.length.Seconds())
}

// clips are what there is to play: either may be nil.
type clips struct{ video, audio *clip }

func openClips(video, audio string) (c clips, err error) {
	if video != "" {
		if c.video, err = openClip(video, peerconnection.KindVideo); err != nil {
			return c, err
		}
	}
	if audio != "" {
		if c.audio, err = openClip(audio, peerconnection.KindAudio); err != nil {
			return c, err
		}
	}
	return c, nil
}

func (c clips) none() bool { return c.video == nil && c.audio == nil }

func (c clips) labels() []string {
	labels := []string{}
	for _, clip := range []*clip{c.video, c.audio} {
		if clip != nil {
			labels = append(labels, clip.label())
		}
	}
	return labels
}
