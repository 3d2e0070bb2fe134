package session

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/fec"
)

// A protection makes repair packets for what an encoding of video sends, as many as the
// peer's reports of loss call for: none while nothing is lost.
//
// What is protected together is a group: a frame, or up to three small ones, so that one repair
// packet is not for one packet; of a frame that is larger than the masks reach, its parts. The
// repair packets stand behind the frame, for in the midst of it they would look like a hole
// in ULPFEC, where they take sequence numbers of the media.
type protection struct {
	red, ulp, flex *Codec // as negotiated; nil: not
	loss           float64

	opened   uint16 // the group that packets go into; 0: none
	packets  int    // of it
	frames   int
	latest   uint16  // the highest number of a group
	due      float64 // repair packets that rounding has left out
	groups   [protectedGroups]protectedGroup
	sequence uint16 // of the FlexFEC stream
	sent     uint64
}

// protectedGroups is how many groups a frame may have that is protected: it has 184 packets.
// What it has beyond is not.
const protectedGroups = 4

// A protectedGroup is the packets that left of a group.
type protectedGroup struct {
	number    uint16
	timestamp uint32 // of the last packet
	encoder   fec.Encoder
}

const (
	// At a loss of p, there is a repair packet for 1/(protectionFactor·p) packets, so that one group in
	// six loses a packet, and one in eighty more than one, which is too many. It is never for more than
	// 1/leastProtection, since losses come together.
	protectionFactor = 6
	leastProtection  = 0.1
	// leastLoss is what nothing is done about.
	leastLoss = 0.005
	// maxProtection is the most repair packets for one of media. More would be sending everything
	// twice.
	maxProtection = 0.5
	// maxProtectedFrames bounds how long a packet waits for its repair packet.
	maxProtectedFrames = 3
	// repairedSoon is the round trip up to which retransmissions are as good as repair packets, and are
	// only sent for what was lost.
	repairedSoon = 100 * time.Millisecond
)

// configure takes over what negotiation says: FlexFEC, or else ULPFEC in RED.
func (p *protection) configure(e *encoding, c *section) {
	p.red, p.ulp, p.flex = nil, nil, nil
	if c.Kind != Video {
		return
	}
	for i := range c.Send {
		switch codec := &c.Send[i]; codec.role() {
		case redundant:
			p.red = codec
		case ulpfec:
			p.ulp = codec
		case flexfec:
			p.flex = codec
		}
	}
	format := fec.ULP
	if p.flex != nil {
		format, p.red, p.ulp = fec.Flex, nil, nil
		if e.FEC == 0 {
			e.FEC = e.sender.session.NewSSRC()
		}
	}
	if p.red == nil || p.ulp == nil {
		p.red, p.ulp = nil, nil
	}
	for i := range p.groups {
		p.groups[i].number = 0
		p.groups[i].encoder.Format, p.groups[i].encoder.Extensions = format, c.ids
	}
	p.opened = 0
}

// reported takes the peer's report of the share of packets that were lost lately: what is lost now
// counts at once, and is forgotten slowly, for losses come together.
func (p *protection) reported(loss float64) {
	if loss > p.loss {
		p.loss = (p.loss + loss) / 2
	} else {
		p.loss -= (p.loss - loss) / 8
	}
}

// protect is how many repair packets there should be for one of media.
func (e *encoding) protect() float64 {
	p := &e.protection
	if p.ulp == nil && p.flex == nil || p.loss < leastLoss {
		return 0
	}
	if e.codec.NACK && e.codec.RTX != 0 && e.sender.session.rtt.orDefault() < repairedSoon {
		return 0
	}
	return min(max(protectionFactor*p.loss, leastProtection), maxProtection)
}

// beginFrame decides whether a frame's packets are protected.
func (p *protection) beginFrame(e *encoding) {
	if p.opened == 0 && e.protect() > 0 {
		p.open()
	}
}

func (p *protection) open() {
	if p.latest++; p.latest > math.MaxUint16-256 {
		p.latest = 1 // 0 stands for none, and a frame has a few
	}
	p.opened, p.packets, p.frames = p.latest, 0, 0
	p.due = min(max(p.due, -1), 1)
}

