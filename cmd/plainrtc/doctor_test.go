package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/internal/relay"
	"github.com/plainrtc/plainrtc/turn"
)

// certificateFor makes a certificate of 127.0.0.1, and the file that a doctor trusts it by.
func certificateFor(t *testing.T) (certificate *tls.Certificate, file string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{{127, 0, 0, 1}}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "cert.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

// freePort is one that nobody on 127.0.0.1 uses for UDP or TCP at this moment, nor 127.0.0.2.
func freePort(t *testing.T) netip.AddrPort {
	t.Helper()
	for range 20 {
		u, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		at := u.LocalAddr().(*net.UDPAddr).AddrPort()
		u.Close()
		l, err := net.Listen("tcp", at.String())
		if err != nil {
			continue
		}
		l.Close()
		return at
	}
	t.Fatal("no port is free for both UDP and TCP")
	return netip.AddrPort{}
}

// turnServer runs a server on 127.0.0.1, as change has it.
func turnServer(t *testing.T, change func(c *relay.Config, at netip.AddrPort)) (at netip.AddrPort) {
	t.Helper()
	var err error
	for range 20 {
		at = freePort(t)
		config := relay.Config{
			Turn: turn.ServerConfig{Realm: "example.org", Users: map[string]string{"alice": "wonderland"}},
			UDP:  []netip.AddrPort{at}, TCP: []netip.AddrPort{at}, Relays: []netip.Addr{at.Addr()},
		}
		if change != nil {
			change(&config, at)
		}
		var s *relay.Server
		if s, err = relay.Listen(config); err == nil {
			t.Cleanup(func() { s.Close() })
			return at
		}
	}
	t.Fatal(err)
	return at
}

// examine runs a doctor and reads what it found.
func examine(t *testing.T, args ...string) (status int, r doctorReport, news string) {
	t.Helper()
	status, stdout, stderr := plainrtc(t, append([]string{"doctor", "--json"}, args...)...)
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatalf("status %d, %v\n%s%s", status, err, stdout, stderr)
	}
	return status, r, stderr
}

// With a server that has all, all is found to work.
func TestDoctorFindsAllWell(t *testing.T) {
	certificate, file := certificateFor(t)
	var secure netip.AddrPort
	at := turnServer(t, func(c *relay.Config, at netip.AddrPort) {
		secure = freePort(t)
		c.TLS, c.DTLS, c.Certificate = []netip.AddrPort{secure}, []netip.AddrPort{secure}, certificate
		c.Second = netip.MustParseAddrPort("127.0.0.2:0")
	})
	args := []string{
		"--ice-server", "turn:" + at.String(), "--ice-server", "turns:" + secure.String(), "--ice-server", "stun:" + at.String(),
		"--username", "alice", "--credential", "wonderland", "--ca", file, "--timeout", "10s",
	}
	status, r, news := examine(t, args...)
	if status != 0 || !r.OK || len(r.Servers) != 3 {
		t.Fatalf("status %d: %+v\n%s", status, r.Advice, news)
	}
	want := []string{"udp", "tcp", "dtls", "tls", "udp"}
	for _, s := range r.Servers {
		for _, x := range s.Transports {
			if x.Transport != want[0] || !x.OK || x.Mapped == nil || *x.Mapped != x.Local {
				t.Errorf("%s: %+v", s.URL, x)
			}
			if strings.HasPrefix(s.URL, "turn") && (x.Relay == nil || !x.Relay.OK || x.Relay.Relayed == nil || x.Relay.LifetimeS != 600) {
				t.Errorf("%s over %s: relayed is %+v", s.URL, x.Transport, x.Relay)
			}
			if x.Transport == "udp" && x.Relay != nil && x.Relay.Payload != payloads[0] {
				t.Errorf("the loopback interface carries %d bytes", x.Relay.Payload)
			}
			want = want[1:]
		}
	}
	if n := r.NAT; n == nil || n.NAT || n.Filtering != endpointIndependent || !strings.Contains(n.By, "RFC 5780") {
		t.Errorf("of the NAT it is found out that %+v", n)
	}
	if !slices.ContainsFunc(r.Mappings, func(m mappingReport) bool { return m.Mapped != nil && *m.Mapped == m.Local }) {
		t.Errorf("the mappings are %+v", r.Mappings)
	}
	for _, news1 := range []string{"trying TLS at " + secure.String(), "DTLS at " + secure.String() + " works", "finding out what the NAT does"} {
		if !strings.Contains(news, news1) {
			t.Errorf("it does not say that it is %s:\n%s", news1, news)
		}
	}
	status, stdout, _ := plainrtc(t, append([]string{"doctor"}, args...)...)
	for _, text := range []string{"127.0.0.1", "No NAT is in between", "turns:" + secure.String(), "✓ DTLS", "there and back in", "All that was tried works."} {
		if status != 0 || !strings.Contains(stdout, text) {
			t.Errorf("status %d, want %q in\n%s", status, text, stdout)
		}
	}
}

