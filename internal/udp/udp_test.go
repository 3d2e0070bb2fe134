package udp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	loopback4 = netip.MustParseAddrPort("127.0.0.1:0")
	loopback6 = netip.MustParseAddrPort("[::1]:0")
)

func open(t testing.TB, addr netip.AddrPort, receive func(*Socket, []Packet)) *Socket {
	t.Helper()
	s, err := Listen(addr, receive)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func ignore(*Socket, []Packet) {}

// within fails the test if nothing comes out of c soon.
func within[T any](t testing.TB, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(10 * time.Second):
		t.Fatalf("%s: waited in vain", what)
		panic("unreachable")
	}
}

// eventually fails the test if the condition does not come true soon.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for range 2000 {
		if condition() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("%s: waited in vain", what)
}

// pattern is the i-th byte of the n-th datagram, so that no two are alike.
func pattern(b []byte, n int) {
	for i := range b {
		b[i] = byte(i*7 + n*13 + i*n>>8)
	}
}

// Runs of datagrams of all sizes arrive as they were sent: each one whole, in
// order, with its bytes, from the sender's address.
func TestRunsArriveDatagramByDatagram(t *testing.T) {
	for _, addr := range []netip.AddrPort{loopback4, loopback6} {
		t.Run(addr.String(), func(t *testing.T) {
			type datagram struct {
				data []byte
				from netip.AddrPort
			}
			arrived := make(chan datagram, 4096)
			z := open(t, addr, func(_ *Socket, batch []Packet) {
				for _, p := range batch {
					arrived <- datagram{bytes.Clone(p.Data), p.From}
					clear(p.Data) // receivers may
				}
			})
			a := open(t, addr, ignore)
			n := 0
			for _, run := range []struct{ segment, total int }{
				{1200, 1}, {1200, 1199}, {1200, 1200}, {1200, 1201}, {1200, 64 * 1200}, {1200, 65 * 1200}, {1200, 200*1200 + 7},
				{1, 1}, {1, 64}, {1, 300}, {8, 8 * 33}, {500, 1234}, {0, 1200}, {1500, 1200}, {-1, 3},
				{maxDatagram, maxDatagram}, {maxDatagram, maxDatagram + 1}, {32753, 65506}, {32754, 65508}, {9000, 100_000},
				{maxDatagram / 4, 65504}, {maxDatagram / 4, 100_000},
			} {
				if addr == loopback6 {
					// IPv6's header is larger, and the loopback interface's MTU the same.
					run.segment = min(run.segment, maxDatagram-20)
				}
				b := make([]byte, run.total)
				pattern(b, n)
				n++
				if err := a.Send(z.Local(), b, run.segment); err != nil {
					t.Fatalf("%+v: %v", run, err)
				}
				segment := run.segment
				if segment <= 0 {
					segment = run.total
				}
				for want := range slices.Chunk(b, segment) {
					got := within(t, arrived, fmt.Sprintf("%+v", run))
					if !bytes.Equal(got.data, want) {
						t.Fatalf("%+v: %d bytes arrive, want %d, or others", run, len(got.data), len(want))
					}
					if got.from != a.Local() {
						t.Fatalf("%+v: it comes from %v, want %v", run, got.from, a.Local())
					}
				}
			}
		})
	}
}

