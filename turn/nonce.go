package turn

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash"
	"time"

	"github.com/plainrtc/plainrtc/stun"
)

// nonces makes and checks nonces without remembering any: a nonce is the time
// it was made and a code over that time and the 5-tuple it is for.
//
//	obMatJos2 | security features | base 64 of: Unix seconds (4 bytes) | code (12 bytes)
//
// So a nonce that is overheard or replayed is good for nobody else, and a
// source that has a valid one is where it says to be. RFC 8656, Section 5,
// and RFC 8489, Section 9.2.
type nonces struct {
	mac      hash.Hash
	lifetime time.Duration
	features stun.SecurityFeatures
	prefix   string

	// Scratch, here because what is passed to a hash.Hash escapes.
	text [nonceSize]byte
	in   [4 + 2*18 + 1]byte
	raw  [sha256.Size + 4]byte
}

const (
	noncePrefix = 13 // the cookie and the features
	nonceRaw    = 4 + 12
	nonceSize   = noncePrefix + (nonceRaw*8+5)/6
)

func newNonces(secret []byte, lifetime time.Duration, features stun.SecurityFeatures) nonces {
	return nonces{
		mac: hmac.New(sha256.New, secret), lifetime: lifetime, features: features,
		prefix: string(stun.AppendNonceFeatures(nil, features)),
	}
}

// code fills raw with the time and its code.
func (n *nonces) code(seconds uint32, t FiveTuple) []byte {
	b := binary.BigEndian.AppendUint32(n.in[:0], seconds)
	client, server := t.Client.Addr().As16(), t.Server.Addr().As16()
	b = binary.BigEndian.AppendUint16(append(b, client[:]...), t.Client.Port())
	b = binary.BigEndian.AppendUint16(append(b, server[:]...), t.Server.Port())
	b = append(b, byte(t.Protocol))
	n.mac.Reset()
	n.mac.Write(b)
	raw := binary.BigEndian.AppendUint32(n.raw[:0], seconds)
	return n.mac.Sum(raw)[:nonceRaw]
}

// nonce returns a fresh nonce, valid until the next call.
func (n *nonces) nonce(now time.Time, t FiveTuple) []byte {
	b := append(n.text[:0], n.prefix...)
	return base64.RawStdEncoding.AppendEncode(b, n.code(uint32(now.Unix()), t))
}

// What a nonce is found to be.
type nonceVerdict uint8

const (
	nonceValid   nonceVerdict = iota
	nonceStale                // ours, for this 5-tuple, and too old
	nonceForeign              // none that this 5-tuple was given
)

// check judges a nonce. Whatever is wrong with it, the answer is 438, and a fresh one.
func (n *nonces) check(now time.Time, t FiveTuple, nonce []byte) nonceVerdict {
	if len(nonce) != nonceSize || string(nonce[:noncePrefix]) != n.prefix {
		return nonceForeign
	}
	var raw [nonceRaw + 2]byte
	k, err := base64.RawStdEncoding.Strict().Decode(raw[:], nonce[noncePrefix:])
	if err != nil || k != nonceRaw {
		return nonceForeign
	}
	made := binary.BigEndian.Uint32(raw[:])
	if !hmac.Equal(raw[:nonceRaw], n.code(made, t)) {
		return nonceForeign
	}
	if age := time.Duration(uint32(now.Unix())-made) * time.Second; age > n.lifetime {
		return nonceStale
	}
	return nonceValid
}
