package peerconnection

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/session"
	"github.com/plainrtc/plainrtc/sdp"
)

// What a hostile description can make us keep of one section. Real ones have a few.
const (
	maxStreamIDs = 16
	maxSources   = 64
	maxLayers    = 8
)

// An rtpDescription is what one side's description says of a section's RTP.
type rtpDescription struct {
	direction  sdp.Direction
	codecs     []codec // best first
	extensions []headerExtension

	mux, mixed, reducedSize, receiverReports, cryptex bool

	streams []string // of a=msid; nil: none
	track   string   // the track's id, as a=msid gives it; "" when it does not
	sources []session.Source
	cname   string // of our own sources

	// The layers of a simulcast, or the one with a name, as this side sees it.
	sendRIDs, receiveRIDs []string
	// paused are those of receiveRIDs that are not wanted for now, by index.
	paused []bool
	// simulcast: a=simulcast was said, and not a=rid alone.
	simulcast bool

	// bandwidth is what this side takes in the section at most, and sessionBandwidth in all together, in bit/s; 0: any.
	bandwidth, sessionBandwidth int
}

// find is the index of the first codec of that key, -1 if there is none.
func (d *rtpDescription) find(key string) int {
	return slices.IndexFunc(d.codecs, func(c codec) bool { return c.key == key })
}

// like is the index of the codec that is the same as c: under the same payload type, or
// else the first.
func (d *rtpDescription) like(c *codec) int {
	same := slices.IndexFunc(d.codecs, func(o codec) bool { return o.key == c.key && o.payloadType == c.payloadType })
	if same >= 0 {
		return same
	}
	return d.find(c.key)
}

// extension is the id of a header extension, 0 when it is not there.
func (d *rtpDescription) extension(e rtp.Extension) uint8 {
	for _, x := range d.extensions {
		if x.extension == e {
			return x.id
		}
	}
	return 0
}

// isRTP reports whether a section is media as WebRTC sends it. "The answerer MUST
// … accept" older names of the same protocol (RFC 9429, Section 5.1.2).
func isRTP(m *sdp.Media) bool {
	if m.Kind != string(KindAudio) && m.Kind != string(KindVideo) {
		return false
	}
	switch m.Protocol {
	case "UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP", "TCP/DTLS/RTP/SAVPF", "TCP/DTLS/RTP/SAVP",
		"RTP/SAVPF", "RTP/SAVP", "RTP/AVPF", "RTP/AVP":
		return true
	}
	return false
}

// readRTP reads a media section of the peer's.
func readRTP(s *sdp.Session, m *sdp.Media) rtpDescription {
	d := rtpDescription{
		direction: s.Direction(m), codecs: readCodecs(m),
		mux: m.Has(string(sdp.RTCPMux)), reducedSize: m.Has(string(sdp.RTCPReducedSize)),
		mixed: s.ExtmapAllowMixed(m), cryptex: m.Has(string(sdp.Cryptex)) || s.Has(string(sdp.Cryptex)),
	}
	for value := range m.Values("rtcp-xr") {
		d.receiverReports = d.receiverReports || strings.Contains(value, "rcvr-rtt")
	}
	d.bandwidth, d.sessionBandwidth = bandwidthOf(m.Bandwidth), bandwidthOf(s.Bandwidth)
	d.readExtensions(m)
	for id := range m.MSIDs() {
		if d.track == "" {
			d.track = strings.Clone(id.Track)
		}
		if id.Stream != "-" && len(d.streams) < maxStreamIDs && !slices.Contains(d.streams, id.Stream) {
			d.streams = append(d.streams, strings.Clone(id.Stream))
		}
	}
	d.readSources(m)
	d.readLayers(m)
	return d
}

// bandwidthOf reads the b= lines of a section or a session, in bit/s: TIAS, which counts no headers (RFC 3890), before AS, which
// counts them (RFC 3550, Section 6.2), for "the TIAS value SHOULD be used" by who knows it; 0: there is
// none. "A value of zero is allowed, but discouraged. It indicates that no media should be sent" (RFC 3264,
// Section 5.8): that is one bit here.
func bandwidthOf(lines func(kind string) (uint64, bool)) int {
	const most = 1 << 40
	for _, kind := range [...]struct {
		name string
		unit uint64
	}{{"TIAS", 1}, {"AS", 1000}, {"CT", 1000}} {
		if v, ok := lines(kind.name); ok {
			return int(max(min(min(v, most)*kind.unit, math.MaxInt), 1))
		}
	}
	return 0
}

