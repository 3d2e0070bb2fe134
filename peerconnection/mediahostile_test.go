package peerconnection

import (
	"math/rand/v2"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/ice"
	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/rtcp"
)

// The peer has keys, and may send anything that they seal.

// maxStreamsOfCall is what the session keeps of a peer's sources in a call's two sections.
const maxStreamsOfCall = 2 * (4 + 1)

// hostile seals what a script says with a's keys, and gives it to z, which reads its tracks in
// every way. Each step of the script: what it is, its length, its bytes.
func (c *simCall) hostile(t testing.TB, now time.Time, script []byte) {
	core := &c.z.pc.core
	codecs := [4]uint8{
		c.a.pc.core.transceivers[0].sender.rtp.Codec().PayloadType, c.a.pc.core.transceivers[1].sender.rtp.Codec().PayloadType,
		c.a.pc.core.transceivers[1].sender.rtp.Codec().RTX, 111,
	}
	for i, x := range core.transceivers {
		x.receiver.track.use(now, readsFrames)
		if i == 1 {
			x.receiver.track.use(now, readsPackets)
		}
	}
	for len(script) >= 2 {
		op, size := script[0], min(int(script[1]), len(script)-2)
		body := append([]byte(nil), script[2:2+size]...)
		script = script[2+size:]
		var packet []byte
		var err error
		switch op & 3 {
		case 0: // RTP of any kind
			packet, err = c.a.pc.core.srtpOut.SealRTP(body, 0)
		case 1: // RTCP of any kind
			packet, err = c.a.pc.core.srtpOut.SealRTCP(body, 0)
		case 2: // RTP that is well formed, with any payload
			h := rtp.Header{PayloadType: codecs[op>>2&3], Marker: op&16 != 0, SSRC: uint32(op >> 5)}
			if len(body) >= 4 {
				h.SequenceNumber, h.Timestamp = uint16(body[0])<<8|uint16(body[1]), uint32(body[2])<<24|uint32(body[3])
			}
			b := rtp.NewBuilder(nil, h)
			packet, err = c.a.pc.core.srtpOut.SealRTP(append(b.Bytes(), body[min(4, len(body)):]...), 0)
		case 3: // time
			now = now.Add(time.Duration(op) * 5 * time.Millisecond)
			core.Advance(now)
		}
		if err == nil && len(packet) > 0 {
			c.hand(now, packet)
		}
		drain(t, now, core)
		for _, x := range core.transceivers {
			for range 1000 {
				if _, ok := x.receiver.track.nextFrame(now); !ok {
					break
				}
			}
			x.receiver.track.take()
		}
	}
	if core.ended {
		t.Errorf("RTP has ended the connection: %v", core.endedErr)
	}
	if n := len(core.rtp.Streams()); n > maxStreamsOfCall {
		t.Errorf("%d streams are kept", n)
	}
}

// FuzzMediaPeer gives a core with media what its authenticated peer may send.
func FuzzMediaPeer(f *testing.F) {
	f.Add([]byte{0, 14, 0x80, 96, 0, 1, 0, 0, 0, 1, 0, 0, 0, 9, 1, 2, 3, 200, 0})
	f.Add([]byte{1, 12, 0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 3, 0})                         // PLI
	f.Add([]byte{1, 20, 0x8f, 205, 0, 4, 0, 0, 0, 1, 0, 0, 0, 2, 0, 1, 255, 255, 0, 0, 0, 255}) // TWCC
	f.Add([]byte{6, 20, 0, 1, 0, 0, 0x10, 0x10, 0, 0, 0x9d, 1, 0x2a, 64, 0, 48, 0, 1, 2, 3, 4, 5, 3, 0, 22, 6, 0, 2, 9, 0, 0x10, 0x11})
	f.Add([]byte{10, 8, 0, 1, 0, 0, 0, 1, 0x10, 0x10})
	f.Add([]byte{1, 8, 0x81, 203, 0, 1, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) > 2000 {
			return
		}
		c, now := talking(t)
		c.hostile(t, now, script)
	})
}

