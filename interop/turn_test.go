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
	mrand "math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
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
	for deadline := time.Now().Add(patience); !listens("udp", "127.0.0.1:"+echo); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("turnutils_peer does not listen")
		}
	}

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

// nextPort is where freePort looks next; zero: it has not begun.
var nextPort atomic.Uint32

// freePort is an address on loopback whose port nobody uses for UDP or TCP, nor the next one, which
// coturn's programs take as well: for programs that can't be asked which one they chose. It is none of
// those that the kernel gives to who asks for any, so that nobody else has it before the program does.
func freePort(t *testing.T) string {
	t.Helper()
	const first, last = 10_000, 30_000 // Linux gives any from 32768 on
	nextPort.CompareAndSwap(0, uint32(1+mrand.IntN((last-first)/2)))
	free := func(port uint32) bool {
		at := fmt.Sprintf("0.0.0.0:%d", port)
		l, err := net.Listen("tcp4", at)
		if err != nil {
			return false
		}
		defer l.Close()
		u, err := net.ListenPacket("udp4", at)
		if err != nil {
			return false
		}
		u.Close()
		return true
	}
	for range 1000 {
		port := first + 2*nextPort.Add(1)%(last-first)
		if free(port) && free(port+1) {
			return fmt.Sprintf("127.0.0.1:%d", port)
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
