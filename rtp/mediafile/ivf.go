package mediafile

import (
	"bufio"
	"encoding/binary"
	"io"
	"math"
	"time"
)

// An IVF file is a header and frames behind headers of their own, all numbers in
// little endian.
//
//	 0  "DKIF"                        24  number of frames
//	 4  version: 0                    28  unused
//	 6  size of this header: 32       32  size of the frame         \
//	 8  "VP80", "VP90" or "AV01"      36  its timestamp, 64 bits     } again and again
//	12  width                         44  the frame                 /
//	14  height
//	16  timestamps a second, and 20: the seconds that these are in
//
// libvpx, which invented it, counts frames in the header; ffmpeg takes that for a
// duration in timestamps, and shows one that is too short if the two are not the
// same. It plays the file to its end all the same.
const (
	ivfHeaderSize      = 32
	ivfFrameHeaderSize = 12
	ivfFrameCount      = 24
)

var ivfFourCC = map[string]string{"VP8": "VP80", "VP9": "VP90", "AV1": "AV01"}

// An IVFReader reads frames of VP8, VP9 or AV1.
type IVFReader struct {
	// Width and Height are what the header says, and Frames how many frames there
	// are: zero where it was written before anybody knew.
	Width, Height, Frames int

	codec Codec
	// A timestamp counts scale/rate of a second.
	rate, scale int64
	r           *bufio.Reader
	// The next frame's header is read with a frame, for its duration.
	next     [ivfFrameHeaderSize]byte
	nextErr  error
	started  bool
	first    int64 // timestamp
	buf      []byte
	interval time.Duration // to the frame before
}

// NewIVFReader reads the file's header.
func NewIVFReader(r io.Reader) (*IVFReader, error) {
	f := &IVFReader{r: bufio.NewReader(r)}
	var h [ivfHeaderSize]byte
	if _, err := io.ReadFull(f.r, h[:]); err != nil {
		return nil, truncated(err)
	}
	if string(h[:4]) != "DKIF" {
		return nil, ErrMalformed
	}
	for name, fourCC := range ivfFourCC {
		if string(h[8:12]) == fourCC {
			f.codec = Codec{Name: name, ClockRate: videoClock}
		}
	}
	if f.codec.Name == "" {
		return nil, ErrCodec
	}
	f.Width, f.Height = int(binary.LittleEndian.Uint16(h[12:])), int(binary.LittleEndian.Uint16(h[14:]))
	f.rate, f.scale = int64(binary.LittleEndian.Uint32(h[16:])), int64(binary.LittleEndian.Uint32(h[20:]))
	f.Frames = int(binary.LittleEndian.Uint32(h[ivfFrameCount:]))
	size := int(binary.LittleEndian.Uint16(h[6:]))
	if f.rate == 0 || f.scale == 0 || size < ivfHeaderSize {
		return nil, ErrMalformed
	}
	if _, err := f.r.Discard(size - ivfHeaderSize); err != nil {
		return nil, truncated(err)
	}
	f.readHeader()
	return f, nil
}

// Codec is VP8, VP9 or AV1.
func (f *IVFReader) Codec() Codec { return f.codec }

func (f *IVFReader) readHeader() {
	if _, f.nextErr = io.ReadFull(f.r, f.next[:]); f.nextErr != io.EOF && f.nextErr != nil {
		f.nextErr = truncated(f.nextErr)
	}
}

// NextFrame reads a frame.
func (f *IVFReader) NextFrame() (Frame, error) {
	// An encoder that left a frame out may have written an empty one.
	for f.nextErr == nil && binary.LittleEndian.Uint32(f.next[:]) == 0 {
		f.readHeader()
	}
	if f.nextErr != nil {
		return Frame{}, f.nextErr
	}
	size, at := binary.LittleEndian.Uint32(f.next[:]), f.timestamp()
	if size > MaxFrame {
		f.nextErr = ErrTooLarge
		return Frame{}, f.nextErr
	}
	if !f.started {
		f.started, f.first = true, at
	}
	if f.buf, f.nextErr = appendFrom(f.buf[:0], f.r, int(size)); f.nextErr != nil {
		return Frame{}, f.nextErr
	}
	pts := f.time(at - f.first)
	// The last one is shown as long as the one before it.
	if f.readHeader(); f.nextErr == nil {
		f.interval = max(f.time(f.timestamp()-f.first)-pts, 0)
	}
	return Frame{Data: f.buf, PTS: pts, Duration: f.interval, KeyFrame: Inspect(f.codec.Name, f.buf).KeyFrame}, nil
}

