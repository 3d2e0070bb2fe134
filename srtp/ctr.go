package srtp

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
)

// batch is how many blocks of keystream are made at a time. More gains nothing.
const batch = 16

// A counterMode is AES in counter mode (RFC 3711, Section 4.1.1):
//
//	E(k, IV) || E(k, IV + 1 mod 2^128) || E(k, IV + 2 mod 2^128) ...
//
// It exists because cipher.NewCTR allocates half a kilobyte for each IV, and SRTP
// has an IV for each packet. The cipher is the standard library's.
//
// All counters of a batch are written before the first is encrypted: an
// AES instruction that loads a block written just now in smaller pieces waits
// for them, which makes the obvious loop take twice as long. What remains slower
// than the standard library's own counter mode is the call for each block; see
// bulkCipher.
type counterMode struct {
	counters  [batch][aes.BlockSize]byte
	keystream [batch * aes.BlockSize]byte
}

// xor encrypts or decrypts b in place. The IV is hi and lo, whose low 16 bits
// are zero and count the blocks, for which b must not exceed 2^20 bytes.
func (c *counterMode) xor(block cipher.Block, hi, lo uint64, b []byte) {
	for len(b) > 0 {
		n := min(len(c.keystream), len(b))
		counters := c.counters[:(n+aes.BlockSize-1)/aes.BlockSize]
		for i := range counters {
			binary.BigEndian.PutUint64(counters[i][:], hi)
			binary.BigEndian.PutUint64(counters[i][8:], lo)
			lo++
		}
		for i := range counters {
			block.Encrypt(c.keystream[i*aes.BlockSize:], counters[i][:])
		}
		subtle.XORBytes(b, b[:n], c.keystream[:n])
		b = b[n:]
	}
}
