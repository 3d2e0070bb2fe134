package stun

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// A vector is a message published in an RFC, and how to build it again.
type vector struct {
	name   string
	hex    string
	text   string // its String
	key    func() (*Key, error)
	check  func(Message, *Key) error
	finger bool
	build  func(b *Builder, k *Key)
}

// pad overwrites the padding that the Builder just added: RFC 5769 pads some
// of its attributes with spaces, and padding counts for the HMAC.
func pad(b *Builder, n int) { copy(b.b[len(b.b)-n:], "   ") }

const icePassword = "VOkJxbRl1RmTxUk/WvJxBt"

func iceKey() (*Key, error) { return ShortTermKey(icePassword) }

var vectors = []vector{{
	name: "RFC 5769, Section 2.1: Sample Request",
	hex: `00010058 2112a442 b7e7a701bc34d686fa87dfae
		80220010 5354554e207465737420636c69656e74
		00240004 6e0001ff
		80290008 932ff9b151263b36
		00060009 6576746a3a68367659 202020
		00080014 9aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2
		80280004 e57a3bcf`,
	text: `Binding request SOFTWARE="STUN test client" PRIORITY=1845494271 ICE-CONTROLLED=932ff9b151263b36 ` +
		`USERNAME="evtj:h6vY" MESSAGE-INTEGRITY FINGERPRINT`,
	key: iceKey, check: Message.CheckIntegrity, finger: true,
	build: func(b *Builder, k *Key) {
		b.AddString(AttrSoftware, "STUN test client")
		b.AddUint32(AttrPriority, 0x6e0001ff)
		b.AddUint64(AttrICEControlled, 0x932ff9b151263b36)
		b.AddString(AttrUsername, "evtj:h6vY")
		pad(b, 3)
		b.AddIntegrity(k)
		b.AddFingerprint()
	},
}, {
	name: "RFC 5769, Section 2.2: Sample IPv4 Response",
	hex: `0101003c 2112a442 b7e7a701bc34d686fa87dfae
		8022000b 7465737420766563746f72 20
		00200008 0001a147 e112a643
		00080014 2b91f599fd9e90c38c7489f92af9ba53f06be7d7
		80280004 c07d4c96`,
	text: `Binding success response SOFTWARE="test vector" XOR-MAPPED-ADDRESS=192.0.2.1:32853 MESSAGE-INTEGRITY FINGERPRINT`,
	key:  iceKey, check: Message.CheckIntegrity, finger: true,
	build: func(b *Builder, k *Key) {
		b.AddString(AttrSoftware, "test vector")
		pad(b, 1)
		b.AddXORAddress(AttrXORMappedAddress, netip.MustParseAddrPort("192.0.2.1:32853"))
		b.AddIntegrity(k)
		b.AddFingerprint()
	},
}, {
	name: "RFC 5769, Section 2.3: Sample IPv6 Response",
	hex: `01010048 2112a442 b7e7a701bc34d686fa87dfae
		8022000b 7465737420766563746f72 20
		00200014 0002a147 0113a9faa5d3f179bc25f4b5bed2b9d9
		00080014 a382954e4be67bf11784c97c8292c275bfe3ed41
		80280004 c8fb0b4c`,
	text: `Binding success response SOFTWARE="test vector" XOR-MAPPED-ADDRESS=[2001:db8:1234:5678:11:2233:4455:6677]:32853 ` +
		`MESSAGE-INTEGRITY FINGERPRINT`,
	key: iceKey, check: Message.CheckIntegrity, finger: true,
	build: func(b *Builder, k *Key) {
		b.AddString(AttrSoftware, "test vector")
		pad(b, 1)
		b.AddXORAddress(AttrXORMappedAddress, netip.MustParseAddrPort("[2001:db8:1234:5678:11:2233:4455:6677]:32853"))
		b.AddIntegrity(k)
		b.AddFingerprint()
	},
}, {
	name: "RFC 5769, Section 2.4: Sample Request with Long-Term Authentication",
	hex: `00010060 2112a442 78ad3433c6ad72c029da412e
		00060012 e3839ee38388e383aae38383e382afe382b9 0000
		0015001c 662f2f3439396b39353464364f4c33346f4c39465354767936347341
		0014000b 6578616d706c652e6f7267 00
		00080014 f67024656dd64a3e02b8e0712e85c9a28ca89666`,
	text: `Binding request USERNAME="マトリックス" NONCE="f//499k954d6OL34oL9FSTvy64sA" REALM="example.org" MESSAGE-INTEGRITY`,
	// The password as the RFC has it after SASLprep.
	key: func() (*Key, error) {
		return LongTermKey(AlgorithmMD5, "マトリックス", "example.org", "TheMatrIX")
	},
	check: Message.CheckIntegrity,
	build: func(b *Builder, k *Key) {
		b.AddString(AttrUsername, "マトリックス")
		b.AddString(AttrNonce, "f//499k954d6OL34oL9FSTvy64sA")
		b.AddString(AttrRealm, "example.org")
		b.AddIntegrity(k)
	},
}, {
	// As corrected by erratum 6268; see TestVectorBeforeErratum.
	name: "RFC 8489, Appendix B.1: Sample Request with Long-Term Authentication with MESSAGE-INTEGRITY-SHA256 and USERHASH",
	hex: `00010090 2112a442 78ad3433c6ad72c029da412e
		001e0020 4a3cf38fef6992bda952c6780417da0f24819415569e60b205c46e41407f1704
		00150029 6f624d61744a6f733241414143662f2f3439396b39353464364f4c33346f4c39465354767936347341 000000
		0014000b 6578616d706c652e6f7267 00
		001d0004 00020000
		001c0020 b5c7bf005b6c52a21c51c5e892f81924136296cb927c43149309278cc6518e65`,
	text: `Binding request USERHASH=4a3cf38fef6992bda952c6780417da0f NONCE="obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA" ` +
		`REALM="example.org" PASSWORD-ALGORITHM=SHA-256 MESSAGE-INTEGRITY-SHA256`,
	key: func() (*Key, error) {
		return LongTermKey(AlgorithmSHA256, "マトリックス", "example.org", "TheMatrIX")
	},
	check: func(m Message, k *Key) error { return m.CheckIntegritySHA256(k, FullSHA256) },
	build: func(b *Builder, k *Key) {
		hash, _ := Userhash("マトリックス", "example.org")
		b.Add(AttrUserhash, hash[:])
		b.AddString(AttrNonce, "obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA")
		b.AddString(AttrRealm, "example.org")
		b.AddPasswordAlgorithm(AlgorithmSHA256)
		b.AddIntegritySHA256(k, 32)
	},
}}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Each published message is read, found authentic, and built again to the same bytes.
func TestVectors(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			b := unhex(t, v.hex)
			m, err := Parse(b)
			if err != nil {
				t.Fatal(err)
			}
			if m.String() != v.text {
				t.Errorf("it reads as\n%v\nbut it is\n%v", m, v.text)
			}
			key, err := v.key()
			if err != nil {
				t.Fatal(err)
			}
			if err := v.check(m, key); err != nil {
				t.Errorf("its own password: %v", err)
			}
			if err := v.check(m, NewKey([]byte("another password"))); err != ErrIntegrity {
				t.Errorf("another password: %v", err)
			}
			if err := m.CheckFingerprint(); v.finger && err != nil || !v.finger && err != ErrNoFingerprint {
				t.Error(err)
			}
			builder := NewBuilder([]byte("in front"), m.Type(), m.TransactionID())
			v.build(&builder, key)
			if got := builder.Bytes(); !bytes.Equal(got, append([]byte("in front"), b...)) {
				t.Errorf("built again it is\n%x\nbut it is\n%x", got[8:], b)
			}
		})
	}
}

