package interop

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// coturn's own client, against our server: over each transport, with a password and with
// one that is good for a time, in indications and on channels. Nothing may be lost.
func TestTurnServesCoturnsClient(t *testing.T) {
	plain, overDTLS, overTLS := serveTurn(t, netip.MustParseAddr("127.0.0.1"))
	port, dtls, tls := strconv.Itoa(int(plain.Port())), strconv.Itoa(int(overDTLS.Port())), strconv.Itoa(int(overTLS.Port()))
	_, echo, _ := net.SplitHostPort(freePort(t))
	peer := exec.Command("turnutils_peer", "-L", "127.0.0.1", "-p", echo)
	if err := peer.Start(); err != nil {
		t.Fatalf("turnutils_peer: %v (the package is coturn)", err)
	}
	t.Cleanup(func() { peer.Process.Kill(); peer.Wait() })

	// RFC 6062: clients in pairs, whose connections are relayed.
	t.Run("TCP connections", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
		defer cancel()
		args := []string{"-T", "-u", "alice", "-w", "wonderland", "-n", "10", "-m", "2", "-l", "900", "-z", "5", "-p", port, "127.0.0.1"}
		out, err := exec.CommandContext(ctx, "turnutils_uclient", args...).CombinedOutput()
		if err != nil || !bytes.Contains(out, []byte("tot_send_msgs=20, tot_recv_msgs=20")) || !bytes.Contains(out, []byte("Total lost packets 0 ")) {
			t.Errorf("turnutils_uclient %s: %v\n%s", strings.Join(args, " "), err, tail(out))
		}
	})

	password := []string{"-u", "alice", "-w", "wonderland"}
	for _, c := range []struct {
		name string
		args []string
	}{
		{"UDP", append(password, "-p", port)},
		{"UDP, in indications", append(password, "-p", port, "-s")},
		{"UDP, time-limited", []string{"-u", "alice", "-W", "looking glass", "-p", port}},
		{"TCP", append(password, "-p", port, "-t")},
		{"DTLS", append(password, "-p", dtls, "-S")},
		{"TLS", append(password, "-p", tls, "-t", "-S")},
	} {
		t.Run(c.name, func(t *testing.T) {
			// All at once they ask more often than the server answers strangers of one
			// address. Over UDP they ask again.
			if strings.HasPrefix(c.name, "UDP") {
				t.Parallel()
			}
			ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
			defer cancel()
			args := append([]string{"-e", "127.0.0.1", "-r", echo, "-c", "-n", "50", "-m", "4", "-l", "900", "-z", "5"}, c.args...)
			out, err := exec.CommandContext(ctx, "turnutils_uclient", append(args, "127.0.0.1")...).CombinedOutput()
			if err != nil || !bytes.Contains(out, []byte("tot_send_msgs=200, tot_recv_msgs=200")) || !bytes.Contains(out, []byte("Total lost packets 0 ")) {
				t.Errorf("turnutils_uclient %s: %v\n%s", strings.Join(args, " "), err, tail(out))
			}
		})
	}
}

func tail(b []byte) []byte { return b[max(0, len(b)-2000):] }

// freePort is an address on loopback that nobody uses for UDP or TCP.
func freePort(t *testing.T) string {
	t.Helper()
	for range 20 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := l.Addr().String()
		l.Close()
		if u, err := net.ListenPacket("udp", addr); err == nil {
			u.Close()
			return addr
		}
	}
	t.Fatal("no port is free for both UDP and TCP")
	return ""
}

func writeCertificate(t *testing.T, cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{{127, 0, 0, 1}, hostAddress(t).AsSlice()}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(fmt.Errorf("writing %s: %w", name, err))
		}
	}
}
