package interop

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	mrand "math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/internal/trace"
	"github.com/plainrtc/plainrtc/sctp"
)

// buildUsrsctp compiles the program of usrsctp's end.
func buildUsrsctp(t *testing.T) (program string) {
	t.Helper()
	program = filepath.Join(t.TempDir(), "peer")
	out, err := exec.Command(compiler(), "-O2", "-Wall", "-Wextra", "-Werror", "-o", program, "usrsctp/peer.c", "-lusrsctp", "-lpthread").CombinedOutput()
	if err != nil {
		t.Fatalf("usrsctp's end can not be built; make deps installs libusrsctp-dev and gcc: %v\n%s", err, out)
	}
	return program
}

// A usrsctpProcess is usrsctp's end.
type usrsctpProcess struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	lines  *queue[string] // what it says
	ended  chan struct{}
	record *strings.Builder
}

// startUsrsctp starts usrsctp's end on a socket, to talk to ours, with options of
// the program.
func startUsrsctp(t *testing.T, program string, socket *os.File, ours *sctpEnd, options ...string) *usrsctpProcess {
	t.Helper()
	p := &usrsctpProcess{cmd: exec.Command(program, append([]string{strconv.Itoa(ours.socket.LocalAddr().(*net.UDPAddr).Port)}, options...)...), lines: newQueue[string](), ended: make(chan struct{}), record: new(strings.Builder)}
	p.cmd.ExtraFiles = []*os.File{socket}
	p.cmd.Stderr = os.Stderr
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.stdin = stdin
	go func() {
		defer close(p.ended)
		for s := bufio.NewScanner(stdout); s.Scan(); {
			fmt.Fprintln(p.record, s.Text())
			p.lines.push(s.Text())
		}
		p.lines.push("end")
		p.cmd.Wait()
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("usrsctp said:\n%s", ends(p.record.String(), 50))
		}
	})
	return p
}

func (p *usrsctpProcess) kill() {
	p.stdin.Close()
	p.cmd.Process.Kill()
	<-p.ended
}

// tell gives it a command.
func (p *usrsctpProcess) tell(t *testing.T, format string, args ...any) {
	t.Helper()
	if _, err := fmt.Fprintf(p.stdin, format+"\n", args...); err != nil {
		t.Fatalf("usrsctp's end is gone: %v", err)
	}
}

// expect waits for the next line, which must begin with want.
func (p *usrsctpProcess) expect(t *testing.T, ctx context.Context, want string) (rest string) {
	t.Helper()
	line, err := p.lines.next(ctx)
	if err != nil {
		t.Fatalf("usrsctp does not say %q: %v", want, err)
	}
	rest, ok := strings.CutPrefix(line, want)
	if !ok {
		t.Fatalf("usrsctp says %q, want %q", line, want)
	}
	return strings.TrimSpace(rest)
}

// An sctpEnd is our end: an association, driven by what comes on a socket, by a
// timer, and by calls.
type sctpEnd struct {
	socket   *net.UDPConn
	messages *queue[sctp.Received]
	events   *queue[sctp.Event]

	mu    sync.Mutex
	a     *sctp.Association
	timer *time.Timer
	loss  float64 // of packets, in each direction
	gone  int     // packets of theirs with DATA that were lost
	rand  *mrand.Rand
	buf   []byte

	record packetRecord
}

// A packetRecord keeps the packets of an association in the RFC's words, and what
// else it tells but for its variables.
type packetRecord struct {
	start time.Time
	strings.Builder
}

// Trace implements trace.Sink.
func (r *packetRecord) Trace(e *trace.Event) {
	if e.Kind != trace.KindValue {
		r.line(e.Time, "  "+e.String())
	}
}

func (r *packetRecord) line(now time.Time, s string) {
	fmt.Fprintf(r, "%9s  %s\n", now.Sub(r.start).Round(time.Millisecond/10), s)
}

