package interop

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/peerconnection"
	"github.com/plainrtc/plainrtc/rtp/mediafile"
)

// Each codec that a browser has goes both ways at once: it decodes every picture of
// a clip that we play, and ffmpeg decodes every one of its camera's that we record.
// Whoever answers is the client of DTLS: media that can be decoded shows that the
// keys are right in both roles.
func TestMediaBothWays(t *testing.T) {
	for _, name := range []string{"Chromium", "Firefox"} {
		t.Run(name, func(t *testing.T) {
			page := openMediaPage(t, name)
			for _, weOffer := range []bool{false, true} {
				t.Run(map[bool]string{false: "it offers", true: "we offer"}[weOffer], func(t *testing.T) {
					// Sockets lose what a process does not read in time that is not run for a second.
					for try := range 3 {
						lost := datagramsLost(t)
						arrived := bothWays(t, newMediaCall(t, page, peerconnection.Config{}), weOffer, func() bool {
							return try == 2 || datagramsLost(t) == lost
						})
						if arrived {
							return
						}
						t.Log("this host's sockets have lost datagrams meanwhile: once more")
					}
				})
			}
		})
	}
}

// A mediaClip is what we play for a codec.
type mediaClip struct{ mimeType, clip string }

var mediaClips = []mediaClip{
	{"audio/opus", "mono.ogg"}, {"audio/PCMU", "pcmu.wav"},
	{"video/VP8", "vp8.ivf"}, {"video/VP9", "vp9.ivf"}, {"video/H264", "h264.h264"}, {"video/AV1", "av1.ivf"},
}

// pageCodecs are those of mediaClips that the browser has.
func (c *mediaCall) pageCodecs() (mimeTypes []string) {
	c.t.Helper()
	for _, m := range mediaClips {
		var has bool
		c.do(&has, `return codecsOf(args[0], args[1]).length > 0`, m.mimeType[:5], m.mimeType)
		if !has {
			c.t.Logf("the browser does not have %s", m.mimeType)
			continue
		}
		mimeTypes = append(mimeTypes, m.mimeType)
	}
	return mimeTypes
}

