package peerconnection

import (
	"runtime"
	"testing"
	"time"
)

// What an idle connection holds is measured, and bounded well above that: a
// buffer that is not given back shows.
func TestIdleConnectionsAreSmall(t *testing.T) {
	ctx := within(t, 60*time.Second)
	a, z := newPeer(t, Config{}), newPeer(t, Config{})
	connect(t, ctx, a, z)
	heap := func() uint64 {
		var m runtime.MemStats
		for range 3 {
			runtime.GC()
			time.Sleep(20 * time.Millisecond) // finalizers, and readers that still hold a batch
		}
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	const pairs = 50
	before := heap()
	var kept []*PeerConnection
	for range pairs {
		a, z := newPeer(t, Config{}), newPeer(t, Config{})
		connect(t, ctx, a, z)
		kept = append(kept, a, z)
	}
	time.Sleep(time.Second) // the last acknowledgements
	each := float64(heap()-before) / (2 * pairs)
	t.Logf("an idle connection with one channel holds %.1f kB of heap", each/1000)
	if each > 24_000 {
		t.Errorf("an idle connection holds %.0f bytes of heap, 24 kB at most are allowed", each)
	}
	runtime.KeepAlive(kept)
}