// newSCTPEnd makes our end, and the socket of the other.
func newSCTPEnd(t *testing.T, config sctp.Config) (e *sctpEnd, other *os.File) {
	t.Helper()
	e = &sctpEnd{messages: newQueue[sctp.Received](), events: newQueue[sctp.Event](),
		rand: testRand(), buf: make([]byte, 0, 1<<16), record: packetRecord{start: time.Now()}}
	config.Rand, config.Trace = rand.Reader, trace.New(&e.record, "")
	e.a = sctp.New(config)
	loopback := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}
	theirs, err := net.ListenUDP("udp4", loopback)
	if err != nil {
		t.Fatal(err)
	}
	if e.socket, err = net.DialUDP("udp4", loopback, theirs.LocalAddr().(*net.UDPAddr)); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*net.UDPConn{e.socket, theirs} {
		s.SetReadBuffer(4 << 20)
		s.SetWriteBuffer(4 << 20)
	}
	if other, err = theirs.File(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()

	var wg sync.WaitGroup
	var closed atomic.Bool
	e.timer = time.AfterFunc(time.Hour, func() { e.do(func(now time.Time) { e.a.Advance(now) }) })
	wg.Go(func() {
		packet := make([]byte, 1<<16)
		for {
			n, err := e.socket.Read(packet)
			if closed.Load() {
				return
			}
			if err == nil { // and not that a socket was closed, and refused it
				e.do(func(now time.Time) {
					if !e.lost(now, "◄", packet[:n]) {
						e.a.Receive(now, packet[:n])
					}
				})
			}
		}
	})
	t.Cleanup(func() {
		closed.Store(true)
		e.socket.Close()
		wg.Wait()
		e.mu.Lock()
		defer e.mu.Unlock()
		e.timer.Stop()
		other.Close()
		if t.Failed() {
			t.Logf("our trace:\n%s", ends(e.record.String(), 150))
		}
	})
	return e, other
}

// lost decides whether a packet is lost.
func (e *sctpEnd) lost(now time.Time, direction string, packet []byte) bool {
	lost := e.loss > 0 && e.rand.Float64() < e.loss
	text := sctp.Describe(packet)
	if lost {
		if direction == "◄" && strings.Contains(text, "DATA") {
			e.gone++
		}
		direction = "✗"
	}
	e.record.line(now, direction+" "+text)
	return lost
}

// setLoss makes that share of packets be lost from now on.
func (e *sctpEnd) setLoss(loss float64) {
	e.do(func(time.Time) { e.loss = loss })
}

// do does something to the association, and drains it.
func (e *sctpEnd) do(f func(now time.Time)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := time.Now()
	f(now)
	for {
		for b := e.a.AppendPacket(now, e.buf); len(b) > 0; b = e.a.AppendPacket(now, e.buf) {
			if !e.lost(now, "►", b) {
				e.socket.Write(b)
			}
		}
		m, ok := e.a.NextMessage()
		if !ok {
			break
		}
		got := m
		got.Data = append([]byte(nil), m.Data...)
		e.messages.push(got)
		e.a.Release(now, m)
	}
	for event, ok := e.a.NextEvent(); ok; event, ok = e.a.NextEvent() {
		e.events.push(event)
	}
	if next := e.a.NextTimeout(); !next.IsZero() {
		e.timer.Reset(max(next.Sub(now), 0))
	}
}

// expect waits for the next event, which must print as want. Figures that are
// of no interest are compared by the caller.
func (e *sctpEnd) expect(t *testing.T, ctx context.Context, want sctp.Event) {
	t.Helper()
	got, err := e.events.next(ctx)
	if err != nil {
		t.Fatalf("our end does not say %T: %v", want, err)
	}
	if fmt.Sprintf("%T%+v", got, got) != fmt.Sprintf("%T%+v", want, want) {
		t.Fatalf("our end says %T%+v, want %T%+v", got, got, want, want)
	}
}

// An sctpMessage is a message whose bytes follow from a seed: usrsctp's end is
// told the seed, and tells a hash of what it got.
type sctpMessage struct {
	stream    uint16
	unordered bool
	size      int
	seed      uint64

	policy prPolicy
	value  uint32 // of the policy
}

// prPolicy is what limits retransmission, by usrsctp's numbers.
type prPolicy int

const (
	reliable prPolicy = 0
	lifetime prPolicy = 1 // value: milliseconds
	limited  prPolicy = 3 // value: retransmissions
)

// ppid is WebRTC Binary (RFC 8831, Section 8).
const ppid = 53

func (m sctpMessage) data() []byte {
	b := make([]byte, m.size)
	x := m.seed
	for i := range b {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b[i] = byte(x >> 24)
	}
	return b
}

func orderName(unordered bool) string {
	if unordered {
		return "unordered"
	}
	return "ordered"
}

// arrival is what usrsctp's end says when a message arrives; ours is made to.
func arrival(stream uint16, unordered bool, data []byte) string {
	h := fnv.New64a()
	h.Write(data)
	return fmt.Sprintf("%d %d %s %d %016x", stream, ppid, orderName(unordered), len(data), h.Sum64())
}

