package peerconnection

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// Offers and answers without a network: what is said, what is refused, and in
// which state.

func quietPeer(t *testing.T, seed byte) *PeerConnection {
	t.Helper()
	pc, err := New(Config{Rand: rand.NewChaCha8([32]byte{seed})})
	if err != nil {
		t.Fatal(err)
	}
	return pc
}

// The cores are driven directly, so that no socket is opened.
func (pc *PeerConnection) mustSet(t *testing.T, local bool, d SessionDescription) {
	t.Helper()
	now := time.Unix(1e9, 0)
	pc.mu.Lock()
	defer pc.mu.Unlock()
	set := pc.core.setRemoteDescription
	if local {
		set = pc.core.setLocalDescription
	}
	if err := set(now, d); err != nil {
		t.Fatal(err)
	}
}

func offerOf(t *testing.T, pc *PeerConnection) SessionDescription {
	t.Helper()
	d, err := pc.CreateOffer(nil)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func answerOf(t *testing.T, pc *PeerConnection) SessionDescription {
	t.Helper()
	d, err := pc.CreateAnswer()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

const chromiumAudioVideoData = `v=0
o=- 1 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0 1 2
m=audio 9 UDP/TLS/RTP/SAVPF 111
c=IN IP4 0.0.0.0
a=ice-ufrag:abcd
a=ice-pwd:0123456789012345678901
a=fingerprint:sha-256 00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F
a=setup:actpass
a=mid:0
a=rtcp-mux
m=video 9 UDP/TLS/RTP/SAVPF 96
c=IN IP4 0.0.0.0
a=ice-ufrag:abcd
a=ice-pwd:0123456789012345678901
a=fingerprint:sha-256 00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F
a=setup:actpass
a=mid:1
a=rtcp-mux
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 0.0.0.0
a=ice-ufrag:abcd
a=ice-pwd:0123456789012345678901
a=ice-options:trickle
a=fingerprint:sha-256 00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F
a=setup:actpass
a=mid:2
a=sctp-port:5000
a=max-message-size:262144
`

// Media that we do not take is rejected section by section; the data channels
// of the same offer are answered.
func TestMediaIsRejectedAndDataAccepted(t *testing.T) {
	pc := quietPeer(t, 1)
	pc.mustSet(t, false, SessionDescription{SDPTypeOffer, chromiumAudioVideoData})
	answer := answerOf(t, pc)
	for _, want := range []string{
		"m=audio 0 UDP/TLS/RTP/SAVPF 111\r\n", "m=video 0 UDP/TLS/RTP/SAVPF 96\r\n",
		"m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n", "a=group:BUNDLE 2\r\n", "a=setup:active\r\n",
		"a=mid:0\r\n", "a=mid:1\r\n", "a=mid:2\r\n", "a=sctp-port:5000\r\n", "a=max-message-size:16777216\r\n",
	} {
		if !strings.Contains(answer.SDP, want) {
			t.Errorf("the answer has no %q:\n%s", want, answer.SDP)
		}
	}
	pc.mustSet(t, true, answer)
	if pc.SignalingState() != SignalingStable {
		t.Errorf("signaling state %v after the answer", pc.SignalingState())
	}
}

func TestRefusedDescriptions(t *testing.T) {
	for name, c := range map[string]struct {
		from, to string // replaced throughout the offer
		want     string // in the error
	}{
		"no fingerprint":         {"a=fingerprint:", "a=x-fingerprint:", "fingerprint"},
		"no ice-ufrag":           {"a=ice-ufrag:", "a=x-ufrag:", "ice-ufrag"},
		"no ice-pwd":             {"a=ice-pwd:", "a=x-pwd:", "ice-pwd"},
		"no sctp-port":           {"a=sctp-port:", "a=x-port:", "sctp-port"},
		"a line that is no line": {"t=0 0\n", "t\n", "line 4"},
	} {
		pc := quietPeer(t, 1)
		err := pc.SetRemoteDescription(SessionDescription{SDPTypeOffer, strings.ReplaceAll(chromiumAudioVideoData, c.from, c.to)})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one that says %q", name, err, c.want)
		}
		if pc.SignalingState() != SignalingStable {
			t.Errorf("%s: a refused description moves the signaling state to %v", name, pc.SignalingState())
		}
	}
}

func TestSignalingStates(t *testing.T) {
	a, z := quietPeer(t, 1), quietPeer(t, 2)
	if _, err := a.CreateAnswer(); err == nil {
		t.Error("an answer without an offer")
	}
	a.CreateDataChannel("x", nil)
	offer := offerOf(t, a)
	a.mustSet(t, true, offer)
	if a.SignalingState() != SignalingHaveLocalOffer {
		t.Errorf("state %v after the local offer", a.SignalingState())
	}
	a.mustSet(t, true, offer) // the same again changes nothing
	if again := a.LocalDescription(); a.SignalingState() != SignalingHaveLocalOffer || again.SDP != offer.SDP {
		t.Errorf("state %v after the same offer, the description is\n%s", a.SignalingState(), again.SDP)
	}
	z.mustSet(t, false, offer)
	if z.SignalingState() != SignalingHaveRemoteOffer {
		t.Errorf("state %v after the remote offer", z.SignalingState())
	}
	if err := z.SetRemoteDescription(SessionDescription{SDPTypeAnswer, offer.SDP}); err == nil {
		t.Error("a remote answer is taken where ours is due")
	}
	changed := answerOf(t, z)
	changed.SDP = strings.Replace(changed.SDP, "a=sctp-port:5000", "a=sctp-port:5001", 1)
	if err := z.SetLocalDescription(changed); err == nil {
		t.Error("an answer changed after CreateAnswer is taken")
	}
	// Taken back, and begun again from the other side.
	z.mustSet(t, false, SessionDescription{Type: SDPTypeRollback})
	a.mustSet(t, true, SessionDescription{Type: SDPTypeRollback})
	if a.SignalingState() != SignalingStable || a.LocalDescription() != nil || z.RemoteDescription() != nil {
		t.Error("rollback leaves something behind")
	}
	z.CreateDataChannel("y", nil)
	offer = offerOf(t, z)
	z.mustSet(t, true, offer)
	a.mustSet(t, false, offer)
	answer := answerOf(t, a)
	a.mustSet(t, true, answer)
	z.mustSet(t, false, answer)
	if a.SignalingState() != SignalingStable || z.SignalingState() != SignalingStable {
		t.Errorf("states %v and %v after the exchange", a.SignalingState(), z.SignalingState())
	}
	if err := z.SetLocalDescription(offer); err == nil {
		t.Error("an offer that was answered is taken once more")
	}
}

// Both offer at once: the polite side takes the other's offer, which takes back
// its own (W3C: perfect negotiation).
func TestGlare(t *testing.T) {
	polite, impolite := quietPeer(t, 1), quietPeer(t, 2)
	polite.CreateDataChannel("x", nil)
	impolite.CreateDataChannel("y", nil)
	mine, theirs := offerOf(t, polite), offerOf(t, impolite)
	polite.mustSet(t, true, mine)
	impolite.mustSet(t, true, theirs)
	polite.mustSet(t, false, theirs)
	answer := answerOf(t, polite)
	polite.mustSet(t, true, answer)
	impolite.mustSet(t, false, answer)
	if polite.SignalingState() != SignalingStable || impolite.SignalingState() != SignalingStable {
		t.Errorf("states %v and %v", polite.SignalingState(), impolite.SignalingState())
	}
}

// An empty description stands for the one that is due.
func TestImplicitLocalDescription(t *testing.T) {
	a, z := quietPeer(t, 1), quietPeer(t, 2)
	a.CreateDataChannel("x", nil)
	a.mustSet(t, true, SessionDescription{})
	z.mustSet(t, false, *a.LocalDescription())
	z.mustSet(t, true, SessionDescription{})
	a.mustSet(t, false, *z.LocalDescription())
	if a.SignalingState() != SignalingStable || z.SignalingState() != SignalingStable {
		t.Errorf("states %v and %v", a.SignalingState(), z.SignalingState())
	}
	if got := a.LocalDescription().Type; got != SDPTypeOffer {
		t.Errorf("the implicit description is of type %q", got)
	}
}

// Whoever answers is the DTLS client, so that its ClientHello can leave with
// the first pair that works; an offer that has decided is obeyed.
func TestDTLSRoles(t *testing.T) {
	for offered, want := range map[string]string{"actpass": "active", "passive": "active", "active": "passive"} {
		pc := quietPeer(t, 1)
		pc.mustSet(t, false, SessionDescription{SDPTypeOffer, strings.ReplaceAll(chromiumAudioVideoData, "setup:actpass", "setup:"+offered)})
		if answer := answerOf(t, pc); !strings.Contains(answer.SDP, "a=setup:"+want+"\r\n") {
			t.Errorf("an offer of %s is answered\n%s", offered, answer.SDP)
		}
	}
}

func FuzzSetRemoteDescription(f *testing.F) {
	f.Add(chromiumAudioVideoData, "candidate:1 1 udp 2122194687 192.0.2.2 51094 typ host")
	f.Fuzz(func(t *testing.T, sdp, candidate string) {
		pc := quietPeer(t, 1)
		now := time.Unix(1e9, 0)
		pc.core.addICECandidate(now, ICECandidate{Candidate: candidate})
		if pc.core.setRemoteDescription(now, SessionDescription{SDPTypeOffer, sdp}) == nil {
			d, err := pc.core.createAnswer()
			if err != nil {
				t.Fatalf("an offer is taken that can't be answered: %v", err)
			}
			pc.core.setLocalDescription(now, d)
		}
		pc.core.addICECandidate(now, ICECandidate{Candidate: candidate})
	})
}

// SNAP: an offer has our INIT chunk, an answer only if the offer has a good one,
// and what was said once is said again.
func TestInitInDescriptions(t *testing.T) {
	initOf := func(d SessionDescription) string {
		_, rest, _ := strings.Cut(d.SDP, "a=sctp-init:")
		value, _, _ := strings.Cut(rest, "\r\n")
		return value
	}
	for name, test := range map[string]struct {
		change func(offer string) string
		answer bool
	}{
		"both":      {func(offer string) string { return offer }, true},
		"none":      {func(offer string) string { return strings.Replace(offer, "a=sctp-init:", "a=x-", 1) }, false},
		"malformed": {func(offer string) string { return strings.Replace(offer, "a=sctp-init:A", "a=sctp-init:B", 1) }, false},
		"no base64": {func(offer string) string { return strings.Replace(offer, "a=sctp-init:A", "a=sctp-init:*", 1) }, false},
		"Chromium's": {func(offer string) string {
			return strings.Replace(offer, "a=sctp-init:", "a=sctp-init:AQAAHjcSLlcAUAAA/////8DkV3HAAAAEgAgABoLA\r\na=x-", 1)
		}, true},
	} {
		a, z := quietPeer(t, 1), quietPeer(t, 2)
		if _, err := a.CreateDataChannel("test", nil); err != nil {
			t.Fatal(err)
		}
		offer := offerOf(t, a)
		a.mustSet(t, true, offer)
		if initOf(offer) == "" || initOf(offerOf(t, a)) != initOf(offer) {
			t.Errorf("%s: the offer has the INIT chunk %q, and then %q", name, initOf(offer), initOf(offerOf(t, a)))
		}
		offer.SDP = test.change(offer.SDP)
		z.mustSet(t, false, offer)
		answer := answerOf(t, z)
		if (initOf(answer) != "") != test.answer {
			t.Errorf("%s: the answer has the INIT chunk %q", name, initOf(answer))
		}
		z.mustSet(t, true, answer)
		if got := z.core.remoteInit != nil; got != test.answer {
			t.Errorf("%s: the answerer took the offerer's INIT chunk: %v", name, got)
		}
	}
}

// An answer that repeats the offer's INIT chunk is one without SNAP.
func TestRepeatedInit(t *testing.T) {
	a, z := quietPeer(t, 1), quietPeer(t, 2)
	if _, err := a.CreateDataChannel("test", nil); err != nil {
		t.Fatal(err)
	}
	offer := offerOf(t, a)
	a.mustSet(t, true, offer)
	_, line, _ := strings.Cut(offer.SDP, "a=sctp-init:")
	line, _, _ = strings.Cut(line, "\r\n")
	offer.SDP = strings.Replace(offer.SDP, "a=sctp-init:", "a=x-", 1)
	z.mustSet(t, false, offer)
	answer := answerOf(t, z)
	answer.SDP += "a=sctp-init:" + line + "\r\n"
	a.mustSet(t, false, answer)
	if a.core.remoteInit != nil {
		t.Errorf("our own INIT chunk was taken for the peer's: %x", a.core.remoteInit)
	}
}
