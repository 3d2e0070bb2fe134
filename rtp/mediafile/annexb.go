package mediafile

import (
	"bytes"
	"io"
	"slices"
	"time"
)

// H.264 and H.265 are rows of network abstraction layer (NAL) units, which in an
// Annex B byte stream stand behind start codes: 00 00 01, with any number of zeros
// before it. What belongs to one picture is an access unit; nothing but the NAL
// units' order tells where the next one begins.

var startCode = []byte{0, 0, 0, 1}

// A nalCodec is what differs between the two.
type nalCodec struct {
	name string
	// coded is whether a NAL unit is of a picture (VCL).
	coded func(nal []byte) bool
	// first is whether it is the first of an access unit, if the one before it has
	// its picture.
	first func(nal []byte) bool
	// key is whether decoding can start at a coded NAL unit.
	key func(nal []byte) bool
	// delimiter is whether it is an access unit delimiter, set whether it is a
	// parameter set, and sequence whether it is the one that inspect reads.
	delimiter, set, sequence func(nal []byte) bool
	inspect                  func(nal []byte) Picture
}

var nalCodecs = map[string]*nalCodec{h264.name: h264, h265.name: h265}

// annexBCodec tells from the first NAL unit of a stream which codec it is of, if
// any. It is a parameter set or a delimiter; the headers are such that the
// other codec has no use for them.
func annexBCodec(head []byte) string {
	if !bytes.HasPrefix(head, startCode) && !bytes.HasPrefix(head, startCode[1:]) {
		return ""
	}
	nal := bytes.TrimLeft(head, "\x00")[1:]
	switch {
	case len(nal) < 2 || nal[0]&0x80 != 0: // forbidden_zero_bit
		return ""
	case nal[1] == 0x01 && (nal[0] == 0x40 || nal[0] == 0x42 || nal[0] == 0x46 || nal[0] == 0x4e): // VPS, SPS, AUD, SEI; nuh_temporal_id_plus1 is 1
		return h265.name
	case slices.Contains([]byte{5, 6, 7, 9}, nal[0]&0x1f): // IDR, SEI, SPS, AUD
		return h264.name
	}
	return ""
}

// nextNAL returns the first NAL unit of a stream that is all there, and the stream
// behind it. nal is nil when there is none. Zeros behind a NAL unit are the
// stream's, as no NAL unit ends in one (H.264, Section 7.4.1).
func nextNAL(stream []byte) (nal, rest []byte) {
	for {
		i := bytes.Index(stream, startCode[1:])
		if i < 0 {
			return nil, nil
		}
		stream = stream[i+3:]
		nal, rest = stream, nil
		if end := bytes.Index(stream, startCode[1:]); end >= 0 {
			nal, rest = stream[:end], stream[end:]
		}
		if nal = bytes.TrimRight(nal, "\x00"); len(nal) > 0 {
			return nal, rest
		}
	}
}

// inspectNALs looks at the NAL units of an access unit.
func inspectNALs(unit []byte, c *nalCodec) (p Picture) {
	for nal, rest := nextNAL(unit); nal != nil; nal, rest = nextNAL(rest) {
		switch {
		case c.sequence(nal):
			key := p.KeyFrame
			p = c.inspect(nal)
			p.KeyFrame = key
		case c.coded(nal):
			p.KeyFrame = p.KeyFrame || c.key(nal)
		}
	}
	return p
}

// A nalScanner finds the NAL units of a stream while it is read.
type nalScanner struct {
	r     io.Reader
	err   error // of r
	buf   []byte
	start int  // where the next NAL unit begins in buf
	at    int  // how far it was searched for the start code behind that
	on    bool // the first start code is past
}

// nalChunk is how much is read at a time.
const nalChunk = 1 << 15

// next returns the next NAL unit, which is valid until the next call. Behind the
// last one it returns io.EOF.
func (s *nalScanner) next() ([]byte, error) {
	for {
		nal, found := s.buf[s.start:], s.err != nil
		if i := bytes.Index(s.buf[s.at:], startCode[1:]); i >= 0 {
			nal, found = s.buf[s.start:s.at+i], true
			s.start = s.at + i + 3
			s.at = s.start
		} else {
			s.at = max(len(s.buf)-2, s.start)
			if s.err != nil {
				if s.start == len(s.buf) || s.err != io.EOF {
					return nil, s.err
				}
				s.start, s.at = len(s.buf), len(s.buf)
			}
		}
		if !found {
			if len(nal) > MaxFrame {
				s.err = ErrTooLarge
				return nil, s.err
			}
			s.read()
			continue
		}
		// What stands before the first start code is not part of the stream.
		after := s.on
		s.on = true
		if nal = bytes.TrimRight(nal, "\x00"); after && len(nal) > 0 {
			return nal, nil
		}
	}
}

// read reads more, and lets go of what is before start.
func (s *nalScanner) read() {
	if s.start > 0 {
		s.buf = s.buf[:copy(s.buf, s.buf[s.start:])]
		s.at -= s.start
		s.start = 0
	}
	s.buf = slices.Grow(s.buf, nalChunk)
	n, err := s.r.Read(s.buf[len(s.buf) : len(s.buf)+nalChunk])
	s.buf, s.err = s.buf[:len(s.buf)+n], err
}

