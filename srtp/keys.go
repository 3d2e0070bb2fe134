package srtp

import (
	"crypto/aes"
	"encoding/binary"
	"fmt"
)

// ExporterLabel is what the keying material is exported under, without a
// context (RFC 5764, Section 4.2).
const ExporterLabel = "EXTRACTOR-dtls_srtp"

// A Role is which end of the DTLS connection a side was.
type Role uint8

// The roles.
const (
	Client Role = iota // sent the ClientHello
	Server             // answered it
)

// A MasterKey is the secret that the keys of one direction are derived from.
type MasterKey struct {
	Key, Salt []byte
}

// SplitKeyingMaterial cuts what DTLS exported into the master key that we write
// with and the one that we read with. They alias exported.
//
// RFC 5764, Section 4.2: it is client_write_SRTP_master_key,
// server_write_SRTP_master_key, client_write_SRTP_master_salt and
// server_write_SRTP_master_salt, in this order.
func SplitKeyingMaterial(p Profile, exported []byte, role Role) (write, read MasterKey, err error) {
	params := p.params()
	if params == nil {
		return write, read, errProfile(p)
	}
	if len(exported) != p.KeyingMaterialLen() {
		return write, read, fmt.Errorf("srtp: %v needs %d bytes of keying material, not %d", p, p.KeyingMaterialLen(), len(exported))
	}
	key, salt := params.key, params.salt
	salts := exported[2*key:]
	client := MasterKey{exported[:key:key], salts[:salt:salt]}
	server := MasterKey{exported[key : 2*key : 2*key], salts[salt:]}
	if role == Client {
		return client, server, nil
	}
	return server, client, nil
}

func errProfile(p Profile) error {
	return fmt.Errorf("srtp: %v is not supported: choose one of %v", p, Preferred())
}

// check says whether the master key fits the profile.
func (k MasterKey) check(p Profile) (*profileParams, error) {
	params := p.params()
	if params == nil {
		return nil, errProfile(p)
	}
	if len(k.Key) != params.key || len(k.Salt) != params.salt {
		return nil, fmt.Errorf("srtp: %v needs a master key of %d bytes and a salt of %d, not %d and %d",
			p, params.key, params.salt, len(k.Key), len(k.Salt))
	}
	return params, nil
}

// A label says what a session key is for (RFC 3711, Section 4.3.1 and 4.3.2).
type label byte

const (
	labelRTPEncryption  label = 0x00
	labelRTPAuth        label = 0x01
	labelRTPSalt        label = 0x02
	labelRTCPEncryption label = 0x03
	labelRTCPAuth       label = 0x04
	labelRTCPSalt       label = 0x05
)

// derive makes a session key of n bytes (RFC 3711, Section 4.3.1), with the key
// derivation rate zero: r is zero, and keys are derived once.
//
//   - Let key_id = <label> || r, where r is 48 bits.
//   - Let x = key_id XOR master_salt, [...] aligned so that their least
//     significant bits agree (right-alignment).
//
// The key is AES in counter mode over the master key, with x * 2^16 as IV
// (Section 4.3.3; for 256 bits, RFC 6188, Section 3). A GCM salt is 16 bits shorter and stands at the left
// of the 112 bits (RFC 7714, Section 11).
func derive(k MasterKey, l label, n int) []byte {
	block, err := aes.NewCipher(k.Key)
	if err != nil {
		panic("BUG: the length of a master key was not checked: " + err.Error())
	}
	var iv [16]byte
	copy(iv[:14], k.Salt)
	iv[7] ^= byte(l)
	key := make([]byte, n)
	new(counterMode).xor(block, binary.BigEndian.Uint64(iv[:]), binary.BigEndian.Uint64(iv[8:]), key)
	return key
}
