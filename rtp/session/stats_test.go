package session

import (
	"math"
	"net/netip"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/internal/netsim"
)

// Both ends of a call agree on what was sent, lost, repaired and how long the way is.
func TestStats(t *testing.T) {
	net := netsim.New(3, testStart)
	a := &caller{local: netip.MustParseAddrPort("192.0.2.1:1"), remote: netip.MustParseAddrPort("192.0.2.2:2")}
	z := &caller{local: a.remote, remote: a.local}
	a.Session, _, a.video = newSession(t, 1, fullSections())
	z.Session, _, _ = newSession(t, 2, fullSections())
	var stream *Stream
	z.onStream = func(now time.Time, st *Stream) {
		stream = st
		st.Deliver(now, Packets)
		for _, ok := st.NextPacket(); ok; _, ok = st.NextPacket() {
		}
	}
	net.AddHost(a, netsim.Profile{Delay: 15 * time.Millisecond}, a.local.Addr())
	host := net.AddHost(z, netsim.Profile{Delay: 15 * time.Millisecond}, z.local.Addr())
	const frames, size = 300, 2000
	for i := range frames {
		net.After(time.Duration(i)*33*time.Millisecond, func() {
			switch i {
			case 50:
				host.Down.Profile.Loss = 0.1
			case 250:
				host.Down.Profile.Loss = 0
			case 290:
				stream.RequestKeyframe(net.Now())
			}
			now := net.Now()
			if err := a.video.WriteFrame(now, 0, Frame{Data: vp8Frame(size, i == 0 || i == 293), PTS: now.Sub(testStart), KeyFrame: i == 0 || i == 293}); err != nil {
				t.Fatal(err)
			}
		})
	}
	net.Run(nil, frames*33*time.Millisecond+2*time.Second)

	out, in := a.video.Stats(net.Now(), 0), stream.Stats()
	check := func(what string, got, want any) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	check("SSRC", in.SSRC, out.SSRC)
	check("SSRC of retransmissions", in.RTX, out.RTX)
	check("frames sent", out.FramesSent, uint64(frames))
	check("key frames sent", out.KeyFramesSent, uint64(2))
	check("key frames received", in.KeyFramesReceived, uint64(2))
	original := out.PacketsSent - out.RetransmittedPackets - out.ProbePackets
	check("packets", original, uint64(2*frames))
	check("packets received, all repaired", in.PacketsReceived, original)
	check("packets lost, which are those repaired", uint64(in.PacketsLost), in.RetransmittedPackets)
	check("packets sent again, as asked for", out.RetransmittedPackets > 0, true)
	check("packets given up", in.PacketsGivenUp, uint64(0))
	check("bytes, but for retransmissions", in.BytesReceived, out.BytesSent-out.RetransmittedBytes-out.ProbeBytes)
	check("NACKs", out.NACKs > 10 && out.NACKs <= in.NACKs, true)
	check("PLIs", out.PLIs == 1 && in.PLIs == 1, true)
	check("packets received, as the peer says", int64(out.Remote.PacketsReceived), int64(original)-int64(out.Remote.PacketsLost))
	check("a target", out.TargetBitrate > 300_000, true)
	check("packets lost, as the peer says", int64(out.Remote.PacketsLost), in.PacketsLost)
	check("highest number, as the peer says", uint16(out.Remote.HighestSequence), a.video.encodings[0].rewrite.next-1)
	check("round trip", math.Abs(out.Remote.RoundTripTime.Seconds()-0.060) < 0.001, true)
	check("round trip, smoothed", math.Abs(z.RTT().Seconds()-0.060) < 0.001, true)
	check("round trip of a receiver", math.Abs(in.Remote.RoundTripTime.Seconds()-0.060) < 0.001, true)
	check("packets sent, as the sender says", uint64(in.Remote.PacketsSent), original)
	check("bytes sent, as the sender says", uint64(in.Remote.BytesSent), out.BytesSent-out.RetransmittedBytes-out.ProbeBytes)
	check("jitter without any", in.Jitter < time.Millisecond, true)
	fb := a.Session.Stats(net.Now()).Feedback
	check("packets that feedback told of", fb.Packets+fb.Lost, out.PacketsSent)
	check("feedback says that as many were lost", fb.Lost, out.PacketsSent-(in.PacketsReceived-in.RetransmittedPackets)-in.RetransmittedPackets-in.UselessRepairs)
}
