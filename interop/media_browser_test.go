package interop

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/plainrtc/plainrtc/interop/browser"
	"github.com/plainrtc/plainrtc/peerconnection"
)

// A browser's media comes to us and goes back: the browser decodes its own camera and
// microphone, codec by codec.

// echoedMedia waits until the page has decoded what came back.
const echoedMedia = `
function startEcho(kind, mimeType) {
	const codecs = RTCRtpReceiver.getCapabilities(kind).codecs.filter(c => c.mimeType.toLowerCase() === mimeType.toLowerCase());
	if (codecs.length === 0) return -1;
	const pc = new RTCPeerConnection();
	// Browsers decode what is played.
	pc.ontrack = e => {
		const player = document.createElement(kind);
		player.autoplay = player.muted = true;
		player.srcObject = new MediaStream([e.track]);
		document.body.append(player);
	};
	pc.addTransceiver(stream.getTracks().find(t => t.kind === kind)).setCodecPreferences(codecs);
	return pcs.push(pc) - 1;
}
async function gatheredOffer(id) {
	const pc = pcs[id];
	await pc.setLocalDescription();
	while (pc.iceGatheringState !== "complete") await new Promise(r => setTimeout(r, 10));
	return pc.localDescription.sdp;
}
async function echoed(id, mimeType, least) {
	const pc = pcs[id];
	for (;;) {
		const stats = [...(await pc.getStats()).values()];
		const got = stats.find(s => s.type === "inbound-rtp");
		const codec = got && stats.find(s => s.id === got.codecId);
		if (pc.connectionState === "failed") throw new Error("the connection has failed");
		if (codec && codec.mimeType.toLowerCase() !== mimeType.toLowerCase()) throw new Error("what came back is " + codec.mimeType);
		const samples = got ? got.totalSamplesReceived - (got.concealedSamples ?? 0) : 0;
		if (codec && (got.framesDecoded >= least || mimeType.startsWith("audio/") && got.totalSamplesDuration >= 1)) return {
			frames: got.framesDecoded ?? 0, width: got.frameWidth ?? 0, height: got.frameHeight ?? 0,
			freezes: got.freezeCount ?? 0, samples, energy: got.totalAudioEnergy ?? 0, lost: got.packetsLost,
		};
		await new Promise(r => setTimeout(r, 50));
	}
}
`

func TestMediaIsEchoed(t *testing.T) {
	for _, name := range []string{"Chromium", "Firefox"} {
		t.Run(name, func(t *testing.T) {
			b := browser.Chromium
			if name == "Firefox" {
				b = func(t testing.TB, _ ...string) *browser.Browser { return browser.Firefox(t) }
			}
			page := b(t).Open(t, mediaJS, echoedMedia)
			allowCamera(t, page)
			for _, mimeType := range []string{"audio/opus", "audio/PCMU", "video/VP8", "video/VP9", "video/H264", "video/AV1"} {
				t.Run(mimeType, func(t *testing.T) { echoed(t, page, mimeType) })
			}
		})
	}
}

func echoed(t *testing.T, page *browser.Page, mimeType string) {
	ctx := testContext(t)
	pc := newPlainPeer(t, peerconnection.Config{}).pc
	kind := mimeType[:5]
	id := pageInt(t, ctx, page, `return startEcho(args[0], args[1])`, kind, mimeType)
	if id < 0 {
		t.Logf("the browser does not have %s", mimeType)
		return
	}
	v, err := page.Eval(ctx, `return await gatheredOffer(args[0])`, id)
	if err != nil {
		t.Fatal(err)
	}
	offer := sdpIn(t, v)
	if err := pc.SetRemoteDescription(peerconnection.SessionDescription{Type: peerconnection.SDPTypeOffer, SDP: offer}); err != nil {
		t.Fatal(err)
	}
	for _, x := range pc.Transceivers() {
		if err := x.Sender().ReplaceTrack(x.Receiver().Track()); err != nil {
			t.Fatal(err)
		}
		if err := x.SetDirection(peerconnection.DirectionSendRecv); err != nil {
			t.Fatal(err)
		}
	}
	if err := pc.SetLocalDescription(peerconnection.SessionDescription{}); err != nil {
		t.Fatal(err)
	}
	if err := pc.GatheringComplete(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := page.Eval(ctx, `await pcs[args[0]].setRemoteDescription({type: "answer", sdp: args[1]})`, id, pc.LocalDescription().SDP); err != nil {
		t.Fatal(err)
	}
	v, err = page.Eval(ctx, `return await echoed(args[0], args[1], 60)`, id, mimeType)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Frames, Width, Height, Freezes, Samples, Lost int
		Energy                                        float64
	}
	if err := json.Unmarshal(v, &got); err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", got)
	if kind == "video" && (got.Width < 320 || got.Height < 240 || got.Freezes > 0) {
		t.Errorf("the video came back as %+v", got)
	}
	page.Eval(ctx, `pcs[args[0]].close()`, id)
}

func pageInt(t *testing.T, ctx context.Context, page *browser.Page, js string, args ...any) (n int) {
	t.Helper()
	v, err := page.Eval(ctx, js, args...)
	if err == nil {
		err = json.Unmarshal(v, &n)
	}
	if err != nil {
		t.Fatal(err)
	}
	return n
}