// staticCodecs are payload types that need no a=rtpmap (RFC 3551, Section 6).
var staticCodecs = map[uint8]codec{
	0:  {name: "PCMU", clockRate: 8000, channels: 1},
	8:  {name: "PCMA", clockRate: 8000, channels: 1},
	9:  {name: "G722", clockRate: 8000, channels: 1},
	10: {name: "L16", clockRate: 44100, channels: 2},
	11: {name: "L16", clockRate: 44100, channels: 1},
	13: {name: "CN", clockRate: 8000, channels: 1},
}

// readCodecs are the section's codecs in its order, without those whose payload type
// would be taken for RTCP (RFC 5761, Section 4).
func readCodecs(m *sdp.Media) []codec {
	var (
		kind    = Kind(m.Kind)
		table   [128]codec
		repairs [128]bool // of retransmissions: it is known what they repair
		listed  [128]bool
		order   []uint8
		general feedback // of "*"
	)
	for _, format := range m.Formats {
		if pt, err := strconv.ParseUint(format, 10, 8); err == nil && pt < 128 && (pt < 64 || pt > 95) && !listed[pt] {
			listed[pt] = true
			order = append(order, uint8(pt))
			table[pt] = staticCodecs[uint8(pt)]
		}
	}
	for r := range m.RTPMaps() {
		table[r.PayloadType] = codec{name: r.Encoding, clockRate: r.ClockRate, channels: r.Channels}
		if kind == KindAudio {
			table[r.PayloadType].channels = max(r.Channels, 1)
		}
	}
	for f := range m.FMTPs() {
		c := &table[f.PayloadType]
		c.fmtp = f.Parameters
		if isRTX(c.name) {
			value, _ := f.Parameter("apt")
			pt, err := strconv.ParseUint(value, 10, 8)
			if err == nil && pt < 128 && listed[f.PayloadType] && !repairs[f.PayloadType] && table[pt].rtx == 0 && !isRTX(table[pt].name) {
				repairs[f.PayloadType] = true
				table[pt].rtx = f.PayloadType
			}
		}
	}
	for f := range m.RTCPFeedback() {
		if f.PayloadType < 0 {
			general |= feedbackOf(f)
		} else {
			table[f.PayloadType].feedback |= feedbackOf(f)
		}
	}
	var codecs []codec
	for _, pt := range order {
		c := table[pt]
		if c.name == "" || isRTX(c.name) {
			continue
		}
		c.payloadType = pt
		c.feedback |= general
		c.key = codecKey(kind, &c)
		codecs = append(codecs, c)
	}
	return codecs
}

// readExtensions are the header extensions that we know, each once. Ids above 14 need
// the two-byte form, which not every stream may have.
func (d *rtpDescription) readExtensions(m *sdp.Media) {
	var taken [256]bool
	for x := range m.Extmaps() {
		e, ok := rtp.ExtensionByURI(x.URI)
		if !ok || x.ID == 0 || x.ID == 15 || x.ID > 255 || x.ID > 14 && !d.mixed || taken[x.ID] || d.extension(e) != 0 {
			continue
		}
		taken[x.ID] = true
		d.extensions = append(d.extensions, headerExtension{e, uint8(x.ID), x.Direction})
	}
}

// readSources are the sources that the section declares (RFC 5576).
func (d *rtpDescription) readSources(m *sdp.Media) {
	at := func(ssrc uint32) *session.Source {
		for i := range d.sources {
			if d.sources[i].SSRC == ssrc {
				return &d.sources[i]
			}
		}
		if len(d.sources) == maxSources {
			return nil
		}
		d.sources = append(d.sources, session.Source{SSRC: ssrc})
		return &d.sources[len(d.sources)-1]
	}
	repairs := map[uint32]bool{}
	for g := range m.SSRCGroups() {
		// "FID": the first is the source, the second its retransmissions. "FEC-FR": the second are
		// its repair packets (RFC 5956, Section 4.3).
		if len(g.SSRCs) != 2 || g.SSRCs[0] == g.SSRCs[1] || len(repairs) >= maxSources || g.Semantics != "FID" && g.Semantics != "FEC-FR" {
			continue
		}
		s := at(g.SSRCs[0])
		switch {
		case s == nil:
		case g.Semantics == "FID" && s.RTX == 0:
			s.RTX = g.SSRCs[1]
			repairs[g.SSRCs[1]] = true
		case g.Semantics == "FEC-FR" && s.FEC == 0:
			s.FEC = g.SSRCs[1]
			repairs[g.SSRCs[1]] = true
		}
	}
	for line := range m.SSRCs() {
		if repairs[line.ID] {
			continue
		}
		if s := at(line.ID); s != nil && line.Name == "cname" && s.CNAME == "" {
			s.CNAME = strings.Clone(line.Value)
		}
	}
}

