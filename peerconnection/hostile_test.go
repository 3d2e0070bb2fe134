package peerconnection

import (
	"encoding/binary"
	"hash/crc32"
	"net/netip"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/ice"
	"github.com/plainrtc/plainrtc/internal/netsim"
	"github.com/plainrtc/plainrtc/sctp"
)

// connectedCores returns two whole stacks, connected, with one channel.
func connectedCores(t testing.TB) (n *netsim.Network, a, z *simPeer) {
	t.Helper()
	n = netsim.New(3, simStart)
	a, z = newSimPeer(t, n, "a", nil), newSimPeer(t, n, "z", nil)
	zAddr := netip.MustParseAddrPort("192.0.2.2:2000")
	n.AddHost(a, netsim.Profile{}, addrA.Addr())
	n.AddHost(z, netsim.Profile{}, zAddr.Addr())
	d, err := a.pc.CreateDataChannel("test", nil)
	if err != nil {
		t.Fatal(err)
	}
	a.exchange(t, n.Now(), z, nil, []netip.AddrPort{addrA}, []netip.AddrPort{zAddr})
	if !n.Run(func() bool { return d.state == DataChannelOpen && len(z.pc.core.unaccepted) > 0 }, 10*time.Second) {
		t.Fatal("not connected")
	}
	return n, a, z
}

// probe is any message.
var probe = sctp.Message{Stream: 0, PPID: ppidBinary, Data: []byte("probe")}

// drain takes what a core has to send, and fails if there is no end to it.
func drain(t testing.TB, now time.Time, c *core) {
	t.Helper()
	var b []byte
	for range 10_000 {
		if b, _ = c.AppendPacket(now, b[:0]); len(b) == 0 {
			return
		}
	}
	t.Fatal("a core has packets without end")
}

// FuzzDatagrams gives a connected core datagrams that anybody could send, from
// the peer's address and from others.
func FuzzDatagrams(f *testing.F) {
	f.Add([]byte{0, 4, 0, 1, 0, 0, 0x21, 0x12})
	f.Add([]byte{1, 13, 23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 9, 0, 0})
	f.Add([]byte{2, 3, 0x80, 1, 2})
	f.Fuzz(func(t *testing.T, script []byte) {
		n, a, _ := connectedCores(t)
		now := n.Now()
		stranger := ice.Path{Local: addrA, Remote: netip.MustParseAddrPort("203.0.113.9:9")}
		// Each step of the script: whose datagram, its length, its bytes.
		for len(script) >= 2 {
			path := stranger
			if script[0]&1 == 1 {
				path = a.pc.core.selected
			}
			size := min(int(script[1]), len(script)-2)
			a.pc.core.Receive(now, path, append([]byte(nil), script[2:2+size]...))
			drain(t, now, &a.pc.core)
			if script[0]&2 == 2 {
				now = now.Add(time.Duration(script[0]) * 10 * time.Millisecond)
				a.pc.core.Advance(now)
				drain(t, now, &a.pc.core)
			}
			script = script[2+size:]
		}
		if a.pc.core.ended {
			t.Errorf("datagrams that nobody authenticated have ended the connection: %v", a.pc.core.endedErr)
		}
	})
}

