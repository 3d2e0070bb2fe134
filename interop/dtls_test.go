package interop

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// The versions, cipher suites and groups of the matrix.
const (
	v12, v13 = "DTLS 1.2", "DTLS 1.3"

	tls128    = "TLS_AES_128_GCM_SHA256"
	tls256    = "TLS_AES_256_GCM_SHA384"
	tlsChacha = "TLS_CHACHA20_POLY1305_SHA256"

	aes128 = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
	aes256 = "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"
	chacha = "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"

	rsa128    = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
	rsa256    = "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"
	rsaChacha = "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"

	mlkem, x25519, p256, p384 = "X25519MLKEM768", "x25519", "secp256r1", "secp384r1"

	srtpSHA1, srtpGCM = "SRTP_AES128_CM_HMAC_SHA1_80", "SRTP_AEAD_AES_128_GCM"
)

// ourRSA makes our side show a certificate with an RSA key.
const ourRSA = "--cert rsa.pem --key rsa.key"

// dtlsMatrix is what plainrtc dtls, in a process of its own, negotiates with
// others on the loopback address, and that lines go both ways. The other stack
// is the DTLS server or the client, and shows a certificate with a key of that
// kind. What is given to either is what its command line takes. No program of
// Debian's speaks DTLS 1.3: there the other is ours too.
var dtlsMatrix = []dtlsCase{
	{openSSL, server, "p256", "", "", v12, aes128, x25519, ""},
	{openSSL, client, "p256", "", "", v12, aes128, x25519, ""},
	{openSSL, server, "p256", "--version 1.2", "-cipher ECDHE-ECDSA-AES256-GCM-SHA384", v12, aes256, x25519, ""},
	{openSSL, client, "p256", "--version 1.2", "-cipher ECDHE-ECDSA-AES256-GCM-SHA384", v12, aes256, x25519, ""},
	{openSSL, server, "p256", "", "-cipher ECDHE-ECDSA-CHACHA20-POLY1305", v12, chacha, x25519, ""},
	{openSSL, client, "p256", "", "-cipher ECDHE-ECDSA-CHACHA20-POLY1305", v12, chacha, x25519, ""},
	{openSSL, server, "p256", "--cipher " + chacha + "," + aes128, "", v12, chacha, x25519, ""},
	{openSSL, client, "p256", "--cipher " + aes256 + "," + aes128, "", v12, aes256, x25519, ""},
	{openSSL, server, "p256", "", "-groups P-256", v12, aes128, p256, ""},
	{openSSL, client, "p256", "", "-groups P-256", v12, aes128, p256, ""},
	// To OpenSSL the groups are also those of keys in certificates.
	{openSSL, server, "p256", "--group secp384r1,secp256r1", "-groups P-384:P-256", v12, aes128, p384, ""},
	{openSSL, client, "p256", "--group secp384r1", "-groups P-384:P-256", v12, aes128, p384, ""},
	{openSSL, server, "p256", "--group secp256r1", "", v12, aes128, p256, ""},
	{openSSL, client, "p256", "--group secp384r1,x25519", "", v12, aes128, p384, ""},
	{openSSL, server, "p384", "", "", v12, aes128, x25519, ""},
	{openSSL, client, "p384", "", "", v12, aes128, x25519, ""},
	{openSSL, server, "rsa", "", "", v12, rsa128, x25519, ""},
	{openSSL, server, "rsa", "", "-cipher ECDHE-RSA-AES256-GCM-SHA384", v12, rsa256, x25519, ""},
	{openSSL, server, "rsa", "--cipher " + rsaChacha, "", v12, rsaChacha, x25519, ""},
	{openSSL, server, "rsa", "", "-sigalgs RSA+SHA512:ECDSA+SHA256", v12, rsa128, x25519, ""},
	{openSSL, server, "rsa", "", "-sigalgs RSA-PSS+SHA384:ECDSA+SHA256", v12, rsa128, x25519, ""},
	{openSSL, server, "rsa", ourRSA, "", v12, rsa128, x25519, ""},
	{openSSL, client, "p256", ourRSA, "", v12, rsa128, x25519, ""},
	{openSSL, client, "rsa", ourRSA, "-sigalgs RSA+SHA256", v12, rsa128, x25519, ""},
	{openSSL, client, "rsa", ourRSA + " --cipher " + rsa256, "-sigalgs RSA-PSS+SHA384", v12, rsa256, x25519, ""},
	{openSSL, client, "rsa", "", "", v12, aes128, x25519, ""},
	{openSSL, client, "rsa", "", "-sigalgs RSA-PSS+SHA256:ECDSA+SHA256", v12, aes128, x25519, ""},
	{openSSL, server, "p256", "--srtp " + srtpGCM + "," + srtpSHA1, "-use_srtp SRTP_AES128_CM_SHA1_80", v12, aes128, x25519, srtpSHA1},
	{openSSL, client, "p256", "--srtp " + srtpGCM + "," + srtpSHA1, "-use_srtp SRTP_AEAD_AES_128_GCM", v12, aes128, x25519, srtpGCM},
	{openSSL, server, "p256", "", "-mtu 300", v12, aes128, x25519, ""},
	{openSSL, client, "rsa", "", "-mtu 300", v12, aes128, x25519, ""},

	{gnuTLS, server, "p256", "", "", v12, aes128, x25519, ""},
	{gnuTLS, client, "p256", "", "", v12, aes128, x25519, ""},
	{gnuTLS, server, "p256", "--version 1.2", "--priority NORMAL:-CIPHER-ALL:+AES-256-GCM", v12, aes256, x25519, ""},
	{gnuTLS, client, "p256", "--version 1.2", "--priority NORMAL:-CIPHER-ALL:+AES-256-GCM", v12, aes256, x25519, ""},
	{gnuTLS, server, "p256", "", "--priority NORMAL:-CIPHER-ALL:+CHACHA20-POLY1305", v12, chacha, x25519, ""},
	{gnuTLS, client, "p256", "", "--priority NORMAL:-CIPHER-ALL:+CHACHA20-POLY1305", v12, chacha, x25519, ""},
	{gnuTLS, server, "p256", "", "--priority NORMAL:-GROUP-ALL:+GROUP-SECP256R1", v12, aes128, p256, ""},
	{gnuTLS, client, "p256", "", "--priority NORMAL:-GROUP-ALL:+GROUP-SECP384R1", v12, aes128, p384, ""},
	{gnuTLS, server, "p384", "", "", v12, aes128, x25519, ""},
	{gnuTLS, client, "p384", "", "", v12, aes128, x25519, ""},
	{gnuTLS, server, "rsa", "", "", v12, rsa128, x25519, ""},
	{gnuTLS, server, "rsa", "", "--priority NORMAL:-CIPHER-ALL:+CHACHA20-POLY1305", v12, rsaChacha, x25519, ""},
	{gnuTLS, server, "rsa", "", "--priority NORMAL:-SIGN-ALL:+SIGN-RSA-SHA256:+SIGN-ECDSA-SHA256", v12, rsa128, x25519, ""},
	{gnuTLS, server, "rsa", ourRSA, "", v12, rsa128, x25519, ""},
	{gnuTLS, client, "p256", ourRSA, "", v12, rsa128, x25519, ""},
	{gnuTLS, client, "rsa", ourRSA, "--priority NORMAL:-SIGN-ALL:+SIGN-RSA-SHA256", v12, rsa128, x25519, ""},
	{gnuTLS, client, "rsa", "", "", v12, aes128, x25519, ""},
	{gnuTLS, client, "rsa", "", "--mtu 600", v12, aes128, x25519, ""},

	{plainrtc, server, "p256", "", "", v13, tls128, mlkem, ""},
	{plainrtc, server, "p256", "--group x25519 --cipher " + tls256, "", v13, tls256, x25519, ""},
	{plainrtc, client, "p256", "--group secp384r1 --cipher " + tlsChacha, "", v13, tlsChacha, p384, ""},
	{plainrtc, server, "rsa", "", "", v13, tls128, mlkem, ""},
	{plainrtc, client, "rsa", "", "", v13, tls128, mlkem, ""},
	{plainrtc, server, "rsa", ourRSA, "--version 1.3", v13, tls128, mlkem, ""},
	{plainrtc, server, "rsa", ourRSA, "--version 1.2", v12, rsa128, x25519, ""},

	// Its newest release, 3.1.15, speaks 1.2 alone: 1.3 is "a work in progress"
	// there, which no option reaches.
	{pionDTLS, server, "p256", "", "", v12, aes128, x25519, ""},
	{pionDTLS, client, "p256", "", "", v12, aes128, x25519, ""},
	{pionDTLS, server, "p256", "--version 1.2 --cipher " + aes256, "", v12, aes256, x25519, ""},
	{pionDTLS, client, "p256", "--version 1.2 --cipher " + aes256, "", v12, aes256, x25519, ""},
	{pionDTLS, server, "p256", "--cipher " + chacha, "", v12, chacha, x25519, ""},
	{pionDTLS, client, "p256", "--cipher " + chacha, "", v12, chacha, x25519, ""},
	{pionDTLS, server, "p256", "--group secp256r1", "", v12, aes128, p256, ""},
	{pionDTLS, client, "p256", "--group secp384r1", "", v12, aes128, p384, ""},
	{pionDTLS, server, "rsa", "", "", v12, rsa128, x25519, ""},
	{pionDTLS, client, "p256", ourRSA, "", v12, rsa128, x25519, ""},
	{pionDTLS, client, "rsa", "", "", v12, aes128, x25519, ""},
	{pionDTLS, server, "p256", "--srtp " + srtpSHA1, "", v12, aes128, x25519, srtpSHA1},
	{pionDTLS, client, "p256", "--srtp " + srtpGCM, "", v12, aes128, x25519, srtpGCM},
}

