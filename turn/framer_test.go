package turn

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/plainrtc/plainrtc/stun"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	must(t, err)
	return b
}

// RFC 8656, Section 12.4: the bytes of ChannelData.
func TestChannelData(t *testing.T) {
	want := unhex(t, "40000005 68656c6c6f")
	b := append(make([]byte, Headroom), "hello"...)
	if got := wrapChannelData(b, Headroom, 0x4000, false); !bytes.Equal(got, want) {
		t.Errorf("built: %x", got)
	}
	if got := wrapChannelData(b, Headroom, 0x4000, true); !bytes.Equal(got, append(want, 0, 0, 0)) {
		t.Errorf("built for a stream: %x", got)
	}
	for n := range want {
		if _, _, ok := parseChannelData(want[:n]); ok {
			t.Errorf("its first %d bytes are ChannelData", n)
		}
	}
	for _, padding := range []string{"", "00", "000000"} {
		number, data, ok := parseChannelData(append(want, unhex(t, padding)...))
		if !ok || number != 0x4000 || string(data) != "hello" {
			t.Errorf("with padding %q: %x %q %v", padding, number, data, ok)
		}
	}
	for first, is := range map[byte]bool{0x00: false, 0x3f: false, 0x40: true, 0x4f: true, 0x7f: true, 0x80: false} {
		if IsChannelData([]byte{first, 0, 0, 0}) != is {
			t.Errorf("first byte %#x", first)
		}
	}
}

// RFC 8656, Section 11: a Send indication, byte for byte.
func TestIndication(t *testing.T) {
	want := unhex(t, `00160018 2112a442 000000000000000000000001
		00120008 0001023a ea12d54b
		00130005 68656c6c6f000000`)
	b := append(make([]byte, Headroom), "hello"...)
	got := wrapIndication(b, Headroom, stun.Send, stun.TransactionID{11: 1}, peerAddr, false)
	if !bytes.Equal(got, want) {
		t.Errorf("built\n%x, want\n%x", got, want)
	}
	if text := mustParse(t, got).String(); text != "Send indication XOR-PEER-ADDRESS=203.0.113.9:9000 DATA[5]" {
		t.Error(text)
	}
}

// pieces feeds a stream in pieces of n bytes and returns its messages.
func pieces(f *Framer, stream []byte, n int) (messages [][]byte) {
	for len(stream) > 0 && f.Err() == nil {
		k := min(n, len(stream), len(f.Space()))
		copy(f.Space(), stream[:k])
		f.Wrote(k)
		stream = stream[k:]
		for m, ok := f.Next(); ok; m, ok = f.Next() {
			messages = append(messages, bytes.Clone(m))
		}
	}
	return messages
}

func TestFramer(t *testing.T) {
	binding := stunHeader(stun.BindingRequest)
	channel := func(n int) []byte {
		b := append(make([]byte, Headroom), bytes.Repeat([]byte{'x'}, n)...)
		return wrapChannelData(b, Headroom, 0x4001, true)
	}
	var stream []byte
	var want [][]byte
	for _, n := range []int{0, 1, 2, 3, 4, 1200, 5000, 65000} {
		stream = append(append(stream, binding...), channel(n)...)
		want = append(want, binding, channel(n)[:channelHeader+n])
	}
	for _, n := range []int{1, 2, 3, 7, 20, 1000, 1 << 20} {
		f := &Framer{}
		got := pieces(f, stream, n)
		if len(got) != len(want) || f.Err() != nil {
			t.Fatalf("in pieces of %d: %d messages, %v", n, len(got), f.Err())
		}
		for i := range want {
			if !bytes.Equal(got[i], want[i]) {
				t.Errorf("in pieces of %d: message %d has %d bytes, want %d", n, i, len(got[i]), len(want[i]))
			}
		}
	}
	for name, c := range map[string]struct {
		max    int
		stream []byte
		want   error
	}{
		"TLS":           {0, unhex(t, "1603010200010001fc0303"), ErrFraming},
		"DTLS":          {0, unhex(t, "80000000"), ErrFraming},
		"crooked STUN":  {0, unhex(t, "00010003"), ErrFraming},
		"STUN of old":   {0, unhex(t, "00010000 00000000 000000000000000000000000"), ErrFraming},
		"large STUN":    {1500, unhex(t, "00011000"), ErrFrameSize},
		"large channel": {1500, unhex(t, "40001000"), ErrFrameSize},
	} {
		f := &Framer{Max: c.max}
		if got := pieces(f, c.stream, 4); len(got) > 0 || !errors.Is(f.Err(), c.want) {
			t.Errorf("%s: %d messages, %v", name, len(got), f.Err())
		}
	}
	// Whoever announces much and sends little takes little room.
	f := &Framer{}
	pieces(f, append(unhex(t, "4000ffff"), make([]byte, 100)...), 10)
	if len(f.b) > framerFirst {
		t.Errorf("a claim takes %d bytes", len(f.b))
	}
}
