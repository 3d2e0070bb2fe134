package rtp

import "strconv"

// An Extension is one of the header extensions this package knows.
type Extension uint8

const (
	ExtMID                   Extension = 1 + iota // RFC 9143, Section 15: the media section a packet belongs to
	ExtRID                                        // RFC 8852, Section 3.1: the layer of a simulcast
	ExtRepairedRID                                // RFC 8852, Section 3.2: the layer that a retransmission repairs
	ExtAudioLevel                                 // RFC 6464
	ExtMixerAudioLevels                           // RFC 6465
	ExtAbsSendTime                                // by the WebRTC project, as all others without an RFC
	ExtAbsCaptureTime                             //
	ExtTransportSequence                          // draft-holmer-rmcat-transport-wide-cc-extensions
	ExtTransportSequence2                         // with requests for feedback
	ExtTransmissionOffset                         // RFC 5450
	ExtVideoOrientation                           // 3GPP TS 26.114, Section 7.4.5
	ExtPlayoutDelay                               //
	ExtVideoContentType                           //
	ExtVideoTiming                                //
	ExtColorSpace                                 //
	ExtDependencyDescriptor                       // AV1 RTP payload format, Appendix A
	ExtVideoLayersAllocation                      //
	extensionCount
)

var extensionNames = [extensionCount]struct{ name, uri string }{
	ExtMID:                   {"mid", "urn:ietf:params:rtp-hdrext:sdes:mid"},
	ExtRID:                   {"rid", "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"},
	ExtRepairedRID:           {"repaired-rid", "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"},
	ExtAudioLevel:            {"audio-level", "urn:ietf:params:rtp-hdrext:ssrc-audio-level"},
	ExtMixerAudioLevels:      {"csrc-audio-level", "urn:ietf:params:rtp-hdrext:csrc-audio-level"},
	ExtAbsSendTime:           {"abs-send-time", "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"},
	ExtAbsCaptureTime:        {"abs-capture-time", "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time"},
	ExtTransportSequence:     {"transport-cc", "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"},
	ExtTransportSequence2:    {"transport-cc-02", "http://www.webrtc.org/experiments/rtp-hdrext/transport-wide-cc-02"},
	ExtTransmissionOffset:    {"toffset", "urn:ietf:params:rtp-hdrext:toffset"},
	ExtVideoOrientation:      {"video-orientation", "urn:3gpp:video-orientation"},
	ExtPlayoutDelay:          {"playout-delay", "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"},
	ExtVideoContentType:      {"video-content-type", "http://www.webrtc.org/experiments/rtp-hdrext/video-content-type"},
	ExtVideoTiming:           {"video-timing", "http://www.webrtc.org/experiments/rtp-hdrext/video-timing"},
	ExtColorSpace:            {"color-space", "http://www.webrtc.org/experiments/rtp-hdrext/color-space"},
	ExtDependencyDescriptor:  {"dependency-descriptor", "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"},
	ExtVideoLayersAllocation: {"video-layers-allocation", "http://www.webrtc.org/experiments/rtp-hdrext/video-layers-allocation00"},
}

// URI is the name that SDP's "a=extmap" gives the extension.
func (e Extension) URI() string {
	if e >= extensionCount {
		return ""
	}
	return extensionNames[e].uri
}

func (e Extension) String() string {
	if e == 0 || e >= extensionCount {
		return "extension " + strconv.Itoa(int(e))
	}
	return extensionNames[e].name
}

// ExtensionByURI finds the extension that SDP names by uri, which must match to
// the letter.
func ExtensionByURI(uri string) (Extension, bool) {
	for e := ExtMID; e < extensionCount; e++ {
		if extensionNames[e].uri == uri {
			return e, true
		}
	}
	return 0, false
}

// An ExtensionMap says which id stands for which extension, as negotiated by
// "a=extmap". The zero ExtensionMap has none.
type ExtensionMap struct {
	ids        [extensionCount]uint8
	extensions [256]Extension
}

// Set gives an extension its id, 1 to 255; 0 takes it away.
func (m *ExtensionMap) Set(e Extension, id uint8) {
	if e == 0 || e >= extensionCount {
		panic("BUG: an unknown extension has no place in the map")
	}
	m.extensions[m.ids[e]] = 0
	if other := m.extensions[id]; other != 0 {
		m.ids[other] = 0
	}
	m.ids[e] = id
	if id != 0 {
		m.extensions[id] = e
	}
}

// ID returns the id of an extension, or 0 when it was not negotiated: then
// Packet.Extension finds nothing, and Builder.Add adds nothing.
func (m *ExtensionMap) ID(e Extension) uint8 { return m.ids[e] }

// Extension returns what an id stands for, or 0.
func (m *ExtensionMap) Extension(id uint8) Extension { return m.extensions[id] }
