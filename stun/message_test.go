package stun

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

var testID = TransactionID([]byte("transaction!"))

func seeded(seed byte) *rand.ChaCha8 { return rand.NewChaCha8([32]byte{seed}) }

func mustParse(t testing.TB, b []byte) Message {
	t.Helper()
	m, err := Parse(b)
	if err != nil {
		t.Fatalf("%v: %x", err, b)
	}
	return m
}

// message builds a message from what fill adds.
func message(t testing.TB, typ Type, fill func(*Builder)) Message {
	t.Helper()
	b := NewBuilder(nil, typ, testID)
	if fill != nil {
		fill(&b)
	}
	return mustParse(t, b.Bytes())
}

func TestTypeInterleavesMethodAndClass(t *testing.T) {
	for _, test := range []struct {
		method Method
		class  Class
		wire   Type
		text   string
	}{
		{Binding, Request, 0x0001, "Binding request"},
		{Binding, Indication, 0x0011, "Binding indication"},
		{Binding, SuccessResponse, 0x0101, "Binding success response"},
		{Binding, ErrorResponse, 0x0111, "Binding error response"},
		{Allocate, Request, 0x0003, "Allocate request"},
		{Data, Indication, 0x0017, "Data indication"},
		{ChannelBind, SuccessResponse, 0x0109, "ChannelBind success response"},
		{0xfff, ErrorResponse, 0x3fff, "method 0xfff error response"},
		{0xfff, Request, 0x3eef, "method 0xfff request"},
		{0x010, Request, 0x0020, "method 0x010 request"},
		{0x080, Request, 0x0200, "method 0x080 request"},
	} {
		if got := NewType(test.method, test.class); got != test.wire {
			t.Errorf("%v %v: type %#04x, want %#04x", test.method, test.class, uint16(got), uint16(test.wire))
		}
		if test.wire.Method() != test.method || test.wire.Class() != test.class {
			t.Errorf("%#04x: %v %v, want %v %v", uint16(test.wire), test.wire.Method(), test.wire.Class(), test.method, test.class)
		}
		if test.wire.String() != test.text {
			t.Errorf("%#04x: %q, want %q", uint16(test.wire), test.wire, test.text)
		}
	}
	for typ := range Type(1 << 14) { // no two types share a method and a class
		if back := NewType(typ.Method(), typ.Class()); back != typ {
			t.Fatalf("%#04x comes back as %#04x", uint16(typ), uint16(back))
		}
	}
}

