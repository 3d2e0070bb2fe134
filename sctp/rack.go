package sctp

import (
	"encoding/binary"
	"time"
)

// A rack finds losses as RACK-TLP does (RFC 8985), adapted from TCP's segments
// to chunks. It stands in for the three miss indications of RFC 9260, Section
// 7.2.4: a chunk is lost when one that was sent long enough after it has been
// acknowledged. So a retransmission that is lost is found too, reordering does
// not count as loss, and the last packet of a burst, behind which nothing comes
// that could be acknowledged, is probed for before T3-rtx expires.
type rack struct {
	// The chunk that was sent last, of those acknowledged: RACK.xmit_ts with what
	// breaks ties, and RACK.rtt.
	order  uint32
	sentAt time.Duration
	rtt    time.Duration
	any    bool // there is one

	minRTT    time.Duration // RACK.min_RTT; zero: not measured yet
	reordered bool          // RACK.reordering_seen
	// mult is RACK.reo_wnd_mult: how many quarters of minRTT to wait for late
	// chunks. It grows, once a round trip, when the peer reports duplicates: what
	// was taken for lost was not. It is one again after persist recoveries.
	mult    int
	persist int
	round   uint32 // the transmission with which the next round trip begins

	// The tail loss probe that is under way: TLP.end_seq and TLP.is_retrans.
	probing       bool
	probeEnd      tsn
	probeResent   bool
	probeRepeated tsn // the chunk sent again
}

const (
	// dupThresh is DupThresh: when that many chunks are acknowledged behind a
	// gap, there is no waiting for reordering that was never seen.
	dupThresh = 3
	// persistRecoveries is how long a wider reordering window lasts.
	persistRecoveries = 16
	// maxAckDelay is TLP.max_ack_delay: how long a peer may keep back the SACK
	// for a lone packet (RFC 9260, Section 6.2).
	maxAckDelay = 200 * time.Millisecond
)

func (k *rack) start() { *k = rack{mult: 1} }

// acked is Section 6.2, steps 1 to 3: it takes the chunk that was sent last of
// those that a SACK acknowledged, and the time.
func (k *rack) acked(at time.Duration, r *sackResult) {
	c := r.newest
	rtt := max(at-c.flown.at, 1)
	// Of a chunk that was sent again it is not known which one arrived: the
	// first, if this one had no time to.
	if !c.once() && rtt < k.minRTT {
		return
	}
	if c.once() && (k.minRTT == 0 || rtt < k.minRTT) {
		k.minRTT = rtt
	}
	k.reordered = k.reordered || r.reordered
	k.rtt = rtt
	if !k.any || int32(c.order-k.order) > 0 {
		k.order, k.sentAt, k.any = c.order, c.flown.at, true
	}
}

// duplicates is the part of Section 6.2, step 4, that widens the reordering
// window.
func (k *rack) duplicates(o *outstanding) {
	if k.any && int32(k.order-k.round) >= 0 {
		k.mult = min(k.mult+1, 255)
		k.persist = persistRecoveries
		k.round = o.order + 1
	}
}

// recovered narrows it again.
func (k *rack) recovered() {
	if k.persist--; k.persist <= 0 {
		k.mult = 1
	}
}

// window is RACK_update_reo_wnd() of Section 6.2, step 4.
func (k *rack) window(gapAcks int, recovering bool, srtt time.Duration) time.Duration {
	if !k.reordered && (recovering || gapAcks >= dupThresh) {
		return 0
	}
	return min(time.Duration(k.mult)*k.minRTT/4, srtt)
}

// detect is RACK_detect_loss() of Section 6.2, step 5. It marks what is lost and
// returns how many bytes that is, and when to look again, in the time of at;
// zero: there is nothing to wait for.
//
// The RFC looks again when the last suspect is due; chunks are kept in the order
// of their transmission here, and the first one costs no more.
func (k *rack) detect(now time.Time, at time.Duration, o *outstanding, window time.Duration) (lost int, again time.Duration) {
	for k.any && o.oldest.ok {
		n := o.oldest.tsn
		c := o.at(n)
		if int32(c.order-k.order) >= 0 {
			break
		}
		if due := c.flown.at + k.rtt + window; due > at {
			return lost, due
		}
		lost += o.size(c)
		o.mark(now, n, c)
	}
	return lost, 0
}

// probeTimeout is TLP_calc_PTO() of Section 7.2.
func (k *rack) probeTimeout(srtt time.Duration, single bool) time.Duration {
	if srtt == 0 {
		return time.Second
	}
	if single {
		return 2*srtt + maxAckDelay
	}
	return 2 * srtt
}

// probe is TLP_send_probe() of Section 7.3: new data if there is any that the
// peer's window has room for, or else the chunk that was sent last once more. It
// reports whether anything may leave, and whether that is new.
func (k *rack) probe(now time.Time, o *outstanding, unsent bool) (fresh, ok bool) {
	if !unsent {
		if !o.newest.ok {
			return false, false
		}
		n := o.newest.tsn
		c := o.at(n)
		if m := c.message; o.partial && (m.maxRetransmits >= 0 && int(c.transmissions) > m.maxRetransmits || m.expired(now)) {
			return false, false // it may not be sent again: T3-rtx will give it up
		}
		o.mark(now, n, c)
		k.probeRepeated = n
	}
	k.probing, k.probeResent, k.probeEnd = true, !unsent, o.next-1
	return unsent, true
}

// probed is Section 7.4: it takes the Cumulative TSN and the duplicates of a
// SACK and reports whether the probe repaired a loss, which congestion control
// has to be told of.
func (k *rack) probed(cum tsn, duplicates []byte) (repaired bool) {
	if !k.probing || cum.Before(k.probeEnd) {
		return false
	}
	if k.probeResent {
		for d := duplicates; len(d) >= 4; d = d[4:] {
			if tsn(binary.BigEndian.Uint32(d)) == k.probeRepeated {
				k.probing = false // both arrived: nothing was lost
				return false
			}
		}
		if cum == k.probeEnd {
			return false // the duplicate may be yet to come
		}
		repaired = true
	}
	k.probing = false
	return repaired
}
