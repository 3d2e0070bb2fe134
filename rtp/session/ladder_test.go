package session

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/internal/ladder"
	"github.com/plainrtc/plainrtc/internal/trace"
	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/payload"
	"github.com/plainrtc/plainrtc/rtp/rtcp"
)

// TestLadders plays the scenarios under testdata. Each end has a section of audio,
// whose mid is a, and one of video, v; A sends and Z receives. The verbs:
//
//	config a full twcc ccfb rids=h,l nortx fir both ...
//	                        a is made anew: with full compound packets, with transport-wide
//	                        feedback, with layers, without retransmissions, with FIR
//	                        instead of PLI, with senders though it is Z
//	send a audio 100        a frame of 100 bytes
//	send a video 3000 [key] [layer=1]
//	keyframe z [rid=h]      RequestKeyframe
//	quietly z               the transcript does not tell which packets z reads
//	tone a 5# 100ms         InsertDTMF
//	remove a video          RemoveSender
//	close a                 Close
func TestLadders(t *testing.T) { ladder.Run(t, "testdata/*.ladder", setupLadder) }

// countingRand gives small numbers one after the other, so that SSRCs in
// transcripts are readable; what is 16 bits wide is sequence numbers and dice,
// which are in the middle.
type countingRand struct{ next uint32 }

func (r *countingRand) Read(b []byte) (int, error) {
	clear(b)
	switch len(b) {
	case 4:
		binary.BigEndian.PutUint32(b, r.next)
		r.next++
	case 2:
		binary.BigEndian.PutUint16(b, 0x8000)
	}
	return len(b), nil
}

var _ io.Reader = &countingRand{}

// Ids of header extensions in tests.
const (
	idMID = 1 + iota
	idRID
	idRepaired
	idSendTime
	idSequence
	idAudioLevel
	idOrientation
	idCaptureTime
	idDependency
)

func testExtensions() (m rtp.ExtensionMap) {
	m.Set(rtp.ExtMID, idMID)
	m.Set(rtp.ExtRID, idRID)
	m.Set(rtp.ExtRepairedRID, idRepaired)
	return m
}

// The codecs of tests.
func vp8Codec() Codec {
	return Codec{PayloadType: 96, Name: "VP8", Format: payload.VP8, ClockRate: 90000, RTX: 97, NACK: true, PLI: true, TWCC: true}
}

func opusCodec() Codec {
	return Codec{PayloadType: 111, Name: "opus", Format: payload.Opus, ClockRate: 48000, Channels: 2, TWCC: true}
}

func telephoneCodec() Codec {
	return Codec{PayloadType: 126, Name: "telephone-event", ClockRate: 48000}
}

// testSections are one of audio and one of video, for both directions.
func testSections() []Section {
	a := Section{MID: "a", Kind: Audio, Extensions: testExtensions(), ReducedSize: true}
	a.Send = []Codec{opusCodec(), telephoneCodec()}
	a.Receive = a.Send
	v := Section{MID: "v", Kind: Video, Extensions: testExtensions(), ReducedSize: true}
	v.Send = []Codec{vp8Codec()}
	v.Receive = v.Send
	return []Section{a, v}
}

// An end is a session under a ladder.
type end struct {
	*Session
	cfg          Config
	audio, video *Sender
	streams      map[string]*Stream
	silent       bool
	frames       int
}

// Receive takes a packet of either kind, as a transport does that multiplexes them.
func (e *end) Receive(now time.Time, packet []byte) {
	if rtcp.Is(packet) {
		e.ReceiveRTCP(now, packet)
		return
	}
	e.ReceiveRTP(now, packet)
}

