package dtls

import (
	"bytes"
	"fmt"
	"testing"
)

// examples13 are the messages whose type DTLS 1.2 has in another form.
var examples13 = []struct {
	m     message
	parse func(b []byte) (message, bool)
}{
	{&certificateRequest13{[]byte{1, 2}, list16{4, 3}}, func(b []byte) (message, bool) { m, ok := parseCertificateRequest13(b); return &m, ok }},
	{&certificate13{context: []byte{1}, leaf: []byte{1, 2, 3}}, func(b []byte) (message, bool) { m, ok := parseCertificate13(b); return &m, ok }},
	{&certificate13{context: []byte{}}, func(b []byte) (message, bool) { m, ok := parseCertificate13(b); return &m, ok }},
}

func TestMessages13(t *testing.T) {
	for _, e := range examples13 {
		body := e.m.append(nil)
		if got, ok := e.parse(body); !ok || fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", e.m) {
			t.Errorf("got  %#v\nwant %#v", got, e.m)
		}
		for n := range body {
			if _, ok := e.parse(body[:n]); ok {
				t.Errorf("%v parses when cut to %d of %d bytes", e.m, n, len(body))
			}
		}
		if _, ok := e.parse(append(body, 0)); ok {
			t.Errorf("%v parses with a byte too many", e.m)
		}
	}
	for n := range ackMessage([]recordNumber{{2, 1}, {3, 4}}).append(nil) {
		if _, ok := parseACK(ackMessage([]recordNumber{{2, 1}, {3, 4}}).append(nil)[:n]); ok {
			t.Errorf("an ACK parses when cut to %d bytes", n)
		}
	}
}

func FuzzMessages13(f *testing.F) {
	for i, e := range examples13 {
		f.Add(byte(i), e.m.append(nil))
	}
	f.Fuzz(func(t *testing.T, which byte, body []byte) {
		parse := examples13[int(which)%len(examples13)].parse
		m, ok := parse(body)
		if !ok {
			return
		}
		_ = m.String()
		if again, ok := parse(m.append(nil)); !ok || !bytes.Equal(again.append(nil), m.append(nil)) {
			t.Fatalf("%#v does not parse once it is written again", m)
		}
	})
}
