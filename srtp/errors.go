package srtp

import "errors"

// What the sealing functions refuse.
var (
	ErrMalformed      = errors.New("srtp: what is to be sealed is not an RTP or RTCP packet of at most 65,535 bytes")
	ErrReused         = errors.New("srtp: a packet with this SSRC and sequence number was sealed before, or is too old to tell: sealing another would give both away, so to repeat a packet send the same sealed bytes again, or use RTX (RFC 4588)")
	ErrTooManySources = errors.New("srtp: too many SSRCs were used with one key: forgetting one would use its packet indices again, so make a new connection")
	ErrKeySpent       = errors.New("srtp: the key is spent, having protected 2^48 RTP or 2^31 RTCP packets (RFC 3711, Section 9.2): make a new connection")
)

var errMKI = errors.New("srtp: a master key identifier has at most 255 bytes")

// A Drop is why a packet from the network was not opened. It is the only error
// of OpenRTP and OpenRTCP.
type Drop uint8

// The reasons.
const (
	_                Drop = iota
	DropMalformed         // not a packet of RTP or RTCP, or too short to be a protected one
	DropMKI               // of another master key than the session's
	DropReplayed          // its index was there before, or is older than the window
	DropNotAuthentic      // its authentication tag is not what the keys make of it
	DropKeySpent          // the key has protected as much as it may
)

var dropReasons = [...]string{
	DropMalformed:    "malformed packet",
	DropMKI:          "packet of another master key (MKI)",
	DropReplayed:     "packet seen before, or too old to tell",
	DropNotAuthentic: "packet that its keys do not open",
	DropKeySpent:     "packet beyond the last index of its key",
}

func (d Drop) String() string {
	if d > 0 && int(d) < len(dropReasons) {
		return dropReasons[d]
	}
	return "unknown reason"
}

func (d Drop) Error() string { return "srtp: " + d.String() }