// append writes the section's attributes, in the order of Chromium.
func (d *rtpDescription) append(as sdp.Attributes, offer bool) sdp.Attributes {
	for _, e := range d.extensions {
		as = append(as, sdp.Extmap{ID: uint16(e.id), Direction: e.direction, URI: e.extension.URI()}.Attribute())
	}
	if d.mixed {
		as = append(as, sdp.ExtmapAllowMixed)
	}
	as = append(as, d.direction.Attribute())
	if sends(d.direction) {
		for _, stream := range d.streams {
			as = append(as, sdp.MSID{Stream: stream, Track: d.track}.Attribute())
		}
		if len(d.streams) == 0 {
			as = append(as, sdp.MSID{Stream: "-", Track: d.track}.Attribute())
		}
	}
	as = append(as, sdp.RTCPMux)
	if offer {
		as = append(as, sdp.RTCPMuxOnly)
	}
	if d.reducedSize {
		as = append(as, sdp.RTCPReducedSize)
	}
	if d.receiverReports {
		as = append(as, sdp.NewAttribute("rtcp-xr", "rcvr-rtt=all"))
	}
	if d.cryptex {
		as = append(as, sdp.Cryptex)
	}
	for i := range d.codecs {
		as = d.codecs[i].append(as)
	}
	as = d.appendLayers(as)
	if len(d.sendRIDs) > 0 || !sends(d.direction) {
		return as // where there are RIDs browsers tell no SSRCs
	}
	for _, s := range d.sources {
		if s.RTX != 0 {
			as = append(as, sdp.SSRCGroup{Semantics: "FID", SSRCs: []uint32{s.SSRC, s.RTX}}.Attribute())
		}
		if s.FEC != 0 {
			as = append(as, sdp.SSRCGroup{Semantics: "FEC-FR", SSRCs: []uint32{s.SSRC, s.FEC}}.Attribute())
		}
	}
	for _, s := range d.sources {
		as = append(as, sdp.SSRC{ID: s.SSRC, Name: "cname", Value: s.CNAME}.Attribute())
		if s.RTX != 0 {
			as = append(as, sdp.SSRC{ID: s.RTX, Name: "cname", Value: s.CNAME}.Attribute())
		}
		if s.FEC != 0 {
			as = append(as, sdp.SSRC{ID: s.FEC, Name: "cname", Value: s.CNAME}.Attribute())
		}
	}
	return as
}

// formats are the payload types of the "m=" line.
func (d *rtpDescription) formats() (formats []string) {
	for i := range d.codecs {
		formats = append(formats, strconv.Itoa(int(d.codecs[i].payloadType)))
		if rtx := d.codecs[i].rtx; rtx != 0 {
			formats = append(formats, strconv.Itoa(int(rtx)))
		}
	}
	return formats
}

func (c *codec) append(as sdp.Attributes) sdp.Attributes {
	r := sdp.RTPMap{PayloadType: c.payloadType, Encoding: c.name, ClockRate: c.clockRate}
	if c.channels > 1 {
		r.Channels = c.channels
	}
	as = append(as, r.Attribute())
	for _, w := range feedbackWords {
		if c.feedback.has(w.feedback) {
			as = append(as, sdp.RTCPFeedback{PayloadType: int(c.payloadType), Kind: w.kind, Parameter: w.parameter}.Attribute())
		}
	}
	if c.fmtp != "" {
		as = append(as, sdp.FMTP{PayloadType: c.payloadType, Parameters: c.fmtp}.Attribute())
	}
	if c.rtx != 0 {
		as = append(as, sdp.RTPMap{PayloadType: c.rtx, Encoding: "rtx", ClockRate: c.clockRate}.Attribute(),
			sdp.FMTP{PayloadType: c.rtx, Parameters: rtxParameters(c.payloadType)}.Attribute())
	}
	return as
}
