package dtls

import (
	"bytes"
	"crypto"
	"encoding/hex"
	"testing"
)

// TestScheduleOfRFC8448 goes through the "Simple 1-RTT Handshake" of RFC 8448,
// Section 3. It is of TLS, whose labels begin otherwise; all else is the same.
func TestScheduleOfRFC8448(t *testing.T) {
	hash := func(s string) []byte { b, _ := hex.DecodeString(s); return b }
	is := func(what string, got []byte, want string) {
		t.Helper()
		if hex.EncodeToString(got) != want {
			t.Errorf("%s is\n%x, want\n%s", what, got, want)
		}
	}
	s := newSchedule("tls13 ", crypto.SHA256)
	is("the early secret", s.secret, "33ad0a1c607ec03b09e6cd9893680ce210adf300aa1f2660e1b22e10f170f92a")
	s.advance(hash("8bd4054fb55b9d63fdfbacf9f04b9f0d35e6d63f537563efd46272900f89492d"))
	is("the handshake secret", s.secret, "1dc826e93606aa6fdc0aadc12f741b01046aa6b99f691ed221a9f0ca043fbeac")
	toServerHello := hash("860c06edc07858ee8e78f0e7428c58edd6b43f2ca3e6e95f02ed063cf0e1cad8")
	is("the client's handshake traffic secret", s.derive("c hs traffic", toServerHello), "b3eddb126e067f35a780b3abf45e2d8f3b1a950738f52e9600746a0e27a55a21")
	server := s.derive("s hs traffic", toServerHello)
	is("the server's handshake traffic secret", server, "b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38")
	is("its key", s.expandLabel(server, "key", nil, 16), "3fce516009c21727d0f2e4e86ee403bc")
	is("its IV", s.expandLabel(server, "iv", nil, 12), "5d313eb2671276ee13000b30")
	is("its finished key", s.expandLabel(server, "finished", nil, 32), "008d3b66f816ea559f96b537e885c31fc068bf492c652f01f288a1d8cdc19fc8")
	s.advance(nil)
	is("the master secret", s.secret, "18df06843d13a08bf2a449844c5f8a478001bc4d4c627984d5a41da8d0402919")
	toFinished := hash("9608102a0f1ccc6db6250b7b7e417b1a000eaada3daae4777a7686c9ff83df13")
	is("the client's traffic secret", s.derive("c ap traffic", toFinished), "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5")
	is("the server's traffic secret", s.derive("s ap traffic", toFinished), "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643")
	is("the exporter master secret", s.derive("exp master", toFinished), "fe22f881176eda18eb8f44529e6792c50c9a3f89452f68d8ae311b4309d3cf50")

	// DTLS has other labels, and so other secrets.
	d := newSchedule(prefix13, crypto.SHA256)
	is("the early secret of DTLS", d.secret, "33ad0a1c607ec03b09e6cd9893680ce210adf300aa1f2660e1b22e10f170f92a")
	if d.advance(nil); bytes.Equal(d.secret, s.secret) {
		t.Error("DTLS derives what TLS does")
	}
}
