package netns

import (
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A Wire is a link between two namespaces. The zero Wire is as fast as the machine.
type Wire struct {
	Delay  time.Duration // each way
	Jitter time.Duration // up to as much more, packet by packet, in order
	Loss   float64       // the share of packets that is lost, each way
	Seed   uint64        // of the two above
}

// An end is where a wire ends: a device of a namespace.
type end struct {
	in     *Namespace
	device string
}

// join lays a wire between two devices that it makes.
func join(a, b end, w Wire) (stop func(), err error) {
	if w == (Wire{}) {
		// One packet is one packet: what GSO holds together, a rule would drop together.
		return func() {}, a.in.IP(
			fmt.Sprintf("link add name %s type veth peer name %s netns %s", a.device, b.device, b.in.Path()),
			fmt.Sprintf("link set dev %s gso_max_segs 1", a.device),
		)
	}
	near, err := openTUN(a)
	if err != nil {
		return nil, err
	}
	far, err := openTUN(b)
	if err != nil {
		near.Close()
		return nil, err
	}
	var running sync.WaitGroup
	running.Go(func() { w.carry(near, far, 1) })
	running.Go(func() { w.carry(far, near, 2) })
	return func() {
		near.Close()
		far.Close()
		running.Wait()
	}, nil
}

// openTUN makes a TUN device and returns what its other end is: packets that
// the namespace sends are read, and those written are received.
func openTUN(e end) (f *os.File, err error) {
	err = e.in.Do(func() error {
		fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
		if err != nil {
			return fmt.Errorf("netns: /dev/net/tun: %w: %w", unix.EOPNOTSUPP, err)
		}
		request, err := unix.NewIfreq(e.device)
		if err == nil {
			request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
			err = unix.IoctlIfreq(fd, unix.TUNSETIFF, request)
		}
		if err != nil {
			unix.Close(fd)
			return fmt.Errorf("netns: the TUN device %s: %w", e.device, err)
		}
		f = os.NewFile(uintptr(fd), e.device)
		return nil
	})
	return f, err
}

// maxOnWire is how many packets a wire holds in one direction; more are lost.
const maxOnWire = 1024

// carry carries packets from one device to the other until either is closed.
func (w Wire) carry(from, to *os.File, direction uint64) {
	type packet struct {
		due time.Time
		b   []byte
	}
	random := rand.New(rand.NewPCG(w.Seed, direction))
	onWire := make(chan packet, maxOnWire)
	var writer sync.WaitGroup
	writer.Go(func() {
		for p := range onWire {
			time.Sleep(time.Until(p.due))
			to.Write(p.b) // a device that is down loses it
		}
	})
	b := make([]byte, 1<<16)
	var last time.Time
	for {
		n, err := from.Read(b)
		if err != nil {
			break
		}
		if random.Float64() < w.Loss {
			continue
		}
		due := time.Now().Add(w.Delay)
		if w.Jitter > 0 {
			due = due.Add(time.Duration(random.Int64N(int64(w.Jitter))))
		}
		if due.Before(last) {
			due = last
		}
		last = due
		select {
		case onWire <- packet{due, append([]byte(nil), b[:n]...)}:
		default:
		}
	}
	close(onWire)
	writer.Wait()
}
