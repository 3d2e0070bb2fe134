package peerconnection

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/plainrtc/plainrtc/sdp"
)

// One transport for everything, whatever the peer makes of bundles (RFC 9143).

// edited changes a description, section by section: -1 is the session itself.
func edited(t *testing.T, d SessionDescription, edit func(i int, lines []string) []string) SessionDescription {
	t.Helper()
	text := strings.ReplaceAll(d.SDP, "\r\n", "\n")
	parts := strings.Split(text, "\nm=")
	for i := range parts {
		lines := edit(i-1, strings.Split(strings.TrimSuffix(parts[i], "\n"), "\n"))
		parts[i] = strings.Join(lines, "\n")
	}
	d.SDP = strings.Join(parts, "\nm=") + "\n"
	return d
}

// without leaves out the lines that begin with one of the prefixes.
func without(lines []string, prefixes ...string) []string {
	return slices.DeleteFunc(slices.Clone(lines), func(line string) bool {
		return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(line, p) })
	})
}

// threeOffers is an offer of audio, video and data.
func threeOffers(t *testing.T, cfg Config) (*PeerConnection, SessionDescription) {
	t.Helper()
	a := quietPeer(t, 1)
	a.core.cfg.BundlePolicy = cfg.BundlePolicy
	mustAdd(t, a, KindAudio, nil)
	mustAdd(t, a, KindVideo, nil)
	a.CreateDataChannel("x", nil)
	offer := offerOf(t, a)
	a.mustSet(t, true, offer)
	return a, offer
}

// What is not in the bundle is rejected; without a bundle the first section is taken.
func TestOffersThatBundleLess(t *testing.T) {
	_, offer := threeOffers(t, Config{})
	for group, want := range map[string][]string{
		"a=group:BUNDLE 0 1 2":                 {"audio 9 0 recvonly", "video 9 1 recvonly", "application 9 2"},
		"a=group:BUNDLE 2 1":                   {"audio 0 0", "video 9 1 recvonly", "application 9 2"},
		"a=group:BUNDLE 1":                     {"audio 0 0", "video 9 1 recvonly", "application 0 2"},
		"a=group:BUNDLE 0\na=group:BUNDLE 1 2": {"audio 9 0 recvonly", "video 0 1", "application 0 2"},
		"a=group:LS 0 1":                       {"audio 9 0 recvonly", "video 0 1", "application 0 2"},
		"a=group:BUNDLE 7":                     {"audio 9 0 recvonly", "video 0 1", "application 0 2"},
		"a=group:BUNDLE":                       {"audio 9 0 recvonly", "video 0 1", "application 0 2"},
	} {
		z := quietPeer(t, 2)
		z.mustSet(t, false, edited(t, offer, func(i int, lines []string) []string {
			if i >= 0 {
				return lines
			}
			return append(without(lines, "a=group"), group)
		}))
		answer := answerOf(t, z)
		wantLines(t, answer, want...)
		z.mustSet(t, true, answer)
		s, err := sdp.Parse(answer.SDP)
		if err != nil {
			t.Fatal(err)
		}
		bundled, _ := s.Bundled()
		if first, _, _ := strings.Cut(strings.TrimPrefix(group, "a=group:BUNDLE "), "\n"); strings.Join(bundled, " ") != first && len(bundled) > 0 {
			t.Errorf("the group %q is answered by %q", group, bundled)
		}
		if n := len(z.Transceivers()); n != strings.Count(strings.Join(want, " "), "recvonly") {
			t.Errorf("%q: %d transceivers", group, n)
		}
	}
}

// An answer that takes several sections without bundling them can't be had, and the error says
// what to do about it; an answer that takes one can.
func TestAnswersWithoutBundle(t *testing.T) {
	for rejected, ok := range map[string]bool{"": false, "0": false, "1 2": true, "0 1": true, "0 1 2": true} {
		a, offer := threeOffers(t, Config{})
		z := quietPeer(t, 2)
		z.mustSet(t, false, offer)
		answer := edited(t, answerOf(t, z), func(i int, lines []string) []string {
			if i >= 0 && strings.Contains(rejected, fmt.Sprint(i)) {
				lines[0] = strings.Replace(lines[0], " 9 ", " 0 ", 1)
			}
			return without(lines, "a=group")
		})
		err := a.SetRemoteDescription(answer)
		switch {
		case ok && err != nil:
			t.Errorf("rejecting %q: %v", rejected, err)
		case !ok && (err == nil || !strings.Contains(err.Error(), "max-bundle")):
			t.Errorf("rejecting %q: %v", rejected, err)
		case !ok && a.SignalingState() != SignalingHaveLocalOffer:
			t.Errorf("a refused answer moves the state to %v", a.SignalingState())
		case ok && len(a.Transceivers()) != 2-strings.Count(rejected, "0")-strings.Count(rejected, "1"):
			t.Errorf("rejecting %q: %d transceivers are left", rejected, len(a.Transceivers()))
		}
	}
}

