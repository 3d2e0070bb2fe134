package interop

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	pionturn "github.com/pion/turn/v5"
	"github.com/pion/webrtc/v4"

	turnserver "github.com/plainrtc/plainrtc/internal/relay"
	"github.com/plainrtc/plainrtc/interop/browser"
	"github.com/plainrtc/plainrtc/peerconnection"
	"github.com/plainrtc/plainrtc/turn"
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
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", binary, "github.com/plainrtc/plainrtc/cmd/plainrtc").CombinedOutput(); err != nil {
		t.Fatalf("building plainrtc: %v\n%s", err, out)
	}
	plain = netip.AddrPortFrom(host, netip.MustParseAddrPort(freePort(t)).Port())
	server := exec.Command(binary, "turn", "--user", "alice:wonderland", "--secret", "looking glass", "--realm", "example.org",
		"--listen", plain.String(), "--tls", netip.AddrPortFrom(host, 0).String(), "--cert", cert, "--key", key,
		"--relay", host.String(), "--allow", netip.PrefixFrom(host, 32).String(), "--tcp-relays")
	stderr, err := server.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	said := make(chan struct{}) // closed once the server says nothing more
	t.Cleanup(func() {          // when the parallel cases are done
		server.Process.Signal(os.Interrupt)
		<-said
		server.Wait()
	})
	lines := bufio.NewScanner(stderr)
	if !lines.Scan() {
		close(said)
		t.Fatal("the server says nothing")
	}
	first := lines.Text()
	go func() {
		defer close(said)
		for lines.Scan() {
			t.Log(lines.Text())
		}
	}()
	found := regexp.MustCompile(`udp="\[\S+ (\S+)\]" tcp="\[\S+ (\S+)\]"`).FindStringSubmatch(first)
	if found == nil {
		t.Fatalf("the server does not say where DTLS and TLS are: %s", first)
	}
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

