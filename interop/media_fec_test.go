package interop

import (
	"context"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"github.com/plainrtc/plainrtc/interop/browser"
	"github.com/plainrtc/plainrtc/peerconnection"
)

// withoutNACK takes retransmissions out of a description.
func withoutNACK(sdp string) string {
	return regexp.MustCompile(`(?m)^a=rtcp-fb:\S+ nack\r\n`).ReplaceAllString(sdp, "")
}

// One datagram of ten is lost each way, nothing is sent again, and both we and the browser
// recover what was lost: by ULPFEC in RED, by FlexFEC, by redundant audio.
func TestLossIsRecovered(t *testing.T) {
	for _, test := range []struct {
		name, browser, trial string
		mimeTypes            []string // as the page prefers them
		clip                 string
	}{
		{name: "ULPFEC, Chromium", browser: "Chromium", mimeTypes: []string{"video/VP8", "video/red", "video/ulpfec"}, clip: "vp8.ivf"},
		{name: "ULPFEC, Firefox", browser: "Firefox", mimeTypes: []string{"video/VP8", "video/red", "video/ulpfec"}, clip: "vp8.ivf"},
		{name: "FlexFEC, Chromium", browser: "Chromium", mimeTypes: []string{"video/VP8", "video/flexfec-03"}, clip: "vp8.ivf",
			trial: "--force-fieldtrials=WebRTC-FlexFEC-03-Advertised/Enabled/WebRTC-FlexFEC-03/Enabled/"},
		{name: "redundant audio, Chromium", browser: "Chromium", mimeTypes: []string{"audio/red", "audio/opus"}, clip: "mono.ogg"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			page := openMediaPageOf(t, test.browser, test.trial)
			c := newMediaCall(t, page, peerconnection.Config{Addresses: []netip.Addr{hostAddress(t)}})
			path := through(t, c)
			toPage, fromPage := c.toPage, c.fromPage
			c.toPage = func(sdp string) string { return withoutNACK(toPage(sdp)) }
			c.fromPage = func(sdp string) string { return withoutNACK(fromPage(sdp)) }
			c.do(nil, `
				const [kind] = args[0][0].split("/");
				pc.addTransceiver(stream.getTracks().find(t => t.kind === kind)).setCodecPreferences(args[0].flatMap(m => codecsOf(kind, m)))`, test.mimeTypes)
			kind := peerconnection.Kind(test.mimeTypes[0][:5])
			track := peerconnection.NewTrack(kind, "clip")
			c.answerWith(func() {
				x := c.pc.Transceivers()[0]
				if err := x.Sender().ReplaceTrack(track); err != nil {
					t.Fatal(err)
				}
				if err := x.SetDirection(peerconnection.DirectionSendRecv); err != nil {
					t.Fatal(err)
				}
			})
			for _, mimeType := range test.mimeTypes {
				if _, name, _ := strings.Cut(mimeType, "/"); !strings.Contains(c.pc.LocalDescription().SDP, " "+name+"/") {
					t.Fatalf("%s is not negotiated:\n%s", mimeType, c.pc.LocalDescription().SDP)
				}
			}
			r := record(c.ctx, c.pc.Transceivers()[0].Receiver().Track())
			c.connected()
			clip := clipNamed(t, test.clip)
			playing, stop := context.WithCancel(c.ctx)
			played := make(chan error)
			go func() { played <- perform(playing, track, readClip(t, clip, encoded(t, clip))) }()
			c.until("both sides receive", func() bool {
				in := c.received()
				return r.count() > 10 && len(in) > 0 && (in[0].FramesDecoded > 10 || in[0].TotalSamplesDuration > 0.5)
			})
			path.loseEach(10)
			var in peerconnection.InboundRTPStats
			var theirs pageStream
			c.until("both sides have recovered packets", func() bool {
				in, theirs = c.pc.Stats().InboundRTP[0], c.received()[0]
				switch {
				case in.PacketsRepaired < 5:
					return false
				case strings.HasPrefix(test.name, "FlexFEC"):
					return theirs.FECPacketsReceived-theirs.FECPacketsDiscarded >= 5
				case kind == peerconnection.KindAudio:
					// libwebrtc calls what is repeated and was there discarded packets: each packet has one.
					return theirs.PacketsLost >= 5 && theirs.PacketsReceived-theirs.PacketsDiscarded >= 5
				}
				return c.showsAll()
			})
			shown, heard, recorded := theirs.FramesDecoded, theirs.TotalSamplesDuration, r.count()
			c.until("media goes on", func() bool {
				s := c.received()[0]
				return (s.FramesDecoded > shown+10 || s.TotalSamplesDuration > heard+0.5) && r.count() > recorded+10
			})
			path.loseEach(0)
			stop()
			if err := <-played; err != context.Canceled {
				t.Error(err)
			}
			in, theirs = c.pc.Stats().InboundRTP[0], c.received()[0]
			t.Logf("%d datagrams lost; we: %d packets of %s, %d lost, %d repair packets, %d of no use, %d recovered, %d PLI; the browser: %d packets of %s, %d lost, %d repair packets, %d of no use, %d pictures, %.0f samples concealed, %d PLI",
				path.lost, in.PacketsReceived, r.codec.Name, in.PacketsLost, in.FECPacketsReceived, in.FECPacketsDiscarded, in.PacketsRepaired, in.PLICount,
				theirs.PacketsReceived, theirs.Codec, theirs.PacketsLost, theirs.FECPacketsReceived, theirs.FECPacketsDiscarded, theirs.FramesDecoded, theirs.ConcealedSamples, theirs.PLICount)
			if in.RetransmittedPacketsReceived > 0 || in.NACKCount > 0 {
				t.Errorf("%d packets were sent again, and %d NACK asked for them", in.RetransmittedPacketsReceived, in.NACKCount)
			}
			if flex := strings.Contains(test.name, "FlexFEC"); (in.FECSSRC != 0) != flex {
				t.Errorf("repair packets are of SSRC %d", in.FECSSRC)
			}
		})
	}
}

// showsAll watches what we send for two seconds, and reports whether the browser shows nine of ten
// pictures. With what is lost, and a clip that goes on for eight pictures after each key frame,
// it shows half of them if it does not recover any.
func (c *mediaCall) showsAll() bool {
	c.t.Helper()
	sent, shown := c.pc.Stats().OutboundRTP[0].FramesSent, c.received()[0].FramesDecoded
	var after uint64
	c.until("forty pictures were sent", func() bool {
		after = c.pc.Stats().OutboundRTP[0].FramesSent
		return after >= sent+40
	})
	return 10*(c.received()[0].FramesDecoded-shown) >= 9*int(after-sent)
}

// openMediaPageOf opens a page for calls in a browser, that of a field trial if there is one.
func openMediaPageOf(t *testing.T, name, trial string) *browser.Page {
	t.Helper()
	if trial == "" {
		return openMediaPage(t, name)
	}
	page := browser.Chromium(t, trial).Open(t, mediaJS, callJS)
	allowCamera(t, page)
	return page
}
