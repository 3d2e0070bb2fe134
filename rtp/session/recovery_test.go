package session

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/payload"
	"github.com/plainrtc/plainrtc/rtp/rtcp"
)

// Payload types in tests.
const (
	ptRED     = 118
	ptREDRTX  = 119
	ptULP     = 120
	ptFlex    = 121
	ptOpusRED = 63
)

// A resilience is how a section of tests repairs losses.
type resilience uint8

const (
	unprotected resilience = iota
	byULP
	byFlex
	byNACK
	byNACKAndULP
)

func (r resilience) String() string {
	return [...]string{"nothing", "ULPFEC", "FlexFEC", "NACK", "NACK and ULPFEC"}[r]
}

// sections are of audio and of video that is repaired in that way.
func (r resilience) sections() []Section {
	all := fullSections()
	v := vp8Codec()
	if r < byNACK {
		v.NACK, v.RTX = false, 0
	}
	codecs := []Codec{v}
	switch r {
	case byULP, byNACKAndULP:
		codecs = append(codecs, Codec{PayloadType: ptRED, Name: "red", ClockRate: 90000, RTX: ptREDRTX}, Codec{PayloadType: ptULP, Name: "ulpfec", ClockRate: 90000})
	case byFlex:
		codecs = append(codecs, Codec{PayloadType: ptFlex, Name: "flexfec-03", ClockRate: 90000})
	}
	all[1].Send, all[1].Receive = codecs, codecs
	return all
}

// film sends video for some time, with key frames where they are asked for.
func (c *call) film(frames, size int) {
	c.t.Helper()
	for i := range frames {
		key := len(c.frames[Video]) == 0 && i == 0 || c.wanted
		c.wanted = false
		if err := c.video.WriteFrame(c.now, 0, Frame{Data: vp8Frame(size, key), PTS: c.now.Sub(testStart), KeyFrame: key}); err != nil {
			c.t.Fatal(err)
		}
		c.run(33 * time.Millisecond)
	}
}

// stream is the stream of video that z receives.
func (c *call) stream(kind Kind) *Stream {
	for _, st := range c.z.Streams() {
		if st.Kind == kind {
			return st
		}
	}
	c.t.Fatal("there is no stream")
	return nil
}

// Without retransmissions video gets over losses by repair packets: most frames that would
// be missing are shown. There are as many as the losses call for, and none without.
func TestRecovery(t *testing.T) {
	for _, loss := range []float64{0, 0.01, 0.05, 0.1} {
		shown := map[resilience]int{}
		for _, r := range []resilience{unprotected, byULP, byFlex} {
			c := newCallOf(t, r.sections())
			c.delay[0], c.delay[Video] = 150*time.Millisecond, 150*time.Millisecond
			dice := rand.New(rand.NewPCG(7, 7))
			lost := 0
			c.lose = func(b []byte) bool {
				if rtcp.Is(b) || dice.Float64() >= loss {
					return false
				}
				lost++
				return true
			}
			const frames = 900
			c.film(frames, 6000)
			c.lose = nil
			c.run(2 * time.Second)
			v, out := c.stream(Video).Stats(), c.video.Stats(c.now, 0)
			shown[r] = len(c.frames[Video])
			media := out.PacketsSent - out.FECPacketsSent
			t.Logf("loss %.0f %%, repaired by %v: %d of %d frames; %d packets and %d repair packets sent, %d lost; %d recovered, %d repair packets of no use, %d PLI",
				loss*100, r, shown[r], frames, media, out.FECPacketsSent, lost, v.RecoveredPackets, v.FECPacketsDiscarded, v.PLIs)
			switch {
			case r == unprotected || loss == 0:
				if out.FECPacketsSent > 0 || v.FECPacketsReceived > 0 {
					t.Error("repair packets were sent that nobody needs")
				}
				continue
			case v.RecoveredPackets*100 < uint64(float64(media)*loss*60):
				t.Error("less than 60 % of what was lost is recovered")
			case float64(out.FECPacketsSent) > float64(media)*min(7*loss+0.1, 0.55):
				t.Error("there are more repair packets than the loss calls for")
			case loss <= 0.05 && shown[r]-shown[unprotected] < (frames-shown[unprotected])*6/10:
				t.Errorf("%d frames are shown, and %d without protection", shown[r], shown[unprotected])
			}
			if v.PacketsDuplicated > 0 || v.FECPacketsReceived == 0 || v.FECBytesReceived == 0 || (v.FEC != 0) != (r == byFlex) {
				t.Errorf("the figures are %+v", v)
			}
			if v.PacketsLost < int64(lost)/2 {
				t.Errorf("%d packets are reported as lost, of %d: the sender would stop protecting", v.PacketsLost, lost)
			}
			// Whoever reads packets has each once, in the media's own format.
			seen := map[uint16]bool{}
			for _, p := range c.packets {
				if seen[p.SequenceNumber()] || p.PayloadType() != 96 {
					t.Fatalf("packet %v was read twice, or is wrapped", p)
				}
				seen[p.SequenceNumber()] = true
			}
		}
	}
}

