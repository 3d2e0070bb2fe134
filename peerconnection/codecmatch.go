package peerconnection

import (
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"github.com/plainrtc/plainrtc/sdp"
)

// When two payload types mean the same codec (RFC 3264, Section 6.1): not only
// their names must be the same, but those of their parameters that say how
// the bits are made, as each payload format has it.

// codecKey is the same for two codecs of a kind that are interchangeable. Where a
// parameter is not there its default is what the payload format says; of H.264
// and H.265 that is what WebRTC stacks take it for (RFC 7742, Section 6.2).
func codecKey(kind Kind, c *codec) string {
	name := strings.ToLower(c.name)
	key := string(kind) + "/" + name + "/" + strconv.Itoa(int(c.clockRate))
	if kind == KindAudio {
		// "This parameter is OPTIONAL and may be omitted if the number of channels is one"
		// (RFC 8866, Section 6.6).
		key += "/" + strconv.Itoa(int(max(c.channels, 1)))
	}
	parameter := func(name, absent string) string {
		if v, ok := (sdp.FMTP{Parameters: c.fmtp}).Parameter(name); ok && v != "" {
			return strings.ToLower(v)
		}
		return absent
	}
	switch name {
	case "h264":
		// RFC 6184, Section 8.2.2: profile and packetization mode "MUST be used symmetrically"; the level need not.
		key += " profile=" + h264Profile(parameter("profile-level-id", "42e01f")) + " mode=" + parameter("packetization-mode", "0")
	case "vp9":
		// RFC 9628, Section 6.2
		key += " profile=" + parameter("profile-id", "0")
	case "av1":
		// RTP Payload Format for AV1, Section 7.2.1
		key += " profile=" + parameter("profile", "0")
	case "h265":
		// RFC 7798, Section 7.2.2
		key += " profile=" + parameter("profile-id", "1") + " tier=" + parameter("tier-flag", "0") + " mode=" + parameter("tx-mode", "srst")
	}
	return key
}

// h264Profile names the profile of a profile-level-id (RFC 6184, Section 8.1, Table
// 5): constraint flags make one profile_idc several profiles, and several
// one. What is none of them keeps its number.
func h264Profile(id string) string {
	b, err := hex.DecodeString(id)
	if err != nil || len(b) != 3 {
		return "malformed " + id
	}
	idc, iop := b[0], b[1]
	for _, p := range []struct {
		idc, mask, value byte
		name             string
	}{
		{0x42, 0x4f, 0x40, "constrained-baseline"}, // x1xx0000
		{0x4d, 0x8f, 0x80, "constrained-baseline"}, // 1xxx0000
		{0x58, 0xcf, 0xc0, "constrained-baseline"}, // 11xx0000
		{0x42, 0x4f, 0x00, "baseline"},             // x0xx0000
		{0x58, 0xcf, 0x80, "baseline"},             // 10xx0000
		{0x4d, 0xaf, 0x00, "main"},                 // 0x0x0000
		{0x58, 0xcf, 0x00, "extended"},             // 00xx0000
		{0x64, 0xff, 0x00, "high"},
		{0x64, 0xff, 0x0c, "constrained-high"},
	} {
		if idc == p.idc && iop&p.mask == p.value {
			return p.name
		}
	}
	return id[:4]
}

// answerCodecs are those of the offered codecs that we take: with the offer's payload
// types, our parameters, and the feedback both can do. They stand in the offerer's
// order, or in ours if the user has a preference.
func answerCodecs(kind Kind, offered []codec, preferred []string) []codec {
	known := ours(kind, preferred)
	var answer []codec
	add := func(theirs, mine *codec) {
		c := *theirs
		c.name, c.channels = mine.name, mine.channels
		c.fmtp = answerParameters(mine, theirs)
		// Feedback of RFC 8888 takes the place of that of its draft, where the offerer has it.
		if c.feedback.has(feedbackCCFB) {
			c.feedback = c.feedback&mine.feedback&^feedbackTWCC | feedbackCCFB
		} else {
			c.feedback &= mine.feedback
		}
		if mine.rtx == 0 {
			c.rtx = 0
		}
		answer = append(answer, c)
	}
	if preferred == nil {
		for i := range offered {
			for j := range known {
				if offered[i].key == known[j].key {
					add(&offered[i], &known[j])
				}
			}
		}
	} else {
		for j := range known {
			for i := range offered {
				if offered[i].key == known[j].key {
					add(&offered[i], &known[j])
				}
			}
		}
	}
	answer = useful(kind, answer)
	if !hasMedia(answer) {
		return nil // telephone events alone are no voice
	}
	return answer
}

// useful leaves out what repairs nothing: redundancy of a codec that is not there, and, of video,
// ULPFEC without RED, or the other way round.
func useful(kind Kind, codecs []codec) []codec {
	has := func(name string) bool {
		return slices.ContainsFunc(codecs, func(c codec) bool { return strings.EqualFold(c.name, name) })
	}
	repairs := has("red") && has("ulpfec")
	return slices.DeleteFunc(codecs, func(c codec) bool {
		switch {
		case kind == KindVideo:
			return !repairs && (strings.EqualFold(c.name, "red") || strings.EqualFold(c.name, "ulpfec"))
		case strings.EqualFold(c.name, "red"):
			return !slices.ContainsFunc(codecs, func(of codec) bool { return !isAddition(of.name) && c.fmtp == redParameters(of.payloadType) })
		}
		return false
	})
}

// answerParameters are what we say of a codec that was offered. We decode nothing,
// so that H.264 of any level will do.
func answerParameters(mine, theirs *codec) string {
	switch {
	case strings.EqualFold(mine.name, "red"):
		return theirs.fmtp // it names payload types, which are theirs
	case !strings.EqualFold(mine.name, "H264"):
		return mine.fmtp
	}
	f := sdp.FMTP{Parameters: theirs.fmtp}
	id, ok := f.Parameter("profile-level-id")
	if !ok {
		return mine.fmtp
	}
	mode := 0
	if v, _ := f.Parameter("packetization-mode"); v == "1" {
		mode = 1
	}
	return h264Parameters(strings.ToLower(id), mode)
}

// hasMedia reports whether one of the codecs is more than an addition to others.
func hasMedia(codecs []codec) bool {
	for i := range codecs {
		if !isAddition(codecs[i].name) {
			return true
		}
	}
	return false
}
