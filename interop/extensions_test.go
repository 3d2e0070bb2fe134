package interop

import (
	"context"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/plainrtc/plainrtc/internal/trace"
	"github.com/plainrtc/plainrtc/interop/browser"
	"github.com/plainrtc/plainrtc/peerconnection"
)

// The chunk types that tell which extensions are in use.
const (
	chunkData    = 0
	chunkInit    = 1
	chunkInitAck = 2
	chunkIData   = 64
)

// A chunkCount is a trace sink that counts SCTP chunks by type, and packets
// without a checksum.
type chunkCount struct {
	mu                      sync.Mutex
	in, out                 map[byte]int
	unsummedIn, unsummedOut int    // packets
	initAck                 string // the packet that came with one
}

func newChunkCount() *chunkCount { return &chunkCount{in: map[byte]int{}, out: map[byte]int{}} }

func (c *chunkCount) Trace(e *trace.Event) {
	if e.Kind != trace.KindPacket || e.Layer != trace.SCTP || len(e.Bytes) < 12 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	counts, unsummed := c.in, &c.unsummedIn
	if e.Direction == trace.Out {
		counts, unsummed = c.out, &c.unsummedOut
	}
	if [4]byte(e.Bytes[8:12]) == [4]byte{} {
		*unsummed++
	}
	for b := e.Bytes[12:]; len(b) >= 4; {
		counts[b[0]]++
		if b[0] == chunkInitAck && e.Direction == trace.In {
			c.initAck = string(e.Bytes)
		}
		size := ((int(b[2])<<8 | int(b[3])) + 3) &^ 3
		b = b[min(max(size, 4), len(b)):]
	}
}

// extensionsMatrix is what our SCTP agrees on with other stacks, and with those
// of their settings that matter to it.
var extensionsMatrix = []extensionsCase{
	{chromium, dcSCTP, false, false, none},
	{chromiumTrials("I-DATA", "WebRTC-DataChannelMessageInterleaving/Enabled/"), dcSCTP, true, false, none},
	{chromiumTrials("SNAP", "WebRTC-Sctp-Snap/Enabled/"), dcSCTP, false, true, none},
	{chromiumTrials("I-DATA and SNAP", "WebRTC-DataChannelMessageInterleaving/Enabled/WebRTC-Sctp-Snap/Enabled/"), dcSCTP, true, true, none},
	{firefox, dcSCTP, true, false, none},
	{firefoxPrefs("usrsctp", browser.Pref{Name: "media.peerconnection.sctp.use_dcsctp", Value: false}), usrsctp, true, false, none},
	{pion, pionSCTP, true, false, in},
	{pionWith("no checksums", func(e *webrtc.SettingEngine) { e.EnableSCTPZeroChecksum(true) }), pionSCTP, true, false, both},
	{pionWith("SNAP", func(e *webrtc.SettingEngine) { e.EnableSctpSnap(true) }), pionSCTP, true, true, in},
	{pionDetached, pionSCTP, true, false, in},
	{pionWith("a small buffer", func(e *webrtc.SettingEngine) { e.SetSCTPMaxReceiveBufferSize(300_000) }), pionSCTP, true, false, in},
	{pionWith("a wide window", func(e *webrtc.SettingEngine) {
		e.SetSCTPMinCwnd(256 << 10)
		e.SetSCTPFastRtxWnd(256 << 10)
		e.SetSCTPCwndCAStep(64 << 10)
		e.SetSCTPRTOMax(500 * time.Millisecond)
	}), pionSCTP, true, false, in},
}

// An extensionsCase is one line of the matrix.
type extensionsCase struct {
	stack        stack
	sctp         string // what the state cookie shows of the implementation
	interleaving bool   // data travels in I-DATA chunks (RFC 8260)
	snap         bool   // and no handshake precedes it (draft-hancke-tsvwg-snap)
	unsummed     ways   // and these packets have no checksum (RFC 9653)
}

// ways are the directions that something goes in.
type ways struct{ in, out bool }

var (
	none = ways{}
	in   = ways{in: true} // Pion leaves them out where we take that, unasked
	both = ways{true, true}
)

// What state cookies begin with, or have within.
const (
	dcSCTP   = "dcSCTP00"
	usrsctp  = "KAME-BSD"
	pionSCTP = ""
)

func chromiumTrials(name, trials string) stack {
	return stack{"Chromium, " + name, func(t testing.TB) peer {
		return newPagePeer(t, openPage(t, browser.Chromium(t, "--force-fieldtrials="+trials)))
	}}
}

