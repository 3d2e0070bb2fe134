package sdp

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

// minimal is a description of n lines that the tests below complete.
const minimal = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"

func TestErrorsNameLineAndColumnAndWhatWasExpected(t *testing.T) {
	const section = minimal + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"
	for _, test := range []struct{ name, text, want string }{
		{"nothing", "", "line 1, column 1: expected v=0, the first line of a session description, found the end of the description"},
		{"not SDP", `{"type":"offer"}`, "line 1, column 1: expected a line type, which is a letter and \"=\", found \"{\\\"type\\\":\\\"offer\\\"}\""},
		{"another version", "v=1\r\n", "line 1, column 3: expected 0, the only version of SDP there is, found \"1\""},
		{"origin first", "o=- 1 2 IN IP4 127.0.0.1\r\n", "line 1, column 1: expected v=0, the first line of a session description, found \"o=-\""},
		{"no origin", "v=0\r\ns=-\r\n", "line 2, column 1: expected o=, the origin of the session, found \"s=-\""},
		{"short origin", "v=0\r\no=- 1 2 IN IP4\r\n", "line 2, column 15: expected a space and an address, found the end of the line"},
		{"origin without numbers", "v=0\r\no=- one 2 IN IP4 h\r\n", "line 2, column 5: expected a session id, which is a number below 2^64, found \"one\""},
		{"session id of 65 bits", "v=0\r\no=- 18446744073709551616 2 IN IP4 h\r\n", "line 2, column 5: expected a session id, which is a number below 2^64, found \"18446744073709551616\""},
		{"network type", "v=0\r\no=- 1 2 ATM NSAP 47\r\n", "line 2, column 9: expected \"IN\", the network type, found \"ATM\""},
		{"address type", "v=0\r\no=- 1 2 IN IP5 h\r\n", "line 2, column 12: expected \"IP4\" or \"IP6\", found \"IP5\""},
		{"no name", "v=0\no=- 1 2 IN IP4 h\nt=0 0\n", "line 3, column 1: expected s=, the name of the session, found \"t=0\""},
		{"no time", "v=0\no=- 1 2 IN IP4 h\ns=-\n", "line 4, column 1: expected t=, when the session is active, in WebRTC \"t=0 0\", found the end of the description"},
		{"no time before media", "v=0\no=- 1 2 IN IP4 h\ns=-\nm=audio 9 RTP/AVP 0\n", "line 4, column 1: expected t=, when the session is active, in WebRTC \"t=0 0\", found \"m=audio\""},
		{"half a time", "v=0\no=- 1 2 IN IP4 h\ns=-\nt=0\n", "line 4, column 4: expected a space and a stop time in seconds, 0 for none, found the end of the line"},
		{"a second name", minimal + "s=again\r\n", "line 5, column 1: expected t=, a= or m=, for there can be but one v=, o= and s=, found \"s=again\""},
		{"an empty line", minimal + "\r\na=sendrecv\r\n", "line 5, column 1: expected a line such as \"a=mid:0\", found the end of the line"},
		{"no type", minimal + "candidate:1 1 udp\r\n", "line 5, column 1: expected a line type, which is a letter and \"=\", found \"candidate:1\""},
		{"CR within a line", minimal + "a=mid:0\ra=mid:1\r\n", "line 5, column 8: expected no CR or NUL within a line, found \"\\ra=mid:1\""},
		{"NUL within a line", minimal + "a=x:\x00\r\n", "line 5, column 5: expected no CR or NUL within a line, found \"\\x00\""},
		{"bandwidth", minimal + "b=AS\r\n", "line 5, column 5: expected \":\" and a bandwidth, found the end of the line"},
		{"connection", minimal + "c=IN IP4\r\n", "line 5, column 9: expected a space and an address, found the end of the line"},
		{"attribute without a name", minimal + "a=:x\r\n", "line 5, column 3: expected the name of an attribute, found \":x\""},
		{"attribute without a value", minimal + "a=mid\r\n", "line 5, column 6: expected \":\" and a value, found the end of the line"},
		{"kind of media", minimal + "m= 9 UDP x\r\n", "line 5, column 3: expected a kind of media: audio, video or application, found \" 9 UDP x\""},
		{"port", minimal + "m=audio 65536 RTP/AVP 0\r\n", "line 5, column 9: expected a port from 0 to 65535, found \"65536\""},
		{"port of letters", minimal + "m=audio 9x RTP/AVP 0\r\n", "line 5, column 10: expected a space and a protocol, such as UDP/DTLS/SCTP, found \"x\""},
		{"no format", minimal + "m=audio 9 RTP/AVP\r\n", "line 5, column 18: expected a space and a format, such as webrtc-datachannel or 111, found the end of the line"},
		{"a blank for a format", minimal + "m=audio 9 RTP/AVP  \r\n", "line 5, column 20: expected a format, such as webrtc-datachannel or 111, found the end of the line"},
		{"time in a section", section + "t=0 0\r\n", "line 6, column 1: expected i=, c=, b=, k=, a= or m=, the lines of a media section, found \"t=0\""},
		{"two descriptions", section + minimal, "line 6, column 1: expected i=, c=, b=, k=, a= or m=, the lines of a media section, found \"v=0\""},
		{"mid", section + "a=mid:a b\r\n", "line 6, column 9: expected the end of the line, found \"b\""},
		{"mid of two sections", section + "a=mid:0\r\n" + section[len(minimal):] + "a=mid:0\r\n", "line 7, column 1: expected a section whose mid no other section has, found a second a=mid:0"},
		{"group", minimal + "a=group:BUNDLE 0 a/b\r\n", "line 5, column 18: expected a mid, which is a token, found \"a/b\""},
		{"short ufrag", section + "a=ice-ufrag:abc\r\n", "line 6, column 13: expected a username fragment of 4 to 256 ICE characters, found \"abc\""},
		{"ufrag with a colon", section + "a=ice-ufrag:abc:def\r\n", "line 6, column 13: expected a username fragment of 4 to 256 ICE characters, found \"abc:def\""},
		{"short pwd", section + "a=ice-pwd:0123456789\r\n", "line 6, column 11: expected a password of 22 to 256 ICE characters, found \"0123456789\""},
		{"fingerprint without a hash", section + "a=fingerprint:sha-256\r\n", "line 6, column 22: expected a space and pairs of hexadecimal digits with colons between them, found the end of the line"},
		{"fingerprint that ends early", section + "a=fingerprint:sha-256 AB:\r\n", "line 6, column 26: expected pairs of hexadecimal digits with colons between them, found the end of the line"},
		{"fingerprint without colons", section + "a=fingerprint:sha-256 ABCD\r\n", "line 6, column 25: expected the end of the line, found \"CD\""},
		{"fingerprint that is not hexadecimal", section + "a=fingerprint:sha-256 AB:XY\r\n", "line 6, column 26: expected pairs of hexadecimal digits with colons between them, found \"XY\""},
		{"setup", section + "a=setup:both\r\n", "line 6, column 9: expected actpass, active or passive, found \"both\""},
		{"sctp-port", section + "a=sctp-port:70000\r\n", "line 6, column 13: expected an SCTP port from 0 to 65535, found \"70000\""},
		{"max-message-size", section + "a=max-message-size:-1\r\n", "line 6, column 20: expected a number of bytes, 0 for no limit, found \"-1\""},
		{"payload type", section + "a=rtpmap:128 opus/48000\r\n", "line 6, column 10: expected a payload type from 0 to 127, found \"128\""},
		{"clock rate", section + "a=rtpmap:111 opus\r\n", "line 6, column 18: expected \"/\" and a clock rate, found the end of the line"},
		{"extmap", section + "a=extmap:1/both urn:x\r\n", "line 6, column 12: expected sendrecv, sendonly, recvonly or inactive, found \"both\""},
		{"ssrc", section + "a=ssrc:4294967296 cname:x\r\n", "line 6, column 8: expected an SSRC, a number below 2^32, found \"4294967296\""},
		{"a long word", minimal + "a=mid:" + strings.Repeat("/", 100), "line 5, column 7: expected a mid, which is a token, found \"" + strings.Repeat("/", 40) + "…\""},
		{"too large", minimal + "a=x:" + strings.Repeat("x", 1<<20), "line 1, column 1: expected a description of at most 1 MiB, found a larger one"},
		{"too many lines", minimal + strings.Repeat("a=x\n", 1<<15), "line 32769, column 1: expected a description of at most 32768 lines, found more"},
		{"too many sections", minimal + strings.Repeat("m=a 0 b c\n", 513), "line 518, column 1: expected a description of at most 512 media sections, found more"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, err := Parse(test.text)
			if err == nil {
				t.Fatalf("parsed as\n%s", s)
			}
			var e *Error
			if !errors.As(err, &e) || s != nil {
				t.Fatalf("Parse returned %v and an error of type %T", s, err)
			}
			if want := "sdp: " + test.want; err.Error() != want {
				t.Errorf("got  %s\nwant %s", err, want)
			}
		})
	}
}

