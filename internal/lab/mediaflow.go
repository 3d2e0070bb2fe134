package lab

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/payload"
	"github.com/plainrtc/plainrtc/rtp/rtcp"
	"github.com/plainrtc/plainrtc/rtp/session"
)

// A mediaFlow is both sessions of a call that sends video one way, and what is measured of it.
type mediaFlow struct {
	run *MediaRun
	MediaFlow
	from, to mediaEnd
	video    *session.Sender
	dice     func() float64 // at least 0 and less than 1
	frame    []byte
	key      bool // a key frame was asked for

	arrived int64 // bytes of IP packets
	media   int64 // bytes of frames, as they were made
	waits   thinned[time.Duration]
	fresh   []time.Duration // those since the last sample
	samples []MediaSample
}

// A mediaEnd is one end's session and addresses.
type mediaEnd struct {
	*session.Session
	local, remote netip.AddrPort
}

// tag is what SRTP adds to a packet. It tells here when that left.
const tag = 16

// The payload types and header extensions of the sessions.
const (
	vp8, vp8RTX               = 96, 97
	idMID, idTime, idSequence = 1, 2, 3
)

func (r *MediaRun) newMediaFlow(i int, f MediaFlow, from, to netip.Addr) *mediaFlow {
	a, z := netip.AddrPortFrom(from, 5000), netip.AddrPortFrom(to, uint16(5000+i))
	x := &mediaFlow{run: r, MediaFlow: f, key: true, dice: uniform(r.net.Rand(fmt.Sprint("frames ", i)))}
	codec := session.Codec{PayloadType: vp8, RTX: vp8RTX, Name: "VP8", Format: payload.VP8, ClockRate: 90000, NACK: true, PLI: true}
	c := session.Section{MID: "v", Kind: session.Video, ReducedSize: true}
	c.Extensions.Set(rtp.ExtMID, idMID)
	c.Extensions.Set(rtp.ExtAbsSendTime, idTime)
	switch r.e.Feedback {
	case PerStream:
		codec.CCFB = true
	case Estimates:
		codec.REMB = true
	default:
		codec.TWCC = true
		c.Extensions.Set(rtp.ExtTransportSequence, idSequence)
	}
	c.Send, c.Receive = []session.Codec{codec}, []session.Codec{codec}
	make := func(name string) *session.Session {
		s := session.New(session.Config{Rand: r.net.Rand(fmt.Sprint(name, i)), CNAME: name})
		if err := s.Configure(r.start, c); err != nil {
			panic("BUG: " + err.Error())
		}
		return s
	}
	x.from, x.to = mediaEnd{make("sender"), a, z}, mediaEnd{make("receiver"), z, a}
	video, err := x.from.AddSender(r.start, "v", []session.Encoding{{Active: true, MaxBitrate: f.Max}})
	if err != nil {
		panic("BUG: " + err.Error())
	}
	x.video = video
	r.net.After(f.Begin, x.shoot)
	return x
}

// uniform returns what throws dice.
func uniform(source interface{ Uint64() uint64 }) func() float64 {
	return func() float64 { return float64(source.Uint64()>>11) / (1 << 53) }
}

// shoot makes a frame, as large as it may be, more or less: encoders miss their targets by as much.
func (x *mediaFlow) shoot() {
	r := x.run
	now := r.net.Now()
	r.net.After(time.Second/frameRate, x.shoot)
	at := r.since(now)
	if x.Pause > 0 && at >= x.Pause && at < x.Resume {
		return
	}
	target := x.video.TargetBitrate(now, 0)
	size := float64(target) / 8 / frameRate * (0.8 + 0.4*x.dice())
	if x.key {
		size *= 3
	}
	n := max(int(size), 20)
	if cap(x.frame) < n {
		x.frame = make([]byte, 2*n)
	}
	x.frame = x.frame[:n]
	// RFC 7741, Section 4.3: a frame's first bit is 0 in a key frame, which has a start code.
	copy(x.frame, []byte{1, 0, 0})
	if x.key {
		copy(x.frame, []byte{0x10, 0, 0, 0x9d, 0x01, 0x2a})
	}
	if err := x.video.WriteFrame(now, 0, session.Frame{Data: x.frame, PTS: at, KeyFrame: x.key}); err != nil {
		r.fail(err)
	}
	x.media += int64(n)
	x.key = false
}

