package peerconnection

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/plainrtc/plainrtc/sdp"
)

// A Codec is a codec that can be negotiated (W3C RTCRtpCodec).
type Codec struct {
	MimeType  string `json:"mimeType"` // "video/VP8"
	ClockRate uint32 `json:"clockRate"`
	Channels  uint16 `json:"channels,omitempty"` // of audio
	// SDPFmtpLine are the codec's parameters as SDP has them: "profile-id=2".
	SDPFmtpLine string `json:"sdpFmtpLine,omitempty"`
}

// CodecParameters is a codec as it was negotiated (W3C RTCRtpCodecParameters).
type CodecParameters struct {
	Codec
	PayloadType uint8 `json:"payloadType"`
}

// RTPCapabilities is what can be negotiated at all (W3C RTCRtpCapabilities).
type RTPCapabilities struct {
	Codecs           []Codec  `json:"codecs"`
	HeaderExtensions []string `json:"headerExtensions"` // their URIs
}

// Capabilities lists the codecs and header extensions of a kind, best first. Redundancy and
// error correction are listed among the codecs, as W3C has it ("audio/red", "video/red",
// "video/ulpfec", "video/flexfec-03"); retransmission (RFC 4588) goes with each codec of
// video and is not. L16 and flexfec-03 are only offered to peers by who asks for them with
// [Transceiver.SetCodecPreferences].
func Capabilities(kind Kind) RTPCapabilities {
	var c RTPCapabilities
	for _, ours := range codecsOf(kind) {
		c.Codecs = append(c.Codecs, ours.public())
	}
	for _, e := range extensionsOf(kind) {
		c.HeaderExtensions = append(c.HeaderExtensions, e.extension.URI())
	}
	return c
}

// A codec is a payload type as a description has it, with its retransmissions.
type codec struct {
	payloadType uint8
	name        string
	clockRate   uint32
	channels    uint8 // 0 of video
	fmtp        string
	feedback    feedback
	rtx         uint8 // the payload type of its retransmissions; 0: none
	unasked     bool  // of our own: it is not offered unless it is preferred

	// key is what makes two payload types mean the same: see codecKey.
	key string
}

// public is the codec in W3C's words.
func (c *codec) public() Codec {
	kind, _, _ := strings.Cut(c.key, "/")
	return Codec{MimeType: kind + "/" + c.name, ClockRate: c.clockRate, Channels: uint16(c.channels), SDPFmtpLine: c.fmtp}
}

// A feedback is a set of kinds of RTCP feedback (RFC 4585, Section 4.2).
type feedback uint8

const (
	feedbackNACK feedback = 1 << iota // "nack"
	feedbackPLI                       // "nack pli"
	feedbackFIR                       // "ccm fir", RFC 5104, Section 7.1
	feedbackTWCC                      // "transport-cc", draft-holmer-rmcat-transport-wide-cc-extensions
	feedbackREMB                      // "goog-remb", draft-alvestrand-rmcat-remb
	feedbackCCFB                      // "ack ccfb", RFC 8888, Section 6
)

// feedbackWords are the kinds in SDP's words, in the order of Chromium.
var feedbackWords = []struct {
	feedback        feedback
	kind, parameter string
}{
	{feedbackREMB, "goog-remb", ""},
	{feedbackTWCC, "transport-cc", ""},
	{feedbackFIR, "ccm", "fir"},
	{feedbackNACK, "nack", ""},
	{feedbackPLI, "nack", "pli"},
	{feedbackCCFB, "ack", "ccfb"},
}

func (f feedback) has(kind feedback) bool { return f&kind != 0 }

// feedbackOf is the kind that an a=rtcp-fb line names, 0 if we do not know it.
func feedbackOf(line sdp.RTCPFeedback) feedback {
	for _, w := range feedbackWords {
		if w.kind == line.Kind && w.parameter == line.Parameter {
			return w.feedback
		}
	}
	return 0
}

