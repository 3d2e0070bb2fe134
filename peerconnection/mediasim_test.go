package peerconnection

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/internal/netsim"
	"github.com/plainrtc/plainrtc/rtp/session"
)

// Calls on virtual time: audio and video from a to z over a path that loses, reorders
// and doubles packets, through a NAT that changes its mind and ICE restarts.

// A simCall is one of them.
type simCall struct {
	n      *netsim.Network
	a, z   *simPeer
	tracks [2]*Track // a's: audio, video
	sent   [2]int
	got    [2]int // frames of which something has arrived
	last   [2]int
	missed [2]int // frames that were left out
	gap    time.Duration
	seen   time.Time // the last frame of video
}

const (
	callFrame  = 40 * time.Millisecond // audio has two of them in that time
	callLength = 8 * time.Second
)

// callMessage is the data of frame i, whose number stands in it.
func callMessage(kind Kind, i int, key bool) []byte {
	if kind == KindAudio {
		return binary.BigEndian.AppendUint32([]byte{0xf8}, uint32(i))
	}
	head := []byte{0x11, 0, 0}
	if key {
		head = []byte{0x10, 0, 0, 0x9d, 0x01, 0x2a, 64, 0, 48, 0}
	}
	b := binary.BigEndian.AppendUint32(head, uint32(i))
	return append(b, make([]byte, 2500)...)
}

// newSimCall makes a call whose media is of these codecs; of all, if there are none.
func newSimCall(t testing.TB, seed uint64, path netsim.Profile, mimeTypes ...string) (c *simCall, gateway *netsim.Gateway) {
	c = &simCall{n: netsim.New(seed, simStart)}
	c.a, c.z = newSimPeer(t, c.n, "a", nil), newSimPeer(t, c.n, "z", nil)
	c.n.AddHost(c.a, path, addrA.Addr())
	gateway = c.n.AddNAT(netsim.NAT{}, netsim.Profile{}, home)
	gateway.AddHost(c.z, netsim.Profile{}, addrZ.Addr())
	for i, kind := range []Kind{KindAudio, KindVideo} {
		c.tracks[i] = NewTrack(kind, string(kind))
		if _, err := c.a.pc.AddTrack(c.tracks[i]); err != nil {
			t.Fatal(err)
		}
		var codecs []Codec
		for _, mimeType := range mimeTypes {
			for _, codec := range Capabilities(kind).Codecs {
				if codec.MimeType == mimeType {
					codecs = append(codecs, codec)
				}
			}
		}
		if err := c.a.pc.Transceivers()[i].SetCodecPreferences(codecs); err != nil {
			t.Fatal(err)
		}
	}
	c.z.app = c.read
	c.a.exchange(t, c.n.Now(), c.z, nil, []netip.AddrPort{addrA}, []netip.AddrPort{addrZ})
	c.n.After(0, c.write)
	return c, gateway
}

// write sends a frame of video and two of audio, and comes back for the next.
func (c *simCall) write() {
	now := c.n.Now()
	core := &c.a.pc.core
	key := c.sent[1] == 0
	for len(core.wanted) > 0 {
		key = true
		core.wanted = core.wanted[1:]
	}
	for i, track := range c.tracks {
		if len(track.attached()) == 0 {
			continue
		}
		s := track.attached()[0]
		if !s.sends(track) {
			continue
		}
		for half := range 2 - i {
			f := session.Frame{
				Data: callMessage(track.kind, c.sent[i], key), KeyFrame: key,
				PTS: now.Sub(simStart) + time.Duration(half)*callFrame/2,
			}
			if err := s.rtp.WriteFrame(now, 0, f); err != nil {
				panic(err)
			}
			c.sent[i]++
		}
	}
	if now.Sub(simStart) < callLength {
		c.n.After(callFrame, c.write)
	}
}

// read takes what is due out of z's tracks.
func (c *simCall) read(now time.Time) {
	for _, x := range c.z.pc.core.transceivers {
		track := x.receiver.track
		track.use(now, readsFrames)
		i, skip := 0, 1
		if x.kind == KindVideo {
			i = 1
		}
		for {
			f, ok := track.nextFrame(now)
			if !ok {
				break
			}
			if f.Concealed {
				continue
			}
			if i == 1 {
				if skip = 3; f.KeyFrame {
					skip = 10
				}
				if !c.seen.IsZero() {
					c.gap = max(c.gap, now.Sub(c.seen))
				}
				c.seen = now
			}
			number := int(binary.BigEndian.Uint32(f.Data[skip:]))
			if !bytes.Equal(f.Data, callMessage(x.kind, number, f.KeyFrame && i == 1)) {
				panic(fmt.Sprintf("frame %d of %s has changed on its way", number, x.kind))
			}
			if c.got[i] > 0 {
				if number <= c.last[i] {
					panic(fmt.Sprintf("frame %d of %s comes after %d", number, x.kind, c.last[i]))
				}
				c.missed[i] += number - c.last[i] - 1
			}
			c.last[i] = number
			c.got[i]++
		}
	}
}

