package mediafile

import (
	"bytes"
	"encoding/hex"
	"io"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
)

// A dump as rtptools' rtpdump writes it, of one RTP packet, of which only the header
// was kept, and a receiver report.
var dumpText = "#!rtpplay1.0 192.0.2.1/5004\n" + unhex(`
	65b2a0c0 00016378 c0000201 138c 0000
	0014 00b4 00000000  800012340000567890abcdef
	0010 0000 000003e9  80c9000190abcdef`)

func unhex(s string) string {
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		panic(err)
	}
	return string(b)
}

var (
	dumpStart   = time.Unix(0x65b2a0c0, 0x16378*1000)
	dumpSource  = netip.MustParseAddrPort("192.0.2.1:5004")
	dumpPackets = []DumpPacket{
		{Offset: 0, Data: []byte(unhex("800012340000567890abcdef")), Length: 180},
		{Offset: 1001 * time.Millisecond, Data: []byte(unhex("80c9000190abcdef")), Length: 8, RTCP: true},
	}
)

func readDump(t *testing.T, text string) (*DumpReader, []DumpPacket) {
	t.Helper()
	d, err := NewDumpReader(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	var all []DumpPacket
	for {
		p, err := d.NextPacket()
		if err == io.EOF {
			return d, all
		}
		if err != nil {
			t.Fatal(err)
		}
		p.Data = bytes.Clone(p.Data)
		all = append(all, p)
	}
}

func TestDumpReader(t *testing.T) {
	d, all := readDump(t, dumpText)
	if !d.Start.Equal(dumpStart) || d.Source != dumpSource {
		t.Errorf("from %v at %v, want %v at %v", d.Source, d.Start, dumpSource, dumpStart)
	}
	if !reflect.DeepEqual(all, dumpPackets) {
		t.Errorf("packets are\n%+v, want\n%+v", all, dumpPackets)
	}
	// Wireshark has a name in front, which is the destination's, where there is no address.
	d, _ = readDump(t, strings.Replace(dumpText, "192.0.2.1/5004", "localhost/4", 1))
	if d.Source != dumpSource {
		t.Errorf("from %v, want what the header says", d.Source)
	}
}

func TestDumpWriter(t *testing.T) {
	var b bytes.Buffer
	d, err := NewDumpWriter(&b, dumpStart, dumpSource)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range dumpPackets {
		if err := d.WritePacket(p); err != nil {
			t.Fatal(err)
		}
	}
	if b.String() != dumpText {
		t.Errorf("wrote\n%q, want\n%q", b.String(), dumpText)
	}
	for _, p := range []DumpPacket{
		{}, {Data: make([]byte, 1<<16)}, {Data: []byte{1}, Length: 1 << 16}, {Data: []byte{1}, Offset: -time.Second},
		{Data: []byte{1}, Offset: 50 * 24 * time.Hour},
	} {
		if err := d.WritePacket(p); err != ErrEmpty && err != ErrTooLarge {
			t.Errorf("%d bytes at %v: %v", len(p.Data), p.Offset, err)
		}
	}
	// A source of IPv6 stands in the first line alone; none at all is all zeros.
	for _, source := range []string{"[2001:db8::1]:9", ""} {
		b.Reset()
		from, _ := netip.ParseAddrPort(source)
		if _, err := NewDumpWriter(&b, dumpStart, from); err != nil {
			t.Fatal(err)
		}
		want := from
		if source == "" {
			want = netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
		}
		if r, _ := readDump(t, b.String()); r.Source != want {
			t.Errorf("source is %v, want %v", r.Source, want)
		}
	}
}

func TestDumpErrors(t *testing.T) {
	for _, text := range []string{
		"", "#!rtpplay1.0 1.2.3.4/5", "RTP\n" + strings.Repeat("x", 16), "#!rtpplay1.0 1.2.3.4/5\nshort",
		"#!rtpplay1.0 " + strings.Repeat("x", 300) + "\n" + strings.Repeat("x", 16), strings.Repeat("x", 1<<16),
	} {
		if _, err := NewDumpReader(strings.NewReader(text)); err != ErrMalformed && err != ErrTruncated {
			t.Errorf("%.20q: %v", text, err)
		}
	}
	const head = len("#!rtpplay1.0 192.0.2.1/5004\n") + dumpHeaderSize
	for n := head; n < len(dumpText); n++ {
		d, err := NewDumpReader(strings.NewReader(dumpText[:n]))
		if err != nil {
			t.Fatal(err)
		}
		for err == nil {
			_, err = d.NextPacket()
		}
		if whole := n == head || n == head+20; err != ErrTruncated && !whole || err != io.EOF && whole {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
	d, err := NewDumpReader(strings.NewReader(dumpText[:head] + "\x00\x07\x00\x00\x00\x00\x00\x00"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.NextPacket(); err != ErrMalformed {
		t.Errorf("a packet shorter than its header: %v", err)
	}
}
