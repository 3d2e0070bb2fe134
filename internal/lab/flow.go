package lab

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/plainrtc/plainrtc/sctp"
)

// ahead is how much a sender gives to its association before it can leave.
const ahead = 256 << 10

// A flow is both ends of an association, and what is measured of it.
type flow struct {
	run      *Run
	from, to end
	begins   time.Duration

	// At the sender.
	message []byte
	owed    int64     // bytes still to be given to the association; -1: without end
	next    time.Time // when the next message is due, if they come one by one
	asked   int       // of those messages, so many should have arrived by the end
	sent    uint64    // packets with data

	// At the receiver.
	delivered int64                  // bytes of messages
	seen      uint64                 // the highest number of a packet with data, plus one
	arrived   uint64                 // packets with data
	waits     thinned[time.Duration] // of packets with data: beyond what an empty path takes
	fresh     []time.Duration        // those since the last sample
	latencies thinned[time.Duration] // of messages that come one by one
	finished  time.Duration          // when Bytes had been moved; 0: not yet
	lose      int                    // packets yet to be lost
	lost      time.Duration          // when the last of them was
	arrivals  thinned[Arrival]
	samples   []Sample
}

// An end is one end's association and its addresses.
type end struct {
	*sctp.Association
	local, remote netip.AddrPort
}

// The last bytes of what stands for a DTLS record tell when a packet left and
// which it was of those with data, 0 for others.
const stampSize = 16

// carriesData reports whether there is a DATA or I-DATA chunk in an SCTP packet.
func carriesData(packet []byte) bool {
	const commonHeader, chunkHeader, data, iData = 12, 4, 0, 64
	for at := commonHeader; at+chunkHeader <= len(packet); {
		if kind := packet[at]; kind == data || kind == iData {
			return true
		}
		length := int(binary.BigEndian.Uint16(packet[at+2:]))
		at += (max(length, chunkHeader) + 3) &^ 3
	}
	return false
}

// append wraps what the association has to send.
func (f *flow) append(now time.Time, x *end, b []byte) []byte {
	start := len(b)
	if b = x.AppendPacket(now, b); len(b) == start {
		return b
	}
	number := uint64(0)
	if x == &f.from && carriesData(b[start:]) {
		f.sent++
		number = f.sent
	}
	b = append(b, f.run.padding[:record-stampSize]...)
	b = binary.BigEndian.AppendUint64(b, uint64(now.UnixNano()))
	return binary.BigEndian.AppendUint64(b, number)
}

// give gives the association messages: enough to be sent at once, or those due.
func (f *flow) give(now time.Time) {
	if f.from.State() != sctp.StateEstablished {
		return
	}
	if f.run.e.Every == 0 {
		for f.owed != 0 && f.from.Buffered() < ahead {
			f.send(now)
		}
		return
	}
	if f.next.IsZero() {
		f.next = now
	}
	for f.owed != 0 && !now.Before(f.next) {
		f.send(now)
		if f.run.settled(now) {
			f.asked++
		}
		f.next = f.next.Add(f.run.e.Every)
	}
}

func (f *flow) send(now time.Time) {
	e := &f.run.e
	m := f.message
	if f.owed > 0 {
		m = m[:min(int64(len(m)), f.owed)]
		f.owed -= int64(len(m))
	}
	if len(m) >= 8 {
		binary.BigEndian.PutUint64(m, uint64(now.UnixNano()))
	}
	err := f.from.Send(now, sctp.Message{Data: m, Unordered: e.Unordered, Limited: e.Limited, MaxRetransmits: e.MaxRetransmits})
	if err != nil {
		f.run.fail(err)
		f.owed = 0
	}
}

// receive is a packet that reached the receiver.
func (f *flow) receive(now time.Time, b []byte) {
	packet, stamp := b[:len(b)-record], b[len(b)-stampSize:]
	if number := binary.BigEndian.Uint64(stamp[8:]); number > 0 {
		if f.lose > 0 {
			if f.lose--; f.lose == 0 {
				f.lost = f.run.since(now)
			}
			return
		}
		left := time.Unix(0, int64(binary.BigEndian.Uint64(stamp)))
		f.arrived++
		f.seen = max(f.seen, number)
		wait := max(0, now.Sub(left)-f.run.least(len(b)))
		f.waits.add(wait)
		f.fresh = append(f.fresh, wait)
	}
	f.to.Receive(now, packet)
	f.take(now)
}

// take takes the messages that are there.
func (f *flow) take(now time.Time) {
	e := &f.run.e
	for m, ok := f.to.NextMessage(); ok; m, ok = f.to.NextMessage() {
		f.delivered += int64(len(m.Data))
		f.arrivals.add(Arrival{f.run.since(now), f.delivered})
		if e.Every > 0 && len(m.Data) >= 8 {
			sent := time.Unix(0, int64(binary.BigEndian.Uint64(m.Data)))
			if f.run.settled(sent) {
				f.latencies.add(now.Sub(sent))
			}
		}
		f.to.Release(now, m)
	}
	if e.Bytes > 0 && f.delivered >= e.Bytes && f.finished == 0 {
		f.finished = f.run.since(now)
	}
}

// A host is a node of the simulated network with the ends of flows.
type host struct {
	run   *Run
	flows []*flow
	sink  bool // it has the receiving ends
}

func (h *host) end(f *flow) *end {
	if h.sink {
		return &f.to
	}
	return &f.from
}

func (h *host) Receive(now time.Time, local, remote netip.AddrPort, b []byte) {
	for _, f := range h.flows {
		x := h.end(f)
		if x.remote != remote || x.local != local {
			continue
		}
		if h.sink {
			f.receive(now, b)
		} else {
			x.Receive(now, b[:len(b)-record])
		}
		h.watch(x)
	}
}

// watch notes that an association ended, which none is meant to.
func (h *host) watch(x *end) {
	for e, ok := x.NextEvent(); ok; e, ok = x.NextEvent() {
		if closed, ok := e.(sctp.Closed); ok && closed.Err != nil {
			h.run.fail(closed.Err)
		}
	}
}

func (h *host) Advance(now time.Time) {
	for _, f := range h.flows {
		h.end(f).Advance(now)
		h.watch(h.end(f))
	}
}

func (h *host) AppendPacket(now time.Time, b []byte) ([]byte, netip.AddrPort, netip.AddrPort) {
	for _, f := range h.flows {
		if !h.sink {
			f.give(now)
		}
		x := h.end(f)
		start := len(b)
		if b = f.append(now, x, b); len(b) > start {
			return b, x.local, x.remote
		}
	}
	return b, netip.AddrPort{}, netip.AddrPort{}
}

func (h *host) NextTimeout() time.Time {
	var next time.Time
	for _, f := range h.flows {
		times := [2]time.Time{h.end(f).NextTimeout()}
		if !h.sink && f.owed != 0 {
			times[1] = f.next
		}
		for _, t := range times {
			if !t.IsZero() && (next.IsZero() || t.Before(next)) {
				next = t
			}
		}
	}
	return next
}
