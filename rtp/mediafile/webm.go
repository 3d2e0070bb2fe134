package mediafile

import (
	"encoding/binary"
	"io"
	"math"
	"math/bits"
	"time"
)

// WebM is Matroska (RFC 9559) with few codecs, which is made of EBML elements (RFC
// 8794): an ID, a size, and data or more elements. These are the IDs, indented as they
// stand in each other; their first bits say how long they are.
const (
	ebmlHeader             = 0x1a45dfa3
	ebmlVersion            = 0x4286
	ebmlReadVersion        = 0x42f7
	ebmlMaxIDLength        = 0x42f2
	ebmlMaxSizeLength      = 0x42f3
	ebmlDocType            = 0x4282
	ebmlDocTypeVersion     = 0x4287
	ebmlDocTypeReadVersion = 0x4285

	idVoid    = 0xec
	idSegment = 0x18538067

	idSeekHead     = 0x114d9b74
	idSeek         = 0x4dbb
	idSeekID       = 0x53ab
	idSeekPosition = 0x53ac

	idInfo           = 0x1549a966
	idTimestampScale = 0x2ad7b1
	idDuration       = 0x4489
	idMuxingApp      = 0x4d80
	idWritingApp     = 0x5741

	idTracks            = 0x1654ae6b
	idTrackEntry        = 0xae
	idTrackNumber       = 0xd7
	idTrackUID          = 0x73c5
	idTrackType         = 0x83
	idFlagLacing        = 0x9c
	idCodecID           = 0x86
	idCodecPrivate      = 0x63a2
	idCodecDelay        = 0x56aa
	idSeekPreRoll       = 0x56bb
	idVideo             = 0xe0
	idPixelWidth        = 0xb0
	idPixelHeight       = 0xba
	idAudio             = 0xe1
	idSamplingFrequency = 0xb5
	idChannels          = 0x9f

	idCluster     = 0x1f43b675
	idTimestamp   = 0xe7
	idSimpleBlock = 0xa3

	idCues               = 0x1c53bb6b
	idCuePoint           = 0xbb
	idCueTime            = 0xb3
	idCueTrackPositions  = 0xb7
	idCueTrack           = 0xf7
	idCueClusterPosition = 0xf1
)

// webmUnknown is the size of what ends where something begins that cannot be in it:
// that of clusters, and so that of the segment, which players do not take otherwise.
const webmUnknown = 1<<56 - 1

// Places that Close fills in have room from the start: an element of nothing.
const (
	webmSeekHeadSize = 26
	webmDurationSize = 11
)

// Clusters are as long as a seek may miss by, but for those that begin with a key
// frame of video. A block's time in its cluster has 16 bits.
const (
	webmMaxCluster  = 5_000 // ms
	webmMaxBackward = 1_000 // ms
)

var webmCodecs = map[string]string{"VP8": "V_VP8", "VP9": "V_VP9", "AV1": "V_AV1", "opus": "A_OPUS"}

// A WebMWriter writes VP8, VP9, AV1 and Opus, several of them to one file: what a
// browser plays. The file begins with the first key frame of video that comes, if there
// is to be video: audio before it is dropped. What did not arrive is a hole.
type WebMWriter struct {
	output
	tracks  []Codec
	sizeAt  int64 // of places that Close fills in
	seekAt  int64
	infoAt  int64
	segment int64 // where the data of the segment begins
	at      int64 // bytes written
	started bool
	first   time.Duration
	cluster int64 // its time, ms
	open    bool  // a cluster is
	end     int64 // ms
	cues    []webmCue
	buf     []byte
}

// A webmCue is where decoding can start.
type webmCue struct{ time, position int64 }

// maxCues is a day of clusters.
const maxCues = 24 * 3600

// NewWebMWriter begins a file of one or more tracks. Nothing is written before the
// first frame.
func NewWebMWriter(w io.Writer, tracks ...Codec) (*WebMWriter, error) {
	if len(tracks) == 0 || len(tracks) > 100 {
		return nil, ErrCodec
	}
	for _, c := range tracks {
		if webmCodecs[canonical(c.Name)] == "" {
			return nil, ErrCodec
		}
	}
	f := &WebMWriter{output: newOutput(w)}
	for _, c := range tracks {
		c.Name = canonical(c.Name)
		f.tracks = append(f.tracks, c)
	}
	return f, nil
}

func (c Codec) video() bool { return Extension(c) == ".ivf" }

