package peerconnection

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/internal/netsim"
	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/rtcp"
	"github.com/plainrtc/plainrtc/rtp/session"
)

// Two of ours encrypt header extensions, how loud it is among them: nobody on the path reads it,
// and the peer does. If one of them does not say a=cryptex, or says so no longer, they are in clear.
func TestCryptexOnTheWire(t *testing.T) {
	c, _ := newSimCall(t, 1, netsim.Profile{Delay: time.Millisecond})
	c.z.app = func(time.Time) {}
	if !c.n.Run(func() bool { return c.sent[1] > 3 }, 5*time.Second) {
		t.Fatal("the call does not connect")
	}
	a, z := &c.a.pc.core, &c.z.pc.core
	heard := z.transceivers[0].receiver.track
	heard.use(c.n.Now(), readsPackets)
	now := c.n.Now().Add(time.Minute) // from here on we carry what there is

	// spoken sends a packet of audio and returns it as it is on the wire, and as it was opened.
	spoken := func() (wire []byte, opened rtp.Packet) {
		t.Helper()
		now = now.Add(20 * time.Millisecond)
		level := rtp.AudioLevel{Voice: true, Level: 42}
		if err := a.transceivers[0].sender.rtp.WriteFrame(now, 0, session.Frame{Data: []byte{0xf8, 1, 2, 3}, PTS: now.Sub(simStart), AudioLevel: &level}); err != nil {
			t.Fatal(err)
		}
		for {
			b, _ := a.AppendPacket(now, nil)
			if len(b) == 0 {
				break
			}
			if classify(b) == datagramRTP && !rtcp.Is(b) && b[1]&0x7f == a.transceivers[0].sender.rtp.Codec().PayloadType {
				wire = bytes.Clone(b)
				c.hand(now, b)
			}
		}
		drain(t, now, z)
		for {
			q, ok := heard.take()
			if !ok {
				return wire, opened
			}
			opened = q.Packet
		}
	}
	id := a.transceivers[0].sender.rtp.Codec() // for its failure message
	check := func(when string, encrypted bool) {
		t.Helper()
		wire, opened := spoken()
		if wire == nil || opened.IsZero() {
			t.Fatalf("%s: no packet of %s arrives", when, id.Name)
		}
		// RFC 9335, Section 5.1: 0xC0DE stands for 0xBEDE, one-byte headers.
		want := uint16(0xbede)
		if encrypted {
			want = 0xc0de
		}
		clear := []byte{levelID(t, c)<<4 | 0, 0x80 | 42}
		if got := binary.BigEndian.Uint16(wire[12:]); got != want || bytes.Contains(wire, clear) == encrypted {
			t.Errorf("%s: on the wire the header extensions begin with %#x, want %#x: % x", when, got, want, wire)
		}
		value, ok := opened.Extension(levelID(t, c))
		if level, parsed := rtp.ParseAudioLevel(value); !ok || !parsed || !level.Voice || level.Level != 42 {
			t.Errorf("%s: the peer hears % x", when, value)
		}
	}
	check("both say a=cryptex", true)

	without := func(d SessionDescription) SessionDescription {
		d.SDP = strings.ReplaceAll(d.SDP, "a=cryptex\r\n", "")
		return d
	}
	again := func(offer, answer func(SessionDescription) SessionDescription) {
		t.Helper()
		d, err := a.createOffer(nil)
		if err == nil {
			err = a.setLocalDescription(now, d)
		}
		if err == nil {
			err = z.setRemoteDescription(now, offer(*a.localDescription()))
		}
		if err == nil {
			d, err = z.createAnswer()
		}
		if err == nil {
			err = z.setLocalDescription(now, d)
		}
		if err == nil {
			err = a.setRemoteDescription(now, answer(*z.localDescription()))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	as := func(d SessionDescription) SessionDescription { return d }
	again(without, as)
	check("it was not offered", false)
	again(as, without)
	check("it was not answered", false)
	again(as, as)
	check("both say it again", true)
}

// levelID is the id of the audio level in the call.
func levelID(t *testing.T, c *simCall) uint8 {
	t.Helper()
	for _, e := range c.a.pc.core.sections[0].agreedExtensions() {
		if strings.HasSuffix(e.URI, "ssrc-audio-level") {
			return uint8(e.ID)
		}
	}
	t.Fatal("the audio level is not negotiated")
	return 0
}