// append appends what an end has to send, and when it left.
func (x *mediaFlow) append(now time.Time, e *mediaEnd, b []byte) []byte {
	start := len(b)
	if b = e.AppendPacket(now, b); len(b) == start {
		return b
	}
	b = binary.BigEndian.AppendUint64(b, 0)
	return binary.BigEndian.AppendUint64(b, uint64(now.UnixNano()))
}

// receive takes a packet that reached an end.
func (x *mediaFlow) receive(now time.Time, e *mediaEnd, b []byte) {
	packet := b[:len(b)-tag]
	if e == &x.to {
		left := time.Unix(0, int64(binary.BigEndian.Uint64(b[len(b)-8:])))
		x.arrived += int64(len(b) + headers)
		wait := max(0, now.Sub(left)-x.run.least(now, len(b))-x.RTT/2)
		x.waits.add(wait)
		x.fresh = append(x.fresh, wait)
	}
	if rtcp.Is(packet) {
		e.ReceiveRTCP(now, packet)
	} else {
		e.ReceiveRTP(now, packet)
	}
	x.drain(now, e)
}

// drain takes what an end has for its user: nobody looks at pictures here.
func (x *mediaFlow) drain(now time.Time, e *mediaEnd) {
	for v, ok := e.NextEvent(); ok; v, ok = e.NextEvent() {
		switch v := v.(type) {
		case session.KeyframeRequested:
			x.key = true
		case session.StreamStarted:
			v.Stream.Deliver(now, session.Nothing)
		}
	}
}

// sample looks at the flow.
func (x *mediaFlow) sample(now time.Time) {
	queue := time.Duration(-1)
	if len(x.fresh) > 0 {
		slices.Sort(x.fresh)
		queue = x.fresh[len(x.fresh)/2]
	}
	x.fresh = x.fresh[:0]
	target := 0
	if at := x.run.since(now); at >= x.Begin && (x.Pause == 0 || at < x.Pause || at >= x.Resume) {
		target = x.video.TargetBitrate(now, 0)
	}
	x.samples = append(x.samples, MediaSample{At: x.run.since(now), Target: float64(target), Arrived: x.arrived, Queue: queue})
}

// A mediaHost is a node of the simulated network with ends of flows, of media and of data.
type mediaHost struct {
	flows []*mediaFlow
	data  *host // or nil
	sink  bool
}

func (h *mediaHost) end(x *mediaFlow) *mediaEnd {
	if h.sink {
		return &x.to
	}
	return &x.from
}

func (h *mediaHost) Receive(now time.Time, local, remote netip.AddrPort, b []byte) {
	for _, x := range h.flows {
		if e := h.end(x); e.local == local && e.remote == remote {
			x.receive(now, e, b)
			return
		}
	}
	if h.data != nil {
		h.data.Receive(now, local, remote, b)
	}
}

func (h *mediaHost) Advance(now time.Time) {
	for _, x := range h.flows {
		if e := h.end(x); due(e.NextTimeout(), now) {
			e.Advance(now)
			x.drain(now, e)
		}
	}
	if h.data != nil {
		h.data.Advance(now)
	}
}

func due(at, now time.Time) bool { return !at.IsZero() && !at.After(now) }

func (h *mediaHost) AppendPacket(now time.Time, b []byte) ([]byte, netip.AddrPort, netip.AddrPort) {
	for _, x := range h.flows {
		e := h.end(x)
		start := len(b)
		if b = x.append(now, e, b); len(b) > start {
			return b, e.local, e.remote
		}
	}
	if h.data != nil {
		return h.data.AppendPacket(now, b)
	}
	return b, netip.AddrPort{}, netip.AddrPort{}
}

func (h *mediaHost) NextTimeout() time.Time {
	var next time.Time
	if h.data != nil {
		next = h.data.NextTimeout()
	}
	for _, x := range h.flows {
		if t := h.end(x).NextTimeout(); !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	return next
}
