package interop

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/plainrtc/plainrtc/interop/browser"
	"github.com/plainrtc/plainrtc/peerconnection"
)

// Negotiation of media with browsers, without waiting for a connection: each side
// takes what the other says, and both draw the same conclusions.

// A mediaCase is what each side does before an exchange, and what comes of it.
type mediaCase struct {
	name string
	page string // JavaScript on pc
	us   func(t *testing.T, pc *peerconnection.PeerConnection)
	// want are the current directions on our side, in the order of the MIDs.
	want string
	// layers are those of the first section, in whichever direction they go.
	layers string
}

func add(kind peerconnection.Kind, init *peerconnection.TransceiverInit) func(*testing.T, *peerconnection.PeerConnection) {
	return func(t *testing.T, pc *peerconnection.PeerConnection) {
		t.Helper()
		if _, err := pc.AddTransceiver(peerconnection.NewTrack(kind, "ours"), init); err != nil {
			t.Fatal(err)
		}
	}
}

func tracks(kinds ...peerconnection.Kind) func(*testing.T, *peerconnection.PeerConnection) {
	return func(t *testing.T, pc *peerconnection.PeerConnection) {
		t.Helper()
		for _, kind := range kinds {
			if _, err := pc.AddTrack(peerconnection.NewTrack(kind, "our-"+string(kind)), "our-stream"); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func nothing(*testing.T, *peerconnection.PeerConnection) {}

const (
	audio = peerconnection.KindAudio
	video = peerconnection.KindVideo
)

// browserOffers are cases in which the browser offers.
var browserOffers = []mediaCase{
	{"receive", `for (const t of stream.getTracks()) pc.addTrack(t, stream)`, nothing, "recvonly recvonly", ""},
	{"both ways", `for (const t of stream.getTracks()) pc.addTrack(t, stream)`, tracks(video, audio), "sendrecv sendrecv", ""},
	{"with data", `pc.createDataChannel("x"); for (const t of stream.getTracks()) pc.addTrack(t, stream)`, tracks(video, audio), "sendrecv sendrecv", ""},
	{"send", `pc.addTransceiver("audio", {direction: "recvonly"}); pc.addTransceiver("video", {direction: "recvonly"})`, tracks(audio, video), "sendonly sendonly", ""},
	{"inactive", `pc.addTransceiver("audio", {direction: "inactive"}); pc.addTransceiver("video", {direction: "sendonly"})`, nothing, "inactive recvonly", ""},
	{"simulcast", `pc.addTransceiver(stream.getVideoTracks()[0], {sendEncodings: [{rid: "q", scaleResolutionDownBy: 4}, {rid: "h", scaleResolutionDownBy: 2}, {rid: "f"}]})`, nothing, "recvonly", "q h f"},
	{"five of a kind", `for (let i = 0; i < 5; i++) pc.addTransceiver("video")`, tracks(video), "sendrecv recvonly recvonly recvonly recvonly", ""},
}

// ourOffers are cases in which we do.
var ourOffers = []mediaCase{
	{"send", ``, tracks(audio, video), "sendonly sendonly", ""},
	{"both ways", `for (const t of stream.getTracks()) pc.addTrack(t, stream)`, tracks(audio, video), "sendrecv sendrecv", ""},
	{"with data", `for (const t of stream.getTracks()) pc.addTrack(t, stream)`, func(t *testing.T, pc *peerconnection.PeerConnection) {
		if _, err := pc.CreateDataChannel("x", nil); err != nil {
			t.Fatal(err)
		}
		tracks(audio, video)(t, pc)
	}, "sendrecv sendrecv", ""},
	{"receive", `for (const t of stream.getTracks()) pc.addTrack(t, stream)`, func(t *testing.T, pc *peerconnection.PeerConnection) {
		for _, kind := range []peerconnection.Kind{audio, video} {
			if _, err := pc.AddTransceiverOf(kind, &peerconnection.TransceiverInit{Direction: peerconnection.DirectionRecvOnly}); err != nil {
				t.Fatal(err)
			}
		}
	}, "recvonly recvonly", ""},
	// Browsers receive one layer.
	{"simulcast sent", ``, add(video, &peerconnection.TransceiverInit{SendEncodings: []peerconnection.EncodingParameters{{RID: "q"}, {RID: "h"}, {RID: "f"}}}), "sendonly", ""},
	{"simulcast asked for", `pc.answering = async () => {
		const [t] = pc.getTransceivers();
		t.direction = "sendonly";
		await t.sender.replaceTrack(stream.getVideoTracks()[0]);
	}`,
		func(t *testing.T, pc *peerconnection.PeerConnection) {
			if _, err := pc.AddTransceiverOf(video, &peerconnection.TransceiverInit{Direction: peerconnection.DirectionRecvOnly, ReceiveRIDs: []string{"q", "h", "f"}}); err != nil {
				t.Fatal(err)
			}
		}, "recvonly", "q h f"},
}

func TestMediaIsNegotiated(t *testing.T) {
	for _, name := range []string{"Chromium", "Firefox"} {
		t.Run(name, func(t *testing.T) {
			b := browser.Chromium
			if name == "Firefox" {
				b = func(t testing.TB, _ ...string) *browser.Browser { return browser.Firefox(t) }
			}
			page := b(t).Open(t, mediaJS)
			allowCamera(t, page)
			for _, c := range browserOffers {
				t.Run("it offers/"+c.name, func(t *testing.T) { negotiated(t, page, c, false) })
			}
			for _, c := range ourOffers {
				t.Run("we offer/"+c.name, func(t *testing.T) { negotiated(t, page, c, true) })
			}
		})
	}
}

// mediaJS keeps connections in the page by number.
const mediaJS = `
const pcs = [];
function newPC(setUp, config) {
	const pc = new RTCPeerConnection(config);
	new Function("pc", "stream", setUp)(pc, globalThis.stream);
	return pcs.push(pc) - 1;
}
async function connected(pc) {
	while (pc.connectionState !== "connected") await new Promise(done => pc.addEventListener("connectionstatechange", done, {once: true}));
}
const directions = pc => pc.getTransceivers().toSorted((a, b) => a.mid - b.mid).map(t => t.currentDirection).join(" ");
`

// reversed is a list of directions as the other side has it.
func reversed(directions string) string {
	return strings.NewReplacer("sendonly", "recvonly", "recvonly", "sendonly").Replace(directions)
}

func ourDirections(pc *peerconnection.PeerConnection) string {
	var all []string
	for _, x := range pc.Transceivers() {
		all = append(all, string(x.CurrentDirection()))
	}
	return strings.Join(all, " ")
}

// negotiated carries one exchange, and another one from the other side.
func negotiated(t *testing.T, page *browser.Page, c mediaCase, weOffer bool) {
	ctx := testContext(t)
	pc := newPlainPeer(t, peerconnection.Config{}).pc
	var id int
	page.Do(&id, `return newPC(args[0])`, c.page)
	c.us(t, pc)
	for range 2 {
		if weOffer {
			offerToPage(t, ctx, pc, page, id)
		} else {
			answerPage(t, ctx, pc, page, id)
		}
		var theirs string
		page.Do(&theirs, `return directions(pcs[args[0]])`, id)
		if ours := ourDirections(pc); ours != c.want || theirs != reversed(c.want) {
			t.Errorf("the directions are %q here and %q there, want %q\nour description:\n%s\ntheirs:\n%s", ours, theirs, c.want, pc.LocalDescription().SDP, pc.RemoteDescription().SDP)
		}
		if layers := layersOf(pc); layers != c.layers {
			t.Errorf("the layers are %q\nour description:\n%s\ntheirs:\n%s", layers, pc.LocalDescription().SDP, pc.RemoteDescription().SDP)
		}
		weOffer = !weOffer
	}
	page.Do(nil, `pcs[args[0]].close()`, id)
}

func offerToPage(t *testing.T, ctx context.Context, pc *peerconnection.PeerConnection, page *browser.Page, id int) {
	t.Helper()
	if pc.SignalingState() == peerconnection.SignalingStable {
		if err := pc.SetLocalDescription(peerconnection.SessionDescription{}); err != nil {
			t.Fatal(err)
		}
	}
	offer := pc.LocalDescription()
	v, err := page.Eval(ctx, `const pc = pcs[args[0]]; await pc.setRemoteDescription({type: "offer", sdp: args[1]}); await pc.answering?.(); await pc.setLocalDescription(); return pc.localDescription.sdp`, id, offer.SDP)
	if err != nil {
		t.Fatalf("the page refuses: %v\n%s", err, offer.SDP)
	}
	answer := sdpIn(t, v)
	if err := pc.SetRemoteDescription(peerconnection.SessionDescription{Type: peerconnection.SDPTypeAnswer, SDP: answer}); err != nil {
		t.Fatalf("%v\n%s\nto our offer\n%s", err, answer, offer.SDP)
	}
}

func answerPage(t *testing.T, ctx context.Context, pc *peerconnection.PeerConnection, page *browser.Page, id int) {
	t.Helper()
	v, err := page.Eval(ctx, `const pc = pcs[args[0]]; await pc.setLocalDescription(); return pc.localDescription.sdp`, id)
	if err != nil {
		t.Fatal(err)
	}
	offer := sdpIn(t, v)
	if err := pc.SetRemoteDescription(peerconnection.SessionDescription{Type: peerconnection.SDPTypeOffer, SDP: offer}); err != nil {
		t.Fatalf("%v\n%s", err, offer)
	}
	if err := pc.SetLocalDescription(peerconnection.SessionDescription{}); err != nil {
		t.Fatalf("%v\n%s", err, offer)
	}
	answer := pc.LocalDescription().SDP
	if _, err := page.Eval(ctx, `await pcs[args[0]].setRemoteDescription({type: "answer", sdp: args[1]})`, id, answer); err != nil {
		t.Fatalf("the page refuses: %v\n%s\nto its offer\n%s", err, answer, offer)
	}
}

func sdpIn(t *testing.T, v json.RawMessage) (s string) {
	t.Helper()
	if err := json.Unmarshal(v, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// layersOf are the layers that were agreed on in the first section, in either direction.
func layersOf(pc *peerconnection.PeerConnection) string {
	x := pc.Transceivers()[0]
	layers := x.Receiver().Parameters().RIDs
	for _, e := range x.Sender().Parameters().Encodings {
		if e.RID != "" {
			layers = append(layers, e.RID)
		}
	}
	return strings.Join(layers, " ")
}

// eachPage runs test with a page of each browser that has a camera.
func eachPage(t *testing.T, test func(t *testing.T, page *browser.Page)) {
	t.Run("Chromium", func(t *testing.T) {
		page := browser.Chromium(t).Open(t, mediaJS)
		allowCamera(t, page)
		test(t, page)
	})
	t.Run("Firefox", func(t *testing.T) {
		page := browser.Firefox(t).Open(t, mediaJS)
		allowCamera(t, page)
		test(t, page)
	})
}

// wantDirections compares both ends' current directions.
func wantDirections(t *testing.T, when string, pc *peerconnection.PeerConnection, page *browser.Page, id int, want string) {
	t.Helper()
	var theirs string
	page.Do(&theirs, `return directions(pcs[args[0]])`, id)
	if ours := strings.TrimSpace(ourDirections(pc)); ours != want || strings.TrimSpace(theirs) != reversed(want) {
		t.Errorf("%s: the directions are %q here and %q there, want %q", when, ours, theirs, want)
	}
}

// Sections come and go, from either side: tracks removed and added again, transceivers
// stopped, and their places taken by others.
func TestSectionsComeAndGo(t *testing.T) {
	eachPage(t, func(t *testing.T, page *browser.Page) {
		ctx := testContext(t)
		pc := newPlainPeer(t, peerconnection.Config{BundlePolicy: peerconnection.BundleMaxBundle}).pc
		var id int
		page.Do(&id, `return newPC("")`)
		if _, err := pc.CreateDataChannel("x", nil); err != nil {
			t.Fatal(err)
		}
		offerToPage(t, ctx, pc, page, id)
		for i := range 20 {
			add, stop := i%4 < 2, i%2 == 0 // who adds, and who stops
			if add {
				tracks([]peerconnection.Kind{audio, video}[i%2])(t, pc)
				offerToPage(t, ctx, pc, page, id)
				wantDirections(t, "we add", pc, page, id, "sendonly")
			} else {
				page.Do(nil, `pcs[args[0]].addTrack(stream.getTracks()[args[1]], stream)`, id, i%2)
				answerPage(t, ctx, pc, page, id)
				wantDirections(t, "it adds", pc, page, id, "recvonly")
			}
			if stop {
				if err := pc.Transceivers()[0].Stop(); err != nil {
					t.Fatal(err)
				}
				offerToPage(t, ctx, pc, page, id)
			} else {
				page.Do(nil, `pcs[args[0]].getTransceivers()[0].stop()`, id)
				answerPage(t, ctx, pc, page, id)
			}
			wantDirections(t, "one stops", pc, page, id, "")
			if t.Failed() {
				t.Fatalf("in round %d", i)
			}
		}
		if n := strings.Count(pc.LocalDescription().SDP, "\r\nm="); n > 3 { // Firefox takes one more
			t.Errorf("there are %d sections in the end:\n%s", n, pc.LocalDescription().SDP)
		}
	})
}

// Offers cross: whoever is polite takes its own back. And an offer that nobody answers is
// taken back by hand.
func TestOffersCross(t *testing.T) {
	eachPage(t, func(t *testing.T, page *browser.Page) {
		for _, polite := range []bool{true, false} {
			ctx := testContext(t)
			pc := newPlainPeer(t, peerconnection.Config{}).pc
			var id int
			page.Do(&id, `return newPC("pc.addTrack(stream.getAudioTracks()[0], stream)")`)
			tracks(audio, video)(t, pc)
			if err := pc.SetLocalDescription(peerconnection.SessionDescription{}); err != nil {
				t.Fatal(err)
			}
			page.Do(nil, `await pcs[args[0]].setLocalDescription()`, id)
			if polite {
				answerPage(t, ctx, pc, page, id)
				wantDirections(t, "we were polite", pc, page, id, "sendrecv")
				offerToPage(t, ctx, pc, page, id)
			} else {
				offerToPage(t, ctx, pc, page, id)
				wantDirections(t, "it was polite", pc, page, id, "sendrecv sendonly")
				answerPage(t, ctx, pc, page, id)
			}
			wantDirections(t, "in the end", pc, page, id, "sendrecv sendonly")
			// Taken back by hand.
			tracks(video)(t, pc)
			if err := pc.SetLocalDescription(peerconnection.SessionDescription{}); err != nil {
				t.Fatal(err)
			}
			page.Do(nil, `const pc = pcs[args[0]]; await pc.setRemoteDescription({type: "offer", sdp: args[1]}); await pc.setRemoteDescription({type: "rollback"})`, id, pc.LocalDescription().SDP)
			if err := pc.SetLocalDescription(peerconnection.SessionDescription{Type: peerconnection.SDPTypeRollback}); err != nil {
				t.Fatal(err)
			}
			wantDirections(t, "taken back", pc, page, id, "sendrecv sendonly")
			offerToPage(t, ctx, pc, page, id)
			wantDirections(t, "offered again", pc, page, id, "sendrecv sendonly sendonly")
			page.Do(nil, `pcs[args[0]].close()`, id)
		}
	})
}

// A provisional answer of either side, and the answer after it. Firefox knows none.
func TestProvisionalAnswersOfMedia(t *testing.T) {
	t.Run("Chromium", func(t *testing.T) {
		page := browser.Chromium(t).Open(t, mediaJS)
		allowCamera(t, page)
		ctx := testContext(t)
		pc := newPlainPeer(t, peerconnection.Config{}).pc
		var id int
		page.Do(&id, `return newPC("for (const t of stream.getTracks()) pc.addTrack(t, stream)")`)
		v, err := page.Eval(ctx, `const pc = pcs[args[0]]; await pc.setLocalDescription(); return pc.localDescription.sdp`, id)
		if err != nil {
			t.Fatal(err)
		}
		if err := pc.SetRemoteDescription(peerconnection.SessionDescription{Type: peerconnection.SDPTypeOffer, SDP: sdpIn(t, v)}); err != nil {
			t.Fatal(err)
		}
		for _, typ := range []peerconnection.SDPType{peerconnection.SDPTypeProvisionalAnswer, peerconnection.SDPTypeAnswer} {
			answer, err := pc.CreateAnswer()
			if err != nil {
				t.Fatal(err)
			}
			answer.Type = typ
			if err := pc.SetLocalDescription(answer); err != nil {
				t.Fatal(err)
			}
			page.Do(nil, `await pcs[args[0]].setRemoteDescription(args[1])`, id, answer)
		}
		wantDirections(t, "after the answer", pc, page, id, "recvonly recvonly")
		tracks(audio, video)(t, pc)
		if err := pc.SetLocalDescription(peerconnection.SessionDescription{}); err != nil {
			t.Fatal(err)
		}
		offer := pc.LocalDescription().SDP
		v, err = page.Eval(ctx, `const pc = pcs[args[0]]; await pc.setRemoteDescription({type: "offer", sdp: args[1]}); return (await pc.createAnswer()).sdp`, id, offer)
		if err != nil {
			t.Fatal(err)
		}
		for _, typ := range []peerconnection.SDPType{peerconnection.SDPTypeProvisionalAnswer, peerconnection.SDPTypeAnswer} {
			answer := peerconnection.SessionDescription{Type: typ, SDP: sdpIn(t, v)}
			page.Do(nil, `await pcs[args[0]].setLocalDescription(args[1])`, id, answer)
			if err := pc.SetRemoteDescription(answer); err != nil {
				t.Fatal(err)
			}
		}
		if ours := ourDirections(pc); ours != "recvonly recvonly sendrecv sendrecv" && ours != "sendrecv sendrecv" && ours != "recvonly recvonly sendonly sendonly" {
			t.Errorf("the directions are %q", ours)
		}
	})
}

// When the last section goes, browsers end their transport; with the next there is another.
func TestLastSectionGoes(t *testing.T) {
	eachPage(t, func(t *testing.T, page *browser.Page) {
		ctx := testContext(t)
		pc := newPlainPeer(t, peerconnection.Config{}).pc
		var id int
		page.Do(&id, `return newPC("")`)
		for i := range 4 {
			tracks(audio)(t, pc)
			if err := pc.SetLocalDescription(peerconnection.SessionDescription{}); err != nil {
				t.Fatal(err)
			}
			if err := pc.GatheringComplete(ctx); err != nil {
				t.Fatal(err)
			}
			offerToPage(t, ctx, pc, page, id)
			if err := pc.WaitConnected(ctx); err != nil {
				t.Fatal(err)
			}
			page.Do(nil, `await connected(pcs[args[0]])`, id)
			if i%2 == 0 {
				if err := pc.Transceivers()[0].Stop(); err != nil {
					t.Fatal(err)
				}
				offerToPage(t, ctx, pc, page, id)
			} else {
				page.Do(nil, `pcs[args[0]].getTransceivers()[0].stop()`, id)
				answerPage(t, ctx, pc, page, id)
			}
			wantDirections(t, "stopped", pc, page, id, "")
		}
	})
}
