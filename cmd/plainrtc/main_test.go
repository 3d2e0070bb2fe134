package main

import (
	"bufio"
	"context"
	"io"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// plainrtc runs the command line to its end.
func plainrtc(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	var out, errs strings.Builder
	status = run(ctx, args, &out, &errs)
	return status, out.String(), errs.String()
}

// start runs a command line that serves until it is told to stop, and returns
// the URL it prints and the function that stops it and returns its exit status.
func start(t *testing.T, args ...string) (url string, stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	status := make(chan int, 1)
	go func() {
		status <- run(ctx, args, w, t.Output())
		w.Close()
	}()
	lines := bufio.NewScanner(r)
	if !lines.Scan() {
		cancel()
		t.Fatalf("plainrtc %s printed nothing and exited with %d", strings.Join(args, " "), <-status)
	}
	url = regexp.MustCompile(`http://[^ ;]+`).FindString(lines.Text())
	if url == "" {
		t.Fatalf("the first line has no URL: %q", lines.Text())
	}
	go io.Copy(io.Discard, r)
	var result int
	ended := false
	stop = func() int {
		if !ended {
			ended = true
			cancel()
			result = <-status
		}
		return result
	}
	t.Cleanup(func() { stop() })
	return url, stop
}

func TestCommandLine(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	busy := taken.Addr().String()

	for _, test := range []struct {
		line   string
		status int
		stdout string // what it must contain; "" means nothing is printed
		stderr string
	}{
		{"", 2, "", "Usage: plainrtc COMMAND"},
		{"-h", 0, "Usage: plainrtc COMMAND", ""},
		{"help", 0, "Usage: plainrtc COMMAND", ""},
		{"help serve", 0, "Usage: plainrtc serve", ""},
		{"--version", 0, "plainrtc ", ""},
		{"version", 0, " go1.", ""},
		{"help dance", 2, "", `no command "dance"`},
		{"dance", 2, "", `no command "dance"`},
		{"serve -h", 0, "Usage: plainrtc serve", ""},
		{"serve --help", 0, "Usage: plainrtc serve", ""},
		{"serve --dance", 2, "", "there is no flag --dance; plainrtc serve -h explains it"},
		{"serve now", 2, "", `does not know what to do with "now"`},
		{"serve --addr here", 2, "", "not an address with a port, such as 127.0.0.1:8080"},
		{"serve --addr " + busy, 1, "", "another program listens on " + busy + " already; choose another port, such as --addr 127.0.0.1:"},
		{"serve --addr 192.0.2.254:8080", 1, "", "not an address of this machine; --addr :8080 listens on all"},
		{"serve --trace /nowhere/at/all.pcapng", 1, "", "the trace file cannot be written"},
		{"serve --play /nowhere.ivf", 1, "", "the clip cannot be read: open /nowhere.ivf"},
		{"serve --play doc.go", 1, "", "the clip doc.go cannot be played: it is none of IVF, Ogg, WAV and Annex B; make one with: ffmpeg -i FILE -an"},
		{"serve --play " + mediaFiles + "opus.ogg", 1, "", "it is audio (opus): --play is for video, --play-audio for audio"},
		{"serve --play-audio " + mediaFiles + "vp8.ivf", 1, "", "it is video (VP8)"},
		{"serve --play-audio " + mediaFiles + "l16.wav", 1, "", "browsers take no L16; make another with: ffmpeg -i FILE -vn"},
		{"serve --record-dir doc.go/below", 1, "", "recordings cannot be stored: "},
		{"lab", 2, "", "Usage: plainrtc lab COMMAND"},
		{"lab -h", 0, "plainrtc lab COMMAND -h explains a command", ""},
		{"lab help sctp", 0, "Usage: plainrtc lab sctp", ""},
		{"help lab sctp", 0, "Usage: plainrtc lab sctp", ""},
		{"lab dance", 2, "", `no command "lab dance"; plainrtc lab -h lists them`},
		{"lab sctp --rate fast", 2, "", "it is not a rate such as 100mbit"},
		{"lab sctp --rate 1bit", 2, "", "it is not between 1kbit and 1000gbit"},
		{"lab sctp --rtt 50", 2, "", "it is not a time such as 50ms"},
		{"lab sctp --rtt -1s", 2, "", "it is not between 0 and a day"},
		{"lab sctp --loss some", 2, "", "it is not a share such as 0.1%"},
		{"lab sctp --loss 1", 2, "", "write 1% for one in a hundred"},
		{"lab sctp --queue long", 2, "", "it is not a size such as 4bdp"},
		{"lab sctp --cc tahoe", 2, "", "it is not one of bbr, cubic and newreno"},
		{"lab sctp --bytes 1.5", 2, "", "it is not a number of bytes"},
		{"lab sctp --burst-loss 1%/0", 2, "", "such as 1%/20"},
		{"lab sctp --drop 50", 2, "", "such as 50@5s"},
		{"lab sctp --reorder 1%/soon", 2, "", "it is not a time such as"},
		{"lab sctp --rate 1mbit,2mbit", 2, "", "need --sweep"},
		{"lab sctp --sweep --flows 2", 2, "", "leave out --flows"},
		{"lab sctp --sweep --drop 50@5s", 2, "", "leave out --sweep"},
		{"lab sctp --drop 50@10s", 2, "", "drop earlier or lengthen --duration"},
		{"lab sctp --flows 1000", 2, "", "1 to 100 flows"},
		{"lab sctp --duration 0s", 2, "", "--duration must be longer than 0"},
		{"lab sctp --mtu 68", 2, "", "--mtu must be between"},
		{"lab sctp --message-size 1GB", 2, "", "--message-size must be no more than"},
		{"lab sctp --message-size 4 --every 1ms", 2, "", "--message-size 8 at least"},
		{"lab sctp --max-retransmits 100000", 2, "", "--max-retransmits must be between"},
		{"lab sctp --max-retransmits 0 --bytes 1MB", 2, "", "give --duration"},
		{"lab sctp --every 1ms --bytes 1MB", 2, "", "give one of them"},
		{"lab sctp --flows 3 --stagger 5s", 2, "", "shorten --stagger or lengthen --duration"},
		{"lab sctp --svg /nowhere/at/all.svg", 1, "", "the picture cannot be written: open /nowhere/at/all.svg"},
		{"lab sctp --html /nowhere/at/all.html", 1, "", "the picture cannot be written"},
		{"lab sctp --loss 0.9999 --bytes 1MB --rate 1mbit", 1, "", "of the experiment a flow ended"},
		{"echo -h", 0, "Usage: plainrtc echo", ""},
		{"echo --addr " + busy, 1, "", "another program listens on " + busy},
		{"echo --json", 2, "", "give --client URL too"},
		{"echo --client http://127.0.0.1:1 --addr :8080", 2, "", "give one of them"},
		{"echo --client 127.0.0.1:1", 2, "", "is not a URL such as"},
		{"echo --client ftp://127.0.0.1/", 2, "", "is not a URL such as"},
		{"echo --client http://127.0.0.1:1 --timeout 0s", 2, "", "--timeout must be longer"},
		{"echo --client http://127.0.0.1:1 --timeout soon", 2, "", `invalid value "soon" for --timeout: it is not what this flag takes`},
		{"lab sctp --seed x", 2, "", `invalid value "x" for --seed: it is not what this flag takes`},
		{"serve --addr", 2, "", "--addr needs a value behind it"},
	} {
		t.Run(test.line, func(t *testing.T) {
			status, stdout, stderr := plainrtc(t, strings.Fields(test.line)...)
			if status != test.status {
				t.Errorf("exit status %d, want %d", status, test.status)
			}
			for _, stream := range []struct{ name, got, want string }{{"stdout", stdout, test.stdout}, {"stderr", stderr, test.stderr}} {
				if !strings.Contains(stream.got, stream.want) || (stream.want == "") != (stream.got == "") {
					t.Errorf("%s is %q, want something with %q", stream.name, stream.got, stream.want)
				}
			}
		})
	}
}

// Whoever asks for help sees what to type, and every flag there is.
func TestHelpHasExamples(t *testing.T) {
	for _, c := range slices.Concat(commands, labCommand.within) {
		_, help, _ := plainrtc(t, strings.Fields(c.name+" -h")...)
		_, examples, ok := strings.Cut(help, "Example")
		if !ok || !strings.Contains(examples, "\n  plainrtc "+c.name) {
			t.Errorf("plainrtc %s -h shows no example:\n%s", c.name, help)
		}
		for _, flag := range regexp.MustCompile(`--[a-z-]+`).FindAllString(c.synopsis, -1) {
			if !strings.Contains(help, "\n  "+flag) {
				t.Errorf("plainrtc %s -h does not explain %s", c.name, flag)
			}
		}
		words := append([]string{""}, strings.Fields(c.name)...)
		last := len(words) - 1
		_, overview, _ := plainrtc(t, append(words[1:last:last], "-h")...)
		if !strings.Contains(overview, "\n  "+words[last]) {
			t.Errorf("plainrtc %s -h does not list %s", strings.Join(words[1:last], " "), words[last])
		}
	}
}

func TestServersEndCleanly(t *testing.T) {
	for _, name := range []string{"serve", "echo"} {
		if _, stop := start(t, name, "--addr", "127.0.0.1:0"); stop() != 0 {
			t.Errorf("plainrtc %s did not exit with 0 after Ctrl-C", name)
		}
	}
}

// A server for the whole network says where others find it.
func TestURLsOfAllAddresses(t *testing.T) {
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	here, lan := urls(l)
	if !strings.HasPrefix(here, "http://127.0.0.1:") {
		t.Errorf("for this machine: %s, want 127.0.0.1", here)
	}
	for _, u := range lan {
		if strings.Contains(u, "127.0.0.1") || strings.Contains(u, "[::") {
			t.Errorf("for other machines: %s, which is of no use to them", u)
		}
	}
}

// A browser on this machine may not reach the loopback interface from the socket
// it has, and one elsewhere never does: each is offered what it can reach.
func TestUDPAddressesFollowTheListener(t *testing.T) {
	for _, test := range []struct {
		listen string
		want   []string
	}{
		{"127.0.0.1:0", []string{"127.0.0.1:0", "0.0.0.0:0", "[::]:0"}},
		{":0", []string{"0.0.0.0:0", "[::]:0"}},
	} {
		l, err := net.Listen("tcp", test.listen)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		var got []string
		for _, a := range udpAddresses(l) {
			got = append(got, a.String())
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("listening on %s: UDP on %v, want %v", test.listen, got, test.want)
		}
	}
}