// With max-bundle, all sections but the first are bundle-only: without a port of their own.
func TestMaxBundle(t *testing.T) {
	a, offer := threeOffers(t, Config{BundlePolicy: BundleMaxBundle})
	wantLines(t, offer, "audio 9 0 sendrecv", "video 0 1 sendrecv", "application 0 2")
	if strings.Count(offer.SDP, "a=bundle-only\r\n") != 2 {
		t.Errorf("the offer is\n%s", offer.SDP)
	}
	z := quietPeer(t, 2)
	z.mustSet(t, false, offer)
	answer := answerOf(t, z)
	wantLines(t, answer, "audio 9 0 recvonly", "video 9 1 recvonly", "application 9 2")
	z.mustSet(t, true, answer)
	a.mustSet(t, false, answer)
	// The first section goes, and the next describes the transport.
	a.Transceivers()[0].Stop()
	offer, answer = exchange(t, a, z)
	wantLines(t, offer, "audio 0 0", "video 9 1 sendrecv", "application 0 2")
	wantLines(t, answer, "audio 0 0", "video 9 1 recvonly", "application 9 2")
	if _, err := New(Config{BundlePolicy: "minimal"}); err == nil {
		t.Error("a policy that there is not is taken")
	}
}

// Candidates belong to the section whose transport is used, in the description and alone.
func TestCandidatesStandInTheFirstSection(t *testing.T) {
	a, offer := threeOffers(t, Config{})
	_ = offer
	now := simStart
	a.core.gather(now, loopbackPorts, false)
	s, err := sdp.Parse(a.LocalDescription().SDP)
	if err != nil {
		t.Fatal(err)
	}
	for i := range s.Media {
		if got := s.Media[i].Has("candidate"); got != (i == 0) {
			t.Errorf("section %d has candidates: %v", i, got)
		}
	}
	if c := a.core.localCandidates[0]; c.SDPMid != "0" || c.SDPMLineIndex != 0 {
		t.Errorf("candidate %+v", c)
	}
	// The answerer's is the offer's first, wherever it stands.
	z := quietPeer(t, 2)
	z.mustSet(t, false, edited(t, offer, func(i int, lines []string) []string {
		if i < 0 {
			return append(without(lines, "a=group"), "a=group:BUNDLE 1 0 2")
		}
		return lines
	}))
	z.mustSet(t, true, answerOf(t, z))
	z.core.gather(now, loopbackPorts, false)
	if c := z.core.localCandidates[0]; c.SDPMid != "1" || c.SDPMLineIndex != 1 {
		t.Errorf("candidate %+v", c)
	}
	if s, _ = sdp.Parse(z.LocalDescription().SDP); !s.Media[1].Has("candidate") || s.Media[0].Has("candidate") {
		t.Errorf("the answer's candidates are elsewhere:\n%s", z.LocalDescription().SDP)
	}
}

// A browser that offers gathers for each section; of its candidates those of the bundle's
// first are of use, and it is their end that counts.
func TestCandidatesOfOtherSections(t *testing.T) {
	_, offer := threeOffers(t, Config{})
	z := quietPeer(t, 2)
	z.mustSet(t, false, offer)
	trickle := func(mid, text string) {
		t.Helper()
		if err := z.core.addICECandidate(simStart, ICECandidate{Candidate: text, SDPMid: mid}); err != nil {
			t.Fatal(err)
		}
	}
	trickle("1", "candidate:1 1 udp 1 192.0.2.1 1001 typ host")
	trickle("0", "candidate:1 1 udp 1 192.0.2.1 1000 typ host")
	trickle("2", "")
	z.mustSet(t, true, answerOf(t, z))
	z.core.gather(simStart, loopbackPorts, false)
	trickle("2", "candidate:1 1 udp 1 192.0.2.1 1002 typ host")
	trickle("", "candidate:1 1 udp 1 192.0.2.1 1003 typ host") // no telling: it may be of use
	trickle("data", "candidate:1 1 udp 1 192.0.2.1 1004 typ host")
	var ports []int
	for _, p := range z.core.ice.Pairs() {
		ports = append(ports, int(p.Remote.Addr.Port()))
	}
	if slices.Sort(ports); !slices.Equal(ports, []int{1000, 1003, 1004}) {
		t.Errorf("ICE checks the ports %v", ports)
	}
}

