package sctp

import (
	"encoding/binary"
	"time"

	"github.com/plainrtc/plainrtc/internal/trace"
)

// A pmtud finds out how large packets may be: Datagram Packetization Layer Path
// MTU Discovery (DPLPMTUD, RFC 8899), with the probes of its Section 6.2 and the
// names of its Section 5. Sizes are those of SCTP packets.
//
// A probe is a HEARTBEAT behind a PAD chunk (RFC 4820) that makes the packet as
// large as is to be found out; it carries no user data, and its loss is no
// congestion. The RFC has the PAD chunk last. Here it is first, so that the
// HEARTBEAT of a packet that was cut short on its way to the peer is not
// answered; and a peer that does not know PAD chunks passes over them, or does
// not answer at all.
//
// There are probes only while there is more to send than fits into a few packets:
// who says little gains nothing by larger ones, and who says nothing shall not
// begin.
type pmtud struct {
	state MTUState
	base  int // BASE_PLPMTU, and the least: every path carries it
	max   int // MAX_PLPMTU; zero: there is no search
	// headers is what is below SCTP in an IP packet.
	headers int

	size     int    // PROBED_SIZE: of the probe that is under way, or due; zero: none
	count    int    // PROBE_COUNT: how often it was lost
	nonce    uint64 // of all probes of this size, so that a late answer counts
	awaiting bool   // the probe was sent, and neither answered nor given up
	order    uint32 // of the transmission before it
	sentAt   time.Duration
	ceiling  int       // the least size that is too large; zero: none is known
	rest     time.Time // when the search ended, or a probe in MTUError was given up
	// confirmed, in MTUBase: something sent since was acknowledged.
	confirmed bool
	timeouts  int // of T3-rtx in a row
}

// A MTUState is a state of the search for the path MTU (RFC 8899, Section 5.2).
type MTUState uint8

// The states.
const (
	// MTUDisabled does not search, because no MaxMTU is known.
	MTUDisabled MTUState = iota
	// MTUBase sends packets of Config.MTU until one is acknowledged.
	MTUBase
	// MTUSearching probes for a larger size.
	MTUSearching
	// MTUSearchComplete knows the largest size, for the next ten minutes.
	MTUSearchComplete
	// MTUError sends packets that every link carries: not even those of Config.MTU arrive.
	MTUError
)

func (s MTUState) String() string {
	return [...]string{"DISABLED", "BASE", "SEARCHING", "SEARCH_COMPLETE", "ERROR"}[s]
}

// RFC 8899, Sections 5.1.1 and 5.1.2.
const (
	maxProbes = 3 // MAX_PROBES
	// probeTimer is PROBE_TIMER, which "MUST NOT be smaller than 1 second". Mostly
	// it is known earlier that a probe is lost, by the acknowledgement of DATA that
	// was sent after it.
	probeTimer     = time.Second
	pmtuRaiseTimer = 600 * time.Second // PMTU_RAISE_TIMER
	// errorRetry is how long MTUError lasts with a peer that does not answer probes.
	errorRetry = 10 * time.Second
	// minPLPMTU is MIN_PLPMTU as an IP packet: "EMTU_R MUST be greater than or equal to
	// 576" (RFC 1122, Section 3.3.2), and hardly a link has less.
	minPLPMTU = 576
)

// linkMTUs are sizes of IP packets that links have, beside the interface's own:
// of IPv6 at least, of tunnels (mobile networks, WireGuard, IPsec, GRE, PPPoE),
// Ethernet, and its jumbo frames.
var linkMTUs = [...]int{1280, 1400, 1420, 1440, 1460, 1480, 1492, 1500, 2048, 4096, 8192, 9000}

// SetMaxMTU says what the association may search for: packets of up to max bytes,
// where the path's own interface carries so much and nothing but these packets
// is told apart by their size: IP may not fragment them. Headers is what is below
// SCTP in an IP packet, DTLS, UDP and IP. Zero is for a path that nothing is
// known of: its MTU is Config.MTU, and there is no search.
func (a *Association) SetMaxMTU(now time.Time, max, headers int) {
	p := &a.pmtud
	max = min(max, maxPacket) &^ 3
	if max == p.max && headers == p.headers {
		return
	}
	p.max, p.headers = max, headers
	a.resetMTU(now)
}