func setupLadder(t testing.TB, traceA, traceZ *trace.Tracer) *ladder.Pair {
	ends := map[string]*end{
		"a": {cfg: Config{Rand: &countingRand{0xa0}, CNAME: "A", Trace: traceA}},
		"z": {cfg: Config{Rand: &countingRand{0xf0}, CNAME: "Z", Trace: traceZ}},
	}
	for name, e := range ends {
		if err := e.configure(ladder.Start, name == "a", nil); err != nil {
			t.Fatal(err)
		}
	}
	return &ladder.Pair{
		A: ends["a"], Z: ends["z"],
		Describe: describeRTP,
		Command: func(now time.Time, verb, peer string, args []string) error {
			return ends[peer].command(now, verb, peer, args)
		},
		Events: func(now time.Time, peer string) []string { return ends[peer].drain(now) },
	}
}

// configure makes the session anew.
func (e *end) configure(now time.Time, sends bool, args []string) error {
	e.Session = New(e.cfg)
	e.streams = map[string]*Stream{}
	sections := testSections()
	var rids []string
	for _, word := range args {
		name, value, _ := strings.Cut(word, "=")
		for i := range sections {
			c := &sections[i]
			for j := range c.Send {
				switch codec := &c.Send[j]; name {
				case "nortx":
					codec.RTX = 0
				case "fir":
					codec.PLI, codec.FIR = false, true
				case "nonack":
					codec.NACK = false
				case "ccfb":
					codec.CCFB = true
				}
			}
			switch name {
			case "full":
				c.ReducedSize = false
			case "twcc":
				c.Extensions.Set(rtp.ExtTransportSequence, idSequence)
			case "both":
				sends = true
			case "rids":
				rids = strings.Split(value, ",")
			case "nomid":
				c.Extensions.Set(rtp.ExtMID, 0)
			case "nortx", "fir", "nonack", "ccfb":
			default:
				return fmt.Errorf("%w: what is %s?", ladder.ErrUsage, word)
			}
		}
	}
	sections[1].RIDs = rids
	for _, c := range sections {
		if err := e.Configure(now, c); err != nil {
			return err
		}
	}
	if !sends {
		return nil
	}
	layers := []Encoding{{Active: true}}
	if len(rids) > 0 {
		layers = nil
		for _, rid := range rids {
			layers = append(layers, Encoding{RID: rid, Active: true})
		}
	}
	var err error
	if e.audio, err = e.AddSender(now, "a", []Encoding{{Active: true}}); err != nil {
		return err
	}
	e.video, err = e.AddSender(now, "v", layers)
	return err
}

// vp8Frame is a frame of some size.
func vp8Frame(size int, key bool) []byte {
	b := make([]byte, max(size, 10))
	if !key {
		b[0] = 1
	}
	return b
}

func (e *end) command(now time.Time, verb, peer string, args []string) error {
	word := func(i int) string {
		if i < len(args) {
			return args[i]
		}
		return ""
	}
	switch verb {
	case "config":
		return e.configure(now, peer == "a", args)
	case "send":
		size, err := strconv.Atoi(word(1))
		if err != nil {
			return fmt.Errorf("%w: %v", ladder.ErrUsage, err)
		}
		pts := now.Sub(ladder.Start)
		if word(0) == "audio" {
			return e.audio.WriteFrame(now, 0, Frame{Data: make([]byte, size), PTS: pts})
		}
		layer := 0
		for _, w := range args[2:] {
			if n, ok := strings.CutPrefix(w, "layer="); ok {
				layer, _ = strconv.Atoi(n)
			}
		}
		key := slices.Contains(args, "key")
		return e.video.WriteFrame(now, layer, Frame{Data: vp8Frame(size, key), PTS: pts, KeyFrame: key})
	case "keyframe":
		for _, st := range e.Streams() {
			if rid, ok := strings.CutPrefix(word(0), "rid="); !ok || rid == st.RID {
				st.RequestKeyframe(now)
			}
		}
	case "tone":
		d, err := time.ParseDuration(word(1))
		if err != nil {
			return fmt.Errorf("%w: %v", ladder.ErrUsage, err)
		}
		return e.audio.InsertDTMF(now, word(0), d, 50*time.Millisecond)
	case "remove":
		if word(0) == "video" {
			e.RemoveSender(now, e.video)
		} else {
			e.RemoveSender(now, e.audio)
		}
	case "close":
		e.Close(now)
	case "quietly":
		e.silent = true
	default:
		return fmt.Errorf("%w: what is %s?", ladder.ErrUsage, verb)
	}
	return nil
}

