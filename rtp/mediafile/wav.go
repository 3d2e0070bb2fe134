package mediafile

import (
	"bufio"
	"encoding/binary"
	"io"
	"time"
)

// A WAV file is a RIFF: chunks behind a name and a length, in little endian, of
// which two matter.
//
//	 0  "RIFF"                    20  format tag
//	 4  length of what follows    22  channels
//	 8  "WAVE"                    24  samples a second
//	12  "fmt "                    28  bytes a second
//	16  length: 16 or 18          32  bytes of a sample of all channels (block)
//	                              34  bits of a sample
//	…   "data", length, samples
const (
	wavPCM        = 0x0001
	wavALaw       = 0x0006
	wavMuLaw      = 0x0007
	wavG722       = 0x028f
	wavExtensible = 0xfffe

	// wavUnknown is the length of a file that was written to a pipe.
	wavUnknown = 0xffffffff
	// wavMaxFormat is more than a format chunk has, if it is none of a codec's own.
	wavMaxFormat = 256
	// wavPiece is how much is read at a time.
	wavPiece = 20 * time.Millisecond
)

// A wavFormat says how a codec's samples are stored.
type wavFormat struct {
	name    string
	tag     uint16
	bits    int // of a sample of one channel
	silence byte
}

// G.722's clock in RTP is half its sampling rate (RFC 3551, Section 4.5.2); each
// byte has two samples.
var wavFormats = []wavFormat{
	{"L16", wavPCM, 16, 0},
	{"PCMU", wavMuLaw, 8, 0xff},
	{"PCMA", wavALaw, 8, 0xd5},
	{"G722", wavG722, 4, 0xfa},
}

// A WAVReader reads L16, PCMU, PCMA or G722 in pieces of 20 ms.
type WAVReader struct {
	codec    Codec
	r        *bufio.Reader
	left     int64 // bytes of the data chunk; -1 if nobody knows
	position int64 // bytes
	rate     int   // bytes a second
	piece    int
	buf      []byte
}

// NewWAVReader reads up to the first sample.
func NewWAVReader(r io.Reader) (*WAVReader, error) {
	w := &WAVReader{r: bufio.NewReader(r)}
	var head [12]byte
	if _, err := io.ReadFull(w.r, head[:]); err != nil {
		return nil, truncated(err)
	}
	if string(head[:4]) != "RIFF" || string(head[8:]) != "WAVE" {
		return nil, ErrMalformed
	}
	for {
		if _, err := io.ReadFull(w.r, head[:8]); err != nil {
			return nil, truncated(err)
		}
		size := int64(binary.LittleEndian.Uint32(head[4:]))
		switch string(head[:4]) {
		case "fmt ":
			if size < 16 || size > wavMaxFormat {
				return nil, ErrMalformed
			}
			var err error
			if w.buf, err = appendFrom(w.buf[:0], w.r, int(size+size&1)); err != nil {
				return nil, err
			}
			if err := w.format(w.buf); err != nil {
				return nil, err
			}
		case "data":
			if w.rate == 0 {
				return nil, ErrMalformed
			}
			w.left = size
			if size == wavUnknown {
				w.left = -1
			}
			return w, nil
		default:
			// "A pad byte with value zero is written after a chunk of odd length."
			if _, err := io.CopyN(io.Discard, w.r, size+size&1); err != nil {
				return nil, truncated(err)
			}
		}
	}
}

// format reads the format chunk.
func (w *WAVReader) format(b []byte) error {
	tag, channels := binary.LittleEndian.Uint16(b), int(binary.LittleEndian.Uint16(b[2:]))
	samples, bits := int(binary.LittleEndian.Uint32(b[4:])), int(binary.LittleEndian.Uint16(b[14:]))
	if tag == wavExtensible && len(b) >= 40 {
		tag = binary.LittleEndian.Uint16(b[24:]) // the first bytes of the sub-format
	}
	for _, f := range wavFormats {
		if f.tag != tag {
			continue
		}
		clock := samples
		if f.name == "G722" {
			clock, bits = samples/2, f.bits // which writers do not agree on
		}
		if channels < 1 || channels > 8 || samples < 1000 || samples > 384_000 || bits != f.bits {
			return ErrCodec
		}
		w.codec = Codec{Name: f.name, ClockRate: clock, Channels: channels}
		w.rate = samples * channels * bits / 8
		block := max(channels*bits/8, 1)
		w.piece = max(int(int64(w.rate)*int64(wavPiece)/int64(time.Second))/block, 1) * block
		return nil
	}
	return ErrCodec
}

// Codec is L16, PCMU, PCMA or G722.
func (w *WAVReader) Codec() Codec { return w.codec }

// NextFrame reads 20 ms, or what is left.
func (w *WAVReader) NextFrame() (Frame, error) {
	n := w.piece
	if w.left >= 0 {
		n = int(min(int64(n), w.left))
	}
	if n == 0 {
		return Frame{}, io.EOF
	}
	var err error
	w.buf, err = appendFrom(w.buf[:0], w.r, n)
	got := len(w.buf)
	if w.codec.Name == "L16" {
		got &^= 1
	}
	if err != nil && (err != ErrTruncated || got == 0) {
		if err == ErrTruncated && w.left < 0 {
			err = io.EOF // which is how it ends
		}
		return Frame{}, err
	}
	if w.left > 0 {
		w.left -= int64(got)
	}
	b := w.buf[:got]
	if w.codec.Name == "L16" {
		swapBytes(b)
	}
	f := Frame{Data: b, PTS: duration(w.position, w.rate), KeyFrame: true}
	w.position += int64(got)
	f.Duration = duration(w.position, w.rate) - f.PTS
	return f, nil
}

