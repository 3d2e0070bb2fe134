//go:build !386 && !portable

package udp

import (
	"encoding/binary"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"unsafe"
)

// goroutines counts those that run code of this package outside of its tests.
func goroutines() int {
	b := make([]byte, 1<<20)
	b = b[:runtime.Stack(b, true)]
	return strings.Count(string(b), "(*reader).run")
}

func descriptors(t *testing.T) int {
	t.Helper()
	d, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(d)
}

// 200 sockets, all of them used, cost no goroutine each; closed, they leave
// neither goroutine nor descriptor.
func TestSocketsShareReaders(t *testing.T) {
	eventually(t, "readers of earlier tests end", func() bool { return goroutines() == 0 })
	before, all := descriptors(t), runtime.NumGoroutine()
	for range 2 { // twice: readers come and go
		var got atomic.Int64
		var sockets []*Socket
		for range 200 {
			s, err := Listen(loopback4, func(_ *Socket, batch []Packet) { got.Add(int64(len(batch))) })
			if err != nil {
				t.Fatal(err)
			}
			sockets = append(sockets, s)
		}
		for i, s := range sockets {
			if err := s.Send(sockets[len(sockets)-1-i].Local(), []byte("hello"), 0); err != nil {
				t.Fatal(err)
			}
		}
		eventually(t, "each hears one", func() bool { return got.Load() == 200 })
		if n, most := runtime.NumGoroutine()-all, min(runtime.GOMAXPROCS(0), maxReaders); n > most {
			t.Errorf("200 sockets have %d goroutines, want at most %d", n, most)
		}
		for _, s := range sockets {
			s.Close()
		}
		eventually(t, "the readers end", func() bool { return goroutines() == 0 })
		if now := descriptors(t); now > before {
			t.Errorf("%d descriptors are left over", now-before)
		}
	}
}

// Where the kernel refuses UDP_SEGMENT, the run goes out one by one, nothing of
// it is lost, and later runs do not try again. A socket that sends no checksums
// is such a place.
func TestRefusedSegmentation(t *testing.T) {
	var got atomic.Int64
	z := open(t, loopback4, func(_ *Socket, batch []Packet) { got.Add(int64(len(batch))) })
	a := open(t, loopback4, ignore)
	const soNoCheck = 11
	if err := syscall.SetsockoptInt(a.fd, syscall.SOL_SOCKET, soNoCheck, 1); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		if err := a.Send(z.Local(), make([]byte, 100*100), 100); err != nil {
			t.Fatal(err)
		}
		if a.sender.segmentation {
			t.Fatal("it goes on to use what the kernel refuses")
		}
		eventually(t, "all arrive", func() bool { return got.Load() == int64(100*(i+1)) })
	}
}

// The bundles do what they are for: one read brings many datagrams.
func TestBatchesAreBatches(t *testing.T) {
	sizes := make(chan int, 1000)
	z := open(t, loopback4, func(_ *Socket, batch []Packet) { sizes <- len(batch) })
	a := open(t, loopback4, ignore)
	if err := a.Send(z.Local(), make([]byte, 50*1200), 1200); err != nil {
		t.Fatal(err)
	}
	if n := within(t, sizes, "the run"); n != 50 {
		t.Errorf("the first batch has %d datagrams, want 50", n)
	}
}

// A burst as large as SCTP's largest window fits into the receiver's buffer
// while its reader is busy elsewhere.
func TestBurstIsNotDropped(t *testing.T) {
	const burst = 1 << 20
	var got atomic.Int64
	hold, release := make(chan bool, 1), make(chan bool)
	first := true
	z := open(t, loopback4, func(_ *Socket, batch []Packet) {
		if first {
			first = false
			hold <- true
			<-release
		}
		for _, p := range batch {
			got.Add(int64(len(p.Data)))
		}
	})
	a := open(t, loopback4, ignore)
	a.Send(z.Local(), []byte("x"), 0)
	within(t, hold, "the first datagram")
	for range 16 {
		if err := a.Send(z.Local(), make([]byte, burst/16), 1200); err != nil {
			t.Fatal(err)
		}
	}
	close(release)
	if os.Geteuid() != 0 {
		eventually(t, "something arrives", func() bool { return got.Load() > 1 })
		return // only root may have such a buffer
	}
	eventually(t, "all of it arrives", func() bool { return got.Load() == burst+1 })
}

// What the kernel says of a bundle is found among other things it may say.
func TestControlMessages(t *testing.T) {
	type message struct {
		level, kind int32
		data        []byte
	}
	size := func(n uint32) []byte { return binary.NativeEndian.AppendUint32(nil, n) }
	for name, test := range map[string]struct {
		messages []message
		want     int
	}{
		"nothing":          {nil, 0},
		"a bundle":         {[]message{{solUDP, udpGRO, size(1200)}}, 1200},
		"after another":    {[]message{{syscall.IPPROTO_IP, syscall.IP_TOS, []byte{2}}, {solUDP, udpGRO, size(7)}}, 7},
		"another alone":    {[]message{{syscall.IPPROTO_IP, syscall.IP_TOS, []byte{2}}}, 0},
		"without its size": {[]message{{solUDP, udpGRO, nil}}, 0},
	} {
		var buffer controlBuffer
		n := 0
		for _, m := range test.messages {
			h := (*syscall.Cmsghdr)(unsafe.Pointer(&buffer.bytes()[n]))
			h.Level, h.Type = m.level, m.kind
			h.SetLen(syscall.CmsgLen(len(m.data)))
			copy(buffer.bytes()[n+syscall.SizeofCmsghdr:], m.data)
			n += syscall.CmsgSpace(len(m.data))
		}
		if got := joined(buffer.bytes()[:n]); got != test.want {
			t.Errorf("%s: %d, want %d", name, got, test.want)
		}
		for end := range n { // cut off anywhere: no panic, and no other size
			if got := joined(buffer.bytes()[:end]); got != 0 && got != test.want {
				t.Errorf("%s, cut off after %d bytes: %d", name, end, got)
			}
		}
	}
}

