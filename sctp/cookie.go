package sctp

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/plainrtc/plainrtc/internal/wire"
)

// A cookie is the State Cookie (RFC 9260, Section 5.1.3): everything that is
// agreed in INIT and INIT ACK. It travels to the peer and back, so that an
// INIT costs its receiver no memory; what makes it ours when it comes back is
// its message authentication code.
type cookie struct {
	created  int64 // Unix time in nanoseconds
	lifetime time.Duration
	localTag uint32
	localTSN tsn
	tie      tieTags // of the association that existed, or zero
	peer     peerInit
}

// tieTags name an association to itself: a cookie that was made while it
// existed carries them, and is thereby known as belonging to a restart. They
// are nonces, not the verification tags, which a cookie would give away
// (Section 5.2.2).
type tieTags [2]uint32

// peerInit is what the peer's INIT or INIT ACK said.
type peerInit struct {
	tag        uint32
	rwnd       uint32
	tsn        tsn
	outStreams uint16 // ours: the smaller of what we want and the peer takes
	inStreams  uint16
	extensions Extensions
}

const (
	cookieSize    = 8 + 8 + 4 + 4 + 8 + 4 + 4 + 4 + 2 + 2 + 1
	cookieMACSize = sha256.Size
)

// append writes the cookie and its code.
func (c cookie) append(b []byte, secret []byte) []byte {
	start := len(b)
	b = binary.BigEndian.AppendUint64(b, uint64(c.created))
	b = binary.BigEndian.AppendUint64(b, uint64(c.lifetime))
	b = binary.BigEndian.AppendUint32(b, c.localTag)
	b = binary.BigEndian.AppendUint32(b, uint32(c.localTSN))
	b = binary.BigEndian.AppendUint32(b, c.tie[0])
	b = binary.BigEndian.AppendUint32(b, c.tie[1])
	b = binary.BigEndian.AppendUint32(b, c.peer.tag)
	b = binary.BigEndian.AppendUint32(b, c.peer.rwnd)
	b = binary.BigEndian.AppendUint32(b, uint32(c.peer.tsn))
	b = binary.BigEndian.AppendUint16(b, c.peer.outStreams)
	b = binary.BigEndian.AppendUint16(b, c.peer.inStreams)
	b = append(b, byte(c.peer.extensions))
	return cookieMAC(b, b[start:], secret)
}

// openCookie returns the cookie in b if we made it.
func openCookie(b, secret []byte) (c cookie, ok bool) {
	if len(b) != cookieSize+cookieMACSize {
		return cookie{}, false
	}
	if !hmac.Equal(b[cookieSize:], cookieMAC(nil, b[:cookieSize], secret)) {
		return cookie{}, false
	}
	r := wire.NewReader(b[:cookieSize])
	c.created = int64(r.Uint64())
	c.lifetime = time.Duration(r.Uint64())
	c.localTag = r.Uint32()
	c.localTSN = tsn(r.Uint32())
	c.tie = tieTags{r.Uint32(), r.Uint32()}
	c.peer = peerInit{
		tag:        r.Uint32(),
		rwnd:       r.Uint32(),
		tsn:        tsn(r.Uint32()),
		outStreams: r.Uint16(),
		inStreams:  r.Uint16(),
	}
	c.peer.extensions = Extensions(r.Uint8())
	return c, r.Done()
}

// cookieMAC appends the code of body to b.
func cookieMAC(b, body, secret []byte) []byte {
	h := hmac.New(sha256.New, secret)
	h.Write(body)
	return h.Sum(b)
}

// age is how long ago the cookie was made.
func (c cookie) age(now time.Time) time.Duration {
	return time.Duration(now.UnixNano() - c.created)
}