// Lost packets of video come again by RTX, so that nearly every frame is shown, and a
// new NAT binding or an ICE restart costs what is in flight.
func TestMediaSimulation(t *testing.T) {
	seeds := 60
	if testing.Short() {
		seeds = 10
	}
	for seed := range uint64(seeds) {
		dice := rand.New(rand.NewPCG(seed, 1))
		path := netsim.Profile{
			Delay: time.Duration(5+dice.IntN(50)) * time.Millisecond, Jitter: time.Duration(dice.IntN(20)) * time.Millisecond,
			Loss: 0.05 * dice.Float64(), Duplicate: 0.02, Reorder: 0.02,
		}
		c, gateway := newSimCall(t, seed, path)
		what := "nothing"
		switch dice.IntN(3) {
		case 0:
			what = "a new NAT binding"
			c.n.After(4*time.Second, func() { gateway.Rebind() })
		case 1:
			what = "an ICE restart"
			c.n.After(4*time.Second, func() {
				if c.a.pc.core.signaling == SignalingStable && c.a.pc.core.dtlsUp {
					c.a.exchange(t, c.n.Now(), c.z, &OfferOptions{ICERestart: true}, nil, nil)
				}
			})
		}
		c.n.Run(func() bool { return false }, callLength+3*time.Second)
		if c.sent[1] < 150 || c.sent[0] < 300 {
			t.Fatalf("seed %d: only %v frames were sent", seed, c.sent)
		}
		// The peer of one whose NAT has changed hears of it from the next report.
		still, worst := time.Second, 0.05
		if what == "a new NAT binding" {
			still, worst = 3*time.Second, 0.4
		}
		// A frame that was given up makes all up to the next key frame be left out.
		if c.got[1]+c.missed[1] < c.sent[1]-5 || float64(c.missed[1]) > float64(c.sent[1])*worst {
			t.Errorf("seed %d, with %s, over %+v: of %d frames of video %d came and %d were left out", seed, what, path, c.sent[1], c.got[1], c.missed[1])
		}
		// Audio is not repeated.
		if lost := c.sent[0] - c.got[0]; float64(lost) > float64(c.sent[0])*(2*path.Loss+worst) {
			t.Errorf("seed %d, with %s, over %+v: of %d frames of audio %d are lost", seed, what, path, c.sent[0], lost)
		}
		if c.gap > still {
			t.Errorf("seed %d, with %s, over %+v: video stood still for %v", seed, what, path, c.gap)
		}
	}
}

// Over a long way that loses packets, video is recovered by repair packets, sooner than it could be
// sent again; and audio, which is not sent again, by what the next packet repeats.
func TestRecoverySimulation(t *testing.T) {
	for _, video := range [][]string{{"video/VP8", "video/red", "video/ulpfec"}, {"video/VP8", "video/flexfec-03"}} {
		for seed := range uint64(4) {
			path := netsim.Profile{Delay: 90 * time.Millisecond, Jitter: 10 * time.Millisecond, Loss: 0.03, Duplicate: 0.01, Reorder: 0.01}
			c, _ := newSimCall(t, seed, path, append(video, "audio/red", "audio/opus")...)
			c.n.Run(func() bool { return false }, callLength+3*time.Second)
			var in [2]InboundRTPStats
			s := Stats{Timestamp: c.n.Now()}
			c.z.pc.core.mediaStats(&s)
			for _, v := range s.InboundRTP {
				if v.Kind == KindVideo {
					in[1] = v
				} else {
					in[0] = v
				}
			}
			for i, v := range in {
				if v.PacketsRepaired == 0 || v.FECPacketsReceived < v.PacketsRepaired+v.FECPacketsDiscarded {
					t.Errorf("seed %d, %v: of %s %d packets were recovered of %d repair packets, %d of no use", seed, video, v.Kind, v.PacketsRepaired, v.FECPacketsReceived, v.FECPacketsDiscarded)
				}
				if (v.FECSSRC != 0) != (i == 1 && len(video) == 2) {
					t.Errorf("seed %d, %v: repair packets of %s are of SSRC %d", seed, video, v.Kind, v.FECSSRC)
				}
			}
			for _, codec := range s.Codecs {
				if codec.MimeType != "video/VP8" && codec.MimeType != "audio/opus" {
					t.Errorf("seed %d, %v: what is received is said to be %s", seed, video, codec.MimeType)
				}
			}
			if lost := c.sent[0] - c.got[0]; lost > c.sent[0]/100 {
				t.Errorf("seed %d, %v: of %d frames of audio %d are lost", seed, video, c.sent[0], lost)
			}
			if c.missed[1] > c.sent[1]/20 || c.got[1]+c.missed[1] < c.sent[1]-8 {
				t.Errorf("seed %d, %v: of %d frames of video %d came and %d were left out", seed, video, c.sent[1], c.got[1], c.missed[1])
			}
		}
	}
}

// The same seed gives the same call, to the byte.
func TestMediaReplays(t *testing.T) {
	hash := func() string {
		c, _ := newSimCall(t, 7, netsim.Profile{Delay: 20 * time.Millisecond, Jitter: 5 * time.Millisecond, Loss: 0.02})
		c.n.Run(func() bool { return false }, 3*time.Second)
		if c.got[1] < 30 {
			t.Fatalf("only %d frames have come", c.got[1])
		}
		return c.n.Hash()
	}
	if a, b := hash(), hash(); a != b {
		t.Errorf("two runs of one seed differ: %s and %s", a, b)
	}
}
