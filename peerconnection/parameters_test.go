package peerconnection

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/session"
)

// Parameters are read, changed and set (W3C, Section 5.2), and set only once.
func TestParameters(t *testing.T) {
	a, z := quietPeer(t, 1), quietPeer(t, 2)
	x := mustAdd(t, a, KindVideo, &TransceiverInit{SendEncodings: threeLayers})
	p := x.Sender().Parameters()
	if len(p.Codecs) != 0 || len(p.Encodings) != 3 || p.Encodings[0].ScaleResolutionDownBy != 4 || p.Encodings[2].MaxBitrate != 2_000_000 {
		t.Errorf("before an exchange: %+v", p)
	}
	exchange(t, a, z)
	p = x.Sender().Parameters()
	if p.Codecs[0].MimeType != "video/VP8" || p.RTCP.CNAME != a.core.cname || !p.RTCP.ReducedSize || len(p.HeaderExtensions) != len(videoExtensions) {
		t.Errorf("after the exchange: %+v", p)
	}
	r := z.Transceivers()[0].Receiver().Parameters()
	if !slices.Equal(r.Codecs, p.Codecs) || !slices.Equal(r.HeaderExtensions, p.HeaderExtensions) {
		t.Errorf("the receiver has\n%+v\nthe sender\n%+v", r, p)
	}
	p.Encodings[1].Inactive, p.Encodings[2].MaxBitrate = true, 1_000_000
	if err := x.Sender().SetParameters(p); err != nil {
		t.Fatal(err)
	}
	if x.encodings[1].Active || x.encodings[2].MaxBitrate != 1_000_000 || x.encodings[1].SSRC == 0 {
		t.Errorf("the encodings are %+v", x.encodings)
	}
	if err := x.Sender().SetParameters(p); err == nil {
		t.Error("parameters are set twice")
	}
	for name, change := range map[string]func(*SendParameters){
		"an encoding less": func(p *SendParameters) { p.Encodings = p.Encodings[1:] },
		"another RID":      func(p *SendParameters) { p.Encodings[0].RID = "x" },
		"no sense":         func(p *SendParameters) { p.Encodings[0].MaxFramerate = -1 },
		"another's id":     func(p *SendParameters) { p.TransactionID = "x" },
	} {
		p := x.Sender().Parameters()
		if change(&p); x.Sender().SetParameters(p) == nil {
			t.Errorf("%s is taken", name)
		}
	}
	x.Stop()
	if err := x.Sender().SetParameters(x.Sender().Parameters()); err == nil {
		t.Error("a stopped sender's parameters are set")
	}
}

// The streams of a track can be changed, and the peer learns of it.
func TestStreams(t *testing.T) {
	a, z := quietPeer(t, 1), quietPeer(t, 2)
	s, err := a.AddTrack(NewTrack(KindAudio, "voice"), "one", "two", "one")
	if err != nil {
		t.Fatal(err)
	}
	offer, _ := exchange(t, a, z)
	if !strings.Contains(offer.SDP, "a=msid:one voice\r\na=msid:two voice\r\n") {
		t.Errorf("the offer says\n%s", offer.SDP)
	}
	e, _ := z.AcceptTrack(t.Context())
	if !slices.Equal(e.Streams, []string{"one", "two"}) || a.core.negotiationNeeded {
		t.Errorf("the streams are %q", e.Streams)
	}
	if err := s.SetStreams("three"); err != nil || !a.core.negotiationNeeded {
		t.Errorf("changing the streams: %v, an exchange is needed: %v", err, a.core.negotiationNeeded)
	}
	exchange(t, a, z)
	if got := e.Receiver.Streams(); !slices.Equal(got, []string{"three"}) || len(z.core.unacceptedTracks) != 0 || a.core.negotiationNeeded {
		t.Errorf("the streams are %q, %d tracks to accept", got, len(z.core.unacceptedTracks))
	}
}

// Each thing that the peer must learn of is told once, in the stable state.
func TestNegotiationNeeded(t *testing.T) {
	a, z := quietPeer(t, 1), quietPeer(t, 2)
	needed := func() bool {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := a.NextNegotiationNeeded(ctx)
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		return err == nil
	}
	want := func(what string, want bool) {
		t.Helper()
		if got := needed(); got != want {
			t.Errorf("%s: negotiation is needed: %v", what, got)
		}
		if want && needed() {
			t.Errorf("%s: it is said twice", what)
		}
	}
	want("nothing", false)
	a.RestartICE()
	want("a restart of nothing", false)
	x := mustAdd(t, a, KindAudio, nil)
	want("a transceiver", true)
	y := mustAdd(t, a, KindVideo, &TransceiverInit{Direction: DirectionRecvOnly})
	want("another before the first is offered", false)
	offer := offerOf(t, a)
	a.mustSet(t, true, offer)
	a.CreateDataChannel("x", nil)
	want("a channel in an exchange", false)
	z.mustSet(t, false, offer)
	answer := answerOf(t, z)
	z.mustSet(t, true, answer)
	a.mustSet(t, false, answer)
	want("a channel after the exchange", true)
	exchange(t, a, z)
	want("all said", false)
	a.CreateDataChannel("y", nil)
	want("another channel", false)
	x.SetCodecPreferences(Capabilities(KindAudio).Codecs[:1])
	want("preferences", false)
	x.Sender().ReplaceTrack(nil)
	want("a track replaced", false)
	x.SetDirection(DirectionSendOnly)
	want("what was agreed on, said by itself", false)
	y.SetDirection(DirectionInactive)
	want("less than was agreed on", false) // z answered inactive already
	y.SetDirection(DirectionSendRecv)
	want("more than was agreed on", true)
	y.SetDirection(DirectionInactive)
	want("back again", false)
	a.RestartICE()
	want("a restart", true)
	exchange(t, a, z)
	y.Stop()
	want("a stop", true)
	exchange(t, a, z)
	want("in the end", false)
}