func TestWhatIsTolerated(t *testing.T) {
	const section = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"
	for _, test := range []struct{ name, text, want string }{
		{"LF line ends", strings.ReplaceAll(minimal+section, "\r", ""), minimal + section},
		{"no line end at the end", strings.TrimSuffix(minimal+section, "\r\n"), minimal + section},
		{"CR alone at the end", strings.TrimSuffix(minimal+section, "\n"), minimal + section},
		{"blank lines at the end", minimal + section + "\r\n\n\r\n", minimal + section},
		{"spaces", "v=0\no=-  1 2  IN IP4 127.0.0.1 \ns=-\nt=0  0\nm=application  9 UDP/DTLS/SCTP  webrtc-datachannel \n", minimal + section},
		{"an empty name", strings.Replace(minimal, "s=-", "s=", 1), minimal},
		{"lines in another order", strings.Replace(minimal, "t=0 0", "a=x\r\nb=AS:1\r\nc=IN IP6 ::1\r\ni=all\r\nt=0 0", 1), strings.Replace(minimal, "t=0 0", "i=all\r\nc=IN IP6 ::1\r\nb=AS:1\r\nt=0 0\r\na=x", 1)},
		{"unknown lines, in order", minimal + "X=1\r\nq=2\r\na=y\r\n" + section + "Y=3\r\nx=4\r\na=z\r\n", minimal + "X=1\r\nq=2\r\na=y\r\n" + section + "Y=3\r\nx=4\r\na=z\r\n"},
		{"every line RFC 8866 has", strings.Replace(minimal, "t=0 0\r\n", "i=i\r\nu=u\r\ne=e\r\np=p\r\nc=IN IP4 h\r\nb=AS:1\r\nt=1 2\r\nt=3 4\r\nr=5 6 7\r\nz=8 9\r\nk=k\r\na=a\r\n", 1), strings.Replace(minimal, "t=0 0\r\n", "i=i\r\nu=u\r\ne=e\r\np=p\r\nc=IN IP4 h\r\nb=AS:1\r\nt=1 2\r\nt=3 4\r\nr=5 6 7\r\nz=8 9\r\nk=k\r\na=a\r\n", 1)},
		{"unknown attributes, in order", minimal + "a=z\r\na=a:\r\na=Z:  q \r\na=a:1\r\n", minimal + "a=z\r\na=a:\r\na=Z:  q \r\na=a:1\r\n"},
		{"ranges of ports", minimal + "m=audio 49170/2 RTP/AVP 31\r\n", minimal + "m=audio 49170/2 RTP/AVP 31\r\n"},
		{"several c= lines", minimal + "m=audio 9 RTP/AVP 31\r\nc=IN IP4 224.2.1.1/127\r\nc=IN IP4 224.2.1.2/127\r\nb=AS:9\r\n", minimal + "m=audio 9 RTP/AVP 31\r\nc=IN IP4 224.2.1.1/127\r\nc=IN IP4 224.2.1.2/127\r\nb=AS:9\r\n"},
		{"a lower-case fingerprint", minimal + "a=fingerprint:sha-1 ab:cd\r\n", minimal + "a=fingerprint:sha-1 ab:cd\r\n"},
		{"attributes we would not write", minimal + section + "a=rid:? ?\r\na=simulcast:x\r\na=fmtp:x\r\na=candidate\r\n", minimal + section + "a=rid:? ?\r\na=simulcast:x\r\na=fmtp:x\r\na=candidate\r\n"},
		{"bytes that are not UTF-8", minimal + "a=x:\xff\xfe\r\n", minimal + "a=x:\xff\xfe\r\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := mustParse(t, test.text).String(); got != test.want {
				t.Errorf("wrote %q\nwant  %q", got, test.want)
			}
		})
	}
}

