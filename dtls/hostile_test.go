package dtls

import (
	"bytes"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/internal/trace"
)

// inClear is a record of epoch 0.
func inClear(typ contentType, seq uint64, body []byte) []byte {
	layer := recordLayer{seq: [2]uint64{seq}}
	return layer.end(append(layer.begin(nil, typ, 0), body...), 0)
}

// forged is a handshake message, or a part of it, in a record of its own.
func forged(typ handshakeType, length int, seq uint16, offset int, body []byte) []byte {
	return inClear(typeHandshake, 0, append(appendHandshakeHeader(nil, typ, length, seq, offset, len(body)), body...))
}

// TestHostileDatagramsDuringHandshake: what does not belong there is dropped,
// for a reason, and the handshake goes on.
func TestHostileDatagramsDuringHandshake(t *testing.T) {
	sealed := append(appendRecordHeader(nil, typeApplicationData, 1, 7), make([]byte, 40)...)
	sealed[12] = 40
	for _, test := range []struct {
		why      string
		datagram []byte
		want     string // dropped for
	}{
		{"noise", []byte("hello"), DropMalformedRecord},
		{"application data in clear", inClear(typeApplicationData, 0, []byte("hello")), DropContentType},
		{"a warning", inClear(typeAlert, 0, []byte{1, 90}), DropWarning},
		{"a fatal alert", inClear(typeAlert, 0, []byte{2, 40}), DropAlertNotAuthentic},
		{"close_notify", inClear(typeAlert, 0, []byte{1, 0}), DropAlertNotAuthentic},
		{"half an alert", inClear(typeAlert, 0, []byte{2}), DropMalformedAlert},
		{"half a fragment", inClear(typeHandshake, 0, []byte{2}), DropMalformedFragment},
		{"Finished in clear", forged(typeFinished, 12, 2, 0, make([]byte, 12)), DropWrongProtection},
		{"a message far ahead", forged(typeCertificate, 12, 99, 0, make([]byte, 12)), DropMessageAhead},
		{"a message from the past", forged(typeCertificate, 12, 0xffff, 0, make([]byte, 12)), DropDuplicateMessage},
		{"a message of unknown type", forged(77, 12, 3, 0, make([]byte, 12)), DropUnknownMessage},
		{"a whole message of unknown type, in its turn", forged(77, 12, 0, 0, make([]byte, 12)), DropUnknownMessage},
		{"a message too long", forged(typeCertificate, 1<<20, 3, 0, make([]byte, 12)), DropMessageTooLong},
		{"a whole message too long, in its turn", forged(typeServerHelloDone, 1, 0, 0, make([]byte, 1)), DropMessageTooLong},
		{"an epoch too many", func() []byte { b := bytes.Clone(sealed); b[4] = 2; return b }(), DropEpoch},
		{"ChangeCipherSpec", inClear(typeChangeCipherSpec, 0, []byte{1}), ""},
		{"a record of the next epoch", sealed, ""},
	} {
		for _, toServer := range []bool{true, false} {
			dropped := new(drops)
			client, server := configs()
			victim := &client
			if toServer {
				victim = &server
			}
			victim.Trace = trace.New(dropped, "")
			p := newPair(t, client, server)
			to := p.client
			if toServer {
				to = p.server
			}
			to.Receive(p.now, bytes.Clone(test.datagram))
			if test.want != "" {
				dropped.expect(t, test.why, test.want)
			} else {
				dropped.expect(t, test.why)
			}
			p.connect()
			p.established()
			if p.now.Sub(start) > 0 {
				t.Errorf("%s: the handshake took a retransmission", test.why)
			}
		}
	}
}

// TestEarlyRecordsAreBounded: records of epoch 1 cost little before there are keys.
func TestEarlyRecordsAreBounded(t *testing.T) {
	client, server := configs()
	dropped := new(drops)
	server.Trace = trace.New(dropped, "")
	p := newPair(t, client, server)
	for seq := range uint64(100) {
		b := append(appendRecordHeader(nil, typeApplicationData, 1, seq), make([]byte, 3000)...)
		b[11], b[12] = 3000>>8, 3000&0xff
		p.server.Receive(p.now, b)
	}
	if n := len(p.server.early); n > maxEarly || p.server.earlySize > maxEarlySize || len(*dropped) != 100-n {
		t.Errorf("%d records of %d bytes are held, %d were dropped", n, p.server.earlySize, len(*dropped))
	}
	p.exchange()
	p.established()
	if p.server.early != nil || p.server.earlySize != 0 {
		t.Error("the records are still held")
	}
}

