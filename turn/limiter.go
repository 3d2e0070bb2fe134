package turn

import (
	"encoding/binary"
	"math/bits"
	"time"
)

// A bucket fills at a rate up to a depth, and is emptied by what is allowed.
type bucket struct {
	rate, depth float64 // a second, and at most; a rate of 0 allows everything
	level       float64
	at          time.Time // when level was right
}

func newBucket(now time.Time, rate, depth int) bucket {
	return bucket{rate: float64(rate), depth: float64(depth), level: float64(depth), at: now}
}

// allow takes n out of the bucket, if so much is in it.
func (b *bucket) allow(now time.Time, n int) bool {
	if b.rate == 0 {
		return true
	}
	if d := now.Sub(b.at); d > 0 {
		b.level = min(b.depth, b.level+d.Seconds()*b.rate)
		b.at = now
	}
	if b.level < float64(n) {
		return false
	}
	b.level -= float64(n)
	return true
}

// debit takes n out of the bucket, whatever is in it, and returns how long it is empty.
func (b *bucket) debit(now time.Time, n int) time.Duration {
	if b.rate == 0 {
		return 0
	}
	b.allow(now, 0) // fills it
	b.level -= float64(n)
	return max(0, time.Duration(-b.level/b.rate*float64(time.Second)))
}

// limiterSources is how many sources the limiter tells apart. Those that fall
// on the same bucket share it; which ones do so nobody outside can know.
const limiterSources = 4096

// A limiter bounds what is done for those who showed no valid credentials: for
// each source, and for all those whose address is only claimed together.
type limiter struct {
	rate, depth float32
	k0, k1      uint64
	sources     []source // made at the first use
	total       bucket
	totalRate   int
	start       time.Time
}

type source struct {
	level float32
	at    uint32 // in milliseconds after limiter.start
}

// newLimiter takes 16 bytes of key.
func newLimiter(rate, total int, key []byte) limiter {
	return limiter{
		rate: float32(rate), depth: 4 * float32(rate), totalRate: total,
		k0: binary.BigEndian.Uint64(key), k1: binary.BigEndian.Uint64(key[8:]) | 1,
	}
}

func (l *limiter) allow(now time.Time, from FiveTuple) bool {
	s := l.source(now, from)
	if s.level < 1 {
		return false
	}
	// The address of a stream's other end is real: it cannot eat what is left
	// for all.
	if !from.Protocol.Stream() && !l.total.allow(now, 1) {
		return false
	}
	s.level--
	return true
}

// wait is how long it takes until a source is allowed one more.
func (l *limiter) wait(now time.Time, from FiveTuple) time.Duration {
	s := l.source(now, from)
	if s.level >= 1 {
		return 0
	}
	return max(time.Millisecond, time.Duration((1-s.level)/l.rate*float32(time.Second)))
}

// source is where a source is counted, as it is now.
func (l *limiter) source(now time.Time, from FiveTuple) *source {
	if l.sources == nil {
		l.sources = make([]source, limiterSources)
		for i := range l.sources {
			l.sources[i].level = l.depth
		}
		l.start, l.total = now, newBucket(now, l.totalRate, l.totalRate)
	}
	s := &l.sources[l.slot(from)]
	at := uint32(now.Sub(l.start).Milliseconds())
	if passed := at - s.at; passed < 1<<31 {
		s.level = min(l.depth, s.level+float32(passed)*l.rate/1000)
		s.at = at
	}
	return s
}

// slot is where a source is counted: an IPv4 address, or the /64 of an IPv6 one,
// which is what one subscriber has.
func (l *limiter) slot(from FiveTuple) int {
	addr := from.Client.Addr().Unmap().As16()
	x := binary.BigEndian.Uint64(addr[:8])
	if from.Client.Addr().Unmap().Is4() {
		x = binary.BigEndian.Uint64(addr[8:])
	}
	// Two rounds of multiply and fold under a secret key: enough that nobody can
	// choose whose bucket to share.
	for range 2 {
		hi, lo := bits.Mul64(x^l.k0, l.k1)
		x = hi ^ lo
	}
	return int(x % limiterSources)
}