// A description that was cut short is either one of fewer lines, or an error in
// its last line or at its end.
func TestEveryStrictPrefixParsesOrNamesTheCut(t *testing.T) {
	for _, file := range []string{"chromium-data-only-offer", "firefox-default-answer", "chromium-snap-trial-offer"} {
		text, err := os.ReadFile("testdata/" + file + ".sdp")
		if err != nil {
			t.Fatal(err)
		}
		parsed := 0
		for n := range text {
			prefix := string(text[:n])
			s, err := Parse(prefix)
			if err != nil {
				var e *Error
				if !errors.As(err, &e) {
					t.Fatalf("%s, %d bytes: an error of type %T", file, n, err)
				}
				last := strings.Count(prefix, "\n") + 1
				if next := e.Line == last+1 && e.Found == "the end of the description"; e.Line != last && !next {
					t.Fatalf("%s, %d bytes: %v, but the cut is in line %d", file, n, err, last)
				}
				continue
			}
			parsed++
			again := mustParse(t, s.String())
			if again.String() != s.String() {
				t.Fatalf("%s, %d bytes: what was written reads otherwise", file, n)
			}
		}
		if parsed == 0 || parsed == len(text) {
			t.Errorf("%s: %d of %d prefixes parsed", file, parsed, len(text))
		}
	}
}

