package sdp

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// atSession says everything that can be said for all sections at once.
const atSession = minimal + `a=ice-ufrag:sess
a=ice-pwd:sessionsessionsessionse
a=ice-options:trickle
a=fingerprint:sha-256 01:02
a=fingerprint:sha-512 03:04
a=setup:actpass
a=tls-id:session
a=recvonly
a=extmap-allow-mixed
a=ice-lite
`

func TestSectionInheritsWhatItDoesNotSay(t *testing.T) {
	s := mustParse(t, atSession+"m=audio 9 UDP/TLS/RTP/SAVPF 0\n")
	m := &s.Media[0]
	got, err := s.Transport(m)
	if err != nil {
		t.Fatal(err)
	}
	if got.Ufrag != "sess" || got.Pwd != "sessionsessionsessionse" || got.Setup != ActPass || got.TLSID != "session" || !got.Lite {
		t.Errorf("the section inherits %+v", got)
	}
	if !slices.Equal(got.Options, []string{"trickle"}) {
		t.Errorf("the section inherits options %q", got.Options)
	}
	if len(got.Fingerprints) != 2 || got.Fingerprints[1].String() != "sha-512 03:04" {
		t.Errorf("the section inherits fingerprints %v", got.Fingerprints)
	}
	if d := s.Direction(m); d != RecvOnly {
		t.Errorf("the section inherits the direction %s", d)
	}
	if !s.ExtmapAllowMixed(m) {
		t.Error("the section does not inherit extmap-allow-mixed")
	}
}

func TestSectionsOwnWordCounts(t *testing.T) {
	s := mustParse(t, atSession+`m=audio 9 UDP/TLS/RTP/SAVPF 0
a=ice-ufrag:mine
a=ice-pwd:sectionsectionsectionse
a=ice-options:renomination sped
a=fingerprint:sha-1 05:06
a=setup:passive
a=tls-id:section
a=inactive
`)
	m := &s.Media[0]
	got, err := s.Transport(m)
	if err != nil {
		t.Fatal(err)
	}
	if got.Ufrag != "mine" || got.Pwd != "sectionsectionsectionse" || got.Setup != Passive || got.TLSID != "section" {
		t.Errorf("the section says %+v", got)
	}
	if !slices.Equal(got.Options, []string{"renomination", "sped"}) {
		t.Errorf("the section says options %q", got.Options)
	}
	if len(got.Fingerprints) != 1 || got.Fingerprints[0].String() != "sha-1 05:06" {
		t.Errorf("a section's fingerprints take the place of the session's, got %v", got.Fingerprints)
	}
	if d := s.Direction(m); d != Inactive {
		t.Errorf("the section's direction is %s", d)
	}
	if of, err := s.Transport(nil); err != nil || of.Ufrag != "sess" || s.Direction(nil) != RecvOnly {
		t.Errorf("of the session itself: %+v, %v", of, err)
	}
}

func TestTransportSaysWhatIsMissing(t *testing.T) {
	for _, name := range []string{"ice-ufrag", "ice-pwd", "fingerprint", "setup"} {
		var lines []string
		for l := range strings.Lines(atSession) {
			if !strings.HasPrefix(l, "a="+name+":") {
				lines = append(lines, l)
			}
		}
		text := strings.Join(lines, "") + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\na=mid:data\n"
		s := mustParse(t, text)
		_, err := s.Transport(&s.Media[0])
		want := `sdp: the application section with mid "data" has no a=` + name + `, and neither has the session`
		if err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
		if _, err := s.Transport(nil); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s, of the session: %v", name, err)
		}
	}
}

// A bundled answer says its transport once, in the tagged section.
func TestBundleTagIsTheFirstSectionOfTheGroup(t *testing.T) {
	const sections = "m=audio 9 UDP/TLS/RTP/SAVPF 0\na=mid:a\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\na=mid:d\n"
	s := mustParse(t, minimal+"a=group:LS a\na=group:BUNDLE d a\n"+sections)
	if tag := s.BundleTag(); tag != &s.Media[1] {
		t.Errorf("the tagged section is %v, expected that of mid d", tag)
	}
	if mids, ok := s.Bundled(); !ok || !slices.Equal(mids, []string{"d", "a"}) {
		t.Errorf("bundled are %q, %v", mids, ok)
	}
	if groups := s.Groups(); len(groups) != 2 || groups[0].Semantics != "LS" {
		t.Errorf("the groups are %v", groups)
	}
	for _, none := range []string{"", "a=group:BUNDLE\n", "a=group:BUNDLE x\n", "a=group:LS a\n"} {
		if tag := mustParse(t, minimal+none+sections).BundleTag(); tag != nil {
			t.Errorf("with %q the tagged section is that of kind %s, expected none", none, tag.Kind)
		}
	}
}

func TestDirections(t *testing.T) {
	for _, test := range []struct{ ours, theirs Direction }{
		{SendRecv, SendRecv}, {SendOnly, RecvOnly}, {RecvOnly, SendOnly}, {Inactive, Inactive},
	} {
		if got := test.ours.Reverse(); got != test.theirs {
			t.Errorf("%s is %s to the other peer, got %s", test.ours, test.theirs, got)
		}
	}
	// RFC 9429, Section 5.3.1: an answer sends only what the offer receives.
	if got := SendRecv & SendOnly.Reverse(); got != RecvOnly {
		t.Errorf("the answer to sendonly is %s at most, expected recvonly", got)
	}
	s := mustParse(t, minimal+"m=audio 9 UDP/TLS/RTP/SAVPF 0\n")
	if d := s.Direction(&s.Media[0]); d != SendRecv {
		t.Errorf("where nothing is said the direction is %s, expected sendrecv", d)
	}
}

