package dtls

import (
	"crypto"
	"crypto/sha256"
	"crypto/sha512"
)

// A handshake computes some sixty hashes and HMACs of short texts, most with a key of
// their own. Package crypto/hmac makes two hash.Hash for each, eight allocations and
// more. The texts are at hand as a whole, and of such the sums of the standard library
// allocate nothing.

// appendSum appends the hash of text to b.
func appendSum(b []byte, hash crypto.Hash, text []byte) []byte {
	switch hash {
	case crypto.SHA256:
		sum := sha256.Sum256(text)
		return append(b, sum[:]...)
	case crypto.SHA384:
		sum := sha512.Sum384(text)
		return append(b, sum[:]...)
	}
	panic("BUG: no cipher suite has the hash " + hash.String())
}

// blockSize is the size of the blocks that hash takes, B in RFC 2104.
func blockSize(hash crypto.Hash) int {
	if hash == crypto.SHA256 {
		return sha256.BlockSize
	}
	return sha512.BlockSize
}

// appendHMAC appends the HMAC of the text that parts make together to b (RFC 2104,
// Section 2):
//
//	H(K XOR opad, H(K XOR ipad, text))
//
// "Applications that use keys longer than B bytes will first hash the key using H and
// then use the resultant L byte string as the actual key to HMAC."
func appendHMAC(b []byte, hash crypto.Hash, key []byte, parts ...[]byte) []byte {
	const ipad, opad = 0x36, 0x5c
	var space [64]byte // no sum is larger
	size := blockSize(hash)
	if len(key) > size {
		key = appendSum(space[:0], hash, key)
	}
	padded := make([]byte, size, 512) // on the stack; what does not fit is moved
	copy(padded, key)
	for i := range padded {
		padded[i] ^= ipad
	}
	text := padded
	for _, p := range parts {
		text = append(text, p...)
	}
	inner := appendSum(space[:0], hash, text)
	for i := range padded {
		padded[i] ^= ipad ^ opad
	}
	return appendSum(b, hash, append(padded, inner...))
}