// No bit of a published message can change unnoticed: none at all where there
// is a fingerprint, none before the integrity attribute elsewhere.
func TestVectorsBitFlips(t *testing.T) {
	for _, v := range vectors {
		b := unhex(t, v.hex)
		key, _ := v.key()
		for i := range len(b) * 8 {
			flipped := slices.Clone(b)
			flipped[i/8] ^= 1 << (i % 8)
			m, err := Parse(flipped)
			if err != nil {
				continue
			}
			if v.check(m, key) == nil && (!v.finger || m.CheckFingerprint() == nil) {
				t.Errorf("%s: bit %d may change unnoticed", v.name, i)
			}
		}
	}
}

func TestVectorsPrefixes(t *testing.T) {
	for _, v := range vectors {
		b := unhex(t, v.hex)
		for n := range b {
			if _, err := Parse(b[:n]); err == nil {
				t.Errorf("%s: its first %d of %d bytes parse", v.name, n, len(b))
			}
		}
	}
}

// The bytes that RFC 8489, Appendix B.1 itself shows are no STUN message: their
// length counts the header. Erratum 6268 corrects it, and adds the
// PASSWORD-ALGORITHM without which a server would not know of SHA-256.
func TestVectorBeforeErratum(t *testing.T) {
	b := unhex(t, `0001009c 2112a442 78ad3433c6ad72c029da412e
		001e0020 4a3cf38fef6992bda952c6780417da0f24819415569e60b205c46e41407f1704
		00150029 6f624d61744a6f733241414143662f2f3439396b39353464364f4c33346f4c39465354767936347341 000000
		0014000b 6578616d706c652e6f7267 00
		001c0020 e4686c8f0edeb59013e07090010a93efccbccc544c0a45d9f830aa6d6f735a01`)
	if _, err := Parse(b); err != ErrLength {
		t.Errorf("got %v, want %v", err, ErrLength)
	}
}
