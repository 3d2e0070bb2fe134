package main

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/mediafile"
)

func TestLabJitterCommandLine(t *testing.T) {
	nonsense := filepath.Join(t.TempDir(), "nonsense")
	if err := os.WriteFile(nonsense, []byte("0 10\n20 thirty\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		line   string
		status int
		stderr string
	}{
		{"lab jitter --kind bad", 2, "it is not one of uniform, gaussian,"},
		{"lab jitter --jitter 30", 2, "it is not a time such as 50ms"},
		{"lab jitter --jitter 1m", 2, "--jitter must be no more than 10s"},
		{"lab jitter --loss 2", 2, "write 1% for one in a hundred"},
		{"lab jitter --drift 10000", 2, "--drift must be between"},
		{"lab jitter --drift NaN", 2, "--drift must be between"},
		{"lab jitter --interval 1us", 2, "--interval must be between 1ms and 500ms"},
		{"lab jitter --duration 24h --interval 1ms", 2, "2,000,000 of them at most"},
		{"lab jitter --min-delay 3s", 2, "--max-delay must be between"},
		{"lab jitter a b", 2, `does not know what to do with "b"`},
		{"lab jitter a --jitter 20ms", 2, "give one of them"},
		{"lab jitter /nowhere/at/all", 1, "the trace cannot be read"},
		{"lab jitter " + nonsense, 1, `line 2: "thirty" is not a number of milliseconds`},
		{"lab jitter --svg /nowhere/at/all.svg", 1, "the picture cannot be written"},
	} {
		status, stdout, stderr := plainrtc(t, strings.Fields(test.line)...)
		if status != test.status || stdout != "" || !strings.Contains(stderr, test.stderr) {
			t.Errorf("plainrtc %s: exit status %d, %q and %q, want %d and %q", test.line, status, stdout, stderr, test.status, test.stderr)
		}
	}
}

func TestLabJitterGolden(t *testing.T) {
	golden(t, "lab-jitter.golden", experiment(t, "lab jitter --jitter 30ms --loss 2% --seed 1")+"\n"+
		experiment(t, "lab jitter --kind wifi --jitter 200ms --drift 100 --duration 1m")+"\n"+
		experiment(t, "lab jitter testdata/jitter.txt"))
}

// A dump of what a path did is the same to the buffer as the path itself: as text, and as an RTP
// dump, of which packets of one timestamp are one.
func TestLabJitterReadsTraces(t *testing.T) {
	var made jitterJSON
	if err := json.Unmarshal([]byte(experiment(t, "lab jitter --kind queue --jitter 80ms --loss 3% --duration 30s --json")), &made); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var text strings.Builder
	text.WriteString("# sent, arrived\n")
	dump, err := os.Create(filepath.Join(dir, "call.rtpdump"))
	if err != nil {
		t.Fatal(err)
	}
	defer dump.Close()
	w, err := mediafile.NewDumpWriter(dump, time.Unix(0, 0), netip.AddrPort{})
	if err != nil {
		t.Fatal(err)
	}
	ms := func(s float64) time.Duration {
		return time.Duration(s * float64(time.Second)).Round(time.Millisecond)
	}
	for i, sent := range made.Each.Sent {
		at := made.Each.Arrival[i]
		if at == nil {
			text.WriteString(trim(sent*1000) + ", lost\n")
			continue
		}
		text.WriteString(trim(sent*1000) + ", " + trim((sent+*at)*1000+500) + "\n")
		for marker := range 2 {
			head := rtp.NewBuilder(nil, rtp.Header{SequenceNumber: uint16(65000 + 2*i + marker), Timestamp: uint32(1<<32 - 90000 + sent*90000), SSRC: 7})
			if err := w.WritePacket(mediafile.DumpPacket{Offset: ms(sent + *at + 0.5), Data: head.Bytes()}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "call.csv"), []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"call.csv", "call.rtpdump"} {
		var read jitterJSON
		if err := json.Unmarshal([]byte(experiment(t, "lab jitter --json "+filepath.Join(dir, name))), &read); err != nil {
			t.Fatal(err)
		}
		near := func(a, b float64) bool { return a-b < 0.003 && b-a < 0.003 }
		if read.Packets-read.Lost != made.Packets-made.Lost || !near(read.JitterP99, made.JitterP99) || !near(read.MeanDelay, made.MeanDelay) || !near(read.Length, made.Length) && name == "call.csv" {
			t.Errorf("%s: %d packets, %d lost, jitter %v, delay %v; made up: %d, %d, %v, %v", name, read.Packets, read.Lost, read.JitterP99, read.MeanDelay, made.Packets, made.Lost, made.JitterP99, made.MeanDelay)
		}
	}
}

func trim(v float64) string {
	b, _ := json.Marshal(v)
	return string(b)
}

func TestLabJitterPictures(t *testing.T) {
	dir := t.TempDir()
	svg, html := filepath.Join(dir, "a.svg"), filepath.Join(dir, "a.html")
	experiment(t, "lab jitter --duration 30s --loss 1%", "--svg", svg, "--html", html)
	for _, file := range []string{svg, html} {
		b, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(b), "</svg>") || !strings.Contains(string(b), "99 % of the jitter") || strings.Contains(string(b), "NaN") {
			t.Errorf("%s (%v): %.200s", file, err, b)
		}
		if file == html && !strings.Contains(string(b), "plainrtc lab jitter --duration 30s --loss 1%") {
			t.Error("the page does not tell the command line")
		}
	}
}
