package srtp

import (
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
)

// batch is how many bytes of keystream are made at a time: 16 blocks. More
// gains nothing.
const batch = 256

// A counterMode is AES in counter mode (RFC 3711, Section 4.1.1):
//
//	E(k, IV) || E(k, IV + 1 mod 2^128) || E(k, IV + 2 mod 2^128) ...
//
// It exists because cipher.NewCTR allocates half a kilobyte for each IV, and SRTP
// has an IV for each packet. The cipher is the standard library's.
//
// All counters of a batch are written before the first is encrypted: an
// AES instruction that loads a block written just now in smaller pieces waits
// for them, which makes the obvious loop take twice as long.
type counterMode struct {
	counters, keystream [batch]byte
}

// xor encrypts or decrypts b in place. The IV is hi and lo, whose low 16 bits
// are zero and count the blocks, for which b must not exceed 2^20 bytes.
func (c *counterMode) xor(block cipher.Block, hi, lo uint64, b []byte) {
	for len(b) > 0 {
		n := min(batch, len(b))
		for at := 0; at < n; at += 16 {
			binary.BigEndian.PutUint64(c.counters[at:], hi)
			binary.BigEndian.PutUint64(c.counters[at+8:], lo)
			lo++
		}
		for at := 0; at < n; at += 16 {
			block.Encrypt(c.keystream[at:at+16], c.counters[at:at+16])
		}
		subtle.XORBytes(b, b[:n], c.keystream[:n])
		b = b[n:]
	}
}
