package turn

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	cursor "github.com/plainrtc/plainrtc/internal/wire"
)

// An AccessToken is what ACCESS-TOKEN has in it, for those who have the key: the third-party
// authorization of RFC 7635. An authorization server makes it, a client passes
// it on unread, with MESSAGE-INTEGRITY under the MAC key that it was given beside it, and the
// server that opens it knows that key too.
//
//	struct {
//	    uint16_t nonce_length;
//	    opaque nonce[nonce_length];
//	    opaque {
//	        uint16_t key_length;
//	        opaque mac_key[key_length];
//	        uint64_t timestamp;
//	        uint32_t lifetime;
//	    } encrypted_block;
//	} token;
//
// RFC 7635, Section 6.2. The block is encrypted with AEAD_AES_256_GCM (or, with a key of 16
// bytes, AEAD_AES_128_GCM); the server's name is authenticated with it.
type AccessToken struct {
	MACKey   []byte
	Time     time.Time     // when it was made, in steps of 1/64000 s
	Lifetime time.Duration // in whole seconds
}

// ErrToken is what a token that was not made with the key, or for the server, comes to.
const ErrToken Reason = "the access token is malformed, or was made with another key or for another server"

const tokenNonce = 12 // of GCM: RFC 5116, Section 5.1

// Seal makes the value of ACCESS-TOKEN for the server of a name, with the key that the
// authorization server shares with it. The nonce comes from random.
func (t AccessToken) Seal(random io.Reader, key []byte, server string) ([]byte, error) {
	aead, err := tokenAEAD(key)
	if err != nil {
		return nil, err
	}
	if len(t.MACKey) > 255 {
		return nil, fmt.Errorf("turn: a MAC key of %d bytes is too long for an access token", len(t.MACKey))
	}
	token := binary.BigEndian.AppendUint16(nil, tokenNonce)
	token = append(token, make([]byte, tokenNonce)...)
	if _, err := io.ReadFull(random, token[2:]); err != nil {
		return nil, fmt.Errorf("turn: reading the randomness for a nonce: %w", err)
	}
	block := binary.BigEndian.AppendUint16(nil, uint16(len(t.MACKey)))
	block = append(block, t.MACKey...)
	block = binary.BigEndian.AppendUint64(block, tokenTime(t.Time))
	block = binary.BigEndian.AppendUint32(block, uint32(t.Lifetime/time.Second))
	return aead.Seal(token, token[2:], block, []byte(server)), nil
}

// OpenAccessToken reads the value of ACCESS-TOKEN.
func OpenAccessToken(value, key []byte, server string) (t AccessToken, err error) {
	aead, err := tokenAEAD(key)
	if err != nil {
		return t, err
	}
	r := cursor.NewReader(value)
	nonce := r.Bytes(int(r.Uint16()))
	sealed := r.Rest()
	if !r.OK() || len(nonce) != tokenNonce {
		return t, ErrToken
	}
	block, err := aead.Open(nil, nonce, sealed, []byte(server))
	if err != nil {
		return t, ErrToken
	}
	r = cursor.NewReader(block)
	t.MACKey = r.Bytes(int(r.Uint16()))
	at, lifetime := r.Uint64(), r.Uint32()
	if !r.Done() {
		return AccessToken{}, ErrToken
	}
	t.Time = time.Unix(int64(at>>16), int64(at&0xffff)*int64(time.Second)/64000)
	t.Lifetime = time.Duration(lifetime) * time.Second
	return t, nil
}

// Valid reports whether a token may be used: RFC 7635, Section 7 asks for the
// lifetime and a delay of five seconds, for clocks that differ.
func (t AccessToken) Valid(now time.Time) bool {
	const delay = 5 * time.Second
	return !now.Add(delay).Before(t.Time) && now.Add(-delay).Before(t.Time.Add(t.Lifetime))
}

// tokenTime is "the number of seconds" since 1970 in 48 bits, and 1/64000 of a second in 16.
func tokenTime(t time.Time) uint64 {
	return uint64(t.Unix())<<16 | uint64(t.Nanosecond())*64000/uint64(time.Second)
}

func tokenAEAD(key []byte) (cipher.AEAD, error) {
	if len(key) != 16 && len(key) != 32 {
		return nil, fmt.Errorf("turn: the key of access tokens has %d bytes; it must have 32, or 16", len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
