package interop

import (
	"testing"

	"github.com/plainrtc/plainrtc/sctp"
)

// On this machine our interface carries packets of 64 KiB, and no stack but ours
// takes as large ones. What each one answers of our probes is what it gets, and
// data goes both ways whatever that is.
func TestLargestPacketThatEachStackTakes(t *testing.T) {
	eachStack(t, func(t *testing.T, our, their peer) {
		ctx, r := testContext(t), testRand()
		near, err := our.Create(ctx, "large", channelOptions{})
		if err != nil {
			t.Fatal(err)
		}
		connect(t, ctx, our, their, signalling{})
		far := accept(t, ctx, near, their)
		var messages []message
		for range 30 {
			messages = append(messages, binary(r, 250_000))
		}
		carry(t, ctx, near, far, messages...)
		carry(t, ctx, far, near, messages...)
		carry(t, ctx, near, far, messages...)
		us, ok := our.(*plainPeer)
		if !ok {
			return
		}
		s := us.pc.Stats().SCTPTransport.Detail
		t.Logf("packets are of %d bytes, the search is in state %v", s.PathMTU, s.MTUState)
		if s.MTUState != sctp.MTUSearchComplete {
			t.Errorf("the search for the path's MTU is in state %v", s.MTUState)
		}
	}, chromium, firefox, pion)
}
