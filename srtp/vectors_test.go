package srtp

import (
	"bytes"
	"crypto/aes"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
)

// unhex reads hexadecimal digits with spaces between them.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func wantBytes(t testing.TB, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s is\n%x, want\n%x", what, got, want)
	}
}

// RFC 3711, Appendix B.2: the keystream of AES-CM. The last blocks are 65,000
// counters further on.
func TestKeystreamVectors(t *testing.T) {
	block, err := aes.NewCipher(unhex(t, "2B7E151628AED2A6ABF7158809CF4F3C"))
	if err != nil {
		t.Fatal(err)
	}
	iv := unhex(t, "F0F1F2F3F4F5F6F7F8F9FAFBFCFD0000")
	stream := make([]byte, 16*0xff02)
	new(counterMode).xor(block, binary.BigEndian.Uint64(iv), binary.BigEndian.Uint64(iv[8:]), stream)
	for _, v := range []struct {
		counter int
		want    string
	}{
		{0x0000, "E03EAD0935C95E80E166B16DD92B4EB4"},
		{0x0001, "D23513162B02D0F72A43A2FE4A5F97AB"},
		{0x0002, "41E95B3BB0A2E8DD477901E4FCA894C0"},
		{0xfeff, "EC8CDF7398607CB0F2D21675EA9EA1E4"},
		{0xff00, "362B7C3C6773516318A077D7FC5073AE"},
		{0xff01, "6A2CC3787889374FBEB4C81B17BA6C44"},
	} {
		wantBytes(t, "the keystream", stream[16*v.counter:][:16], unhex(t, v.want))
	}
}

// The master key that RFC 3711, Appendix B.3 and RFC 9335, Appendix A.1 use.
func masterKeyB3(t testing.TB) MasterKey {
	return MasterKey{
		Key:  unhex(t, "E1F97A0D3E018BE0D64FA32C06DE4139"),
		Salt: unhex(t, "0EC675AD498AFEEBB6960B3AABE6"),
	}
}

// RFC 3711, Appendix B.3: key derivation, of 94 bytes of authentication key
// though HMAC-SHA1 takes 20.
func TestKeyDerivationVectors(t *testing.T) {
	for _, v := range []struct {
		label label
		want  string
	}{
		{labelRTPEncryption, "C61E7A93744F39EE10734AFE3FF7A087"},
		{labelRTPSalt, "30CBBC08863D8C85D49DB34A9AE1"},
		{labelRTPAuth, `CEBE321F6FF7716B6FD4AB49AF256A15 6D38BAA48F0A0ACF3C34E2359E6CDBCE
			E049646C43D9327AD175578EF7227098 6371C10C9A369AC2F94A8C5FBCDDDC25
			6D6E919A48B610EF17C2041E47403576 6B68642C59BBFC2F34DB60DBDFB2`},
	} {
		want := unhex(t, v.want)
		wantBytes(t, "a session key", derive(masterKeyB3(t), v.label, len(want)), want)
	}
}

// RFC 6188, Section 7: key derivation with 256 bits, which AEAD_AES_256_GCM has too
// (RFC 7714, Section 11).
func TestKeyDerivation256Vectors(t *testing.T) {
	k := MasterKey{
		Key:  unhex(t, "f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6"),
		Salt: unhex(t, "3b04803de51ee7c96423ab5b78d2"),
	}
	for l, want := range map[label]string{
		labelRTPEncryption: "5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4",
		labelRTPSalt:       "fa31791685ca444a9e07c6c64e93",
		labelRTPAuth:       "fd9c32d39ed5fbb5a9dc96b30818454d1313dc05",
	} {
		want := unhex(t, want)
		wantBytes(t, "a session key", derive(k, l, len(want)), want)
	}
}

// RFC 9335, Appendix A.2 says what session keys a GCM master key has, which RFC
// 7714 does not.
func TestKeyDerivationGCM(t *testing.T) {
	k := masterKeyGCM(t)
	wantBytes(t, "the session key", derive(k, labelRTPEncryption, 16), unhex(t, "077c6143cb221bc355ff23d5f984a16e"))
	wantBytes(t, "the session salt", derive(k, labelRTPSalt, 12), unhex(t, "9af3e95364ebac9c99c5a7c4"))
}

