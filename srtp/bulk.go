package srtp

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"runtime"
)

// A bulkCipher is counter mode at the speed of the standard library's own, which
// encrypts eight blocks at a time, without the allocation that cipher.NewCTR
// makes for each IV.
//
// It is AES-GCM, which is counter mode and a tag, without the tag. GCM
// starts counting behind a block J0 made from the nonce. For nonces of 16 bytes
// (NIST SP 800-38D, Section 7.1, step 2) that is a polynomial of the hash key H =
// E(K, 0), in the field of 2^128 elements,
//
//	J0 = N·H² + L·H, where L is the length of N,
//
// which can be solved for the nonce that makes GCM start where SRTP does:
//
//	N = J0·H⁻² + L·H⁻¹
//
// One multiplication by a constant is a fraction of the work of a packet's
// keystream, and as it is linear, most of it is done once for a source: only the
// sequence number, in the last 32 bits of J0, is another in the next packet. What
// GCM's hash is worth with such nonces does not matter, as its tag is thrown away. The
// multiplication looks things up in a table by the bits of J0, which has no bits
// of the key: it is the salt, and what the packet says in clear. Sealing a full
// packet takes a quarter less time than by counterMode alone.
type bulkCipher struct {
	// gcm is nil where it would be slow, or if the standard library refuses such
	// nonces; then counterMode has to do.
	gcm cipher.AEAD
	// multiples are those of H⁻² by the 16 polynomials of a degree below four, and
	// low those of H⁻²·x^96, by which the last 32 bits of J0 count.
	multiples, low [16]element
	// constant is L·H⁻¹.
	constant element
	// source is J0 of the packet before, without its last 32 bits, and offset is
	// what that comes to: source·H⁻² + L·H⁻¹.
	source, offset element

	nonce, kept [aes.BlockSize]byte
}

// bulkMinimum is how many bytes make up for the multiplication and the tag: those
// of video, not of speech. It is measured.
const bulkMinimum = 512

func newBulkCipher(block cipher.Block) *bulkCipher {
	// Elsewhere GCM's hash is made in software, which costs more than is saved.
	if runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		return &bulkCipher{}
	}
	gcm, err := cipher.NewGCMWithNonceSize(block, aes.BlockSize)
	if err != nil {
		return &bulkCipher{}
	}
	var zero [aes.BlockSize]byte
	block.Encrypt(zero[:], zero[:])
	inverse := elementOf(zero[:]).inverse()
	c := &bulkCipher{gcm: gcm, constant: inverse.times(element{0, 8 * aes.BlockSize})}
	inverse = inverse.times(inverse)
	low := inverse.times(element{0, 1 << 31})
	for i := range c.multiples {
		c.multiples[i] = inverse.times(element{uint64(i) << 60, 0})
		c.low[i] = low.times(element{uint64(i) << 60, 0})
	}
	c.offset = c.constant // of a source that is zero
	return c
}

// xor encrypts or decrypts in place all of b but its last 16 to 31 bytes, and
// returns how many that were: the tag needs a place, which is restored.
func (c *bulkCipher) xor(hi, lo uint64, b []byte) int {
	if c.gcm == nil || len(b) < bulkMinimum {
		return 0
	}
	// The first block to encrypt is J0 + 1, where only the last 32 bits count.
	if source := (element{hi, lo &^ 0xffffffff}); source != c.source {
		c.source = source
		c.offset = element{}.timesMultiples(&c.multiples, source.lo, 16).timesMultiples(&c.multiples, hi, 16).plus(c.constant)
	}
	n := element{}.timesMultiples(&c.low, uint64(uint32(lo)-1), 8).plus(c.offset)
	binary.BigEndian.PutUint64(c.nonce[:], n.hi)
	binary.BigEndian.PutUint64(c.nonce[8:], n.lo)

	size := (len(b) - aes.BlockSize) &^ (aes.BlockSize - 1)
	copy(c.kept[:], b[size:])
	c.gcm.Seal(b[:0], c.nonce[:], b[:size], nil)
	copy(b[size:], c.kept[:])
	return size
}

// An element is one of the field of 2^128 elements that GCM counts in: a
// polynomial modulo x^128 + x^7 + x^2 + x + 1, whose coefficient of x^0 is the
// most significant bit of hi, and of x^127 the least significant of lo.
type element struct{ hi, lo uint64 }

func elementOf(b []byte) element {
	return element{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}
}

func (a element) plus(b element) element { return element{a.hi ^ b.hi, a.lo ^ b.lo} }

// timesX multiplies by x.
func (a element) timesX() element {
	return element{a.hi>>1 ^ -(a.lo&1)&(0xe1<<56), a.lo>>1 | a.hi<<63}
}

// times multiplies bit by bit, which is slow: it is for what is done once a key.
func (a element) times(b element) (product element) {
	for range 128 {
		mask := -(b.hi >> 63)
		product = product.plus(element{a.hi & mask, a.lo & mask})
		a = a.timesX()
		b = element{b.hi<<1 | b.lo>>63, b.lo << 1}
	}
	return product
}

// inverse is a^(2^128 - 2), the product of a's powers of 2, 4, 8, … 2^127.
func (a element) inverse() element {
	product := element{1 << 63, 0}
	for range 127 {
		a = a.times(a)
		product = product.times(a)
	}
	return product
}

// timesMultiples takes n steps of Horner's rule: a times x^4, plus the multiple that
// the next four bits name. The lowest bits have the highest degree and are first.
func (a element) timesMultiples(multiples *[16]element, bits uint64, n int) element {
	for range n {
		a = element{
			a.hi>>4 ^ uint64(carries[a.lo&15])<<48,
			a.lo>>4 | a.hi<<60,
		}.plus(multiples[bits&15])
		bits >>= 4
	}
	return a
}

// carries are what the coefficients of x^128 to x^131 come to, as the upper 16
// bits of an element's hi.
var carries = func() (c [16]uint16) {
	for i := range c {
		e := element{0, uint64(i)}
		for range 4 {
			e = e.timesX()
		}
		c[i] = uint16(e.hi >> 48)
	}
	return c
}()
