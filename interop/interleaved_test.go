package interop

import (
	"fmt"
	"testing"
	"time"
)

// Forty channels begin their largest message at the same time, in each
// direction, with a peer that interleaves them: together they are larger than
// any receive window is at first, and each ends only when most of all has come.
func TestInterleavedLargeMessages(t *testing.T) {
	eachStack(t, func(t *testing.T, our, their peer) {
		ctx, r := testContext(t), testRand()
		near, far := make([]channel, 40), make([]channel, 40)
		first, err := our.Create(ctx, "first", channelOptions{})
		if err != nil {
			t.Fatal(err)
		}
		connect(t, ctx, our, their, signalling{})
		accept(t, ctx, first, their)
		for i := range near {
			near[i], far[i] = open(t, ctx, our, their, fmt.Sprint(i), channelOptions{})
		}
		for _, way := range []struct {
			name     string
			from, to []channel
		}{{"to them", near, far}, {"to us", far, near}} {
			messages := make([]message, len(near))
			for i := range messages {
				messages[i] = binary(r, 262_144)
			}
			start := time.Now()
			atOnce(t, len(near), func(i int) error { return carried(ctx, way.from[i], way.to[i], messages[i]) })
			t.Logf("%s: %v", way.name, time.Since(start))
		}
	}, interleavingChromium, firefox, pion)
}

var interleavingChromium = chromiumTrials("I-DATA", "WebRTC-DataChannelMessageInterleaving/Enabled/")
