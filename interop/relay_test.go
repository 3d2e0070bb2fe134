package interop

import (
	"bufio"
	"context"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/plainrtc/plainrtc/interop/browser"
	"github.com/plainrtc/plainrtc/peerconnection"
)

// Calls over TURN servers: ours serves browsers and Pion, who have no other way
// to us; and we go by coturn.

// serveTurn runs plainrtc turn at an address of the host, and returns where it takes
// clients over UDP and TCP, over DTLS and over TLS.
func serveTurn(t *testing.T, host netip.Addr) (plain, dtls, tls netip.AddrPort) {
	t.Helper()
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writeCertificate(t, cert, key)
	binary := filepath.Join(dir, "plainrtc")
	if out, err := exec.Command("go", "build", "-o", binary, "github.com/plainrtc/plainrtc/cmd/plainrtc").CombinedOutput(); err != nil {
		t.Fatalf("building plainrtc: %v\n%s", err, out)
	}
	plain = netip.AddrPortFrom(host, netip.MustParseAddrPort(freePort(t)).Port())
	server := exec.Command(binary, "turn", "--user", "alice:wonderland", "--secret", "looking glass", "--realm", "example.org",
		"--listen", plain.String(), "--tls", netip.AddrPortFrom(host, 0).String(), "--cert", cert, "--key", key,
		"--relay", host.String(), "--allow", netip.PrefixFrom(host, 32).String())
	stderr, err := server.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // when the parallel cases are done
		server.Process.Signal(os.Interrupt)
		server.Wait()
	})
	lines := bufio.NewScanner(stderr)
	if !lines.Scan() {
		t.Fatal("the server says nothing")
	}
	found := regexp.MustCompile(`udp="\[\S+ (\S+)\]" tcp="\[\S+ (\S+)\]"`).FindStringSubmatch(lines.Text())
	if found == nil {
		t.Fatalf("the server does not say where DTLS and TLS are: %s", lines.Text())
	}
	go func() {
		for lines.Scan() {
			t.Log(lines.Text())
		}
	}()
	return plain, netip.MustParseAddrPort(found[1]), netip.MustParseAddrPort(found[2])
}

// relayedCall opens a channel between a peer whose candidates are all relayed and
// one of ours, or another, and carries messages both ways.
func relayedCall(t *testing.T, relayed, other peer) {
	t.Helper()
	ctx, r := testContext(t), testRand()
	near, err := relayed.Create(ctx, "relayed", channelOptions{})
	if err != nil {
		t.Fatal(err)
	}
	offer, _ := connect(t, ctx, relayed, other, signalling{})
	if !strings.Contains(offer, " typ relay") || strings.Contains(offer, " typ host") || strings.Contains(offer, " typ srflx") {
		t.Errorf("the offer has other candidates than relayed ones:\n%s", offer)
	}
	far := accept(t, ctx, near, other)
	carry(t, ctx, near, far, text(r, 100), binary(r, 200_000))
	carry(t, ctx, far, near, text(r, 100), binary(r, 200_000))
}

// Chromium with the policy relay comes to us by our server over each transport,
// and Pion over UDP.
func TestRelayedPeers(t *testing.T) {
	plain, _, tls := serveTurn(t, hostAddress(t))
	for _, c := range []struct{ name, url string }{
		{"UDP", "turn:" + plain.String() + "?transport=udp"},
		{"TCP", "turn:" + plain.String() + "?transport=tcp"},
		{"TLS", "turns:" + tls.String() + "?transport=tcp"},
	} {
		t.Run("Chromium/"+c.name, func(t *testing.T) {
			t.Parallel()
			page := openPage(t, browser.Chromium(t, "--ignore-certificate-errors"))
			page.Do(nil, `globalThis.configuration = {iceTransportPolicy: "relay",
				iceServers: [{urls: args[0], username: "alice", credential: "wonderland"}]}`, c.url)
			relayedCall(t, newPagePeer(t, page), newPlainPeer(t, peerconnection.Config{}))
		})
	}
	t.Run("Pion", func(t *testing.T) {
		t.Parallel()
		relayedCall(t, newPionPeer(t, webrtc.SettingEngine{}, webrtc.Configuration{
			ICETransportPolicy: webrtc.ICETransportPolicyRelay,
			ICEServers:         []webrtc.ICEServer{{URLs: []string{"turn:" + plain.String()}, Username: "alice", Credential: "wonderland"}},
		}), newPlainPeer(t, peerconnection.Config{}))
	})
	t.Run("BothRelayed", func(t *testing.T) {
		t.Parallel()
		page := openPage(t, browser.Chromium(t, "--ignore-certificate-errors"))
		url := "turn:" + plain.String()
		page.Do(nil, `globalThis.configuration = {iceTransportPolicy: "relay",
			iceServers: [{urls: args[0], username: "alice", credential: "wonderland"}]}`, url)
		relayedCall(t, newPlainPeer(t, relayConfig(url)), newPagePeer(t, page))
	})
}

func relayConfig(url string) peerconnection.Config {
	return peerconnection.Config{
		ICETransportPolicy: peerconnection.ICETransportRelay,
		ICEServers:         []peerconnection.ICEServer{{URLs: []string{url}, Username: "alice", Credential: "wonderland"}},
	}
}

// We go by coturn, over UDP: to Pion, which has its host's addresses.
func TestWeAreRelayedByCoturn(t *testing.T) {
	addr := netip.AddrPortFrom(hostAddress(t), netip.MustParseAddrPort(freePort(t)).Port())
	_, port, _ := net.SplitHostPort(addr.String())
	ctx, cancel := context.WithCancel(context.Background())
	server := exec.CommandContext(ctx, "turnserver", "-n", "--listening-ip", addr.Addr().String(), "--listening-port", port,
		"--relay-ip", addr.Addr().String(), "--lt-cred-mech", "--user", "alice:wonderland", "--realm", "example.org",
		"--no-tls", "--no-dtls", "--no-cli", "--log-file", "stdout", "--pidfile", filepath.Join(t.TempDir(), "pid"))
	if err := server.Start(); err != nil {
		t.Fatalf("turnserver: %v (the package is coturn)", err)
	}
	t.Cleanup(func() { cancel(); server.Wait() })
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) { // until it listens
		if c, err := net.Dial("tcp", addr.String()); err == nil {
			c.Close()
			break
		} else if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	us := newPlainPeer(t, relayConfig("turn:"+addr.String()+"?transport=udp"))
	relayedCall(t, us, newPionPeer(t, webrtc.SettingEngine{}, webrtc.Configuration{}))
	stats := us.pc.Stats()
	for _, c := range stats.LocalCandidates {
		if c.CandidateType != "relay" || c.RelayProtocol != "udp" {
			t.Errorf("we have the candidate %+v", c)
		}
	}
}
