package stun

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/internal/trace"
)

var start = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

// drops is a trace.Sink that keeps the reasons of what was dropped.
type drops []string

func (d *drops) Trace(e *trace.Event) {
	if e.Kind == trace.KindDrop {
		*d = append(*d, e.Text)
	}
}

func (d *drops) expect(t *testing.T, why string, want Reason) {
	t.Helper()
	if len(*d) != 1 || (*d)[0] != string(want) {
		t.Errorf("%s: dropped for %q, want %q", why, *d, want)
	}
	*d = nil
}

// calling returns a transaction whose request was sent.
func calling(t *testing.T, key *Key, dropped *drops) *Transaction {
	t.Helper()
	b := NewBuilder(nil, BindingRequest, testID)
	b.AddString(AttrUsername, "alice")
	if key != nil {
		b.AddIntegrity(key)
	}
	b.AddFingerprint()
	tr := NewTransaction(b.Bytes(), TransactionConfig{Key: key, Trace: trace.New(dropped, "")})
	tr.Start(start)
	if len(tr.AppendPacket(start, nil)) == 0 {
		t.Fatal("a transaction that starts sends its request")
	}
	if len(tr.AppendPacket(start, nil)) != 0 {
		t.Fatal("it sends it once")
	}
	return tr
}

func TestTransactionDropsWhatIsNotItsAnswer(t *testing.T) {
	key := NewKey([]byte("password"))
	var dropped drops
	tr := calling(t, key, &dropped)
	build := func(typ Type, id TransactionID, fill func(*Builder)) []byte {
		b := NewBuilder(nil, typ, id)
		if fill != nil {
			fill(&b)
		}
		return b.Bytes()
	}
	for _, test := range []struct {
		why    string
		packet []byte
		want   Reason
	}{
		{"it is empty", nil, ErrShort},
		{"it is its own request", tr.request.Bytes(), DropNotResponse},
		{"it is an indication", build(BindingIndication, testID, nil), DropNotResponse},
		{"it answers something else", build(BindingSuccessResponse, TransactionID{}, nil), DropOtherTransaction},
		{"it has another method", build(NewType(Refresh, SuccessResponse), testID, nil), DropOtherTransaction},
		{"it has no integrity", build(BindingSuccessResponse, testID, nil), ErrNoIntegrity},
		{"it is an error without integrity", build(BindingErrorResponse, testID, func(b *Builder) { b.AddErrorCode(500, "") }), ErrNoIntegrity},
		{"its password is another one", build(BindingSuccessResponse, testID, func(b *Builder) { b.AddIntegrity(NewKey(nil)) }), ErrIntegrity},
		{"SHA-256 was not asked for", build(BindingSuccessResponse, testID, func(b *Builder) { b.AddIntegritySHA256(key, 32) }), ErrNoIntegrity},
		{"its fingerprint is wrong", build(BindingSuccessResponse, testID, func(b *Builder) {
			b.AddIntegrity(key)
			b.AddFingerprint()
			b.b[len(b.b)-1]++
		}), ErrFingerprint},
	} {
		tr.Receive(start, test.packet)
		dropped.expect(t, test.why, test.want)
		if _, ok := tr.NextEvent(); ok || tr.Err() != nil {
			t.Fatalf("%s, and yet it ends the transaction", test.why)
		}
	}
	tr.Receive(start.Add(time.Second), build(BindingSuccessResponse, testID, func(b *Builder) { b.AddIntegrity(key) }))
	e, ok := tr.NextEvent()
	if !ok || e.(Finished).Err != nil || e.(Finished).RTT != time.Second {
		t.Errorf("its answer: %+v", e)
	}
	if _, ok := tr.NextEvent(); ok {
		t.Error("it finishes twice")
	}
	if !tr.NextTimeout().IsZero() {
		t.Error("a timer runs on")
	}
	tr.Receive(start, build(BindingSuccessResponse, testID, nil))
	dropped.expect(t, "it is done", DropDone)
}

func TestTransactionEnds(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer func(t *testing.T) Message
		check  func(err error) bool
		text   string
	}{
		{"refused", func(t *testing.T) Message {
			return message(t, BindingErrorResponse, func(b *Builder) { b.AddErrorCode(CodeServerError, "come back\x00later") })
		}, func(err error) bool {
			peer, ok := errors.AsType[*PeerError](err)
			return ok && peer.Code == CodeServerError && peer.Reason == "come back\x00later"
		}, `stun: the server refused the request with error 500 Server Error: "come back\x00later"`},
		{"unknown attributes in a success response", func(t *testing.T) Message {
			return message(t, BindingSuccessResponse, func(b *Builder) { b.Add(0x7001, nil) })
		}, func(err error) bool {
			local, ok := errors.AsType[*LocalError](err)
			return ok && errors.Is(err, ErrUnknownRequired) && local.Unknown[0] == 0x7001
		}, "stun: the answer holds comprehension-required attributes that are not understood: [0x7001]"},
		{"unknown attributes in an error response", func(t *testing.T) Message {
			return message(t, BindingErrorResponse, func(b *Builder) { b.AddErrorCode(400, ""); b.Add(0x7001, nil) })
		}, func(err error) bool { return errors.Is(err, ErrUnknownRequired) },
			"stun: the answer holds comprehension-required attributes that are not understood: [0x7001]"},
		{"an error response without a code", func(t *testing.T) Message {
			return message(t, BindingErrorResponse, nil)
		}, func(err error) bool { return errors.Is(err, ErrNoErrorCode) },
			"stun: the answer is an error response without a valid ERROR-CODE"},
	} {
		t.Run(test.name, func(t *testing.T) {
			tr := calling(t, nil, new(drops))
			packet := test.answer(t).Bytes()
			tr.Receive(start, packet)
			clear(packet) // what Receive borrowed may change afterwards
			e, ok := tr.NextEvent()
			if !ok {
				t.Fatal("it goes on")
			}
			finished := e.(Finished)
			if !test.check(finished.Err) || finished.Err.Error() != test.text || tr.Err() != finished.Err {
				t.Errorf("it ends with %v, want %s", finished.Err, test.text)
			}
			if finished.Response.TransactionID() != testID {
				t.Error("the event's response is not the answer")
			}
		})
	}
}