// Retransmissions are cheaper while the round trip is short; when it is long, both are used, and a
// repair packet that is lost makes nobody ask for a key frame.
func TestRecoveryBesideRetransmission(t *testing.T) {
	for _, rtt := range []time.Duration{20 * time.Millisecond, 300 * time.Millisecond} {
		c := newCallOf(t, byNACKAndULP.sections())
		c.delay[0], c.delay[Video] = rtt/2, rtt/2
		dice := rand.New(rand.NewPCG(7, 7))
		c.lose = func(b []byte) bool { return !rtcp.Is(b) && dice.Float64() < 0.05 }
		c.film(1500, 6000)
		c.lose = nil
		c.run(3 * time.Second)
		v, out := c.stream(Video).Stats(), c.video.Stats(c.now, 0)
		t.Logf("round trip %v: %d of 1500 frames; %d recovered, %d came again, %d repair packets, %d PLI, %d given up", rtt, len(c.frames[Video]), v.RecoveredPackets, v.RetransmittedPackets, out.FECPacketsSent, v.PLIs, v.PacketsGivenUp)
		if long := rtt >= repairedSoon; (v.RecoveredPackets > 0) != long || v.RetransmittedPackets == 0 {
			t.Errorf("round trip %v: %d packets are recovered, and %d came again", rtt, v.RecoveredPackets, v.RetransmittedPackets)
		}
		// Not all that is asked for is sent again: this sender does not keep to its target.
		if len(c.frames[Video]) < 1400 || v.PLIs > 5 {
			t.Errorf("round trip %v: %d of 1500 frames, %d PLI", rtt, len(c.frames[Video]), v.PLIs)
		}
	}
}

// A key frame that is larger than masks reach is protected in parts, whose repair packets stand
// behind it.
func TestLargeFramesAreProtected(t *testing.T) {
	c := newCallOf(t, byULP.sections())
	c.video.encodings[0].protection.loss = 0.05
	var left []rtp.Packet
	c.lose = func(b []byte) bool {
		if p, err := rtp.Parse(bytes.Clone(b)); err == nil && !rtcp.Is(b) {
			if len(b) > 1200 {
				t.Errorf("a packet of %d bytes", len(b))
			}
			left = append(left, p)
			return slices.Contains([]int{3, 50, 120}, len(left))
		}
		return false
	}
	c.film(1, 130<<10)
	c.run(time.Second)
	behind := false
	repairs := 0
	for _, p := range left {
		repair := p.PayloadType() == ptRED && p.Payload()[0] == ptULP
		if behind = behind || repair; repair {
			repairs++
		} else if behind {
			t.Fatal("a repair packet stands in the midst of the frame")
		}
	}
	if v := c.stream(Video).Stats(); v.RecoveredPackets != 0 || repairs < 20 {
		t.Errorf("%d repair packets, %d recovered: the first group is what wakes the decoder", repairs, v.RecoveredPackets)
	}
	left = nil
	c.wanted = true
	c.film(1, 130<<10)
	c.run(time.Second)
	if v := c.stream(Video).Stats(); v.RecoveredPackets != 3 {
		t.Errorf("%d packets are recovered of 3: %+v; %d left", v.RecoveredPackets, v, len(left))
	}
}

// redSections have redundant audio first.
func redSections(first bool) []Section {
	all := fullSections()
	red := Codec{PayloadType: ptOpusRED, Name: "red", ClockRate: 48000, Channels: 2, FMTP: "111/111"}
	codecs := []Codec{red, opusCodec(), telephoneCodec()}
	if !first {
		codecs = []Codec{opusCodec(), red, telephoneCodec()}
	}
	all[0].Send, all[0].Receive = codecs, codecs
	return all
}