// bothWays returns false if something got lost in a time that was not fair.
func bothWays(t *testing.T, c *mediaCall, weOffer bool, fair func() bool) bool {
	mimeTypes := c.pageCodecs()
	var frames [][]mediafile.Frame
	for _, mimeType := range mimeTypes {
		clip := clipNamed(t, mediaClips[slices.IndexFunc(mediaClips, func(m mediaClip) bool { return m.mimeType == mimeType })].clip)
		frames = append(frames, readClip(t, clip, encoded(t, clip)))
		if weOffer {
			kind := peerconnection.Kind(mimeType[:5])
			x, err := c.pc.AddTransceiverOf(kind, nil)
			if err != nil {
				t.Fatal(err)
			}
			codecs := slices.DeleteFunc(peerconnection.Capabilities(kind).Codecs, func(c peerconnection.Codec) bool {
				return !strings.EqualFold(c.MimeType, mimeType)
			})
			if err := x.SetCodecPreferences(codecs); err != nil {
				t.Fatal(err)
			}
		}
	}
	tracks := make([]*peerconnection.Track, len(mimeTypes))
	give := func() {
		for i, x := range c.pc.Transceivers() {
			tracks[i] = peerconnection.NewTrack(x.Kind(), mimeTypes[i])
			if err := x.Sender().ReplaceTrack(tracks[i]); err != nil {
				t.Fatal(err)
			}
			if err := x.SetDirection(peerconnection.DirectionSendRecv); err != nil {
				t.Fatal(err)
			}
		}
	}
	if weOffer {
		give()
		c.do(nil, `pc.answering = async () => {
			for (const t of pc.getTransceivers()) {
				const kind = t.receiver.track.kind;
				t.direction = "sendrecv";
				if (kind === "video") {
					const p = t.sender.getParameters();
					p.encodings[0].scaleResolutionDownBy = 4;
					await t.sender.setParameters(p);
				}
				await t.sender.replaceTrack(stream.getTracks().find(t => t.kind === kind).clone());
			}
		}`)
		c.offer(nil)
	} else {
		c.do(nil, `addCodecs(pc, args[0])`, mimeTypes)
		c.answerWith(give)
	}
	var recordings []*recording
	for _, x := range c.pc.Transceivers() {
		recordings = append(recordings, record(c.ctx, x.Receiver().Track()))
	}
	c.connected()
	playing, stop := context.WithCancel(c.ctx)
	errs := make(chan error)
	for i, track := range tracks {
		go func() { errs <- perform(playing, track, frames[i]) }()
	}
	c.watch(2 * time.Second)
	stop()
	for range tracks {
		if err := <-errs; err != context.Canceled {
			t.Error(err)
		}
	}

	// The clips are over: what was sent is all there will be.
	var sent []peerconnection.OutboundRTPStats
	missing, over := "", time.Now()
	c.page.OnFailure(func() string { return missing })
	c.until("the browser has all of the clips", func() bool {
		sent, missing = c.pc.Stats().OutboundRTP, ""
		for i, s := range c.received() {
			if s.PacketsReceived < packetsOnce(sent[i]) || s.Kind == "video" && s.FramesDecoded+s.FramesDropped < int(sent[i].FramesSent) {
				missing += fmt.Sprintf("%s: we sent %+v, the browser has %+v\n", mimeTypes[i], sent[i], s)
			}
		}
		return missing == "" || time.Since(over) > 10*time.Second && !fair()
	})
	if missing != "" {
		return false
	}
	for i, s := range c.received() {
		want, packets, pictures := mimeTypes[i], packetsOnce(sent[i]), int(sent[i].FramesSent)
		t.Logf("%s at the browser: %d packets, %d lost, %d pictures of %d × %d, %d dropped, %d freezes; %.2f s of sound, %.0f samples concealed",
			want, s.PacketsReceived, s.PacketsLost, s.FramesDecoded, s.FrameWidth, s.FrameHeight, s.FramesDropped, s.FreezeCount, s.TotalSamplesDuration, s.ConcealedSamples)
		switch {
		case !strings.EqualFold(s.Codec, want):
			t.Errorf("the browser receives %s, want %s", s.Codec, want)
		case s.PacketsLost != 0 && !fair():
			return false
		case s.PacketsLost != 0 || s.PacketsReceived < packets:
			t.Errorf("%s: we sent %d packets, the browser has %d and lost %d", want, packets, s.PacketsReceived, s.PacketsLost)
		case s.Kind == "video" && (s.FramesDecoded+s.FramesDropped != pictures || s.FrameWidth != 160 || s.FrameHeight != 120 || s.PLICount > 0):
			t.Errorf("%s: we sent %d pictures of 160 × 120, the browser decoded %d of %d × %d, dropped %d, and asked for %d key frames",
				want, pictures, s.FramesDecoded, s.FrameWidth, s.FrameHeight, s.FramesDropped, s.PLICount)
		case s.Kind == "audio" && s.TotalSamplesDuration < 1:
			t.Errorf("%s: the browser has %v s of sound", want, s.TotalSamplesDuration)
		}
	}

	c.do(nil, `for (const s of pc.getSenders()) await s.replaceTrack(null)`)
	for i, s := range c.sentInAll() {
		want, r := mimeTypes[i], recordings[i]
		total, audio := s.FramesSent, s.Kind == "audio"
		if audio {
			total = s.PacketsSent
		}
		least := total
		if audio { // a machine that is busy with others is late with some
			least -= total / 10
		}
		start := time.Now()
		c.until("we have what the browser sent", func() bool {
			return r.count() >= least || time.Since(start) > 10*time.Second && !fair()
		})
		for deadline := time.Now().Add(2 * time.Second); r.count() < total && time.Now().Before(deadline); {
			time.Sleep(20 * time.Millisecond)
		}
		r.end()
		got, file := r.count(), r.file(t)
		in := c.inbound(s.MID)
		if (got < least || r.missing > 0 || in.PacketsLost != 0) && !fair() {
			return false
		}
		t.Logf("%s of the browser: %d sent in %d packets; we have %v, %d packets too late", want, total, s.PacketsSent, r, in.PacketsDiscarded)
		// What the browser says is some pictures old when the machine is busy.
		if !strings.EqualFold(want[6:], r.codec.Name) || total < 10 || got > total+2+total/10 || r.missing > 0 ||
			in.PacketsLost != 0 || audio && int(in.PacketsReceived) < total {
			t.Errorf("%s: the browser sent %d, and we have %v, %d packets received and %d lost", want, total, r, in.PacketsReceived, in.PacketsLost)
		}
		if audio {
			// 20 ms each, but for what our jitter buffer and Opus's beginning leave out.
			if n := samples(t, file, 48000); n < got*960*9/10 {
				t.Errorf("%s: ffmpeg decodes %d samples of %d packets", want, n, got)
			}
			continue
		}
		if size := probe(t, file).Streams[0]; size.Width < 160 || size.Width*3 != size.Height*4 {
			t.Errorf("%s: pictures are of %d × %d", want, size.Width, size.Height)
		}
		if n := len(decoded(t, file)); n != got {
			t.Errorf("%s: ffmpeg decodes %d pictures of %d", want, n, got)
		}
	}
	if s := c.pc.Stats(); s.Transport.SRTPCipher == "" {
		t.Error("there is no SRTP cipher")
	} else {
		t.Logf("%s, %s", s.Transport.SRTPCipher, s.Transport.DTLSRole)
	}
	return true
}

