package stun

import (
	"encoding/hex"
	"testing"
)

func TestOpaqueString(t *testing.T) {
	for _, test := range []struct {
		name, in, want string
	}{
		{"ASCII stays", "VOkJxbRl1RmTxUk/WvJxBt", "VOkJxbRl1RmTxUk/WvJxBt"},
		{"case and spaces stay", "Correct Horse  Battery Staple ", "Correct Horse  Battery Staple "},
		{"letters of any script stay", "マトリックス", "マトリックス"},
		{"compatibility characters stay", "M\u00aatr\u2168", "M\u00aatr\u2168"},
		{"symbols stay", "🔑€", "🔑€"},
		{"every space becomes ASCII's", "foo\u00a0bar\u3000baz\u1680", "foo bar baz "},
	} {
		if got, err := OpaqueString(test.in); err != nil || got != test.want {
			t.Errorf("%s: %q, %v", test.name, got, err)
		}
	}
	for name, in := range map[string]string{
		"empty":              "",
		"a control":          "a\tb",
		"NUL":                "a\x00",
		"DEL":                "\x7f",
		"a C1 control":       "\u0085",
		"a soft hyphen":      "The\u00adMatrix",
		"a joiner":           "a\u200d",
		"a byte order mark":  "\ufeffa",
		"private use":        "\ue000",
		"not assigned":       "\u0378",
		"an old Hangul jamo": "\u1100",
		"a Hangul filler":    "\u3164",
		"a variation":        "a\ufe0f",
		"not UTF-8":          "a\xff",
	} {
		if got, err := OpaqueString(in); err == nil {
			t.Errorf("%s: accepted as %q", name, got)
		}
	}
}

func TestLongTermKeys(t *testing.T) {
	// RFC 8489, Section 9.2.2, computes this one by hand.
	key, err := LongTermKey(AlgorithmMD5, "user", "realm", "pass")
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(key.secret); got != "8493fbc53ba582fb4c044c456bdc40eb" {
		t.Errorf("MD5 key %s", got)
	}
	if key, err = LongTermKey(AlgorithmSHA256, "user", "realm", "pass"); err != nil || len(key.secret) != 32 {
		t.Errorf("SHA-256 key %x, %v", key.secret, err)
	}
	if _, err := LongTermKey(3, "user", "realm", "pass"); err == nil {
		t.Error("an algorithm that does not exist gives a key")
	}
	for _, words := range [][3]string{{"", "r", "p"}, {"u", "", "p"}, {"u", "r", ""}, {"u", "r", "\n"}} {
		if _, err := LongTermKey(AlgorithmMD5, words[0], words[1], words[2]); err == nil {
			t.Errorf("%q give a key", words)
		}
	}
	if _, err := ShortTermKey("\n"); err == nil {
		t.Error("a line feed is a password")
	}
	if _, err := Userhash("", "realm"); err == nil {
		t.Error("nobody has a userhash")
	}
}

// The key of a password is the password: what NewKey makes of the bytes and
// ShortTermKey of the words is the same, for ICE's passwords are ASCII.
func TestShortTermKeyIsThePassword(t *testing.T) {
	words, err := ShortTermKey(icePassword)
	if err != nil {
		t.Fatal(err)
	}
	m := message(t, BindingRequest, func(b *Builder) { b.AddIntegrity(words) })
	if err := m.CheckIntegrity(NewKey([]byte(icePassword))); err != nil {
		t.Error(err)
	}
}