// TestNothingInClearDisturbsFinished: when only Finished is missing, messages
// in clear are not even looked at.
func TestNothingInClearDisturbsFinished(t *testing.T) {
	client, server := configs()
	dropped := new(drops)
	client.Trace = trace.New(dropped, "")
	p := newPair(t, client, server)
	p.tap = func(toServer bool, d []byte) [][]byte {
		if p.client.State() == StateAwaitServerFinished {
			for seq := range uint16(8) {
				p.client.Receive(p.now, forged(typeCertificateRequest, 8, 5+seq, 0, make([]byte, 8)))
				dropped.expect(t, "a forged message", DropWrongProtection)
			}
		}
		return [][]byte{d}
	}
	p.exchange()
	p.established()
}

// TestForgedAlertsDoNotPile: a grace period neither grows nor shrinks with
// more alerts, and progress ends it.
func TestForgedAlertsDoNotPile(t *testing.T) {
	client, server := configs()
	p := newPair(t, client, server)
	alert := inClear(typeAlert, 0, []byte{2, 40})
	for range 10 {
		p.client.Receive(p.now, bytes.Clone(alert))
		p.now = p.now.Add(alertGrace / 20)
		p.client.Advance(p.now)
	}
	if got, want := p.client.timers.At(timerAlert), start.Add(alertGrace); !got.Equal(want) {
		t.Errorf("the grace period ends at %v, want %v", got, want)
	}
	p.exchange()
	p.established()
	p.client.Advance(start.Add(time.Hour))
	if !p.client.Established() {
		t.Errorf("the alert came true after the handshake: %v", p.client.Err())
	}
}

// TestCookieServerKeepsRecordNumbers: RFC 6347, Section 4.2.1, in the words
// that receiveFragment quotes.
func TestCookieServerKeepsRecordNumbers(t *testing.T) {
	client, server := configs()
	server.Cookie, server.PathValidated = true, false
	p := newPair(t, client, server)
	p.client.layer.seq[0] = 5
	var seqs []uint64
	p.tap = func(toServer bool, d []byte) [][]byte {
		rec, _, _ := parseRecord(d)
		seqs = append(seqs, rec.seq)
		return [][]byte{d}
	}
	p.exchange()
	p.established()
	want := []uint64{5, 5, 6, 6} // ClientHello, HelloVerifyRequest, ClientHello, ServerHello
	for i := range want {
		if seqs[i] != want[i] {
			t.Errorf("record sequence numbers are %v, want %v", seqs, want)
			break
		}
	}
}

// TestNoCookieNoState: without the cookie a server does no public-key
// cryptography and keeps nothing of the client.
func TestNoCookieNoState(t *testing.T) {
	client, server := configs()
	server.Cookie, server.PathValidated = true, false
	p := newPair(t, client, server)
	hello := p.client.AppendPacket(p.now, nil)
	p.server.Receive(p.now, bytes.Clone(hello))
	h := p.server.hs
	if h.key != nil || len(h.transcript) > 0 || h.in.size > 0 {
		t.Error("the server remembers a client that sent no cookie")
	}
	answer := p.server.AppendPacket(p.now, nil)
	if len(answer) >= len(hello) {
		t.Errorf("%d bytes are answered with %d", len(hello), len(answer))
	}
	// Asked again it answers again, even if the client's timer is fast.
	p.now = p.now.Add(50 * time.Millisecond)
	p.server.Receive(p.now, bytes.Clone(hello))
	if b := p.server.AppendPacket(p.now, nil); len(b) != len(answer) {
		t.Errorf("the second ClientHello is answered with %d bytes, want %d", len(b), len(answer))
	}
}

