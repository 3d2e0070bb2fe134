package dtls

import (
	"bytes"
	"slices"
	"testing"
)

func TestReassembly(t *testing.T) {
	message := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(i)
		}
		return b
	}
	body := message(1000)
	part := func(seq uint16, from, to int) fragment {
		return fragment{typ: typeCertificate, length: len(body), seq: seq, offset: from, body: body[from:to]}
	}
	for _, test := range []struct {
		why   string
		parts []fragment
		drops []string // "" for what is taken
		want  int      // messages delivered
	}{
		{"in order", []fragment{part(0, 0, 400), part(0, 400, 1000)}, []string{"", ""}, 1},
		{"reversed", []fragment{part(0, 400, 1000), part(0, 0, 400)}, []string{"", ""}, 1},
		{"twice", []fragment{part(0, 0, 400), part(0, 0, 400), part(0, 400, 1000)}, []string{"", "", ""}, 1},
		{"overlapping", []fragment{part(0, 0, 600), part(0, 300, 700), part(0, 650, 1000)}, []string{"", "", ""}, 1},
		{"one inside the other", []fragment{part(0, 100, 200), part(0, 0, 1000)}, []string{"", ""}, 1},
		{"a hole", []fragment{part(0, 0, 400), part(0, 401, 1000)}, []string{"", ""}, 0},
		{"the second message first", []fragment{part(1, 0, 1000), part(0, 0, 1000)}, []string{"", ""}, 2},
		{"far ahead", []fragment{part(reassemblyWindow, 0, 10)}, []string{DropMessageAhead}, 0},
		{"behind", []fragment{part(0xffff, 0, 10)}, []string{DropMessageAhead}, 0},
		{"another length", []fragment{part(0, 0, 10), {typeCertificate, 999, 0, 10, body[10:20]}}, []string{"", DropFragmentMismatch}, 0},
		{"another type", []fragment{part(0, 0, 10), {typeServerKeyExchange, 1000, 0, 10, body[10:20]}}, []string{"", DropFragmentMismatch}, 0},
		{"unknown type", []fragment{{99, 1000, 0, 0, body[:10]}}, []string{DropUnknownMessage}, 0},
		{"longer than any", []fragment{{typeCertificate, 1<<24 - 1, 0, 0, body[:10]}}, []string{DropMessageTooLong}, 0},
		{"empty", []fragment{{typeServerHelloDone, 0, 0, 0, nil}}, []string{""}, 1},
	} {
		var r reassembly
		for i, p := range test.parts {
			if got := r.add(p); got != test.drops[i] {
				t.Errorf("%s: fragment %d: %q, want %q", test.why, i, got, test.drops[i])
			}
		}
		got := 0
		for {
			typ, b, ok := r.take()
			if !ok {
				break
			}
			got++
			if typ == typeCertificate && !bytes.Equal(b, body) {
				t.Errorf("%s: the message is not what was sent", test.why)
			}
		}
		if got != test.want {
			t.Errorf("%s: %d messages, want %d", test.why, got, test.want)
		}
	}
}

// TestReassemblyIsBounded: fragments of long messages do not add up.
func TestReassemblyIsBounded(t *testing.T) {
	var r reassembly
	drops := 0
	for seq := range uint16(reassemblyWindow) {
		if r.add(fragment{typeCertificate, 16 << 10, seq, 0, []byte{1}}) == DropReassemblyFull {
			drops++
		}
	}
	if drops != reassemblyWindow-1 || r.size > maxReassembly {
		t.Errorf("%d fragments were dropped, %d bytes are held", drops, r.size)
	}
}

// TestOverlapKeepsWhatCameFirst: who sends other bytes for the same place
// changes nothing.
func TestOverlapKeepsWhatCameFirst(t *testing.T) {
	var r reassembly
	r.add(fragment{typeFinished, 4, 0, 0, []byte{1, 2}})
	r.add(fragment{typeFinished, 4, 0, 0, []byte{9, 9, 3, 4}})
	if _, b, ok := r.take(); !ok || !bytes.Equal(b, []byte{1, 2, 3, 4}) {
		t.Errorf("got %v", b)
	}
}

func TestParseFragment(t *testing.T) {
	whole := append(appendHandshakeHeader(nil, typeFinished, 3, 7, 0, 3), 1, 2, 3)
	for n := range whole {
		if _, _, ok := parseFragment(whole[:n]); ok {
			t.Errorf("parses when cut to %d bytes", n)
		}
	}
	f, rest, ok := parseFragment(append(whole, 5))
	if !ok || f.typ != typeFinished || f.seq != 7 || !f.whole() || !bytes.Equal(f.body, []byte{1, 2, 3}) || !bytes.Equal(rest, []byte{5}) {
		t.Errorf("got %+v, %v, %v", f, rest, ok)
	}
	for why, b := range map[string][]byte{
		"ends behind its message": append(appendHandshakeHeader(nil, typeFinished, 3, 0, 1, 3), 1, 2, 3),
		"starts behind it":        appendHandshakeHeader(nil, typeFinished, 3, 0, 4, 0),
		"holds nothing":           appendHandshakeHeader(nil, typeFinished, 3, 0, 0, 0),
	} {
		if _, _, ok := parseFragment(b); ok {
			t.Errorf("a fragment that %s parses", why)
		}
	}
}

// FuzzReassembly cuts a message into any pieces, in any order, and expects it
// back once every byte was there.
func FuzzReassembly(f *testing.F) {
	f.Add([]byte{0, 10, 5, 20, 25, 40})
	f.Fuzz(func(t *testing.T, cuts []byte) {
		body := make([]byte, 200)
		for i := range body {
			body[i] = byte(i)
		}
		var r reassembly
		have := make([]bool, len(body))
		for i := 0; i+1 < len(cuts); i += 2 {
			from, to := int(cuts[i]), int(cuts[i])+int(cuts[i+1])
			b := appendHandshakeHeader(nil, typeCertificate, len(body), 0, from, to-from)
			b = append(b, body[min(from, len(body)):min(to, len(body))]...)
			p, _, ok := parseFragment(b)
			if !ok {
				continue
			}
			if drop := r.add(p); drop != "" {
				t.Fatal(drop)
			}
			for j := range p.body {
				have[p.offset+j] = true
			}
		}
		_, got, ok := r.take()
		if ok == slices.Contains(have, false) {
			t.Fatalf("delivered: %v, bytes there: %v", ok, have)
		}
		if ok && !bytes.Equal(got, body) {
			t.Fatal("the message is not what was sent")
		}
		if ok && r.size != 0 {
			t.Fatalf("%d bytes are counted as held", r.size)
		}
	})
}

func FuzzFragment(f *testing.F) {
	f.Add(append(appendHandshakeHeader(nil, typeFinished, 3, 7, 0, 3), 1, 2, 3))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, rest, ok := parseFragment(b)
		if !ok {
			return
		}
		again := appendHandshakeHeader(nil, m.typ, m.length, m.seq, m.offset, len(m.body))
		if again = append(append(again, m.body...), rest...); !bytes.Equal(again, b) {
			t.Fatalf("written again it is %x, not %x", again, b)
		}
	})
}