// Of redundant audio any packet may be lost alone, and every frame is heard, and every packet
// read in its place.
func TestRedundantAudio(t *testing.T) {
	for _, first := range []bool{false, true} {
		c := newCallOf(t, redSections(first))
		c.delay[Audio] = 20 * time.Millisecond
		n, lost := 0, 0
		c.lose = func(b []byte) bool {
			p, err := rtp.Parse(b)
			if err != nil || rtcp.Is(b) {
				return false
			}
			if want := map[bool]uint8{false: 111, true: ptOpusRED}[first]; p.PayloadType() != want {
				t.Fatalf("payload type %d, want %d", p.PayloadType(), want)
			}
			if n++; n > 300 && n < 600 && n%4 == 0 {
				lost++
				return true
			}
			return false
		}
		for i := range 700 {
			frame := []byte{0xf8, byte(i), byte(i >> 8), 3, 4} // 20 ms
			if err := c.audio.WriteFrame(c.now, 0, Frame{Data: frame, PTS: c.now.Sub(testStart)}); err != nil {
				t.Fatal(err)
			}
			c.run(20 * time.Millisecond)
		}
		c.run(100 * time.Millisecond)
		v := c.stream(Audio).Stats()
		if v.Codec.Name != "opus" {
			t.Errorf("the codec is %s", v.Codec.Name)
		}
		if !first {
			if v.FECPacketsReceived != 0 || v.RecoveredPackets != 0 {
				t.Errorf("redundancy is used though it was not preferred: %+v", v)
			}
			continue
		}
		if int(v.RecoveredPackets) != lost || v.PacketsDuplicated != 0 || v.PacketsReceived != 700 {
			t.Errorf("%d of %d were recovered: %+v", v.RecoveredPackets, lost, v)
		}
		if v.FECPacketsReceived == 0 || v.FECPacketsDiscarded+v.RecoveredPackets != v.FECPacketsReceived {
			t.Errorf("%d blocks, %d of no use", v.FECPacketsReceived, v.FECPacketsDiscarded)
		}
		if v.PacketsLost != int64(lost) {
			t.Errorf("%d packets are reported as lost, want %d", v.PacketsLost, lost)
		}
		for i, p := range c.packets {
			if i > 0 && p.SequenceNumber() != c.packets[i-1].SequenceNumber()+1 || p.PayloadType() != 111 || p.Timestamp()-c.packets[0].Timestamp() != uint32(960*i) ||
				!bytes.Equal(p.Payload(), []byte{0xf8, byte(i), byte(i >> 8), 3, 4}) {
				t.Fatalf("packet %d is read as %v %x", i, p, p.Payload())
			}
		}
		concealed := 0
		for _, f := range c.frames[Audio] {
			if f.concealed {
				concealed++
			}
		}
		if concealed > lost/2 { // until the delay is such that it can be waited for
			t.Errorf("%d frames were concealed of %d lost", concealed, lost)
		}
	}
}

// What Chromium sends as redundant audio is audio, whichever packets of it are lost.
func TestCapturedRedundancy(t *testing.T) {
	for _, capture := range captures(t, "../testdata/chromium-red.hex") {
		s := New(Config{Rand: &countingRand{0xf0}, CNAME: "z"})
		if err := s.Configure(testStart, capture.section); err != nil {
			t.Fatal(err)
		}
		var numbers []uint16
		for i, b := range capture.packets {
			if i%2 == 1 && i < len(capture.packets)-1 {
				continue
			}
			s.ReceiveRTP(testStart.Add(time.Duration(i)*20*time.Millisecond), b)
		}
		st := s.Streams()[0]
		for p, ok := st.NextPacket(); ok; p, ok = st.NextPacket() {
			numbers = append(numbers, p.SequenceNumber())
		}
		for i, n := range numbers {
			if n != numbers[0]+uint16(i) {
				t.Fatalf("the packets are %d", numbers)
			}
		}
		if v := st.Stats(); len(numbers) != len(capture.packets) || v.RecoveredPackets == 0 {
			t.Errorf("%d packets of %d, %d recovered", len(numbers), len(capture.packets), v.RecoveredPackets)
		}
	}
}

