package stun

import (
	"net/netip"
	"testing"
)

// appendCheck builds a connectivity check as ICE sends it.
func appendCheck(b []byte, key *Key) []byte {
	m := NewBuilder(b, BindingRequest, testID)
	m.AddString(AttrUsername, "evtj:h6vY")
	m.AddUint64(AttrICEControlling, 0x932ff9b151263b36)
	m.Add(AttrUseCandidate, nil)
	m.AddUint32(AttrPriority, 0x6e0001ff)
	m.AddIntegrity(key)
	m.AddFingerprint()
	return m.Bytes()
}

// readCheck reads it as ICE does.
func readCheck(b []byte, key *Key) error {
	m, err := Parse(b)
	if err != nil {
		return err
	}
	if err := m.CheckFingerprint(); err != nil {
		return err
	}
	if err := m.CheckIntegrity(key); err != nil {
		return err
	}
	known := func(t AttributeType) bool { return t == AttrPriority || t == AttrUseCandidate }
	if m.UnknownRequired(known) != nil || m.Username() == nil || !m.Has(AttrUseCandidate) {
		return ErrAttribute
	}
	if _, ok := m.Uint32(AttrPriority); !ok {
		return ErrAttribute
	}
	return nil
}

func TestNothingAllocates(t *testing.T) {
	key := NewKey([]byte(icePassword))
	buffer := make([]byte, 0, 1500)
	check := appendCheck(nil, key)
	server := NewServer(ServerConfig{Key: func([]byte) *Key { return key }})
	garbage := []byte("this is not a STUN message at all, but long enough")
	for name, f := range map[string]func(){
		"building and signing a check":  func() { appendCheck(buffer, key) },
		"reading and verifying a check": func() { must(t, readCheck(check, key)) },
		"refusing garbage":              func() { Parse(garbage) },
		"answering a check": func() {
			server.Receive(start, clientAddr, check)
			if b, to := server.AppendPacket(start, buffer); len(b) == 0 || to != clientAddr {
				t.Fatal("no answer")
			}
		},
		"SHA-256": func() {
			b := NewBuilder(buffer, BindingRequest, testID)
			b.AddIntegritySHA256(key, FullSHA256)
			m, _ := Parse(b.Bytes())
			must(t, m.CheckIntegritySHA256(key, FullSHA256))
		},
		"addresses": func() {
			b := NewBuilder(buffer, BindingSuccessResponse, testID)
			b.AddXORAddress(AttrXORMappedAddress, netip.AddrPortFrom(netip.IPv6LinkLocalAllNodes(), 1))
			m, _ := Parse(b.Bytes())
			if _, ok := m.XORMappedAddress(); !ok {
				t.Fatal("no address")
			}
		},
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

func must(t testing.TB, err error) {
	if err != nil {
		t.Helper()
		t.Fatal(err)
	}
}

func BenchmarkParse(b *testing.B) {
	check := appendCheck(nil, NewKey([]byte(icePassword)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(check); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadCheck(b *testing.B) {
	key := NewKey([]byte(icePassword))
	check := appendCheck(nil, key)
	b.ReportAllocs()
	for b.Loop() {
		must(b, readCheck(check, key))
	}
}

func BenchmarkBuildCheck(b *testing.B) {
	key := NewKey([]byte(icePassword))
	buffer := make([]byte, 0, 1500)
	b.ReportAllocs()
	for b.Loop() {
		appendCheck(buffer, key)
	}
}
