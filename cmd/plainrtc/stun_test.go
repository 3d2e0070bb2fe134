package main

import (
	"encoding/json"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/plainrtc/plainrtc/stun"
)

// A stunWorld is a server with two addresses and two ports (RFC 5780), and a NAT that
// it makes believe: mapping and filtering are what it does to answers.
type stunWorld struct {
	mapping, filtering behaviour
	without            bool // OTHER-ADDRESS
	nat                bool
	sockets            [2][2]*net.UDPConn // by address and port
}

func (s *stunWorld) serve(t *testing.T) netip.AddrPort {
	t.Helper()
	for tries := 0; ; tries++ {
		err := s.listen(t)
		if err == nil {
			break
		}
		if tries == 20 {
			t.Fatal(err)
		}
	}
	for i := range 2 {
		for j := range 2 {
			go s.answer(i, j)
		}
	}
	return udpAddrPort(s.sockets[0][0].LocalAddr())
}

func (s *stunWorld) listen(t *testing.T) error {
	var ports [2]int
	for i, ip := range []string{"127.0.0.1", "127.0.0.2"} {
		for j := range 2 {
			c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(ip), Port: ports[j]})
			if err != nil {
				return err
			}
			t.Cleanup(func() { c.Close() })
			s.sockets[i][j], ports[j] = c, c.LocalAddr().(*net.UDPAddr).Port
		}
	}
	return nil
}

func (s *stunWorld) answer(i, j int) {
	b := make([]byte, 1500)
	for {
		n, from, err := s.sockets[i][j].ReadFromUDPAddrPort(b)
		if err != nil {
			return
		}
		m, err := stun.Parse(b[:n])
		if err != nil {
			continue
		}
		x, y := i, j
		if v, ok := m.Get(stun.AttrChangeRequest); ok {
			if v[3]&changeIP != 0 {
				x = 1 - x
			}
			if v[3]&changePort != 0 {
				y = 1 - y
			}
		}
		if x != i && s.filtering != endpointIndependent || y != j && s.filtering == addressAndPortDependent {
			continue
		}
		mapped := from
		if s.nat {
			port := uint16(5000)
			if s.mapping != endpointIndependent {
				port += 10 * uint16(i)
			}
			if s.mapping == addressAndPortDependent {
				port += uint16(j)
			}
			mapped = netip.AddrPortFrom(netip.MustParseAddr("203.0.113.5"), port)
		}
		r := stun.NewBuilder(nil, stun.NewType(stun.Binding, stun.SuccessResponse), m.TransactionID())
		r.AddXORAddress(stun.AttrXORMappedAddress, mapped)
		if !s.without {
			r.AddAddress(stun.AttrOtherAddress, udpAddrPort(s.sockets[1][1].LocalAddr()))
		}
		s.sockets[x][y].WriteToUDPAddrPort(r.Bytes(), from)
	}
}

// Whatever the NAT does is found out, and said.
func TestStunFindsBehaviour(t *testing.T) {
	all := []behaviour{endpointIndependent, addressDependent, addressAndPortDependent}
	for _, mapping := range all {
		for _, filtering := range all {
			t.Run(string(mapping+" "+filtering), func(t *testing.T) {
				t.Parallel()
				world := &stunWorld{mapping: mapping, filtering: filtering, nat: true}
				at := world.serve(t)
				// A late answer is taken for none: a busy machine gets more time.
				for _, timeout := range []string{"500ms", "2s", "8s"} {
					status, stdout, stderr := plainrtc(t, "stun", at.String(), "--timeout", timeout, "--json")
					var r stunReport
					if err := json.Unmarshal([]byte(stdout), &r); err != nil || status != 0 {
						t.Fatalf("status %d, %v\n%s%s", status, err, stdout, stderr)
					}
					if r.OK && r.NAT && r.Mapped.String() == "203.0.113.5:5000" && r.Mapping == mapping && r.Filtering == filtering {
						return
					}
					t.Logf("in %s found %+v", timeout, r)
				}
				t.Error("however long it waits, it finds another behaviour")
			})
		}
	}
}

func TestStunSaysInWords(t *testing.T) {
	for _, c := range []struct {
		world stunWorld
		want  []string
	}{
		{stunWorld{without: true}, []string{"No NAT is in between", "has no second address"}},
		{stunWorld{nat: true, mapping: addressAndPortDependent, filtering: endpointIndependent}, []string{
			"203.0.113.5:5000 is how 127.0.0.1:", "A NAT is in between: it was sent from 127.0.0.1:",
			"mapping is address-and-port-dependent: each port that is sent to sees another port", "a TURN server is needed",
			"filtering is endpoint-independent: once a port is open anybody may send to it",
		}},
	} {
		at := c.world.serve(t)
		status, stdout, stderr := plainrtc(t, "stun", "stun:"+at.String())
		for _, want := range c.want {
			if status != 0 || !strings.Contains(stdout, want) {
				t.Errorf("status %d, want %q in\n%s%s", status, want, stdout, stderr)
			}
		}
	}
}

func TestStunCommandLine(t *testing.T) {
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for _, c := range []struct {
		line           string
		status         int
		stdout, stderr string
	}{
		{"stun", 2, "", "it needs a server, such as stun.example.org"},
		{"stun host:port:more", 2, "", "is not a host, or a host and a port"},
		{"stun 127.0.0.1:0", 2, "", "is not a host, or a host and a port"},
		{"stun 127.0.0.1 --timeout -1s", 2, "", "--timeout is not a time to wait"},
		{"stun " + silent.LocalAddr().String() + " --timeout 50ms", 1, "", "does not answer over UDP within 50ms"},
		{"stun --timeout 50ms --json " + silent.LocalAddr().String(), 1, `"ok":false,"error":"127.0.0.1:`, ""},
		{"stun -h", 0, "Examples:\n  plainrtc stun stun.example.org", ""},
	} {
		status, stdout, stderr := plainrtc(t, strings.Fields(c.line)...)
		if status != c.status || !strings.Contains(stdout, c.stdout) || !strings.Contains(stderr, c.stderr) {
			t.Errorf("plainrtc %s: status %d, want %d\nstdout: %s\nstderr: %s", c.line, status, c.status, stdout, stderr)
		}
	}
	for s, want := range map[string]string{
		"stun.example.org": "stun.example.org 3478", "stun.example.org:19302": "stun.example.org 19302", "2001:db8::1": "2001:db8::1 3478",
		"[2001:db8::1]:99": "2001:db8::1 99", "[2001:db8::1]": "2001:db8::1 3478",
	} {
		if host, port, err := stunHost(s); err != nil || host+" "+port != want {
			t.Errorf("%s is %s %s, want %s: %v", s, host, port, want, err)
		}
	}
}
