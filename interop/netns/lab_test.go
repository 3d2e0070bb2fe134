package netns

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// patience bounds one test. It is long, for a machine that runs others too.
const patience = 90 * time.Second

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// A lab is an internet with a TURN server.
type lab struct {
	t *testing.T
	*Internet
	server *Host
	turn   *Process
	trust  string // in the environment of peers, to trust the server's certificate
	print  string // its fingerprint, as Firefox writes it
}

func newLab(t *testing.T) *lab {
	t.Helper()
	internet, err := NewInternet()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(internet.Close)
	server, err := internet.Host()
	if err != nil {
		t.Fatal(err)
	}
	return &lab{t: t, Internet: internet, server: server}
}

// site connects a host behind a router.
func (l *lab) site(r Router) *Site {
	l.t.Helper()
	s, err := l.Behind(r)
	if err != nil {
		l.t.Fatal(err)
	}
	return s
}

// host connects a host without a NAT.
func (l *lab) host() *Host {
	l.t.Helper()
	h, err := l.Host()
	if err != nil {
		l.t.Fatal(err)
	}
	return h
}

// serve starts our server, for UDP and TCP, and for TLS if there is a certificate.
func (l *lab) serve(tls ...string) {
	l.t.Helper()
	addr := l.server.Addr.String()
	cmd := exec.Command(plainrtc, append([]string{"turn", "--user", "alice:wonderland", "--realm", "example.org",
		"--listen", addr + ":3478", "--relay", addr, "--allow", "198.18.0.0/15"}, tls...)...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		l.t.Fatal(err)
	}
	l.start(cmd)
	lines := bufio.NewReader(stderr)
	if line, err := lines.ReadString('\n'); err != nil || !strings.Contains(line, "serving TURN") {
		l.t.Fatalf("the TURN server says %q, %v", line, err)
	}
	go io.Copy(io.Discard, lines)
}

// serveByCoturn starts coturn instead.
func (l *lab) serveByCoturn() {
	l.t.Helper()
	addr, dir := l.server.Addr.String(), l.t.TempDir()
	l.start(exec.Command("turnserver", "-n", "--listening-ip", addr, "--relay-ip", addr, "--lt-cred-mech", "--user", "alice:wonderland",
		"--realm", "example.org", "--no-tls", "--no-dtls", "--no-cli", "--no-stdout-log", "--log-file", "/dev/null",
		"--userdb", filepath.Join(dir, "db"), "--pidfile", filepath.Join(dir, "pid")))
	err := l.server.Do(func() error {
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			c, err := net.Dial("tcp", addr+":3478")
			if err == nil {
				return c.Close()
			}
			if time.Now().After(deadline) {
				return err
			}
		}
	})
	if err != nil {
		l.t.Fatalf("turnserver does not listen: %v (the package is coturn)", err)
	}
}

func (l *lab) start(cmd *exec.Cmd) {
	l.t.Helper()
	p, err := l.server.Start(cmd)
	if err != nil {
		l.t.Fatal(err)
	}
	l.turn = p
	l.t.Cleanup(p.End)
}

// urls are those of the server: over UDP, and the others where that is asked for.
func (l *lab) url(transport string) string {
	addr := l.server.Addr.String()
	switch transport {
	case "stun":
		return "stun:" + addr
	case "tls":
		return "turns:" + addr + ":443?transport=tcp"
	}
	return "turn:" + addr + ":3478?transport=" + transport
}

// certificate makes a certificate for the server, and returns the flags to serve TLS with it,
// at the port of HTTPS. It is signed by itself: l.trust is where peers find that they trust it.
func (l *lab) certificate() (flags []string) {
	l.t.Helper()
	dir := l.t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		l.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{l.server.Addr.AsSlice()}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &k.PublicKey, k)
	if err != nil {
		l.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		l.t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			l.t.Fatal(err)
		}
	}
	for _, b := range sha256.Sum256(der) {
		l.print = strings.TrimPrefix(fmt.Sprintf("%s:%02X", l.print, b), ":")
	}
	l.trust = "SSL_CERT_FILE=" + cert
	return []string{"--tls", l.server.Addr.String() + ":443", "--cert", cert, "--key", key}
}
