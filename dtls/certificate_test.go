package dtls

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

func TestGenerateCertificate(t *testing.T) {
	a, err := GenerateCertificate(seeded(1), start)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(a.DER)
	if err != nil {
		t.Fatal(err)
	}
	if err := cert.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature); err != nil {
		t.Errorf("the certificate is not signed by itself: %v", err)
	}
	if want := start.Add(-24 * time.Hour); !cert.NotBefore.Equal(want) {
		t.Errorf("valid from %v, want %v", cert.NotBefore, want)
	}
	if want := start.Add(30 * 24 * time.Hour); !cert.NotAfter.Equal(want) {
		t.Errorf("valid until %v, want %v", cert.NotAfter, want)
	}
	if cert.SerialNumber.Sign() <= 0 || cert.SerialNumber.BitLen() > 159 {
		t.Errorf("serial number is %v", cert.SerialNumber)
	}
	pub, err := publicKeyOf(a.DER)
	if err != nil || !a.Key.(*ecdsa.PrivateKey).PublicKey.Equal(pub) {
		t.Errorf("publicKeyOf finds %v (%v)", pub, err)
	}

	// From 2050 on dates are written differently; and a zone changes nothing.
	late := time.Date(2049, 12, 20, 0, 0, 0, 0, time.FixedZone("", 3600))
	b, err := GenerateCertificate(seeded(1), late)
	if err != nil {
		t.Fatal(err)
	}
	if cert, err = x509.ParseCertificate(b.DER); err != nil {
		t.Fatal(err)
	}
	if !cert.NotBefore.Equal(late.Add(-24*time.Hour)) || !cert.NotAfter.Equal(late.Add(certificateLifetime)) {
		t.Errorf("valid from %v to %v", cert.NotBefore, cert.NotAfter)
	}

	again, _ := GenerateCertificate(seeded(1), start)
	if !bytes.Equal(a.DER, again.DER) {
		t.Error("the same seed and time make another certificate")
	}
	other, _ := GenerateCertificate(seeded(2), start)
	if other.Key.(*ecdsa.PrivateKey).Equal(a.Key) {
		t.Error("another seed makes the same key")
	}
	for n := range 48 {
		if _, err := GenerateCertificate(io.LimitReader(seeded(1), int64(n)), start); err == nil {
			t.Errorf("a certificate was made from %d random bytes", n)
		}
	}
	if _, err := GenerateCertificate(zeros{}, start); err == nil || !strings.Contains(err.Error(), "is it random?") {
		t.Errorf("zeros make a key (%v)", err)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestFingerprint(t *testing.T) {
	f := certs[0].Fingerprint()
	if !f.Matches(certs[0].DER) || f.Matches(certs[1].DER) {
		t.Error("a fingerprint matches its certificate and no other")
	}
	back, err := ParseFingerprint(f.String())
	if err != nil || back.String() != f.String() || !back.Matches(certs[0].DER) {
		t.Errorf("%v reads as %v (%v)", f, back, err)
	}
	lower, err := ParseFingerprint(strings.ToLower(f.String()))
	if err != nil || !lower.Matches(certs[0].DER) {
		t.Errorf("in lower case it reads as %v (%v)", lower, err)
	}
	for _, bad := range []string{
		"", "sha-256", "sha-256 ", "sha-256 AB", "md5 00:11", "sha-1 " + strings.Repeat("00:", 19) + "00",
		strings.ReplaceAll(f.String(), ":", ""), strings.ReplaceAll(f.String(), "sha-256", "sha-512"),
		f.String() + ":00", strings.Replace(f.String(), ":", ":G", 1),
	} {
		if f, err := ParseFingerprint(bad); err == nil || !strings.HasPrefix(err.Error(), "dtls: ") {
			t.Errorf("%q reads as %v (%v)", bad, f, err)
		}
	}
}

// TestSeveralFingerprints: only those of the strongest hash function count, and
// of these any.
func TestSeveralFingerprints(t *testing.T) {
	sum := func(h crypto.Hash, name string, der []byte) Fingerprint {
		d := h.New()
		d.Write(der)
		return Fingerprint{name, d.Sum(nil)}
	}
	good256, good512 := sum(crypto.SHA256, "sha-256", certs[0].DER), sum(crypto.SHA512, "sha-512", certs[0].DER)
	bad256, bad512 := sum(crypto.SHA256, "sha-256", certs[1].DER), sum(crypto.SHA512, "sha-512", certs[1].DER)
	for _, test := range []struct {
		why  string
		fs   []Fingerprint
		want bool
	}{
		{"one that matches", []Fingerprint{good256}, true},
		{"one of two", []Fingerprint{bad256, good256}, true},
		{"the stronger matches", []Fingerprint{bad256, good512}, true},
		{"only the weaker matches", []Fingerprint{good256, bad512}, false},
		{"none", []Fingerprint{bad256}, false},
		{"an unknown function beside one that matches", []Fingerprint{{"sha-3", nil}, good256}, true},
		{"an unknown function alone", []Fingerprint{{"sha-3", nil}}, false},
	} {
		if err := verifyFingerprints(test.fs, certs[0].DER); (err == nil) != test.want {
			t.Errorf("%s: %v", test.why, err)
		}
	}
}

func FuzzCertificate(f *testing.F) {
	f.Add(certs[0].DER)
	f.Fuzz(func(t *testing.T, der []byte) {
		key, err := publicKeyOf(der)
		if (key == nil) == (err == nil) {
			t.Fatal("neither a key nor an error")
		}
		// What the standard library reads we read, and find the same key.
		if cert, err2 := x509.ParseCertificate(der); err2 == nil && cert.PublicKey != nil {
			if eq, ok := cert.PublicKey.(interface{ Equal(crypto.PublicKey) bool }); ok && (err != nil || !eq.Equal(key)) {
				t.Fatalf("got %v (%v), want %v", key, err, cert.PublicKey)
			}
		}
	})
}

func FuzzFingerprint(f *testing.F) {
	f.Add(certs[0].Fingerprint().String())
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseFingerprint(s)
		if err != nil {
			return
		}
		if b, err := ParseFingerprint(a.String()); err != nil || b.String() != a.String() {
			t.Fatal(errors.Join(errors.New("does not read back: "+a.String()), err))
		}
	})
}