// An AnnexBReader reads access units of H.264 or H.265.
//
// Where a stream gives its parameter sets once, at its beginning, they are put
// before its other key frames too: a receiver that has not seen the beginning needs
// them there.
type AnnexBReader struct {
	// Interval is for how long each picture is shown. The stream has no times: it
	// is what its parameter sets say, or 1/30 s, and can be changed at any time.
	Interval time.Duration
	// Width and Height are what the parameter sets say.
	Width, Height int

	codec *nalCodec
	scan  nalScanner
	held  []byte // the first NAL unit of the next access unit
	unit  []byte
	sets  []byte // the parameter sets that hold
	fresh []byte // those of the unit that is being read
	first *Frame // was read to know Interval
	pts   time.Duration
	err   error
}

// maxSets is how many bytes of parameter sets are kept.
const maxSets = 1 << 16

// NewAnnexBReader reads up to the first access unit's end. codec is H264 or H265.
func NewAnnexBReader(r io.Reader, codec string) (*AnnexBReader, error) {
	a := &AnnexBReader{Interval: time.Second / 30, scan: nalScanner{r: r}}
	if a.codec = nalCodecs[canonical(codec)]; a.codec == nil {
		return nil, ErrCodec
	}
	first, err := a.NextFrame()
	if err != nil {
		return nil, truncated(err)
	}
	p := inspectNALs(first.Data, a.codec)
	a.Width, a.Height = p.Width, p.Height
	if d, ok := p.interval(); ok {
		a.Interval = d
	}
	a.first, a.pts = &first, 0
	return a, nil
}

// Codec is H264 or H265.
func (a *AnnexBReader) Codec() Codec { return Codec{Name: a.codec.name, ClockRate: videoClock} }

// NextFrame reads an access unit.
func (a *AnnexBReader) NextFrame() (Frame, error) {
	if f := a.first; f != nil {
		a.first = nil
		f.Duration = a.Interval
		a.pts = a.Interval
		return *f, nil
	}
	key, err := a.readUnit()
	if err != nil {
		return Frame{}, err
	}
	f := Frame{Data: a.unit, PTS: a.pts, Duration: a.Interval, KeyFrame: key}
	a.pts += a.Interval
	return f, nil
}

// readUnit reads an access unit into a.unit.
func (a *AnnexBReader) readUnit() (key bool, err error) {
	a.unit, a.fresh = a.unit[:0], a.fresh[:0]
	front := 0 // where parameter sets may be put
	coded, sequence := false, false
	for {
		nal := a.held
		a.held = nil
		if nal == nil && a.err == nil {
			nal, a.err = a.scan.next()
		}
		if a.err != nil && (a.err != io.EOF || !coded) {
			return false, a.err // without a picture it is no access unit
		}
		if a.err != nil || coded && a.codec.first(nal) {
			a.held = nal
			break
		}
		if len(a.unit)+len(nal) > MaxFrame {
			a.err = ErrTooLarge
			return false, a.err
		}
		at := len(a.unit)
		a.unit = append(append(a.unit, startCode...), nal...)
		switch {
		case at == 0 && a.codec.delimiter(nal):
			front = len(a.unit)
		case a.codec.set(nal):
			sequence = sequence || a.codec.sequence(nal)
			a.fresh = append(a.fresh, a.unit[at:]...)
		case a.codec.coded(nal):
			coded = true
			key = key || a.codec.key(nal)
		}
	}
	if sequence {
		a.sets = a.sets[:0]
	}
	for nal, rest := nextNAL(a.fresh); nal != nil; nal, rest = nextNAL(rest) {
		if size := len(a.sets) + len(startCode) + len(nal); size <= maxSets && !a.holds(nal) {
			a.sets = append(append(a.sets, startCode...), nal...)
		}
	}
	if key && !sequence {
		a.unit = slices.Insert(a.unit, front, a.sets...)
	}
	return key, nil
}

// holds is whether sets have a parameter set.
func (a *AnnexBReader) holds(set []byte) bool {
	for nal, rest := nextNAL(a.sets); nal != nil; nal, rest = nextNAL(rest) {
		if bytes.Equal(nal, set) {
			return true
		}
	}
	return false
}

// An AnnexBWriter writes access units of H.264 or H.265. The stream begins with the
// first key frame that has its parameter sets; what comes before it is dropped.
// It has no times: a player shows the pictures at the rate that the parameter sets
// say, or at one of its own.
type AnnexBWriter struct {
	// ParameterSets are written in front, with start codes, if they are not in the
	// frames (sprop-parameter-sets; RFC 6184, Section 8.1).
	ParameterSets []byte

	output
	codec   *nalCodec
	started bool
}

// NewAnnexBWriter begins a file. Nothing is written before the first frame.
func NewAnnexBWriter(w io.Writer, codec string) (*AnnexBWriter, error) {
	c := nalCodecs[canonical(codec)]
	if c == nil {
		return nil, ErrCodec
	}
	return &AnnexBWriter{output: newOutput(w), codec: c}, nil
}

// WriteFrame appends an access unit.
func (a *AnnexBWriter) WriteFrame(frame Frame) error {
	switch {
	case len(frame.Data) == 0:
		return ErrEmpty
	case len(frame.Data) > MaxFrame:
		return ErrTooLarge
	case !bytes.HasPrefix(frame.Data, startCode) && !bytes.HasPrefix(frame.Data, startCode[1:]):
		return ErrMalformed
	}
	if !a.started && !a.closed {
		p := inspectNALs(frame.Data, a.codec)
		if !p.KeyFrame || p.Width == 0 && len(a.ParameterSets) == 0 {
			return nil
		}
		a.started = true
		if p.Width == 0 {
			if err := a.write(a.ParameterSets); err != nil {
				return err
			}
		}
	}
	return a.write(frame.Data)
}

// Close ends the file, which has no end of its own.
func (a *AnnexBWriter) Close() error {
	if a.close() && !a.started {
		return ErrNoFrame
	}
	return a.err
}
