package dtls

import (
	"bytes"
	"runtime"
	"strings"
	"testing"

	"github.com/plainrtc/plainrtc/internal/replay"
	"github.com/plainrtc/plainrtc/internal/trace"
)

// drops is a sink that keeps the reasons of what was dropped.
type drops []string

func (d *drops) Trace(e *trace.Event) {
	if e.Kind == trace.KindDrop {
		*d = append(*d, e.Text)
	}
}

// expect checks the drops since the last time.
func (d *drops) expect(t testing.TB, why string, want ...string) {
	t.Helper()
	if strings.Join(*d, ",") != strings.Join(want, ",") {
		t.Errorf("%s: dropped %q, want %q", why, *d, want)
	}
	*d = nil
}

// connected returns an established pair, and what its server drops.
func connected(t testing.TB, suite CipherSuite) (*pair, *drops) {
	t.Helper()
	dropped := new(drops)
	client, server := configs()
	client.CipherSuites = []CipherSuite{suite}
	server.Trace = trace.New(dropped, "server")
	p := newPair(t, client, server)
	p.exchange()
	p.established()
	dropped.expect(t, "a handshake without faults")
	p.serverData, p.clientData = nil, nil
	return p, dropped
}

func TestRecords(t *testing.T) {
	for _, suite := range suites {
		p, dropped := connected(t, suite.suite)
		first := p.client.Seal(nil, []byte("first"))
		second := p.client.Seal(nil, []byte("second"))
		if got, want := len(first), len("first")+p.client.Overhead(); got != want {
			t.Errorf("%v: a record is %d bytes, want %d", suite.name, got, want)
		}
		datagram := bytes.Join([][]byte{second, first}, nil)
		copied := bytes.Clone(datagram)
		p.deliver(p.server, datagram)
		if strings.Join(p.serverData, " ") != "second first" {
			t.Errorf("two records in one datagram: got %q", p.serverData)
		}
		dropped.expect(t, "records in another order")
		p.deliver(p.server, bytes.Clone(copied))
		dropped.expect(t, "the same again", DropReplayed)
		if len(p.serverData) != 2 {
			t.Errorf("a replay was delivered: %q", p.serverData)
		}

		// RFC 6347, Section 4.1.2.7: what is not authentic is passed over.
		for i := range first {
			sealed := p.client.Seal(nil, []byte("hello"))
			bad := bytes.Clone(sealed)
			bad[i] ^= 0x80
			p.deliver(p.server, bad)
			if len(p.serverData) != 2 {
				t.Fatalf("%v: a record with byte %d changed was delivered", suite.name, i)
			}
			if len(*dropped) == 0 {
				t.Errorf("%v: byte %d: nothing was dropped", suite.name, i)
			}
			*dropped = nil
			// The forgery did not use up the genuine record's number.
			p.deliver(p.server, sealed)
			if len(p.serverData) != 3 {
				t.Fatalf("%v: after a forgery of byte %d the record is not taken: %q", suite.name, i, *dropped)
			}
			p.serverData = p.serverData[:2]
		}
	}
}

// TestDrops is what else may come in a datagram.
func TestDrops(t *testing.T) {
	p, dropped := connected(t, suites[0].suite)
	sealed := p.client.Seal(nil, []byte("hello"))
	with := func(at int, v byte) []byte {
		b := bytes.Clone(sealed)
		b[at] = v
		return b
	}
	clear := func(typ contentType, body ...byte) []byte {
		layer := recordLayer{}
		return layer.end(append(layer.begin(nil, typ, 0), body...), 0)
	}
	for _, test := range []struct {
		why      string
		datagram []byte
		want     string
	}{
		{"nothing", nil, ""},
		{"not a record", []byte("hello"), DropMalformedRecord},
		{"cut short", sealed[:len(sealed)-1], DropMalformedRecord},
		{"not DTLS", with(1, 3), DropMalformedRecord},
		{"epoch 2", with(4, 2), DropEpoch},
		{"too short to be sealed", append(bytes.Clone(sealed[:11]), 0, 3, 1, 2, 3), DropNotAuthentic},
		{"handshake in clear", clear(typeHandshake, 1, 2, 3), DropPlaintext},
		{"fatal alert in clear", clear(typeAlert, 2, 40), DropPlaintext},
		{"data in clear", clear(typeApplicationData, 1), DropPlaintext},
	} {
		p.deliver(p.server, bytes.Clone(test.datagram))
		if test.want == "" {
			dropped.expect(t, test.why)
		} else {
			dropped.expect(t, test.why, test.want)
		}
	}
	for _, test := range []struct {
		why  string
		typ  contentType
		body []byte
		want string
	}{
		{"heartbeat", 24, []byte{1}, DropContentType},
		{"ChangeCipherSpec", typeChangeCipherSpec, []byte{1}, DropContentType},
		{"warning", typeAlert, []byte{1, 90}, DropWarning},
		{"alert of three bytes", typeAlert, []byte{1, 90, 0}, DropMalformedAlert},
		{"alert of no level", typeAlert, []byte{3, 90}, DropMalformedAlert},
		{"fragment cut short", typeHandshake, []byte{1, 2, 3}, DropMalformedFragment},
		{"late handshake message", typeHandshake, appendHandshakeHeader(nil, typeCertificateVerify, 0, 3, 0, 0), DropDuplicateMessage},
	} {
		layer := &p.client.layer
		b := layer.end(append(layer.begin(nil, test.typ, 1), test.body...), 0)
		p.deliver(p.server, b)
		dropped.expect(t, test.why, test.want)
	}
	if !p.server.Established() || len(p.serverData) > 0 {
		t.Errorf("server is %v (%v), and got %q", p.server.State(), p.server.Err(), p.serverData)
	}
	p.deliver(p.server, sealed)
	if len(p.serverData) != 1 {
		t.Errorf("after all this the record is not taken: %q", *dropped)
	}
	layer := &p.client.layer
	p.deliver(p.server, layer.end(append(layer.begin(nil, typeAlert, 1), 2, byte(AlertInternalError)), 0))
	if err, ok := p.server.Err().(*PeerError); !ok || err.Alert != AlertInternalError || err.Unauthenticated {
		t.Errorf("a protected fatal alert ends the connection with %v", p.server.Err())
	}
}