func (p *pmtud) start(c *Config) {
	*p = pmtud{base: c.MTU, max: min(c.MaxMTU, maxPacket) &^ 3, headers: c.Headers}
	if p.max > 0 {
		p.state = MTUBase
	}
}

// maxPacket is the most that a DTLS record holds.
const maxPacket = 1 << 14

// PathMTU is the size of the largest packets with DATA: PLPMTU.
func (a *Association) PathMTU() int { return a.send.mtu }

// MayFragment reports whether the packet that AppendPacket returned last is
// larger than the path's MTU, and has to be sent all the same, in fragments if
// need be: it holds a chunk that was cut for a path that had room for it. "Once
// a user message is fragmented, it cannot be re-fragmented. Instead, if the PMTU
// has been reduced, then IP fragmentation MUST be used" (RFC 9260, Section 6.9).
func (a *Association) MayFragment() bool { return a.send.oversize }

// resetMTU begins anew, on a new path or where the old one has become a black
// hole for large packets.
func (a *Association) resetMTU(now time.Time) {
	p := &a.pmtud
	p.cancel(a)
	p.ceiling, p.timeouts = 0, 0
	p.setState(a, now, MTUBase)
	if p.max == 0 {
		p.setState(a, now, MTUDisabled)
	}
	a.setMTU(now, p.floor())
}

// floor is BASE_PLPMTU, or what the interface has if that is less.
func (p *pmtud) floor() int {
	if p.max > 0 {
		return max(min(p.base, p.max), minMTU)
	}
	return p.base
}

func (p *pmtud) setState(a *Association, now time.Time, to MTUState) {
	if p.state != to {
		a.cfg.Trace.Note(now, trace.SCTP, "path MTU: "+to.String())
	}
	p.state = to
	p.confirmed = false
	p.rest = now
}

// setMTU sets PLPMTU.
func (a *Association) setMTU(now time.Time, mtu int) {
	if mtu == a.send.mtu {
		return
	}
	a.cfg.Trace.Value(now, trace.SCTP, "plpmtu", int64(mtu))
	a.send.setMTU(mtu)
	if headerSize+len(a.control) > mtu-sackHeaderSize {
		a.control = a.control[:0] // what is not answered will be asked again
	}
}

// setMTU has packets built, and their number counted, with another size.
func (s *sender) setMTU(mtu int) {
	if mtu > s.mtu {
		// The window is bytes, and remains. But it was begun for small packets; of
		// less than two large ones the peer would keep back the SACK for each.
		s.cc.cwnd = max(s.cc.cwnd, 2*(mtu-headerSize))
	}
	s.mtu = mtu
	s.queue.scheduler.packet = mtu
	s.cc.pmdcs = mtu - headerSize
}

// cancel forgets the probe that is under way.
func (p *pmtud) cancel(a *Association) {
	p.size, p.count, p.nonce, p.awaiting = 0, 0, 0, false
	a.timers.Stop(timerPathProbe)
}

// next is the size to probe for: the largest first, which it mostly is; after that
// the middle one of those that are left. Zero: there is none.
func (p *pmtud) next(current int) int {
	if p.ceiling == 0 && p.max > current {
		return p.max
	}
	var left [len(linkMTUs)]int
	n := 0
	for _, mtu := range linkMTUs {
		if size := (mtu - p.headers) &^ 3; size > current && size < p.ceiling {
			left[n] = size
			n++
		}
	}
	if n == 0 {
		return 0
	}
	return left[n/2]
}

// probes reports whether the next packet is to be a probe, of p.size.
func (a *Association) probes(now time.Time) bool {
	p := &a.pmtud
	if p.state == MTUDisabled || p.awaiting || a.send.queue.buffered < 2*a.send.mtu {
		return false
	}
	switch p.state {
	case MTUBase:
		if !p.confirmed {
			return false
		}
		p.setState(a, now, MTUSearching)
	case MTUSearchComplete:
		if now.Sub(p.rest) < pmtuRaiseTimer {
			return false
		}
		p.ceiling = 0
		p.setState(a, now, MTUSearching)
	case MTUError:
		switch p.size = p.floor(); {
		case p.count < maxProbes:
		case now.Sub(p.rest) < errorRetry:
			return false
		default:
			a.resetMTU(now) // the peer may not answer probes, but DATA it does
			return false
		}
	}
	if p.size == 0 {
		if p.size = p.next(a.send.mtu); p.size == 0 {
			p.setState(a, now, MTUSearchComplete)
			return false
		}
	}
	if p.nonce == 0 {
		p.nonce = a.random64()
	}
	return true
}