func TestTransactionTimeout(t *testing.T) {
	tr := calling(t, NewKey(nil), new(drops))
	for !tr.NextTimeout().IsZero() {
		now := tr.NextTimeout()
		tr.Advance(now)
		tr.AppendPacket(now, nil)
	}
	timeout, ok := errors.AsType[*TimeoutError](tr.Err())
	if !ok || !timeout.Timeout() || timeout.Sent != 7 || timeout.Time != 39500*time.Millisecond || errors.Is(tr.Err(), ErrIntegrity) {
		t.Errorf("%+v", tr.Err())
	}

	tr = calling(t, NewKey(nil), new(drops))
	tr.Receive(start, message(t, BindingSuccessResponse, nil).Bytes()) // forged
	tr.Advance(start.Add(time.Hour))                                   // late: the caller slept
	for !tr.NextTimeout().IsZero() || tr.Err() == nil {
		now := start.Add(2 * time.Hour)
		tr.AppendPacket(now, nil)
		tr.Advance(now.Add(time.Hour))
	}
	if !errors.Is(tr.Err(), ErrIntegrity) {
		t.Errorf("%v: it does not say that integrity was violated", tr.Err())
	}
}

// A caller that was away for an hour sends once, not once for each missed interval.
func TestTransactionDoesNotCatchUp(t *testing.T) {
	tr := calling(t, nil, new(drops))
	later := start.Add(time.Hour)
	tr.Advance(later)
	if len(tr.AppendPacket(later, nil)) == 0 || len(tr.AppendPacket(later, nil)) != 0 {
		t.Error("the request is not sent exactly once")
	}
	if !tr.NextTimeout().After(later) {
		t.Error("the next timer is due in the past")
	}
}

func TestServerDropsWhatItDoesNotAnswer(t *testing.T) {
	var dropped drops
	server := NewServer(ServerConfig{Trace: trace.New(&dropped, "")})
	request := message(t, BindingRequest, nil).Bytes()
	wrong := message(t, BindingRequest, func(b *Builder) { b.AddFingerprint() }).Bytes()
	wrong[len(wrong)-1]++
	for _, test := range []struct {
		why    string
		from   netip.AddrPort
		packet []byte
		want   Reason
	}{
		{"noise", clientAddr, []byte("noise"), ErrShort},
		{"a response: two servers could play tennis", clientAddr, message(t, BindingSuccessResponse, nil).Bytes(), DropNotBinding},
		{"an indication", clientAddr, message(t, BindingIndication, nil).Bytes(), DropNotBinding},
		{"another method", clientAddr, message(t, NewType(Allocate, Request), nil).Bytes(), DropNotBinding},
		{"a wrong fingerprint", clientAddr, wrong, ErrFingerprint},
		{"no source", netip.AddrPort{}, request, DropNoSource},
		{"port 0", netip.AddrPortFrom(clientAddr.Addr(), 0), request, DropNoSource},
	} {
		server.Receive(start, test.from, test.packet)
		dropped.expect(t, test.why, test.want)
		if b, _ := server.AppendPacket(start, nil); len(b) > 0 {
			t.Errorf("%s is answered with %x", test.why, b)
		}
	}
	other := netip.MustParseAddrPort("[2001:db8::1]:9")
	server.Receive(start, clientAddr, request)
	server.Receive(start, other, request)
	dropped.expect(t, "the first response was not taken", DropNotTaken)
	b, to := server.AppendPacket(start, []byte("in front"))
	m := mustParse(t, b[len("in front"):])
	if mapped, _ := m.XORMappedAddress(); mapped != clientAddr || to != clientAddr || m.TransactionID() != testID {
		t.Errorf("%v to %v", m, to)
	}
}

// An answer is a weapon if it is much larger than the question: RFC 8489,
// Section 16.2.5 warns of it.
func TestServerDoesNotAmplify(t *testing.T) {
	server := NewServer(ServerConfig{})
	bare := message(t, BindingRequest, nil).Bytes()
	server.Receive(start, netip.MustParseAddrPort("[2001:db8::1]:9"), bare)
	if b, _ := server.AppendPacket(start, nil); len(b) > len(bare)+24 {
		t.Errorf("%d bytes are answered with %d", len(bare), len(b))
	}
	many := message(t, BindingRequest, func(b *Builder) {
		for i := range AttributeType(100) {
			b.Add(0x7000+i, nil)
		}
	}).Bytes()
	server.Receive(start, clientAddr, many)
	if b, _ := server.AppendPacket(start, nil); len(b) > len(many) {
		t.Errorf("%d bytes are answered with %d", len(many), len(b))
	}
}
