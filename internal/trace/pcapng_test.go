package trace_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/internal/trace"
)

// A capture is a pcapng file read back.
type capture struct {
	application string
	interfaces  []captureInterface
	packets     []capturePacket
	secrets     []string
}

type captureInterface struct {
	link       uint16
	name       string
	resolution int
}

type capturePacket struct {
	iface     int
	at        time.Time
	direction string
	secrets   int // how many secrets stood before it
	data      []byte
}

// readCapture reads a pcapng file strictly: what the format does not allow, and
// what this package should not write, fails the test.
func readCapture(t *testing.T, file []byte) *capture {
	t.Helper()
	le := binary.LittleEndian
	var c capture
	for at := 0; len(file) > 0; at++ {
		if len(file) < 12 {
			t.Fatalf("block %d: %d bytes are no block", at, len(file))
		}
		kind, size := le.Uint32(file), int(le.Uint32(file[4:]))
		if size < 12 || size%4 != 0 || size > len(file) || int(le.Uint32(file[size-4:])) != size {
			t.Fatalf("block %d of type %#x: its lengths are wrong: %d at the front", at, kind, size)
		}
		body := file[8 : size-4]
		file = file[size:]
		if (at == 0) != (kind == 0x0a0d0d0a) {
			t.Fatalf("block %d has type %#x; the section header stands first and once", at, kind)
		}
		switch kind {
		case 0x0a0d0d0a:
			if want := append([]byte{0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0}, bytes.Repeat([]byte{0xff}, 8)...); !bytes.Equal(body[:16], want) {
				t.Fatalf("the section header is %x", body[:16])
			}
			c.application = string(readOptions(t, body[16:])[4])
		case 1:
			if le.Uint16(body[2:]) != 0 || le.Uint32(body[4:]) != 0 {
				t.Fatalf("an interface is %x", body)
			}
			options := readOptions(t, body[8:])
			c.interfaces = append(c.interfaces, captureInterface{le.Uint16(body), string(options[2]), int(options[9][0])})
		case 6:
			p := capturePacket{iface: int(le.Uint32(body)), secrets: len(c.secrets)}
			if p.iface >= len(c.interfaces) {
				t.Fatalf("block %d is of interface %d, which is not described", at, p.iface)
			}
			p.at = time.Unix(0, int64(uint64(le.Uint32(body[4:]))<<32|uint64(le.Uint32(body[8:])))).UTC()
			captured, original := int(le.Uint32(body[12:])), int(le.Uint32(body[16:]))
			if captured != original {
				t.Fatalf("block %d: %d bytes captured of %d", at, captured, original)
			}
			padded := (captured + 3) &^ 3
			p.data = body[20 : 20+captured]
			if slices.Max(append(body[20+captured:20+padded:20+padded], 0)) != 0 {
				t.Fatalf("block %d: the padding is not zero", at)
			}
			switch flags := readOptions(t, body[20+padded:])[2]; string(flags) {
			case "":
			case "\x01\x00\x00\x00":
				p.direction = "in"
			case "\x02\x00\x00\x00":
				p.direction = "out"
			default:
				t.Fatalf("block %d: the flags are %x", at, flags)
			}
			c.packets = append(c.packets, p)
		case 10:
			if le.Uint32(body) != 0x544c534b {
				t.Fatalf("secrets of type %#x", le.Uint32(body))
			}
			n := int(le.Uint32(body[4:]))
			if len(body) != 8+(n+3)&^3 {
				t.Fatalf("a block of %d bytes for %d bytes of secrets", len(body), n)
			}
			c.secrets = append(c.secrets, string(body[8:8+n]))
		default:
			t.Fatalf("block %d has the unknown type %#x", at, kind)
		}
	}
	return &c
}

