package peerconnection

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
)

// What Chromium 156 sends for createDataChannel("test", {ordered: false,
// maxRetransmits: 3, protocol: "p"}).
const chromiumOpen = "03810100000000030004000174657374" + "70"

func TestDCEPOpen(t *testing.T) {
	b, err := hex.DecodeString(chromiumOpen)
	if err != nil {
		t.Fatal(err)
	}
	m, ok := parseDCEPOpen(b)
	if !ok {
		t.Fatal("not understood")
	}
	want := `DATA_CHANNEL_OPEN type=0x81 priority=256 reliability=3 label="test" protocol="p"`
	if m.String() != want {
		t.Errorf("read %v, want %v", m, want)
	}
	if got := m.append(nil); !bytes.Equal(got, b) {
		t.Errorf("written again it is %x, want %x", got, b)
	}
	for n := range b {
		if _, ok := parseDCEPOpen(b[:n]); ok {
			t.Errorf("the first %d of %d bytes are taken for a whole message", n, len(b))
		}
	}
	for name, bad := range map[string]string{
		"an unknown channel type": strings.Replace(chromiumOpen, "0381", "0384", 1),
		"a byte too many":         chromiumOpen + "00",
		"another message type":    strings.Replace(chromiumOpen, "0381", "0481", 1),
	} {
		b, _ := hex.DecodeString(bad)
		if m, ok := parseDCEPOpen(b); ok {
			t.Errorf("%s is taken for %v", name, m)
		}
	}
}

func FuzzParseDCEPOpen(f *testing.F) {
	b, _ := hex.DecodeString(chromiumOpen)
	f.Add(b)
	f.Add([]byte{dcepOpen})
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, ok := parseDCEPOpen(b); ok && !bytes.Equal(m.append(nil), b) {
			t.Errorf("%x reads as %v and is written as %x", b, m, m.append(nil))
		}
	})
}
