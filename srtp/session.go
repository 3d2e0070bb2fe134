package srtp

import "bytes"

// A Config is what both halves of a session were negotiated to be.
type Config struct {
	Profile Profile
	// MKI is the master key identifier that every packet carries, which is of at
	// most 255 bytes and in WebRTC empty.
	MKI []byte
	// Cryptex is the first value of the field of the same name in both halves.
	Cryptex bool
}

const maxMKI = 255 // srtp_mki<0..255> (RFC 5764, Section 4.1.3)

// New makes both halves of a session from the keying material that the DTLS
// connection exported: profile.KeyingMaterialLen() bytes under ExporterLabel. It
// does not keep exported.
func New(c Config, exported []byte, role Role) (*Outbound, *Inbound, error) {
	write, read, err := SplitKeyingMaterial(c.Profile, exported, role)
	if err != nil {
		return nil, nil, err
	}
	out, err := NewOutbound(c, write)
	if err != nil {
		return nil, nil, err
	}
	in, err := NewInbound(c, read)
	if err != nil {
		return nil, nil, err
	}
	return out, in, nil
}

// NewOutbound makes the sending half of a session. It does not keep key.
func NewOutbound(c Config, key MasterKey) (*Outbound, error) {
	t, rtp, rtcp, err := newTransform(c, key)
	if err != nil {
		return nil, err
	}
	return &Outbound{
		Cryptex: c.Cryptex, mki: bytes.Clone(c.MKI),
		transform: t, rtpTail: rtp, rtcpTail: rtcp,
	}, nil
}

// NewInbound makes the receiving half of a session. It does not keep key.
func NewInbound(c Config, key MasterKey) (*Inbound, error) {
	t, rtp, rtcp, err := newTransform(c, key)
	if err != nil {
		return nil, err
	}
	return &Inbound{
		Cryptex: c.Cryptex, mki: bytes.Clone(c.MKI),
		transform: t, rtpTail: rtp, rtcpTail: rtcp,
	}, nil
}
