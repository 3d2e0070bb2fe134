package interop

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/internal/trace"
	"github.com/plainrtc/plainrtc/interop/browser"
	"github.com/plainrtc/plainrtc/peerconnection"
	"github.com/plainrtc/plainrtc/rtp/mediafile"
)

// A mediaCall is a connection of ours to one in a page, with media.
type mediaCall struct {
	t    *testing.T
	ctx  context.Context
	pc   *peerconnection.PeerConnection
	page *browser.Page
	id   int // of the page's connection
	// toPage and fromPage change descriptions on their way, if not nil.
	toPage, fromPage func(sdp string) string
}

// callJS is the page's part in calls, along with mediaJS.
const callJS = `
// Browsers decode what is played.
function play(track, muted = true) {
	const player = document.createElement(track.kind);
	player.autoplay = true;
	player.muted = muted;
	player.srcObject = new MediaStream([track]);
	document.body.append(player);
}
function newCall(config) {
	const id = newPC("", config);
	pcs[id].ontrack = e => play(e.track);
	return id;
}
async function gathered(pc) {
	while (pc.iceGatheringState !== "complete") {
		await new Promise(r => pc.addEventListener("icegatheringstatechange", r, {once: true}));
	}
	return pc.localDescription.sdp;
}
async function connected(pc) {
	while (pc.connectionState !== "connected") {
		if (pc.connectionState === "failed") throw new Error("the connection has failed");
		await new Promise(r => pc.addEventListener("connectionstatechange", r, {once: true}));
	}
}
const codecsOf = (kind, mimeType) =>
	RTCRtpReceiver.getCapabilities(kind).codecs.filter(c => c.mimeType.toLowerCase() === mimeType.toLowerCase());
// addCodecs adds a section for each codec, with a quarter of the camera's picture.
function addCodecs(pc, mimeTypes) {
	for (const mimeType of mimeTypes) {
		const [kind] = mimeType.split("/"), sendEncodings = kind === "video" ? [{scaleResolutionDownBy: 4}] : undefined;
		const track = stream.getTracks().find(t => t.kind === kind).clone();
		pc.addTransceiver(track, {sendEncodings}).setCodecPreferences(codecsOf(kind, mimeType));
	}
}
// streams are the RTP streams of a type, with what the transceiver knows of them.
async function streams(pc, type) {
	const found = [];
	for (const t of pc.getTransceivers()) {
		const half = type === "inbound-rtp" ? t.receiver : t.sender;
		const stats = [...(await half.getStats()).values()];
		for (const s of stats.filter(s => s.type === type)) {
			const codec = stats.find(c => c.id === s.codecId);
			found.push({...s, mid: t.mid, codec: codec?.mimeType ?? ""});
		}
	}
	return found;
}
`

// openMediaPage opens a page for calls.
func openMediaPage(t *testing.T, name string) *browser.Page {
	t.Helper()
	b := browser.Chromium
	if name == "Firefox" {
		b = func(t testing.TB, _ ...string) *browser.Browser { return browser.Firefox(t) }
	}
	page := b(t).Open(t, mediaJS, callJS)
	allowCamera(t, page)
	return page
}

func newMediaCall(t *testing.T, page *browser.Page, cfg peerconnection.Config, sinks ...trace.Sink) *mediaCall {
	t.Helper()
	c := &mediaCall{t: t, ctx: testContext(t), pc: newPlainPeer(t, cfg, sinks...).pc, page: page}
	c.do(&c.id, `return newCall()`)
	t.Cleanup(func() { page.Eval(context.Background(), `pcs[args[0]].close()`, c.id) })
	return c
}

// do runs JavaScript in the page, in which pc is the call's connection.
func (c *mediaCall) do(result any, js string, args ...any) {
	c.t.Helper()
	v, err := c.page.Eval(c.ctx, `const pc = pcs[args.shift()]; `+js, append([]any{c.id}, args...)...)
	if err == nil && result != nil {
		err = json.Unmarshal(v, result)
	}
	if err != nil {
		c.t.Fatalf("%v\nin:\n%s", err, js)
	}
}

// offer makes us offer, and the page answer.
func (c *mediaCall) offer(options *peerconnection.OfferOptions) {
	c.t.Helper()
	offer, err := c.pc.CreateOffer(options)
	if err != nil {
		c.t.Fatal(err)
	}
	offer.SDP = c.ours(offer)
	var answer string
	c.do(&answer, `
		await pc.setRemoteDescription({type: "offer", sdp: args[0]});
		await pc.answering?.();
		await pc.setLocalDescription();
		return await gathered(pc);`, offer.SDP)
	c.theirs(peerconnection.SDPTypeAnswer, answer)
}

// answerWith makes the page offer, with those options, if any. We answer once what it
// offers was set, and then something else done.
func (c *mediaCall) answerWith(then func(), options ...map[string]bool) {
	c.t.Helper()
	var offer string
	c.do(&offer, `await pc.setLocalDescription(await pc.createOffer(args[0])); return await gathered(pc);`, append(options, nil)[0])
	c.theirs(peerconnection.SDPTypeOffer, offer)
	if then != nil {
		then()
	}
	answer, err := c.pc.CreateAnswer()
	if err != nil {
		c.t.Fatal(err)
	}
	c.do(nil, `await pc.setRemoteDescription({type: "answer", sdp: args[0]})`, c.ours(answer))
}

// echo sends back what the page sends.
func (c *mediaCall) echo() {
	c.t.Helper()
	for _, x := range c.pc.Transceivers() {
		if err := x.Sender().ReplaceTrack(x.Receiver().Track()); err != nil {
			c.t.Fatal(err)
		}
		if err := x.SetDirection(peerconnection.DirectionSendRecv); err != nil {
			c.t.Fatal(err)
		}
	}
}