// Sections that nobody here can carry are rejected, one by one, and the others are taken.
func TestRejectedSections(t *testing.T) {
	_, offer := threeOffers(t, Config{})
	for name, c := range map[string]struct {
		section  int
		from, to string
		want     []string
	}{
		"another kind":      {1, "video 9 UDP/TLS/RTP/SAVPF", "text 9 UDP/TLS/RTP/SAVPF", []string{"audio 9 0 recvonly", "text 0 1", "application 9 2"}},
		"another protocol":  {1, "UDP/TLS/RTP/SAVPF", "RTP/XVPF", []string{"audio 9 0 recvonly", "video 0 1", "application 9 2"}},
		"an older protocol": {1, "UDP/TLS/RTP/SAVPF", "RTP/SAVPF", []string{"audio 9 0 recvonly", "video 9 1 recvonly", "application 9 2"}},
		"no rtcp-mux":       {0, "a=rtcp-mux", "a=x", []string{"audio 0 0", "video 9 1 recvonly", "application 9 2"}},
		"rejected":          {0, "audio 9", "audio 0", []string{"audio 0 0", "video 9 1 recvonly", "application 9 2"}},
		"no codec known":    {0, "a=rtpmap:", "a=x:", []string{"audio 9 0 recvonly", "video 9 1 recvonly", "application 9 2"}}, // 0, 8 and 9 need none
		"unknown codecs":    {1, "/90000", "/12345", []string{"audio 9 0 recvonly", "video 0 1", "application 9 2"}},
		"no data we know":   {2, "UDP/DTLS/SCTP", "UDP/BFCP", []string{"audio 9 0 recvonly", "video 9 1 recvonly", "application 0 2"}},
	} {
		z := quietPeer(t, 2)
		z.mustSet(t, false, edited(t, offer, func(i int, lines []string) []string {
			if i == c.section {
				for j := range lines {
					lines[j] = strings.Replace(lines[j], c.from, c.to, 1)
				}
			}
			return lines
		}))
		answer := answerOf(t, z)
		t.Run(name, func(t *testing.T) { wantLines(t, answer, c.want...) })
		z.mustSet(t, true, answer)
		if got, want := len(z.Transceivers()), strings.Count(strings.Join(c.want, " "), "recvonly"); got != want {
			t.Errorf("%s: %d transceivers, want %d", name, got, want)
		}
	}
}

// Data channels in any place.
func TestDataFirst(t *testing.T) {
	a, z := quietPeer(t, 1), quietPeer(t, 2)
	a.CreateDataChannel("x", nil)
	exchange(t, a, z)
	mustAdd(t, a, KindAudio, nil)
	offer, answer := exchange(t, a, z)
	wantLines(t, offer, "application 9 0", "audio 9 1 sendrecv")
	wantLines(t, answer, "application 9 0", "audio 9 1 recvonly")
	b, y := quietPeer(t, 1), quietPeer(t, 2)
	mustAdd(t, b, KindAudio, nil)
	exchange(t, b, y)
	if b.core.dataAgreed {
		t.Error("data channels were agreed on")
	}
	d, _ := y.CreateDataChannel("late", nil)
	mustAdd(t, b, KindVideo, nil)
	// b's offer has no data channels: y's goes on waiting for its own.
	exchange(t, b, y)
	if d.state != DataChannelConnecting || !y.core.negotiationNeeded {
		t.Errorf("the channel is %v", d.state)
	}
	offer, _ = exchange(t, y, b)
	wantLines(t, offer, "audio 9 0 recvonly", "video 9 1 recvonly", "application 9 2")
	if !b.core.dataAgreed || !y.core.dataAgreed {
		t.Error("data channels were not agreed on")
	}
}