// appendProbe builds a probe.
func (a *Association) appendProbe(now time.Time, b []byte) []byte {
	const heartbeatSize = chunkHeaderSize + paramHeaderSize + 12
	p := &a.pmtud
	p.awaiting, p.order, p.sentAt = true, a.send.out.order, a.send.out.rate.since(now)
	a.timers.Set(timerPathProbe, now.Add(max(probeTimer, a.send.rto.current)))

	b = a.header(a.peerTag).append(b)
	at := len(b)
	b = beginChunk(b, typePad, 0)
	for n := p.size - headerSize - chunkHeaderSize - heartbeatSize; n > 0; {
		k := min(n, len(padding))
		b = append(b, padding[:k]...)
		n -= k
	}
	b = endChunk(b, at)
	at = len(b)
	b = beginChunk(b, typeHeartbeat, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(paramHeartbeatInfo))
	b = binary.BigEndian.AppendUint16(b, paramHeaderSize+12)
	b = binary.BigEndian.AppendUint64(b, p.nonce)
	b = binary.BigEndian.AppendUint32(b, uint32(p.size))
	return endChunk(b, at)
}

var padding [1024]byte

// probeAcked takes the Heartbeat Information of a HEARTBEAT ACK, and reports
// whether it was a probe's.
func (a *Association) probeAcked(now time.Time, info []byte) bool {
	p := &a.pmtud
	if len(info) != 12 || p.nonce == 0 || binary.BigEndian.Uint64(info) != p.nonce {
		return false
	}
	size := p.size
	p.cancel(a)
	a.setMTU(now, size)
	switch {
	case p.state == MTUError:
		p.ceiling = 0
		p.setState(a, now, MTUSearching)
	case p.next(size) == 0:
		p.setState(a, now, MTUSearchComplete)
	}
	return true
}

// probeLost is the expiry of PROBE_TIMER, or what comes before it.
func (a *Association) probeLost(now time.Time) {
	p := &a.pmtud
	p.awaiting = false
	a.timers.Stop(timerPathProbe)
	if p.count++; p.count < maxProbes {
		return
	}
	if p.state == MTUError {
		p.rest = now
		return
	}
	p.ceiling = p.size
	p.cancel(a)
}

// pathCarries notes that something was acknowledged. A probe is lost when DATA has
// arrived that was sent well after it.
func (a *Association) pathCarries(now time.Time) {
	p, rack := &a.pmtud, &a.send.rack
	p.timeouts = 0
	p.confirmed = true
	if p.awaiting && int32(rack.order-p.order) > 0 && rack.sentAt >= p.sentAt+max(rack.minRTT/4, time.Millisecond) {
		a.probeLost(now)
	}
}

// pathLoses is where black holes are found (RFC 8899, Section 4.3): T3-rtx expired.
// If packets were large, back to those that every path carries; if they were not,
// to those that every link does, after some more tries, for it may be that the
// path carries none.
func (a *Association) pathLoses(now time.Time) {
	p := &a.pmtud
	p.timeouts++
	switch least := max(minPLPMTU-p.headers, minMTU) &^ 3; {
	case p.state == MTUDisabled:
	case a.send.mtu > p.floor():
		a.resetMTU(now)
	case p.timeouts >= maxProbes && p.state != MTUError && a.send.mtu > least:
		p.cancel(a)
		p.setState(a, now, MTUError)
		a.setMTU(now, least)
	}
}

// largeLost looks for a large chunk that was lost again and again while others
// arrived.
func (a *Association) largeLost(now time.Time) {
	lost := a.send.out.lostOften
	a.send.out.lostOften = 0
	if size := headerSize + a.send.headerSize() + lost; lost > 0 && size > a.pmtud.floor() && size <= a.send.mtu {
		a.resetMTU(now)
	}
}
