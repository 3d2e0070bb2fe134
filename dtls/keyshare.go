package dtls

import (
	"crypto/ecdh"
	"crypto/mlkem"
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"github.com/plainrtc/plainrtc/internal/wire"
)

// A Group is a number of IANA's TLS Supported Groups registry: how the ends
// agree on a secret (RFC 8446, Section 4.2.7).
type Group uint16

// The groups for the key exchange. X25519MLKEM768 is X25519 and ML-KEM-768 at
// once, so that a recording stays secret as long as either holds; it exists in
// DTLS 1.3 alone (draft-ietf-tls-ecdhe-mlkem).
const (
	Secp256r1      Group = 23
	Secp384r1      Group = 24
	X25519         Group = 29
	X25519MLKEM768 Group = 0x11ec
)

// groups says what each group is made of.
var groups = []struct {
	group  Group
	name   string
	curve  ecdh.Curve // nil for the hybrid
	scalar int        // bytes of a private key
}{
	{X25519MLKEM768, "X25519MLKEM768", nil, 0},
	{X25519, "x25519", ecdh.X25519(), 32},
	{Secp256r1, "secp256r1", ecdh.P256(), 32},
	{Secp384r1, "secp384r1", ecdh.P384(), 48},
}

// known reports whether we speak g.
func (g Group) known() bool {
	for i := range groups {
		if groups[i].group == g {
			return true
		}
	}
	return false
}

func (g Group) String() string {
	for i := range groups {
		if groups[i].group == g {
			return groups[i].name
		}
	}
	return fmt.Sprintf("group %#04x", uint16(g))
}

// curve returns the group's arithmetic, or nil for the hybrid, and for a group
// we do not speak. DTLS 1.2 has the groups that are curves.
func (g Group) curve() ecdh.Curve {
	for i := range groups {
		if groups[i].group == g {
			return groups[i].curve
		}
	}
	return nil
}

// curves are those of gs that DTLS 1.2 has.
func curves(gs []Group) []Group {
	return slices.DeleteFunc(slices.Clone(gs), func(g Group) bool { return g.curve() == nil })
}

// generateECDH makes a key on g's curve from rand's bytes alone.
func generateECDH(rand io.Reader, g Group) (*ecdh.PrivateKey, error) {
	size := 0
	for i := range groups {
		if groups[i].group == g {
			size = groups[i].scalar
		}
	}
	var space [48]byte
	scalar := space[:size]
	for range 2 { // see generateKey
		if _, err := io.ReadFull(rand, scalar); err != nil {
			return nil, refuse(AlertInternalError, "the source of randomness failed: %v", err)
		}
		if key, err := g.curve().NewPrivateKey(scalar); err == nil {
			return key, nil
		}
	}
	return nil, refuse(AlertInternalError, "the source of randomness yields no private key: is it random?")
}

// sharedECDH computes what key and the peer's point have in common (RFC 8422,
// Section 5.10; RFC 8446, Section 7.4.2).
func sharedECDH(g Group, key *ecdh.PrivateKey, point []byte) ([]byte, error) {
	pub, err := g.curve().NewPublicKey(point)
	if err != nil {
		return nil, refuse(AlertIllegalParameter, "the peer's key share is not a point of %v", g)
	}
	secret, err := key.ECDH(pub)
	if err != nil {
		return nil, refuse(AlertIllegalParameter, "the peer's key share for %v yields no secret", g)
	}
	return secret, nil
}

// A keyShare is a client's half of a key exchange that it offers.
type keyShare struct {
	group Group
	ecdh  *ecdh.PrivateKey           // of X25519 in the hybrid
	kem   *mlkem.DecapsulationKey768 // of the hybrid
}

// generateKeyShares makes the client's shares for gs. X25519 has the same key
// alone and in the hybrid: one of the two is used.
func generateKeyShares(rand io.Reader, gs []Group) (shares []keyShare, err error) {
	var x25519 *ecdh.PrivateKey
	for _, g := range gs {
		s := keyShare{group: g}
		if g == X25519MLKEM768 {
			var seed [mlkem.SeedSize]byte
			if _, err := io.ReadFull(rand, seed[:]); err != nil {
				return nil, refuse(AlertInternalError, "the source of randomness failed: %v", err)
			}
			if s.kem, err = mlkem.NewDecapsulationKey768(seed[:]); err != nil {
				return nil, refuse(AlertInternalError, "cannot make an ML-KEM key: %v", err)
			}
			g = X25519
		}
		if s.ecdh = x25519; g != X25519 || x25519 == nil {
			if s.ecdh, err = generateECDH(rand, g); err != nil {
				return nil, err
			}
		}
		if g == X25519 {
			x25519 = s.ecdh
		}
		shares = append(shares, s)
	}
	return shares, nil
}

