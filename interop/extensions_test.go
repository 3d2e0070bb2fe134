package interop

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/plainrtc/plainrtc/internal/trace"
	"github.com/plainrtc/plainrtc/interop/browser"
	"github.com/plainrtc/plainrtc/peerconnection"
)

// The chunk types that tell which extensions are in use.
const (
	chunkData  = 0
	chunkInit  = 1
	chunkIData = 64
)

// A chunkCount is a trace sink that counts SCTP chunks by type, and packets
// without a checksum.
type chunkCount struct {
	mu       sync.Mutex
	in, out  map[byte]int
	unsummed int
}

func newChunkCount() *chunkCount { return &chunkCount{in: map[byte]int{}, out: map[byte]int{}} }

func (c *chunkCount) Trace(e *trace.Event) {
	if e.Kind != trace.KindPacket || e.Layer != trace.SCTP || len(e.Bytes) < 12 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	counts := c.in
	if e.Direction == trace.Out {
		counts = c.out
	}
	if [4]byte(e.Bytes[8:12]) == [4]byte{} {
		c.unsummed++
	}
	for b := e.Bytes[12:]; len(b) >= 4; {
		counts[b[0]]++
		size := ((int(b[2])<<8 | int(b[3])) + 3) &^ 3
		b = b[min(max(size, 4), len(b)):]
	}
}

// Chromium with I-DATA (RFC 8260), with SNAP, with both and with neither, in each
// role: messages of each size arrive, ordered and unordered, on channels that
// have something to send at once, by the chunks that were agreed on.
func TestExtensionsOfChromium(t *testing.T) {
	const (
		interleaving = "WebRTC-DataChannelMessageInterleaving/Enabled/"
		snap         = "WebRTC-Sctp-Snap/Enabled/"
	)
	for _, trials := range [][]string{nil, {interleaving}, {snap}, {interleaving, snap}} {
		all := strings.Join(trials, "")
		name := strings.NewReplacer("WebRTC-", "", "/Enabled/", "").Replace(strings.Join(trials, "+"))
		if name == "" {
			name = "Plain"
		}
		for _, weOffer := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/weOffer=%v", name, weOffer), func(t *testing.T) {
				var flags []string
				if all != "" {
					flags = []string{"--force-fieldtrials=" + all}
				}
				ctx, r := testContext(t), testRand()
				count := newChunkCount()
				our := newPlainPeer(t, peerconnection.Config{}, count)
				their := newPagePeer(t, openPage(t, browser.Chromium(t, flags...)))
				offerer, answerer := peer(our), peer(their)
				if !weOffer {
					offerer, answerer = their, our
				}
				unordered := false
				near, err := offerer.Create(ctx, "ordered", channelOptions{})
				if err != nil {
					t.Fatal(err)
				}
				connect(t, ctx, offerer, answerer, signalling{})
				far := accept(t, ctx, near, answerer)
				near2, err := offerer.Create(ctx, "unordered", channelOptions{Ordered: &unordered})
				if err != nil {
					t.Fatal(err)
				}
				far2 := accept(t, ctx, near2, answerer)
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
				if err := our.Close(ctx); err != nil {
					t.Fatal(err)
				}

				count.mu.Lock()
				defer count.mu.Unlock()
				for direction, chunks := range map[string]map[byte]int{"from": count.in, "to": count.out} {
					if used := chunks[chunkIData] > 0; used != strings.Contains(all, interleaving) || used == (chunks[chunkData] > 0) {
						t.Errorf("%s Chromium: %d I-DATA and %d DATA chunks", direction, chunks[chunkIData], chunks[chunkData])
					}
					if accelerated := chunks[chunkInit] == 0; accelerated != strings.Contains(all, snap) {
						t.Errorf("%s Chromium: %d INIT chunks", direction, chunks[chunkInit])
					}
				}
				t.Logf("chunks from Chromium %v, to it %v; %d packets without a checksum", count.in, count.out, count.unsummed)
			})
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
