package session

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/internal/netsim"
	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/rtcp"
)

// A hop is a host with two sessions: what it receives in one, of one of two layers, it passes on
// in the other.
type hop struct {
	in, out        *Session
	local          netip.AddrPort
	source, viewer netip.AddrPort
	video          *Sender
	wanted, shown  string // layers
	streams        map[string]*Stream
}

func (h *hop) Receive(now time.Time, _, remote netip.AddrPort, b []byte) {
	s := h.in
	if remote == h.viewer {
		s = h.out
	}
	if rtcp.Is(b) {
		s.ReceiveRTCP(now, b)
	} else {
		s.ReceiveRTP(now, b)
	}
	h.drain(now)
}

func (h *hop) Advance(now time.Time) {
	h.in.Advance(now)
	h.out.Advance(now)
	h.drain(now)
}

func (h *hop) NextTimeout() time.Time {
	a, b := h.in.NextTimeout(), h.out.NextTimeout()
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func (h *hop) AppendPacket(now time.Time, b []byte) ([]byte, netip.AddrPort, netip.AddrPort) {
	if p := h.in.AppendPacket(now, b); len(p) > len(b) {
		return p, h.local, h.source
	}
	return h.out.AppendPacket(now, b), h.local, h.viewer
}

func (h *hop) drain(now time.Time) {
	for e, ok := h.in.NextEvent(); ok; e, ok = h.in.NextEvent() {
		switch e := e.(type) {
		case StreamStarted:
			e.Stream.Deliver(now, Packets)
			h.streams[e.Stream.RID] = e.Stream
		}
	}
	for st, ok := h.in.NextStream(); ok; st, ok = h.in.NextStream() {
		for p, ok := st.NextPacket(); ok; p, ok = st.NextPacket() {
			// The layer that was shown goes on until the wanted one has a key frame.
			if st.RID == h.wanted && p.Start && p.Key {
				h.shown = h.wanted
			}
			if st.RID == h.shown {
				if _, err := h.video.WritePacket(now, 0, p); err != nil {
					panic(err)
				}
			}
		}
	}
	for e, ok := h.out.NextEvent(); ok; e, ok = h.out.NextEvent() {
		if e, ok := e.(KeyframeRequested); ok && e.Sender == h.video && h.streams[h.shown] != nil {
			h.streams[h.shown].RequestKeyframe(now)
		}
	}
}

// TestForwarding passes two layers of a simulcast on, in turns, over two lossy paths. The viewer sees
// one stream, of which every frame can be decoded.
func TestForwarding(t *testing.T) {
	seeds := uint64(150)
	if testing.Short() {
		seeds = 30
	}
	frames, switches := 0, 0
	for seed := range seeds {
		n, m := forward(t, seed+1)
		frames, switches = frames+n, switches+m
		if t.Failed() {
			t.Fatalf("seed %d", seed+1)
		}
	}
	t.Logf("%d frames, %d switches", frames, switches)
	if frames < int(seeds)*110 || switches < int(seeds)*3 {
		t.Errorf("%d frames and %d switches were seen in %d runs", frames, switches, seeds)
	}
}

func forward(t *testing.T, seed uint64) (frames, switches int) {
	net := netsim.New(seed, testStart)
	dice := rand.New(net.Rand("test"))
	a := &caller{local: netip.MustParseAddrPort("192.0.2.1:1"), remote: netip.MustParseAddrPort("192.0.2.2:2")}
	z := &caller{local: netip.MustParseAddrPort("192.0.2.3:3"), remote: a.remote}
	h := &hop{local: a.remote, source: a.local, viewer: z.local, wanted: "l", shown: "l", streams: map[string]*Stream{}}

	layers := fullSections()[1]
	layers.RIDs = []string{"h", "l"}
	plain := fullSections()[1]
	plain.Extensions = rtp.ExtensionMap{} // other ids than the source has
	plain.Extensions.Set(rtp.ExtMID, 12)
	plain.Extensions.Set(rtp.ExtTransportSequence, 3)
	for _, o := range []struct {
		s    **Session
		name string
		c    Section
	}{{&a.Session, "a", layers}, {&h.in, "in", layers}, {&h.out, "out", plain}, {&z.Session, "z", plain}} {
		*o.s = New(Config{Rand: net.Rand(o.name), CNAME: o.name})
		if err := (*o.s).Configure(testStart, o.c); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if a.video, err = a.AddSender(testStart, "v", []Encoding{{RID: "h", Active: true}, {RID: "l", Active: true}}); err != nil {
		t.Fatal(err)
	}
	if h.video, err = h.out.AddSender(testStart, "v", []Encoding{{Active: true}}); err != nil {
		t.Fatal(err)
	}
	var last uint32
	var shown byte
	z.onStream = func(now time.Time, st *Stream) {
		st.Deliver(now, Frames)
		for f, ok := st.NextFrame(now); ok; f, ok = st.NextFrame(now) {
			frames++
			layer, number := f.Data[8], binary.BigEndian.Uint32(f.Data[4:])
			if !f.KeyFrame && (layer != shown || number != last+1) {
				t.Errorf("frame %d of layer %d follows frame %d of layer %d: it cannot be decoded", number, layer, last, shown)
			}
			if layer != shown {
				switches++
			}
			shown, last = layer, number
		}
	}
	const count = 150
	keys := [2]bool{true, true}
	var numbers [2]uint32
	for i := range count {
		net.After(time.Duration(i)*33*time.Millisecond, func() {
			now := net.Now()
			for e, ok := a.NextEvent(); ok; e, ok = a.NextEvent() {
				if e, ok := e.(KeyframeRequested); ok {
					keys[e.Encoding] = true
				}
			}
			for layer := range 2 {
				numbers[layer]++
				f := simFrame(dice, numbers[layer], keys[layer])
				f[8] = byte(layer + 1)
				if err := a.video.WriteFrame(now, layer, Frame{Data: f, PTS: now.Sub(testStart), KeyFrame: keys[layer]}); err != nil {
					t.Fatal(err)
				}
				keys[layer] = false
			}
			if i%25 == 24 {
				h.wanted = map[string]string{"h": "l", "l": "h"}[h.wanted]
				if st := h.streams[h.wanted]; st != nil {
					st.RequestKeyframe(now)
				}
			}
		})
	}
	path := func() netsim.Profile {
		return netsim.Profile{
			Delay: time.Duration(1+dice.IntN(20)) * time.Millisecond, Jitter: 2 * time.Millisecond,
			Loss: 0.05 * dice.Float64(), Duplicate: 0.01, Reorder: 0.03, ReorderBy: 5 * time.Millisecond,
		}
	}
	net.AddHost(&keyed{a, &keys}, path(), a.local.Addr())
	net.AddHost(h, netsim.Profile{}, h.local.Addr())
	net.AddHost(z, path(), z.local.Addr())
	net.Run(nil, count*33*time.Millisecond+time.Second)
	return frames, switches
}

// keyed is a caller that notes which of its layers need key frames.
type keyed struct {
	*caller
	keys *[2]bool
}

func (k *keyed) Receive(now time.Time, _, _ netip.AddrPort, b []byte) {
	(&end{Session: k.Session}).Receive(now, b)
	k.note()
}

func (k *keyed) Advance(now time.Time) {
	k.Session.Advance(now)
	k.note()
}

func (k *keyed) note() {
	for e, ok := k.NextEvent(); ok; e, ok = k.NextEvent() {
		if e, ok := e.(KeyframeRequested); ok {
			k.keys[e.Encoding] = true
		}
	}
}
