package interop

import (
	"net/netip"
	"regexp"
	"testing"

	"github.com/plainrtc/plainrtc/peerconnection"
)

// available is what the browser takes its path to carry, in bit/s; 0: it does not say.
func (c *mediaCall) available() (bitrate float64) {
	c.t.Helper()
	c.do(&bitrate, `
		for (const s of (await pc.getStats()).values()) {
			if (s.type === "candidate-pair" && s.nominated && s.availableOutgoingBitrate) return s.availableOutgoingBitrate;
		}
		return 0`)
	return bitrate
}

// A browser that has no transport-wide feedback is told by REMB what it may send: when its packets queue up on a path that
// loses none, nothing else can tell it.
func TestBrowserFollowsREMB(t *testing.T) {
	c := newMediaCall(t, openMediaPage(t, "Chromium"), peerconnection.Config{Addresses: []netip.Addr{hostAddress(t)}})
	path := through(t, c)
	withoutCandidates := c.fromPage
	transportWide := regexp.MustCompile(`(?m)^a=(rtcp-fb:\d+ transport-cc|extmap:\d+ http://www\.ietf\.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01)\r\n`)
	c.fromPage = func(sdp string) string { return transportWide.ReplaceAllString(withoutCandidates(sdp), "") }
	c.do(nil, `pc.addTransceiver(stream.getVideoTracks()[0], {direction: "sendonly"}).setCodecPreferences(codecsOf("video", "video/VP8").concat(codecsOf("video", "video/rtx")))`)
	c.answerWith(nil)
	c.connected()
	c.until("the browser is told what it may send", func() bool { return c.available() > 0 })
	before := c.available()
	// Chromium begins with 300 kbit/s, and goes below that for a reason only.
	path.narrow(100_000)
	c.until("the browser sends less", func() bool { return c.available() < 200_000 })
	after := c.available()
	path.narrow(0)
	if v := c.pc.Stats().InboundRTP[0]; v.PacketsLost*20 > int64(v.PacketsReceived) {
		t.Errorf("%d packets were lost of %d: it may have been they", v.PacketsLost, v.PacketsReceived)
	}
	t.Logf("the browser takes its path to carry %.0f, and %.0f when it carries 100,000", before, after)
}

// With a browser's feedback we know what the path carries, and probe for more than is sent.
func TestBrowserFeedsBack(t *testing.T) {
	for _, name := range []string{"Chromium", "Firefox"} {
		t.Run(name, func(t *testing.T) {
			c := newMediaCall(t, openMediaPage(t, name), peerconnection.Config{})
			track := peerconnection.NewTrack(peerconnection.KindVideo, "clip")
			// Who says how much he could send is probed for it again when a probe has shown nothing, as on a busy machine.
			x, err := c.pc.AddTransceiver(track, &peerconnection.TransceiverInit{
				SendEncodings: []peerconnection.EncodingParameters{{MaxBitrate: 1_000_000}},
			})
			if err != nil {
				t.Fatal(err)
			}
			sender := x.Sender()
			if got := sender.TargetBitrate(""); got != 0 {
				t.Errorf("before anything is negotiated the target is %d", got)
			}
			c.offer(nil)
			c.connected()
			clip := clipNamed(t, "vp8.ivf")
			go perform(c.ctx, track, readClip(t, clip, encoded(t, clip)))
			most := 0
			c.until("the target is above the 300 kbit/s that it begins with", func() bool {
				most = max(most, sender.TargetBitrate(""))
				return most > 310_000
			})
			s := c.pc.Stats()
			out := s.OutboundRTP[0]
			c.until("there are statistics of it", func() bool {
				s = c.pc.Stats()
				out = s.OutboundRTP[0]
				return out.TargetBitrate > 0 && out.FrameWidth > 0 && len(s.RemoteInboundRTP) > 0 && s.RemoteInboundRTP[0].PacketsReceived > 0
			})
			t.Logf("target %d, pictures of %d × %d, %d packets sent, %d of them again, %d received",
				most, out.FrameWidth, out.FrameHeight, out.PacketsSent, out.RetransmittedPacketsSent+out.ProbePacketsSent, s.RemoteInboundRTP[0].PacketsReceived)
		})
	}
}
