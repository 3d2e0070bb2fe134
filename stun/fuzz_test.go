package stun

import (
	"bytes"
	"net/netip"
	"testing"
	"time"
)

func addSeeds(f *testing.F) {
	for _, v := range vectors {
		f.Add(unhex(f, v.hex))
	}
	for _, c := range captured {
		f.Add(unhex(f, c.hex))
	}
	f.Add([]byte{})
}

// Whatever Parse accepts can be read in every way, and built again out of what was read.
func FuzzParse(f *testing.F) {
	addSeeds(f)
	key := NewKey([]byte(icePassword))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(b)
		if err != nil {
			return
		}
		if !Is(b) || MessageSize(b) != len(b) {
			t.Fatal("Parse accepts what Is or MessageSize refuse")
		}
		_ = m.String()
		m.Username()
		m.Userhash()
		m.MappedAddress()
		m.XORMappedAddress()
		m.ErrorCode()
		m.UnknownAttributes()
		m.PasswordAlgorithm()
		m.PasswordAlgorithms()
		NonceFeatures(m.Nonce())
		m.UnknownRequired(nil)
		m.CheckIntegrity(key)
		m.CheckIntegritySHA256(key, 16)
		m.CheckFingerprint()

		again := NewBuilder(nil, m.Type()&0x3fff, m.TransactionID())
		for typ, value := range m.Attributes() {
			again.Add(typ, value)
			if got, ok := m.Get(typ); !ok || len(got) > len(b) {
				t.Fatalf("%v is listed and not found", typ)
			}
		}
		back := mustParse(t, again.Bytes())
		var want, got [][]byte
		for _, value := range m.Attributes() {
			want = append(want, value)
		}
		for _, value := range back.Attributes() {
			got = append(got, value)
		}
		if !bytes.Equal(bytes.Join(want, []byte{0}), bytes.Join(got, []byte{0})) {
			t.Fatalf("%v was built again as %v", m, back)
		}
	})
}

// A server fed with anything answers nothing, or one whole Binding response.
func FuzzServer(f *testing.F) {
	addSeeds(f)
	key := NewKey([]byte(icePassword))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, config := range []ServerConfig{{}, {Software: "s", Key: func(username []byte) *Key {
			if len(username) == 0 {
				return nil
			}
			return key
		}}} {
			server := NewServer(config)
			server.Receive(start, clientAddr, b)
			response, to := server.AppendPacket(start, nil)
			if len(response) == 0 {
				if to != (netip.AddrPort{}) {
					t.Fatal("nothing has a destination")
				}
				continue
			}
			m := mustParse(t, response)
			if typ := m.Type(); to != clientAddr || typ != BindingSuccessResponse && typ != BindingErrorResponse {
				t.Fatalf("%v to %v", m, to)
			}
			if len(response) > 200 {
				t.Fatalf("%d bytes are answered with %d", len(b), len(response))
			}
			if again, _ := server.AppendPacket(start, nil); len(again) > 0 {
				t.Fatal("one request has two answers")
			}
		}
	})
}

// A transaction fed with two of anything ends at most once, and always ends.
func FuzzTransaction(f *testing.F) {
	for _, v := range vectors {
		f.Add(unhex(f, v.hex), unhex(f, v.hex))
	}
	f.Fuzz(func(t *testing.T, first, second []byte) {
		var id TransactionID
		if len(first) >= headerSize {
			id = TransactionID(first[8:headerSize])
		}
		b := NewBuilder(nil, BindingRequest, id)
		tr := NewTransaction(b.Bytes(), TransactionConfig{})
		tr.Start(start)
		now, ends := start, 0
		for range 60 {
			tr.AppendPacket(now, nil)
			tr.Receive(now, first)
			tr.Receive(now, second)
			now = now.Add(time.Second)
			tr.Advance(now)
			if _, ok := tr.NextEvent(); ok {
				ends++
			}
		}
		if ends != 1 {
			t.Fatalf("it ends %d times", ends)
		}
	})
}