// dtlsRefusals are handshakes that must not come about, with what our side says.
var dtlsRefusals = []dtlsCase{
	{openSSL, server, "p256", "--version 1.3", "", "", "", "", "the server speaks DTLS 1.2, and only DTLS 1.3 was offered"},
	{gnuTLS, server, "p256", "--version 1.3", "", "", "", "", "the server speaks DTLS 1.2, and only DTLS 1.3 was offered"},
	{openSSL, server, "p256", "--cipher " + aes128, "-cipher ECDHE-ECDSA-AES256-GCM-SHA384", "", "", "", "the peer ended the connection with alert handshake_failure"},
	{openSSL, server, "p256", "--fingerprint 00" + strings.Repeat(":00", 31), "", "", "", "", "the peer's certificate"},
}

// A dtlsCase is one line of the matrix.
type dtlsCase struct {
	stack        dtlsStack
	role         dtlsRole // of the other
	key          string
	ours, theirs string
	version      string
	suite        string
	group        string
	last         string // the SRTP profile; of a refusal, the error
}

func (c dtlsCase) String() string {
	return strings.Join(strings.Fields(fmt.Sprint(c.stack.name, " ", c.role, " ", c.key, " ", c.theirs, " / ", c.ours)), " ")
}

type dtlsRole string