func TestSetupAnswers(t *testing.T) {
	for offer, answer := range map[Setup]Setup{ActPass: Active, Active: Passive, Passive: Active} {
		if got := offer.Answer(); got != answer {
			t.Errorf("the answer to %s is %s, expected %s", offer, got, answer)
		}
	}
}

func TestDataSections(t *testing.T) {
	for _, test := range []struct {
		media string
		data  bool
		port  uint16
		said  bool
		size  uint64
	}{
		{"m=application 9 UDP/DTLS/SCTP webrtc-datachannel\na=sctp-port:5000\na=max-message-size:0\n", true, 5000, true, 0},
		{"m=application 9 TCP/DTLS/SCTP webrtc-datachannel\na=sctp-port:5001\n", true, 5001, true, DefaultMaxMessageSize},
		{"m=application 9 DTLS/SCTP 5002\na=sctpmap:5002 webrtc-datachannel 1024\n", true, 5002, true, DefaultMaxMessageSize},
		{"m=application 9 DTLS/SCTP webrtc-datachannel\n", true, 0, false, DefaultMaxMessageSize},
		{"m=application 9 UDP/DTLS/SCTP webrtc-datachannel\n", true, 0, false, DefaultMaxMessageSize},
		{"m=application 9 UDP/DTLS/SCTP bfcp\n", false, 0, false, DefaultMaxMessageSize},
		{"m=application 9 UDP/BFCP *\n", false, 0, false, DefaultMaxMessageSize},
	} {
		m := mustParse(t, minimal+test.media).Media[0]
		port, said := m.SCTPPort()
		if m.IsData() != test.data || port != test.port || said != test.said || m.MaxMessageSize() != test.size {
			t.Errorf("%q: data %v, port %d %v, messages to %d", test.media, m.IsData(), port, said, m.MaxMessageSize())
		}
	}
}

func TestRejectedSections(t *testing.T) {
	for media, rejected := range map[string]bool{
		"m=audio 9 RTP/AVP 0\n":                false,
		"m=audio 0 RTP/AVP 0\n":                true,
		"m=audio 0 RTP/AVP 0\na=bundle-only\n": false, // wanted, on the group's transport
	} {
		if m := mustParse(t, minimal+media).Media[0]; m.Rejected() != rejected {
			t.Errorf("%q: rejected is %v, expected %v", media, m.Rejected(), rejected)
		}
	}
}

func TestAddresses(t *testing.T) {
	for addr, want := range map[string]Address{
		"192.0.2.2":        {"IP4", "192.0.2.2"},
		"::ffff:192.0.2.2": {"IP4", "192.0.2.2"}, // a socket of both families says it so
		"fd00::2":          {"IP6", "fd00::2"},
		"fe80::1%eth0":     {"IP6", "fe80::1"}, // a zone means nothing to the peer
	} {
		if got := AddressOf(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s is written %v, expected %v", addr, got, want)
		}
	}
	if got, ok := (Address{"IP6", "fd00::2"}).Addr(); !ok || got != netip.MustParseAddr("fd00::2") {
		t.Errorf("read %v, %v", got, ok)
	}
	if _, ok := (Address{"IP4", "host.example"}).Addr(); ok {
		t.Error("a name was read as a number")
	}
}

// The first well-formed attribute counts; what is ill-formed is not there.
func TestReadersPassOverWhatIsIllFormed(t *testing.T) {
	s := mustParse(t, minimal+`m=video 9 UDP/TLS/RTP/SAVPF 96
a=rid:$ send
a=rid:hi send pt=96;max-fps=30
a=rid:lo back
a=simulcast:send
a=simulcast:send hi send lo
a=simulcast:send hi;~lo
a=fmtp:96 Profile-ID=0; level=3
a=rtcp-fb:nack
a=ssrc-group:FID 1 2x
b=TIAS:1000000
b=AS:1000
`)
	m := &s.Media[0]
	rids := slices.Collect(m.RIDs())
	if len(rids) != 1 || rids[0].ID != "hi" || !slices.Equal(rids[0].PayloadTypes, []uint8{96}) || rids[0].Restrictions != "max-fps=30" {
		t.Errorf("the encodings are %+v", rids)
	}
	simulcast, ok := m.Simulcast()
	if !ok || len(simulcast.Send) != 2 || !simulcast.Send[1][0].Paused {
		t.Errorf("the simulcast is %+v, %v", simulcast, ok)
	}
	for f := range m.FMTPs() {
		if v, ok := f.Parameter("profile-id"); !ok || v != "0" {
			t.Errorf("profile-id is %q, %v", v, ok)
		}
		if v, ok := f.Parameter("LEVEL"); !ok || v != "3" {
			t.Errorf("level is %q, %v", v, ok)
		}
		if _, ok := f.Parameter("lev"); ok {
			t.Error("a parameter was found by half its name")
		}
	}
	for f := range m.RTCPFeedback() {
		t.Errorf("feedback %+v was read from a line without a payload type", f)
	}
	for g := range m.SSRCGroups() {
		t.Errorf("group %+v was read from a line with 2x for an SSRC", g)
	}
	if v, ok := m.Bandwidth("TIAS"); !ok || v != 1_000_000 {
		t.Errorf("the bandwidth is %d, %v", v, ok)
	}
	if v, ok := s.Lookup(m, "simulcast"); !ok || v != "send" {
		t.Errorf("the text of the first simulcast is %q, %v", v, ok)
	}
	if n := len(slices.Collect(m.Values("rid"))); n != 3 {
		t.Errorf("there are %d lines of rid, expected all three", n)
	}
}