// TestSameSeedSameBytes: with its randomness the whole connection replays.
func TestSameSeedSameBytes(t *testing.T) {
	run := func() (all []byte) {
		client, server := configs()
		p := newPair(t, client, server)
		p.tap = func(_ bool, d []byte) [][]byte { all = append(all, d...); return [][]byte{d} }
		p.exchange()
		return append(all, p.client.Seal(nil, []byte("hello"))...)
	}
	if !bytes.Equal(run(), run()) {
		t.Error("the same seeds send different bytes")
	}
}

// FuzzConn lets a handshake go some way and then feeds an end with datagrams:
// the fuzzer's own, and genuine ones that it changes. Nothing may make it panic,
// hang, or hold more than the constants say; and once it is established only a
// datagram of the peer's may end it.
func FuzzConn(f *testing.F) {
	for stage := range byte(6) {
		f.Add(true, stage, []byte{0, 14, 22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 5, 0, 1, 9})
		f.Add(false, stage|0x80, []byte{1, 3, 20, 40, 7, 2, 4, 0xff, 0xff, 9, 1, 2, 50, 60})
	}
	f.Fuzz(func(t *testing.T, newer bool, stage byte, script []byte) {
		client, server := configs()
		if newer {
			client, server = configs13()
		}
		server.Cookie = stage&0x40 != 0
		if stage&0x20 != 0 {
			client.MTU, server.MTU = 250, 250
		}
		p := newPair(t, client, server)
		// Genuine datagrams, as many as stage says; the last few are kept for
		// the fuzzer to play with.
		var seen [][]byte
		left := int(stage & 0x1f)
		p.tap = func(_ bool, d []byte) [][]byte {
			seen = append(seen, bytes.Clone(d))
			if left--; left < 0 {
				return nil
			}
			return [][]byte{d}
		}
		p.exchange()
		victim := p.client
		if stage&0x80 != 0 {
			victim = p.server
		}
		established := victim.Established()
		now := p.now
		for len(script) >= 2 && len(script) < 1<<12 {
			kind, n := script[0], int(script[1])
			script = script[2:]
			n = min(n, len(script))
			var datagram []byte
			switch kind % 4 {
			case 0: // the fuzzer's own
				datagram = bytes.Clone(script[:n])
			case 1, 2: // a genuine one with bytes changed
				if len(seen) == 0 {
					continue
				}
				datagram = bytes.Clone(seen[int(kind/4)%len(seen)])
				for i := 0; i+1 < n; i += 2 {
					datagram[int(script[i])*int(kind)%len(datagram)] ^= script[i+1]
				}
			case 3: // time passes
				now = now.Add(time.Duration(n) * 7 * time.Millisecond)
				victim.Advance(now)
			}
			script = script[n:]
			victim.Receive(now, datagram)
			for _, ok := victim.NextData(); ok; _, ok = victim.NextData() {
			}
			for sent := 0; ; sent++ {
				b := victim.AppendPacket(now, nil)
				if len(b) == 0 {
					break
				}
				if len(b) > victim.config.MTU || sent > 100 {
					t.Fatalf("datagram %d is %d bytes long", sent, len(b))
				}
			}
			for _, ok := victim.NextEvent(); ok; _, ok = victim.NextEvent() {
			}
			if len(victim.early) > maxEarly || victim.earlySize > maxEarlySize {
				t.Fatalf("%d early records of %d bytes are held", len(victim.early), victim.earlySize)
			}
			if h := victim.hs; h != nil && (h.in.size > maxReassembly || len(h.transcript) > 64<<10) {
				t.Fatalf("%d bytes of fragments and %d of transcript are held", h.in.size, len(h.transcript))
			}
			if next := victim.NextTimeout(); !next.IsZero() && !next.After(now) {
				victim.Advance(now)
				if next := victim.NextTimeout(); !next.IsZero() && !next.After(now) {
					t.Fatal("a timer stays due")
				}
			}
			if (victim.Err() != nil) != (victim.State() == StateClosed) {
				t.Fatalf("state is %v, error %v", victim.State(), victim.Err())
			}
			// A client of DTLS 1.3 waits for an ACK even then, but not for ever.
			if _, late := victim.Err().(*TimeoutError); established && !victim.Established() && !late {
				t.Fatalf("a forged datagram ended the connection: %v", victim.Err())
			}
		}
	})
}