const (
	server dtlsRole = "server"
	client dtlsRole = "client"
)

// A dtlsStack starts a process, or what is like one, that speaks DTLS.
type dtlsStack struct {
	name string
	// echoes says that its server sends back what it gets, and nothing else.
	echoes bool
	start  func(t *testing.T, c dtlsCase, cert certificateFile, addr string) *dtlsProcess
}

// A dtlsProcess is one end. Its lines are those of its output.
type dtlsProcess struct {
	name  string
	stdin io.WriteCloser
	lines chan string
	stop  func()       // at once
	wait  func() error // until it ends by itself
	seen  strings.Builder
}

var (
	openSSL = dtlsStack{"OpenSSL", false, func(t *testing.T, c dtlsCase, cert certificateFile, addr string) *dtlsProcess {
		if c.role == server {
			p := startProcess(t, "openssl", "s_server -dtls1_2 -listen -accept "+addr+" -Verify 1 -cert "+cert.pem+" -key "+cert.key+" "+c.theirs)
			p.expect(t, "ACCEPT")
			return p
		}
		return startProcess(t, "openssl", "s_client -dtls1_2 -connect "+addr+" -cert "+cert.pem+" -key "+cert.key+" "+c.theirs)
	}}
	gnuTLS = dtlsStack{"GnuTLS", true, func(t *testing.T, c dtlsCase, cert certificateFile, addr string) *dtlsProcess {
		host, port, _ := net.SplitHostPort(addr)
		shared := " --udp --port " + port + " --x509certfile " + cert.pem + " --x509keyfile " + cert.key + " " + c.theirs
		if c.role == server {
			p := startProcess(t, "gnutls-serv", "--echo --require-client-cert"+shared)
			p.expect(t, "Server listening on IPv4 0.0.0.0 port "+port+"...done")
			return p
		}
		return startProcess(t, "gnutls-cli", "--insecure "+host+shared)
	}}
)

// plainrtc is our program once more.
var plainrtc = dtlsStack{"plainrtc", false, func(t *testing.T, c dtlsCase, cert certificateFile, addr string) *dtlsProcess {
	flags := " --cert " + cert.pem + " --key " + cert.key + " " + c.theirs
	if c.role == server {
		p := startProcess(t, dtlsProgram, "dtls --listen "+addr+flags)
		p.expect(t, "certificate is")
		return p
	}
	return startProcess(t, dtlsProgram, "dtls --linger 50ms --connect "+addr+flags)
}}

