package interop

import (
	"bytes"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/plainrtc/plainrtc/dtls"
	"github.com/plainrtc/plainrtc/internal/trace"
	"github.com/plainrtc/plainrtc/peerconnection"
)

// A capture of a connection with Chromium opens in Wireshark, and shows STUN,
// DTLS that the key log in it decrypts, and SCTP in clear: whichever of the two
// is the DTLS client, which is the side that answers.
func TestCaptureOpensInWireshark(t *testing.T) {
	t.Run("ChromiumOffers", func(t *testing.T) { captureOpens(t, dtls.DTLS12, false) })
	t.Run("ChromiumAnswers", func(t *testing.T) { captureOpens(t, dtls.DTLS12, true) })
	// Debian's Wireshark knows DTLS 1.2 only: of a call in 1.3 it shows the SCTP
	// that stands in clear beside it. TestKeyLogOpensDTLS13 does the rest.
	t.Run("DTLS 1.3", func(t *testing.T) { captureOpens(t, dtls.DTLS13, true) })
}

func captureOpens(t *testing.T, version dtls.Version, weOffer bool) {
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		t.Fatal("tshark is not installed, and this test is worth nothing without it: apt-get install tshark")
	}
	file := filepath.Join(t.TempDir(), "chromium.pcapng")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	pcapng, err := trace.NewPcapng(f)
	if err != nil {
		t.Fatal(err)
	}
	const words = "these words are in the capture"
	ctx := testContext(t)
	// Wireshark keeps keys by path, so there is one: we have one address.
	cfg := peerconnection.Config{Addresses: []netip.Addr{hostAddress(t)}, MaxDTLSVersion: version}
	our, their := newPlainPeer(t, cfg, pcapng), chromium.new(t)
	offerer, answerer := peer(their), peer(our)
	if weOffer {
		offerer, answerer = answerer, offerer
	}
	near, err := offerer.Create(ctx, "captured", channelOptions{})
	if err != nil {
		t.Fatal(err)
	}
	connect(t, ctx, offerer, answerer, signalling{})
	far := accept(t, ctx, near, answerer)
	carry(t, ctx, near, far, message{Text: true, Data: []byte(words)})
	carry(t, ctx, far, near, message{Text: true, Data: []byte(words)})
	if err := our.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if err := pcapng.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}

	for _, test := range []struct {
		filter string // what Wireshark's user would type
		least  int
		why    string
		with12 bool // it takes decryption by Wireshark
	}{
		{"stun.type == 0x0001", 2, "connectivity checks both ways", false},
		{"stun.type == 0x0101", 2, "and their answers", false},
		{"dtls.handshake.type == 1", 1, "the ClientHello", false},
		{"dtls.handshake.type == 2", 1, "the ServerHello", false},
		{"dtls.handshake.type == 20", 2, "both Finished, decrypted: the key log fits", true},
		{"frame.interface_name == \"wire\" && data.data contains \"" + words + "\"", 2, "what was said, decrypted by Wireshark itself", true},
		{"frame.interface_name == \"sctp\" && sctp.chunk_type == 1", 1, "the INIT, in clear", false},
		{"frame.interface_name == \"sctp\" && sctp.chunk_type == 0", 3, "DATA, in clear", false},
		{"frame.interface_name == \"sctp\" && frame contains \"" + words + "\"", 2, "what was said, both ways", false},
	} {
		if test.with12 && version != dtls.DTLS12 {
			continue
		}
		lines := runTshark(t, tshark, "-r", file, "-Y", test.filter)
		if len(lines) < test.least {
			t.Errorf("Wireshark's filter %s finds %d packets, want at least %d: %s", test.filter, len(lines), test.least, test.why)
		}
	}
	for why, lines := range map[string][]string{
		"packets are malformed":   malformed(t, tshark, file),
		"packets have no address": runTshark(t, tshark, "-r", file, "-Y", "ip.addr == 0.0.0.0 || ipv6.addr == ::"),
	} {
		if len(lines) != 0 {
			t.Errorf("Wireshark shows that %s:\n%s", why, strings.Join(lines, "\n"))
		}
	}
	if t.Failed() {
		t.Logf("tshark shows:\n%s", strings.Join(runTshark(t, tshark, "-r", file), "\n"))
	}
}

// malformed are the packets that Wireshark can't read. It counts among them what repeats a fragment of
// DTLS, as a browser does that has waited for an answer.
func malformed(t *testing.T, tshark, file string) []string {
	t.Helper()
	return slices.DeleteFunc(runTshark(t, tshark, "-r", file, "-Y", "_ws.malformed"), func(line string) bool {
		return strings.Contains(line, "protocol DTLS: New fragment overlaps old data (retransmission?)")
	})
}

// runTshark returns the lines that tshark prints.
func runTshark(t *testing.T, tshark string, args ...string) (lines []string) {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(testContext(t), tshark, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tshark %q: %v\n%s", args, err, stderr.String())
	}
	for line := range strings.Lines(string(out)) {
		lines = append(lines, strings.TrimRight(line, "\n"))
	}
	return lines
}
