package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/dtls"
)

// TestDTLSScripts plays the scripts in testdata/dtls: command lines against each
// other, in this process, over real sockets. The lines of a script are
//
//	NAME $ dtls --flags    start it
//	NAME < text            type a line
//	NAME > regexp          the next line that it prints
//	NAME ! regexp          a line of its standard error, after those asked for before
//	NAME ^D                end its input
//	NAME ^C                interrupt it
//	NAME = 0               wait until it exits, with this status, having printed nothing more
//	cat FILE               and then > regexp for each of its lines
//
// $ADDR is where who listens last listens, $SERVER_FINGERPRINT its certificate's;
// $CERT, $KEY and $FINGERPRINT are of a certificate on file, $DIR is a directory.
func TestDTLSScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/dtls/*.script")
	if err != nil || len(files) < 10 {
		t.Fatalf("found %d scripts (%v)", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".script"), func(t *testing.T) {
			t.Parallel() // they wait for each other more than they work
			play(t, file, string(text))
		})
	}
}

// A program is a command line under way.
type program struct {
	stdin          *io.PipeWriter
	stdout, stderr chan string
	interrupt      context.CancelFunc
	status         chan int
}

func play(t *testing.T, file, script string) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	programs := make(map[string]*program)
	vars := certificateFiles(t)
	number := 0
	fail := func(format string, args ...any) {
		t.Helper()
		t.Fatalf("%s:%d: "+format, append([]any{file, number}, args...)...)
	}
	match := func(what, pattern string, lines <-chan string, skip bool) {
		t.Helper()
		var passed []string
		for {
			select {
			case line, ok := <-lines:
				if !ok {
					fail("%s is at its end, want %s, after:\n%s", what, pattern, strings.Join(passed, "\n"))
				}
				// What the script's later lines refer to.
				if m := regexp.MustCompile(`^Listening on (\S+)`).FindStringSubmatch(line); m != nil {
					vars["ADDR"] = m[1]
				}
				if m := regexp.MustCompile(`^This side's certificate is (.*)\.$`).FindStringSubmatch(line); m != nil {
					vars["SERVER_FINGERPRINT"] = m[1]
				}
				if regexp.MustCompile(pattern).MatchString(line) {
					return
				}
				if passed = append(passed, line); !skip {
					fail("%s is %q, want %s", what, line, pattern)
				}
			case <-ctx.Done():
				fail("%s does not come: %s", what, pattern)
			}
		}
	}
	var cat chan string
	for line := range strings.Lines(script) {
		number++
		line = strings.TrimSuffix(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		name, rest, _ := strings.Cut(expand(line, vars), " ")
		verb, argument, _ := strings.Cut(rest, " ")
		if name == "cat" || name == ">" { // of no program
			verb, argument = name, rest
		}
		p := programs[name]
		switch verb {
		case "$":
			programs[name] = startProgram(t, ctx, strings.Fields(argument))
		case "<":
			io.WriteString(p.stdin, argument+"\n")
		case ">":
			lines := cat
			if p != nil {
				lines = p.stdout
			}
			match("the output", argument, lines, false)
		case "!":
			match("standard error", argument, p.stderr, true)
		case "^D":
			p.stdin.Close()
		case "^C":
			p.interrupt()
		case "=":
			select {
			case status := <-p.status:
				if strconv.Itoa(status) != argument {
					fail("exit status %d, want %s; standard error: %s", status, argument, strings.Join(remaining(p.stderr), "\n"))
				}
				if more := remaining(p.stdout); len(more) > 0 {
					fail("it printed more: %q", more)
				}
			case <-ctx.Done():
				fail("it does not exit")
			}
		case "cat":
			b, err := os.ReadFile(argument)
			if err != nil {
				fail("%v", err)
			}
			cat = linesOf(strings.NewReader(string(b)))
		default:
			fail("there is no verb %q", verb)
		}
	}
	if cat != nil {
		if more := remaining(cat); len(more) > 0 {
			t.Errorf("%s: the file has more lines: %q", file, more)
		}
	}
}

func expand(s string, vars map[string]string) string {
	for _, name := range []string{"ADDR", "SERVER_FINGERPRINT", "FINGERPRINT", "CERT", "KEY", "OTHER_KEY", "DIR"} {
		s = strings.ReplaceAll(s, "$"+name, vars[name])
	}
	return s
}

func startProgram(t *testing.T, ctx context.Context, args []string) *program {
	t.Helper()
	if len(args) == 0 || args[0] != "dtls" {
		t.Fatalf("the script starts %q", args)
	}
	in, stdin := io.Pipe()
	stdout, outW := io.Pipe()
	stderr, errW := io.Pipe()
	ctx, cancel := context.WithCancel(ctx)
	p := &program{stdin: stdin, stdout: linesOf(stdout), stderr: linesOf(stderr), interrupt: cancel, status: make(chan int, 1)}
	go func() {
		p.status <- newDTLSCommand(in).main(ctx, args[1:], outW, errW)
		outW.Close()
		errW.Close()
	}()
	t.Cleanup(func() {
		cancel()
		stdin.Close()
	})
	return p
}

// linesOf reads lines before they are asked for, as a terminal does.
func linesOf(r io.Reader) chan string {
	lines := make(chan string, 100)
	go func() {
		defer close(lines)
		for s := bufio.NewReader(r); ; {
			line, err := s.ReadString('\n')
			if err != nil {
				return
			}
			lines <- strings.TrimSuffix(line, "\n")
		}
	}()
	return lines
}

// remaining returns the lines that are left when what wrote them has ended.
func remaining(lines <-chan string) (all []string) {
	for line := range lines {
		all = append(all, line)
	}
	return all
}

// certificateFiles makes a certificate on file, and returns a script's variables.
func certificateFiles(t *testing.T) map[string]string {
	t.Helper()
	dir := t.TempDir()
	c, err := dtls.GenerateCertificate(rand.Reader, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(c.Key)
	if err != nil {
		t.Fatal(err)
	}
	vars := map[string]string{"DIR": dir, "CERT": filepath.Join(dir, "cert.pem"), "KEY": filepath.Join(dir, "key.pem")}
	writePEM(t, vars["CERT"], "CERTIFICATE", c.DER)
	writePEM(t, vars["KEY"], "PRIVATE KEY", key)
	_, vars["FINGERPRINT"], _ = strings.Cut(c.Fingerprint().String(), " ")
	return vars
}

func writePEM(t *testing.T, file, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestDTLSCommandLine(t *testing.T) {
	vars := certificateFiles(t)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(p384)
	if err != nil {
		t.Fatal(err)
	}
	vars["OTHER_KEY"] = filepath.Join(vars["DIR"], "p384.pem")
	writePEM(t, vars["OTHER_KEY"], "PRIVATE KEY", der)
	for _, test := range []struct {
		line   string
		status int
		stderr string
	}{
		{"", 2, "it needs one of --listen ADDRESS and --connect ADDRESS"},
		{"--listen :0 --connect localhost:1", 2, "it needs one of --listen"},
		{"--connect localhost", 2, "is not an address with a port"},
		{"--connect localhost:0", 2, "is not an address with a port"},
		{"--connect nobody..invalid:4444", 1, "there is no way to nobody..invalid:4444: lookup nobody..invalid: no such host"}, // which no server is asked for,
		{"--listen here", 2, "is not an address with a port"},
		{"--listen 192.0.2.254:4444", 1, "it cannot listen on 192.0.2.254:4444"},
		{"--listen :0 --version 1.1", 2, `--version "1.1" is not one of 1.3, 1.2`},
		{"--listen :0 --version 1.2,1.3", 2, "--version takes one version"},
		{"--listen :0 --cipher ROT13", 2, `--cipher "ROT13" is not one of TLS_AES_128_GCM_SHA256,`},
		{"--listen :0 --group x25519,x448", 2, `--group "x448" is not one of X25519MLKEM768, x25519,`},
		{"--listen :0 --srtp NULL", 2, `--srtp "NULL" is not one of SRTP_`},
		{"--listen :0 --fingerprint AA:BB", 2, "32 hexadecimal bytes"},
		{"--listen :0 --cert $CERT", 2, "--cert and --key go together"},
		{"--listen :0 --key $KEY", 2, "--cert and --key go together"},
		{"--listen :0 --cert /nowhere --key $KEY", 1, "the certificate cannot be read"},
		{"--listen :0 --cert $CERT --key /nowhere", 1, "the certificate's key cannot be read"},
		{"--listen :0 --cert $CERT --key $OTHER_KEY", 1, "are no certificate and its key"},
		{"--listen :0 --keylog /nowhere/keys", 1, "the key log cannot be written"},
		{"--listen :0 --version 1.2 --cipher TLS_AES_128_GCM_SHA256", 1, "dtls: Config leaves no version"},
		{"--connect 127.0.0.1:9 --version 1.2 --group X25519MLKEM768", 1, "dtls: Config leaves no version"},
	} {
		t.Run(test.line, func(t *testing.T) {
			status, stdout, stderr := plainrtc(t, append([]string{"dtls"}, strings.Fields(expand(test.line, vars))...)...)
			if status != test.status || stdout != "" || !strings.Contains(stderr, test.stderr) {
				t.Errorf("exit status %d, want %d; stdout %q; stderr %q, want something with %q", status, test.status, stdout, stderr, test.stderr)
			}
		})
	}
}

// A server that says nothing: Ctrl-C ends the client, which has failed.
func TestDTLSInterrupted(t *testing.T) {
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	p := startProgram(t, t.Context(), []string{"dtls", "--connect", silent.LocalAddr().String()})
	if _, _, err := silent.ReadFrom(make([]byte, 2048)); err != nil {
		t.Fatal(err)
	}
	p.interrupt()
	if status, stderr := <-p.status, remaining(p.stderr); status != 1 || len(stderr) != 1 || !strings.Contains(stderr[0], "interrupted before the handshake was done") {
		t.Errorf("exit status %d, standard error %q", status, stderr)
	}
}

// A line longer than a record ends the connection, and says why.
func TestDTLSLongLine(t *testing.T) {
	server := startProgram(t, t.Context(), []string{"dtls", "--listen", "127.0.0.1:0"})
	addr := regexp.MustCompile(`127[0-9.:]+`).FindString(<-server.stderr)
	client := startProgram(t, t.Context(), []string{"dtls", "--connect", addr})
	longest := strings.Repeat("x", maxLine)
	io.WriteString(client.stdin, longest+"\n")
	if got := <-server.stdout; got != longest {
		t.Errorf("the longest line arrives as %d bytes, want %d", len(got), maxLine)
	}
	go io.WriteString(client.stdin, longest+"x\n") // the end of which nobody reads
	if status, stderr := <-client.status, strings.Join(remaining(client.stderr), " "); status != 1 || !strings.Contains(stderr, "longer than 16383 bytes") {
		t.Errorf("exit status %d, standard error %q", status, stderr)
	}
	if status := <-server.status; status != 0 {
		t.Errorf("the server exits with %d: the client said no goodbye", status)
	}
}

// TestDTLSCrowd: while a client thinks about its cookie, strangers come, and get a
// request for one each. It is not forgotten over them, because it was at once.
func TestDTLSCrowd(t *testing.T) {
	server := startProgram(t, t.Context(), []string{"dtls", "--listen", "127.0.0.1:0"})
	addr := regexp.MustCompile(`127[0-9.:]+`).FindString(<-server.stderr)
	config := dtls.Config{
		Rand:       rand.Reader,
		VerifyPeer: func([]byte) error { return nil },
		Groups:     []dtls.Group{dtls.X25519}, // for a ClientHello of one datagram
		InitialRTO: time.Minute,               // nothing is lost, and nothing said twice
	}
	var err error
	if config.Certificate, err = dtls.GenerateCertificate(rand.Reader, time.Now()); err != nil {
		t.Fatal(err)
	}
	type visitor struct {
		conn   *dtls.Conn
		socket net.Conn
	}
	newVisitor := func() (v visitor) {
		if v.conn, err = dtls.NewClient(config); err != nil {
			t.Fatal(err)
		}
		if v.socket, err = net.Dial("udp", addr); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { v.socket.Close() })
		v.conn.Connect(time.Now())
		return v
	}
	// speak sends what the visitor has to say, and hands it one answer.
	speak := func(v visitor) {
		t.Helper()
		for b := v.conn.AppendPacket(time.Now(), nil); len(b) > 0; b = v.conn.AppendPacket(time.Now(), nil) {
			v.socket.Write(b)
		}
		v.socket.SetReadDeadline(time.Now().Add(10 * time.Second))
		b := make([]byte, 2048)
		n, err := v.socket.Read(b)
		if err != nil {
			t.Fatalf("client %v: no answer: %v", v.conn.State(), err)
		}
		v.conn.Receive(time.Now(), b[:n])
	}
	client := newVisitor()
	speak(client)
	for range 2 * maxDTLSPeers {
		speak(newVisitor())
	}
	speak(client)
	if !client.conn.Established() {
		t.Fatalf("client is %v (%v)", client.conn.State(), client.conn.Err())
	}
	speak(client)
	client.socket.Write(client.conn.Seal(nil, []byte("hello")))
	if got := <-server.stdout; got != "hello" {
		t.Errorf("the server prints %q", got)
	}
	client.conn.Close(time.Now())
	client.socket.Write(client.conn.AppendPacket(time.Now(), nil))
	if status := <-server.status; status != 0 {
		t.Errorf("the server exits with %d", status)
	}
}