// Chromium sends padding between the packets of redundant audio: what is repeated is not of the packet
// before, but before that.
func TestRedundancyBetweenPadding(t *testing.T) {
	for lost := range uint16(16) {
		for burst := range uint16(3) {
			s := New(Config{Rand: &countingRand{0xf0}, CNAME: "z"})
			if err := s.Configure(testStart, redSections(true)[0]); err != nil {
				t.Fatal(err)
			}
			at, before := testStart, []byte(nil)
			for i := range uint16(40) { // every fourth is audio
				frame, timestamp := []byte{0xf8, byte(i / 4)}, 1000+960*uint32(i/4)
				header := rtp.NewBuilder(nil, rtp.Header{PayloadType: ptOpusRED, SequenceNumber: 65530 + i, Timestamp: timestamp, SSRC: 7})
				b := header.Bytes()
				switch {
				case i%4 != 0:
					b = rtp.AppendPadding(b, 0, 200)
				case before == nil:
					b = payload.AppendRED(b, 111, frame)
				default:
					b = payload.AppendRED(b, 111, frame, payload.Redundancy{PayloadType: 111, Offset: 960, Data: before})
				}
				if i%4 == 0 {
					before = frame
				}
				if at = at.Add(5 * time.Millisecond); i < 8+lost || i > 8+lost+burst {
					s.ReceiveRTP(at, b)
				}
			}
			st, heard := s.Streams()[0], map[byte]bool{}
			for p, ok := st.NextPacket(); ok; p, ok = st.NextPacket() {
				if len(p.Payload()) == 0 {
					continue
				}
				i := p.SequenceNumber() - 65530
				// Where the padding behind it is lost, too, either of their places will do.
				if p.Payload()[1] != byte(i/4) || i%4 != 0 && (i < 8+lost || i > 8+lost+burst) || heard[byte(i/4)] || p.PayloadType() != 111 || p.Timestamp() != 1000+960*uint32(i/4) {
					t.Errorf("of packets %d to %d lost: audio %d comes as packet %d (%v)", 8+lost, 8+lost+burst, p.Payload()[1], i, p)
				}
				heard[byte(i/4)] = true
			}
			if v := st.Stats(); len(heard) != 10 || v.PacketsDuplicated != 0 || v.PacketsLost != int64(burst)+1 {
				t.Errorf("of packets %d to %d lost: %d of 10 are heard; %+v", 8+lost, 8+lost+burst, len(heard), v)
			}
		}
	}
}

// What libwebrtc has sent in RED it sends again in RED, under the payload type that is for that; and what
// makes no sense is dropped.
func TestRetransmissionOfRED(t *testing.T) {
	s := New(Config{Rand: &countingRand{0xf0}, CNAME: "z"})
	if err := s.Configure(testStart, byNACKAndULP.sections()[1]); err != nil {
		t.Fatal(err)
	}
	packet := func(pt uint8, ssrc uint32, sequence uint16, body ...byte) []byte {
		b := rtp.NewBuilder(nil, rtp.Header{PayloadType: pt, SequenceNumber: sequence, Timestamp: 3000, SSRC: ssrc})
		return append(b.Bytes(), body...)
	}
	frame := []byte{0x10, 0, 0, 0, 0x9d, 0x01, 0x2a}
	red := append([]byte{96}, frame...)
	for i, test := range []struct {
		why    string
		packet []byte
		drop   string // "": it is read
	}{
		{"wrapped", packet(ptRED, 7, 100, red...), ""},
		{"not wrapped", packet(96, 7, 101, frame...), ""},
		{"a repair packet has a place", packet(ptRED, 7, 104, append([]byte{ptULP}, make([]byte, 20)...)...), ""},
		{"sent again", packet(ptREDRTX, 8, 5, append([]byte{0, 102}, red...)...), ""},
		{"sent again as it would be without RED", packet(97, 8, 6, append([]byte{0, 103}, frame...)...), ""},
		{"sent again once more", packet(ptREDRTX, 8, 7, append([]byte{0, 102}, red...)...), dropDuplicate},
		{"RED in RED", packet(ptRED, 7, 105, ptRED, 96, 1), dropPayloadType},
		{"RED of what is not negotiated", packet(ptRED, 7, 105, 33, 1), dropPayloadType},
		{"RED cut off", packet(ptRED, 7, 105, 0x80|96, 0), dropRED},
		{"a repair packet sent again", packet(ptREDRTX, 8, 8, 0, 99, ptULP, 1), dropPayloadType},
		{"a repair packet without RED", packet(ptULP, 7, 106, make([]byte, 20)...), ""},
	} {
		why := drops(t, s, test.packet)
		read := 0
		for st, ok := s.NextStream(); ok; st, ok = s.NextStream() {
			for p, ok := st.NextPacket(); ok; p, ok = st.NextPacket() {
				read++
				media := i != 2 && i != 10
				if p.PayloadType() != 96 || p.SSRC() != 7 || media != bytes.Equal(p.Payload(), frame) || !media && len(p.Payload()) > 0 {
					t.Errorf("%s: what is read is %v: %x", test.why, p, p.Payload())
				}
			}
		}
		if test.drop == "" && (read != 1 || len(why) > 0) || test.drop != "" && !slices.Equal(why, []string{test.drop}) {
			t.Errorf("%s: %d packets are read, and drops %q", test.why, read, why)
		}
	}
}