// TestSealWhenItCannot: a record that cannot be sent is taken back.
func TestSealWhenItCannot(t *testing.T) {
	client, server := configs()
	p := newPair(t, client, server)
	before := []byte("before")
	if b := p.client.Seal(before, []byte("too early")); string(b) != "before" {
		t.Errorf("before the handshake: %q", b)
	}
	if b := p.client.SealRecord(append(before, "too early"...), len(before)); string(b) != "before" {
		t.Errorf("before the handshake: %q", b)
	}
	p.exchange()
	p.established()
	if b := p.client.Seal(before, nil); string(b) != "before" {
		t.Errorf("nothing: %q", b)
	}
	if b := p.client.Seal(before, make([]byte, maxPlaintext+1)); string(b) != "before" {
		t.Errorf("too much: %d bytes", len(b))
	}
	b := p.client.Seal(before, make([]byte, maxPlaintext))
	if string(b[:6]) != "before" {
		t.Errorf("what stood in the buffer is now %q", b[:6])
	}
	p.deliver(p.server, b[6:])
	if n := len(p.serverData); len(p.serverData[n-1]) != maxPlaintext {
		t.Error("the largest record does not arrive")
	}
	p.client.layer.seq[1] = maxSequence - 1
	if b := p.client.Seal(nil, []byte("last")); len(b) == 0 {
		t.Error("the last sequence number but one cannot be used")
	}
	if b := p.client.Seal(nil, []byte("wrapped")); len(b) > 0 {
		t.Error("the sequence number wrapped")
	}
	p.client.Close(p.now)
	if b := p.client.Seal(nil, []byte("too late")); len(b) > 0 {
		t.Error("a closed connection seals")
	}
}

// TestRecordsAllocateNothing guards the hot path.
func TestRecordsAllocateNothing(t *testing.T) {
	for _, suite := range suites {
		p, _ := connected(t, suite.suite)
		buf := make([]byte, 0, 2048)
		plain := make([]byte, 1200)
		n := testing.AllocsPerRun(100, func() {
			b := p.client.AppendRecordHeader(buf)
			b = append(b, plain...)
			b = p.client.SealRecord(b, 0)
			p.server.Receive(start, b)
			if data, ok := p.server.NextData(); !ok || len(data) != len(plain) {
				t.Fatal("no data")
			}
		})
		if n > 0 {
			t.Errorf("%v: %v allocations to seal and open a record", suite.name, n)
		}
	}
}

// TestMemoryOfConnection: what an established connection keeps, its AEADs
// included, is small. It stands here as a bound that is easy to keep; the
// figure is logged.
func TestMemoryOfConnection(t *testing.T) {
	const count = 100
	conns := make([]*Conn, 0, 2*count)
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	client, server := configs()
	p := newPair(t, client, server)
	p.exchange() // what is made once for all
	before := heap()
	for range count {
		p := newPair(t, client, server)
		p.exchange()
		conns = append(conns, p.client, p.server)
	}
	each := int(heap()-before) / len(conns)
	t.Logf("an established connection takes %d bytes, of which its two AEADs take about %d", each, 2*aeadSize(t))
	if each > 6<<10 {
		t.Errorf("an established connection takes %d bytes", each)
	}
	runtime.KeepAlive(conns)
}

func aeadSize(t testing.TB) int {
	var before, after runtime.MemStats
	key := make([]byte, 16)
	var kept [100]any
	runtime.ReadMemStats(&before)
	for i := range kept {
		kept[i], _ = newGCM(key)
	}
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(kept)
	return int(after.TotalAlloc-before.TotalAlloc) / len(kept)
}

func FuzzRecord(f *testing.F) {
	f.Add([]byte{22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 5, 0, 1, 9})
	f.Fuzz(func(t *testing.T, b []byte) {
		rec, rest, ok := parseRecord(b)
		if !ok {
			return
		}
		again := appendRecordHeader(nil, rec.typ, uint16(rec.epoch), rec.seq)
		again[1], again[2] = byte(rec.version>>8), byte(rec.version)
		again[11], again[12] = byte(len(rec.payload)>>8), byte(len(rec.payload))
		if again = append(append(again, rec.payload...), rest...); !bytes.Equal(again, b) {
			t.Fatalf("written again it is %x, not %x", again, b)
		}
	})
}

// TestWindowForgets: the replay window reaches back replay.Size records.
func TestWindowForgets(t *testing.T) {
	p, dropped := connected(t, suites[0].suite)
	old := p.client.Seal(nil, []byte("old"))
	for range replay.Size - 1 {
		p.deliver(p.server, p.client.Seal(nil, []byte("new")))
	}
	p.deliver(p.server, bytes.Clone(old))
	dropped.expect(t, "as late as may be")
	other := p.client.Seal(nil, []byte("old"))
	for range replay.Size {
		p.deliver(p.server, p.client.Seal(nil, []byte("new")))
	}
	p.deliver(p.server, other)
	dropped.expect(t, "later than that", DropReplayed)
}