// Browsers with the policy relay come to us by our server over each transport, and Pion over UDP.
// Firefox goes by TLS only to servers that have a name, as package netns gives them.
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
		if c.name == "TLS" {
			continue
		}
		t.Run("Firefox/"+c.name, func(t *testing.T) {
			t.Parallel()
			page := openPage(t, browser.Firefox(t))
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

// How coturn knows its users: alice by her password, and whoever has a name and a password that
// the secret made for a time.
var (
	coturnPassword = []string{"--lt-cred-mech", "--user", "alice:wonderland"}
	coturnSecret   = []string{"--use-auth-secret", "--static-auth-secret", "looking glass"}
)

// certificateFiles makes a certificate for this host, and the authority that knows it.
func certificateFiles(t *testing.T) (cert, key string, authority *x509.CertPool) {
	t.Helper()
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writeCertificate(t, cert, key)
	text, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	authority = x509.NewCertPool()
	authority.AppendCertsFromPEM(text)
	return cert, key, authority
}

// startCoturn runs coturn at an address of the host, and returns where it takes clients over UDP
// and TCP, and over TLS and DTLS.
func startCoturn(t *testing.T, host netip.Addr, cert, key string, credentials ...string) (plain, secure string) {
	t.Helper()
	port := func() string { return netip.AddrPortFrom(host, netip.MustParseAddrPort(freePort(t)).Port()).String() }
	plain, secure = port(), port()
	_, plainPort, _ := net.SplitHostPort(plain)
	_, securePort, _ := net.SplitHostPort(secure)
	dir := t.TempDir()
	coturn := exec.Command("turnserver", append([]string{"-n", "--listening-ip", host.String(), "--listening-port", plainPort, "--tls-listening-port", securePort,
		"--relay-ip", host.String(), "--realm", "example.org", "--cert", cert, "--pkey", key, "--no-cli", "--allow-loopback-peers",
		"--no-stdout-log", "--log-file", "/dev/null", "--userdb", filepath.Join(dir, "db"), "--pidfile", filepath.Join(dir, "pid")}, credentials...)...)
	if err := coturn.Start(); err != nil {
		t.Fatalf("turnserver: %v (the package is coturn)", err)
	}
	t.Cleanup(func() { coturn.Process.Kill(); coturn.Wait() })
	for _, at := range []string{plain, secure} {
		for _, network := range []string{"udp", "tcp"} { // it does not open both at once
			for deadline := time.Now().Add(patience); !listens(network, at); time.Sleep(20 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("turnserver does not listen at %s over %s", at, network)
				}
			}
		}
	}
	return plain, secure
}

// listens reports whether somebody does at an address: over UDP, whether what is sent there is not refused.
func listens(network, at string) bool {
	conn, err := net.Dial(network, at)
	if err != nil {
		return false
	}
	defer conn.Close()
	if network == "tcp" {
		return true
	}
	conn.Write([]byte("?"))
	conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	_, err = conn.Read(make([]byte, 100))
	return err == nil || os.IsTimeout(err)
}

// turnURLs are the ways to a server, by how it is reached.
func turnURLs(plain, secure string) map[string]string {
	return map[string]string{
		"udp": "turn:" + plain, "tcp": "turn:" + plain + "?transport=tcp",
		"tls": "turns:" + secure, "dtls": "turns:" + secure + "?transport=udp",
	}
}

// weAreRelayed calls Pion, which has its host's addresses, by a server.
func weAreRelayed(t *testing.T, protocol, url, user, password string, authority *x509.CertPool) {
	t.Helper()
	us := newPlainPeer(t, peerconnection.Config{
		ICETransportPolicy: peerconnection.ICETransportRelay, RootCAs: authority,
		ICEServers: []peerconnection.ICEServer{{URLs: []string{url}, Username: user, Credential: password}},
	})
	relayedCall(t, us, newPionPeer(t, webrtc.SettingEngine{}, webrtc.Configuration{}))
	for _, c := range us.pc.Stats().LocalCandidates {
		if c.CandidateType != "relay" || c.RelayProtocol != protocol || c.URL != url {
			t.Errorf("we have the candidate %+v", c)
		}
	}
}

// We go by coturn over each transport, with a password and with one that is good for a
// time.
func TestWeAreRelayedByCoturn(t *testing.T) {
	cert, key, authority := certificateFiles(t)
	limited := turn.TimeLimitedUsername(time.Now().Add(time.Hour), "bob")
	for _, kind := range []struct {
		name           string
		args           []string
		user, password string
	}{
		{"password", coturnPassword, "alice", "wonderland"},
		{"time-limited", coturnSecret, limited, turn.TimeLimitedPassword("looking glass", limited)},
	} {
		plain, secure := startCoturn(t, hostAddress(t), cert, key, kind.args...)
		for protocol, url := range turnURLs(plain, secure) {
			t.Run(kind.name+"/"+protocol, func(t *testing.T) {
				t.Parallel()
				weAreRelayed(t, protocol, url, kind.user, kind.password, authority)
			})
		}
	}
}

// We go by our own server over each transport, to Chromium.
func TestWeAreRelayedByOurs(t *testing.T) {
	host := hostAddress(t)
	cert, key, authority := certificateFiles(t)
	certificate, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	any := []netip.AddrPort{netip.AddrPortFrom(host, 0)}
	s, err := turnserver.Listen(turnserver.Config{
		Turn: turn.ServerConfig{
			Realm: "example.org", Users: map[string]string{"alice": "wonderland"}, AllowedPeers: []netip.Prefix{netip.PrefixFrom(host, host.BitLen())},
		},
		UDP: any, TCP: any, TLS: any, DTLS: any, Certificate: &certificate, Relays: []netip.Addr{host},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	datagrams, streams := s.Addresses()
	for protocol, url := range map[string]string{
		"udp": "turn:" + datagrams[0].String(), "tcp": "turn:" + streams[0].String() + "?transport=tcp",
		"tls": "turns:" + streams[1].String(), "dtls": "turns:" + datagrams[1].String() + "?transport=udp",
	} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			config := relayConfig(url)
			config.RootCAs = authority
			relayedCall(t, newPlainPeer(t, config), newPagePeer(t, openPage(t, browser.Chromium(t))))
		})
	}
}

// We go by Pion's server.
func TestWeAreRelayedByPion(t *testing.T) {
	host := hostAddress(t)
	cert, key, authority := certificateFiles(t)
	certificate, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	at := netip.AddrPortFrom(host, 0).String()
	datagrams, err := net.ListenPacket("udp4", at)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := net.Listen("tcp4", at)
	if err != nil {
		t.Fatal(err)
	}
	secure, err := tls.Listen("tcp4", at, &tls.Config{Certificates: []tls.Certificate{certificate}})
	if err != nil {
		t.Fatal(err)
	}
	relays := &pionturn.RelayAddressGeneratorStatic{RelayAddress: host.AsSlice(), Address: host.String()}
	userKey := pionturn.GenerateAuthKey("alice", "example.org", "wonderland")
	s, err := pionturn.NewServer(pionturn.ServerConfig{
		Realm: "example.org",
		AuthHandler: func(a *pionturn.RequestAttributes) (string, []byte, bool) {
			return a.Username, userKey, a.Username == "alice"
		},
		PacketConnConfigs: []pionturn.PacketConnConfig{{PacketConn: datagrams, RelayAddressGenerator: relays}},
		ListenerConfigs: []pionturn.ListenerConfig{
			{Listener: plain, RelayAddressGenerator: relays}, {Listener: secure, RelayAddressGenerator: relays},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	for protocol, url := range map[string]string{
		"udp": "turn:" + datagrams.LocalAddr().String(), "tcp": "turn:" + plain.Addr().String() + "?transport=tcp", "tls": "turns:" + secure.Addr().String(),
	} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			weAreRelayed(t, protocol, url, "alice", "wonderland", authority)
		})
	}
}
