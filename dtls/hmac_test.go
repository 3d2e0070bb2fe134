package dtls

import (
	"bytes"
	"crypto"
	"crypto/hmac"
	"fmt"
	"testing"
)

// TestHMACIsTheStandardLibrarys goes through keys and texts around the sizes at which
// something changes: a block of either hash, and the room that there is on the stack.
func TestHMACIsTheStandardLibrarys(t *testing.T) {
	bytesOf := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(i*7 + n)
		}
		return b
	}
	for _, hash := range []crypto.Hash{crypto.SHA256, crypto.SHA384} {
		t.Run(fmt.Sprint(hash), func(t *testing.T) {
			for _, k := range []int{0, 1, 31, 32, 48, 63, 64, 65, 127, 128, 129, 300} {
				for _, n := range []int{0, 1, 55, 56, 64, 111, 112, 128, 383, 384, 385, 447, 448, 449, 512, 2000} {
					key, text := bytesOf(k), bytesOf(n)
					m := hmac.New(hash.New, key)
					m.Write(text)
					want := append([]byte("before"), m.Sum(nil)...)
					for _, cut := range []int{0, n / 3, n} {
						got := appendHMAC([]byte("before"), hash, key, text[:cut], text[cut:])
						if !bytes.Equal(got, want) {
							t.Fatalf("a key of %d bytes, a text of %d cut at %d:\n%x, want\n%x", k, n, cut, got, want)
						}
					}
					if !bytes.Equal(key, bytesOf(k)) || !bytes.Equal(text, bytesOf(n)) {
						t.Fatal("it wrote into the key or the text")
					}
				}
			}
		})
	}
}

// TestHMACDoesNotAllocate holds what it is for.
func TestHMACDoesNotAllocate(t *testing.T) {
	key, text, out := make([]byte, 48), make([]byte, 150), make([]byte, 0, 64)
	for _, hash := range []crypto.Hash{crypto.SHA256, crypto.SHA384} {
		if n := testing.AllocsPerRun(100, func() { appendHMAC(out, hash, key, text, text) }); n != 0 {
			t.Errorf("%v: %v allocations, want none", hash, n)
		}
	}
}
