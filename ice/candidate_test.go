package ice

import (
	"bufio"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestParseCandidate(t *testing.T) {
	for _, test := range []struct {
		name, in string
		want     Candidate
		out      string // what String says, where it is not in
	}{{
		name: "Chromium's host candidate",
		in:   "candidate:1041737477 1 udp 2122265343 fd00::2 46380 typ host generation 0 network-id 2",
		want: Candidate{Foundation: "1041737477", Component: 1, Priority: 2122265343, Addr: netip.MustParseAddrPort("[fd00::2]:46380"), Type: Host, Generation: 0, NetworkID: 2},
	}, {
		name: "trickled, with its username fragment",
		in:   "candidate:842163049 1 udp 1677729535 203.0.113.7 46154 typ srflx raddr 0.0.0.0 rport 0 generation 0 ufrag EEtu network-id 3 network-cost 10",
		want: Candidate{Foundation: "842163049", Component: 1, Priority: 1677729535, Addr: netip.MustParseAddrPort("203.0.113.7:46154"), Type: ServerReflexive,
			Related: netip.MustParseAddrPort("0.0.0.0:0"), Ufrag: "EEtu", NetworkID: 3, NetworkCost: 10},
	}, {
		name: "Firefox hides its address and shouts the transport",
		in:   "a=candidate:0 1 UDP 2122187007 f6e4c838-94a3-42cf-aee9-f5bec942655e.local 34752 typ host",
		want: Candidate{Foundation: "0", Component: 1, Priority: 2122187007, Host: "f6e4c838-94a3-42cf-aee9-f5bec942655e.local",
			Addr: netip.AddrPortFrom(netip.Addr{}, 34752), Type: Host, Generation: -1},
		out: "candidate:0 1 udp 2122187007 f6e4c838-94a3-42cf-aee9-f5bec942655e.local 34752 typ host",
	}, {
		name: "TCP",
		in:   "candidate:2 1 TCP 2105458943 192.0.2.2 9 typ host tcptype active",
		want: Candidate{Foundation: "2", Component: 1, Protocol: TCP, Priority: 2105458943, Addr: netip.MustParseAddrPort("192.0.2.2:9"), Type: Host, TCPType: TCPActive, Generation: -1},
		out:  "candidate:2 1 tcp 2105458943 192.0.2.2 9 typ host tcptype active",
	}, {
		name: "RFC 8839, Section 5.1",
		in:   "a=candidate:2 1 UDP 1694498815 192.0.2.3 45664 typ srflx raddr 203.0.113.141 rport 8998",
		want: Candidate{Foundation: "2", Component: 1, Priority: 1694498815, Addr: netip.MustParseAddrPort("192.0.2.3:45664"), Type: ServerReflexive,
			Related: netip.MustParseAddrPort("203.0.113.141:8998"), Generation: -1},
		out: "candidate:2 1 udp 1694498815 192.0.2.3 45664 typ srflx raddr 203.0.113.141 rport 8998",
	}, {
		name: "unknown extensions are kept",
		in:   "candidate:1 2 udp 4294967295 192.0.2.2 5 typ relay foo bar x 1",
		want: Candidate{Foundation: "1", Component: 2, Priority: 4294967295, Addr: netip.MustParseAddrPort("192.0.2.2:5"), Type: Relayed, Generation: -1,
			Extensions: []Extension{{"foo", "bar"}, {"x", "1"}}},
	}, {
		name: "an IPv4 address in IPv6's clothes",
		in:   "1 1 udp 7 ::ffff:192.0.2.2 5 typ prflx",
		want: Candidate{Foundation: "1", Component: 1, Priority: 7, Addr: netip.MustParseAddrPort("192.0.2.2:5"), Type: PeerReflexive, Generation: -1},
		out:  "candidate:1 1 udp 7 192.0.2.2 5 typ prflx",
	}} {
		t.Run(test.name, func(t *testing.T) {
			got, err := ParseCandidate(test.in)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("got  %#v\nwant %#v", got, test.want)
			}
			if test.out == "" {
				test.out = test.in
			}
			if s := got.String(); s != test.out {
				t.Errorf("String is %q, want %q", s, test.out)
			}
		})
	}
}