// ours makes a description ours, and returns it with all candidates as it is to reach the page.
func (c *mediaCall) ours(d peerconnection.SessionDescription) string {
	c.t.Helper()
	if err := c.pc.SetLocalDescription(d); err != nil {
		c.t.Fatalf("%v\n%s", err, d.SDP)
	}
	if err := c.pc.GatheringComplete(c.ctx); err != nil {
		c.t.Fatal(err)
	}
	sdp := c.pc.LocalDescription().SDP
	if c.toPage != nil {
		sdp = c.toPage(sdp)
	}
	return sdp
}

func (c *mediaCall) theirs(typ peerconnection.SDPType, sdp string) {
	c.t.Helper()
	if c.fromPage != nil {
		sdp = c.fromPage(sdp)
	}
	if err := c.pc.SetRemoteDescription(peerconnection.SessionDescription{Type: typ, SDP: sdp}); err != nil {
		c.t.Fatalf("%v\n%s", err, sdp)
	}
}

// connected waits until both ends are.
func (c *mediaCall) connected() {
	c.t.Helper()
	if err := c.pc.WaitConnected(c.ctx); err != nil {
		c.t.Fatal(err)
	}
	c.do(nil, `await connected(pc)`)
}

// A pageStream is what a browser says of a stream that it sends or receives.
type pageStream struct {
	MID, RID, Kind, Codec                         string
	PacketsReceived, PacketsSent, PacketsLost     int
	RetransmittedPacketsReceived                  int
	RetransmittedPacketsSent, NACKCount, PLICount int
	FramesReceived, FramesDecoded, FramesDropped  int
	FramesEncoded, FramesSent, KeyFramesDecoded   int
	FrameWidth, FrameHeight, FreezeCount          int
	TotalFreezesDuration                          float64
	FECPacketsReceived, FECPacketsDiscarded       int
	PacketsDiscarded                              int
	TotalSamplesReceived, ConcealedSamples        float64
	SilentConcealedSamples                        float64
	TotalSamplesDuration, TotalAudioEnergy        float64
	PowerEfficientDecoder                         bool
}

func (c *mediaCall) received() (all []pageStream) {
	c.t.Helper()
	c.do(&all, `return await streams(pc, "inbound-rtp")`)
	return all
}

func (c *mediaCall) sent() (all []pageStream) {
	c.t.Helper()
	c.do(&all, `return await streams(pc, "outbound-rtp")`)
	return all
}

// until looks at something again and again until it is as it should be.
func (c *mediaCall) until(what string, ok func() bool) {
	c.t.Helper()
	for !ok() {
		select {
		case <-time.After(50 * time.Millisecond):
		case <-c.ctx.Done():
			c.t.Fatalf("in vain we waited until %s", what)
		}
	}
}

// clipNamed is one of clips.
func clipNamed(t *testing.T, name string) clip {
	t.Helper()
	i := slices.IndexFunc(clips, func(c clip) bool { return c.name == name })
	if i < 0 {
		t.Fatalf("there is no clip %s", name)
	}
	return clips[i]
}

// perform writes a clip to a track again and again, at its pace, until the context ends.
func perform(ctx context.Context, track *peerconnection.Track, frames []mediafile.Frame) error {
	start, last := time.Now(), frames[len(frames)-1]
	for round := 0; ; round++ {
		for _, f := range frames {
			at := time.Duration(round)*(last.PTS+last.Duration) + f.PTS
			select {
			case <-time.After(time.Until(start.Add(at))):
			case <-ctx.Done():
				return ctx.Err()
			}
			if err := track.WriteFrame(peerconnection.Frame{Data: f.Data, PTS: at, KeyFrame: f.KeyFrame}); err != nil {
				return err
			}
		}
	}
}

// A recording is what was read from a track.
type recording struct {
	mu        sync.Mutex
	codec     mediafile.Codec
	frames    []mediafile.Frame
	missing   int // packets
	concealed int // frames of audio
	err       error
	stop      context.CancelFunc
	done      chan struct{}
}

// record reads a track's frames until it ends, or the context.
func record(ctx context.Context, track *peerconnection.Track) *recording {
	ctx, stop := context.WithCancel(ctx)
	r := &recording{stop: stop, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		for {
			f, err := track.ReadFrame(ctx)
			r.mu.Lock()
			switch {
			case err != nil:
				if ctx.Err() == nil && !errors.Is(err, peerconnection.ErrTrackEnded) {
					r.err = err
				}
				r.mu.Unlock()
				return
			case f.Concealed:
				r.concealed++
			default:
				_, name, _ := strings.Cut(f.Codec.MimeType, "/")
				r.codec = mediafile.Codec{Name: name, ClockRate: int(f.Codec.ClockRate), Channels: int(f.Codec.Channels)}
				r.frames = append(r.frames, mediafile.Frame{Data: bytes.Clone(f.Data), PTS: f.PTS, KeyFrame: f.KeyFrame})
				r.missing += f.Missing
			}
			r.mu.Unlock()
		}
	}()
	return r
}

// end ends the recording: what is there may be looked at without a lock.
func (r *recording) end() {
	r.stop()
	<-r.done
}

func (r *recording) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.frames)
}

// file writes what was recorded so far, and returns the file's name.
func (r *recording) file(t *testing.T) string {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.frames) == 0 {
		t.Fatal("nothing was recorded")
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "recorded"+mediafile.Extension(r.codec)))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	writeTo(t, r.codec, f, r.frames)
	return f.Name()
}

func (r *recording) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return fmt.Sprintf("%d frames of %s, %d packets missing, %d frames concealed, %v", len(r.frames), r.codec.Name, r.missing, r.concealed, r.err)
}