// Random scripts, for those who do not fuzz.
func TestHostileMediaPeer(t *testing.T) {
	dice := rand.NewChaCha8([32]byte{9})
	for range 60 {
		script := make([]byte, 1500)
		dice.Read(script)
		for i := 0; i+2 < len(script); i += 2 + int(script[i+1]) {
			script[i+1] &= 0x3f
			if script[i]&3 == 1 && i+6 < len(script) { // RTCP that looks like some
				script[i+2], script[i+3] = 0x80|script[i+2]&0x1f, 200+script[i+3]&7
				script[i+4], script[i+5] = 0, script[i+1]/4-1
				script[i+1] &^= 3
			}
		}
		c, now := talking(t)
		c.hostile(t, now, script)
	}
}

// A peer of many sources costs what it costs with a few, and the track is fed by the latest.
func TestManySources(t *testing.T) {
	c, now := talking(t)
	core := &c.z.pc.core
	track := core.transceivers[1].receiver.track
	track.use(now, readsFrames)
	track.use(now, readsPackets)
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	const sources = 900 // fewer than we can seal
	for i := range uint32(sources) {
		for n := range uint16(5) {
			c.forge(t, now, 100_000+i, n, uint32(n)*3000, vp8Key(int(n)))
			now = now.Add(time.Millisecond)
		}
		core.Advance(now)
		drain(t, now, core)
		for _, ok := track.take(); ok; _, ok = track.take() {
		}
	}
	if n := len(core.rtp.Streams()); n > maxStreamsOfCall {
		t.Errorf("%d streams are kept", n)
	}
	if track.stream.SSRC != 100_000+sources-1 {
		t.Errorf("the track is fed by %d", track.stream.SSRC)
	}
	// Both ends' contexts of SRTP count here.
	if grown := int64(heap()) - int64(before); grown > 2<<20 {
		t.Errorf("%d sources have left %d kB", sources, grown>>10)
	}
	runtime.KeepAlive(c)
}

// However often the peer asks for key frames, the application is asked a few times a second.
func TestKeyframeFlood(t *testing.T) {
	c, now := talking(t)
	core := &c.a.pc.core
	ssrc := core.transceivers[1].encodings[0].SSRC
	asked := 0
	for range 1000 {
		now = now.Add(time.Millisecond)
		packet, err := c.z.pc.core.srtpOut.SealRTCP(rtcp.AppendPLI(nil, 1, ssrc), 0)
		if err != nil {
			t.Fatal(err)
		}
		core.Receive(now, core.selected, packet)
		core.Advance(now)
		core.pump(now)
		drain(t, now, core)
		asked += len(core.wanted)
		core.wanted = core.wanted[:0]
	}
	if asked < 3 || asked > 7 {
		t.Errorf("in a second of a thousand requests the application is asked %d times", asked)
	}
}

// RTP and RTCP of strangers, who have no keys, leave no trace in us.
func TestRTPOfStrangers(t *testing.T) {
	c, now := talking(t)
	core := &c.z.pc.core
	streams, timeout := len(core.rtp.Streams()), core.NextTimeout()
	stranger := ice.Path{Local: core.selected.Local, Remote: netip.MustParseAddrPort("203.0.113.9:9")}
	dice := rand.New(rand.NewPCG(1, 2))
	inside := core.rtp.Stats(now).Dropped
	for i := range 2000 {
		b := make([]byte, 12+dice.IntN(60))
		for j := range b {
			b[j] = byte(dice.Uint32())
		}
		b[0], b[1] = 0x80|b[0]&0x3f, []byte{96, 111, 200, 201, 205, 206}[i%6]
		path := stranger
		if i%2 == 1 {
			path = core.selected // with the peer's address
		}
		core.Receive(now, path, b)
	}
	if n := len(core.rtp.Streams()); n != streams || core.rtp.Stats(now).Dropped != inside {
		t.Errorf("%d streams, of %d before; %d packets have come as far as the session", n, streams, core.rtp.Stats(now).Dropped-inside)
	}
	if core.ended || core.NextTimeout() != timeout || core.selected.Remote == stranger.Remote {
		t.Error("strangers have changed the connection")
	}
}
