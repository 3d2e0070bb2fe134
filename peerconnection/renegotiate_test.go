package peerconnection

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/ice"
)

// What can go wrong between an offer and its answer, and leave something behind.

// answered carries what z answers to a's offer, through a change on its way.
func answered(t *testing.T, a, z *PeerConnection, change func(string) string) (answer SessionDescription) {
	t.Helper()
	a.mustSet(t, true, offerOf(t, a))
	z.mustSet(t, false, *a.LocalDescription())
	z.mustSet(t, true, answerOf(t, z))
	answer = *z.LocalDescription()
	answer.SDP = change(answer.SDP)
	return answer
}

// An offer that was made and not set has no effect: neither do the credentials
// that it had.
func TestOfferThatIsNotSet(t *testing.T) {
	a, z := quietPeer(t, 1), quietPeer(t, 2)
	a.CreateDataChannel("x", nil)
	a.mustSet(t, false, answered(t, a, z, func(s string) string { return s }))
	before := a.core.ice.LocalCredentials()
	if _, err := a.CreateOffer(&OfferOptions{ICERestart: true}); err != nil {
		t.Fatal(err)
	}
	offer := offerOf(t, a)
	a.mustSet(t, true, offer)
	if got := a.core.ice.LocalCredentials(); got != before || !strings.Contains(offer.SDP, "a=ice-ufrag:"+before.Ufrag+"\r\n") {
		t.Errorf("ICE uses %q after an offer with\n%s", got.Ufrag, offer.SDP)
	}
}

// A refused answer changes nothing, and the right one can still come.
func TestRefusedAnswerChangesNothing(t *testing.T) {
	for name, change := range map[string][2]string{
		"undecided":     {"a=setup:active", "a=setup:actpass"},
		"no connection": {"a=setup:active", "a=setup:holdconn"},
		"no role":       {"a=setup:active", "a=x:y"},
	} {
		a, z := quietPeer(t, 1), quietPeer(t, 2)
		a.CreateDataChannel("x", nil)
		bad := answered(t, a, z, func(s string) string { return strings.Replace(s, change[0], change[1], 1) })
		if err := a.SetRemoteDescription(bad); err == nil || !strings.Contains(err.Error(), "setup") {
			t.Errorf("%s: %v", name, err)
		}
		if a.core.remoteCredentials != (ice.Credentials{}) || a.RemoteDescription() != nil || a.core.dtls != nil || a.SignalingState() != SignalingHaveLocalOffer {
			t.Errorf("%s: the refused answer leaves something behind", name)
		}
		a.mustSet(t, false, *z.LocalDescription())
	}
	offer := strings.ReplaceAll(chromiumAudioVideoData, "setup:actpass", "setup:holdconn")
	if err := quietPeer(t, 1).SetRemoteDescription(SessionDescription{SDPTypeOffer, offer}); err == nil {
		t.Error("an offer of no connection is taken")
	}
}

// Older stacks have characters in their ufrags that RFC 8839 does not.
func TestOldStacksUfrag(t *testing.T) {
	pc := quietPeer(t, 1)
	offer := strings.ReplaceAll(chromiumAudioVideoData, "a=ice-ufrag:abcd", "a=ice-ufrag:ab-c_d=#")
	offer = strings.ReplaceAll(offer, "a=ice-pwd:0123456789012345678901", "a=ice-pwd:0123456789_12345678-=#")
	pc.mustSet(t, false, SessionDescription{SDPTypeOffer, offer})
	pc.mustSet(t, true, answerOf(t, pc))
}

// In a group with one transport only the first section need describe it (RFC
// 9143, Section 7.1.3), be it one that we reject.
func TestTransportOfTheBundle(t *testing.T) {
	pc := quietPeer(t, 1)
	audio, rest, _ := strings.Cut(chromiumAudioVideoData, "m=video")
	_, data, _ := strings.Cut(rest, "m=application 9")
	data = "m=application 0" + data
	for _, attribute := range []string{"ice-ufrag:", "ice-pwd:", "fingerprint:", "setup:", "ice-options:"} {
		data = strings.Replace(data, "a="+attribute, "a=x-"+attribute, 1)
	}
	offer := strings.Replace(audio, "BUNDLE 0 1 2", "BUNDLE 0 2", 1) + data + "a=bundle-only\n"
	pc.mustSet(t, false, SessionDescription{SDPTypeOffer, offer})
	answer := answerOf(t, pc)
	pc.mustSet(t, true, answer)
	if pc.core.remoteCredentials.Ufrag != "abcd" || !strings.Contains(answer.SDP, "a=setup:active") {
		t.Errorf("remote credentials %+v, answer\n%s", pc.core.remoteCredentials, answer.SDP)
	}
}

