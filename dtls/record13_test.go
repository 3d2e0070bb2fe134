package dtls

import (
	"bytes"
	"crypto"
	"fmt"
	"testing"

	"github.com/plainrtc/plainrtc/internal/trace"
)

// connected13 returns a pair that has gone through a handshake of DTLS 1.3.
func connected13(t testing.TB, suite CipherSuite) (*pair, *drops) {
	t.Helper()
	client, server := configs13()
	dropped := new(drops)
	server.Trace = trace.New(dropped, "")
	server.CipherSuites = []CipherSuite{suite}
	p := newPair(t, client, server)
	p.exchange()
	p.established()
	*dropped = nil
	return p, dropped
}

// reformed is a record of the client with another form of header: any of those
// of RFC 9147, Figure 3.
func reformed(c *Conn, seqLen int, length bool, padding int, typ contentType, body string) []byte {
	k := c.layer.v13.out[c.writeEpoch&3]
	first := byte(unifiedFixed) | byte(k.epoch&3)
	b := []byte{first, byte(k.seq)}
	if seqLen == 2 {
		b = []byte{first | unifiedSeq16, byte(k.seq >> 8), byte(k.seq)}
	}
	if length {
		b[0] |= unifiedLength
		n := len(body) + 1 + padding + tagSize
		b = append(b, byte(n>>8), byte(n))
	}
	header := len(b)
	plain := append(append([]byte(body), byte(typ)), make([]byte, padding)...)
	k.prepare(k.seq)
	k.seq++
	b = k.aead.Seal(b, k.nonce[:], plain, b)
	k.hide(b[1:1+seqLen], b[header:])
	return b
}

// TestUnifiedHeader: all forms of the header are read, with padding.
func TestUnifiedHeader(t *testing.T) {
	for _, suite := range suites13 {
		p, dropped := connected13(t, suite.suite)
		for range 300 { // past where one byte of the number wraps
			for _, seqLen := range []int{1, 2} {
				for _, length := range []bool{false, true} {
					for _, padding := range []int{0, 1, 100} {
						p.serverData = nil
						p.deliver(p.server, reformed(p.client, seqLen, length, padding, typeApplicationData, "hello"))
						if fmt.Sprint(p.serverData) != "[hello]" {
							t.Fatalf("%v, %d bytes of number, length %v, padding %d: got %q, dropped %v", suite.name, seqLen, length, padding, p.serverData, *dropped)
						}
					}
				}
			}
		}
		// Two records in one datagram, of which only the last can be without
		// its length.
		p.serverData = nil
		p.deliver(p.server, append(p.client.Seal(nil, []byte("one")), reformed(p.client, 2, false, 0, typeApplicationData, "two")...))
		if fmt.Sprint(p.serverData) != "[one two]" {
			t.Errorf("got %q of two records", p.serverData)
		}
	}
}