// datagramsLost is how many UDP sockets of this host had no room for.
func datagramsLost(t *testing.T) (lost string) {
	t.Helper()
	for _, name := range []string{"/proc/net/snmp", "/proc/net/snmp6"} {
		b, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		// Of IPv4 a line of names is followed by one of figures, and of IPv6 each has its own.
		names := []string{}
		for line := range strings.Lines(string(b)) {
			fields := strings.Fields(line)
			switch {
			case len(fields) == 2 && fields[0] == "Udp6RcvbufErrors":
				lost += fields[1] + " "
			case len(fields) < 2 || fields[0] != "Udp:":
			case len(names) != len(fields):
				names = fields
			default:
				lost += fields[max(slices.Index(names, "RcvbufErrors"), 0)] + " "
			}
		}
	}
	return lost
}

// packetsOnce is how many packets we sent for the first time. To find out what the path carries some are
// sent twice, which Chromium counts and Firefox does not.
func packetsOnce(s peerconnection.OutboundRTPStats) int {
	return int(s.PacketsSent - s.RetransmittedPacketsSent - s.ProbePacketsSent)
}

// watch waits, in a call all of whose sections come back, for as long as is said, in which
// the browser decodes every video that arrives without dropping a picture or a freeze. A
// machine that is busy with others gets many such times.
func (c *mediaCall) watch(length time.Duration) {
	c.t.Helper()
	c.decodesAll()
	var said []string
	for start := time.Now(); time.Since(start) < patience/2; {
		trouble := c.freezes(length)
		if trouble == "" {
			return
		}
		said = append(said, trouble)
	}
	c.t.Errorf("video does not go on without a freeze: in %v each the browser has\n%s", length, strings.Join(said, "\n"))
}

// decodesAll waits until the browser decodes every video.
func (c *mediaCall) decodesAll() {
	c.t.Helper()
	c.until("the browser decodes every video", func() bool {
		all := c.received()
		return len(all) == len(c.pc.Transceivers()) &&
			!slices.ContainsFunc(all, func(s pageStream) bool { return s.Kind == "video" && s.FramesDecoded < 5 })
	})
}

// freezes watches for that long, and says which videos did not go on as they should.
func (c *mediaCall) freezes(length time.Duration) (trouble string) {
	c.t.Helper()
	before := c.received()
	time.Sleep(length)
	for i, s := range c.received() {
		b := before[i]
		if s.Kind == "video" && (s.FramesDecoded-b.FramesDecoded < int(length.Seconds()*10) || s.FramesDropped != b.FramesDropped || s.FreezeCount != b.FreezeCount) {
			trouble += fmt.Sprintf("%s: %d pictures, %d dropped, %d freezes; ", s.Codec,
				s.FramesDecoded-b.FramesDecoded, s.FramesDropped-b.FramesDropped, s.FreezeCount-b.FreezeCount)
		}
	}
	return trouble
}

// inbound is what we say of the streams of a section.
func (c *mediaCall) inbound(mid string) (in peerconnection.InboundRTPStats) {
	c.t.Helper()
	for _, s := range c.pc.Stats().InboundRTP {
		if s.MID == mid {
			return s
		}
	}
	c.t.Fatalf("nothing came in section %q", mid)
	return in
}

// sentInAll is what a browser says that it sent, once that is all.
func (c *mediaCall) sentInAll() []pageStream {
	c.t.Helper()
	last := c.sent()
	c.until("the browser sends nothing more", func() bool {
		time.Sleep(300 * time.Millisecond) // its figures are that old at times
		before := last
		last = c.sent()
		return slices.Equal(before, last)
	})
	return last
}
