package peerconnection

import (
	"strings"
	"testing"

	"github.com/plainrtc/plainrtc/ice"
)

func TestServerURLs(t *testing.T) {
	for _, test := range []struct {
		text, host string
		port       uint16
		kind       ice.ServerKind
		protocol   ice.Protocol
		err        string // a part of it, if there is one
	}{
		{"stun:stun.example.org", "stun.example.org", 3478, ice.STUN, ice.UDP, ""},
		{"stun:192.0.2.1:19302", "192.0.2.1", 19302, ice.STUN, ice.UDP, ""},
		{"STUN:[2001:db8::1]:3479", "2001:db8::1", 3479, ice.STUN, ice.UDP, ""},
		{"turn:[2001:db8::1]", "2001:db8::1", 3478, ice.TURN, ice.UDP, ""},
		{"turn:turn.example.org:80?transport=udp", "turn.example.org", 80, ice.TURN, ice.UDP, ""},
		{"turn:turn.example.org?transport=tcp", "turn.example.org", 3478, ice.TURN, ice.TCP, ""},
		{"turns:turn.example.org", "turn.example.org", 5349, ice.TURN, ice.TLS, ""},
		{"TURNS:turn.example.org:443?transport=TCP", "turn.example.org", 443, ice.TURN, ice.TLS, ""},
		{"turns:turn.example.org?transport=udp", "turn.example.org", 5349, ice.TURN, ice.DTLS, ""},
		{"stuns:stun.example.org", "stun.example.org", 5349, ice.STUN, ice.DTLS, ""},
		{"stuns:stun.example.org?transport=udp", "", 0, 0, 0, "no meaning"},
		{"turn:turn.example.org?transport=sctp", "", 0, 0, 0, "transport=udp and transport=tcp are"},
		{"stun:host?transport=udp", "", 0, 0, 0, "no meaning"},
		{"turn:host?what", "", 0, 0, 0, "no meaning"},
		{"https://example.org", "", 0, 0, 0, "does not begin with"},
		{"turn://host", "", 0, 0, 0, "no host"},
		{"stun:", "", 0, 0, 0, "no host"},
		{"stun:host:0", "", 0, 0, 0, "no port"},
		{"stun:host:70000", "", 0, 0, 0, "no port"},
		{"stun:[2001:db8::1", "", 0, 0, 0, "not closed"},
		{"stun:[192.0.2.1]", "", 0, 0, 0, "no IPv6 address"},
		{"stun:[::1]3478", "", 0, 0, 0, "behind the bracket"},
	} {
		u, err := parseServerURL(test.text)
		switch {
		case test.err != "":
			if err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("%s: %v, not %q", test.text, err, test.err)
			}
		case err != nil || u.host != test.host || u.port != test.port || u.Kind != test.kind || u.Protocol != test.protocol:
			t.Errorf("%s: %+v, %v", test.text, u, err)
		}
	}
	for why, cfg := range map[string]Config{
		"needs a Username": {ICEServers: []ICEServer{{URLs: []string{"turn:192.0.2.1"}}}},
		"no URL":           {ICEServers: []ICEServer{{}}},
		"are more than 8":  {ICEServers: []ICEServer{{URLs: strings.Fields(strings.Repeat("stun:192.0.2.1 ", 9))}}},
		"is all or relay":  {ICETransportPolicy: "none"},
	} {
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%v, where %q is expected", err, why)
		}
	}
}