// dtlsProgram is our program, which a test has built.
var dtlsProgram string

// TestDTLS plays the matrix.
func TestDTLS(t *testing.T) {
	dtlsProgram = buildPlainrtc(t)
	certs := map[string]certificateFile{}
	for _, kind := range []string{"p256", "p384", "rsa"} {
		certs[kind] = newCertificateFile(t, kind)
	}
	// The group ends when its parallel tests have, before the program goes.
	t.Run("matrix", func(t *testing.T) {
		for _, c := range dtlsMatrix {
			t.Run(c.String(), func(t *testing.T) {
				t.Parallel()
				c.agrees(t, certs)
			})
		}
		for _, c := range dtlsRefusals {
			t.Run("refused/"+c.String(), func(t *testing.T) {
				t.Parallel()
				c.isRefused(t, certs)
			})
		}
	})
}

// TestDTLSExporter: both ends derive the same keying material, SRTP's as well as
// any other (RFC 5705; RFC 8446, Section 7.5).
func TestDTLSExporter(t *testing.T) {
	certs := map[string]certificateFile{"p256": newCertificateFile(t, "p256")}
	dtlsProgram = buildPlainrtc(t)
	for _, label := range []string{"EXTRACTOR-dtls_srtp", "EXPORTER-plainrtc"} {
		for _, role := range []dtlsRole{server, client} {
			for _, c := range []dtlsCase{
				{stack: openSSL, theirs: "-keymatexport " + label + " -keymatexportlen 32"},
				{stack: gnuTLS, theirs: "--keymatexport=" + label + " --keymatexportsize=32"},
				{stack: plainrtc, theirs: "--version 1.2 --export " + label},
				{stack: plainrtc, theirs: "--version 1.3 --export " + label},
			} {
				if c.stack.name == gnuTLS.name && role == server {
					continue // it prints none over UDP
				}
				c.role, c.key, c.ours = role, "p256", "--export "+label
				t.Run(c.String(), func(t *testing.T) {
					_, their, report := c.connect(t, certs)
					if len(report.Exported) != 64 {
						t.Fatalf("our side exports %q", report.Exported)
					}
					for {
						m := exportedMaterial.FindStringSubmatch(strings.ToLower(their.line(t)))
						if m == nil {
							continue
						}
						if m[1] != report.Exported {
							t.Errorf("they export %s, we %s", m[1], report.Exported)
						}
						return
					}
				})
			}
		}
	}
}

// exportedMaterial is how each program's line ends.
var exportedMaterial = regexp.MustCompile(`material.* ([0-9a-f]{64})`)

// buildPlainrtc builds our program, for as long as the test runs.
func buildPlainrtc(t *testing.T) string {
	program := filepath.Join(t.TempDir(), "plainrtc")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", program, "github.com/plainrtc/plainrtc/cmd/plainrtc").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return program
}

// agrees checks what is negotiated, and that lines go both ways to a good end.
func (c dtlsCase) agrees(t *testing.T, certs map[string]certificateFile) {
	our, their, report := c.connect(t, certs)
	if got, want := fmt.Sprint(report.Version, report.CipherSuite, report.Group, report.SRTPProfile), fmt.Sprint(c.version, c.suite, c.group, c.last); got != want {
		t.Errorf("negotiated %s, want %s", got, want)
	}
	if report.PeerFingerprint != certs[c.key].fingerprint {
		t.Errorf("the peer's fingerprint is %s, want %s", report.PeerFingerprint, certs[c.key].fingerprint)
	}
	fromThem := "from them to us"
	fmt.Fprintln(our.stdin, "from us to them")
	their.expect(t, "from us to them")
	if c.stack.echoes && c.role == server {
		fromThem = "from us to them"
	} else {
		fmt.Fprintln(their.stdin, fromThem)
	}
	if got := our.line(t); got != fromThem {
		t.Errorf("our side printed %q, want %q", got, fromThem)
	}
	// Whoever is the client ends it, and our side ends well.
	if c.role == client {
		their.stdin.Close()
	} else {
		our.stdin.Close()
	}
	if err := our.wait(); err != nil {
		t.Errorf("our side ends with %v, want exit status 0; it said:\n%s", err, our.seen.String())
	}
}