// Whatever is wrong is told apart, and what to do is said.
func TestDoctorFindsWhatIsWrong(t *testing.T) {
	certificate, file := certificateFor(t)
	silent := func(t *testing.T, at netip.AddrPort) {
		t.Helper()
		u, err := net.ListenPacket("udp", at.String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { u.Close() })
	}
	// The server is made first, and returns the flags and how each transport is found.
	for name, c := range map[string]struct {
		server func(t *testing.T) []string
		want   []string // transport and problem
		says   string
	}{
		"nobody is there": {func(t *testing.T) []string {
			return []string{"--ice-server", "turn:127.77.0.1:9"}
		}, []string{"udp refused", "tcp refused"}, "No relay works"},
		"UDP is blocked": {func(t *testing.T) []string {
			at := turnServer(t, func(c *relay.Config, _ netip.AddrPort) { c.UDP = nil })
			silent(t, at)
			return []string{"--ice-server", "turn:" + at.String(), "--timeout", "3s"}
		}, []string{"udp timeout", "tcp "}, "is blocked, or nobody is there; calls will use TURN over TCP to 127.0.0.1:"},
		"the password is wrong": {func(t *testing.T) []string {
			return []string{"--ice-server", "turn:" + turnServer(t, nil).String(), "--credential", "looking glass"}
		}, []string{"udp 401", "tcp 401"}, "does not accept these credentials"},
		"the certificate is another's": {func(t *testing.T) []string {
			at := turnServer(t, func(c *relay.Config, at netip.AddrPort) {
				c.TLS, c.UDP, c.TCP, c.Certificate = c.TCP, nil, nil, certificate
			})
			return []string{"--ice-server", "turns:" + at.String() + "?transport=tcp"}
		}, []string{"tls certificate"}, "browsers will not accept it either"},
		"the name is another's": {func(t *testing.T) []string {
			at := turnServer(t, func(c *relay.Config, at netip.AddrPort) {
				second := []netip.AddrPort{netip.AddrPortFrom(netip.MustParseAddr("127.0.0.2"), at.Port())}
				c.TLS, c.DTLS, c.UDP, c.TCP, c.Certificate = second, second, nil, nil, certificate
			})
			return []string{"--ice-server", "turns:127.0.0.2:" + strings.Split(at.String(), ":")[1], "--ca", file}
		}, []string{"dtls certificate", "tls certificate"}, "No relay works"},
		"the relay is dead": {func(t *testing.T) []string {
			// Nothing that is sent to this address arrives.
			at := turnServer(t, func(c *relay.Config, _ netip.AddrPort) {
				c.Advertised = []netip.Addr{netip.MustParseAddr("127.255.255.254")}
			})
			return []string{"--ice-server", "turn:" + at.String() + "?transport=tcp", "--timeout", "3s"}
		}, []string{"tcp echo"}, "its advertised address is wrong"},
		"too many allocations": {func(t *testing.T) []string {
			at := turnServer(t, func(c *relay.Config, _ netip.AddrPort) { c.Turn.MaxUserAllocations = 1 })
			return []string{"--ice-server", "turn:" + at.String() + "?transport=udp"}
		}, []string{"udp 486"}, "this user has too many allocations"},
		"a web server": {func(t *testing.T) []string {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					io.WriteString(c, "\xff\xff\xff\xff is no STUN\r\n")
				}
			}()
			return []string{"--ice-server", "turn:" + l.Addr().String() + "?transport=tcp"}
		}, []string{"tcp protocol"}, "a proxy is in between"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"--timeout", "10s", "--username", "alice", "--credential", "wonderland"}, c.server(t)...)
			status, r, news := examine(t, args...)
			var found []string
			for _, x := range r.Servers[0].Transports {
				found = append(found, x.Transport+" "+x.Problem)
			}
			if status != 1 || r.OK || !slices.Equal(found, c.want) {
				t.Errorf("status %d; found is %q, want %q\n%s", status, found, c.want, news)
			}
			if advice := strings.Join(r.Advice, "\n"); !strings.Contains(advice, c.says) {
				t.Errorf("want %q in\n%s", c.says, advice)
			}
		})
	}
}