func TestPasswordAlgorithms(t *testing.T) {
	m := message(t, BindingErrorResponse, func(b *Builder) {
		b.AddPasswordAlgorithms(AlgorithmSHA256, AlgorithmMD5)
		b.AddPasswordAlgorithm(AlgorithmSHA256)
	})
	if got := m.PasswordAlgorithms(); len(got) != 2 || got[0] != AlgorithmSHA256 || got[1] != AlgorithmMD5 {
		t.Errorf("PASSWORD-ALGORITHMS is %v", got)
	}
	if a, ok := m.PasswordAlgorithm(); !ok || a != AlgorithmSHA256 {
		t.Errorf("PASSWORD-ALGORITHM is %v", a)
	}
	if got, want := m.String(), "Binding error response PASSWORD-ALGORITHMS=[SHA-256 MD5] PASSWORD-ALGORITHM=SHA-256"; got != want {
		t.Errorf("it reads as %s", got)
	}
	// One with parameters, which are padded, stands between two that we know.
	m = message(t, BindingErrorResponse, func(b *Builder) {
		b.AddString(AttrPasswordAlgorithms, "\x00\x02\x00\x00"+"\x00\x09\x00\x05param\x00\x00\x00"+"\x00\x01\x00\x00")
	})
	if got := m.PasswordAlgorithms(); len(got) != 2 || got[0] != AlgorithmSHA256 || got[1] != AlgorithmMD5 {
		t.Errorf("PASSWORD-ALGORITHMS is %v", got)
	}
	m = message(t, BindingErrorResponse, func(b *Builder) {
		b.AddString(AttrPasswordAlgorithms, "\x00\x02\x00\x00"+"\x00\x09\x00\x05par")
	})
	if got := m.PasswordAlgorithms(); got != nil {
		t.Errorf("PASSWORD-ALGORITHMS that break off are %v", got)
	}
}

func TestNonceFeatures(t *testing.T) {
	// The nonce of RFC 8489, Appendix B.1: "obMatJos2" and "AAAC".
	if f, ok := NonceFeatures([]byte("obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA")); !ok || f != 2 {
		t.Errorf("%#x, %v", f, ok)
	}
	for _, f := range []SecurityFeatures{0, FeaturePasswordAlgorithms, FeatureUsernameAnonymity, FeaturePasswordAlgorithms | FeatureUsernameAnonymity} {
		nonce := append(AppendNonceFeatures(nil, f), "random"...)
		if got, ok := NonceFeatures(nonce); !ok || got != f {
			t.Errorf("%#x comes back as %#x from %s", f, got, nonce)
		}
	}
	for _, nonce := range []string{"", "obMatJos2", "obMatJos2AAA", "obMatJos2A=AA", "obMatJos1AAAC", "f//499k954d6OL34oL9FSTvy64sA"} {
		if f, ok := NonceFeatures([]byte(nonce)); ok {
			t.Errorf("the nonce %q has features %#x", nonce, f)
		}
	}
}

func TestTruncatedSHA256(t *testing.T) {
	key := NewKey([]byte("password"))
	for size := 16; size <= 32; size += 4 {
		m := message(t, BindingRequest, func(b *Builder) {
			b.AddString(AttrUsername, "somebody")
			b.AddIntegritySHA256(key, size)
			b.AddFingerprint()
		})
		if value, _ := m.Get(AttrMessageIntegritySHA256); len(value) != size {
			t.Errorf("%d bytes, want %d", len(value), size)
		}
		if err := m.CheckIntegritySHA256(key, 16); err != nil {
			t.Errorf("%d bytes where truncation is allowed: %v", size, err)
		}
		if err := m.CheckIntegritySHA256(key, FullSHA256); (err == nil) != (size == 32) {
			t.Errorf("%d bytes where truncation is not allowed: %v", size, err)
		}
		if err := m.CheckIntegritySHA256(NewKey([]byte("other")), 16); err != ErrIntegrity {
			t.Errorf("%d bytes under another password: %v", size, err)
		}
	}
	// Lengths that the RFC does not allow, of an HMAC that is right as far as it goes.
	full := message(t, BindingRequest, func(b *Builder) { b.AddIntegritySHA256(key, 32) })
	value, _ := full.Get(AttrMessageIntegritySHA256)
	for _, n := range []int{0, 4, 12, 17, 31} {
		m := message(t, BindingRequest, func(b *Builder) { b.Add(AttrMessageIntegritySHA256, value[:n]) })
		if err := m.CheckIntegritySHA256(key, 0); err != ErrIntegrity {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}