// Appending to one section's attributes, which share an array, must not write
// over the next section's.
func TestSectionsGrowApart(t *testing.T) {
	s := mustParse(t, minimal+"a=s\r\nm=audio 9 RTP/AVP 0\r\na=x\r\nm=video 9 RTP/AVP 1\r\na=y\r\n")
	s.Attributes = append(s.Attributes, "s2")
	s.Media[0].Attributes = append(s.Media[0].Attributes, EndOfCandidates)
	want := minimal + "a=s\r\na=s2\r\nm=audio 9 RTP/AVP 0\r\na=x\r\na=end-of-candidates\r\nm=video 9 RTP/AVP 1\r\na=y\r\n"
	if got := s.String(); got != want {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

// A value that the application took from somewhere cannot bring lines with it.
func TestValuesCannotAddLines(t *testing.T) {
	s := New(1, 2)
	s.Name = "x\r\na=setup:active"
	s.Attributes = Attributes{MSID{Stream: "s\na=ice-lite"}.Attribute(), NewAttribute("x", "\x00y")}
	s.Lines = []Line{{'i', "q\rz"}}
	want := strings.Replace(minimal, "s=-\r\n", "s=x\r\ni=q\r\n", 1) + "a=msid:s\r\na=x:\r\n"
	if got := s.String(); got != want {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

// A peer connection keeps two descriptions for as long as it lives, and makes
// and reads them while somebody waits.
func TestAllocations(t *testing.T) {
	offer, err := os.ReadFile("testdata/chromium-data-only-offer.sdp")
	if err != nil {
		t.Fatal(err)
	}
	text := string(offer)
	var s *Session
	if n := testing.AllocsPerRun(100, func() { s, _ = Parse(text) }); n > 10 {
		t.Errorf("parsing a data offer took %v allocations, expected at most 10", n)
	}
	if n := testing.AllocsPerRun(100, func() { _ = s.String() }); n > 1 {
		t.Errorf("writing a data offer took %v allocations, expected 1", n)
	}
	b := make([]byte, 0, 4096)
	if n := testing.AllocsPerRun(100, func() { b = s.Append(b[:0]) }); n > 0 {
		t.Errorf("appending a data offer took %v allocations, expected none", n)
	}
}

func FuzzParse(f *testing.F) {
	for _, file := range []string{"chromium-snap-trial-offer", "firefox-obfuscate-answer"} {
		text, err := os.ReadFile("testdata/" + file + ".sdp")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add(minimal + "a=group:BUNDLE a\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP6 ::1\r\na=mid:a\r\na=rtcp:9 IN IP4 0.0.0.0\r\na=extmap:2/recvonly urn:x y\r\na=msid:s t\r\na=rtpmap:111 opus/48000/2\r\na=rtcp-fb:* nack pli\r\na=fmtp:111 a=1;b=2\r\na=ssrc-group:FID 1 2\r\na=ssrc:1 cname:x\r\n")
	f.Add(minimal + "m=application 9/3 DTLS/SCTP 5000\r\na=sctpmap:5000 webrtc-datachannel 1024\r\na=rid:1 send pt=1,2;x=y\r\na=simulcast:send 1;~2,3 recv 4\r\nb=TIAS:9\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse(text)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Line < 1 || e.Column < 1 || e.Expected == "" || e.Found == "" {
				t.Fatalf("an error that does not say where and what: %v", err)
			}
			return
		}
		written := s.String()
		again, err := Parse(written)
		if err != nil {
			t.Fatalf("we refuse what we wrote: %v\n%s", err, written)
		}
		if got := again.String(); got != written {
			t.Fatalf("what was written reads otherwise:\n%s\n%s", got, written)
		}
		// The typed readers neither panic nor disagree with themselves.
		if a, b := describe(s), describe(again); a != b {
			t.Fatalf("what was written means something else:\n%s\n%s", a, b)
		}
		for i := range s.Media {
			m := &s.Media[i]
			m.Simulcast()
			m.SCTPMap()
			m.Bandwidth("TIAS")
			for r := range m.RIDs() {
				_ = r.Attribute()
			}
		}
	})
}

func BenchmarkParse(b *testing.B)  { benchmark(b, func(text string, _ *Session) { Parse(text) }) }
func BenchmarkString(b *testing.B) { benchmark(b, func(_ string, s *Session) { _ = s.String() }) }

func benchmark(b *testing.B, run func(text string, s *Session)) {
	for _, file := range []string{"chromium-data-only-offer", "chromium-default-offer"} {
		captured, err := os.ReadFile("testdata/" + file + ".sdp")
		if err != nil {
			b.Fatal(err)
		}
		text := string(captured)
		s := mustParse(b, text)
		b.Run(fmt.Sprintf("%s/%dB", file, len(text)), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				run(text, s)
			}
		})
	}
}