func readOptions(t *testing.T, b []byte) map[uint16][]byte {
	t.Helper()
	options := map[uint16][]byte{}
	for {
		if len(b) < 4 {
			t.Fatalf("the options do not end: %x is left", b)
		}
		code, n := binary.LittleEndian.Uint16(b), int(binary.LittleEndian.Uint16(b[2:]))
		if code == 0 {
			if n != 0 || len(b) != 4 {
				t.Fatalf("bytes behind the end of the options: %x", b)
			}
			return options
		}
		padded := (n + 3) &^ 3
		if 4+padded > len(b) || options[code] != nil {
			t.Fatalf("option %d is too long or comes twice", code)
		}
		options[code] = b[4 : 4+n]
		b = b[4+padded:]
	}
}

// A datagram is what an IP packet of a capture says.
type datagram struct {
	from, to netip.AddrPort // the ports are zero for SCTP
	protocol uint8
	payload  []byte
}

// readIP reads an IP packet strictly and checks the checksums in the way of a
// receiver: the sum over everything, the checksum included, is all ones.
func readIP(t *testing.T, b []byte) datagram {
	t.Helper()
	ones := func(parts ...[]byte) bool {
		total := 0
		for _, part := range parts {
			for i, v := range part {
				total += int(v) << (8 * (1 - i%2))
			}
		}
		return total%0xffff == 0
	}
	var d datagram
	var from, to netip.Addr
	var addresses, rest []byte
	switch b[0] >> 4 {
	case 4:
		if b[0] != 0x45 || b[6] != 0x40 || b[7] != 0 || int(binary.BigEndian.Uint16(b[2:])) != len(b) || !ones(b[:20]) {
			t.Fatalf("the IPv4 header %x of a %d-byte packet is wrong", b[:20], len(b))
		}
		d.protocol, addresses, rest = b[9], b[12:20], b[20:]
	case 6:
		if int(binary.BigEndian.Uint16(b[4:])) != len(b)-40 {
			t.Fatalf("the IPv6 header %x of a %d-byte packet is wrong", b[:40], len(b))
		}
		d.protocol, addresses, rest = b[6], b[8:40], b[40:]
	default:
		t.Fatalf("IP version %d", b[0]>>4)
	}
	from, _ = netip.AddrFromSlice(addresses[:len(addresses)/2])
	to, _ = netip.AddrFromSlice(addresses[len(addresses)/2:])
	if d.protocol != 17 {
		d.from, d.to, d.payload = netip.AddrPortFrom(from, 0), netip.AddrPortFrom(to, 0), rest
		return d
	}
	pseudo := []byte{0, 17, byte(len(rest) >> 8), byte(len(rest))}
	if int(binary.BigEndian.Uint16(rest[4:])) != len(rest) || !ones(addresses, pseudo, rest) || rest[6] == 0 && rest[7] == 0 {
		t.Fatalf("the UDP header %x of a %d-byte datagram is wrong", rest[:8], len(rest))
	}
	d.from = netip.AddrPortFrom(from, binary.BigEndian.Uint16(rest))
	d.to = netip.AddrPortFrom(to, binary.BigEndian.Uint16(rest[2:]))
	d.payload = rest[8:]
	return d
}

// captured traces and reads back what was written.
func captured(t *testing.T, f func(tr *trace.Tracer)) *capture {
	t.Helper()
	var file bytes.Buffer
	p, err := trace.NewPcapng(&file)
	if err != nil {
		t.Fatal(err)
	}
	f(trace.New(p, "c"))
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	return readCapture(t, file.Bytes())
}

func TestCaptureHead(t *testing.T) {
	c := captured(t, func(*trace.Tracer) {})
	want := []captureInterface{{101, "wire", 9}, {101, "sctp", 9}, {252, "events", 9}, {252, "rtp", 9}}
	if c.application != "plainrtc" || !slices.Equal(c.interfaces, want) || len(c.packets) > 0 {
		t.Errorf("the head is %+v", c)
	}
}