// appendPublic appends the share's KeyShareEntry.
func (s *keyShare) appendPublic(b []byte) []byte {
	var kem []byte
	if s.kem != nil {
		kem = s.kem.EncapsulationKey().Bytes()
	}
	return appendKeyShare(b, s.group, kem, s.ecdh.PublicKey().Bytes())
}

// secret computes the shared secret from the server's share. The hybrid's is
// that of ML-KEM followed by that of X25519, and so are the shares.
func (s *keyShare) secret(peer []byte) ([]byte, error) {
	if s.kem == nil {
		return sharedECDH(s.group, s.ecdh, peer)
	}
	if len(peer) != mlkem.CiphertextSize768+32 {
		return nil, refuse(AlertIllegalParameter, "the peer's key share for %v has %d bytes", s.group, len(peer))
	}
	secret, err := s.kem.Decapsulate(peer[:mlkem.CiphertextSize768])
	if err != nil {
		return nil, refuse(AlertIllegalParameter, "the peer's key share for %v is no ciphertext of ML-KEM", s.group)
	}
	curve, err := sharedECDH(X25519, s.ecdh, peer[mlkem.CiphertextSize768:])
	return append(secret, curve...), err
}

// answerKeyShare makes the server's share in answer to a client's, as a
// KeyShareEntry, and the shared secret. ML-KEM's part of it is the one thing
// that does not follow from rand: Go encapsulates with randomness of its own.
func answerKeyShare(rand io.Reader, g Group, peer []byte) (share, secret []byte, err error) {
	if g != X25519MLKEM768 {
		key, err := generateECDH(rand, g)
		if err != nil {
			return nil, nil, err
		}
		secret, err := sharedECDH(g, key, peer)
		return appendKeyShare(nil, g, nil, key.PublicKey().Bytes()), secret, err
	}
	if len(peer) != mlkem.EncapsulationKeySize768+32 {
		return nil, nil, refuse(AlertIllegalParameter, "the peer's key share for %v has %d bytes", g, len(peer))
	}
	kem, err := mlkem.NewEncapsulationKey768(peer[:mlkem.EncapsulationKeySize768])
	if err != nil {
		return nil, nil, refuse(AlertIllegalParameter, "the peer's key share for %v is no key of ML-KEM", g)
	}
	key, err := generateECDH(rand, X25519)
	if err != nil {
		return nil, nil, err
	}
	curve, err := sharedECDH(X25519, key, peer[mlkem.EncapsulationKeySize768:])
	if err != nil {
		return nil, nil, err
	}
	secret, ciphertext := kem.Encapsulate()
	return appendKeyShare(nil, g, ciphertext, key.PublicKey().Bytes()), append(secret, curve...), nil
}

// appendKeyShare appends a KeyShareEntry whose key_exchange comes in parts (RFC
// 8446, Section 4.2.8):
//
//	struct {
//	    NamedGroup group;
//	    opaque key_exchange<1..2^16-1>;
//	} KeyShareEntry;
func appendKeyShare(b []byte, g Group, parts ...[]byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(g))
	return append16(b, slices.Concat(parts...))
}

// nextKeyShare takes a KeyShareEntry from the front of b.
func nextKeyShare(b []byte) (g Group, key, rest []byte, ok bool) {
	r := wire.NewReader(b)
	g = Group(r.Uint16())
	key = r.Vector16()
	return g, key, r.Rest(), r.OK() && len(key) > 0
}

// validKeyShares reports whether b is a list of KeyShareEntries. "Clients MUST
// NOT offer multiple KeyShareEntry values for the same group" (RFC 8446, Section
// 4.2.8) is left to be: the first counts.
func validKeyShares(b []byte) bool {
	for len(b) > 0 {
		_, _, rest, ok := nextKeyShare(b)
		if !ok {
			return false
		}
		b = rest
	}
	return true
}

// findKeyShare returns the key that a list of KeyShareEntries has for g.
func findKeyShare(b []byte, g Group) []byte {
	for len(b) > 0 {
		h, key, rest, ok := nextKeyShare(b)
		if !ok {
			return nil
		}
		if h == g {
			return key
		}
		b = rest
	}
	return nil
}