// take returns the group of the next packet; 0: it is not protected.
func (p *protection) take(e *encoding) uint16 {
	if p.opened == 0 || p.packets == protectedGroups*fec.MaxGroup {
		return 0
	}
	p.packets++
	return p.opened + uint16((p.packets-1)/fec.MaxGroup)
}

// endFrame has the repair packets of the group sent behind the frame, unless it waits for
// another.
func (p *protection) endFrame(e *encoding) {
	if p.opened == 0 {
		return
	}
	p.frames++
	rate := e.protect()
	if p.frames < maxProtectedFrames && rate*float64(p.packets) < 1 && 2*p.packets < fec.MaxGroup {
		return
	}
	for number := p.opened; p.packets > 0; number++ {
		size := min(p.packets, fec.MaxGroup)
		p.packets -= size
		p.latest = number
		p.due += rate * float64(size)
		n := min(max(int(math.Round(p.due)), 1), size)
		p.due -= float64(n)
		for i := range n {
			w := waiting{e: e, size: int32(e.sender.session.cfg.MTU), group: number, index: uint8(i), of: uint8(n)}
			if p.flex == nil {
				w.sequence = e.rewrite.append()
			}
			e.sender.session.queue.pushPaced(w)
		}
	}
	p.opened = 0
}

// left takes a packet that leaves, as it is without RED.
func (p *protection) left(v *slot, header, body []byte, mtu int) {
	g := &p.groups[v.group%protectedGroups]
	if g.number != v.group {
		g.number = v.group
		g.encoder.Reset()
	}
	// What others have made may be as large as the path lets through.
	if len(header)+len(body)+fec.Overhead <= mtu && g.encoder.Add(header, body) {
		g.timestamp = v.timestamp
	}
}

// appendRepair builds a repair packet as it leaves. There is none when none of its packets has.
func (s *Session) appendRepair(now time.Time, b []byte, w waiting) []byte {
	e, start := w.e, len(b)
	p := &e.protection
	g := &p.groups[w.group%protectedGroups]
	if g.number != w.group || g.encoder.Len() <= int(w.index) || p.flex == nil && p.ulp == nil {
		return b
	}
	h := rtp.Header{SSRC: e.SSRC, SequenceNumber: w.sequence, Timestamp: g.timestamp}
	if p.flex != nil {
		h.PayloadType, h.SSRC, h.SequenceNumber = p.flex.PayloadType, e.FEC, p.sequence
		p.sequence++
	} else {
		h.PayloadType = p.red.PayloadType
	}
	x := rtp.NewBuilder(b, h)
	if !e.heard && p.flex == nil {
		e.identify(&x, false)
	}
	number, numbered := s.stampDeparture(now, &x, e)
	b = x.Bytes()
	body := len(b)
	if p.flex == nil {
		b = append(b, p.ulp.PayloadType)
	}
	b = g.encoder.AppendRepair(b, int(w.index), int(w.of))
	p.sent++
	e.stats.packets++
	e.stats.bytes += uint64(len(b) - body)
	e.stats.headerBytes += uint64(body - start)
	e.stats.last = now
	if p.flex == nil {
		e.report.packets++
		e.report.octets += uint32(len(b) - body)
		e.report.latest = now
	}
	if numbered {
		s.congestion.Sent(now, number, len(b)-start)
	}
	return b
}

// stampDeparture adds the header extensions that say when a packet leaves.
func (s *Session) stampDeparture(now time.Time, x *rtp.Builder, e *encoding) (number uint16, numbered bool) {
	if id := e.ids.ID(rtp.ExtAbsSendTime); id != 0 {
		rtp.NewAbsSendTime(now).Put(x.Reserve(id, 3))
	}
	number, numbered = 0, s.numbered
	if id := e.ids.ID(rtp.ExtTransportSequence); id != 0 {
		number, numbered = s.nextNumber(), true
		binary.BigEndian.PutUint16(x.Reserve(id, 2), number)
	} else if numbered {
		number = s.nextNumber()
	}
	return number, numbered
}
