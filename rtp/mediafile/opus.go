package mediafile

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"time"

	"github.com/plainrtc/plainrtc/rtp/payload"
)

const (
	opusClock = 48_000
	// opusPreSkip is what a decoder drops at the start, 6.5 ms: how far the
	// encoder of libopus, which browsers use, looks ahead.
	opusPreSkip = 312
	// opusUnit is the shortest frame, 2.5 ms. Gaps are filled in multiples of it.
	opusUnit = 120
	// opusMaxDuration is that of a packet, 120 ms (RFC 6716, Section 3.2.1).
	opusMaxDuration = 5760
	// opusMaxPacket is more than a packet of 120 ms has. RFC 7845, Section 6:
	// "Demuxers SHOULD treat audio data packets as invalid [...] if they are larger than
	// 61,440 octets per Opus stream".
	opusMaxPacket = 61_440
	// opusMaxPage: "no more than one second" (Section 5) is what is lost of a
	// recording at most.
	opusMaxPage = opusClock
)

// An OggReader reads the packets of the first stream of Opus in an Ogg file.
type OggReader struct {
	// PreSkip is how many samples, at 48 kHz, a decoder drops at the start. They
	// count in the frames' PTS.
	PreSkip int

	channels int
	serial   uint32
	r        *bufio.Reader
	page     oggPage
	last     bool // page is the stream's last
	end      int64
	number   uint32
	position int64 // granule position where the next packet begins
	first    int64
	placed   bool   // position has come from a page
	partial  []byte // a packet that the next page continues
	broken   bool   // a page of it is missing
}

// NewOggReader reads the file's headers (RFC 7845, Section 3).
func NewOggReader(r io.Reader) (*OggReader, error) {
	o := &OggReader{r: bufio.NewReaderSize(r, oggMaxPage)}
	// The streams' first pages stand in front of all others.
	for {
		p, err := readOggPage(o.r)
		if err != nil {
			return nil, truncated(err)
		}
		if p.flags&oggBOS == 0 {
			return nil, ErrCodec
		}
		// The identification header:
		//
		//	"OpusHead", version (1), channel count (1), pre-skip (2), input
		//	sample rate (4), output gain (2), channel mapping family (1), …
		//
		// "Implementations SHOULD treat streams where the upper four bits of the
		// version number match that of a recognized specification as backwards
		// compatible". Section 5.1.
		if head := p.data; bytes.HasPrefix(head, []byte("OpusHead")) {
			if len(head) < 19 || head[8]>>4 != 0 || head[9] == 0 {
				return nil, ErrMalformed
			}
			if head[18] != 0 || head[9] > 2 { // more than stereo is not for RTP
				return nil, ErrCodec
			}
			o.channels = int(head[9])
			o.PreSkip = int(binary.LittleEndian.Uint16(head[10:]))
			o.serial, o.number = p.serial, p.number
			break
		}
	}
	// The comment header may have pictures in it, and is passed over. It may span
	// pages, but "MUST finish the page on which it completes": audio begins with the next.
	for first := true; ; first = false {
		if err := o.nextPage(); err != nil {
			return nil, truncated(err)
		}
		if first && !bytes.HasPrefix(o.page.data, []byte("OpusTags")) {
			return nil, ErrMalformed
		}
		if _, done, ok := o.page.next(); ok && done {
			o.page = oggPage{}
			return o, nil
		}
	}
}

// Codec is opus, whose "number of channels MUST be 2" in SDP (RFC 7587, Section 7)
// whatever is inside.
func (o *OggReader) Codec() Codec { return Codec{Name: "opus", ClockRate: opusClock, Channels: 2} }

// Channels is how many there are inside.
func (o *OggReader) Channels() int { return o.channels }

// nextPage reads the stream's next page. Those of other streams are passed over.
func (o *OggReader) nextPage() error {
	for {
		if o.last {
			return io.EOF
		}
		p, err := readOggPage(o.r)
		if err != nil {
			if err == io.EOF && (len(o.partial) > 0 || o.r.Buffered() > 0) {
				return ErrTruncated
			}
			return err
		}
		if p.serial != o.serial {
			continue
		}
		if o.number++; p.number != o.number { // a page is missing
			o.number, o.broken = p.number, true
		}
		o.page, o.last = p, p.flags&oggEOS != 0
		return nil
	}
}

// startPage gives position the value it has where the page begins: the granule
// position of a page is that of the end of the last packet that ends on it.
func (o *OggReader) startPage() {
	switch {
	case o.page.flags&oggContinued == 0:
		o.partial, o.broken = o.partial[:0], false
	case o.broken || len(o.partial) == 0: // the beginning of what goes on here is missing
		_, done, _ := o.page.next()
		o.partial, o.broken = o.partial[:0], !done
	}
	o.end = o.page.granule
	if o.end < 0 || o.end > 1<<48 { // oggNoGranule, or of no use
		o.end = oggNoGranule
		return
	}
	sum := int64(0)
	page, head := o.page, o.partial
	for {
		piece, done, ok := page.next()
		if !ok || !done {
			break
		}
		if len(head) == 0 {
			head = piece
		}
		sum += int64(payload.Opus.Duration(head, 0))
		head = nil
	}
	// The last page may end before its last packet does, which is to be cut
	// (RFC 7845, Section 4.4). Otherwise packets are missing, or the recording
	// began in the middle of something (Section 4.3).
	if start := o.end - sum; !o.placed && !o.last || start > o.position {
		o.position = start
	}
	if !o.placed {
		o.placed, o.first = true, o.position
	}
}