// Both directions at once, several senders to one socket: every datagram once.
func TestManyToOneAndBack(t *testing.T) {
	const senders, rounds, size = 8, 50, 16
	var echoed sync.Map // of [size]byte: how often it came back
	echo := open(t, loopback4, func(s *Socket, batch []Packet) {
		for _, p := range batch {
			if err := s.Send(p.From, p.Data, 0); err != nil {
				t.Error(err)
			}
		}
	})
	var back atomic.Int64
	var group sync.WaitGroup
	for sender := range senders {
		s := open(t, loopback4, func(_ *Socket, batch []Packet) {
			for _, p := range batch {
				if _, twice := echoed.LoadOrStore([size]byte(p.Data), true); twice {
					t.Error("a datagram comes back twice")
				}
				back.Add(1)
			}
		})
		group.Go(func() {
			for round := range rounds {
				b := make([]byte, 10*size)
				for i := range 10 {
					binary.BigEndian.PutUint64(b[i*size:], uint64(sender))
					binary.BigEndian.PutUint64(b[i*size+8:], uint64(round*10+i))
				}
				if err := s.Send(echo.Local(), b, size); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	eventually(t, "all come back", func() bool { return back.Load() == senders*rounds*10 })
}

func TestCloseInsideReceive(t *testing.T) {
	var calls atomic.Int32
	done := make(chan bool, 100)
	z := open(t, loopback4, func(s *Socket, batch []Packet) {
		calls.Add(1)
		s.Close()
		s.Close()
		if err := s.Send(s.Local(), []byte("x"), 0); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a closed socket sends: %v", err)
		}
		done <- true
	})
	a := open(t, loopback4, ignore)
	for range 20 {
		a.Send(z.Local(), []byte("close yourself"), 0)
	}
	within(t, done, "the first datagram")
	// The address is free again at once, for readers hold nothing back here.
	eventually(t, "its port is free", func() bool {
		s, err := Listen(z.Local(), ignore)
		if err == nil {
			s.Close()
		}
		return err == nil
	})
	if n := calls.Load(); n != 1 {
		t.Errorf("receive was called %d times, of which %d after Close", n, n-1)
	}
}

// Close with a lock held that receive is waiting for: it must not wait for it.
func TestCloseDoesNotWaitForReceive(t *testing.T) {
	var lock sync.Mutex
	entered := make(chan bool, 1)
	z := open(t, loopback4, func(*Socket, []Packet) {
		entered <- true
		lock.Lock()
		defer lock.Unlock()
	})
	a := open(t, loopback4, ignore)
	lock.Lock()
	a.Send(z.Local(), []byte("wait"), 0)
	within(t, entered, "the datagram")
	closed := make(chan bool)
	go func() { z.Close(); closed <- true }()
	within(t, closed, "Close")
	lock.Unlock()
}

// Nothing that happens at the same time as Close may crash, deadlock, or touch
// the descriptor of another socket.
func TestCloseAtAnyMoment(t *testing.T) {
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			for range 100 {
				var got atomic.Int32
				z, err := Listen(loopback4, func(s *Socket, batch []Packet) {
					for _, p := range batch {
						if len(p.Data) != 1 || p.Data[0] != byte(i) {
							t.Errorf("socket %d is given %x", i, p.Data)
						}
					}
					got.Add(1)
					s.Send(s.Local(), batch[0].Data, 0) // for ever, until it is closed
				})
				if err != nil {
					t.Error(err)
					return
				}
				var two sync.WaitGroup
				two.Go(func() {
					for z.Send(z.Local(), []byte{byte(i)}, 0) == nil {
						runtime.Gosched()
					}
				})
				for got.Load() == 0 {
					runtime.Gosched()
				}
				two.Go(func() { z.Close() })
				z.Close()
				two.Wait()
			}
		})
	}
	group.Wait()
}

func TestUnspecifiedAddressTakesBothFamilies(t *testing.T) {
	from := make(chan netip.AddrPort, 10)
	z := open(t, netip.AddrPortFrom(netip.IPv6Unspecified(), 0), func(s *Socket, batch []Packet) {
		for _, p := range batch {
			from <- p.From
			s.Send(p.From, p.Data, 0)
		}
	})
	for _, addr := range []netip.AddrPort{loopback4, loopback6} {
		answered := make(chan netip.AddrPort, 10)
		a := open(t, addr, func(_ *Socket, batch []Packet) { answered <- batch[0].From })
		to := netip.AddrPortFrom(addr.Addr(), z.Local().Port())
		if err := a.Send(to, []byte("hello"), 0); err != nil {
			t.Fatal(err)
		}
		if got := within(t, from, "the datagram"); got != a.Local() {
			t.Errorf("it comes from %v, want %v", got, a.Local())
		}
		if got := within(t, answered, "the answer"); got != to {
			t.Errorf("the answer comes from %v, want %v", got, to)
		}
	}
}

