package dtls

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// TestServerHelloAlone: that the ServerHello arrived says that the ClientHello
// did, which is not sent again: "the receipt of any record responding to a given
// flight MUST be taken as an implicit acknowledgement for the entire flight" (RFC
// 9147, Section 7.2). The client waits, and asks for the rest.
func TestServerHelloAlone(t *testing.T) {
	client, server := configs13()
	p := newPair(t, client, server)
	lost := false
	p.tap = func(toServer bool, b []byte) [][]byte {
		if !toServer && !lost {
			lost = true
			_, rest, _ := parseRecord(b)
			return [][]byte{b[:len(b)-len(rest)]}
		}
		return [][]byte{b}
	}
	p.exchange()
	if got := p.client.State(); got != StateAwaitEncryptedExtensions {
		t.Fatalf("client is %v", got)
	}
	p.now = p.client.NextTimeout()
	if want := start.Add(50 * time.Millisecond / ackDelay); p.now != want {
		t.Errorf("the client's next timer is at %v, want %v", p.now.Sub(start), want.Sub(start))
	}
	p.client.Advance(p.now)
	b := p.client.AppendPacket(p.now, nil)
	said := (&rung{Conn: p.client}).describe(b)
	if said != "{ACK}\t0.0" {
		t.Errorf("the client says %q", said)
	}
	p.server.Receive(p.now, b)
	p.exchange()
	p.established()
}

// TestACKsInClear: one that names nothing makes the server's flight go out again
// if it is a while ago, and nothing else is believed.
func TestACKsInClear(t *testing.T) {
	ack := func(m ackMessage) []byte { return inClear(typeACK, 7, m.append(nil)) }
	const quarter = 50 * time.Millisecond / ackDelay
	for _, test := range []struct {
		why     string
		content ackMessage
		after   time.Duration
		again   bool
	}{
		{"it waited", nil, quarter, true},
		{"it comes too soon", nil, quarter - 1, false},
		{"it names a record in clear", ackMessage{{0, 0}}, quarter, false},
		{"it names a record in cipher", ackMessage{{2, 0}}, quarter, false},
	} {
		client, server := configs13()
		p := newPair(t, client, server)
		p.tap = func(toServer bool, b []byte) [][]byte {
			if toServer {
				return [][]byte{b}
			}
			return nil
		}
		p.exchange()
		now := start.Add(test.after)
		p.server.Receive(now, ack(test.content))
		if b := p.server.AppendPacket(now, nil); (len(b) > 0) != test.again {
			t.Errorf("%s: the server sends %d bytes", test.why, len(b))
		}
		// Half a second later the real client comes.
		p.tap, p.now = nil, start.Add(time.Second/2)
		p.client.Advance(p.now)
		p.server.Advance(p.now)
		p.exchange()
		p.established()
	}
	// A client believes none at all.
	client, server := configs13()
	p := newPair(t, client, server)
	p.client.AppendPacket(start, nil)
	p.client.AppendPacket(start, nil)
	p.client.Receive(start.Add(quarter), ack(nil))
	if b := p.client.AppendPacket(start.Add(quarter), nil); len(b) > 0 {
		t.Errorf("a client answers an ACK in clear with %d bytes", len(b))
	}
}

// TestJunkBeforeServerHello: what looks like a record in cipher costs a client an
// empty ACK now and then, and a handshake of DTLS 1.2 none any more.
func TestJunkBeforeServerHello(t *testing.T) {
	for _, v := range []Version{DTLS12, DTLS13} {
		client, server := configs13()
		server.MaxVersion = v
		p := newPair(t, client, server)
		hellos := [][]byte{p.client.AppendPacket(start, nil), p.client.AppendPacket(start, nil)}
		p.client.Receive(start, append([]byte{0x2e, 1, 2, 0, 20}, make([]byte, 20)...))
		for _, b := range hellos {
			p.server.Receive(start, b)
		}
		acks := 0
		p.tap = func(toServer bool, b []byte) [][]byte {
			if b[0] == byte(typeACK) {
				acks++
			}
			return [][]byte{b}
		}
		p.now = p.client.NextTimeout()
		p.client.Advance(p.now)
		p.exchange()
		p.established()
		if acks != 1 {
			t.Errorf("%v: %d empty ACKs were sent", v, acks)
		}
		if next := p.client.NextTimeout(); !next.IsZero() {
			t.Errorf("%v: a timer still runs, until %v", v, next.Sub(start))
		}
	}
}

// TestUnacknowledgedKeyUpdate: it is sent again less and less often, and ends the
// connection as an unfinished handshake does.
func TestUnacknowledgedKeyUpdate(t *testing.T) {
	client, server := configs13()
	p := newPair(t, client, server)
	p.exchange()
	p.established()
	if err := p.client.UpdateKeys(p.now, false); err != nil {
		t.Fatal(err)
	}
	sent := 0
	for p.client.Established() {
		for b := p.client.AppendPacket(p.now, nil); len(b) > 0; b = p.client.AppendPacket(p.now, nil) {
			sent++
		}
		p.now = p.client.NextTimeout()
		p.client.Advance(p.now)
	}
	var timeout *TimeoutError
	if err := p.client.Err(); !errors.As(err, &timeout) || !strings.Contains(err.Error(), "did not acknowledge our KeyUpdate") {
		t.Errorf("the connection ended with %v", err)
	}
	if took := p.now.Sub(start); took != 30*time.Second {
		t.Errorf("it ended after %v", took)
	}
	if sent != 10 { // at 0, 50, 150, 350, … 25,550 ms
		t.Errorf("the KeyUpdate was sent %d times", sent)
	}
}
