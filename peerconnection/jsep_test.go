package peerconnection

import (
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/plainrtc/plainrtc/internal/ladder"
	"github.com/plainrtc/plainrtc/sdp"
)

// Offers and answers with media, without a packet: what is said in them, and what
// transceivers make of it.

// exchange carries an offer from a to z and its answer back.
func exchange(t *testing.T, a, z *PeerConnection) (offer, answer SessionDescription) {
	t.Helper()
	offer = offerOf(t, a)
	a.mustSet(t, true, offer)
	z.mustSet(t, false, offer)
	answer = answerOf(t, z)
	z.mustSet(t, true, answer)
	a.mustSet(t, false, answer)
	return offer, answer
}

func mustAdd(t *testing.T, pc *PeerConnection, kind Kind, init *TransceiverInit) *Transceiver {
	t.Helper()
	x, err := pc.AddTransceiver(NewTrack(kind, string(kind)+"-track"), init)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// mLines are the "m=" lines of a description, and what of its sections says a direction.
func mLines(d SessionDescription) (lines []string) {
	for line := range strings.Lines(d.SDP) {
		line = strings.TrimSpace(line)
		switch line {
		case "a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive":
			lines[len(lines)-1] += " " + line[2:]
		}
		if rest, ok := strings.CutPrefix(line, "m="); ok {
			words := strings.Fields(rest)
			lines = append(lines, words[0]+" "+words[1])
		}
		if mid, ok := strings.CutPrefix(line, "a=mid:"); ok {
			lines[len(lines)-1] += " " + mid
		}
	}
	return lines
}

func wantLines(t *testing.T, d SessionDescription, want ...string) {
	t.Helper()
	if got := mLines(d); !slices.Equal(got, want) {
		t.Errorf("the %s has\n\t%s\nwant\n\t%s\n%s", d.Type, strings.Join(got, "\n\t"), strings.Join(want, "\n\t"), d.SDP)
	}
}

var fingerprints = regexp.MustCompile(`(a=fingerprint:sha-256 )\S*`)

// golden compares text with a file, or writes it.
func golden(t *testing.T, name, text string) {
	t.Helper()
	name = filepath.Join("testdata", "jsep", name)
	text = strings.ReplaceAll(text, "\r\n", "\n")
	text = fingerprints.ReplaceAllString(text, "$1…") // of a certificate that has the time in it
	if ladder.Updating() {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != text {
		t.Errorf("%s is not what it was; run make golden and look at the difference. Now:\n%s", name, text)
	}
}

func captured(t testing.TB, name string) SessionDescription {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "jsep", name))
	if err != nil {
		t.Fatal(err)
	}
	return SessionDescription{SDPTypeOffer, string(text)}
}

// Audio, video and data between two of ours.
func TestOfferAndAnswerWithMedia(t *testing.T) {
	a, z := quietPeer(t, 1), quietPeer(t, 2)
	audio := mustAdd(t, a, KindAudio, &TransceiverInit{Streams: []string{"stream"}})
	video := mustAdd(t, a, KindVideo, &TransceiverInit{Direction: DirectionSendOnly, Streams: []string{"stream"}})
	a.CreateDataChannel("x", nil)
	offer, answer := exchange(t, a, z)
	wantLines(t, offer, "audio 9 0 sendrecv", "video 9 1 sendonly", "application 9 2")
	wantLines(t, answer, "audio 9 0 recvonly", "video 9 1 recvonly", "application 9 2")
	if audio.CurrentDirection() != DirectionSendOnly || video.CurrentDirection() != DirectionSendOnly || audio.MID() != "0" {
		t.Errorf("the offerer's directions are %s and %s", audio.CurrentDirection(), video.CurrentDirection())
	}
	for _, kind := range []Kind{KindAudio, KindVideo} {
		e, err := z.AcceptTrack(t.Context())
		if err != nil || e.Track.Kind() != kind || e.Track.ID() != string(kind)+"-track" || !slices.Equal(e.Streams, []string{"stream"}) {
			t.Errorf("the answerer accepts %+v, %v", e, err)
		}
	}
	for name, d := range map[string]SessionDescription{"offer.golden": offer, "answer.golden": answer} {
		golden(t, name, d.SDP)
	}
	for _, pc := range []*PeerConnection{a, z} {
		for _, x := range pc.Transceivers() {
			in := pc.core.sectionOf(x).settled()
			if sending := pc == a; sending != (len(in.Send) > 0) || sending == (len(in.Receive) > 0) || len(in.Sources) != map[bool]int{false: 1}[sending] {
				t.Errorf("settled: %+v", in)
			}
		}
	}
}

// What browsers offer is answered, with the payload types and ids that they gave.
func TestBrowsersOffers(t *testing.T) {
	for _, name := range []string{"chromium-default-offer", "firefox-default-offer", "chromium-ccfb-offer-offer"} {
		z := quietPeer(t, 2)
		offer := captured(t, name+".sdp")
		z.mustSet(t, false, offer)
		for _, x := range z.Transceivers() {
			if err := x.SetDirection(DirectionSendRecv); err != nil {
				t.Fatal(err)
			}
		}
		answer := answerOf(t, z)
		z.mustSet(t, true, answer)
		golden(t, strings.TrimSuffix(name, "-offer")+"-answer.golden", answer.SDP)
		wantLines(t, answer, "audio 9 0 sendrecv", "video 9 1 sendrecv", "application 9 2")
		// "Payload types of the answer … MUST be" those of the offer.
		o, _ := sdp.Parse(offer.SDP)
		w, _ := sdp.Parse(answer.SDP)
		for i := range w.Media {
			var offered []string
			for m := range o.Media[i].RTPMaps() {
				m.Channels = max(m.Channels, 1)
				offered = append(offered, string(m.Attribute()))
			}
			for m := range w.Media[i].RTPMaps() {
				m.Channels = max(m.Channels, 1)
				if !slices.Contains(offered, string(m.Attribute())) {
					t.Errorf("%s: %s was not offered", name, m.Attribute())
				}
			}
			for x := range w.Media[i].Extmaps() {
				if !slices.ContainsFunc(slices.Collect(o.Media[i].Extmaps()), func(y sdp.Extmap) bool { return x.ID == y.ID && x.URI == y.URI }) {
					t.Errorf("%s: %s was not offered", name, x.Attribute())
				}
			}
		}
	}
}