// FuzzPeer gives a core what its authenticated peer may send: any SCTP packet,
// with the right tag and checksum, sealed by the peer's keys.
func FuzzPeer(f *testing.F) {
	f.Add([]byte{0, 3, 0, 24, 0, 0, 0, 9, 0, 1, 0, 0, 0, 0, 0, 50, 3, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{130, 0, 0, 4})
	f.Add([]byte{6, 0, 0, 4})
	f.Fuzz(func(t *testing.T, chunks []byte) {
		if len(chunks) > 1100 {
			return
		}
		n, a, z := connectedCores(t)
		now := n.Now()
		// A packet of z's own shows the tag and, sealed again with other chunks,
		// goes through.
		if err := z.pc.core.sctp.Send(now, probe); err != nil {
			t.Fatal(err)
		}
		var header [12]byte
		copy(header[:], z.pc.core.sctp.AppendPacket(now, nil))
		packet := append(header[:], chunks...)
		for range (4 - len(packet)%4) % 4 {
			packet = append(packet, 0)
		}
		binary.LittleEndian.PutUint32(packet[8:], 0)
		binary.LittleEndian.PutUint32(packet[8:], crc32.Checksum(packet, crc32.MakeTable(crc32.Castagnoli)))
		for range 3 {
			a.pc.core.Receive(now, a.pc.core.selected, z.pc.core.dtls.Seal(nil, packet))
			drain(t, now, &a.pc.core)
			now = now.Add(300 * time.Millisecond)
			a.pc.core.Advance(now)
			drain(t, now, &a.pc.core)
		}
		if held := a.pc.core.labelBytes; held > maxLabelBytes {
			t.Errorf("%d bytes of labels are held for channels of the peer's making", held)
		}
	})
}

// Before the answer has come, DTLS is kept only of whoever has shown the ICE
// password: strangers can't fill our memory, nor take the ClientHello's place.
func TestEarlyDTLSOfStrangers(t *testing.T) {
	a, z := quietPeer(t, 1), quietPeer(t, 2)
	a.CreateDataChannel("x", nil)
	now := time.Unix(1e9, 0)
	offer := offerOf(t, a)
	a.mustSet(t, true, offer)
	a.core.gather(now, []netip.AddrPort{addrA}, false)
	z.mustSet(t, false, *a.LocalDescription())
	z.mustSet(t, true, answerOf(t, z))
	zAddr := netip.MustParseAddrPort("192.0.2.2:2000")
	z.core.gather(now, []netip.AddrPort{zAddr}, false)
	record := append([]byte{22, 0xfe, 0xfd}, make([]byte, 60000)...)
	a.core.Receive(now, ice.Path{Local: addrA, Remote: netip.MustParseAddrPort("203.0.113.9:9")}, record)
	if len(a.core.early) != 0 {
		t.Error("a stranger's record is kept")
	}
	// z's check arrives before its answer does, and then its ClientHello.
	if carry(now, &z.core, &a.core, false) == 0 {
		t.Fatal("z checks nothing")
	}
	a.core.Receive(now, ice.Path{Local: addrA, Remote: zAddr}, record[:200])
	if len(a.core.early) != 1 {
		t.Error("the peer's record is not kept")
	}
}

// The labels of channels that the peer has opened are bounded, also of those
// that were accepted.
func TestLabelsAreBounded(t *testing.T) {
	n, a, z := quietCores(t)
	label := make([]byte, 60000)
	held := 0
	for range 100 {
		ch, err := newChannel(string(label), nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := a.pc.core.addChannel(n.Now(), a.pc.core.newDataChannel(ch)); err != nil {
			t.Fatal(err)
		}
		settle(n.Now(), &a.pc.core, &z.pc.core)
		for len(z.pc.core.unaccepted) > 0 {
			held += len(z.pc.core.acceptChannel().label)
		}
	}
	if held > 2*maxLabelBytes || held < len(label) {
		t.Errorf("%d bytes of labels are held", held)
	}
	// Closed, they make room for others.
	for id := range uint16(maxStreams) {
		if d := z.pc.core.channels[id]; d != nil {
			z.pc.core.closeChannel(n.Now(), d)
		}
	}
	settle(n.Now(), &a.pc.core, &z.pc.core)
	if z.pc.core.labelBytes != 0 {
		t.Errorf("%d bytes of labels are counted when all channels are closed", z.pc.core.labelBytes)
	}
}

// A connection that the peer has closed sends nothing more and waits for
// nothing, even before its user calls Close.
func TestEndedConnectionRests(t *testing.T) {
	n, a, z := connectedCores(t)
	a.pc.core.close(n.Now())
	n.Run(func() bool { return z.pc.core.ended }, time.Second)
	if !z.pc.core.ended || z.pc.core.state != ConnectionClosed {
		t.Fatalf("the peer has closed the connection, and it is %v", z.pc.core.state)
	}
	n.Run(nil, 5*time.Second)
	sent := z.pc.core.packetsSent
	n.Run(nil, time.Minute)
	if again := z.pc.core.packetsSent - sent; again != 0 {
		t.Errorf("%d datagrams are sent to a peer that has gone", again)
	}
	if at := z.pc.core.NextTimeout(); !at.IsZero() {
		t.Errorf("a timer runs until %v for a connection that has ended", at)
	}
}
