package sctp

import (
	"bytes"
	"encoding/base64"
	"hash/crc32"
	"testing"
)

// RFC 9260, Appendix A, takes its CRC32c from RFC 3309, whose check value is
// the same as everybody's.
func TestChecksumPolynomial(t *testing.T) {
	if got := crc32.Checksum([]byte("123456789"), castagnoli); got != 0xe3069283 {
		t.Errorf("CRC32c is %#x", got)
	}
}

func TestChecksumIsVerified(t *testing.T) {
	for _, packet := range samplePackets() {
		was := bytes.Clone(packet)
		if !checkChecksum(packet) || !bytes.Equal(packet, was) {
			t.Errorf("a good packet is refused or changed: %s", Describe(packet))
		}
		for i := range packet {
			packet[i] ^= 0x10
			if checkChecksum(packet) {
				t.Errorf("byte %d may change: %s", i, Describe(packet))
			}
			packet[i] ^= 0x10
		}
	}
}

// Chromium 156 puts its INIT chunk into SDP when SNAP is on: these are two of
// them as they stood there.
func TestChromiumInit(t *testing.T) {
	for _, s := range []struct{ sdp, want string }{
		{"AQAAHjcSLlcAUAAA/////8DkV3HAAAAEgAgABoLA", "INIT tag=37122e57 tsn=3236190065 rwnd=5242880 streams=65535/65535"},
		{"AQAAHsc9sYIAUAAA/////zdS6Z/AAAAEgAgABoLA", "INIT tag=c73db182 tsn=928180639 rwnd=5242880 streams=65535/65535"},
	} {
		b, err := base64.StdEncoding.DecodeString(s.sdp)
		if err != nil {
			t.Fatal(err)
		}
		c, rest, ok := nextChunk(b)
		if !ok || len(rest) != 0 || c.String() != s.want {
			t.Fatalf("%q, %d bytes left; want %q", c, len(rest), s.want)
		}
		i, _ := parseInit(c)
		p, ok := parseInitParams(i.params)
		if !ok || p.extensions != PartialReliability|Reconfiguration || p.unrecognized != nil {
			t.Errorf("its parameters are %+v", p)
		}
		// Ours says the same in the same bytes.
		ours := i
		ours.params = (PartialReliability | Reconfiguration).appendParams(nil)
		if got := ours.append(nil, typeInit); !bytes.Equal(got[:len(c.raw)], c.raw) {
			t.Errorf("we write %x, Chromium %x", got, c.raw)
		}
	}
}

// Each chunk is described in the RFC's words, and written as it was read.
func TestChunks(t *testing.T) {
	want := []string{
		"DATA tsn=7 stream=1 ssn=2 ppid=51 flags=BE data[5]",
		"INIT tag=00000001 tsn=9 rwnd=1048576 streams=65535/65535",
		"INIT ACK tag=00000001 tsn=9 rwnd=1048576 streams=1/1 cookie[16]",
		"SACK cum=5 rwnd=100 gap=7-8 gap=10-10 dup=4",
		"HEARTBEAT",
		"HEARTBEAT ACK",
		`ABORT T (User-Initiated Abort: "bye")`,
		"SHUTDOWN cum=5",
		"SHUTDOWN ACK",
		"ERROR (Invalid Stream Identifier)",
		"COOKIE ECHO cookie[20]",
		"COOKIE ACK",
		"SHUTDOWN COMPLETE T",
		"RE-CONFIG outgoing reset seq=1 last=3 streams=[1 2]",
		`RE-CONFIG response seq=5 "In progress"`,
		"FORWARD TSN cum=9 stream=1/ssn=2",
		"I-DATA tsn=7 stream=1 mid=70000 ppid=51 flags=B data[3]",
		"I-DATA tsn=8 stream=1 mid=2 fsn=1 flags=IUE data[2]",
		"I-FORWARD-TSN cum=9 stream=1/mid=70000 stream=1/mid=U2",
		"chunk type 193[7]",
	}
	for i, packet := range samplePackets() {
		if got := Describe(packet); got != want[i] {
			t.Errorf("%q, want %q", got, want[i])
		}
		c, _, _ := nextChunk(packet[headerSize:])
		roundTrip(t, c)
	}
}

