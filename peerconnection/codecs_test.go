package peerconnection

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/plainrtc/plainrtc/sdp"
)

// Which codecs two peers have in common, and under which numbers.

// When parameters make two codecs of one name, and when not.
func TestCodecKeys(t *testing.T) {
	key := func(kind Kind, encoding, fmtp string) string {
		name, rest, _ := strings.Cut(encoding, "/")
		var c codec
		fmt.Sscanf(strings.Replace(rest, "/", " ", 1), "%d %d", &c.clockRate, &c.channels)
		c.name, c.fmtp = name, fmtp
		return codecKey(kind, &c)
	}
	for _, c := range []struct {
		kind       Kind
		encoding   string
		one, other string
		same       bool
	}{
		{KindAudio, "opus/48000/2", "minptime=10;useinbandfec=1", "maxplaybackrate=48000;stereo=1", true},
		{KindVideo, "VP8/90000", "", "max-fs=12288;max-fr=60", true},
		{KindVideo, "VP9/90000", "", "profile-id=0", true},
		{KindVideo, "VP9/90000", "profile-id=0", "profile-id=2", false},
		{KindVideo, "AV1/90000", "", "level-idx=5;profile=0;tier=0", true},
		{KindVideo, "AV1/90000", "profile=1", "profile=0", false},
		{KindVideo, "H264/90000", "profile-level-id=42e01f", "profile-level-id=42E034", true},                       // levels
		{KindVideo, "H264/90000", "profile-level-id=42e01f", "packetization-mode=0;profile-level-id=42c01f", true},  // the default mode, constrained another way
		{KindVideo, "H264/90000", "profile-level-id=42e01f", "profile-level-id=4d801f", true},                       // Main that is Baseline
		{KindVideo, "H264/90000", "profile-level-id=42e01f", "profile-level-id=42001f", false},                      // Constrained Baseline, Baseline
		{KindVideo, "H264/90000", "packetization-mode=1;profile-level-id=42e01f", "profile-level-id=42e01f", false}, // modes
		{KindVideo, "H264/90000", "profile-level-id=64001f", "profile-level-id=640c1f", false},                      // High, Constrained High
		{KindVideo, "H264/90000", "", "profile-level-id=42e01f", true},                                              // WebRTC's default
		{KindVideo, "H264/90000", "profile-level-id=nonsense", "profile-level-id=42e01f", false},                    //
		{KindVideo, "H265/90000", "level-id=93;profile-id=1;tier-flag=0;tx-mode=SRST", "level-id=180", true},        //
		{KindVideo, "H265/90000", "profile-id=1", "profile-id=2", false},                                            //
		{KindAudio, "G722/8000", "", "", true},                                                                      //
	} {
		if got := key(c.kind, c.encoding, c.one) == key(c.kind, c.encoding, c.other); got != c.same {
			t.Errorf("%s with %q and with %q are the same: %v", c.encoding, c.one, c.other, got)
		}
	}
	if key(KindAudio, "G722/8000", "") != key(KindAudio, "g722/8000/1", "") || key(KindAudio, "opus/48000/2", "") == key(KindAudio, "opus/48000/1", "") {
		t.Error("channels do not count as they should")
	}
	for _, kind := range []Kind{KindAudio, KindVideo} {
		var keys []string
		for _, c := range codecsOf(kind) {
			keys = append(keys, c.key)
		}
		if slices.Sort(keys); len(slices.Compact(keys)) != len(codecsOf(kind)) {
			t.Errorf("two of our codecs of %s are the same", kind)
		}
	}
}

// codecLines are a section's codecs with their payload types and retransmissions.
func codecLines(t *testing.T, d SessionDescription, section int) (lines []string) {
	t.Helper()
	s, err := sdp.Parse(d.SDP)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range readCodecs(&s.Media[section]) {
		lines = append(lines, fmt.Sprintf("%d %s %s rtx %d", c.payloadType, c.name, c.fmtp, c.rtx))
	}
	return lines
}

