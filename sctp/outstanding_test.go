package sctp

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// An outstandingTest drives outstanding data whose TSNs begin at 1.
type outstandingTest struct {
	t      *testing.T
	o      outstanding
	now    time.Time
	stream outStream
	forgot int
}

func newOutstanding(t *testing.T) *outstandingTest {
	k := &outstandingTest{t: t, now: epoch()}
	k.o.start(1, func(*outMessage) { k.forgot++ })
	k.o.partial = true
	return k
}

// send sends a message of n chunks of 100 bytes that allows so many
// retransmissions.
func (k *outstandingTest) send(n, retransmits int) {
	m := &outMessage{stream: &k.stream, data: make([]byte, 100*n), cut: 100 * n, maxRetransmits: retransmits, mid: k.stream.nextMID}
	k.stream.nextMID++
	for i := range n {
		k.o.push(k.now, sentChunk{message: m, offset: int32(100 * i), size: 100, transmissions: 1})
	}
}

// sack takes a SACK; gaps are absolute first and last TSNs.
func (k *outstandingTest) sack(cum tsn, gaps ...tsn) sackResult {
	k.t.Helper()
	var b gapBlocks
	for _, g := range gaps {
		b = binary.BigEndian.AppendUint16(b, uint16(g-cum))
	}
	r, ok := k.o.ack(k.now, cum, b)
	if !ok {
		k.t.Fatalf("SACK %d %v was refused", cum, gaps)
	}
	checkOutstanding(k.t, &k.o)
	return r
}

// want compares the state of all outstanding chunks: f in flight, a
// acknowledged, m marked, x abandoned.
func (k *outstandingTest) want(states, why string) {
	k.t.Helper()
	var got strings.Builder
	for n := k.o.cum + 1; n != k.o.next; n++ {
		got.WriteByte("famx"[k.o.at(n).state])
	}
	if got.String() != states {
		k.t.Fatalf("the chunks are %s, want %s: %s", &got, states, why)
	}
}

func TestReneging(t *testing.T) {
	k := newOutstanding(t)
	k.send(6, -1)
	k.sack(0, 2, 5)
	k.want("faaaaf", "four are acknowledged")
	k.sack(0, 2, 2)
	k.want("fafff"+"f", "three were taken back")
	k.sack(0, 2, 5)
	k.want("faaaaf", "and come back")
	k.sack(0)
	k.want("ffffff", "all are taken back")
}

func TestAckRefuses(t *testing.T) {
	for _, test := range []struct {
		name string
		cum  tsn
		gaps gapBlocks
	}{
		{"what was not sent", 6, nil},
		{"a gap of what was not sent", 0, gapBlocks{0, 2, 0, 6}},
		{"a block that ends before it starts", 0, gapBlocks{0, 3, 0, 2}},
		{"blocks out of order", 0, gapBlocks{0, 4, 0, 4, 0, 2, 0, 2}},
		{"blocks that overlap", 0, gapBlocks{0, 2, 0, 4, 0, 4, 0, 5}},
		{"an offset of zero", 0, gapBlocks{0, 0, 0, 1}},
	} {
		k := newOutstanding(t)
		k.send(5, -1)
		if _, ok := k.o.ack(k.now, test.cum, test.gaps); ok {
			t.Errorf("a SACK was taken for %s", test.name)
		}
		k.want("fffff", "a bad SACK changes nothing")
	}
}

func TestTimeoutMarksWhatIsInFlight(t *testing.T) {
	k := newOutstanding(t)
	k.send(4, -1)
	k.sack(0, 2, 2)
	k.o.timeout(k.now)
	k.want("mamm", "what is acknowledged stays so")
	if k.o.flight != 0 || k.o.payload != 0 {
		t.Error("something is still in flight")
	}
	k.sack(2, 4, 4)
	k.want("ma", "what arrives after all is not sent again")
}

func TestAbandonAndForward(t *testing.T) {
	k := newOutstanding(t)
	k.send(1, -1)
	k.send(3, 0) // 2, 3, 4
	k.send(1, -1)
	k.send(1, 0) // 6
	k.send(1, -1)
	k.sack(1, 3, 3, 5, 5, 7, 7)
	k.o.timeout(k.now)
	k.want("xxxaxa", "the middle one's chunks are all given up, even what arrived")
	checkOutstanding(t, &k.o)
	if !k.o.advance() || k.o.advanced != 4 {
		t.Fatalf("the Advanced.Peer.Ack.Point is %d", k.o.advanced)
	}
	c, _, _ := nextChunk(k.o.appendForward(nil, 100, false))
	if c.String() != "FORWARD TSN cum=4 stream=0/ssn=1" {
		t.Errorf("%s", c)
	}
	k.sack(5, 7, 7)
	k.o.advance()
	c, _, _ = nextChunk(k.o.appendForward(nil, 100, false))
	if c.String() != "FORWARD TSN cum=6 stream=0/ssn=3" {
		t.Errorf("%s", c)
	}
	k.sack(7)
	if k.forgot != 5 {
		t.Errorf("%d messages of 5 were forgotten", k.forgot)
	}
}