func TestCapturedPackets(t *testing.T) {
	v6a, v6b := netip.MustParseAddrPort("[2001:db8::1]:1"), netip.MustParseAddrPort("[2001:db8::2]:65535")
	mapped := netip.MustParseAddrPort("[::ffff:192.0.2.9]:9")
	zoned := netip.MustParseAddrPort("[fe80::1%eth0]:7")
	none := netip.AddrPort{}
	for _, test := range []struct {
		name          string
		layer         trace.Layer
		direction     trace.Direction
		local, remote netip.AddrPort
		payload       string
		iface         int
		from, to      string
	}{
		{"sent", trace.UDP, trace.Out, local, remote, "ping", 0, "192.0.2.1:5000", "198.51.100.2:6000"},
		{"received", trace.UDP, trace.In, local, remote, "odd", 0, "198.51.100.2:6000", "192.0.2.1:5000"},
		{"empty", trace.UDP, trace.In, local, remote, "", 0, "198.51.100.2:6000", "192.0.2.1:5000"},
		{"IPv6", trace.UDP, trace.Out, v6a, v6b, "hello", 0, "[2001:db8::1]:1", "[2001:db8::2]:65535"},
		{"mapped IPv4", trace.UDP, trace.Out, mapped, remote, "x", 0, "192.0.2.9:9", "198.51.100.2:6000"},
		{"a zone", trace.UDP, trace.Out, zoned, v6b, "x", 0, "[fe80::1]:7", "[2001:db8::2]:65535"},
		{"mixed", trace.UDP, trace.Out, v6a, remote, "x", 0, "[2001:db8::1]:1", "[::ffff:198.51.100.2]:6000"},
		{"no local address", trace.UDP, trace.Out, none, v6b, "x", 0, "[::]:0", "[2001:db8::2]:65535"},
		{"no address", trace.UDP, trace.Out, none, none, "x", 0, "0.0.0.0:0", "0.0.0.0:0"},
		{"SCTP", trace.SCTP, trace.Out, local, remote, "INIT", 1, "192.0.2.1:0", "198.51.100.2:0"},
		{"SCTP over IPv6", trace.SCTP, trace.In, v6a, v6b, "INIT ACK", 1, "[2001:db8::2]:0", "[2001:db8::1]:0"},
	} {
		c := captured(t, func(tr *trace.Tracer) {
			tr.Packet(now, test.layer, test.direction, test.local, test.remote, []byte(test.payload))
		})
		if len(c.packets) != 1 {
			t.Errorf("%s: %d packets in the capture", test.name, len(c.packets))
			continue
		}
		p := c.packets[0]
		if p.iface != test.iface || !p.at.Equal(now) || p.direction != test.direction.String() {
			t.Errorf("%s: captured on interface %d at %v, %s", test.name, p.iface, p.at, p.direction)
		}
		d := readIP(t, p.data)
		protocol := map[trace.Layer]uint8{trace.UDP: 17, trace.SCTP: 132}[test.layer]
		if d.from.String() != test.from || d.to.String() != test.to || d.protocol != protocol || string(d.payload) != test.payload {
			t.Errorf("%s: captured as %v → %v, protocol %d, %q", test.name, d.from, d.to, d.protocol, d.payload)
		}
	}
}

func TestCapturedMedia(t *testing.T) {
	packet, report := "\x80\x60 and so on", "\x81\xc8 and so on"
	v6 := netip.MustParseAddrPort("[2001:db8::1]:1")
	c := captured(t, func(tr *trace.Tracer) {
		tr.Packet(now, trace.RTP, trace.Out, local, remote, []byte(packet))
		tr.Packet(now, trace.RTP, trace.In, v6, remote, []byte(report))
	})
	v4Here, v4There := "\xc0\x00\x02\x01", "\xc6\x33\x64\x02"
	portsOut := "\x00\x18\x00\x04\x00\x00\x00\x03\x00\x19\x00\x04\x00\x00\x13\x88\x00\x1a\x00\x04\x00\x00\x17\x70\x00\x00\x00\x00"
	portsIn := "\x00\x18\x00\x04\x00\x00\x00\x03\x00\x19\x00\x04\x00\x00\x17\x70\x00\x1a\x00\x04\x00\x00\x00\x01\x00\x00\x00\x00"
	for i, want := range []string{
		"\x00\x0c\x00\x04rtp\x00" + "\x00\x14\x00\x04" + v4Here + "\x00\x15\x00\x04" + v4There + portsOut + packet,
		"\x00\x0c\x00\x04rtcp" + "\x00\x14\x00\x04" + v4There + "\x00\x17\x00\x10\x20\x01\x0d\xb8" + strings.Repeat("\x00", 11) + "\x01" + portsIn + report,
	} {
		p := c.packets[i]
		if string(p.data) != want || p.iface != 3 || p.direction != []string{"out", "in"}[i] {
			t.Errorf("captured on interface %d, %s, %q, want\n%q", p.iface, p.direction, p.data, want)
		}
	}
}