// isRefused checks that our side, the client, fails as it should.
func (c dtlsCase) isRefused(t *testing.T, certs map[string]certificateFile) {
	our, _, report := c.connect(t, certs)
	if report.OK || !strings.Contains(report.Error, c.last) {
		t.Errorf("our side reports %+v, want an error with %q", report, c.last)
	}
	if err := our.wait(); err == nil || !strings.Contains(err.Error(), "exit status 1") {
		t.Errorf("our side ends with %v, want exit status 1", err)
	}
}

// dtlsReport is what plainrtc dtls --json prints first.
type dtlsReport struct {
	OK              bool   `json:"ok"`
	Error           string `json:"error"`
	Version         string `json:"version"`
	CipherSuite     string `json:"cipher_suite"`
	Group           string `json:"group"`
	SRTPProfile     string `json:"srtp_profile"`
	PeerFingerprint string `json:"peer_fingerprint"`
	Exported        string `json:"exported"`
}

// connect starts both ends, and returns what ours reports.
func (c dtlsCase) connect(t *testing.T, certs map[string]certificateFile) (our, their *dtlsProcess, report dtlsReport) {
	cert := certs[c.key]
	ours := strings.NewReplacer("rsa.pem", certs["rsa"].pem, "rsa.key", certs["rsa"].key).Replace(c.ours)
	if c.role == server {
		addr := freePort(t)
		their = c.stack.start(t, c, cert, addr)
		our = startProcess(t, dtlsProgram, "dtls --json --linger 50ms --connect "+addr+" "+ours)
	} else {
		our = startProcess(t, dtlsProgram, "dtls --json --listen 127.0.0.1:0 "+ours)
		_, addr, _ := strings.Cut(our.expect(t, "Listening on "), "Listening on ")
		addr, _, _ = strings.Cut(addr, " ")
		our.expect(t, "certificate is")
		their = c.stack.start(t, c, cert, addr)
	}
	t.Cleanup(func() {
		our.stop()
		their.stop()
		if t.Failed() {
			t.Logf("%s said:\n%s\n%s said:\n%s", our.name, ends(our.seen.String(), 20), their.name, ends(their.seen.String(), 20))
		}
	})
	line := our.line(t)
	if strings.Contains(line, " failed: ") { // our server goes on listening
		t.Fatal(line)
	}
	if err := json.Unmarshal([]byte(line), &report); err != nil {
		t.Fatalf("our side printed %q: %v", line, err)
	}
	if c.version != "" && !report.OK {
		t.Fatalf("no connection: %s", report.Error)
	}
	return our, their, report
}

// dtlsPatience bounds the wait for one line; lines come within a second.
const dtlsPatience = 30 * time.Second

// startProcess starts a program with its flags in one string.
func startProcess(t *testing.T, program, flags string) *dtlsProcess {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Fatalf("%s is not installed, and the matrix is worth nothing without it: make deps installs it", program)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, path, strings.Fields(flags)...)
	cmd.Stdout, cmd.Stderr = w, w
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	p := &dtlsProcess{name: filepath.Base(program), stdin: stdin, lines: linesFrom(r)}
	p.wait = sync.OnceValue(func() error {
		timer := time.AfterFunc(dtlsPatience, cancel)
		defer timer.Stop()
		return cmd.Wait()
	})
	p.stop = func() {
		cancel()
		p.wait()
		for line := range p.lines {
			fmt.Fprintln(&p.seen, line)
		}
		r.Close()
	}
	return p
}

// linesFrom reads lines until the end.
func linesFrom(r io.Reader) chan string {
	lines := make(chan string, 1000) // more than any prints
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(r); s.Scan(); {
			lines <- string(bytes.TrimRight(s.Bytes(), "\r"))
		}
	}()
	return lines
}

// line returns the next line.
func (p *dtlsProcess) line(t *testing.T) string {
	t.Helper()
	select {
	case line, ok := <-p.lines:
		if !ok {
			t.Fatalf("%s printed nothing more, after:\n%s", p.name, p.seen.String())
		}
		fmt.Fprintln(&p.seen, line)
		return line
	case <-time.After(dtlsPatience):
		t.Fatalf("%s prints nothing, after:\n%s", p.name, p.seen.String())
	}
	panic("BUG: Fatalf returned")
}

// expect returns the next line that contains word.
func (p *dtlsProcess) expect(t *testing.T, word string) string {
	t.Helper()
	for {
		if line := p.line(t); strings.Contains(line, word) {
			return line
		}
	}
}