// No strict prefix of a chunk is a chunk, and no strict prefix of a value that
// has a fixed or counted length parses.
func TestPrefixesFail(t *testing.T) {
	for _, packet := range samplePackets() {
		c, _, ok := nextChunk(packet[headerSize:])
		if !ok {
			t.Fatal("a sample does not parse")
		}
		for n := range len(c.raw) {
			if _, _, ok := nextChunk(c.raw[:n:n]); ok {
				t.Errorf("%d of %d bytes of %s are a chunk", n, len(c.raw), c)
			}
		}
		for n := range len(c.value) {
			short := c
			short.value = c.value[:n]
			switch c.typ {
			case typeData:
				_, ok = parseData(short)
				ok = ok && n < dataHeaderSize-chunkHeaderSize // beyond, it is less data
			case typeIData:
				_, ok = parseInterleaved(short)
				ok = ok && n < interleavedHeaderSize-chunkHeaderSize
			case typeIForwardTSN:
				_, ok = parseInterleavedForward(short)
				ok = ok && n%8 != 4
			case typeInit, typeInitAck:
				var i initChunk
				if i, ok = parseInit(short); ok {
					_, ok = parseInitParams(i.params)
					// What ends between two parameters is a shorter list.
					ok = ok && n != 16 && n != 20
				}
			case typeSack:
				_, ok = parseSack(short)
			case typeShutdown:
				_, ok = parseShutdown(short)
			case typeForwardTSN:
				_, ok = parseForward(short)
				ok = ok && n%4 != 0
			case typeReconfig:
				p, _, found := nextParam(short.value)
				ok = found
				if found {
					t.Errorf("%d bytes of %s hold a parameter %d", n, c, p.typ)
				}
			default:
				ok = false
			}
			if ok {
				t.Errorf("%d of %d bytes of the value of %s parse", n, len(c.value), c)
			}
		}
	}
	if _, _, ok := parseHeader(make([]byte, headerSize-1)); ok {
		t.Error("eleven bytes are a common header")
	}
	for _, p := range []param{{typ: paramOutgoingReset, value: make([]byte, 13)}, {typ: paramOutgoingReset, value: make([]byte, 11)}, {typ: paramIncomingReset, value: make([]byte, 5)}} {
		if _, ok := parseResetRequest(p); ok {
			t.Errorf("a reset request of %d bytes parses", len(p.value))
		}
	}
	if _, ok := parseReconfigResponse(param{value: make([]byte, 7)}); ok {
		t.Error("a response of seven bytes parses")
	}
}

// Unknown parameters are treated as their two highest bits say (RFC 9260,
// Section 3.2.1).
func TestUnknownParameters(t *testing.T) {
	for _, test := range []struct {
		typ              paramType
		goesOn, reported bool
	}{{0x3fff, false, false}, {0x7fff, false, true}, {0xbfff, true, false}, {0xffff, true, true}} {
		b := appendParam(nil, test.typ, []byte{1, 2, 3})
		b = appendParam(b, paramForwardTSN, nil)
		p, ok := parseInitParams(b)
		if !ok || p.extensions.has(PartialReliability) != test.goesOn || (p.unrecognized != nil) != test.reported {
			t.Errorf("%04x: %+v", uint16(test.typ), p)
		}
	}
	var many []byte
	for range 100 {
		many = appendParam(many, 0xffff, make([]byte, 20))
	}
	if p, _ := parseInitParams(many); len(p.unrecognized) > 2*maxReported {
		t.Errorf("%d bytes would be reported", len(p.unrecognized))
	}
}