// A doctor without credentials says what is missing.
func TestDoctorWantsCredentials(t *testing.T) {
	status, stdout, _ := plainrtc(t, "doctor", "--ice-server", "turn:"+turnServer(t, nil).String(), "--timeout", "10s")
	if status != 1 || !strings.Contains(stdout, "wants a name and a password: give --username and --credential") || !strings.Contains(stdout, "✗ UDP") {
		t.Errorf("status %d\n%s", status, stdout)
	}
}

// What two servers see tells of the NAT, too.
func TestDoctorCompares(t *testing.T) {
	a := netip.MustParseAddrPort
	see := func(server, mapped string) mappingReport {
		at := a(mapped)
		return mappingReport{Local: a("10.0.0.2:5000"), Server: a(server), Mapped: &at}
	}
	for _, c := range []struct {
		all  []mappingReport
		want *natReport
	}{
		{nil, nil},
		{[]mappingReport{see("192.0.2.1:3478", "203.0.113.5:5000")}, nil},
		{[]mappingReport{see("192.0.2.1:3478", "203.0.113.5:5000"), see("192.0.2.1:3479", "203.0.113.5:5001")}, nil}, // one host
		{[]mappingReport{see("192.0.2.1:3478", "203.0.113.5:5000"), {Local: a("10.0.0.2:5000"), Server: a("192.0.2.2:1")}}, nil},
		{[]mappingReport{see("192.0.2.1:3478", "203.0.113.5:5000"), see("192.0.2.2:3478", "203.0.113.5:5000")}, &natReport{NAT: true, Mapping: endpointIndependent}},
		{[]mappingReport{see("192.0.2.1:3478", "203.0.113.5:5000"), see("192.0.2.2:3478", "203.0.113.5:5001")}, &natReport{NAT: true, Mapping: addressDependent}},
		{[]mappingReport{see("192.0.2.1:3478", "10.0.0.2:5000"), see("192.0.2.2:3478", "10.0.0.2:5000")}, &natReport{Mapping: endpointIndependent}},
	} {
		got := compare(c.all)
		if (got == nil) != (c.want == nil) || got != nil && (got.NAT != c.want.NAT || got.Mapping != c.want.Mapping) {
			t.Errorf("%v is compared to %+v, want %+v", c.all, got, c.want)
		}
	}
}