// What is larger than the interface carries is not sent, unless it may be
// fragmented; and it does not pass for a refusal of segmentation.
func TestMTU(t *testing.T) {
	got := make(chan int, 10)
	z := open(t, loopback6, func(_ *Socket, batch []Packet) {
		for _, p := range batch {
			got <- len(p.Data)
		}
	})
	a := open(t, loopback6, ignore)
	const headers = 40 + 8
	mtu := a.MTU(z.Local())
	b := make([]byte, 65507)
	if mtu < 1280 || mtu-headers >= len(b) {
		t.Fatalf("the MTU of the loopback interface is said to be %d", mtu)
	}
	if err := a.Send(z.Local(), b[:mtu-headers], 0); err != nil {
		t.Errorf("a datagram as large as the MTU allows: %v", err)
	} else if n := within(t, got, "it"); n != mtu-headers {
		t.Errorf("%d bytes arrive of %d", n, mtu-headers)
	}
	for _, segment := range []int{0, len(b) / 2} {
		if err := a.Send(z.Local(), b[:mtu-headers+1], segment); (err == nil) != (segment > 0) {
			t.Errorf("a byte more, in datagrams of %d: %v", segment, err)
		}
		if !a.sender.segmentation {
			t.Error("it counts as a refusal of segmentation")
		}
	}
	within(t, got, "the first half")
	within(t, got, "the other half")
	if err := a.SendInFragments(z.Local(), b); err != nil {
		t.Errorf("a byte more, in fragments: %v", err)
	} else if n := within(t, got, "it"); n != len(b) {
		t.Errorf("%d bytes arrive of %d", n, len(b))
	}
	if err := a.Send(z.Local(), b, 0); err == nil {
		t.Error("what may not be fragmented was, after something that may")
	}
}

// A group divides those who send to it, each of whom meets one socket alone; and nobody else
// can have its address.
func TestGroupDividesSenders(t *testing.T) {
	const senders, each = 64, 5
	var mu sync.Mutex
	met := map[netip.AddrPort]map[*Socket]int{}
	arrived := 0
	group, err := ListenGroup(loopback4, 4, func(s *Socket, batch []Packet) {
		mu.Lock()
		defer mu.Unlock()
		for _, p := range batch {
			if met[p.From] == nil {
				met[p.From] = map[*Socket]int{}
			}
			met[p.From][s]++
			arrived++
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range group {
		defer s.Close()
		if s.Local() != group[0].Local() {
			t.Errorf("the sockets have the addresses %v and %v", s.Local(), group[0].Local())
		}
	}
	for range senders {
		s := open(t, loopback4, ignore)
		for range each {
			if err := s.Send(group[0].Local(), []byte("hello"), 0); err != nil {
				t.Fatal(err)
			}
		}
	}
	eventually(t, "all arrives", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return arrived == senders*each
	})
	used := map[*Socket]bool{}
	for from, sockets := range met {
		if len(sockets) != 1 {
			t.Errorf("%v met %d sockets", from, len(sockets))
		}
		for s := range sockets {
			used[s] = true
		}
	}
	if len(group) != 4 || len(used) < 2 {
		t.Errorf("of %d sockets %d are used", len(group), len(used))
	}
	if s, err := Listen(group[0].Local(), ignore); err == nil {
		s.Close()
		t.Error("somebody else has the group's address")
	}
	if others, err := ListenGroup(group[0].Local(), 2, ignore); err == nil {
		for _, s := range others {
			s.Close()
		}
		t.Error("another group has the group's address")
	}
}

// A socket that has much to be read is read at some length before it is the next one's
// turn, and no longer than that.
func TestTurnsOfReader(t *testing.T) {
	type turn struct {
		s *Socket
		n int
	}
	var turns []turn // the reader's, until it has read all
	var total atomic.Int64
	held, release := make(chan struct{}), make(chan struct{})
	take := func(s *Socket, batch []Packet) {
		if string(batch[0].Data) == "hold" {
			close(held)
			<-release
			return
		}
		if n := len(turns); n > 0 && turns[n-1].s == s {
			turns[n-1].n += len(batch)
		} else {
			turns = append(turns, turn{s, len(batch)})
		}
		total.Add(int64(len(batch)))
	}
	a := open(t, loopback4, take)
	b := open(t, loopback4, take)
	for b.reader != a.reader {
		b = open(t, loopback4, take)
	}
	from := open(t, loopback4, ignore)
	send := func(to *Socket, text string) {
		if err := from.Send(to.Local(), []byte(text), 0); err != nil {
			t.Fatal(err)
		}
	}
	send(a, "hold")
	within(t, held, "the reader is in receive")
	const many = maxSlabs * bundles * 5 / 4
	for range many {
		send(a, "one of many")
		send(b, "one of many")
	}
	close(release)
	eventually(t, "all is read", func() bool { return total.Load() == 2*many })
	if len(turns) != 4 || turns[0].n != maxSlabs*bundles || turns[1].n != maxSlabs*bundles {
		t.Errorf("two sockets with %d datagrams each are read in turns of %v, want two of %d and then the rest", many, turns, maxSlabs*bundles)
	}
}