// WriteFrame appends a frame of the track, which counts from zero. Frames of all tracks
// are on one clock, and come in the order of their times, or nearly.
func (f *WebMWriter) WriteFrame(track int, frame Frame) error {
	codec := f.tracks[track]
	switch {
	case f.closed:
		return ErrClosed
	case len(frame.Data) == 0:
		return ErrEmpty
	case len(frame.Data) > MaxFrame:
		return ErrTooLarge
	}
	p, data := Picture{KeyFrame: true}, frame.Data
	if codec.video() {
		p = Inspect(codec.Name, data)
	}
	b := f.buf[:0]
	if !f.started {
		if !p.KeyFrame || !codec.video() && f.hasVideo() {
			return nil
		}
		f.started, f.first = true, frame.PTS
		b = f.appendHead(b, p, data)
	}
	if codec.Name == "AV1" && data[0]>>3 == obuTemporalDelimiter {
		// "The Temporal Delimiter OBUs SHOULD be omitted": they are empty.
		if _, _, rest, ok := nextOBU(data); ok {
			data = rest
		}
	}
	at := ticks(frame.PTS-f.first, 1000)
	if at < 0 {
		return nil
	}
	f.end = max(f.end, at+frame.Duration.Milliseconds())
	since := at - f.cluster
	if begins := codec.video() && p.KeyFrame; !f.open || begins || since >= webmMaxCluster || since < -webmMaxBackward {
		if begins || !f.hasVideo() {
			f.cue(at, f.at+int64(len(b)))
		}
		b = binary.BigEndian.AppendUint32(b, idCluster)
		b = appendSize(b, webmUnknown)
		b = appendNumber(b, idTimestamp, uint64(at))
		f.open, f.cluster, since = true, at, 0
	}
	// A SimpleBlock: the track's number, the time, and flags.
	b = appendID(b, idSimpleBlock)
	b = appendSize(b, uint64(4+len(data)))
	b = append(b, 0x80|byte(track+1))
	b = binary.BigEndian.AppendUint16(b, uint16(since))
	flags := byte(0)
	if p.KeyFrame {
		flags = 0x80
	}
	b = append(b, flags)
	f.buf = append(b, data...)
	f.at += int64(len(f.buf))
	return f.write(f.buf)
}

func (f *WebMWriter) hasVideo() bool {
	for _, c := range f.tracks {
		if c.video() {
			return true
		}
	}
	return false
}

func (f *WebMWriter) cue(at, position int64) {
	if len(f.cues) < maxCues {
		f.cues = append(f.cues, webmCue{at, position - f.segment})
	}
}

// appendHead appends all that stands before the first cluster.
func (f *WebMWriter) appendHead(b []byte, p Picture, key []byte) []byte {
	b = appendElement(b, ebmlHeader, func(b []byte) []byte {
		b = appendNumber(b, ebmlVersion, 1)
		b = appendNumber(b, ebmlReadVersion, 1)
		b = appendNumber(b, ebmlMaxIDLength, 4)
		b = appendNumber(b, ebmlMaxSizeLength, 8)
		b = appendText(b, ebmlDocType, "webm")
		b = appendNumber(b, ebmlDocTypeVersion, 4)
		return appendNumber(b, ebmlDocTypeReadVersion, 2)
	})
	b = appendID(b, idSegment)
	b = appendSize(b, webmUnknown)
	f.segment, f.seekAt = int64(len(b)), int64(len(b))
	b = appendVoid(b, webmSeekHeadSize)
	b = appendElement(b, idInfo, func(b []byte) []byte {
		b = appendNumber(b, idTimestampScale, uint64(time.Millisecond))
		b = appendText(b, idMuxingApp, "plainrtc")
		b = appendText(b, idWritingApp, "plainrtc")
		return appendVoid(b, webmDurationSize)
	})
	f.infoAt = int64(len(b) - webmDurationSize)
	return appendElement(b, idTracks, func(b []byte) []byte {
		for i, c := range f.tracks {
			b = appendElement(b, idTrackEntry, func(b []byte) []byte { return appendTrack(b, i+1, c, p, key) })
		}
		return b
	})
}