func wantCodecs(t *testing.T, d SessionDescription, want ...string) {
	t.Helper()
	if got := codecLines(t, d, 0); !slices.Equal(got, want) {
		t.Errorf("the %s has\n\t%s\nwant\n\t%s", d.Type, strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// videoOffer is an offer of one section of video with these lines.
func videoOffer(payloadTypes string, lines ...string) SessionDescription {
	text := strings.ReplaceAll(chromiumAudioVideoData, "BUNDLE 0 1 2", "BUNDLE 1")
	session, rest, _ := strings.Cut(text, "m=audio")
	_, video, _ := strings.Cut(rest, "m=video")
	video, _, _ = strings.Cut(video, "m=application")
	video = strings.Replace(video, "SAVPF 96", "SAVPF "+payloadTypes, 1)
	return SessionDescription{SDPTypeOffer, session + "m=video" + video + strings.Join(lines, "\n") + "\n"}
}

// audioOffer is the same of a section of audio.
func audioOffer(payloadTypes string, lines ...string) SessionDescription {
	d := videoOffer(payloadTypes, lines...)
	d.SDP = strings.ReplaceAll(d.SDP, "m=video", "m=audio")
	d.SDP = strings.ReplaceAll(d.SDP, "a=rtpmap:96 VP8/90000\n", "")
	return d
}

// Of what is offered, we take what we know, in the offerer's order and numbers.
func TestAnsweredCodecs(t *testing.T) {
	for name, c := range map[string]struct {
		offer SessionDescription
		want  []string
	}{
		"numbers and order": {
			videoOffer("35 120 121 36", "a=rtpmap:120 VP8/90000", "a=rtpmap:35 AV1/90000", "a=rtpmap:121 rtx/90000", "a=fmtp:121 apt=120", "a=rtpmap:36 rtx/90000", "a=fmtp:36 apt=35"),
			[]string{"35 AV1 level-idx=5;profile=0;tier=0 rtx 36", "120 VP8  rtx 121"},
		},
		"any level": {
			videoOffer("96 97", "a=rtpmap:96 H264/90000", "a=fmtp:96 profile-level-id=42e034;packetization-mode=1", "a=rtpmap:97 H264/90000", "a=fmtp:97 profile-level-id=f4001f;packetization-mode=1"),
			[]string{"96 H264 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e034 rtx 0"},
		},
		"one codec twice": {
			videoOffer("96 97", "a=rtpmap:96 VP8/90000", "a=rtpmap:97 VP8/90000"),
			[]string{"96 VP8  rtx 0", "97 VP8  rtx 0"},
		},
		"RTCP's numbers": {
			videoOffer("72 96", "a=rtpmap:72 VP9/90000", "a=rtpmap:96 VP8/90000"),
			[]string{"96 VP8  rtx 0"},
		},
		"retransmission of what there is not, of itself, and of two": {
			videoOffer("96 97 98 99 100", "a=rtpmap:96 VP8/90000", "a=rtpmap:97 VP9/90000", "a=rtpmap:98 rtx/90000", "a=fmtp:98 apt=42",
				"a=rtpmap:99 rtx/90000", "a=fmtp:99 apt=99", "a=rtpmap:100 rtx/90000", "a=fmtp:100 apt=96", "a=fmtp:100 apt=97"),
			[]string{"96 VP8  rtx 100", "97 VP9 profile-id=0 rtx 0"},
		},
		"redundancy": {
			videoOffer("96 97 98 99", "a=rtpmap:96 VP8/90000", "a=rtpmap:97 red/90000", "a=rtpmap:98 rtx/90000", "a=fmtp:98 apt=97", "a=rtpmap:99 ulpfec/90000"),
			[]string{"96 VP8  rtx 0", "97 red  rtx 98", "99 ulpfec  rtx 0"},
		},
		"RED of nothing, and ULPFEC without RED": {
			videoOffer("96 97", "a=rtpmap:96 VP8/90000", "a=rtpmap:97 red/90000"),
			[]string{"96 VP8  rtx 0"},
		},
		"FlexFEC": {
			videoOffer("96 97", "a=rtpmap:96 VP8/90000", "a=rtpmap:97 flexfec-03/90000", "a=fmtp:97 repair-window=200000"),
			[]string{"96 VP8  rtx 0", "97 flexfec-03 repair-window=10000000 rtx 0"},
		},
		"redundant audio": {
			audioOffer("63 109 13 10", "a=rtpmap:109 opus/48000/2", "a=rtpmap:63 red/48000/2", "a=fmtp:63 109/109"),
			[]string{"63 red 109/109 rtx 0", "109 opus minptime=10;useinbandfec=1 rtx 0", "13 CN  rtx 0", "10 L16  rtx 0"},
		},
		"redundancy of what there is not": {
			audioOffer("63 0 13", "a=rtpmap:63 red/48000/2", "a=fmtp:63 109/109"),
			[]string{"0 PCMU  rtx 0", "13 CN  rtx 0"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			z := quietPeer(t, 2)
			z.mustSet(t, false, c.offer)
			answer := answerOf(t, z)
			wantCodecs(t, answer, c.want...)
			z.mustSet(t, true, answer)
		})
	}
}

// A payload type that means two things in one bundle means the first.
func TestPayloadTypeOfTwoMeanings(t *testing.T) {
	offer := videoOffer("96 97", "a=rtpmap:96 VP8/90000", "a=rtpmap:97 VP9/90000", "a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid")
	_, video, _ := strings.Cut(offer.SDP, "m=video")
	other := strings.NewReplacer("a=mid:1", "a=mid:2", "96 VP8", "96 AV1", "a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid", "a=extmap:1 urn:ietf:params:rtp-hdrext:toffset").Replace(video)
	offer.SDP = strings.Replace(offer.SDP, "BUNDLE 1", "BUNDLE 1 2", 1) + "m=video" + other
	z := quietPeer(t, 2)
	z.mustSet(t, false, offer)
	answer := answerOf(t, z)
	for i, want := range [][]string{{"96 VP8  rtx 0", "97 VP9 profile-id=0 rtx 0"}, {"97 VP9 profile-id=0 rtx 0"}} {
		if got := codecLines(t, answer, i); !slices.Equal(got, want) {
			t.Errorf("section %d is answered with %q", i, got)
		}
	}
	if strings.Contains(answer.SDP, "toffset") {
		t.Error("an id of two meanings is taken")
	}
	s, _ := sdp.Parse(answer.SDP)
	checkOneMeaning(t, s)
}

// SetCodecPreferences chooses and orders, in offers and in answers.
func TestCodecPreferences(t *testing.T) {
	var vp8, av1, h264 Codec
	for _, c := range Capabilities(KindVideo).Codecs {
		switch {
		case c.MimeType == "video/VP8":
			vp8 = c
		case c.MimeType == "video/AV1":
			av1 = c
		case c.MimeType == "video/H264" && h264.MimeType == "":
			h264 = c
		}
	}
	a, z := quietPeer(t, 1), quietPeer(t, 2)
	x := mustAdd(t, a, KindVideo, nil)
	if err := x.SetCodecPreferences([]Codec{av1, h264, {MimeType: "video/rtx", ClockRate: 90000}, vp8, av1}); err != nil {
		t.Fatal(err)
	}
	offer := offerOf(t, a)
	wantCodecs(t, offer, "45 AV1 level-idx=5;profile=0;tier=0 rtx 46",
		"108 H264 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f rtx 109", "96 VP8  rtx 97")
	a.mustSet(t, true, offer)
	z.mustSet(t, false, offer)
	y := z.Transceivers()[0]
	y.SetDirection(DirectionSendRecv)
	if err := y.SetCodecPreferences([]Codec{vp8, av1}); err != nil {
		t.Fatal(err)
	}
	answer := answerOf(t, z)
	wantCodecs(t, answer, "96 VP8  rtx 97", "45 AV1 level-idx=5;profile=0;tier=0 rtx 46")
	z.mustSet(t, true, answer)
	a.mustSet(t, false, answer)
	// Both send what the answer puts first.
	for _, s := range []*Sender{x.Sender(), y.Sender()} {
		p := s.Parameters()
		if len(p.Codecs) != 4 || p.Codecs[0].MimeType != "video/VP8" || p.Codecs[0].PayloadType != 96 || p.Codecs[1].MimeType != "video/rtx" || p.Codecs[2].MimeType != "video/AV1" {
			t.Errorf("the codecs are %+v", p.Codecs)
		}
	}
	// A name alone stands for every codec of that name, in the usual order.
	w := mustAdd(t, quietPeer(t, 4), KindVideo, nil)
	if err := w.SetCodecPreferences([]Codec{{MimeType: "video/vp9"}, vp8}); err != nil {
		t.Fatal(err)
	}
	wantCodecs(t, offerOf(t, w.pc), "98 VP9 profile-id=0 rtx 99", "100 VP9 profile-id=2 rtx 101", "96 VP8  rtx 97")
	if err := w.SetCodecPreferences([]Codec{{MimeType: "video/VP7"}}); err == nil || !strings.Contains(err.Error(), "video/VP7 can't be negotiated") {
		t.Errorf("preferring VP7: %v", err)
	}
	// A preference for what the peer does not have rejects the section.
	b := quietPeer(t, 3)
	b.mustSet(t, false, videoOffer("96", "a=rtpmap:96 VP8/90000"))
	b.Transceivers()[0].SetCodecPreferences([]Codec{av1})
	wantLines(t, answerOf(t, b), "video 0 1")
	for _, bad := range [][]Codec{{{MimeType: "audio/opus", ClockRate: 48000, Channels: 2}}, {{MimeType: "video/VP8", ClockRate: 8000}}, {{MimeType: "video/theora", ClockRate: 90000}}} {
		if err := x.SetCodecPreferences(bad); err == nil {
			t.Errorf("%v is taken", bad)
		}
	}
	if err := x.SetCodecPreferences(nil); err != nil || len(codecLines(t, offerOf(t, a), 0)) != len(videoCodecs)-1 { // FlexFEC
		t.Errorf("no preference: %v, %q", err, codecLines(t, offerOf(t, a), 0))
	}
}

// What is not offered unasked is when it is preferred; what repairs a codec is, when it is among
// those preferred, and when there is what it repairs.
func TestPreferredResilience(t *testing.T) {
	find := func(kind Kind, names ...string) (found []Codec) {
		for _, name := range names {
			for _, c := range Capabilities(kind).Codecs {
				if c.MimeType == string(kind)+"/"+name {
					found = append(found, c)
					break
				}
			}
		}
		return found
	}
	for _, c := range []struct {
		kind  Kind
		names []string
		want  []string
	}{
		{KindAudio, []string{"red", "opus"}, []string{"63 red 111/111 rtx 0", "111 opus minptime=10;useinbandfec=1 rtx 0"}},
		{KindAudio, []string{"red", "PCMU", "CN"}, []string{"0 PCMU  rtx 0", "13 CN  rtx 0"}},
		{KindAudio, []string{"L16"}, []string{"10 L16  rtx 0"}},
		{KindVideo, []string{"VP8"}, []string{"96 VP8  rtx 97"}},
		{KindVideo, []string{"VP8", "red"}, []string{"96 VP8  rtx 97"}},
		{KindVideo, []string{"VP8", "red", "ulpfec"}, []string{"96 VP8  rtx 97", "118 red  rtx 119", "120 ulpfec  rtx 0"}},
		{KindVideo, []string{"VP8", "flexfec-03"}, []string{"96 VP8  rtx 97", "35 flexfec-03 repair-window=10000000 rtx 0"}},
	} {
		a, z := quietPeer(t, 1), quietPeer(t, 2)
		x := mustAdd(t, a, c.kind, nil)
		if err := x.SetCodecPreferences(find(c.kind, c.names...)); err != nil {
			t.Fatal(err)
		}
		offer := offerOf(t, a)
		wantCodecs(t, offer, c.want...)
		a.mustSet(t, true, offer)
		z.mustSet(t, false, offer)
		z.Transceivers()[0].SetDirection(DirectionSendRecv)
		answer := answerOf(t, z)
		wantCodecs(t, answer, c.want...)
		z.mustSet(t, true, answer)
		a.mustSet(t, false, answer)
		flex := slices.Contains(c.names, "flexfec-03")
		for _, d := range []SessionDescription{offer, answer} {
			if strings.Contains(d.SDP, "a=ssrc-group:FEC-FR ") != flex {
				t.Errorf("%v: the sources of repair packets are not as they should be:\n%s", c.names, d.SDP)
			}
		}
		for _, p := range []*PeerConnection{a, z} {
			in := p.core.sections[0].settled()
			if source := in.Sources[0]; (source.FEC != 0) != flex || len(in.Sources) != 1 {
				t.Errorf("%v: the sources are %+v", c.names, in.Sources)
			}
			if e := p.Transceivers()[0].encodings[0]; (e.FEC != 0) != flex || flex && p.Transceivers()[0].sender.rtp.Encodings()[0].FEC != e.FEC {
				t.Errorf("%v: the encoding is %+v", c.names, e)
			}
		}
	}
}

// Redundant audio names the number that the peer has given to opus.
func TestRedundancyIsNumberedAnew(t *testing.T) {
	z := quietPeer(t, 2)
	z.mustSet(t, false, audioOffer("109 63", "a=rtpmap:109 opus/48000/2", "a=rtpmap:63 G722/8000"))
	z.mustSet(t, true, answerOf(t, z))
	offer := offerOf(t, z)
	lines := codecLines(t, offer, 0)
	if !slices.ContainsFunc(lines, func(l string) bool { return strings.HasSuffix(l, " red 109/109 rtx 0") }) || slices.Contains(lines, "63 red 109/109 rtx 0") {
		t.Errorf("the codecs are %q", lines)
	}
}

// An answer may number its codecs in its own way (RFC 3264, Section 6.1): each side sends
// with the other's numbers.
func TestAnswerWithOtherNumbers(t *testing.T) {
	a, z := quietPeer(t, 1), quietPeer(t, 2)
	x := mustAdd(t, a, KindVideo, nil)
	offer := offerOf(t, a)
	a.mustSet(t, true, offer)
	z.mustSet(t, false, offer)
	z.Transceivers()[0].SetDirection(DirectionSendRecv)
	answer := answerOf(t, z)
	answer.SDP = strings.NewReplacer(":96 ", ":125 ", " 96 97 ", " 125 124 ", ":97 ", ":124 ", "apt=96", "apt=125").Replace(answer.SDP)
	a.mustSet(t, false, answer)
	in := a.core.sectionOf(x).settled()
	if in.Send[0].PayloadType != 125 || in.Send[0].RTX != 124 || in.Receive[0].PayloadType != 96 || in.Receive[0].RTX != 97 || in.Send[0].Name != "VP8" {
		t.Errorf("settled: sends %+v, receives %+v", in.Send[0], in.Receive[0])
	}
	// The next offer has nothing under 125 but VP8.
	s, _ := sdp.Parse(offerOf(t, a).SDP)
	checkOneMeaning(t, s)
	if strings.Contains(s.String(), "a=rtpmap:125") {
		t.Errorf("the offer uses the peer's number:\n%s", s)
	}
}

// Answers that can't be: the error says what is wrong, and nothing has changed.
func TestRefusedAnswers(t *testing.T) {
	for name, c := range map[string]struct{ from, to, want string }{
		"no codec":         {"/90000", "/1234", "without a codec that was offered"},
		"no rtcp-mux":      {"a=rtcp-mux\r\n", "", "rtcp-mux"},
		"another mid":      {"a=mid:0", "a=mid:1", "mid"},
		"another kind":     {"m=video", "m=audio", "audio"},
		"one section more": {"m=video", "m=audio 0 UDP/TLS/RTP/SAVPF 0\r\nm=video", "media descriptions"},
	} {
		a, z := quietPeer(t, 1), quietPeer(t, 2)
		mustAdd(t, a, KindVideo, nil)
		good := answered(t, a, z, func(s string) string { return s })
		bad := good
		bad.SDP = strings.ReplaceAll(good.SDP, c.from, c.to)
		if err := a.SetRemoteDescription(bad); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		a.mustSet(t, false, good)
	}
}
