package sdp

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/plainrtc/plainrtc/internal/ladder"
)

// captures calls test with each description that a browser really sent.
func captures(t *testing.T, test func(t *testing.T, file, text string)) {
	files, err := filepath.Glob("testdata/*.sdp")
	if err != nil || len(files) < 20 {
		t.Fatalf("found %d captured descriptions (%v), expected all of them", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".sdp"), func(t *testing.T) { test(t, file, string(text)) })
	}
}

func mustParse(t testing.TB, text string) *Session {
	t.Helper()
	s, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestCapturesComeBackByteForByte(t *testing.T) {
	captures(t, func(t *testing.T, _, text string) {
		if got := mustParse(t, text).String(); got != text {
			t.Errorf("wrote\n%s\nwhere the browser wrote\n%s", got, text)
		}
	})
}

// What the typed readers find in each capture stands in a golden file beside
// it, for a person to compare with the capture.
func TestCapturesMeanWhatTheGoldenFilesSay(t *testing.T) {
	captures(t, func(t *testing.T, file, text string) {
		got := describe(mustParse(t, text))
		golden := strings.TrimSuffix(file, ".sdp") + ".golden"
		if ladder.Updating() { // make golden
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("read\n%s\n%s says\n%s", got, golden, want)
		}
	})
}

// describe prints a description as the typed readers see it.
func describe(s *Session) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("session %d version %d by %q at %s", s.Origin.SessionID, s.Origin.SessionVersion, s.Origin.Username, s.Origin.Address.Host)
	for _, g := range s.Groups() {
		line("group %s of %q", g.Semantics, g.MIDs)
	}
	if semantic, ok := s.MSIDSemantic(); ok {
		line("msid-semantic %s %q", semantic.Semantic, semantic.Streams)
	}
	for i := range s.Media {
		m := &s.Media[i]
		mid, _ := m.MID()
		line("\n%s %q to %s port %d, %s, %s, mixed extmap %v, rejected %v", m.Kind, mid, m.Connection.Host, m.Port, m.Protocol, s.Direction(m), s.ExtmapAllowMixed(m), m.Rejected())
		transport, err := s.Transport(m)
		line("  ice %s:%s options %q", transport.Ufrag, transport.Pwd, transport.Options)
		for _, f := range transport.Fingerprints {
			line("  dtls %s, %s", transport.Setup, f)
		}
		if err != nil {
			line("  %v", err)
		}
		for _, c := range transport.Candidates {
			line("  %s", c)
		}
		if transport.EndOfCandidates {
			line("  end of candidates")
		}
		if port, ok := m.SCTPPort(); ok {
			line("  data %v, sctp port %d, messages to %d bytes", m.IsData(), port, m.MaxMessageSize())
		}
		if chunk, ok := m.SCTPInit(); ok {
			line("  sctp-init %x", chunk)
		}
		if rtcp, ok := m.RTCP(); ok {
			line("  rtcp port %d at %s", rtcp.Port, rtcp.Address.Host)
		}
		if m.Has("rtcp-mux") {
			line("  rtcp-mux, reduced size %v", m.Has("rtcp-rsize"))
		}
		for v := range m.MSIDs() {
			line("  stream %s track %s", v.Stream, v.Track)
		}
		for v := range m.Extmaps() {
			line("  extension %d %s %s", v.ID, v.Direction, v.URI)
		}
		for codec := range m.RTPMaps() {
			line("  codec %d %s at %d Hz, channels %d", codec.PayloadType, codec.Encoding, codec.ClockRate, codec.Channels)
			for f := range m.FMTPs() {
				if f.PayloadType == codec.PayloadType {
					line("    with %s", f.Parameters)
				}
			}
			for f := range m.RTCPFeedback() {
				if f.PayloadType == int(codec.PayloadType) || f.PayloadType == -1 {
					line("    feedback %s %s", f.Kind, f.Parameter)
				}
			}
		}
		for g := range m.SSRCGroups() {
			line("  sources %s %d", g.Semantics, g.SSRCs)
		}
		for v := range m.SSRCs() {
			line("  source %d %s %s", v.ID, v.Name, v.Value)
		}
	}
	return b.String()
}

// Every attribute that has a type is read and written again: the constructors
// say what browsers say, to the byte.
func TestTypedAttributesAreWrittenAsBrowsersWriteThem(t *testing.T) {
	captures(t, func(t *testing.T, _, text string) {
		s := mustParse(t, text)
		check := func(as Attributes, want, got Attribute, ok bool) {
			if !ok {
				t.Errorf("a=%s was not read", want)
			} else if got != want {
				t.Errorf("a=%s was written as a=%s", want, got)
			}
		}
		sections := []Attributes{s.Attributes}
		for _, m := range s.Media {
			sections = append(sections, m.Attributes)
		}
		for _, as := range sections {
			for _, a := range as {
				one := Attributes{a}
				got, ok, typed := rewrite(one, a.Name())
				if typed {
					check(one, a, got, ok)
				}
			}
		}
	})
}