func TestParseCandidateRefuses(t *testing.T) {
	for _, test := range []struct{ in, why string }{
		{"", "has 0 fields"},
		{"candidate:1 1 udp 1 192.0.2.2 5 typ", "has 7 fields"},
		{"candidate:1234567890123456789012345678901234 1 udp 1 192.0.2.2 5 typ host", "foundation"},
		{"candidate:a!b 1 udp 1 192.0.2.2 5 typ host", "foundation"},
		{"candidate:1 0 udp 1 192.0.2.2 5 typ host", "component"},
		{"candidate:1 257 udp 1 192.0.2.2 5 typ host", "component"},
		{"candidate:1 1 sctp 1 192.0.2.2 5 typ host", "transport"},
		{"candidate:1 1 udp 0 192.0.2.2 5 typ host", "priority"},
		{"candidate:1 1 udp 4294967296 192.0.2.2 5 typ host", "priority"},
		{"candidate:1 1 udp -1 192.0.2.2 5 typ host", "priority"},
		{"candidate:1 1 udp 1 192.0.2.2 65536 typ host", "port"},
		{"candidate:1 1 udp 1 fe80::1%eth0 5 typ host", "zone"},
		{"candidate:1 1 udp 1 not/a/host 5 typ host", "neither an IP address nor a host name"},
		{"candidate:1 1 udp 1 192.0.2.2 5 type host", "\"typ\""},
		{"candidate:1 1 udp 1 192.0.2.2 5 typ guest", "type"},
		{"candidate:1 1 udp 1 192.0.2.2 5 typ host generation", "no value"},
		{"candidate:1 1 udp 1 192.0.2.2 5 typ host generation x", "generation"},
		{"candidate:1 1 udp 1 192.0.2.2 5 typ host ufrag ä", "ufrag"},
		{"candidate:1 1 tcp 1 192.0.2.2 5 typ host tcptype lazy", "tcptype"},
		{"candidate:1 1 udp 1 192.0.2.2 5 typ srflx raddr 192.0.2.3 rport 65536", "rport"},
	} {
		if c, err := ParseCandidate(test.in); err == nil {
			t.Errorf("%q: accepted as %v", test.in, c)
		} else if !strings.Contains(err.Error(), test.why) {
			t.Errorf("%q: the error %q does not say %q", test.in, err, test.why)
		}
	}
}

// Every candidate that browsers were seen to signal is understood, and says the
// same again.
func TestParseCapturedCandidates(t *testing.T) {
	for line := range capturedCandidates(t) {
		c, err := ParseCandidate(line)
		if err != nil {
			t.Error(err)
			continue
		}
		if got, want := "a="+c.String(), strings.NewReplacer(" UDP ", " udp ", " TCP ", " tcp ").Replace(line); got != want {
			t.Errorf("%q became %q", want, got)
		}
	}
}

// capturedCandidates returns the candidate lines of testdata/candidates.txt.
func capturedCandidates(t testing.TB) map[string]bool {
	f, err := os.Open(filepath.Join("testdata", "candidates.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := map[string]bool{}
	for s := bufio.NewScanner(f); s.Scan(); {
		if !strings.HasPrefix(s.Text(), "#") {
			lines[s.Text()] = true
		}
	}
	if len(lines) < 50 {
		t.Fatalf("only %d candidates in the file", len(lines))
	}
	return lines
}

// What is parsed is written, and what is written is parsed to the same.
func FuzzParseCandidate(f *testing.F) {
	for line := range capturedCandidates(f) {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := ParseCandidate(s)
		if err != nil {
			return
		}
		again, err := ParseCandidate(c.String())
		if err != nil {
			t.Fatalf("%q became %q: %v", s, c, err)
		}
		if !reflect.DeepEqual(c, again) {
			t.Fatalf("%q became %q, and then %q", s, c, again)
		}
	})
}
