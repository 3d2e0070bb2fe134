package peerconnection

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/internal/udp"
)

// inNamespace runs the test that calls it once more in a process that has a network
// of its own, where what ip does harms nobody, and reports whether this is that one.
func inNamespace(t *testing.T) bool {
	t.Helper()
	const mark = "PLAINRTC_TEST_NAMESPACE"
	if os.Getenv(mark) == t.Name() {
		return true
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.count=1")
	cmd.Env = append(os.Environ(), mark+"="+t.Name())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	switch _, ran := errors.AsType[*exec.ExitError](err); {
	case err == nil:
		t.Logf("in a network of its own:\n%s", out)
	case ran:
		t.Errorf("in a network of its own: %v\n%s", err, out)
	default:
		t.Logf("NOT RUN: no network namespace can be made here: %v", err)
	}
	return false
}

// ip changes the network, a command a line.
func ip(t *testing.T, commands string) {
	t.Helper()
	for line := range strings.Lines(commands) {
		program := "ip"
		if _, err := exec.LookPath(program); err != nil {
			program = "/usr/sbin/ip"
		}
		if out, err := exec.Command(program, strings.Fields(line)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v\n%s", strings.TrimSpace(line), err, out)
		}
	}
}

// A call on two networks, a cable and a mobile one: the cable goes, and comes back. Data goes on
// each time, without a restart, and nobody asks the program for anything but to pass on
// candidates, which it does all the time.
func TestNetworkGoesAndComes(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	ip(t, `link set lo up
		link add eth-a type veth peer name eth-b
		link add wwan-a type veth peer name wwan-b
		addr add 10.0.0.1/24 dev eth-a
		addr add 10.0.0.2/24 dev eth-b
		addr add 10.0.1.1/24 dev wwan-a
		addr add 10.0.1.2/24 dev wwan-b
		link set eth-a up
		link set eth-b up
		link set wwan-a up
		link set wwan-b up`)
	before := runtime.NumGoroutine()
	ctx := within(t, 100*time.Second)
	for len(udp.HostAddresses()) < 4 || udp.HostAddresses()[0].IsLoopback() { // a carrier takes its time
		if ctx.Err() != nil {
			t.Fatalf("the network has the addresses %v", udp.HostAddresses())
		}
		time.Sleep(10 * time.Millisecond)
	}
	var pcs [2]*PeerConnection
	for i, letter := range []string{"-a", "-b"} {
		pc, err := New(Config{InterfaceFilter: func(name string, addr netip.Addr) bool { return strings.HasSuffix(name, letter) && addr.Is4() }})
		if err != nil {
			t.Fatal(err)
		}
		defer pc.Close()
		pcs[i] = pc
	}
	da, dz := connect(t, ctx, pcs[0], pcs[1])
	var trickling sync.WaitGroup
	for i, pc := range pcs {
		trickling.Go(func() {
			for ends := 0; ; {
				c, err := pc.NextICECandidate(ctx)
				switch {
				case err == io.EOF:
					if ends++; ends > 100 {
						t.Error("io.EOF comes without end")
						return
					}
				case err != nil:
					return
				default:
					if err := pcs[1-i].AddICECandidate(c); err != nil && !errors.Is(err, ErrClosed) { // it is at the end
						t.Error(err)
					}
				}
			}
		})
	}
	on := func(pc *PeerConnection) string {
		pc.mu.Lock()
		defer pc.mu.Unlock()
		path, _ := pc.core.ice.SelectedPath()
		return path.String()
	}
	// speak sends a message each way every few milliseconds until both ends are on
	// the network, and reports the longest silence of either.
	speak := func(network string) (silence time.Duration) {
		var heard [2]time.Time
		var mu sync.Mutex
		talk, stop := context.WithCancel(ctx)
		var talking sync.WaitGroup
		for i, d := range []*DataChannel{da, dz} {
			heard[i] = time.Now()
			talking.Go(func() {
				for talk.Err() == nil {
					d.SendText("still there?")
					time.Sleep(5 * time.Millisecond)
				}
			})
			talking.Go(func() {
				for {
					if _, err := d.ReadMessage(talk); err != nil {
						return
					}
					mu.Lock()
					silence = max(silence, time.Since(heard[i]))
					heard[i] = time.Now()
					mu.Unlock()
				}
			})
		}
		began := time.Now()
		for !strings.Contains(on(pcs[0]), network) || !strings.Contains(on(pcs[1]), network) {
			if ctx.Err() != nil {
				t.Fatalf("data goes %s and %s, and should over %s; the host has %v, the sockets are at %v and %v\n%+v\n%+v", on(pcs[0]), on(pcs[1]), network,
					udp.HostAddresses(), pcs[0].mux.addresses(), pcs[1].mux.addresses(), pcs[0].Stats().CandidatePairs, pcs[1].Stats().CandidatePairs)
			}
			time.Sleep(5 * time.Millisecond)
		}
		for {
			mu.Lock()
			both := heard[0].After(began) && heard[1].After(began)
			mu.Unlock()
			if both || ctx.Err() != nil {
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
		stop()
		talking.Wait()
		return silence
	}
	speak("10.0.0.")
	ip(t, "link set eth-a down")
	t.Logf("the network goes: the longest silence is %v", speak("10.0.1."))
	ip(t, "link set eth-a up")
	t.Logf("it comes back: the longest silence is %v", speak("10.0.0."))
	for _, pc := range pcs {
		if s := pc.ConnectionState(); s != ConnectionConnected {
			t.Errorf("the connection is %v", s)
		}
	}
	for _, pc := range pcs {
		pc.Close()
	}
	trickling.Wait()
	for runtime.NumGoroutine() > before {
		if ctx.Err() != nil {
			t.Fatalf("%d goroutines are left of %d", runtime.NumGoroutine(), before)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
