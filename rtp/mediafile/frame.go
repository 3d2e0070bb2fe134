package mediafile

import (
	"bufio"
	"bytes"
	"io"
	"slices"
	"strings"
	"time"
)

// A Frame is what a decoder takes in one piece.
type Frame struct {
	// Data is the frame, as package payload has it: L16 in network order, H.264
	// and H.265 with start codes, AV1's OBUs with their sizes. What a Reader returns
	// is valid until its next call; a Writer does not keep it.
	Data []byte
	// PTS is when it is to be shown or heard, from the start of the file.
	PTS time.Duration
	// Duration is until the next one, as far as the file tells: zero otherwise.
	// Writers do not need it.
	Duration time.Duration
	// KeyFrame is whether decoding can start here: always, in audio. Writers look
	// for themselves.
	KeyFrame bool
}

// MaxFrame is how long a frame can be: some times a picture of 4,096 by 2,160 in
// bytes. It is arbitrary.
const MaxFrame = 16 << 20

// A Codec says what the frames of a file are, as "a=rtpmap" would (RFC 8866,
// Section 6.6).
type Codec struct {
	Name      string // VP8, VP9, AV1, H264, H265, opus, PCMU, PCMA, G722, L16; case does not matter
	ClockRate int    // of RTP timestamps
	Channels  int    // of audio; 0 for video
}

// A Reader reads the frames of a file.
type Reader interface {
	Codec() Codec
	// NextFrame returns io.EOF behind the last frame, and another error where the
	// file is cut off or makes no sense.
	NextFrame() (Frame, error)
}

// A Writer writes frames to a file.
type Writer interface {
	WriteFrame(Frame) error
	// Close ends the file. It does not close what the file is written to.
	Close() error
}

// NewReader finds out what r is by its first bytes.
func NewReader(r io.Reader) (Reader, error) {
	b := bufio.NewReaderSize(r, 1<<16)
	head, err := b.Peek(12)
	if err != nil && err != io.EOF {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(head, []byte("DKIF")):
		return NewIVFReader(b)
	case bytes.HasPrefix(head, []byte("OggS")):
		return NewOggReader(b)
	case bytes.HasPrefix(head, []byte("RIFF")) && len(head) == 12 && string(head[8:]) == "WAVE":
		return NewWAVReader(b)
	}
	if head, err = b.Peek(1 << 12); err != nil && err != io.EOF {
		return nil, err
	}
	if name := annexBCodec(head); name != "" {
		return NewAnnexBReader(b, name)
	}
	return nil, ErrUnknown
}

// NewWriter begins a file of the kind that is usual for the codec.
func NewWriter(w io.Writer, c Codec) (Writer, error) {
	switch Extension(c) {
	case ".ivf":
		return NewIVFWriter(w, c.Name)
	case ".ogg":
		return NewOggWriter(w, c.Channels)
	case ".h264", ".h265":
		return NewAnnexBWriter(w, c.Name)
	case ".wav":
		return NewWAVWriter(w, c)
	}
	return nil, ErrCodec
}

// Extension is how the names of the files end that NewWriter makes, with the dot;
// empty for a codec that it does not know.
func Extension(c Codec) string {
	switch canonical(c.Name) {
	case "VP8", "VP9", "AV1":
		return ".ivf"
	case "opus":
		return ".ogg"
	case "H264":
		return ".h264"
	case "H265":
		return ".h265"
	case "PCMU", "PCMA", "G722", "L16":
		return ".wav"
	}
	return ""
}

var names = []string{"VP8", "VP9", "AV1", "H264", "H265", "opus", "PCMU", "PCMA", "G722", "L16"}

// canonical spells a codec's name as RFCs do; an unknown one is left alone.
func canonical(name string) string {
	if i := slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(n, name) }); i >= 0 {
		return names[i]
	}
	return name
}

// videoClock is the RTP clock of all video.
const videoClock = 90_000

// maxGap is the longest gap that is filled in: a sender's clock that jumps must
// not fill the disk. What is behind a longer one follows without.
const maxGap = time.Minute

// appendFrom appends n bytes of r to b, which grows as they arrive: a length that
// a file claims costs nothing until its bytes are there.
func appendFrom(b []byte, r io.Reader, n int) ([]byte, error) {
	for n > 0 {
		step := min(n, 1<<16)
		b = slices.Grow(b, step)
		m, err := io.ReadFull(r, b[len(b):len(b)+step])
		b, n = b[:len(b)+m], n-m
		if err != nil {
			return b, truncated(err)
		}
	}
	return b, nil
}

// truncated is what the end of the file means where more must come.
func truncated(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return ErrTruncated
	}
	return err
}