func TestErrors(t *testing.T) {
	if _, err := Listen(netip.AddrPort{}, ignore); err == nil {
		t.Error("it listens nowhere")
	}
	four, six := open(t, loopback4, ignore), open(t, loopback6, ignore)
	if _, err := Listen(four.Local(), ignore); err == nil {
		t.Error("two sockets listen on the same address")
	}
	if _, err := Listen(netip.MustParseAddrPort("198.51.100.1:0"), ignore); err == nil {
		t.Error("it listens on an address of another host")
	}
	if err := four.Send(six.Local(), []byte("x"), 0); err == nil {
		t.Error("IPv4 sends to IPv6")
	}
	if err := six.Send(four.Local(), []byte("x"), 0); err == nil {
		t.Error("IPv6 sends to IPv4 from a bound address")
	}
	if err := four.Send(four.Local(), make([]byte, maxDatagram+1), 0); err == nil {
		t.Error("a datagram larger than any is sent")
	}
	if err := four.Send(netip.AddrPort{}, []byte("x"), 0); err == nil {
		t.Error("it sends nowhere")
	}
	if err := four.Send(four.Local(), nil, 0); err != nil {
		t.Error(err)
	}
	if got := open(t, netip.MustParseAddrPort("[::ffff:127.0.0.1]:0"), ignore).Local(); !got.Addr().Is4() {
		t.Errorf("IPv4 in IPv6's clothes listens on %v", got)
	}
}

func TestHostAddresses(t *testing.T) {
	addrs := HostAddresses()
	t.Log(addrs)
	if len(addrs) == 0 {
		t.Fatal("this host has no address, not even loopback")
	}
	if !slices.Equal(addrs, HostAddresses()) {
		t.Error("the order changes")
	}
	for _, a := range addrs {
		if a.IsLoopback() != addrs[0].IsLoopback() {
			t.Errorf("loopback addresses among others: %v", addrs)
		}
		if a.Is4In6() || a.Is6() && a.IsLinkLocalUnicast() || a.IsUnspecified() || a.IsMulticast() {
			t.Errorf("%v is of no use", a)
		}
		s, err := Listen(netip.AddrPortFrom(a, 0), ignore)
		if err != nil {
			t.Error(err)
			continue
		}
		s.Close()
	}
}

func TestUsableAddresses(t *testing.T) {
	for addr, want := range map[string]bool{
		"192.0.2.1": true, "10.0.0.1": true, "169.254.1.1": true, "2001:db8::1": true, "fd00::1": true,
		"0.0.0.0": false, "::": false, "224.0.0.1": false, "ff02::1": false, "fe80::1": false, "fec0::1": false, "::192.0.2.1": false,
	} {
		if got := usableAddr(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %v, want %v", addr, got, want)
		}
	}
}

// pingPong sends runs of n datagrams and waits until all have arrived.
func pingPong(t testing.TB, n, size int) (once func()) {
	var left atomic.Int64
	arrived := make(chan bool, 1)
	z := open(t, loopback4, func(_ *Socket, batch []Packet) {
		if left.Add(-int64(len(batch))) == 0 {
			arrived <- true
		}
	})
	a := open(t, loopback4, ignore)
	b := make([]byte, n*size)
	to := z.Local()
	return func() {
		left.Store(int64(n))
		if err := a.Send(to, b, size); err != nil {
			t.Fatal(err)
		}
		<-arrived
	}
}

func TestNothingAllocates(t *testing.T) {
	for _, n := range []int{1, 32, 200} {
		once := pingPong(t, n, 1200)
		for range 10 {
			once()
		}
		if allocs := testing.AllocsPerRun(200, once); allocs != 0 {
			t.Errorf("a run of %d datagrams, sent and received, allocates %v times", n, allocs)
		}
	}
}

func BenchmarkSendReceive(b *testing.B) {
	for _, n := range []int{1, 4, 32, 128} {
		b.Run(fmt.Sprintf("run=%d", n), func(b *testing.B) {
			once := pingPong(b, n, 1200)
			b.SetBytes(int64(n) * 1200)
			b.ReportAllocs()
			for b.Loop() {
				once()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/datagram")
		})
	}
}