// A FORWARD TSN that does not fit goes as far as it can.
func TestForwardAsFarAsItFits(t *testing.T) {
	k := newOutstanding(t)
	for i := range 10 {
		k.stream = outStream{}
		m := &outMessage{stream: &outStream{id: uint16(i)}, data: make([]byte, 100), cut: 100}
		k.o.push(k.now, sentChunk{message: m, size: 100, transmissions: 1})
	}
	k.o.timeout(k.now)
	k.o.advance()
	c, _, _ := nextChunk(k.o.appendForward(nil, 8+3*4, false))
	if c.String() != "FORWARD TSN cum=3 stream=0/ssn=0 stream=1/ssn=0 stream=2/ssn=0" {
		t.Errorf("%s", c)
	}
}

// Outstanding data agrees with a model that looks at every chunk each time.
func TestOutstandingAgainstModel(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 4))
		k := newOutstanding(t)
		k.o.start(tsn(0)-tsn(rng.IntN(200)), k.o.forget)
		received := map[tsn]bool{}
		for range 300 {
			switch rng.IntN(8) {
			case 0, 1:
				k.send(1+rng.IntN(5), rng.IntN(4)-1)
			case 2: // something arrives
				if k.o.len() > 0 {
					received[k.o.cum+1+tsn(rng.IntN(k.o.len()))] = true
				}
			case 3:
				if n, c := k.o.retransmit(); c != nil {
					k.o.resend(k.now, n, c)
					if rng.IntN(2) == 0 {
						received[n] = true
					}
				}
			case 4:
				if rng.IntN(5) == 0 {
					k.o.timeout(k.now)
				}
			case 5: // FORWARD TSN arrives
				k.o.advance()
				for n := k.o.cum + 1; n.AtMost(k.o.advanced); n++ {
					received[n] = true
				}
			default:
				cum := k.o.cum
				for received[cum+1] {
					cum++
				}
				var gaps []tsn
				for n := cum + 1; n.Before(k.o.next); n++ {
					if received[n] && (len(gaps) == 0 || gaps[len(gaps)-1] != n-1) {
						gaps = append(gaps, n, n)
					} else if received[n] {
						gaps[len(gaps)-1] = n
					}
				}
				k.sack(cum, gaps...)
				for n := k.o.cum + 1; n != k.o.next; n++ {
					if s := k.o.at(n).state; s != chunkAbandoned && (s == chunkAcked) != received[n] {
						t.Fatalf("seed %d: %d is in state %d, received %v", seed, n, s, received[n])
					}
				}
			}
			checkOutstanding(t, &k.o)
		}
	}
}

// A gap that stays open is not walked over with each SACK.
func BenchmarkSackWithOldGap(b *testing.B) {
	for _, window := range []int{100, 10000} {
		b.Run(fmt.Sprint(window), func(b *testing.B) {
			var o outstanding
			o.start(1, func(*outMessage) {})
			m := &outMessage{data: make([]byte, 1), maxRetransmits: -1, chunks: 1}
			for range window {
				o.push(time.Time{}, sentChunk{message: m, size: 100, transmissions: 1})
			}
			gaps := gapBlocks{0, 2, 0, 0}
			end := window
			b.ReportAllocs()
			for b.Loop() {
				o.push(time.Time{}, sentChunk{message: m, size: 100, transmissions: 1})
				if end++; end > 60000 { // begin anew before gap ack blocks run out
					b.StopTimer()
					o.ackUpTo(o.next-1-tsn(window), 0, new(sackResult))
					end = window
					b.StartTimer()
				}
				binary.BigEndian.PutUint16(gaps[2:], uint16(end))
				o.ack(time.Time{}, o.cum, gaps)
			}
		})
	}
}

// A FORWARD TSN never reaches from before a stream's reset to after it, and tells
// a peer that has performed the reset nothing of before it.
func TestForwardStopsAtReset(t *testing.T) {
	k := newOutstanding(t)
	k.o.partial = true
	k.send(1, 0)
	last := k.o.next - 1
	k.o.resetAt, k.o.resetting = last, true
	k.stream.nextMID = 0 // the stream's next use
	k.send(1, 0)
	k.o.timeout(k.now)
	k.o.advance()
	forward := func() string {
		c, _, _ := nextChunk(k.o.appendForward(nil, 100, false))
		return c.String()
	}
	if got, want := forward(), fmt.Sprintf("FORWARD TSN cum=%d stream=0/ssn=0", last); got != want {
		t.Errorf("while the reset is not answered: %s, want %s", got, want)
	}
	k.o.resetting, k.o.resetDone = false, last
	k.stream.nextMID = 5
	k.o.at(last).message.mid = 9 // of the last use: not to be mentioned
	if got, want := forward(), fmt.Sprintf("FORWARD TSN cum=%d stream=0/ssn=0", last+1); got != want {
		t.Errorf("when the reset was performed: %s, want %s", got, want)
	}
}
