package interop

import (
	"math/rand/v2"
	"testing"
)

// sizes are those where something changes: nothing at all, one byte, one
// packet, more than a 16-bit length, and the most that Chromium takes.
var sizes = []int{0, 1, 1200, 65_536, 262_144}

// text returns n bytes of valid UTF-8 that no other call returns.
func text(r *rand.Rand, n int) message {
	b := make([]byte, 0, n)
	for len(b) < n {
		if n-len(b) >= 4 && r.IntN(16) == 0 {
			b = append(b, "🛰"...)
			continue
		}
		b = append(b, byte(' '+r.IntN(95)))
	}
	return message{Text: true, Data: b}
}

// binary returns n random bytes.
func binary(r *rand.Rand, n int) message {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return message{Data: b}
}

// everySize returns a text and a binary message of each size.
func everySize(r *rand.Rand) (messages []message) {
	for _, n := range sizes {
		messages = append(messages, text(r, n), binary(r, n))
	}
	return messages
}

func testRand() *rand.Rand { return rand.New(rand.NewPCG(8831, 8832)) }

func TestMessagesOfEachSizeArriveAsSent(t *testing.T) {
	eachRole(t, func(t *testing.T, offerer, answerer peer) {
		ctx, r := testContext(t), testRand()
		near, err := offerer.Create(ctx, "sizes", channelOptions{})
		if err != nil {
			t.Fatal(err)
		}
		connect(t, ctx, offerer, answerer, signalling{})
		far := accept(t, ctx, near, answerer)
		carry(t, ctx, near, far, everySize(r)...)
		carry(t, ctx, far, near, everySize(r)...)
	}, chromium, firefox, pion)
}

func TestBothEndsSendAtOnce(t *testing.T) {
	eachStack(t, func(t *testing.T, our, their peer) {
		ctx, r := testContext(t), testRand()
		near, err := our.Create(ctx, "duplex", channelOptions{})
		if err != nil {
			t.Fatal(err)
		}
		connect(t, ctx, our, their, signalling{})
		far := accept(t, ctx, near, their)
		ours, theirs := everySize(r), everySize(r)
		atOnce(t, 2, func(i int) error {
			if i == 0 {
				return carried(ctx, near, far, ours...)
			}
			return carried(ctx, far, near, theirs...)
		})
	}, chromium, pion)
}

func TestTrickle(t *testing.T) {
	eachRole(t, func(t *testing.T, offerer, answerer peer) {
		ctx := testContext(t)
		near, err := offerer.Create(ctx, "trickle", channelOptions{})
		if err != nil {
			t.Fatal(err)
		}
		connect(t, ctx, offerer, answerer, signalling{trickle: true})
		far := accept(t, ctx, near, answerer)
		carry(t, ctx, near, far, message{Text: true, Data: []byte("there")})
		carry(t, ctx, far, near, message{Text: true, Data: []byte("and back")})
	}, chromium, firefox, pion)
}

// With permission for the camera, a browser shows its host addresses instead of
// mDNS names.
func TestOpenHostAddresses(t *testing.T) {
	shown := chromium
	shown.new = func(t testing.TB) peer {
		p := chromium.new(t).(*pagePeer)
		allowCamera(t, p.page)
		return p
	}
	eachRole(t, func(t *testing.T, offerer, answerer peer) {
		ctx := testContext(t)
		near, err := offerer.Create(ctx, "open", channelOptions{})
		if err != nil {
			t.Fatal(err)
		}
		connect(t, ctx, offerer, answerer, signalling{})
		far := accept(t, ctx, near, answerer)
		carry(t, ctx, far, near, text(testRand(), 100))
	}, shown)
}