// RFC 768: "If the computed checksum is zero, it is transmitted as all ones".
func TestChecksumIsNeverZero(t *testing.T) {
	c := captured(t, func(tr *trace.Tracer) {
		for v := range 1 << 16 {
			tr.Packet(now, trace.UDP, trace.Out, local, remote, []byte{byte(v >> 8), byte(v)})
		}
	})
	allOnes := 0
	for _, p := range c.packets {
		readIP(t, p.data) // fails on zero
		if p.data[26] == 0xff && p.data[27] == 0xff {
			allOnes++
		}
	}
	// Of the 65536 payloads 0000 and ffff count the same, so one or two sum to zero.
	if allOnes == 0 {
		t.Error("no payload had the checksum zero before it became all ones")
	}
}

func TestCapturedEvents(t *testing.T) {
	c := captured(t, facts)
	var got []string
	for _, p := range c.packets {
		if p.iface != 2 {
			continue
		}
		head := "\x00\x0c\x00\x08syslog\x00\x00\x00\x00\x00\x00"
		text, ok := strings.CutPrefix(string(p.data), head)
		if !ok || p.direction != "" || !p.at.Equal(now) {
			t.Errorf("an event is captured at %v as %q", p.at, p.data)
		}
		got = append(got, text)
	}
	want := []string{
		"c sctp state COOKIE-WAIT → COOKIE-ECHOED", "c pc note a rare fact",
		"c dtls drop bad record (60 bytes)", "c sctp timer T1-init",
	}
	if !slices.Equal(got, want) {
		t.Errorf("the events are %q, want %q", got, want)
	}
}

// A secret must stand before the packets it decrypts: a reader goes through the
// file once.
func TestCapturedSecrets(t *testing.T) {
	c := captured(t, func(tr *trace.Tracer) {
		tr.Packet(now, trace.UDP, trace.Out, local, remote, []byte("ClientHello"))
		tr.Secret(now, "CLIENT_RANDOM", []byte{0xab, 1}, []byte{0xcd, 2, 3})
		tr.Packet(now, trace.UDP, trace.Out, local, remote, []byte("Finished"))
	})
	if want := []string{"CLIENT_RANDOM ab01 cd0203\n"}; !slices.Equal(c.secrets, want) {
		t.Errorf("the key log is %q, want %q", c.secrets, want)
	}
	if c.packets[0].secrets != 0 || c.packets[1].secrets != 1 {
		t.Error("the secret is not at its place between the packets")
	}
}

// The secrets that come of a handshake datagram stand before it: the Finished in
// it is encrypted with them. Nothing else changes its place, and what is held for
// that is written at the latest by Close.
func TestSecretsStandBeforeTheFlightTheyOpen(t *testing.T) {
	flight := []byte{22, 0xfe, 0xfd}
	c := captured(t, func(tr *trace.Tracer) {
		tr.Packet(now, trace.UDP, trace.In, local, remote, flight)
		tr.State(now, trace.DTLS, "await Finished", "established")
		tr.Secret(now, "CLIENT_RANDOM", []byte{1}, []byte{2})
		tr.Packet(now, trace.UDP, trace.Out, local, remote, flight)
		tr.Packet(now.Add(1), trace.UDP, trace.In, local, remote, flight)
	})
	if len(c.packets) != 4 || len(c.secrets) != 1 {
		t.Fatalf("%d packets and %d secrets are captured, want 4 and 1", len(c.packets), len(c.secrets))
	}
	for i, p := range c.packets {
		if p.secrets != 1 {
			t.Errorf("packet %d stands before the secret", i)
		}
	}
	if c.packets[0].direction != "in" || c.packets[2].direction != "out" || c.packets[3].direction != "in" {
		t.Error("the packets are no longer in order")
	}
}