// NextFrame reads a packet.
func (o *OggReader) NextFrame() (Frame, error) {
	for {
		piece, done, ok := o.page.next()
		if !ok {
			if err := o.nextPage(); err != nil {
				return Frame{}, err
			}
			o.startPage()
			continue
		}
		if !done {
			// One byte above what is taken is kept of what is longer than that.
			o.partial = append(o.partial, piece[:min(len(piece), opusMaxPacket+1-len(o.partial))]...)
			continue
		}
		data := piece
		if len(o.partial) > 0 {
			data = append(o.partial, piece...)
			o.partial = data[:0]
		}
		samples := int64(payload.Opus.Duration(data, 0))
		f := Frame{Data: data, PTS: duration(o.position-o.first, opusClock), KeyFrame: true}
		o.position += samples
		if samples == 0 || len(data) > opusMaxPacket {
			continue // no packet of Opus
		}
		if o.last && o.end != oggNoGranule {
			samples = max(samples-max(o.position-o.end, 0), 0)
		}
		f.Duration = duration(samples, opusClock)
		return f, nil
	}
}

// An OggWriter writes Opus packets to an Ogg file.
//
// A page is written when it holds a second of audio, so that this much is lost if
// the writer is never closed.
type OggWriter struct {
	// Serial numbers the stream, which matters to those who put the streams of
	// several files into one. It can be changed before the first frame.
	Serial uint32

	ogg      oggWriter
	channels int
	started  bool
	first    time.Duration
	position int64 // where the next packet begins; pre-skip counts
	inPage   int64 // of that
	toc      byte  // of the packet before
	fill     []byte
}

// NewOggWriter begins a file. channels, 1 or 2, is for how many a player prepares:
// a packet says for itself how many it has. Nothing is written before the first
// frame.
func NewOggWriter(w io.Writer, channels int) (*OggWriter, error) {
	if channels < 1 || channels > 2 {
		return nil, ErrCodec
	}
	return &OggWriter{ogg: oggWriter{output: newOutput(w)}, channels: channels, Serial: 1}, nil
}

// WriteFrame appends a packet. If its PTS is behind the end of the one before, the
// gap is filled with packets that make the decoder conceal a loss; if it is before
// that, it does not matter.
func (o *OggWriter) WriteFrame(frame Frame) error {
	samples := int64(payload.Opus.Duration(frame.Data, 0))
	switch {
	case o.ogg.closed:
		return ErrClosed
	case len(frame.Data) == 0:
		return ErrEmpty
	case samples == 0:
		return ErrMalformed
	case len(frame.Data) > opusMaxPacket:
		return ErrTooLarge
	}
	if !o.started {
		if err := o.start(); err != nil {
			return err
		}
		o.first = frame.PTS
	} else if err := o.conceal(frame.PTS); err != nil {
		return err
	}
	o.toc = frame.Data[0]
	return o.add(frame.Data, samples)
}

// start writes the headers: "There are two mandatory header packets", each on pages
// of its own (RFC 7845, Section 3).
func (o *OggWriter) start() error {
	o.started = true
	o.ogg.serial, o.ogg.flags = o.Serial, oggBOS
	o.ogg.add(opusHead(o.channels), 0)
	if err := o.ogg.flush(); err != nil {
		return err
	}
	const vendor = "plainrtc"
	tags := binary.LittleEndian.AppendUint32([]byte("OpusTags"), uint32(len(vendor)))
	tags = append(tags, vendor...)
	o.ogg.add(binary.LittleEndian.AppendUint32(tags, 0), 0)
	return o.ogg.flush()
}

// opusHead is the identification header, for which see NewOggReader.
func opusHead(channels int) []byte {
	head := append([]byte("OpusHead"), 1, byte(channels))
	head = binary.LittleEndian.AppendUint16(head, opusPreSkip)
	head = binary.LittleEndian.AppendUint32(head, opusClock)
	return append(head, 0, 0, 0) // no gain, one stream
}

// add adds a packet to the page, or to the next if it is full. One packet always
// waits, to be on the page that says that it is the last.
func (o *OggWriter) add(packet []byte, samples int64) error {
	if len(o.ogg.lacing) > 0 && (!o.ogg.fits(len(packet)) || o.inPage+samples > opusMaxPage) {
		if err := o.ogg.flush(); err != nil {
			return err
		}
		o.inPage = 0
	}
	o.position += samples
	o.inPage += samples
	o.ogg.add(packet, o.position)
	return o.ogg.err
}

// conceal fills the gap up to pts with packets whose frames are empty. RFC 7845,
// Section 4.1: "In order to support capturing a real-time stream that has lost or not
// transmitted packets, a multiplexer (muxer) SHOULD emit packets that explicitly request
// the use of Packet Loss Concealment (PLC) in place of the missing packets."
func (o *OggWriter) conceal(pts time.Duration) error {
	gap := ticks(pts-o.first, opusClock) - o.position
	if gap > int64(maxGap/time.Second)*opusClock {
		o.first += duration(gap, opusClock)
		return nil
	}
	for gap >= opusUnit {
		// Frames as long as those before, as many as a packet holds. What remains is
		// of 2.5 ms each, which only CELT has: of the same bandwidth, if it can.
		toc := o.toc &^ 3
		each := int64(payload.Opus.Duration([]byte{toc}, 0))
		if each > gap {
			toc, each = 28<<3|o.toc&4, opusUnit
		}
		n := min(gap, opusMaxDuration) / each
		o.fill = append(o.fill[:0], toc|3, byte(n)) // code 3: n frames, all of the same size, which is zero
		if err := o.add(o.fill, n*each); err != nil {
			return err
		}
		gap -= n * each
	}
	return nil
}

// Close writes the last page.
func (o *OggWriter) Close() error {
	if o.ogg.closed {
		return nil
	}
	defer o.ogg.close()
	if !o.started {
		return ErrNoFrame
	}
	o.ogg.flags = oggEOS
	return o.ogg.flush()
}
