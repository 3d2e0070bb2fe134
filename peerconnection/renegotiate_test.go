package peerconnection

import (
	"math"
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
	ctx := within(t, 60*time.Second)
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
	z.core.gather(now, []netip.AddrPort{netip.MustParseAddrPort("192.0.2.7:7")}, false)
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

// Both sides restart ICE at once; the polite one takes its own offer back.
func TestBothRestart(t *testing.T) {
	n, a, z := quietCores(t)
	now := n.Now()
	for _, p := range []*simPeer{a, z} {
		offer, err := p.pc.core.createOffer(&OfferOptions{ICERestart: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.pc.core.setLocalDescription(now, offer); err != nil {
			t.Fatal(err)
		}
	}
	offer := *z.pc.core.localDescription()
	if err := a.pc.core.setRemoteDescription(now, offer); err != nil {
		t.Fatal(err)
	}
	answer, err := a.pc.core.createAnswer()
	if err == nil {
		err = a.pc.core.setLocalDescription(now, answer)
	}
	if err == nil {
		err = z.pc.core.setRemoteDescription(now, *a.pc.core.localDescription())
	}
	if err != nil {
		t.Fatal(err)
	}
	n.Run(func() bool { return false }, 2*time.Minute)
	for _, p := range []*simPeer{a, z} {
		pairs := p.pc.core.ice.Pairs()
		if p.pc.core.state != ConnectionConnected || len(pairs) == 0 || !pairs[0].Nominated || pairs[0].LocalUfrag != p.pc.core.localUfrag() {
			t.Errorf("%v over %+v", p.pc.core.state, pairs)
		}
	}
}

// The first exchange has no media description; the channel comes later.
func TestChannelAfterAnEmptySession(t *testing.T) {
	ctx := within(t, 60*time.Second)
	a, z := newPeer(t, Config{}), newPeer(t, Config{})
	signal(t, ctx, a, z, nil)
	da, dz := connect(t, ctx, a, z)
	if err := dz.SendText("there at last"); err != nil {
		t.Fatal(err)
	}
	if m, err := da.ReadMessage(ctx); err != nil || string(m.Data) != "there at last" {
		t.Errorf("%q, %v", m.Data, err)
	}
}

// An answer that rejects the data channels ends those that wait, and a later
// exchange can bring others.
func TestRejectedDataChannels(t *testing.T) {
	ctx := within(t, 60*time.Second)
	a := newPeer(t, Config{})
	d, _ := a.CreateDataChannel("unwanted", nil)
	if err := a.SetLocalDescription(SessionDescription{}); err != nil {
		t.Fatal(err)
	}
	rejection := "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\n"
	if err := a.SetRemoteDescription(SessionDescription{SDPTypeAnswer, rejection}); err != nil {
		t.Fatal(err)
	}
	if err := d.Opened(ctx); err == nil || ctx.Err() != nil {
		t.Errorf("the channel that the peer rejected: %v", err)
	}
	if err := d.SendText("x"); err == nil {
		t.Error("the rejected channel takes a message")
	}
	// The same peer changes its mind. It knows the rejected section.
	if _, err := a.CreateDataChannel("wanted", nil); err != nil {
		t.Fatal(err)
	}
	offer := offerOf(t, a)
	if strings.Count(offer.SDP, "m=application 0 ") != 1 || strings.Count(offer.SDP, "m=application 9 ") != 1 || !strings.Contains(offer.SDP, "a=group:BUNDLE 1\r\n") {
		t.Errorf("the offer after a rejection is\n%s", offer.SDP)
	}
	if err := a.SetLocalDescription(offer); err != nil {
		t.Fatal(err)
	}
}

// A lite peer never controls, whoever offered.
func TestLitePeer(t *testing.T) {
	pc := quietPeer(t, 1)
	pc.mustSet(t, false, SessionDescription{SDPTypeOffer, strings.Replace(chromiumAudioVideoData, "a=group", "a=ice-lite\na=group", 1)})
	pc.mustSet(t, true, answerOf(t, pc))
	if !pc.core.ice.Controlling() {
		t.Error("nobody controls")
	}
}

// What the peer says of its largest message, and what it leaves unsaid (RFC
// 8841, Section 6.1).
func TestMaxMessageSize(t *testing.T) {
	for said, want := range map[string]int{
		"a=max-message-size:1000\n": 1000,
		"a=max-message-size:0\n":    math.MaxInt32, // no limit
		"":                          64 << 10,
		"a=max-message-size:18446744073709551615\n": math.MaxInt32,
	} {
		pc := quietPeer(t, 1)
		pc.mustSet(t, false, SessionDescription{SDPTypeOffer, strings.Replace(chromiumAudioVideoData, "a=max-message-size:262144\n", said, 1)})
		pc.mustSet(t, true, answerOf(t, pc))
		if got := pc.core.maxMessageSize(); got != want {
			t.Errorf("after %q the limit is %d, want %d", said, got, want)
		}
	}
}

// Candidates of before a restart that come late are no use, and do no harm
// however many they are; those of the next one may come before their description.
func TestCandidatesOfOtherGenerations(t *testing.T) {
	n, a, z := quietCores(t)
	now := n.Now()
	old := z.pc.core.localUfrag()
	a.exchange(t, now, z, &OfferOptions{ICERestart: true}, nil, nil)
	late := ICECandidate{Candidate: "candidate:1 1 udp 1 192.0.2.99 1000 typ host", UsernameFragment: old}
	for range 2 * maxTrickled {
		if err := a.pc.core.addICECandidate(now, late); err != nil {
			t.Fatal(err)
		}
	}
	if len(a.pc.core.trickled) != 0 {
		t.Errorf("%d candidates of before the restart are kept", len(a.pc.core.trickled))
	}
	if err := a.pc.core.addICECandidate(now, ICECandidate{Candidate: late.Candidate, UsernameFragment: "next"}); err != nil || len(a.pc.core.trickled) != 1 {
		t.Errorf("a candidate of the restart to come: %v, %d kept", err, len(a.pc.core.trickled))
	}
}

// Before there is anything to restart, RestartICE does nothing, also later.
func TestRestartOfNothing(t *testing.T) {
	a, z := quietPeer(t, 1), quietPeer(t, 2)
	a.CreateDataChannel("x", nil)
	a.RestartICE()
	same := func(s string) string { return s }
	a.mustSet(t, false, answered(t, a, z, same))
	ufrag := func() string {
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.core.localUfrag()
	}
	before := ufrag()
	a.mustSet(t, false, answered(t, a, z, same))
	if ufrag() != before {
		t.Error("the second offer restarts ICE, which nobody has asked for since")
	}
	a.RestartICE()
	a.mustSet(t, false, answered(t, a, z, same))
	if ufrag() == before {
		t.Error("the third offer does not restart ICE")
	}
}

// A mux that is closed under its connections takes their paths, and nothing else.
func TestMuxClosedUnderConnections(t *testing.T) {
	ctx := within(t, 60*time.Second)
	mux, err := ListenUDPMux(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	a, z, late := newPeer(t, Config{Mux: mux}), newPeer(t, Config{}), newPeer(t, Config{Mux: mux})
	da, _ := connect(t, ctx, a, z)
	mux.Close()
	if err := da.SendText("into the void"); err != nil {
		t.Errorf("writing: %v", err)
	}
	late.CreateDataChannel("x", nil)
	if err := late.SetLocalDescription(SessionDescription{}); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("a connection on a closed mux: %v", err)
	}
	for _, pc := range []*PeerConnection{a, late} {
		if err := pc.Close(); err != nil {
			t.Error(err)
		}
	}
}
