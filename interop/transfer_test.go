package interop

import (
	_ "embed"
	le "encoding/binary"
	"flag"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/interop/browser"
	"github.com/plainrtc/plainrtc/peerconnection"
)

var transferSize = flag.Int64("transfer", 1<<30, "how many bytes TestTransfer carries each way")

//go:embed testdata/transfer.js
var transferJS string

// transferPatience is for a machine ten times as slow as one of 2026.
const transferPatience = 8 * time.Minute

// Chromium sends us a GiB, we send it back as it comes, and hashes at each step
// say that it is the same. Nobody holds more of it than is on its way.
func TestTransfer(t *testing.T) {
	ctx := contextOf(t, transferPatience)
	const size = 64 << 10
	pc, err := peerconnection.New(peerconnection.Config{}) // whose trace nobody keeps
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.Close() })
	our := &plainPeer{pc}
	page := browser.Chromium(t).Open(t, peerJS, transferJS)
	their := newPagePeer(t, page)
	near, err := their.Create(ctx, "transfer", channelOptions{})
	if err != nil {
		t.Fatal(err)
	}
	connect(t, ctx, their, our, signalling{})
	dc := accept(t, ctx, near, our).(*plainChannel).dc

	hash := newWordHash()
	var most, before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	echoed := make(chan error, 1)
	go func() {
		b := make([]byte, size)
		for carried := int64(0); carried < *transferSize; {
			n, kind, err := dc.ReadMessageInto(ctx, b)
			if err == nil && n != size {
				err = fmt.Errorf("a message of %d bytes came, want %d", n, size)
			}
			if err == nil {
				hash.add(b[:n])
				err = dc.WriteMessage(ctx, kind, b[:n])
			}
			if err != nil {
				echoed <- fmt.Errorf("after %d bytes: %w", carried, err)
				return
			}
			if carried += int64(n); carried%(*transferSize/16) < size {
				grown := func() int64 {
					runtime.ReadMemStats(&most)
					return int64(most.HeapInuse) - int64(before.HeapInuse)
				}
				if grown() > 128<<20 {
					runtime.GC() // it need not be held
				}
				if grown := grown(); grown > 128<<20 {
					echoed <- fmt.Errorf("after %d bytes, we hold %d", carried, grown)
					return
				}
			}
		}
		echoed <- nil
	}()
	var result struct {
		Sent, Received string
		OutMs, BackMs  float64
	}
	c := near.(*pageChannel)
	if err := c.peer.call(ctx, &result, fmt.Sprintf(`transfer(p.channels[%d], args[1], args[2])`, c.n), *transferSize, size); err != nil {
		t.Fatal(err)
	}
	if err := <-echoed; err != nil {
		t.Fatal(err)
	}
	if got := hash.String(); got != result.Sent || got != result.Received {
		t.Errorf("Chromium sent %s, we received %s, and %s came back", result.Sent, got, result.Received)
	}
	mib := float64(*transferSize) / (1 << 20)
	t.Logf("%.0f MiB left Chromium in %.1f s and were back in %.1f s: %.0f MB/s each way at once; hash %s; %s",
		mib, result.OutMs/1e3, result.BackMs/1e3, mib*1.048576/(result.BackMs/1e3), result.Sent, summary(pc.Stats()))
}

// summary tells how a connection's packets fared.
func summary(s peerconnection.Stats) string {
	d := s.SCTPTransport.Detail
	return fmt.Sprintf("%d packets out, %d in, %d chunks sent again, %d timeouts", d.PacketsSent, d.PacketsReceived, d.Retransmissions, d.Timeouts)
}

// A wordHash is the page's WordHash.
type wordHash struct{ a, b uint32 }

func newWordHash() *wordHash { return &wordHash{0x811c9dc5, 0x01000193} }

func (h *wordHash) add(b []byte) {
	for ; len(b) >= 4; b = b[4:] {
		w := le.LittleEndian.Uint32(b)
		h.a = (h.a ^ w) * 0x01000193
		h.b = (h.b^w)*0x85ebca6b ^ h.b>>15
	}
}

func (h *wordHash) String() string { return fmt.Sprintf("%08x%08x", h.a, h.b) }