// Comfort noise is a frame like any other, and what it is followed by is not missed.
func TestComfortNoise(t *testing.T) {
	all := fullSections()
	all[0].Send = []Codec{{PayloadType: 0, Name: "PCMU", Format: payload.G711, ClockRate: 8000, Channels: 1}, {PayloadType: 13, Name: "CN", Format: payload.CN, ClockRate: 8000, Channels: 1}}
	all[0].Receive = all[0].Send
	c := newCallOf(t, all)
	c.delay[0] = 20 * time.Millisecond
	if c.audio.Codec().Name != "PCMU" {
		t.Fatalf("audio is sent as %s", c.audio.Codec().Name)
	}
	for i := range 200 {
		data := bytes.Repeat([]byte{0xff}, 160)
		pt := uint8(0)
		if i >= 100 && i < 150 {
			if i%10 != 0 {
				c.run(20 * time.Millisecond)
				continue
			}
			pt, data = 13, payload.ComfortNoise{Level: 60, Coefficients: []byte{1, 2}}.Append(nil)
		}
		if err := c.audio.SetCodec(pt); err != nil {
			t.Fatal(err)
		}
		if err := c.audio.WriteFrame(c.now, 0, Frame{Data: data, PTS: c.now.Sub(testStart)}); err != nil {
			t.Fatal(err)
		}
		c.run(20 * time.Millisecond)
	}
	c.run(100 * time.Millisecond)
	noise := 0
	for _, p := range c.packets {
		if n, ok := payload.ParseComfortNoise(p.Payload()); p.Codec.Format == payload.CN && ok && n.Level == 60 && len(n.Coefficients) == 2 {
			noise++
		}
	}
	frames, concealed := len(c.frames[Audio]), 0
	for _, f := range c.frames[Audio] {
		if f.concealed && f.at.Before(testStart.Add(4*time.Second)) { // then nothing follows
			concealed++
		}
		if f.concealed {
			frames--
		}
	}
	if noise != 5 || frames != 155 || concealed > 0 {
		t.Errorf("%d packets of noise; %d frames, and %d concealed", noise, frames, concealed)
	}
	if err := c.video.SetCodec(ptRED); err == nil {
		t.Error("RED can be chosen as a codec")
	}
}

// FlexFEC protects what is passed on as well, and what nobody can protect is left as it is.
func TestPassedOnIsProtected(t *testing.T) {
	for _, r := range []resilience{byULP, byFlex} {
		c := newCallOf(t, byNACK.sections()) // from the source to us
		next, _, _ := newSession(t, 3, r.sections())
		to, _, sender := newSession(t, 4, r.sections())
		next, to = to, next
		sender.encodings[0].protection.loss = 0.05
		c.film(1, 3000)
		dice := rand.New(rand.NewPCG(7, 7))
		for range 300 {
			c.film(1, 3000)
			for _, p := range c.packets {
				if p.Codec.Format == payload.VP8 {
					if _, err := sender.WritePacket(c.now, 0, p); err != nil {
						t.Fatal(err)
					}
				}
			}
			c.packets = nil
			c.wanted = len(events(next)) > 0
			for b := next.AppendPacket(c.now, nil); len(b) > 0; b = next.AppendPacket(c.now, nil) {
				if !rtcp.Is(b) && dice.Float64() > 0.05 {
					to.ReceiveRTP(c.now, b)
				}
			}
			next.Advance(c.now)
		}
		for _, st := range to.Streams() {
			if v := st.Stats(); (v.RecoveredPackets > 20) != (r == byFlex) {
				t.Errorf("%v: %d packets are recovered of %d", r, v.RecoveredPackets, v.PacketsReceived)
			}
		}
	}
}
