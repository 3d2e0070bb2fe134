package srtp

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// Both ways to make a keystream agree with the standard library's, for keys of
// both sizes, IVs whose last bits make every carry, and all lengths.
func TestCounterMode(t *testing.T) {
	random := rand.NewChaCha8([32]byte{7})
	for round := range 40 {
		key := make([]byte, 16+round%2*16)
		random.Read(key)
		block, err := aes.NewCipher(key)
		if err != nil {
			t.Fatal(err)
		}
		bulk, ctr := newBulkCipher(block), new(counterMode)
		iv := make([]byte, 16)
		for n := range 1300 {
			switch n % 6 {
			case 0:
				random.Read(iv[:14])
			case 1, 5: // the next packet of the same source
				random.Read(iv[12:14])
			case 2:
				clear(iv[12:])
			case 3:
				clear(iv[8:])
			case 4:
				clear(iv)
			}
			plain := make([]byte, n)
			random.Read(plain)
			want := make([]byte, n)
			cipher.NewCTR(block, iv).XORKeyStream(want, plain)

			hi, lo := binary.BigEndian.Uint64(iv), binary.BigEndian.Uint64(iv[8:])
			got := bytes.Clone(plain)
			ctr.xor(block, hi, lo, got)
			if !bytes.Equal(got, want) {
				t.Fatalf("%d bytes with IV %x, block by block, are wrong", n, iv)
			}
			got = bytes.Clone(plain)
			done := bulk.xor(hi, lo, got)
			if !bytes.Equal(got[:done], want[:done]) || !bytes.Equal(got[done:], plain[done:]) {
				t.Fatalf("%d bytes of %d with IV %x, in bulk, are wrong", done, n, iv)
			}
			if bulk.gcm != nil && n >= bulkMinimum && (n-done < 16 || n-done > 31) {
				t.Fatalf("in bulk, %d of %d bytes", done, n)
			}
		}
	}
}

// The laws of a field, and that the fast product is the slow one.
func TestField(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	one := element{1 << 63, 0}
	random128 := func() element { return element{random.Uint64(), random.Uint64()} }
	for range 300 {
		a, b, c := random128(), random128(), random128()
		if a.times(one) != a || a.times(b) != b.times(a) || a.times(b).times(c) != a.times(b.times(c)) {
			t.Fatal("multiplication is wrong")
		}
		if a.times(b.plus(c)) != a.times(b).plus(a.times(c)) {
			t.Fatal("multiplication does not distribute")
		}
		if a.times(a.inverse()) != one {
			t.Fatalf("%v has the wrong inverse", a)
		}
		var multiples [16]element
		for i := range multiples {
			multiples[i] = b.times(element{uint64(i) << 60, 0})
		}
		if (element{}).timesMultiples(&multiples, a.lo, 16).timesMultiples(&multiples, a.hi, 16) != a.times(b) {
			t.Fatal("the product by multiples is wrong")
		}
	}
}
