package turn

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/stun"
)

// A token is read by who has its key and its name, and by nobody else.
func TestAccessToken(t *testing.T) {
	for _, key := range [][]byte{bytes.Repeat([]byte("k"), 32), bytes.Repeat([]byte("k"), 16)} {
		token := AccessToken{MACKey: []byte("twenty bytes of key."), Time: start.Add(1500 * time.Millisecond), Lifetime: time.Hour}
		value, err := token.Seal(seeded(1), key, "turn.example.org")
		must(t, err)
		if want := 2 + tokenNonce + 2 + 20 + 8 + 4 + 16; len(value) != want {
			t.Errorf("the token has %d bytes, want %d", len(value), want)
		}
		got, err := OpenAccessToken(value, key, "turn.example.org")
		must(t, err)
		if !bytes.Equal(got.MACKey, token.MACKey) || !got.Time.Equal(token.Time) || got.Lifetime != token.Lifetime {
			t.Errorf("%+v becomes %+v", token, got)
		}
		for name, open := range map[string]func() (AccessToken, error){
			"for another server": func() (AccessToken, error) { return OpenAccessToken(value, key, "turn.example.com") },
			"with another key": func() (AccessToken, error) {
				return OpenAccessToken(value, bytes.Repeat([]byte("l"), len(key)), "turn.example.org")
			},
		} {
			if _, err := open(); err != ErrToken {
				t.Errorf("%s: %v", name, err)
			}
		}
		for n := range value {
			if _, err := OpenAccessToken(value[:n], key, "turn.example.org"); err != ErrToken {
				t.Errorf("the first %d bytes: %v", n, err)
			}
			changed := bytes.Clone(value)
			changed[n] ^= 1
			if _, err := OpenAccessToken(changed, key, "turn.example.org"); err != ErrToken {
				t.Errorf("with byte %d changed: %v", n, err)
			}
		}
	}
	if _, err := OpenAccessToken(nil, []byte("short"), ""); err == nil || err == ErrToken {
		t.Errorf("a key of 5 bytes: %v", err)
	}
	token := AccessToken{Time: start, Lifetime: time.Minute}
	for at, want := range map[time.Duration]bool{
		-6 * time.Second: false, -5 * time.Second: true, 0: true, 64 * time.Second: true, 65 * time.Second: false,
	} {
		if token.Valid(start.Add(at)) != want {
			t.Errorf("%v after it was made the token is valid: %v", at, !want)
		}
	}
}

func FuzzAccessToken(f *testing.F) {
	key := bytes.Repeat([]byte("k"), 32)
	value, err := AccessToken{MACKey: []byte("key"), Time: start}.Seal(seeded(1), key, "a")
	must(f, err)
	f.Add(value)
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := OpenAccessToken(b, key, "a")
		if err == nil && len(got.MACKey) > len(b) {
			t.Error("a key that is longer than its token")
		}
	})
}

// A server that wants a token is named in the error: one that takes passwords too when it has
// refused ours, and one that does not at once.
func TestThirdPartyAuthorization(t *testing.T) {
	for _, c := range []struct {
		realm bool
		says  string
	}{{true, `get an access token for "auth.example.org"`}, {false, "wants an access token"}} {
		w := newWire(t, newHost(t, ServerConfig{}), ClientConfig{})
		w.Start(w.now)
		for range 2 {
			m := mustParse(t, w.AppendPacket(w.now, nil))
			b := stun.NewBuilder(nil, stun.NewType(stun.Allocate, stun.ErrorResponse), m.TransactionID())
			b.AddErrorCode(stun.CodeUnauthenticated, "")
			b.AddString(stun.AttrThirdPartyAuthorization, "auth.example.org")
			if c.realm {
				b.AddString(stun.AttrRealm, "example.org")
				b.AddString(stun.AttrNonce, "nonce")
			}
			w.Receive(w.now, b.Bytes())
			if w.Err() != nil {
				break
			}
		}
		if err := w.Err(); err == nil || !strings.Contains(err.Error(), c.says) || !c.realm && !errors.Is(err, ErrThirdParty) {
			t.Errorf("with a realm: %v; it ends by %v", c.realm, err)
		}
	}
}
