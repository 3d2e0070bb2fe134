package interop

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/internal/trace"
	"github.com/plainrtc/plainrtc/peerconnection"
)

// keyFrames is a trace.Sink that keeps how the key frames of VP8 begin, from their start code on (RFC
// 6386, Section 9.1).
type keyFrames struct {
	mu     sync.Mutex
	starts [][]byte
}

// Trace implements trace.Sink.
func (k *keyFrames) Trace(e *trace.Event) {
	if e.Kind != trace.KindPacket || e.Layer != trace.RTP {
		return
	}
	if at := bytes.Index(e.Bytes, []byte{0x9d, 0x01, 0x2a}); at >= 0 && len(e.Bytes) >= at+16 {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.starts = append(k.starts, bytes.Clone(e.Bytes[at:at+16]))
	}
}

// A capture of a call shows its RTP and RTCP in clear: Wireshark counts in each stream the packets
// that we do, and finds the key frames of VP8, which on the wire nobody does.
func TestCaptureShowsMedia(t *testing.T) {
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		t.Fatal("tshark is not installed, and this test is worth nothing without it: apt-get install tshark")
	}
	file := filepath.Join(t.TempDir(), "call.pcapng")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	pcapng, err := trace.NewPcapng(f)
	if err != nil {
		t.Fatal(err)
	}
	keys := new(keyFrames)
	c := newMediaCall(t, openMediaPage(t, "Chromium"), peerconnection.Config{}, pcapng, keys)
	c.do(nil, `for (const t of stream.getTracks()) pc.addTransceiver(t).setCodecPreferences(codecsOf(t.kind, t.kind === "audio" ? "audio/opus" : "video/VP8"))`)
	c.answerWith(c.echo)
	c.connected()
	c.until("both sides have reported", func() bool {
		s := c.pc.Stats()
		return len(s.RemoteOutboundRTP) == 2 && len(s.RemoteInboundRTP) == 2
	})
	counting := time.Now()
	stats := c.pc.Stats()
	if err := c.pc.Close(); err != nil {
		t.Fatal(err)
	}
	between := 20 + uint64(500*time.Since(counting).Seconds()) // packets that may have come or gone since
	if err := pcapng.Close(); err != nil {
		t.Fatal(err)
	}

	shown := map[uint32]int{}
	for _, line := range runTshark(t, tshark, "-r", file, "-Y", `frame.interface_name == "rtp" && rtp`, "-T", "fields", "-e", "rtp.ssrc") {
		ssrc, err := strconv.ParseUint(strings.TrimPrefix(line, "0x"), 16, 32)
		if err != nil {
			t.Fatal(err)
		}
		shown[uint32(ssrc)]++
	}
	counted := map[uint32]uint64{}
	for _, s := range stats.InboundRTP {
		counted[s.SSRC] = s.PacketsReceived
	}
	for _, s := range stats.OutboundRTP {
		counted[s.SSRC] = s.PacketsSent
	}
	for ssrc, n := range counted {
		if late := uint64(shown[ssrc]) - n; late > between || n < 20 {
			t.Errorf("of stream %08x Wireshark shows %d packets, and we count %d", ssrc, shown[ssrc], n)
		}
	}
	if len(counted) != 4 {
		t.Errorf("there are %d streams, want two each way", len(counted))
	}
	for _, test := range []struct {
		filter string
		least  int
		why    string
	}{
		{`frame.interface_name == "rtp" && rtp && frame contains 9d:01:2a`, 2, "key frames, both ways"},
		{`frame.interface_name == "rtp" && rtcp.pt == 200`, 2, "sender reports, both ways"},
		{`frame.interface_name == "rtp" && rtcp.pt == 205 && rtcp.rtpfb.fmt == 15`, 2, "transport-wide feedback"},
	} {
		if lines := runTshark(t, tshark, "-r", file, "-Y", test.filter); len(lines) < test.least {
			t.Errorf("Wireshark's filter %s finds %d packets, want at least %d: %s", test.filter, len(lines), test.least, test.why)
		}
	}
	if lines := malformed(t, tshark, file); len(lines) != 0 {
		t.Errorf("Wireshark shows that packets are malformed:\n%s", strings.Join(lines, "\n"))
	}
	// Three bytes of a start code stand in what is encrypted now and then, too. More of them do not.
	if len(keys.starts) < 2 {
		t.Fatalf("the trace has %d key frames", len(keys.starts))
	}
	var any []string
	for _, start := range keys.starts[:2] {
		any = append(any, "frame contains "+strings.ReplaceAll(fmt.Sprintf("% x", start), " ", ":"))
	}
	filter := "(" + strings.Join(any, " || ") + ")"
	if lines := runTshark(t, tshark, "-r", file, "-Y", `frame.interface_name == "rtp" && `+filter); len(lines) < 2 {
		t.Errorf("Wireshark's filter %s finds %d key frames in clear", filter, len(lines))
	}
	if lines := runTshark(t, tshark, "-r", file, "-Y", `frame.interface_name == "wire" && `+filter); len(lines) != 0 {
		t.Errorf("Wireshark's filter %s finds on the wire\n%s", filter, strings.Join(lines, "\n"))
	}
	t.Logf("Wireshark shows %v", shown)
}
