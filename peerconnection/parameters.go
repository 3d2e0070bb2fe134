package peerconnection

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/plainrtc/plainrtc/rtp/session"
)

// EncodingParameters is how one layer of a track is sent (W3C
// RTCRtpEncodingParameters).
type EncodingParameters struct {
	// RID names the layer: letters, digits, - and _. Several layers make a simulcast.
	RID string `json:"rid,omitempty"`
	// Inactive layers are not sent (W3C's active, turned round so that the zero value sends).
	Inactive bool `json:"inactive,omitempty"`
	// MaxBitrate is in bit/s; 0: no limit. It bounds [Sender.TargetBitrate].
	MaxBitrate int `json:"maxBitrate,omitempty"`
	// MaxFramerate is in frames per second; 0: no limit.
	MaxFramerate float64 `json:"maxFramerate,omitempty"`
	// ScaleResolutionDownBy tells the application's encoder how much smaller the layer is
	// than the track; 0: as W3C has it, each layer half the size of the next.
	ScaleResolutionDownBy float64 `json:"scaleResolutionDownBy,omitempty"`
}

// HeaderExtensionParameters is a header extension as it was negotiated (W3C
// RTCRtpHeaderExtensionParameters).
type HeaderExtensionParameters struct {
	URI string `json:"uri"`
	ID  uint8  `json:"id"`
}

// RTCPParameters is W3C's RTCRtcpParameters.
type RTCPParameters struct {
	CNAME       string `json:"cname"`
	ReducedSize bool   `json:"reducedSize"`
}

// SendParameters is how a sender sends (W3C RTCRtpSendParameters).
type SendParameters struct {
	// TransactionID ties what SetParameters gets to what Parameters returned.
	TransactionID    string                      `json:"transactionId"`
	Encodings        []EncodingParameters        `json:"encodings"`
	Codecs           []CodecParameters           `json:"codecs"` // the first is what frames are sent with
	HeaderExtensions []HeaderExtensionParameters `json:"headerExtensions"`
	RTCP             RTCPParameters              `json:"rtcp"`
}

// ReceiveParameters is how a receiver receives (W3C RTCRtpReceiveParameters).
type ReceiveParameters struct {
	Codecs           []CodecParameters           `json:"codecs"`
	HeaderExtensions []HeaderExtensionParameters `json:"headerExtensions"`
	RTCP             RTCPParameters              `json:"rtcp"`
	// RIDs are the layers that the peer sends; the W3C has no word for them.
	RIDs []string `json:"rids,omitempty"`
}

// sectionOf is the section in force of a transceiver, or nil.
func (n *negotiation) sectionOf(t *Transceiver) *section {
	for i := range n.sections {
		if n.sections[i].transceiver == t {
			return &n.sections[i]
		}
	}
	return nil
}

func (c *core) sendParameters(s *Sender) SendParameters {
	if s.transaction == "" {
		s.transactions++
		s.transaction = strconv.FormatUint(s.transactions, 10)
	}
	p := SendParameters{TransactionID: s.transaction, RTCP: RTCPParameters{CNAME: c.cname}}
	for _, e := range s.transceiver.encodings {
		p.Encodings = append(p.Encodings, EncodingParameters{
			RID: e.RID, Inactive: !e.Active, MaxBitrate: e.MaxBitrate, MaxFramerate: e.MaxFramerate,
			ScaleResolutionDownBy: e.ScaleResolutionDownBy,
		})
	}
	if in := c.sectionOf(s.transceiver); in != nil {
		agreed := in.settled()
		p.Codecs = parametersOf(s.transceiver.kind, agreed.Send)
		p.HeaderExtensions = in.agreedExtensions()
		p.RTCP.ReducedSize = agreed.ReducedSize
	}
	return p
}

func (c *core) receiveParameters(r *Receiver) ReceiveParameters {
	var p ReceiveParameters
	if in := c.sectionOf(r.transceiver); in != nil {
		agreed := in.settled()
		p.Codecs = parametersOf(r.transceiver.kind, agreed.Receive)
		p.HeaderExtensions = in.agreedExtensions()
		p.RTCP.ReducedSize = agreed.ReducedSize
		p.RIDs = slices.Clone(agreed.RIDs)
		if len(agreed.Sources) > 0 {
			p.RTCP.CNAME = agreed.Sources[0].CNAME
		}
	}
	return p
}

func parametersOf(kind Kind, codecs []session.Codec) (p []CodecParameters) {
	for _, c := range codecs {
		of := Codec{MimeType: string(kind) + "/" + c.Name, ClockRate: c.ClockRate, Channels: uint16(c.Channels), SDPFmtpLine: c.FMTP}
		p = append(p, CodecParameters{of, c.PayloadType})
		if c.RTX != 0 {
			of.MimeType, of.SDPFmtpLine = string(kind)+"/rtx", rtxParameters(c.PayloadType)
			p = append(p, CodecParameters{of, c.RTX})
		}
	}
	return p
}