// rewrite reads the only attribute of as and constructs it anew.
func rewrite(as Attributes, name string) (a Attribute, ok, typed bool) {
	session := &Session{Attributes: as}
	switch name {
	case "group":
		v, ok := first(as, name, parseGroup)
		return v.Attribute(), ok, true
	case "mid":
		v, ok := as.MID()
		return MID(v), ok, true
	case "ice-ufrag":
		v, ok := session.ICEUfrag(nil)
		return ICEUfrag(v), ok, true
	case "ice-pwd":
		v, ok := session.ICEPwd(nil)
		return ICEPwd(v), ok, true
	case "ice-options":
		v := session.ICEOptions(nil)
		return ICEOptions(v...), v != nil, true
	case "candidate":
		v, ok := as.Value(name)
		return Candidate(v), ok, true
	case "fingerprint":
		v, ok := first(as, name, parseFingerprint)
		return v.Attribute(), ok, true
	case "setup":
		v, ok := session.Setup(nil)
		return v.Attribute(), ok, true
	case "sendrecv", "sendonly", "recvonly", "inactive":
		return session.Direction(nil).Attribute(), true, true
	case "sctp-port":
		v, ok := (&Media{Attributes: as}).SCTPPort()
		return SCTPPort(v), ok, true
	case "max-message-size":
		return MaxMessageSize(as.MaxMessageSize()), true, true
	case "sctp-init":
		v, ok := as.SCTPInit()
		return SCTPInit(v), ok, true
	case "rtcp":
		v, ok := as.RTCP()
		return v.Attribute(), ok, true
	case "msid":
		v, ok := first(as, name, parseMSID)
		return v.Attribute(), ok, true
	case "rtpmap":
		v, ok := first(as, name, parseRTPMap)
		return v.Attribute(), ok, true
	case "fmtp":
		v, ok := first(as, name, parseFMTP)
		return v.Attribute(), ok, true
	case "rtcp-fb":
		v, ok := first(as, name, parseRTCPFeedback)
		return v.Attribute(), ok, true
	case "extmap":
		v, ok := first(as, name, parseExtmap)
		return v.Attribute(), ok, true
	case "ssrc":
		v, ok := first(as, name, parseSSRC)
		return v.Attribute(), ok, true
	case "ssrc-group":
		v, ok := first(as, name, parseSSRCGroup)
		return v.Attribute(), ok, true
	case "rid":
		v, ok := first(as, name, parseRID)
		return v.Attribute(), ok, true
	case "simulcast":
		v, ok := as.Simulcast()
		return v.Attribute(), ok, true
	case "sctpmap":
		v, ok := as.SCTPMap()
		return v.Attribute(), ok, true
	}
	return "", false, false
}

// The whole of Chromium's offer, built the way peerconnection builds ours.
func TestDataOfferIsBuiltExactlyAsChromiumBuildsIt(t *testing.T) {
	want, err := os.ReadFile("testdata/chromium-data-only-offer.sdp")
	if err != nil {
		t.Fatal(err)
	}
	theirs := mustParse(t, string(want))
	transport, err := theirs.Transport(theirs.BundleTag())
	if err != nil {
		t.Fatal(err)
	}

	offer := New(5252792872090358374, 2)
	offer.Attributes = Attributes{Bundle("0"), ExtmapAllowMixed, MSIDSemantic{Semantic: "WMS"}.Attribute()}
	m := NewDataMedia()
	m.Port, m.Connection = 51094, AddressOf(netip.MustParseAddr("192.0.2.2")) // the default candidate
	m.Attributes = append(transport.Append(nil), MID("0"), SCTPPort(5000), MaxMessageSize(262144))
	offer.Media = []Media{m}

	if got := offer.String(); got != string(want) {
		t.Errorf("built\n%s\nChromium wrote\n%s", got, want)
	}
}

// Attributes no capture has, read and written again.
func TestOtherAttributesAreWrittenAsRead(t *testing.T) {
	for _, a := range []Attribute{
		"group:LS",
		"rid:hi send pt=97,98;max-width=1280;max-height=720",
		"rid:lo_1 recv max-width=320",
		"rid:a send",
		"rid:b recv pt=96",
		"simulcast:send 1,2,3;~4,~5 recv 6;~7,~8",
		"simulcast:recv hi;lo",
		"sctpmap:5000 webrtc-datachannel 1024",
		"sctpmap:5000 webrtc-datachannel",
		"msid:-",
		"rtcp:9",
		"rtcp-fb:* ccm fir",
		"extmap:4097/sendonly urn:example:ext with its own words",
		"ssrc:1 fmtp:96 a=b",
		"ssrc:1 flag",
		"inactive", "sendonly", "recvonly",
		"fmtp:63 111/111",
	} {
		got, ok, typed := rewrite(Attributes{a}, a.Name())
		if !ok || !typed || got != a {
			t.Errorf("a=%s was written as a=%s (well-formed: %v)", a, got, ok)
		}
	}
}