func firefoxPrefs(name string, prefs ...browser.Pref) stack {
	return stack{"Firefox, " + name, func(t testing.TB) peer {
		return newPagePeer(t, openPage(t, browser.Firefox(t, prefs...)))
	}}
}

func pionWith(name string, set func(e *webrtc.SettingEngine)) stack {
	return stack{"Pion, " + name, func(t testing.TB) peer {
		var e webrtc.SettingEngine
		set(&e)
		return newPionPeer(t, e)
	}}
}

// pionDetached blocks where it would write more than its association takes.
var pionDetached = stack{"Pion, detached, blocking writes", func(t testing.TB) peer {
	var e webrtc.SettingEngine
	e.DetachDataChannels()
	e.EnableDataChannelBlockWrite(true)
	p := newPionPeer(t, e)
	p.detached = true
	return p
}}

// TestExtensions plays the matrix, each line in both roles: messages of each size
// arrive, ordered and unordered, on channels that have something to send at once,
// by the chunks that were agreed on; and a channel can be closed. Where both ends began at once, and
// nothing told the implementation, it is played again.
func TestExtensions(t *testing.T) {
	for _, c := range extensionsMatrix {
		played, shown := 0, false
		for i := range 6 {
			if i >= 2 && (c.snap || shown || played < i || t.Failed()) {
				break // there is nothing more to see
			}
			role := []string{"we offer", "they offer"}[i%2]
			t.Run(c.stack.name+"/"+role, func(t *testing.T) {
				played++
				ctx, r := testContext(t), testRand()
				count := newChunkCount()
				our := newPlainPeer(t, peerconnection.Config{}, count)
				their := c.stack.new(t)
				offerer, answerer := peer(our), their
				if role == "they offer" {
					offerer, answerer = their, our
				}
				unordered := false
				near, err := offerer.Create(ctx, "ordered", channelOptions{})
				if err != nil {
					t.Fatal(err)
				}
				connect(t, ctx, offerer, answerer, signalling{})
				far := accept(t, ctx, near, answerer)
				near2, far2 := open(t, ctx, offerer, answerer, "unordered", channelOptions{Ordered: &unordered})
				// One of each size at a time on the unordered one: they may overtake.
				atOnce(t, 4, func(i int) error {
					switch i {
					case 0:
						return carried(ctx, near, far, everySize(r)...)
					case 1:
						return carried(ctx, far, near, everySize(testRand())...)
					case 2:
						return oneByOne(ctx, near2, far2, everySize(testRand()))
					}
					return oneByOne(ctx, far2, near2, everySize(testRand()))
				})
				if err := near2.Close(ctx); err != nil {
					t.Fatal(err)
				}
				if m, err := far2.Receive(ctx); err != io.EOF {
					t.Errorf("after the close of a channel %v, %v came", m, err)
				}
				if err := our.Close(ctx); err != nil {
					t.Fatal(err)
				}

				count.mu.Lock()
				defer count.mu.Unlock()
				for direction, chunks := range map[string]map[byte]int{"from": count.in, "to": count.out} {
					if used := chunks[chunkIData] > 0; used != c.interleaving || used == (chunks[chunkData] > 0) {
						t.Errorf("%s %s: %d I-DATA and %d DATA chunks", direction, c.stack.name, chunks[chunkIData], chunks[chunkData])
					}
					if accelerated := chunks[chunkInit]+chunks[chunkInitAck] == 0; accelerated != c.snap {
						t.Errorf("%s %s: %d INIT and %d INIT ACK chunks", direction, c.stack.name, chunks[chunkInit], chunks[chunkInitAck])
					}
				}
				if got := (ways{count.unsummedIn > 0, count.unsummedOut > 0}); got != c.unsummed {
					t.Errorf("%d packets came, and %d went, without a checksum", count.unsummedIn, count.unsummedOut)
				}
				// When both begin at once theirs may get through before ours does, and the only
				// INIT ACK be our own.
				if count.initAck != "" && !strings.Contains(count.initAck, c.sctp) {
					t.Errorf("the INIT ACK is not one of %q: %x", c.sctp, count.initAck)
				}
				shown = shown || count.initAck != ""
				t.Logf("chunks from them %v, to them %v", count.in, count.out)
			})
		}
		if !c.snap && played == 6 && !shown && !t.Failed() {
			t.Errorf("%s: in six calls no INIT ACK came that shows the implementation", c.stack.name)
		}
	}
}

// oneByOne carries each message before it sends the next.
func oneByOne(ctx context.Context, from, to channel, messages []message) error {
	for _, m := range messages {
		if err := carried(ctx, from, to, m); err != nil {
			return err
		}
	}
	return nil
}