// Every length, and so every padding, is kept to the byte, and times to the
// nanosecond.
func TestCaptureKeepsBytes(t *testing.T) {
	stun := []byte("\x00\x01\x00\x00\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae")
	c := captured(t, func(tr *trace.Tracer) {
		for n := range len(stun) {
			tr.Packet(now.Add(time.Duration(n)), trace.UDP, trace.In, local, remote, stun[:n])
		}
	})
	for n, p := range c.packets {
		if d := readIP(t, p.data); !bytes.Equal(d.payload, stun[:n]) || !p.at.Equal(now.Add(time.Duration(n))) {
			t.Errorf("packet %d is captured at %v as %x", n, p.at, d.payload)
		}
	}
}

// What came before 1970 is written as 1970, not as the year 2554.
func TestCaptureOfNoTime(t *testing.T) {
	c := captured(t, func(tr *trace.Tracer) { tr.Note(time.Unix(-1, 0), trace.PC, "early") })
	if !c.packets[0].at.Equal(time.Unix(0, 0)) {
		t.Errorf("written as %v", c.packets[0].at)
	}
}

// A limited writer takes so many writes and fails then; it refuses torn blocks.
type limited struct {
	t      *testing.T
	left   int
	writes int
}

var errFull = errors.New("disk full")

func (l *limited) Write(b []byte) (int, error) {
	if l.writes++; l.left == 0 {
		return 0, errFull
	}
	l.left--
	if size := binary.LittleEndian.Uint32(b[4:]); int(size) != len(b) {
		l.t.Errorf("a write of %d bytes is not one block of %d", len(b), size)
	}
	return len(b), nil
}

func TestWriteErrorEndsTheCapture(t *testing.T) {
	for left := range 13 {
		w := &limited{t: t, left: left}
		p, err := trace.NewPcapng(w)
		if (left < 5) != errors.Is(err, errFull) {
			t.Errorf("after %d writes NewPcapng fails with %v", left, err)
		}
		facts(trace.New(p, "c"))
		facts(trace.New(p, "c"))
		if err := p.Err(); !errors.Is(err, errFull) || w.writes != left+1 {
			t.Errorf("after %d good writes there were %d, and the error is %v", left, w.writes, err)
		}
		if err := p.Close(); !errors.Is(err, errFull) {
			t.Errorf("Close does not say that the disk was full: %v", err)
		}
	}
}

func TestNothingIsWrittenAfterClose(t *testing.T) {
	w := &limited{t: t, left: 100}
	p, err := trace.NewPcapng(w)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	before := w.writes
	facts(trace.New(p, "c"))
	if w.writes != before || p.Err() != nil {
		t.Errorf("%d writes after Close, error %v", w.writes-before, p.Err())
	}
}

func TestCapturingDoesNotAllocate(t *testing.T) {
	p, err := trace.NewPcapng(nullWriter{})
	if err != nil {
		t.Fatal(err)
	}
	tr := trace.New(p, "c")
	packet := make([]byte, 1200)
	tr.Packet(now, trace.UDP, trace.Out, local, remote, packet)
	if n := testing.AllocsPerRun(100, func() { tr.Packet(now, trace.UDP, trace.Out, local, remote, packet) }); n != 0 {
		t.Errorf("a packet costs %v allocations", n)
	}
}

type nullWriter struct{}

func (nullWriter) Write(b []byte) (int, error) { return len(b), nil }

func BenchmarkCapture(b *testing.B) {
	p, err := trace.NewPcapng(nullWriter{})
	if err != nil {
		b.Fatal(err)
	}
	tr := trace.New(p, "c")
	packet := make([]byte, 1200)
	b.SetBytes(int64(len(packet)))
	b.ReportAllocs()
	for b.Loop() {
		tr.Packet(now, trace.UDP, trace.Out, local, remote, packet)
	}
}
