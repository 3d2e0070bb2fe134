package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/plainrtc/plainrtc/peerconnection"
	"github.com/plainrtc/plainrtc/rtp/mediafile"
)

// keyframePatience is how long a recording waits for the key frame that it begins with
// before it asks again.
const keyframePatience = time.Second

// A recorder writes the frames of one or two tracks: to one WebM file if that
// can hold their codecs, and otherwise to a file for each. It begins with a key frame of
// the video.
type recorder struct {
	store  *recordings
	began  time.Time
	tracks []*recordedTrack
	files  []*recorderFile

	begun      bool      // with the first frame
	asked      time.Time // for a key frame
	start, end time.Duration
	bytes      int64
}

// A recordedTrack is a track on its way to a file.
type recordedTrack struct {
	source *liveTrack
	codec  string
	// offset makes the track's times those of the recording.
	offset time.Duration
	file   *recorderFile
	write  func(mediafile.Frame) error
}

type recorderFile struct {
	file    *os.File
	content string
	close   func() error
}

// A liveTrack is a remote track that is read, and what is known of it from its latest
// frame.
type liveTrack struct {
	track *peerconnection.Track

	codec    peerconnection.Codec // its MimeType is empty before the first frame
	pts      time.Duration
	captured time.Time // by the peer's clock; zero if that is not known
	read     time.Time
}

func (l *liveTrack) saw(now time.Time, f *peerconnection.Frame) {
	l.codec, l.pts, l.captured, l.read = f.Codec, f.PTS, f.CaptureTime, now
}

// fileCodec is a codec as files name it.
func fileCodec(c peerconnection.Codec) mediafile.Codec {
	_, name, _ := strings.Cut(c.MimeType, "/")
	return mediafile.Codec{Name: name, ClockRate: int(c.ClockRate), Channels: int(c.Channels)}
}

// newRecorder begins to record what the tracks bring from now on.
func newRecorder(store *recordings, now time.Time, live []*liveTrack) (*recorder, error) {
	r := &recorder{store: store, began: now}
	var codecs []mediafile.Codec
	var names []string
	// What was captured at the same time goes together, by the peer's clock if it has
	// told that of all, and by when it was due to be shown otherwise.
	captured := true
	for _, l := range live {
		captured = captured && !l.captured.IsZero()
	}
	for _, l := range live {
		if l.codec.MimeType == "" {
			continue
		}
		at := l.read
		if captured {
			at = l.captured
		}
		c := fileCodec(l.codec)
		codecs, names = append(codecs, c), append(names, c.Name)
		r.tracks = append(r.tracks, &recordedTrack{source: l, codec: l.codec.MimeType, offset: time.Duration(at.UnixNano()) - l.pts})
	}
	if len(r.tracks) == 0 {
		return nil, errors.New("nothing has arrived that could be recorded")
	}
	if err := r.open(codecs, names); err != nil {
		r.finish()
		return nil, err
	}
	return r, nil
}

// open makes the files.
func (r *recorder) open(codecs []mediafile.Codec, names []string) error {
	add := func(extension, content string) (*recorderFile, error) {
		file, err := r.store.create(r.began, extension)
		if err != nil {
			return nil, err
		}
		f := &recorderFile{file: file, content: content}
		r.files = append(r.files, f)
		return f, nil
	}
	if _, err := mediafile.NewWebMWriter(nil, codecs...); err == nil {
		f, err := add(".webm", strings.Join(names, " and "))
		if err != nil {
			return err
		}
		w, err := mediafile.NewWebMWriter(f.file, codecs...)
		if err != nil {
			return err
		}
		f.close = w.Close
		for i, t := range r.tracks {
			t.file, t.write = f, func(frame mediafile.Frame) error { return w.WriteFrame(i, frame) }
		}
		return nil
	}
	for i, t := range r.tracks {
		extension := mediafile.Extension(codecs[i])
		if extension == "" {
			return fmt.Errorf("no file holds %s", names[i])
		}
		f, err := add(extension, names[i])
		if err != nil {
			return err
		}
		w, err := mediafile.NewWriter(f.file, codecs[i])
		if err != nil {
			return err
		}
		t.file, t.write, f.close = f, w.WriteFrame, w.Close
	}
	return nil
}

// frame writes a frame, if it is of one of the tracks. An error is why the recording ends.
func (r *recorder) frame(now time.Time, l *liveTrack, f *peerconnection.Frame) error {
	if now.Sub(r.began) > maxRecordingTime {
		return fmt.Errorf("a recording lasts %v at most", maxRecordingTime)
	}
	for _, t := range r.tracks {
		if t.source == l {
			return r.write(now, t, f)
		}
	}
	return nil
}

func (r *recorder) write(now time.Time, t *recordedTrack, f *peerconnection.Frame) error {
	if f.Codec.MimeType != t.codec {
		return fmt.Errorf("the codec has changed from %s to %s", t.codec, f.Codec.MimeType)
	}
	if !r.begun {
		// Sound before the first picture would shift one against the other, and
		// pictures before the first key frame can't be decoded.
		if video := r.video(); video != nil && (t != video || !f.KeyFrame) {
			if now.Sub(r.asked) >= keyframePatience {
				r.asked = now
				video.source.track.RequestKeyframe()
			}
			return nil
		}
	}
	if len(f.Data) == 0 {
		return nil // a loss, which files fill in as they can
	}
	at := f.PTS + t.offset
	if !r.begun {
		r.begun, r.start, r.end = true, at, at
	}
	if at < r.start {
		return nil
	}
	if err := r.store.take(len(f.Data)); err != nil {
		return err
	}
	r.bytes += int64(len(f.Data))
	r.end = max(r.end, at+f.Duration)
	return t.write(mediafile.Frame{Data: f.Data, PTS: at - r.start, Duration: f.Duration, KeyFrame: f.KeyFrame})
}

// video is the track of video, or nil.
func (r *recorder) video() *recordedTrack {
	for _, t := range r.tracks {
		if t.source.track.Kind() == peerconnection.KindVideo {
			return t
		}
	}
	return nil
}

// length is how long what was recorded lasts.
func (r *recorder) length() time.Duration { return r.end - r.start }

// finish completes the files, and drops those in which there is nothing.
func (r *recorder) finish() (done []*recording, err error) {
	for _, f := range r.files {
		name := filepath.Base(f.file.Name())
		failed := errors.New("it was not begun")
		if f.close != nil {
			failed = f.close()
		}
		info, statErr := f.file.Stat()
		if closeErr := f.file.Close(); failed == nil {
			failed = errors.Join(statErr, closeErr)
		}
		switch {
		case failed == nil:
			done = append(done, r.store.keep(name, f.content, info.Size(), r.length()))
		case errors.Is(failed, mediafile.ErrNoFrame) || f.close == nil || !r.begun:
			r.store.discard(name)
		default:
			err = failed
		}
	}
	if len(done) == 0 && err == nil {
		err = errors.New("nothing arrived in that time that could be recorded")
	}
	return done, err
}