// swapBytes turns samples of 16 bits from little endian to network order, or back.
func swapBytes(b []byte) {
	for i := 0; i+1 < len(b); i += 2 {
		b[i], b[i+1] = b[i+1], b[i]
	}
}

// A WAVWriter writes L16, PCMU, PCMA or G722.
type WAVWriter struct {
	output
	format  wavFormat
	rate    int // bytes a second
	block   int // bytes of one sample of all channels
	sizeAt  int64
	factAt  int64
	samples int // a second
	size    int64
	first   time.Duration
	started bool
	buf     []byte
}

// NewWAVWriter writes the header of a file.
func NewWAVWriter(w io.Writer, c Codec) (*WAVWriter, error) {
	f := &WAVWriter{output: newOutput(w)}
	for _, format := range wavFormats {
		if format.name == canonical(c.Name) {
			f.format = format
		}
	}
	f.samples = c.ClockRate
	if f.format.name == "G722" {
		f.samples *= 2
	}
	if f.format.name == "" || c.Channels < 1 || c.Channels > 8 || f.samples < 1000 || f.samples > 384_000 {
		return nil, ErrCodec
	}
	f.rate = f.samples * c.Channels * f.format.bits / 8
	f.block = max(c.Channels*f.format.bits/8, 1)

	b := binary.LittleEndian.AppendUint32([]byte("RIFF"), wavUnknown)
	b = append(b, "WAVEfmt "...)
	size := uint32(16)
	if f.format.tag != wavPCM {
		size = 18 // with the length of what is the codec's own: nothing
	}
	b = binary.LittleEndian.AppendUint32(b, size)
	b = binary.LittleEndian.AppendUint16(b, f.format.tag)
	b = binary.LittleEndian.AppendUint16(b, uint16(c.Channels))
	b = binary.LittleEndian.AppendUint32(b, uint32(f.samples))
	b = binary.LittleEndian.AppendUint32(b, uint32(f.rate))
	b = binary.LittleEndian.AppendUint16(b, uint16(f.block))
	b = binary.LittleEndian.AppendUint16(b, uint16(f.format.bits))
	if f.format.tag != wavPCM {
		b = append(b, 0, 0)
		// How many samples there are: "required for all non-PCM formats".
		b = binary.LittleEndian.AppendUint32(append(b, "fact"...), 4)
		f.factAt = int64(len(b))
		b = binary.LittleEndian.AppendUint32(b, wavUnknown)
	}
	b = binary.LittleEndian.AppendUint32(append(b, "data"...), wavUnknown)
	f.sizeAt = int64(len(b) - 4)
	return f, f.write(b)
}

// WriteFrame appends samples. If their PTS is behind the end of those before, the
// gap is filled with silence; if it is before that, it does not matter.
func (w *WAVWriter) WriteFrame(frame Frame) error {
	switch n := len(frame.Data); {
	case n == 0:
		return ErrEmpty
	case n%w.block != 0:
		return ErrMalformed
	case w.size+int64(n) > 1<<32-64: // a RIFF counts to 4 GiB
		return ErrTooLarge
	}
	if !w.started {
		w.started, w.first = true, frame.PTS
	}
	gap := ticks(frame.PTS-w.first, w.rate) - w.size
	switch {
	case gap > int64(maxGap/time.Second)*int64(w.rate):
		w.first += duration(gap, w.rate)
	case gap >= int64(w.block)*int64(w.samples)/1000: // a millisecond: less is of rounding
		if err := w.silence(gap - gap%int64(w.block)); err != nil {
			return err
		}
	}
	w.buf = append(w.buf[:0], frame.Data...)
	if w.format.name == "L16" {
		swapBytes(w.buf)
	}
	w.size += int64(len(w.buf))
	return w.write(w.buf)
}

// silence writes n bytes of it, a second at a time.
func (w *WAVWriter) silence(n int64) error {
	for n > 0 {
		piece := min(n, int64(w.rate))
		w.buf = w.buf[:0]
		for range piece {
			w.buf = append(w.buf, w.format.silence)
		}
		if err := w.write(w.buf); err != nil {
			return err
		}
		w.size += piece
		n -= piece
	}
	return nil
}

// Close fills in the lengths.
func (w *WAVWriter) Close() error {
	if w.closed {
		return nil
	}
	defer w.close()
	if w.size&1 == 1 {
		if err := w.write([]byte{0}); err != nil {
			return err
		}
	}
	length := func(n int64) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(n)) }
	if err := w.fill(4, length(w.sizeAt+4+w.size+w.size&1-8)); err != nil {
		return err
	}
	if w.factAt > 0 {
		if err := w.fill(w.factAt, length(w.size*int64(w.samples)/int64(w.rate))); err != nil {
			return err
		}
	}
	return w.fill(w.sizeAt, length(w.size))
}
