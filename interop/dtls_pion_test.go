package interop

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	piondtls "github.com/pion/dtls/v3"
)

// pionDTLS is Pion's DTLS, in this process. It takes every cipher suite, group
// and profile of the matrix, so that ours decides.
var pionDTLS = dtlsStack{"Pion", false, func(t *testing.T, c dtlsCase, cert certificateFile, addr string) *dtlsProcess {
	pair, err := tls.LoadX509KeyPair(cert.pem, cert.key)
	if err != nil {
		t.Fatal(err)
	}
	config := &piondtls.Config{
		Certificates: []tls.Certificate{pair},
		CipherSuites: []piondtls.CipherSuiteID{
			piondtls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
			piondtls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
			piondtls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
			piondtls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
		},
		InsecureSkipVerify:   true,
		ClientAuth:           piondtls.RequireAnyClientCert,
		ExtendedMasterSecret: piondtls.RequireExtendedMasterSecret,
	}
	if strings.Contains(c.ours, "--srtp") { // else it insists on a profile
		config.SRTPProtectionProfiles = []piondtls.SRTPProtectionProfile{
			piondtls.SRTP_AEAD_AES_128_GCM, piondtls.SRTP_AES128_CM_HMAC_SHA1_80,
		}
	}
	in, stdin := io.Pipe()
	out, stdout := io.Pipe()
	udp, err := net.ResolveUDPAddr("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	var conn *piondtls.Conn
	ended := make(chan struct{})
	p := &dtlsProcess{name: "Pion", stdin: stdin, lines: linesFrom(out)}
	p.stop = func() {
		in.CloseWithError(io.ErrClosedPipe)
		stdout.Close()
		<-ended
		for line := range p.lines {
			fmt.Fprintln(&p.seen, line)
		}
	}
	p.wait = func() error { <-ended; return nil }
	var listener net.Listener
	if c.role == server {
		if listener, err = piondtls.Listen("udp", udp, config); err != nil {
			t.Fatal(err)
		}
	}
	go func() {
		defer close(ended)
		defer stdout.Close()
		if c.role == server {
			defer listener.Close()
			accepted, err := listener.Accept()
			if err != nil {
				fmt.Fprintln(stdout, "accepting:", err)
				return
			}
			conn = accepted.(*piondtls.Conn)
		} else if conn, err = piondtls.Dial("udp", udp, config); err != nil {
			fmt.Fprintln(stdout, "dialling:", err)
			return
		}
		defer conn.Close()
		if err := conn.Handshake(); err != nil {
			fmt.Fprintln(stdout, "handshake:", err)
			return
		}
		go func() {
			io.Copy(stdout, conn)
			in.CloseWithError(io.EOF)
		}()
		io.Copy(conn, in)
	}()
	return p
}}

// A certificateFile is a self-signed certificate in PEM files.
type certificateFile struct{ pem, key, fingerprint string }

func newCertificateFile(t *testing.T, kind string) (f certificateFile) {
	t.Helper()
	var key crypto.Signer
	var err error
	switch kind {
	case "p256":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "p384":
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "rsa":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	f = certificateFile{pem: filepath.Join(dir, kind+".pem"), key: filepath.Join(dir, kind+".key")}
	for file, block := range map[string]*pem.Block{f.pem: {Type: "CERTIFICATE", Bytes: der}, f.key: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sum := sha256.Sum256(der)
	f.fingerprint = "sha-256 " + strings.ReplaceAll(fmt.Sprintf("% X", sum[:]), " ", ":")
	return f
}