func (s *section) agreedExtensions() (p []HeaderExtensionParameters) {
	for _, e := range s.local.extensions {
		if s.remote.extension(e.extension) == e.id {
			p = append(p, HeaderExtensionParameters{e.extension.URI(), e.id})
		}
	}
	return p
}

func (c *core) setSendParameters(now time.Time, s *Sender, p SendParameters) error {
	t := s.transceiver
	switch {
	case c.ended:
		return c.endError("the parameters are not set")
	case t.stopping:
		return errStopped("its parameters can't be set")
	case s.transaction == "" || p.TransactionID != s.transaction:
		return errors.New("peerconnection: SetParameters takes what Parameters returned last, with other encodings")
	case len(p.Encodings) != len(t.encodings):
		return fmt.Errorf("peerconnection: the sender has %d encodings, and SetParameters can't make them %d", len(t.encodings), len(p.Encodings))
	}
	for i, e := range p.Encodings {
		if e.RID != t.encodings[i].RID {
			return fmt.Errorf("peerconnection: the RID of encoding %d is %q, and SetParameters can't make it %q", i, t.encodings[i].RID, e.RID)
		}
	}
	encodings, err := checkEncodings(t.kind, p.Encodings)
	if err != nil {
		return err
	}
	for i := range encodings {
		encodings[i].SSRC, encodings[i].RTX, encodings[i].FEC = t.encodings[i].SSRC, t.encodings[i].RTX, t.encodings[i].FEC
	}
	t.encodings = encodings
	s.transaction = ""
	c.encodingsChanged(now, t)
	return nil
}

// checkEncodings checks what the user says of a track's layers.
func checkEncodings(kind Kind, said []EncodingParameters) ([]encoding, error) {
	if len(said) == 0 {
		said = make([]EncodingParameters, 1)
	}
	if len(said) > maxLayers {
		return nil, fmt.Errorf("peerconnection: a track is sent in %d layers at most, not %d", maxLayers, len(said))
	}
	var encodings []encoding
	for i, e := range said {
		switch {
		case e.RID == "" && len(said) > 1:
			return nil, errors.New("peerconnection: each of several encodings needs a RID")
		case e.RID != "" && !isRID(e.RID):
			return nil, fmt.Errorf("peerconnection: a RID is 1 to 16 letters and digits, not %q", e.RID)
		case slices.ContainsFunc(encodings, func(o encoding) bool { return e.RID != "" && o.RID == e.RID }):
			return nil, fmt.Errorf("peerconnection: two encodings have the RID %q", e.RID)
		case e.MaxBitrate < 0 || e.MaxFramerate < 0:
			return nil, errors.New("peerconnection: an encoding's limits can't be negative")
		case kind == KindVideo && e.ScaleResolutionDownBy != 0 && !(e.ScaleResolutionDownBy >= 1):
			return nil, errors.New("peerconnection: ScaleResolutionDownBy is at least 1")
		}
		x := encoding{RID: e.RID, Active: !e.Inactive, MaxBitrate: e.MaxBitrate, MaxFramerate: e.MaxFramerate, ScaleResolutionDownBy: e.ScaleResolutionDownBy}
		if kind == KindVideo && x.ScaleResolutionDownBy == 0 {
			x.ScaleResolutionDownBy = float64(uint(1) << (len(said) - 1 - i))
		}
		if kind == KindAudio {
			x.ScaleResolutionDownBy, x.MaxFramerate = 0, 0
		}
		encodings = append(encodings, x)
	}
	return encodings, nil
}

// isRID: "rid-id = 1*(alpha-numeric / "-" / "_")" (RFC 8851, Section 10), but what
// packets carry has letters and digits alone (RFC 8852, Section 3), and 16 of them
// in the one-byte form.
func isRID(id string) bool {
	if len(id) == 0 || len(id) > 16 {
		return false
	}
	for i := range len(id) {
		b := id[i]
		if lower := b | 0x20; !('a' <= lower && lower <= 'z' || '0' <= b && b <= '9') {
			return false
		}
	}
	return true
}

// checkStreams: a stream's id is a token of up to 64 characters (RFC 8830, Section 2).
func checkStreams(streams []string) error {
	if len(streams) > maxStreamIDs {
		return fmt.Errorf("peerconnection: a track is in %d streams at most, not %d", maxStreamIDs, len(streams))
	}
	for _, id := range streams {
		if !isStreamID(id) {
			return fmt.Errorf("peerconnection: a stream's id is 1 to 64 letters, digits and punctuation without space, not %q", id)
		}
	}
	return nil
}

func isStreamID(id string) bool {
	if len(id) == 0 || len(id) > 64 || id == "-" {
		return false
	}
	for i := range len(id) {
		if id[i] <= ' ' || id[i] > '~' {
			return false
		}
	}
	return true
}