// An offer of ours with everything is answered by a peer of another numbering, and goes on with it.
func TestNumberingIsTheOfferers(t *testing.T) {
	z := quietPeer(t, 2)
	z.mustSet(t, false, captured(t, "firefox-default-offer.sdp"))
	z.mustSet(t, true, answerOf(t, z))
	z.AddTrack(NewTrack(KindVideo, "more"))
	z.AddTrack(NewTrack(KindVideo, "and more"))
	offer := offerOf(t, z)
	s, err := sdp.Parse(offer.SDP)
	if err != nil {
		t.Fatal(err)
	}
	meanings, ids := map[uint8]string{}, map[uint16]string{}
	for i := range s.Media {
		fmtps := map[uint8]string{}
		for f := range s.Media[i].FMTPs() {
			fmtps[f.PayloadType] = f.Parameters
		}
		for m := range s.Media[i].RTPMaps() {
			meaning := m.Encoding + " " + fmtps[m.PayloadType]
			if was, ok := meanings[m.PayloadType]; ok && was != meaning {
				t.Errorf("payload type %d means %q and %q", m.PayloadType, was, meaning)
			}
			meanings[m.PayloadType] = meaning
		}
		for x := range s.Media[i].Extmaps() {
			if was, ok := ids[x.ID]; ok && was != x.URI {
				t.Errorf("id %d means %q and %q", x.ID, was, x.URI)
			}
			ids[x.ID] = x.URI
		}
	}
	for pt, want := range map[uint8]string{120: "VP8 ", 124: "rtx apt=120", 121: "VP9 profile-id=0", 99: "AV1 level-idx=5;profile=0;tier=0", 109: "opus minptime=10;useinbandfec=1", 101: "telephone-event "} {
		if meanings[pt] != want {
			t.Errorf("payload type %d means %q, want Firefox's %q", pt, meanings[pt], want)
		}
	}
	if ids[3] != "urn:ietf:params:rtp-hdrext:sdes:mid" || ids[7] == "" {
		t.Errorf("header extensions %v", ids)
	}
}

// The description that is set without being named is not one that was made before something
// has changed; one that is named is taken as it is.
func TestStaleDescriptions(t *testing.T) {
	a := quietPeer(t, 1)
	mustAdd(t, a, KindAudio, nil)
	stale := offerOf(t, a)
	mustAdd(t, a, KindVideo, nil)
	a.mustSet(t, true, SessionDescription{})
	wantLines(t, *a.LocalDescription(), "audio 9 0 sendrecv", "video 9 1 sendrecv")
	b := quietPeer(t, 1)
	mustAdd(t, b, KindAudio, nil)
	stale = offerOf(t, b)
	mustAdd(t, b, KindVideo, nil)
	b.mustSet(t, true, stale)
	wantLines(t, *b.LocalDescription(), "audio 9 0 sendrecv")
}

// As many sections as a description can have are answered, and offered again.
func TestManySections(t *testing.T) {
	offer := videoOffer("96", "a=rtpmap:96 VP8/90000")
	session, video, _ := strings.Cut(offer.SDP, "m=video")
	var mids, sections strings.Builder
	for i := range 512 {
		mids.WriteString(" " + strconv.Itoa(i))
		sections.WriteString("m=video" + strings.Replace(video, "a=mid:1\n", "a=mid:"+strconv.Itoa(i)+"\n", 1))
	}
	offer.SDP = strings.Replace(session, "BUNDLE 1", "BUNDLE"+mids.String(), 1) + sections.String()
	z := quietPeer(t, 2)
	z.mustSet(t, false, offer)
	z.mustSet(t, true, answerOf(t, z))
	if n := len(z.Transceivers()); n != 512 {
		t.Errorf("%d transceivers", n)
	}
	if n := strings.Count(offerOf(t, z).SDP, "m=video 9"); n != 512 {
		t.Errorf("%d sections are offered", n)
	}
}

// Encrypted header extensions (RFC 9335) are used if both sides say so.
func TestCryptex(t *testing.T) {
	a, z := quietPeer(t, 1), quietPeer(t, 2)
	mustAdd(t, a, KindAudio, nil)
	exchange(t, a, z)
	if !a.core.cryptex || !z.core.cryptex {
		t.Error("two of ours do not agree on it")
	}
	y := quietPeer(t, 2)
	y.mustSet(t, false, captured(t, "chromium-default-offer.sdp"))
	y.mustSet(t, true, answerOf(t, y))
	if y.core.cryptex || strings.Contains(y.LocalDescription().SDP, "cryptex") {
		t.Error("it is agreed on with a peer that has not said so")
	}
}

var loopbackPorts = []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:7")}