// timestamp is that of the next frame. Nobody counts beyond 48 bits, and what is
// there makes no time overflow.
func (f *IVFReader) timestamp() int64 {
	return int64(binary.LittleEndian.Uint64(f.next[4:]) & (1<<48 - 1))
}

func (f *IVFReader) time(timestamp int64) time.Duration {
	t := float64(timestamp) * float64(f.scale) / float64(f.rate) * float64(time.Second)
	const most = 1 << 62
	return time.Duration(math.Round(min(max(t, -most), most)))
}

// An IVFWriter writes frames of VP8, VP9 or AV1. The file begins with the first key
// frame, which has the size that its header needs; frames before it are dropped.
type IVFWriter struct {
	output
	codec  string
	frames uint32
	first  time.Duration
	last   int64 // timestamp
	buf    []byte
}

// NewIVFWriter begins a file. Nothing is written before the first frame.
func NewIVFWriter(w io.Writer, codec string) (*IVFWriter, error) {
	codec = canonical(codec)
	if ivfFourCC[codec] == "" {
		return nil, ErrCodec
	}
	return &IVFWriter{output: newOutput(w), codec: codec}, nil
}

// WriteFrame appends a frame. Its timestamp counts from the first one, in 1/90,000 s,
// which are those of RTP.
func (f *IVFWriter) WriteFrame(frame Frame) error {
	if len(frame.Data) == 0 {
		return ErrEmpty
	}
	if len(frame.Data) > MaxFrame {
		return ErrTooLarge
	}
	b := f.buf[:0]
	if f.frames == 0 && !f.closed {
		p := Inspect(f.codec, frame.Data)
		if !p.KeyFrame {
			return nil
		}
		b = f.appendHeader(b, p)
		f.first, f.last = frame.PTS, -1
	}
	// Players want every timestamp above the one before.
	f.last = max(ticks(frame.PTS-f.first, videoClock), f.last+1)
	at := len(b)
	b = append(b, make([]byte, ivfFrameHeaderSize)...)
	if f.codec == "AV1" && frame.Data[0]>>3 != obuTemporalDelimiter {
		// AV1, Section 7.5: "Each temporal unit must have exactly one temporal
		// delimiter", which begins it. RTP carries none.
		b = append(b, temporalDelimiter...)
	}
	b = append(b, frame.Data...)
	binary.LittleEndian.PutUint32(b[at:], uint32(len(b)-at-ivfFrameHeaderSize))
	binary.LittleEndian.PutUint64(b[at+4:], uint64(f.last))
	f.buf = b
	if err := f.write(b); err != nil {
		return err
	}
	f.frames++
	return nil
}

func (f *IVFWriter) appendHeader(b []byte, p Picture) []byte {
	b = append(b, "DKIF\x00\x00\x20\x00"...)
	b = append(b, ivfFourCC[f.codec]...)
	b = binary.LittleEndian.AppendUint16(b, uint16(p.Width))
	b = binary.LittleEndian.AppendUint16(b, uint16(p.Height))
	b = binary.LittleEndian.AppendUint32(b, videoClock)
	b = binary.LittleEndian.AppendUint32(b, 1)
	return append(b, make([]byte, ivfHeaderSize-ivfFrameCount)...)
}

// Close fills in the number of frames. Where what is written to can't seek, as a pipe, it stays
// zero, which readers take for unknown: the file plays to its end all the same.
func (f *IVFWriter) Close() error {
	if !f.close() {
		return nil
	}
	if f.frames == 0 && f.err == nil {
		return ErrNoFrame
	}
	return f.fill(ivfFrameCount, binary.LittleEndian.AppendUint32(nil, f.frames))
}