// What we offer, best first, with the payload types that Chromium gives them.
var (
	audioCodecs = numbered(KindAudio, []codec{
		{payloadType: 111, name: "opus", clockRate: 48000, channels: 2, fmtp: "minptime=10;useinbandfec=1"},
		{payloadType: 63, name: "red", clockRate: 48000, channels: 2, fmtp: "111/111"},
		{payloadType: 9, name: "G722", clockRate: 8000, channels: 1},
		{payloadType: 0, name: "PCMU", clockRate: 8000, channels: 1},
		{payloadType: 8, name: "PCMA", clockRate: 8000, channels: 1},
		{payloadType: 13, name: "CN", clockRate: 8000, channels: 1},
		{payloadType: 110, name: "telephone-event", clockRate: 48000, channels: 1},
		{payloadType: 126, name: "telephone-event", clockRate: 8000, channels: 1},
		{payloadType: 10, name: "L16", clockRate: 44100, channels: 2, unasked: true},
		{payloadType: 11, name: "L16", clockRate: 44100, channels: 1, unasked: true},
		{payloadType: 105, name: "L16", clockRate: 48000, channels: 2, unasked: true},
		{payloadType: 106, name: "L16", clockRate: 48000, channels: 1, unasked: true},
		{payloadType: 41, name: "L16", clockRate: 16000, channels: 1, unasked: true},
		{payloadType: 42, name: "L16", clockRate: 8000, channels: 1, unasked: true},
	}, feedbackTWCC)

	videoCodecs = numbered(KindVideo, []codec{
		{payloadType: 96, rtx: 97, name: "VP8"},
		{payloadType: 98, rtx: 99, name: "VP9", fmtp: "profile-id=0"},
		{payloadType: 108, rtx: 109, name: "H264", fmtp: h264Parameters("42e01f", 1)},
		{payloadType: 114, rtx: 115, name: "H264", fmtp: h264Parameters("42e01f", 0)},
		{payloadType: 102, rtx: 103, name: "H264", fmtp: h264Parameters("42001f", 1)},
		{payloadType: 104, rtx: 107, name: "H264", fmtp: h264Parameters("42001f", 0)},
		{payloadType: 116, rtx: 117, name: "H264", fmtp: h264Parameters("4d001f", 1)},
		{payloadType: 39, rtx: 40, name: "H264", fmtp: h264Parameters("4d001f", 0)},
		{payloadType: 112, rtx: 113, name: "H264", fmtp: h264Parameters("640c1f", 1)},
		{payloadType: 121, rtx: 122, name: "H264", fmtp: h264Parameters("64001f", 1)},
		{payloadType: 45, rtx: 46, name: "AV1", fmtp: "level-idx=5;profile=0;tier=0"},
		{payloadType: 49, rtx: 50, name: "H265", fmtp: "level-id=93;profile-id=1;tier-flag=0;tx-mode=SRST"},
		{payloadType: 100, rtx: 101, name: "VP9", fmtp: "profile-id=2"},
		{payloadType: 118, rtx: 119, name: "red"},
		{payloadType: 120, name: "ulpfec"},
		{payloadType: 35, name: "flexfec-03", fmtp: "repair-window=10000000", unasked: true},
	}, feedbackREMB|feedbackTWCC|feedbackFIR|feedbackNACK|feedbackPLI)
)

func h264Parameters(profile string, mode int) string {
	return fmt.Sprintf("level-asymmetry-allowed=1;packetization-mode=%d;profile-level-id=%s", mode, profile)
}

// numbered completes a table.
func numbered(kind Kind, codecs []codec, f feedback) []codec {
	for i := range codecs {
		c := &codecs[i]
		if kind == KindVideo {
			c.clockRate = 90000
		}
		switch {
		case !isAddition(c.name):
			c.feedback = f
		case strings.EqualFold(c.name, "flexfec-03"):
			c.feedback = f & (feedbackREMB | feedbackTWCC) // it is a stream of its own
		}
		c.key = codecKey(kind, c)
	}
	return codecs
}

// codecsOf are our codecs of a kind. They are not to be changed.
func codecsOf(kind Kind) []codec {
	switch kind {
	case KindAudio:
		return audioCodecs
	case KindVideo:
		return videoCodecs
	}
	return nil
}

// ours are the codecs that a transceiver negotiates, best first; nil stands for
// one that a remote offer will make.
func ours(kind Kind, preferred []string) []codec {
	all := codecsOf(kind)
	if preferred == nil {
		return all
	}
	var some []codec
	for _, key := range preferred {
		for _, c := range all {
			if c.key == key {
				some = append(some, c)
			}
		}
	}
	return some
}

// preferences checks what the user prefers, and returns its keys.
func preferences(kind Kind, codecs []Codec) (keys []string, err error) {
	seen := map[string]bool{}
	for _, c := range codecs {
		of, name, _ := strings.Cut(c.MimeType, "/")
		if !strings.EqualFold(of, string(kind)) {
			return nil, fmt.Errorf("peerconnection: %s is no codec for a transceiver of %s", c.MimeType, kind)
		}
		if isRTX(name) {
			continue // W3C lists it among the codecs; here it goes without saying
		}
		var some []string
		if c == (Codec{MimeType: c.MimeType}) {
			for _, o := range codecsOf(kind) {
				if strings.EqualFold(o.name, name) {
					some = append(some, o.key)
				}
			}
			if some == nil {
				return nil, fmt.Errorf("peerconnection: %s can't be negotiated: Capabilities lists what can", c.MimeType)
			}
		} else {
			some = []string{codecKey(kind, &codec{name: name, clockRate: c.ClockRate, channels: uint8(min(c.Channels, 255)), fmtp: c.SDPFmtpLine})}
		}
		if len(ours(kind, some)) == 0 {
			return nil, fmt.Errorf("peerconnection: %s with the clock rate %d and the parameters %q can't be negotiated: Capabilities lists what can",
				c.MimeType, c.ClockRate, c.SDPFmtpLine)
		}
		for _, key := range some {
			if !seen[key] {
				seen[key] = true
				keys = append(keys, key)
			}
		}
	}
	return keys, nil
}

// isAddition tells what goes along with media, and is none by itself.
func isAddition(name string) bool {
	for _, r := range []string{"telephone-event", "CN", "red", "ulpfec", "flexfec-03"} {
		if strings.EqualFold(name, r) {
			return true
		}
	}
	return false
}

// isRTX tells retransmission (RFC 4588).
func isRTX(name string) bool { return strings.EqualFold(name, "rtx") }

func rtxParameters(apt uint8) string { return "apt=" + strconv.Itoa(int(apt)) }