// What is found out is said in sentences.
func TestDoctorAdvice(t *testing.T) {
	at := netip.MustParseAddrPort("203.0.113.5:3478")
	relayed := &relayReport{OK: true, Relayed: &at, Payload: 1100}
	r := doctorReport{
		NAT: &natReport{NAT: true, Mapping: addressAndPortDependent, Filtering: addressDependent},
		Servers: []*serverReport{
			{URL: "turn:a", turn: true, Transports: []*transportReport{
				{protocol: turn.UDP, Address: at, OK: true, Mapped: &at, Relay: relayed},
				{protocol: turn.TCP, Address: at, Problem: problemUnreachable},
			}},
			{URL: "turn:nowhere.invalid", turn: true, Problem: problemName, Reason: "no such host"},
		},
		Interfaces: []interfaceReport{{Name: "eth0", Addresses: []netip.Addr{netip.MustParseAddr("2001:db8::1")}}},
	}
	r.advise()
	advice := strings.Join(r.Advice, "\n")
	for _, want := range []string{
		"TCP to 203.0.113.5:3478 has no way from here; calls will use TURN over UDP to 203.0.113.5:3478.",
		"The name of turn:nowhere.invalid is not known", "packets of 1100 bytes arrive whole", `a "symmetric" NAT`, "only hosts that were sent to may answer",
	} {
		if !strings.Contains(advice, want) {
			t.Errorf("want %q in\n%s", want, advice)
		}
	}
	if r.OK || strings.Contains(advice, "no public IPv6") || strings.Contains(advice, "No relay works") {
		t.Errorf("ok %v\n%s", r.OK, advice)
	}
	for _, address := range []string{"fd00::1", "fe80::1", "192.0.2.1"} {
		r := doctorReport{Interfaces: []interfaceReport{{Addresses: []netip.Addr{netip.MustParseAddr(address)}}}}
		if r.advise(); !slices.ContainsFunc(r.Advice, func(s string) bool { return strings.Contains(s, "no public IPv6") }) {
			t.Errorf("%s is public IPv6", address)
		}
	}
}

func TestDoctorCommandLine(t *testing.T) {
	for _, c := range []struct {
		line           string
		status         int
		stdout, stderr string
	}{
		{"doctor", 2, "", "it needs a server"},
		{"doctor --ice-server example.org", 2, "", "is not a stun:, turn: or turns: URL"},
		{"doctor --ice-server http://example.org", 2, "", "is not a stun:, turn: or turns: URL"},
		{"doctor --ice-server turn:a?transport=sctp", 2, "", "has a query other than"},
		{"doctor --ice-server stun:a?transport=udp", 2, "", "has no transports to choose from"},
		{"doctor --ice-server turn:a:b:c", 2, "", "has a host and port that make no sense"},
		{"doctor --ice-server turn:a:0", 2, "", "a port that makes no sense"},
		{"doctor --ice-server turn:", 2, "", "has no host"},
		{"doctor --ice-server stun:a --timeout 0s", 2, "", "--timeout is not a time to wait"},
		{"doctor --ice-server turn:a --username alice", 2, "", "give --username and --credential together"},
		{"doctor --ice-server turns:127.0.0.1 --ca nowhere.pem", 1, "", "nowhere.pem"},
		{"doctor -h", 0, "Examples:\n  plainrtc doctor --ice-server stun:stun.example.org", ""},
	} {
		status, stdout, stderr := plainrtc(t, strings.Fields(c.line)...)
		if status != c.status || !strings.Contains(stdout, c.stdout) || !strings.Contains(stderr, c.stderr) {
			t.Errorf("plainrtc %s: status %d, want %d\nstdout: %s\nstderr: %s", c.line, status, c.status, stdout, stderr)
		}
	}
	for s, want := range map[string]iceServer{
		"stun:example.org":                    {host: "example.org", port: "3478", protocols: []turn.Protocol{turn.UDP}},
		"turn:example.org":                    {turn: true, host: "example.org", port: "3478", protocols: []turn.Protocol{turn.UDP, turn.TCP}},
		"turn:[2001:db8::1]:99?transport=tcp": {turn: true, host: "2001:db8::1", port: "99", protocols: []turn.Protocol{turn.TCP}},
		"turns:[2001:db8::1]":                 {turn: true, host: "2001:db8::1", port: "5349", protocols: []turn.Protocol{turn.DTLS, turn.TLS}},
		"turns:example.org:443?transport=udp": {turn: true, host: "example.org", port: "443", protocols: []turn.Protocol{turn.DTLS}},
	} {
		got, err := parseICEServer(s)
		if err != nil || got.turn != want.turn || got.host != want.host || got.port != want.port || !slices.Equal(got.protocols, want.protocols) {
			t.Errorf("%s is %+v: %v", s, got, err)
		}
	}
}