// TestRecords13Dropped: what is not a record of the connection is dropped, for a
// reason.
func TestRecords13Dropped(t *testing.T) {
	seal := func(p *pair) []byte { return p.client.Seal(nil, []byte("hello")) }
	for _, test := range []struct {
		why  string
		make func(p *pair) []byte
		want string
	}{
		{"seen before", func(p *pair) []byte { b := seal(p); p.server.Receive(p.now, bytes.Clone(b)); return b }, DropReplayed},
		{"a changed tag", func(p *pair) []byte { b := seal(p); b[len(b)-1]++; return b }, DropNotAuthentic},
		{"a changed number", func(p *pair) []byte { b := seal(p); b[1] ^= 0x10; return b }, DropNotAuthentic},
		{"a changed epoch", func(p *pair) []byte { b := seal(p); b[0] ^= 1; return b }, DropNotAuthentic},
		{"an epoch to come", func(p *pair) []byte { b := seal(p); b[0] &^= 3; return b }, DropEpoch},
		{"a connection identifier", func(p *pair) []byte { b := seal(p); b[0] |= unifiedCID; return b }, DropMalformedRecord},
		{"half a header", func(p *pair) []byte { return seal(p)[:4] }, DropMalformedRecord},
		{"less than it says", func(p *pair) []byte { b := seal(p); return b[:len(b)-1] }, DropMalformedRecord},
		{"no room for a tag", func(p *pair) []byte { return []byte{0x23, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17} }, DropNotAuthentic},
		{"a record of DTLS 1.2", func(p *pair) []byte { return append(appendRecordHeader(nil, typeApplicationData, 1, 9)[:12], 0) }, DropEpoch},
		{"in clear", func(p *pair) []byte { return inClear(typeHandshake, 9, nil) }, DropPlaintext},
		{"of no type", func(p *pair) []byte { return reformed(p.client, 2, true, 5, 0, "") }, DropContentType},
		{"of a type that has no place", func(p *pair) []byte { return reformed(p.client, 2, true, 0, typeChangeCipherSpec, "x") }, DropContentType},
		{"half an alert", func(p *pair) []byte { return reformed(p.client, 2, true, 0, typeAlert, "x") }, DropMalformedAlert},
		{"half an ACK", func(p *pair) []byte { return reformed(p.client, 2, true, 0, typeACK, "x") }, DropMalformedACK},
		{"half a fragment", func(p *pair) []byte { return reformed(p.client, 2, true, 0, typeHandshake, "x") }, DropMalformedFragment},
		{"user_canceled", func(p *pair) []byte { return reformed(p.client, 2, true, 0, typeAlert, "\x02\x5a") }, DropWarning},
	} {
		p, dropped := connected13(t, TLS_AES_128_GCM_SHA256)
		b := test.make(p)
		*dropped = nil
		p.server.Receive(p.now, b)
		dropped.expect(t, test.why, test.want)
		if b := p.server.AppendPacket(p.now, nil); len(b) > 0 {
			t.Errorf("%s: it is answered", test.why)
		}
		p.established()
	}
}

// TestComplete: the number closest to the one expected (RFC 9147, Section 4.2.2).
func TestComplete(t *testing.T) {
	for _, test := range []struct{ highest, low, size, want uint64 }{
		{0, 1, 256, 1}, {0, 255, 256, 255}, {200, 10, 256, 266}, {300, 250, 256, 250}, {300, 40, 256, 296},
		{65535, 0, 65536, 65536}, {65536, 65535, 65536, 65535}, {1 << 40, 5, 65536, 1<<40 + 5}, {1<<40 + 5, 65530, 65536, 1<<40 - 6},
	} {
		var k protection13
		k.window.Accept(test.highest)
		if got := k.complete(test.low, test.size); got != test.want {
			t.Errorf("after %d, …%d of %d is %d, want %d", test.highest, test.low, test.size, got, test.want)
		}
	}
}

// TestRecords13DoNotAllocate: sealing and opening, in place.
func TestRecords13DoNotAllocate(t *testing.T) {
	for _, suite := range suites13 {
		p, _ := connected13(t, suite.suite)
		buf := make([]byte, 0, 2048)
		var got int
		if n := testing.AllocsPerRun(200, func() {
			b := p.client.AppendRecordHeader(buf)
			b = p.client.SealRecord(b[:len(b)+1200], 0)
			p.server.Receive(p.now, b)
			for data, ok := p.server.NextData(); ok; data, ok = p.server.NextData() {
				got += len(data)
			}
		}); n != 0 {
			t.Errorf("%v: a record costs %v allocations", suite.name, n)
		}
		if got != 201*1200 {
			t.Errorf("%v: %d bytes arrived", suite.name, got)
		}
	}
}

// TestKeysAreUpdatedInTime: long before a key has protected as much as it may,
// and no record goes out beyond that.
func TestKeysAreUpdatedInTime(t *testing.T) {
	p, _ := connected13(t, TLS_AES_128_GCM_SHA256)
	p.client.layer.v13.out[3].seq = updateAfter
	p.server.layer.v13.in[3].window.Accept(updateAfter - 1)
	p.exchange()
	if p.client.writeEpoch != 4 || p.client.layer.v13.out[3] != nil || p.client.layer.v13.out[0].epoch != 4 {
		t.Errorf("the client is in epoch %d", p.client.writeEpoch)
	}
	p.established()

	p.client.layer.v13.out[0].seq = maxRecordsGCM
	p.client.session.updating = true // as if the peer did not acknowledge it
	if b := p.client.Seal(nil, []byte("too much")); len(b) > 0 {
		t.Error("a spent key protects a record")
	}
}

