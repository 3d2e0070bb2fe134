package peerconnection

import (
	"slices"
	"strconv"
	"strings"

	"github.com/plainrtc/plainrtc/rtp"
)

// Payload types and header extension ids of an offer. In a bundle both mean the
// same in all sections (RFC 9143, Sections 9.1 and 9.2), and once they were said they go on to mean
// that for the session (RFC 3264, Section 8.3.2): a peer that offered first
// has numbered things its own way, and we go on with its numbers.

// A numbering gives codecs and header extensions numbers for an offer.
type numbering struct {
	meaning    [128]string // of a payload type; "" when it is free
	codecs     map[string]codec
	extensions [256]rtp.Extension
	ids        map[rtp.Extension]uint8
}

// number numbers all codecs and extensions that we could offer, given what the sections
// have said already.
func number(sections []section) *numbering {
	n := &numbering{codecs: map[string]codec{}, ids: map[rtp.Extension]uint8{}}
	for i := range sections {
		if !sections[i].rejected {
			n.said(&sections[i].local)
		}
	}
	for i := range sections {
		if !sections[i].rejected {
			n.said(&sections[i].remote)
		}
	}
	// Those that keep the number of our table come before those that need another.
	for _, displaced := range []bool{false, true} {
		for _, kind := range []Kind{KindAudio, KindVideo} {
			for _, c := range codecsOf(kind) {
				n.codec(kind, c, displaced)
			}
			for _, e := range extensionsOf(kind) {
				n.extension(e, displaced)
			}
		}
	}
	return n
}

// rtxKey is the meaning of a payload type that retransmits another.
func rtxKey(of uint8) string { return rtxKeys[of] }

// rtxKeys are written once: every offer and every answer needs a dozen of them.
var rtxKeys = func() (keys [len(numbering{}.meaning)]string) {
	for of := range keys {
		keys[of] = "rtx of " + strconv.Itoa(of)
	}
	return keys
}()

// said takes over the numbers that a description gave.
func (n *numbering) said(d *rtpDescription) {
	for _, c := range d.codecs {
		if n.meaning[c.payloadType] != "" {
			continue
		}
		n.meaning[c.payloadType] = c.key
		if c.rtx != 0 && n.meaning[c.rtx] == "" {
			n.meaning[c.rtx] = rtxKey(c.payloadType)
		} else {
			c.rtx = 0
		}
		if former, ok := n.codecs[c.key]; !ok || former.rtx == 0 && c.rtx != 0 {
			n.codecs[c.key] = c
		}
	}
	for _, e := range d.extensions {
		if n.extensions[e.id] == 0 && n.ids[e.extension] == 0 {
			n.extensions[e.id], n.ids[e.extension] = e.extension, e.id
		}
	}
}

// codec gives one of our codecs its numbers.
func (n *numbering) codec(kind Kind, c codec, displaced bool) {
	said, ok := n.codecs[c.key]
	switch {
	case ok:
		c.payloadType = said.payloadType
	case n.meaning[c.payloadType] == "":
	case displaced:
		if c.payloadType, ok = n.free(); !ok {
			return
		}
	default:
		return
	}
	n.meaning[c.payloadType] = c.key
	if c.rtx != 0 {
		switch {
		case ok && said.rtx != 0:
			c.rtx = said.rtx
		case n.meaning[c.rtx] == "" || n.meaning[c.rtx] == rtxKey(c.payloadType):
		case displaced:
			c.rtx, _ = n.free()
		default:
			c.rtx = 0
		}
		if c.rtx != 0 {
			n.meaning[c.rtx] = rtxKey(c.payloadType)
		}
	}
	n.codecs[c.key] = c
}

// free is a payload type of no meaning: of the dynamic range, or of that part of the static
// one which is not RTCP's and was never assigned (RFC 5761, Section 4).
func (n *numbering) free() (uint8, bool) {
	for pt := uint8(127); pt >= 96; pt-- {
		if n.meaning[pt] == "" {
			return pt, true
		}
	}
	for pt := uint8(63); pt >= 35; pt-- {
		if n.meaning[pt] == "" {
			return pt, true
		}
	}
	return 0, false
}

func (n *numbering) extension(e headerExtension, displaced bool) {
	if n.ids[e.extension] != 0 {
		return
	}
	if n.extensions[e.id] != 0 {
		if !displaced {
			return
		}
		e.id = 0
		for id := uint8(1); id <= 14; id++ {
			if n.extensions[id] == 0 {
				e.id = id
				break
			}
		}
		if e.id == 0 {
			return
		}
	}
	n.extensions[e.id], n.ids[e.extension] = e.extension, e.id
}

// offered are a transceiver's codecs as the offer numbers them.
func (n *numbering) offered(kind Kind, preferred []string) (codecs []codec) {
	for _, mine := range ours(kind, preferred) {
		if preferred == nil && mine.unasked {
			continue
		}
		if c, ok := n.codecs[mine.key]; ok {
			mine.payloadType = c.payloadType
			if mine.rtx != 0 {
				mine.rtx = c.rtx
			}
			codecs = append(codecs, mine)
		}
	}
	for i := range codecs {
		if of := slices.IndexFunc(codecs, func(c codec) bool { return strings.EqualFold(c.name, "opus") }); kind == KindAudio && of >= 0 && strings.EqualFold(codecs[i].name, "red") {
			codecs[i].fmtp = redParameters(codecs[of].payloadType)
		}
	}
	return useful(kind, codecs)
}

// redParameters say that redundant audio is of a payload type, and repeats it once (RFC 2198, Section
// 5).
func redParameters(of uint8) string {
	pt := strconv.Itoa(int(of))
	return pt + "/" + pt
}

// offeredExtensions are a section's header extensions as the offer numbers them.
func (n *numbering) offeredExtensions(kind Kind) (extensions []headerExtension) {
	for _, e := range extensionsOf(kind) {
		if id := n.ids[e.extension]; id != 0 {
			e.id = id
			extensions = append(extensions, e)
		}
	}
	return extensions
}

// claims watches that a payload type or a header extension's id has one meaning in a bundle of
// the peer's. What would give it another is left out.
type claims struct {
	meaning    [128]string
	extensions [256]rtp.Extension
}

func (s *claims) claim(d *rtpDescription) {
	d.codecs = slices.DeleteFunc(slices.Clone(d.codecs), func(c codec) bool {
		return s.meaning[c.payloadType] != "" && s.meaning[c.payloadType] != c.key
	})
	for i := range d.codecs {
		c := &d.codecs[i]
		s.meaning[c.payloadType] = c.key
	}
	for i := range d.codecs {
		c := &d.codecs[i]
		if c.rtx == 0 {
			continue
		}
		if key := rtxKey(c.payloadType); s.meaning[c.rtx] == "" || s.meaning[c.rtx] == key {
			s.meaning[c.rtx] = key
		} else {
			c.rtx = 0
		}
	}
	d.extensions = slices.DeleteFunc(slices.Clone(d.extensions), func(e headerExtension) bool {
		if s.extensions[e.id] != 0 && s.extensions[e.id] != e.extension {
			return true
		}
		s.extensions[e.id] = e.extension
		return false
	})
}