// Without a media description there is nothing to gather for, and no socket to
// open; the candidates come with the first one, and say whose they are.
func TestGatherOnlyForMediaDescriptions(t *testing.T) {
	ctx := within(t, 10*time.Second)
	a, z := newPeer(t, Config{}), newPeer(t, Config{})
	signal(t, ctx, a, z, nil)
	for _, pc := range []*PeerConnection{a, z} {
		if pc.ICEGatheringState() != ICEGatheringNew || pc.mux != nil {
			t.Errorf("gathering is %v for an empty session", pc.ICEGatheringState())
		}
	}
	if _, err := a.CreateDataChannel("x", nil); err != nil {
		t.Fatal(err)
	}
	if err := a.SetLocalDescription(SessionDescription{}); err != nil {
		t.Fatal(err)
	}
	c, err := a.NextICECandidate(ctx)
	if err != nil || c.SDPMid != "0" {
		t.Errorf("candidate %+v, %v", c, err)
	}
}

// A provisional answer that turns out to be the answer.
func TestProvisionalAnswer(t *testing.T) {
	a, z := quietPeer(t, 1), quietPeer(t, 2)
	a.CreateDataChannel("x", nil)
	a.mustSet(t, true, offerOf(t, a))
	z.mustSet(t, false, *a.LocalDescription())
	answer := answerOf(t, z)
	provisional := SessionDescription{SDPTypeProvisionalAnswer, answer.SDP}
	z.mustSet(t, true, provisional)
	a.mustSet(t, false, provisional)
	if a.SignalingState() != SignalingHaveRemotePranswer || z.SignalingState() != SignalingHaveLocalPranswer {
		t.Errorf("states %v and %v", a.SignalingState(), z.SignalingState())
	}
	z.mustSet(t, true, answer)
	a.mustSet(t, false, answer)
	if a.SignalingState() != SignalingStable || z.SignalingState() != SignalingStable {
		t.Errorf("states %v and %v", a.SignalingState(), z.SignalingState())
	}
}

// An offer that restarts ICE is taken back for the peer's, which does not: the
// two still find a path when the old one is gone.
func TestRestartTakenBack(t *testing.T) {
	n, a, z := quietCores(t)
	now := n.Now()
	offer, err := a.pc.core.createOffer(&OfferOptions{ICERestart: true})
	if err != nil {
		t.Fatal(err)
	}
	a.pc.mustSet(t, true, offer)
	z.exchange(t, now, a, nil, nil, nil)
	n.Run(func() bool { return false }, 2*time.Minute)
	if a.pc.core.state != ConnectionConnected || z.pc.core.state != ConnectionConnected {
		t.Fatalf("%v and %v", a.pc.core.state, z.pc.core.state)
	}
	dz := z.pc.core.acceptChannel()
	for range 20 {
		n.Run(func() bool { return false }, time.Second)
	}
	if err := a.pc.core.send(n.Now(), a.pc.core.channels[dz.id], Text, []byte("x")); err != nil {
		t.Fatal(err)
	}
	n.Run(func() bool { return len(dz.inbox) > 0 }, 5*time.Second)
	if len(dz.inbox) == 0 {
		t.Error("nothing comes through")
	}
	for _, p := range []*simPeer{a, z} {
		if len(p.pc.core.ice.Pairs()) == 0 || !p.pc.core.ice.Pairs()[0].Nominated {
			t.Errorf("the restarted search has found nothing: %+v", p.pc.core.ice.Pairs())
		}
	}
}

// A remote offer taken back does not take the candidates of the session with it.
func TestRollbackKeepsCandidates(t *testing.T) {
	a, z := quietPeer(t, 1), quietPeer(t, 2)
	a.CreateDataChannel("x", nil)
	a.mustSet(t, false, answered(t, a, z, func(s string) string { return s }))
	now := time.Unix(1e9, 0)
	z.core.gather(now, []netip.AddrPort{netip.MustParseAddrPort("192.0.2.7:7")})
	a.mustSet(t, true, offerOf(t, a))
	z.mustSet(t, false, *a.LocalDescription())
	if err := z.core.addICECandidate(now, ICECandidate{Candidate: "candidate:1 1 udp 1 192.0.2.1 1000 typ host"}); err != nil {
		t.Fatal(err)
	}
	z.mustSet(t, false, SessionDescription{Type: SDPTypeRollback})
	if len(z.core.ice.Pairs()) != 1 {
		t.Errorf("%d pairs after the rollback, want that of the candidate", len(z.core.ice.Pairs()))
	}
}