// A provisional answer lets media flow, and the final one may differ from it.
func TestProvisionalAnswerWithMedia(t *testing.T) {
	a, z := quietPeer(t, 1), quietPeer(t, 2)
	x := mustAdd(t, a, KindVideo, nil)
	offer := offerOf(t, a)
	a.mustSet(t, true, offer)
	z.mustSet(t, false, offer)
	provisional := answerOf(t, z)
	provisional.Type = SDPTypeProvisionalAnswer
	z.mustSet(t, true, provisional)
	a.mustSet(t, false, provisional)
	if x.CurrentDirection() != DirectionSendOnly || x.Sender().rtp == nil || x.Sender().rtp.Codec() == nil {
		t.Errorf("after the provisional answer the direction is %s", x.CurrentDirection())
	}
	z.Transceivers()[0].SetDirection(DirectionSendRecv)
	answer := answerOf(t, z)
	wantLines(t, answer, "video 9 0 sendrecv")
	z.mustSet(t, true, answer)
	a.mustSet(t, false, answer)
	if x.CurrentDirection() != DirectionSendRecv || a.SignalingState() != SignalingStable {
		t.Errorf("after the answer the direction is %s, the state %v", x.CurrentDirection(), a.SignalingState())
	}
	if e, err := a.AcceptTrack(t.Context()); err != nil || e.Transceiver != x {
		t.Errorf("the track of the answer: %v", err)
	}
	// And an exchange whose provisional answer takes what the final one rejects.
	b, y := quietPeer(t, 1), quietPeer(t, 2)
	mustAdd(t, b, KindVideo, nil)
	offer = offerOf(t, b)
	b.mustSet(t, true, offer)
	y.mustSet(t, false, offer)
	provisional = answerOf(t, y)
	provisional.Type = SDPTypeProvisionalAnswer
	y.mustSet(t, true, provisional)
	b.mustSet(t, false, provisional)
	y.Transceivers()[0].Stop()
	answer = answerOf(t, y)
	wantLines(t, answer, "video 0 0")
	y.mustSet(t, true, answer)
	b.mustSet(t, false, answer)
	if len(b.Transceivers())+len(y.Transceivers()) != 0 {
		t.Error("the rejected transceiver is left")
	}
}

// From the moment an offer is set, what was offered may come in; taken back, it may not.
func TestEarlyMedia(t *testing.T) {
	a, z := quietPeer(t, 1), quietPeer(t, 2)
	x := mustAdd(t, a, KindAudio, nil)
	mustAdd(t, a, KindVideo, &TransceiverInit{Direction: DirectionSendOnly})
	offer := offerOf(t, a)
	a.mustSet(t, true, offer)
	offered := codecLines(t, offer, 0)
	in := a.core.proposed[0].early(session.Section{})
	if len(in.Receive) != len(offered) || len(in.Send) != 0 || in.Extensions.ID(rtp.ExtMID) == 0 {
		t.Errorf("what may come in is %+v", in)
	}
	if in := a.core.proposed[1].early(session.Section{}); len(in.Receive) != 0 {
		t.Errorf("what may come in where only we send is %+v", in)
	}
	a.mustSet(t, true, SessionDescription{Type: SDPTypeRollback})
	if x.configured != "" {
		t.Error("the section stays")
	}
	// In an exchange of a session, what was agreed on goes on.
	exchange(t, a, z)
	x.SetDirection(DirectionRecvOnly)
	before := a.core.sectionOf(x).settled()
	a.mustSet(t, true, offerOf(t, a))
	in = a.core.proposed[0].early(before)
	if len(in.Send) == 0 || len(in.Receive) != len(offered) {
		t.Errorf("what goes on is %+v", in)
	}
}

// An ICE restart leaves transceivers alone.
func TestRestartWithMedia(t *testing.T) {
	a, z := quietPeer(t, 1), quietPeer(t, 2)
	x := mustAdd(t, a, KindAudio, nil)
	exchange(t, a, z)
	before, codecs := a.core.localUfrag(), a.core.sectionOf(x).settled().Send
	a.RestartICE()
	offer, answer := exchange(t, a, z)
	wantLines(t, answer, "audio 9 0 recvonly")
	if a.core.localUfrag() == before || !strings.Contains(offer.SDP, a.core.localUfrag()) {
		t.Error("nothing was restarted")
	}
	if !slices.Equal(a.core.sectionOf(x).settled().Send, codecs) || x.CurrentDirection() != DirectionSendOnly {
		t.Error("the media has changed")
	}
}

// Without a section for data channels there is no association, until there is one.
func TestSCTPWithoutDataSection(t *testing.T) {
	a, z := newPeer(t, Config{}), newPeer(t, Config{})
	mustAdd(t, a, KindAudio, nil)
	ctx := within(t, 60*time.Second)
	signal(t, ctx, a, z, nil)
	for _, pc := range []*PeerConnection{a, z} {
		if err := pc.WaitConnected(ctx); err != nil {
			t.Fatal(err)
		}
		pc.mu.Lock()
		if pc.core.sctp != nil {
			t.Error("there is an association without a media description for it")
		}
		pc.mu.Unlock()
	}
	// It comes when it is negotiated.
	da, dz := connect(t, ctx, a, z)
	if err := dz.SendText("late"); err != nil {
		t.Fatal(err)
	}
	if m, err := da.ReadMessage(ctx); err != nil || string(m.Data) != "late" {
		t.Errorf("%q, %v", m.Data, err)
	}
}