// drain tells of events and packets.
func (e *end) drain(now time.Time) (lines []string) {
	for v, ok := e.NextEvent(); ok; v, ok = e.NextEvent() {
		switch v := v.(type) {
		case StreamStarted:
			lines = append(lines, strings.TrimSpace(fmt.Sprintf("stream %02x of %s started %s", v.Stream.SSRC, v.Stream.MID, v.Stream.RID)))
		case StreamEnded:
			lines = append(lines, fmt.Sprintf("stream %02x ended: %v", v.Stream.SSRC, v.Reason))
		case KeyframeRequested:
			lines = append(lines, strings.TrimSpace(fmt.Sprintf("key frame of %s requested %s", v.Sender.MID(), v.Sender.Encodings()[v.Encoding].RID)))
		case ToneReceived:
			lines = append(lines, fmt.Sprintf("tone %c for %v, end: %t", v.Tone, v.Duration, v.End))
		case ToneSent:
			if v.Tone == 0 {
				lines = append(lines, "tones are over")
			} else {
				lines = append(lines, fmt.Sprintf("tone %c", v.Tone))
			}
		}
	}
	for st, ok := e.NextStream(); ok; st, ok = e.NextStream() {
		for p, ok := st.NextPacket(); ok; p, ok = st.NextPacket() {
			if !e.silent {
				lines = append(lines, fmt.Sprintf("packet %d of %02x", p.SequenceNumber(), p.SSRC()))
			}
		}
	}
	return lines
}

// describeRTP says on a line what an RTP packet is, and on one each what RTCP packets are.
func describeRTP(_ string, packet []byte) string {
	if rtcp.Is(packet) {
		c, err := rtcp.Parse(packet)
		if err != nil {
			return err.Error()
		}
		var lines []string
		for p := range c.Packets() {
			name := p.Kind().String()
			lines = append(lines, name+"\t"+strings.ReplaceAll(strings.TrimSpace(strings.TrimPrefix(p.String(), name)), "000000", ""))
		}
		return strings.Join(lines, "\n")
	}
	p, err := rtp.Parse(packet)
	if err != nil {
		return err.Error()
	}
	var s strings.Builder
	name := map[uint8]string{96: "VP8", 97: "RTX", 111: "opus", 126: "event"}[p.PayloadType()]
	fmt.Fprintf(&s, "%s\tssrc=%02x seq=%d", name, p.SSRC(), p.SequenceNumber())
	body := p.Payload()
	if osn, original, ok := payload.ParseRTX(body); ok && p.PayloadType() == 97 {
		fmt.Fprintf(&s, " osn=%d", osn)
		body = original
	}
	fmt.Fprintf(&s, " ts=%d", p.Timestamp())
	for id, value := range p.Extensions() {
		switch id {
		case idMID:
			fmt.Fprintf(&s, " mid=%s", value)
		case idRID:
			fmt.Fprintf(&s, " rid=%s", value)
		case idRepaired:
			fmt.Fprintf(&s, " repaired-rid=%s", value)
		case idSequence:
			fmt.Fprintf(&s, " transport-seq=%d", binary.BigEndian.Uint16(value))
		}
	}
	if p.Marker() {
		s.WriteString(" M")
	}
	if p.PayloadType() == 126 {
		v, _ := payload.ParseEvent(body)
		fmt.Fprintf(&s, " tone=%c end=%t duration=%d", v.Tone(), v.End, v.Duration)
	} else {
		fmt.Fprintf(&s, " payload[%d]", len(body))
	}
	return s.String()
}