func TestParseRefuses(t *testing.T) {
	good := NewBuilder(nil, BindingRequest, testID)
	good.AddString(AttrUsername, "ab:c")
	for _, test := range []struct {
		name   string
		change func(b []byte) []byte
		want   Reason
	}{
		{"nothing", func(b []byte) []byte { return nil }, ErrShort},
		{"half a header", func(b []byte) []byte { return b[:19] }, ErrShort},
		{"a DTLS record", func(b []byte) []byte { b[0] = 22; b[4] = 0; return b }, ErrNotSTUN},
		{"an RTP packet", func(b []byte) []byte { b[0] = 0x80; return b }, ErrNotSTUN},
		{"the wrong cookie", func(b []byte) []byte { b[7]++; return b }, ErrNotSTUN},
		{"a length beyond the end", func(b []byte) []byte { b[3] += 4; return b }, ErrLength},
		{"bytes behind the end", func(b []byte) []byte { return append(b, 0, 0, 0, 0) }, ErrLength},
		{"a length that is no multiple of four", func(b []byte) []byte { b[3]++; return append(b, 0) }, ErrLength},
		{"a value beyond the end", func(b []byte) []byte { b[23]++; return b }, ErrAttribute},
		{"a value far beyond the end", func(b []byte) []byte { b[22] = 0xff; b[23] = 0xff; return b }, ErrAttribute},
		{"something behind FINGERPRINT", func(b []byte) []byte {
			f := Builder{b: b}
			f.AddFingerprint()
			f.Add(AttrSoftware, nil)
			return f.Bytes()
		}, ErrFingerprintOrder},
	} {
		b := test.change(slices.Clone(good.Bytes()))
		if _, err := Parse(b); err != test.want {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
}

func TestFirstOccurrenceCounts(t *testing.T) {
	m := message(t, BindingRequest, func(b *Builder) {
		b.AddString(AttrUsername, "first")
		b.AddString(AttrUsername, "second")
	})
	if got := string(m.Username()); got != "first" {
		t.Errorf("USERNAME is %q, want the first occurrence", got)
	}
}

// What an attacker adds behind the integrity attribute must not be seen:
// neither read, nor listed, nor reason enough to refuse the message.
func TestAttributesBehindIntegrityAreIgnored(t *testing.T) {
	key := NewKey([]byte("password"))
	addSHA1 := func(b *Builder) { b.AddIntegrity(key) }
	addSHA256 := func(b *Builder) { b.AddIntegritySHA256(key, FullSHA256) }
	for _, test := range []struct {
		name         string
		add          []func(*Builder)
		sha1, sha256 error
		seen         []AttributeType
	}{
		{"SHA-1", []func(*Builder){addSHA1},
			nil, ErrNoIntegrity, []AttributeType{AttrSoftware, AttrMessageIntegrity, AttrFingerprint}},
		{"SHA-256", []func(*Builder){addSHA256},
			ErrNoIntegrity, nil, []AttributeType{AttrSoftware, AttrMessageIntegritySHA256, AttrFingerprint}},
		{"both", []func(*Builder){addSHA1, addSHA256},
			nil, nil, []AttributeType{AttrSoftware, AttrMessageIntegrity, AttrMessageIntegritySHA256, AttrFingerprint}},
		// Section 9 lets nothing but FINGERPRINT follow SHA-256.
		{"both in the wrong order", []func(*Builder){addSHA256, addSHA1},
			ErrNoIntegrity, nil, []AttributeType{AttrSoftware, AttrMessageIntegritySHA256, AttrFingerprint}},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := message(t, BindingRequest, func(b *Builder) {
				b.AddString(AttrSoftware, "protected")
				for _, add := range test.add {
					add(b)
					b.AddString(AttrUsername, "added on the way")
					b.Add(AttributeType(0x7777), nil)
					b.Add(AttrUseCandidate, nil)
				}
				b.AddFingerprint()
			})
			var seen []AttributeType
			for typ := range m.Attributes() {
				seen = append(seen, typ)
			}
			if !slices.Equal(seen, test.seen) {
				t.Errorf("attributes %v, want %v", seen, test.seen)
			}
			if m.Username() != nil || m.Has(AttrUseCandidate) {
				t.Error("an attribute that nobody protects is read")
			}
			if unknown := m.UnknownRequired(nil); unknown != nil {
				t.Errorf("unknown attributes %v: they are to be ignored", unknown)
			}
			if err := m.CheckIntegrity(key); err != test.sha1 {
				t.Errorf("MESSAGE-INTEGRITY: %v, want %v", err, test.sha1)
			}
			if err := m.CheckIntegritySHA256(key, FullSHA256); err != test.sha256 {
				t.Errorf("MESSAGE-INTEGRITY-SHA256: %v, want %v", err, test.sha256)
			}
			if err := m.CheckFingerprint(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAttributesStopsWhenTold(t *testing.T) {
	m := message(t, BindingRequest, func(b *Builder) {
		b.Add(AttrUseCandidate, nil)
		b.AddIntegrity(NewKey(nil))
		b.AddFingerprint()
	})
	for stop := range 3 {
		n := 0
		for range m.Attributes() {
			if n == stop {
				break
			}
			n++
		}
		if n != stop {
			t.Errorf("stopped after %d attributes, want %d", n, stop)
		}
	}
}

func TestUnknownRequired(t *testing.T) {
	m := message(t, BindingRequest, func(b *Builder) {
		b.Add(0x7001, nil)
		b.AddUint32(AttrPriority, 1)
		b.Add(0x7001, nil)
		b.AddString(AttrUsername, "known")
		b.Add(0xC001, nil) // comprehension-optional
		b.Add(0x0003, nil) // CHANGE-REQUEST of RFC 3489
	})
	if got, want := m.UnknownRequired(nil), []AttributeType{0x7001, AttrPriority, 0x0003}; !slices.Equal(got, want) {
		t.Errorf("unknown to STUN alone: %v, want %v", got, want)
	}
	ice := func(t AttributeType) bool { return t == AttrPriority }
	if got, want := m.UnknownRequired(ice), []AttributeType{0x7001, 0x0003}; !slices.Equal(got, want) {
		t.Errorf("unknown to ICE: %v, want %v", got, want)
	}
	many := message(t, BindingRequest, func(b *Builder) {
		for i := range AttributeType(100) {
			b.Add(0x7000+i, nil)
		}
	})
	if got := len(many.UnknownRequired(nil)); got != maxUnknown {
		t.Errorf("%d unknown attributes are told of, want %d", got, maxUnknown)
	}
}

func TestValuesOfTheWrongSizeAreNoValues(t *testing.T) {
	value := make([]byte, 32)
	for n := range len(value) {
		m := message(t, BindingErrorResponse, func(b *Builder) {
			for _, typ := range []AttributeType{AttrPriority, AttrICEControlled, AttrXORMappedAddress, AttrErrorCode, AttrPasswordAlgorithm} {
				b.Add(typ, value[:n])
			}
		})
		if _, ok := m.Uint32(AttrPriority); ok != (n == 4) {
			t.Errorf("%d bytes as 32 bits: %v", n, ok)
		}
		if _, ok := m.Uint64(AttrICEControlled); ok != (n == 8) {
			t.Errorf("%d bytes as 64 bits: %v", n, ok)
		}
		if _, ok := m.XORMappedAddress(); ok {
			t.Errorf("%d bytes of an unknown family are an address", n)
		}
		if _, _, ok := m.ErrorCode(); ok {
			t.Errorf("%d bytes of class 0 are an error code", n)
		}
		if _, ok := m.PasswordAlgorithm(); ok != (n == 4) {
			t.Errorf("%d bytes as an algorithm without parameters: %v", n, ok)
		}
		_ = m.String()
	}
}

func TestAddresses(t *testing.T) {
	for _, a := range []string{"192.0.2.1:32853", "0.0.0.0:0", "255.255.255.255:65535", "[2001:db8::1]:1", "[::]:9"} {
		want := netip.MustParseAddrPort(a)
		m := message(t, BindingSuccessResponse, func(b *Builder) {
			b.AddAddress(AttrMappedAddress, want)
			b.AddXORAddress(AttrXORMappedAddress, want)
		})
		if got, ok := m.MappedAddress(); !ok || got != want {
			t.Errorf("MAPPED-ADDRESS is %v, want %v", got, want)
		}
		if got, ok := m.XORMappedAddress(); !ok || got != want {
			t.Errorf("XOR-MAPPED-ADDRESS is %v, want %v", got, want)
		}
		if mapped, _ := m.Get(AttrMappedAddress); want.Addr() != netip.IPv6Unspecified() {
			if masked, _ := m.Get(AttrXORMappedAddress); bytes.Equal(mapped, masked) {
				t.Errorf("XOR-MAPPED-ADDRESS of %v is not masked", want)
			}
		}
	}
	// An IPv4 address that a socket for both families shows as IPv6.
	m := message(t, BindingSuccessResponse, func(b *Builder) {
		b.AddXORAddress(AttrXORMappedAddress, netip.MustParseAddrPort("[::ffff:192.0.2.1]:5"))
	})
	if got, _ := m.XORMappedAddress(); got != netip.MustParseAddrPort("192.0.2.1:5") {
		t.Errorf("the address is %v, want IPv4", got)
	}
}

func TestErrorCodes(t *testing.T) {
	for code := ErrorCode(300); code < 700; code++ {
		m := message(t, BindingErrorResponse, func(b *Builder) { b.AddErrorCode(code, "") })
		if got, reason, ok := m.ErrorCode(); !ok || got != code || string(reason) != code.Reason() {
			t.Errorf("error code %v comes back as %v %q", code, got, reason)
		}
	}
	for _, value := range []string{"\x00\x00\x02\x00", "\x00\x00\x07\x00", "\x00\x00\x04\x64", "\x00\x00\x04"} {
		m := message(t, BindingErrorResponse, func(b *Builder) { b.AddString(AttrErrorCode, value) })
		if code, _, ok := m.ErrorCode(); ok {
			t.Errorf("%x is taken for error code %v", value, code)
		}
	}
	m := message(t, BindingErrorResponse, func(b *Builder) {
		b.AddErrorCode(CodeUnknownAttribute, "")
		b.AddUnknownAttributes([]AttributeType{AttrPriority, 0x7001})
	})
	if got, want := m.UnknownAttributes(), []AttributeType{AttrPriority, 0x7001}; !slices.Equal(got, want) {
		t.Errorf("UNKNOWN-ATTRIBUTES is %v, want %v", got, want)
	}
	if got, want := m.String(), `Binding error response ERROR-CODE=420 "Unknown Attribute" UNKNOWN-ATTRIBUTES=[PRIORITY 0x7001]`; got != want {
		t.Errorf("it reads as\n%s, want\n%s", got, want)
	}
}

// Every attribute's padding is 0 to 3 bytes, and the message stays whole after each.
func TestBuilderIsWholeAfterEachCall(t *testing.T) {
	b := NewBuilder([]byte("in front of it"), BindingIndication, testID)
	for n := range 9 {
		b.AddString(AttrSoftware, strings.Repeat("x", n))
		m := mustParse(t, b.Bytes()[len("in front of it"):])
		if m.Type() != BindingIndication || m.TransactionID() != testID {
			t.Errorf("%v %v", m.Type(), m.TransactionID())
		}
	}
	if want := 14 + 20 + 9*4 + 4*4 + 4*8; len(b.Bytes()) != want {
		t.Errorf("%d bytes, want %d", len(b.Bytes()), want)
	}
}

// A message as long as STUN allows: offsets reach beyond 16 bits.
func TestLongestMessage(t *testing.T) {
	key := NewKey([]byte("password"))
	m := message(t, BindingRequest, func(b *Builder) {
		b.Add(AttrSoftware, make([]byte, 0xfffc-4-24-8))
		b.AddIntegrity(key)
		b.AddFingerprint()
	})
	if n := len(m.Bytes()); n != 20+0xfffc {
		t.Fatalf("the message has %d bytes", n)
	}
	if err := m.CheckIntegrity(key); err != nil {
		t.Error(err)
	}
	if err := m.CheckFingerprint(); err != nil {
		t.Error(err)
	}
}

func TestTransactionIDsComeFromRand(t *testing.T) {
	if NewTransactionID(seeded(1)) != NewTransactionID(seeded(1)) {
		t.Error("the same seed gives two transaction ids")
	}
	r := seeded(1)
	if NewTransactionID(r) == NewTransactionID(r) {
		t.Error("the same transaction id twice")
	}
}

func TestMessageSize(t *testing.T) {
	m := message(t, BindingRequest, func(b *Builder) { b.AddString(AttrUsername, "somebody") })
	if got := MessageSize(m.Bytes()[:4]); got != len(m.Bytes()) {
		t.Errorf("%d, want %d", got, len(m.Bytes()))
	}
	if got := MessageSize(m.Bytes()[:3]); got != 0 {
		t.Errorf("%d of three bytes, want 0", got)
	}
}

func TestIs(t *testing.T) {
	b := message(t, BindingRequest, nil).Bytes()
	for _, first := range []struct {
		byte byte
		is   bool
	}{{0, true}, {3, true}, {19, true}, {0x3f, true}, {0x40, false}, {79, false}, {128, false}, {191, false}, {255, false}} {
		b[0] = first.byte
		if Is(b) != first.is {
			t.Errorf("first byte %d: %v, want %v", first.byte, Is(b), first.is)
		}
	}
	b[0] = 0
	binary.BigEndian.PutUint32(b[4:], magicCookie+1)
	if Is(b) {
		t.Error("any four bytes are taken for the magic cookie")
	}
}

// Whatever the RFCs name, a message prints by that name and with its value.
func TestEveryAttributeHasAName(t *testing.T) {
	names := map[string]bool{}
	count := 0
	for n := range 1 << 16 {
		typ := AttributeType(n)
		name := typ.String()
		if names[name] {
			t.Errorf("two attributes are called %s", name)
		}
		names[name] = true
		if !strings.HasPrefix(name, "0x") {
			count++
			if typ.ComprehensionRequired() != (n < 0x8000) {
				t.Errorf("%s: comprehension", name)
			}
		}
	}
	if count != 45 {
		t.Errorf("%d attributes have names; does a new one lack its own?", count)
	}
}

func TestString(t *testing.T) {
	address := netip.MustParseAddrPort("192.0.2.1:3478")
	m := message(t, NewType(Allocate, ErrorResponse), func(b *Builder) {
		b.AddErrorCode(CodeTryAlternate, "elsewhere")
		b.AddAddress(AttrAlternateServer, address)
		b.AddString(AttrAlternateDomain, "example.org")
		b.AddXORAddress(AttrXORRelayedAddress, address)
		b.AddString(AttrXORPeerAddress, "not an address")
		b.AddUint32(AttrLifetime, 600)
		b.AddString(AttrRealm, "r\n")
		b.AddString(AttrSoftware, "\xff")
		b.Add(AttrData, make([]byte, 1000))
		b.Add(AttrDontFragment, nil)
		b.Add(AttrReservationToken, make([]byte, 20))
	})
	want := `Allocate error response ERROR-CODE=300 "elsewhere" ALTERNATE-SERVER=192.0.2.1:3478 ALTERNATE-DOMAIN="example.org" ` +
		`XOR-RELAYED-ADDRESS=192.0.2.1:3478 XOR-PEER-ADDRESS LIFETIME=600 REALM="r\n" SOFTWARE="\xff" DATA[1000] DONT-FRAGMENT ` +
		`RESERVATION-TOKEN=00000000000000000000000000000000`
	if m.String() != want {
		t.Errorf("it reads as\n%v\nwant\n%s", m, want)
	}
	if string(m.Realm()) != "r\n" || string(m.Software()) != "\xff" {
		t.Errorf("REALM is %q, SOFTWARE %q", m.Realm(), m.Software())
	}
	if got := (Message{}).String(); got != "no message" {
		t.Errorf("the zero Message reads as %q", got)
	}
	if got := testID.String(); got != "7472616e73616374696f6e21" {
		t.Errorf("the transaction id reads as %s", got)
	}
	if got := ErrorCode(499).String(); got != "499" {
		t.Errorf("an error code without a name reads as %s", got)
	}
}

// Mistakes of the caller are found where they are made.
func TestBugsPanic(t *testing.T) {
	build := NewBuilder(nil, BindingRequest, testID)
	for name, f := range map[string]func(){
		"an error code of HTTP":             func() { build.AddErrorCode(200, "") },
		"no address":                        func() { build.AddXORAddress(AttrXORMappedAddress, netip.AddrPort{}) },
		"too short an HMAC":                 func() { build.AddIntegritySHA256(NewKey(nil), 12) },
		"a value that has no 16-bit length": func() { build.Add(AttrData, make([]byte, 1<<16)) },
		"a transaction of a response":       func() { NewTransaction(message(t, BindingSuccessResponse, nil).Bytes(), TransactionConfig{}) },
		"a transaction of nothing":          func() { NewTransaction(nil, TransactionConfig{}) },
		"randomness that ends":              func() { NewTransactionID(bytes.NewReader(nil)) },
	} {
		func() {
			defer func() {
				if text, ok := recover().(string); !ok || !strings.HasPrefix(text, "BUG: ") {
					t.Errorf("%s: %v", name, text)
				}
			}()
			f()
		}()
	}
}

// TURN names several peers in one request.
func TestXORAddresses(t *testing.T) {
	one, two := netip.MustParseAddrPort("192.0.2.1:1"), netip.MustParseAddrPort("[2001:db8::2]:2")
	b := NewBuilder(nil, NewType(CreatePermission, Request), testID)
	b.AddXORAddress(AttrXORPeerAddress, one)
	b.AddXORAddress(AttrXORMappedAddress, two)
	b.Add(AttrXORPeerAddress, []byte("no address"))
	b.AddXORAddress(AttrXORPeerAddress, two)
	got := slices.Collect(mustParse(t, b.Bytes()).XORAddresses(AttrXORPeerAddress))
	if want := []netip.AddrPort{one, {}, two}; !slices.Equal(got, want) {
		t.Errorf("the peers are %v, want %v", got, want)
	}
	want := "CreatePermission request XOR-PEER-ADDRESS=192.0.2.1:1 XOR-MAPPED-ADDRESS=[2001:db8::2]:2 XOR-PEER-ADDRESS XOR-PEER-ADDRESS=[2001:db8::2]:2"
	if got := mustParse(t, b.Bytes()).String(); got != want {
		t.Errorf("it prints as\n%s, want\n%s", got, want)
	}
}