func appendTrack(b []byte, number int, c Codec, p Picture, key []byte) []byte {
	const video, audio = 1, 2
	b = appendNumber(b, idTrackNumber, uint64(number))
	b = appendNumber(b, idTrackUID, uint64(number))
	b = appendNumber(b, idFlagLacing, 0)
	b = appendText(b, idCodecID, webmCodecs[c.Name])
	if c.video() {
		if c.Name == "AV1" {
			b = appendText(b, idCodecPrivate, string(av1Configuration(key)))
		}
		b = appendNumber(b, idTrackType, video)
		return appendElement(b, idVideo, func(b []byte) []byte {
			b = appendNumber(b, idPixelWidth, uint64(p.Width))
			return appendNumber(b, idPixelHeight, uint64(p.Height))
		})
	}
	channels := max(min(c.Channels, 2), 1)
	b = appendText(b, idCodecPrivate, string(opusHead(channels)))
	// What a decoder drops at the start, and how far before a place it begins, in ns.
	b = appendNumber(b, idCodecDelay, uint64(duration(opusPreSkip, opusClock)))
	b = appendNumber(b, idSeekPreRoll, uint64(80*time.Millisecond))
	b = appendNumber(b, idTrackType, audio)
	return appendElement(b, idAudio, func(b []byte) []byte {
		b = appendFloat(b, idSamplingFrequency, opusClock)
		return appendNumber(b, idChannels, uint64(channels))
	})
}

// Close writes an index of key frames and, where the file can seek, how long it is.
func (f *WebMWriter) Close() error {
	if f.closed {
		return nil
	}
	defer f.close()
	if !f.started {
		return ErrNoFrame
	}
	cuesAt := f.at - f.segment
	b := appendElement(nil, idCues, func(b []byte) []byte {
		for _, c := range f.cues {
			b = appendElement(b, idCuePoint, func(b []byte) []byte {
				b = appendNumber(b, idCueTime, uint64(c.time))
				return appendElement(b, idCueTrackPositions, func(b []byte) []byte {
					b = appendNumber(b, idCueTrack, uint64(f.cueTrack()))
					return appendNumber(b, idCueClusterPosition, uint64(c.position))
				})
			})
		}
		return b
	})
	if err := f.write(b); err != nil {
		return err
	}
	seek := appendElement(nil, idSeekHead, func(b []byte) []byte {
		return appendElement(b, idSeek, func(b []byte) []byte {
			b = append(appendSize(appendID(b, idSeekID), 4), 0x1c, 0x53, 0xbb, 0x6b)
			return binary.BigEndian.AppendUint64(appendSize(appendID(b, idSeekPosition), 8), uint64(cuesAt))
		})
	})
	if err := f.fill(f.seekAt, seek); err != nil {
		return err
	}
	return f.fill(f.infoAt, appendFloat(nil, idDuration, float64(f.end)))
}

// cueTrack is the number of the track that key frames are of.
func (f *WebMWriter) cueTrack() int {
	for i, c := range f.tracks {
		if c.video() {
			return i + 1
		}
	}
	return 1
}

// The ways to write an element.

func appendID(b []byte, id uint32) []byte {
	for shift := (bits.Len32(id) - 1) / 8 * 8; shift >= 0; shift -= 8 {
		b = append(b, byte(id>>shift))
	}
	return b
}

// appendSize appends a size as short as it can be. All ones would mean an unknown one.
func appendSize(b []byte, n uint64) []byte {
	length := 1
	for length < 8 && n >= 1<<(7*length)-1 {
		length++
	}
	n |= 1 << (7 * length)
	for shift := 8 * (length - 1); shift >= 0; shift -= 8 {
		b = append(b, byte(n>>shift))
	}
	return b
}

func appendElement(b []byte, id uint32, data func(b []byte) []byte) []byte {
	inside := data(nil)
	return append(appendSize(appendID(b, id), uint64(len(inside))), inside...)
}

func appendNumber(b []byte, id uint32, v uint64) []byte {
	length := max((bits.Len64(v)+7)/8, 1)
	b = appendSize(appendID(b, id), uint64(length))
	for shift := 8 * (length - 1); shift >= 0; shift -= 8 {
		b = append(b, byte(v>>shift))
	}
	return b
}

func appendFloat(b []byte, id uint32, v float64) []byte {
	return binary.BigEndian.AppendUint64(appendSize(appendID(b, id), 8), math.Float64bits(v))
}

func appendText(b []byte, id uint32, s string) []byte {
	return append(appendSize(appendID(b, id), uint64(len(s))), s...)
}

// appendVoid appends an element of nothing, of so many bytes in all.
func appendVoid(b []byte, size int) []byte {
	return append(appendSize(appendID(b, idVoid), uint64(size-2)), make([]byte, size-2)...)
}
