package peerconnection

import (
	"net/netip"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/ice"
	"github.com/plainrtc/plainrtc/internal/netsim"
	"github.com/plainrtc/plainrtc/rtp/session"
)

// A packet that is forwarded allocates nothing of its own: it is opened where it was read,
// copied once to be kept for retransmissions, and copied and sealed for each receiver. What
// is kept is cut from slabs, of which there is one for some thirty packets.
func TestForwardingAllocatesNothing(t *testing.T) {
	source, _ := newSimCall(t, 1, netsim.Profile{Delay: time.Millisecond})
	viewer, _ := newSimCall(t, 2, netsim.Profile{Delay: time.Millisecond})
	for _, c := range []*simCall{source, viewer} {
		if !c.n.Run(func() bool { return c.got[1] > 5 }, 5*time.Second) {
			t.Fatal("the call does not connect")
		}
	}
	// The sender of a frame makes packets enough, which are then played to z one by one.
	in, out := &source.z.pc.core, &viewer.a.pc.core
	track := in.transceivers[1].receiver.track
	to := out.transceivers[1].sender
	now := source.n.Now()
	track.reads = 0 // no longer by frame
	track.use(now, relays)
	to.setTrack(track)

	const packets = 400
	var path ice.Path
	var sealed [][]byte
	from := source.tracks[1].attached()[0]
	for n := 0; len(sealed) < packets; n++ {
		now = now.Add(callFrame)
		frame := session.Frame{Data: callMessage(KindVideo, 1000+n, n%5 == 0), KeyFrame: n%5 == 0, PTS: now.Sub(simStart)}
		if err := from.rtp.WriteFrame(now, 0, frame); err != nil {
			t.Fatal(err)
		}
		for wait := range 20 {
			b, p := source.a.pc.core.AppendPacket(now.Add(time.Duration(wait)*time.Millisecond), nil)
			if len(b) > 0 && classify(b) == datagramRTP {
				sealed, path = append(sealed, b), ice.Path{Local: netip.AddrPort{}, Remote: p.Local}
			}
		}
	}
	path.Local = in.selected.Local
	path.Remote = in.selected.Remote
	i, left := 0, 0
	buffer := make([]byte, 0, 2000)
	pass := func() {
		now = now.Add(2 * time.Millisecond)
		in.Receive(now, path, sealed[i])
		i++
		for _, r := range in.relayed {
			if _, err := to.rtp.WritePacket(now, 0, r.packet); err != nil {
				t.Fatal(err)
			}
		}
		clear(in.relayed)
		in.relayed = in.relayed[:0]
		for {
			b, _ := out.AppendPacket(now, buffer[:0])
			if len(b) == 0 {
				break
			}
			if classify(b) == datagramRTP {
				left++
			}
		}
	}
	for range 100 {
		pass()
	}
	if n := testing.AllocsPerRun(280, pass); n != 0 {
		t.Errorf("a packet that is forwarded allocates %v times", n)
	}
	if left < 200 {
		t.Errorf("of %d packets that came only %d have left", i, left)
	}
}