func masterKeyGCM(t testing.TB) MasterKey {
	return MasterKey{
		Key:  unhex(t, "000102030405060708090a0b0c0d0e0f"),
		Salt: unhex(t, "a0a1a2a3a4a5a6a7a8a9aaab"),
	}
}

// gcmVector are the session keys of RFC 7714, Sections 16 and 17, which start
// behind key derivation. The salt is "Quid pro quo".
func gcmVector(t testing.TB, p Profile) (*Outbound, *Inbound) {
	params := p.params()
	master := MasterKey{make([]byte, params.key), make([]byte, params.salt)}
	out, err := NewOutbound(Config{Profile: p}, master)
	if err != nil {
		t.Fatal(err)
	}
	in, err := NewInbound(Config{Profile: p}, master)
	if err != nil {
		t.Fatal(err)
	}
	key := unhex(t, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")[:params.key]
	session := func() gcmKeys { return gcmSessionKeys(key, unhex(t, "51756964 2070726f 2071756f")) }
	out.transform = &aesGCM{rtp: session(), rtcp: session()}
	in.transform = &aesGCM{rtp: session(), rtcp: session()}
	return out, in
}

const (
	gcmHeader  = "8040f17b 8041f8d3 5501a0b2"
	gcmPayload = "47616c6c 69612065 7374206f 6d6e6973 20646976 69736120 696e2070 61727465 73207472 6573"
)

// RFC 7714, Sections 16.1.1, 16.1.2, 16.2.1 and 16.2.2: encryption and decryption.
func TestGCMPackets(t *testing.T) {
	for _, v := range []struct {
		profile Profile
		sealed  string
	}{
		{AEAD_AES_128_GCM, `f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a 51c7d19b 36de3adf 8833
			899d7f27 beb16a91 52cf765e e4390cce`},
		{AEAD_AES_256_GCM, `32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3 b50b2a02 76ffae0f 1ba63799 b87b
			7aa3db36 dfffd6b0 f9bb7878 d7a76c13`},
	} {
		t.Run(v.profile.String(), func(t *testing.T) {
			out, in := gcmVector(t, v.profile)
			plain, sealed := unhex(t, gcmHeader+gcmPayload), unhex(t, gcmHeader+v.sealed)
			got, err := out.SealRTP(bytes.Clone(plain), 0)
			if err != nil {
				t.Fatal(err)
			}
			wantBytes(t, "the sealed packet", got, sealed)
			if got, err = in.OpenRTP(sealed); err != nil {
				t.Fatal(err)
			}
			wantBytes(t, "the opened packet", got, plain)
		})
	}
}

// RFC 7714, Sections 16.1.3, 16.1.4, 16.2.3 and 16.2.4 authenticate a packet and
// encrypt nothing, which SRTP has no way to say: the vectors are of the nonce and
// the AEAD.
func TestGCMTags(t *testing.T) {
	for _, v := range []struct {
		profile Profile
		tag     string
	}{
		{AEAD_AES_128_GCM, "22493f82 d2bce397 e9d79e3b 19aa4216"},
		{AEAD_AES_256_GCM, "a866d591 0f887463 067ceefe c45215d4"},
	} {
		out, _ := gcmVector(t, v.profile)
		tr := out.transform.(*aesGCM)
		tr.setNonce(&tr.rtp, 0x5501a0b2, 0xf17b)
		wantBytes(t, "the IV", tr.nonce[:], unhex(t, "51753c65 80c2726f 20718414"))
		wantBytes(t, "the tag", tr.rtp.aead.Seal(nil, tr.nonce[:], nil, unhex(t, gcmHeader+gcmPayload)), unhex(t, v.tag))
	}
}

const (
	gcmRTCPHeader = "81c8000d 4d617273"
	gcmRTCPBody   = "4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef deadbeef deadbeef deadbeef deadbeef"
	gcmRTCPIndex  = 0x5d4
)

// RFC 7714, Sections 17.1 to 17.4: SRTCP, encrypted and only authenticated.
func TestGCMRTCPPackets(t *testing.T) {
	for _, v := range []struct {
		section string
		profile Profile
		sealed  string
		e       bool
	}{
		{"17.1", AEAD_AES_128_GCM, `63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1 730d6fda 4ce09b46 86303ded 0bb9275b
			c84aa458 96cf4d2f c5abf872 45d9eade 800005d4`, true},
		{"17.2", AEAD_AES_256_GCM, `d50ae4d1 f5ce5d30 4ba297e4 7d470c28 2c3ece5d bffe0a50 a2eaa5c1 110555be 8415f658 c61de047 6f1b6fad
			1d1eb30c 4446839f 57ff6f6c b26ac3be 800005d4`, true},
		{"17.3", AEAD_AES_128_GCM, gcmRTCPBody + "841dd968 3dd78ec9 2ae58790 125f62b3 000005d4", false},
		{"17.4", AEAD_AES_256_GCM, gcmRTCPBody + "91db4afb feee5a97 8fab4393 ed2615fe 000005d4", false},
	} {
		t.Run(v.section, func(t *testing.T) {
			out, in := gcmVector(t, v.profile)
			plain, sealed := unhex(t, gcmRTCPHeader+gcmRTCPBody), unhex(t, gcmRTCPHeader+v.sealed)
			if v.e {
				out.rtcpIndex = gcmRTCPIndex
				got, err := out.SealRTCP(bytes.Clone(plain), 0)
				if err != nil {
					t.Fatal(err)
				}
				wantBytes(t, "the sealed packet", got, sealed)
			}
			got, err := in.OpenRTCP(sealed)
			if err != nil {
				t.Fatal(err)
			}
			wantBytes(t, "the opened packet", got, plain)
		})
	}
}

// RFC 9335, Appendix A: Cryptex. Every packet has a payload of 16 bytes ab.
func TestCryptexVectors(t *testing.T) {
	const payload = "abababab abababab abababab abababab"
	packets := []struct{ name, plain, cm, gcm string }{
		{"1-byte header extension",
			"900f1235 decafbad cafebabe bede0001 51000200",
			"900f1235 decafbad cafebabe c0de0001 eb923652 51c3e036 f8de27e9 c27ee3e0 b4651d9f bc4218a7 0244522f 34a5",
			"900f1235 decafbad cafebabe c0de0001 39972dc9 572c4d99 e8fc355d e743fb2e 94f9d8ff 54e72f41 93bbc5c7 4ffab0fa 9fa0fbeb"},
		{"2-byte header extension",
			"900f1236 decafbad cafebabe 10000001 05020002",
			"900f1236 decafbad cafebabe c2de0001 4ed9cc4e 6a712b30 96c5ca77 339d4204 ce0d7739 6cab6958 5fbce381 94a5",
			"900f1236 decafbad cafebabe c2de0001 bb75a4c5 45cd1f41 3bdb7daa 2b1e3263 de313667 c9632490 81b35a65 f5cb6c88 b394235f"},
		{"1-byte header extension and CSRC fields",
			"920f1238 decafbad cafebabe 0001e240 0000b26e bede0001 51000200",
			"920f1238 decafbad cafebabe 8bb6e12b 5cff16dd c0de0001 92838c8c 09e58393 e1de3a9a 74734d67 45671338 c3acf11d a2df8423 bee0",
			"920f1238 decafbad cafebabe 63bbccc4 a7f695c4 c0de0001 8ad7c71f ac70a80c 92866b4c 6ba98546 ef913586 e95ffaaf fe956885 bb0647a8 bc094ac8"},
		{"2-byte header extension and CSRC fields",
			"920f1239 decafbad cafebabe 0001e240 0000b26e 10000001 05020002",
			"920f1239 decafbad cafebabe f70e513e b90b9b25 c2de0001 bbed4848 faa64466 5f3d7f34 125914e9 f4d0ae92 3c6f479b 95a0f7b5 3133",
			"920f1239 decafbad cafebabe 3680524f 8d312b00 c2de0001 c78d1200 38422bc1 11a7187a 18246f98 0c059cc6 bc9df8b6 26394eca 344e4b05 d80fea83"},
		{"empty 1-byte header extension and CSRC fields",
			"920f123a decafbad cafebabe 0001e240 0000b26e bede0000",
			"920f123a decafbad cafebabe 7130b6ab fe2ab0e3 c0de0000 e3d9f64b 25c9e74c b4cf8e43 fb92e378 1c2c0cea b6b3a499 a14c",
			"920f123a decafbad cafebabe 15b6bb43 37906fff c0de0000 b7b96453 7a2b03ab 7ba5389c e9331712 6b5d974d f30c6884 dcb651c5 e120c1da"},
		{"empty 2-byte header extension and CSRC fields",
			"920f123b decafbad cafebabe 0001e240 0000b26e 10000000",
			"920f123b decafbad cafebabe cbf24c12 4330e1c8 c2de0000 599dd45b c9d687b6 03e8b59d 771fd38e 88b170e0 cd31e125 eabe",
			"920f123b decafbad cafebabe dcb38c9e 48bf95f4 c2de0000 61ee432c f9203170 76613258 d3ce4236 c06ac429 681ad084 13512dc9 8b5207d8"},
	}
	for _, suite := range []struct {
		profile Profile
		key     MasterKey
	}{
		{AES128_CM_HMAC_SHA1_80, masterKeyB3(t)},
		{AEAD_AES_128_GCM, masterKeyGCM(t)},
	} {
		t.Run(suite.profile.String(), func(t *testing.T) {
			config := Config{Profile: suite.profile, Cryptex: true}
			out, err := NewOutbound(config, suite.key)
			if err != nil {
				t.Fatal(err)
			}
			in, err := NewInbound(config, suite.key)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range packets {
				t.Run(p.name, func(t *testing.T) {
					plain, sealed := unhex(t, p.plain+payload), unhex(t, p.cm)
					if suite.profile == AEAD_AES_128_GCM {
						sealed = unhex(t, p.gcm)
					}
					got, err := out.SealRTP(bytes.Clone(plain), 0)
					if err != nil {
						t.Fatal(err)
					}
					wantBytes(t, "the sealed packet", got, sealed)
					if got, err = in.OpenRTP(sealed); err != nil {
						t.Fatal(err)
					}
					wantBytes(t, "the opened packet", got, plain)
				})
			}
		})
	}
}

// RFC 5764, Section 4.2: client's key, server's key, client's salt, server's salt.
func TestSplitKeyingMaterial(t *testing.T) {
	for _, p := range []Profile{AES128_CM_HMAC_SHA1_80, AES128_CM_HMAC_SHA1_32, AEAD_AES_128_GCM, AEAD_AES_256_GCM} {
		params := p.params()
		ck, sk := bytes.Repeat([]byte("k"), params.key), bytes.Repeat([]byte("K"), params.key)
		cs, ss := bytes.Repeat([]byte("s"), params.salt), bytes.Repeat([]byte("S"), params.salt)
		exported := slices.Concat(ck, sk, cs, ss)
		if len(exported) != p.KeyingMaterialLen() {
			t.Errorf("%v needs %d bytes, not %d", p, len(exported), p.KeyingMaterialLen())
		}
		for role, want := range map[Role][2]MasterKey{
			Client: {{ck, cs}, {sk, ss}},
			Server: {{sk, ss}, {ck, cs}},
		} {
			write, read, err := SplitKeyingMaterial(p, exported, role)
			if err != nil {
				t.Fatal(err)
			}
			wantBytes(t, "the write key", write.Key, want[0].Key)
			wantBytes(t, "the write salt", write.Salt, want[0].Salt)
			wantBytes(t, "the read key", read.Key, want[1].Key)
			wantBytes(t, "the read salt", read.Salt, want[1].Salt)
		}
		if _, _, err := SplitKeyingMaterial(p, exported[1:], Client); err == nil {
			t.Errorf("%v takes a byte too few", p)
		}
	}
}