func (m sctpMessage) String() string { return arrival(m.stream, m.unordered, m.data()) }

// A usrsctpPair is our end and usrsctp's.
type usrsctpPair struct {
	t       *testing.T
	ctx     context.Context
	program string
	options []string
	config  sctp.Config

	us     *sctpEnd
	socket *os.File // of the other
	them   *usrsctpProcess
	reset  map[string]string // what it said of stream resets, by direction
}

// sendOurs and sendTheirs send from one end.
func (p *usrsctpPair) sendOurs(messages ...sctpMessage) {
	p.t.Helper()
	for _, m := range messages {
		send := sctp.Message{Stream: m.stream, PPID: ppid, Data: m.data(), Unordered: m.unordered}
		switch m.policy {
		case lifetime:
			send.Lifetime = time.Duration(m.value) * time.Millisecond
		case limited:
			send.Limited, send.MaxRetransmits = true, uint16(m.value)
		}
		var err error
		p.us.do(func(now time.Time) { err = p.us.a.Send(now, send) })
		if err != nil {
			p.t.Fatalf("sending %v: %v", m, err)
		}
	}
}

func (p *usrsctpPair) sendTheirs(messages ...sctpMessage) {
	p.t.Helper()
	for _, m := range messages {
		p.them.tell(p.t, "send %d %d %s %d %d %d %d", m.stream, ppid, orderName(m.unordered), m.policy, m.value, m.size, m.seed)
	}
}

// settle waits until our end has nothing to send, and waits for no acknowledgement.
func (p *usrsctpPair) settle() {
	p.t.Helper()
	for settled := false; !settled; time.Sleep(5 * time.Millisecond) {
		p.us.do(func(time.Time) {
			s := p.us.a.Stats()
			settled = s.Flight == 0 && s.Buffered == 0
		})
		if p.ctx.Err() != nil {
			p.t.Fatal("our end always has something to send")
		}
	}
}

// nextOurs and nextTheirs wait for the next message at one end.
func (p *usrsctpPair) nextOurs() string {
	p.t.Helper()
	m, err := p.us.messages.next(p.ctx)
	if err != nil {
		p.t.Fatalf("no message comes to our end: %v", err)
	}
	return arrival(m.Stream, m.Unordered, m.Data)
}

func (p *usrsctpPair) nextTheirs() string {
	p.t.Helper()
	return p.them.expect(p.t, p.ctx, "message ")
}

// expectMessages takes messages at one end: of each stream those that are
// ordered in their order, the others in any.
func (p *usrsctpPair) expectMessages(next func() string, messages []sctpMessage) {
	p.t.Helper()
	ordered, others := map[uint16][]string{}, map[string]int{}
	for _, m := range messages {
		if m.unordered {
			others[m.String()]++
		} else {
			ordered[m.stream] = append(ordered[m.stream], m.String())
		}
	}
	for range messages {
		got := next()
		if others[got] > 0 {
			others[got]--
			continue
		}
		var stream uint16
		fmt.Sscan(got, &stream)
		if want := ordered[stream]; len(want) == 0 || want[0] != got {
			p.t.Fatalf("%q arrived, want %q", got, want)
		}
		ordered[stream] = ordered[stream][1:]
	}
}

// carry sends messages both ways at once and expects all of them.
func (p *usrsctpPair) carry(ours, theirs []sctpMessage) {
	p.t.Helper()
	p.sendTheirs(theirs...)
	p.sendOurs(ours...)
	p.expectMessages(p.nextTheirs, ours)
	p.expectMessages(p.nextOurs, theirs)
}

// hello carries one short message each way on a stream.
func (p *usrsctpPair) hello(stream uint16) {
	p.t.Helper()
	p.carry([]sctpMessage{{stream: stream, size: 10, seed: 1}}, []sctpMessage{{stream: stream, size: 10, seed: 2}})
}

var errNoEstablished = errors.New("our end is not established")

// established waits for our end, and returns how many streams it may send on.
func (p *usrsctpPair) established() (out, in uint16) {
	p.t.Helper()
	event, err := p.us.events.next(p.ctx)
	if err != nil {
		p.t.Fatal(errors.Join(errNoEstablished, err))
	}
	e, ok := event.(sctp.Established)
	if !ok {
		p.t.Fatalf("%v: it says %T%+v", errNoEstablished, event, event)
	}
	return e.OutStreams, e.InStreams
}