// TestManyKeyUpdates: the epochs wrap around the two bits of the header, while
// data overtakes them.
func TestManyKeyUpdates(t *testing.T) {
	p, _ := connected13(t, TLS_CHACHA20_POLY1305_SHA256)
	for i := range 20 {
		late := p.client.Seal(nil, []byte("late"))
		if err := p.client.UpdateKeys(p.now, i%2 == 0); err != nil {
			t.Fatal(err)
		}
		p.exchange()
		p.serverData = nil
		if p.deliver(p.server, late); len(p.serverData) != 1 {
			t.Error("a record that the KeyUpdate overtook is lost")
		}
		p.established()
	}
	if e := p.client.writeEpoch; e != 23 {
		t.Errorf("the client is in epoch %d", e)
	}
	if e := p.server.writeEpoch; e != 13 {
		t.Errorf("the server is in epoch %d", e)
	}
}

// TestForgeriesEndTheConnection: RFC 9147, Section 4.5.3.
func TestForgeriesEndTheConnection(t *testing.T) {
	p, _ := connected13(t, TLS_AES_128_GCM_SHA256)
	p.server.layer.v13.in[3].forgeries = maxForgeries
	b := p.client.Seal(nil, []byte("hello"))
	b[len(b)-1]++
	p.server.Receive(p.now, b)
	if err := p.server.Err(); err == nil {
		t.Error("the connection goes on")
	}
}

// TestSpans: what was acknowledged is put together, and what is missing found.
func TestSpans(t *testing.T) {
	var s []span
	for _, test := range []struct {
		add  span
		want string
	}{
		{span{10, 20}, "[{10 20}]"}, {span{30, 40}, "[{10 20} {30 40}]"}, {span{0, 5}, "[{0 5} {10 20} {30 40}]"},
		{span{5, 7}, "[{0 7} {10 20} {30 40}]"}, {span{15, 35}, "[{0 7} {10 40}]"}, {span{0, 50}, "[{0 50}]"},
	} {
		if s = merge(s, test.add); fmt.Sprint(s) != test.want {
			t.Errorf("with %v it is %v, want %v", test.add, s, test.want)
		}
	}
	if from, to := missing([]span{{0, 7}, {10, 40}}, 0, 50); from != 7 || to != 10 {
		t.Errorf("missing is %d-%d", from, to)
	}
	if from, to := missing([]span{{0, 7}, {10, 40}}, 12, 50); from != 40 || to != 50 {
		t.Errorf("missing is %d-%d", from, to)
	}
	if from, to := missing([]span{{0, 50}}, 0, 50); from != to {
		t.Errorf("missing is %d-%d", from, to)
	}
}

func FuzzCiphertext(f *testing.F) {
	f.Add([]byte{0x2f, 0, 1, 0, 3, 1, 2, 3}, true)
	s := newSchedule(prefix13, crypto.SHA256)
	f.Fuzz(func(t *testing.T, b []byte, chacha bool) {
		suite := TLS_AES_128_GCM_SHA256
		if chacha {
			suite = TLS_CHACHA20_POLY1305_SHA256
		}
		k, _ := newProtection13(suite.params(), s, 3, make([]byte, 32))
		var rec ciphertext
		rest, ok := rec.parse(b)
		if !ok {
			return
		}
		if len(rec.header)+len(rec.body)+len(rest) != len(b) {
			t.Errorf("%d bytes are %d, %d and %d", len(b), len(rec.header), len(rec.body), len(rest))
		}
		if seq, ok := k.number(&rec); ok {
			if _, _, ok := k.open(&rec, seq); ok {
				t.Error("it opens")
			}
		}
	})
}

func FuzzACK(f *testing.F) {
	f.Add(ackMessage{{2, 1}, {2, 3}}.append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, ok := parseACK(b); ok && !bytes.Equal(m.append(nil), b) {
			t.Errorf("%x is parsed to %v", b, m)
		}
	})
}
