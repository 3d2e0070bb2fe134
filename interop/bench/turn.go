package main

import (
	"bufio"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	pionturn "github.com/pion/turn/v5"

	"github.com/plainrtc/plainrtc/internal/relay"
	"github.com/plainrtc/plainrtc/internal/udp"
	"github.com/plainrtc/plainrtc/turn"
)

// What it costs to relay. The server is a process of its own: ours, Pion's or coturn. The
// clients and their peers are ours in each case, in the process that measures, so that
// all servers see the same. All is on the loopback interface.
const (
	turnPayload = 1200
	turnBurst   = 16 // datagrams that are sent together, as GSO cuts them
	turnWarm    = 500 * time.Millisecond
	turnTime    = 2 * time.Second
	turnIdle    = 10_000 // allocations
	turnUser    = "alice"
	turnSecret  = "wonderland"
	turnRealm   = "example.org"
)

// turnServers are those that are compared, ours first.
var turnServers = []struct {
	name  string
	start func() (*turnProcess, error)
}{
	{plainStack.name, func() (*turnProcess, error) { return startTurnChild(plainStack.name) }},
	{"pion/turn", func() (*turnProcess, error) { return startTurnChild("pion/turn") }},
	{"coturn", startCoturn},
}

// A turnProcess is a server.
type turnProcess struct {
	cmd *exec.Cmd
	at  netip.AddrPort
	in  *json.Encoder // nil: it can't be asked for its heap
	out *json.Decoder
}

// startTurnChild starts this program as a server.
func startTurnChild(name string) (*turnProcess, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, "-turnserver", name)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p := &turnProcess{cmd: cmd, in: json.NewEncoder(stdin), out: json.NewDecoder(stdout)}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return p, p.out.Decode(&p.at)
}

// runTurnServer is that child: it says where it is, and how large its heap is when asked.
func runTurnServer(name string) error {
	var at netip.AddrPort
	loopback := netip.MustParseAddr("127.0.0.1")
	switch name {
	case plainStack.name:
		s, err := relay.Listen(relay.Config{
			Turn: turn.ServerConfig{
				Realm: turnRealm, Users: map[string]string{turnUser: turnSecret}, AllowedPeers: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
				UnknownRate: 1 << 20, UnknownTotal: 1 << 20, // all clients have one address
			},
			UDP: []netip.AddrPort{netip.AddrPortFrom(loopback, 0)}, Relays: []netip.Addr{loopback}, MinPort: 20000,
		})
		if err != nil {
			return err
		}
		defer s.Close()
		datagrams, _ := s.Addresses()
		at = datagrams[0]
	case "pion/turn":
		conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			return err
		}
		key := pionturn.GenerateAuthKey(turnUser, turnRealm, turnSecret)
		s, err := pionturn.NewServer(pionturn.ServerConfig{
			Realm: turnRealm,
			AuthHandler: func(a *pionturn.RequestAttributes) (string, []byte, bool) {
				return a.Username, key, a.Username == turnUser
			},
			PacketConnConfigs: []pionturn.PacketConnConfig{{PacketConn: conn, RelayAddressGenerator: &pionturn.RelayAddressGeneratorStatic{
				RelayAddress: net.ParseIP("127.0.0.1"), Address: "127.0.0.1",
			}}},
		})
		if err != nil {
			return err
		}
		defer s.Close()
		at = conn.LocalAddr().(*net.UDPAddr).AddrPort()
	default:
		return fmt.Errorf("no such server: %s", name)
	}
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	if err := out.Encode(at); err != nil {
		return err
	}
	for {
		var what string
		if in.Decode(&what) != nil {
			return nil
		}
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		if err := out.Encode(turnMemory{Heap: m.HeapAlloc, Stack: m.StackInuse}); err != nil {
			return err
		}
	}
}

type turnMemory struct{ Heap, Stack uint64 }

// memory is the heap and the stacks of a server in Go.
func (p *turnProcess) memory() (m turnMemory, err error) {
	if p.in == nil {
		return m, nil
	}
	if err = p.in.Encode("memory"); err == nil {
		err = p.out.Decode(&m)
	}
	return m, err
}

func startCoturn() (*turnProcess, error) {
	l, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	at := l.LocalAddr().(*net.UDPAddr).AddrPort()
	l.Close()
	dir, err := os.MkdirTemp("", "coturn")
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("turnserver", "-n", "--listening-ip", "127.0.0.1", "--listening-port", strconv.Itoa(int(at.Port())), "--relay-ip", "127.0.0.1",
		"--min-port", "20000", "--max-port", "65535", "--lt-cred-mech", "--user", turnUser+":"+turnSecret, "--realm", turnRealm,
		"--no-tls", "--no-dtls", "--no-cli", "--allow-loopback-peers", "--no-stdout-log", "--log-file", "/dev/null",
		"--userdb", dir+"/db", "--pidfile", dir+"/pid")
	p := &turnProcess{cmd: cmd, at: at}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%w (the package is coturn)", err)
	}
	time.Sleep(time.Second) // it does not say when it is ready
	return p, nil
}

func (p *turnProcess) end() {
	p.cmd.Process.Kill()
	p.cmd.Wait()
}

// cpu is the processor time that the process has taken, user and system.
func (p *turnProcess) cpu() (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	fields := strings.Fields(rest)
	user, err := strconv.Atoi(fields[11])
	system, err2 := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond, errors.Join(err, err2) // USER_HZ is 100
}

// resident is the memory that the process has, in bytes.
func (p *turnProcess) resident() (int, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if v, ok := strings.CutPrefix(lines.Text(), "VmRSS:"); ok {
			kB, err := strconv.Atoi(strings.Fields(v)[0])
			return kB << 10, err
		}
	}
	return 0, errors.New("no VmRSS")
}

// A turnClient is a client with an allocation, a peer, and a channel between them.
type turnClient struct {
	server       netip.AddrPort
	socket, peer *udp.Socket
	relayed      netip.AddrPort
	up, down     []byte // a burst of the client's, and one of the peer's
	segment      int    // of up

	sent    int64
	arrived atomic.Int64 // of what the other end has sent
	more    chan struct{}
	mu      sync.Mutex
	core    *turn.Client
	done    bool
	failed  error
}

// newTurnClient makes the client number i; each has an address of its own, for a port is
// soon used again, and the allocation that came from it may still be there.
func newTurnClient(server netip.AddrPort, i int) (c *turnClient, err error) {
	c = &turnClient{server: server, more: make(chan struct{}, 1)}
	loopback := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), 0)
	if c.core, err = turn.NewClient(turn.ClientConfig{Username: turnUser, Password: turnSecret, Rand: rand.Reader}); err != nil {
		return nil, err
	}
	if c.peer, err = udp.Listen(loopback, func(_ *udp.Socket, batch []udp.Packet) { c.count(len(batch)) }); err != nil {
		return nil, err
	}
	if c.socket, err = udp.Listen(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 1, byte(i >> 8), byte(i)}), 0), c.receive); err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.core.Start(time.Now())
	c.drain()
	c.mu.Unlock()
	deadline := time.After(5 * time.Second)
	for {
		select {
		case <-c.more:
		case <-time.After(100 * time.Millisecond):
		case <-deadline:
			return nil, errors.New("there is no allocation in time")
		}
		c.mu.Lock()
		c.core.Advance(time.Now())
		c.drain()
		done, failed := c.done, c.failed
		c.mu.Unlock()
		if done || failed != nil {
			return c, failed
		}
	}
}

func (c *turnClient) count(n int) {
	c.arrived.Add(int64(n))
	c.wake()
}

func (c *turnClient) wake() {
	select {
	case c.more <- struct{}{}:
	default:
	}
}

// receive takes what the server sends: data is counted and the rest the core's.
func (c *turnClient) receive(_ *udp.Socket, batch []udp.Packet) {
	n := 0
	for _, p := range batch {
		if turn.IsChannelData(p.Data) {
			n++
			continue
		}
		c.mu.Lock()
		c.core.Receive(time.Now(), p.Data)
		c.drain()
		c.mu.Unlock()
	}
	c.count(n)
}

func (c *turnClient) drain() {
	now := time.Now()
	for e, ok := c.core.NextEvent(); ok; e, ok = c.core.NextEvent() {
		switch e := e.(type) {
		case turn.Allocated:
			c.relayed = e.Relayed
			c.failed = c.core.BindChannel(now, c.peer.Local())
		case turn.ChannelBound:
			one, err := c.core.AppendData(now, nil, c.peer.Local(), make([]byte, turnPayload))
			c.failed, c.segment, c.done = err, len(one), true
			for range turnBurst {
				c.up = append(c.up, one...)
			}
			c.down = make([]byte, turnBurst*turnPayload)
		case turn.Closed:
			c.failed = e.Err
		}
	}
	for b := c.core.AppendPacket(now, nil); len(b) > 0; b = c.core.AppendPacket(now, nil) {
		c.socket.Send(c.server, b, len(b))
	}
}

func (c *turnClient) close() {
	c.socket.Close()
	c.peer.Close()
}

// send sends n datagrams of a burst, of the client's or of the peer's.
func (c *turnClient) send(up bool, n int) {
	if up {
		c.socket.Send(c.server, c.up[:n*c.segment], c.segment)
	} else {
		c.peer.Send(c.relayed, c.down[:n*turnPayload], turnPayload)
	}
	c.sent += int64(n)
}

// flood sends as fast as arrives, with so many on their way, until stop is closed.
func (c *turnClient) flood(up bool, burst int, window int64, stop <-chan struct{}) {
	var given int64 // up as lost
	for {
		for c.sent-c.arrived.Load()-given <= window-int64(burst) {
			c.send(up, burst)
		}
		select {
		case <-c.more:
		case <-time.After(20 * time.Millisecond):
			given = c.sent - c.arrived.Load()
		case <-stop:
			return
		}
	}
}

// relayed measures a server at its full rate, when so many datagrams are sent together.
func (p *turnProcess) relayed(clients int, up bool, burst int) (figures, error) {
	all := make([]*turnClient, clients)
	for i := range all {
		c, err := newTurnClient(p.at, i+1)
		if err != nil {
			return nil, err
		}
		defer c.close()
		all[i] = c
	}
	window := int64(4 * turnBurst)
	if clients > 1 { // fewer of each: the others' buffers hold no more
		window = turnBurst
		burst = min(burst, turnBurst/2)
	}
	stop := make(chan struct{})
	var flooding sync.WaitGroup
	for _, c := range all {
		flooding.Go(func() { c.flood(up, burst, window, stop) })
	}
	arrived := func() (n int64) {
		for _, c := range all {
			n += c.arrived.Load()
		}
		return n
	}
	time.Sleep(turnWarm)
	n0, start := arrived(), time.Now()
	c0, err := p.cpu()
	time.Sleep(turnTime)
	n1, wall := arrived(), time.Since(start)
	c1, err2 := p.cpu()
	close(stop)
	flooding.Wait()
	return figures{
		"packets a CPU second": float64(n1-n0) / (c1 - c0).Seconds(),
		"packets a second":     float64(n1-n0) / wall.Seconds(),
	}, errors.Join(err, err2)
}

// lost measures what is lost of 20,000 datagrams a second towards a client, which
// come 200 at a time.
func (p *turnProcess) lost() (figures, error) {
	c, err := newTurnClient(p.at, 1)
	if err != nil {
		return nil, err
	}
	defer c.close()
	time.Sleep(100 * time.Millisecond)
	n0, start := c.arrived.Load(), time.Now()
	const together = 200
	for i := range int(turnTime / (10 * time.Millisecond)) {
		time.Sleep(time.Until(start.Add(time.Duration(i) * 10 * time.Millisecond)))
		for n := together; n > 0; n -= turnBurst {
			c.send(false, min(n, turnBurst))
		}
	}
	time.Sleep(500 * time.Millisecond)
	return figures{"%": 100 * (1 - float64(c.arrived.Load()-n0)/float64(c.sent))}, nil
}

// idle measures what allocations cost that nobody uses.
func (p *turnProcess) idle() (figures, error) {
	c, err := newTurnClient(p.at, 1) // what the first one brings about is not its cost
	if err != nil {
		return nil, err
	}
	c.close()
	m0, err := p.memory()
	if err != nil {
		return nil, err
	}
	r0, err := p.resident()
	if err != nil {
		return nil, err
	}
	for i := range turnIdle {
		c, err := newTurnClient(p.at, i+2)
		if err != nil {
			return nil, fmt.Errorf("allocation %d: %w", i+2, err)
		}
		c.close() // the allocation stays
	}
	time.Sleep(time.Second)
	start := time.Now()
	c0, err := p.cpu()
	time.Sleep(2 * turnTime)
	c1, err2 := p.cpu()
	wall := time.Since(start)
	r1, err3 := p.resident()
	m1, err4 := p.memory()
	f := figures{
		"CPU %":  100 * (c1 - c0).Seconds() / wall.Seconds(),
		"RSS kB": float64(r1-r0) / 1e3 / turnIdle,
	}
	if p.in != nil {
		f["heap B"] = (float64(m1.Heap) - float64(m0.Heap)) / turnIdle
		f["stack B"] = (float64(m1.Stack) - float64(m0.Stack)) / turnIdle
	}
	return f, errors.Join(err, err2, err3, err4)
}

var turnRows = []struct {
	name    string
	measure func(p *turnProcess) (figures, error)
	figures []row
}{
	{name: "1 up", measure: func(p *turnProcess) (figures, error) { return p.relayed(1, true, turnBurst) }, figures: []row{
		{"packets a CPU second", "1 client, to its peer: packets a CPU second", "%.0f"},
		{"packets a second", "… a second", "%.0f"},
	}},
	{name: "1 down", measure: func(p *turnProcess) (figures, error) { return p.relayed(1, false, turnBurst) }, figures: []row{
		{"packets a CPU second", "1 client, from its peer: packets a CPU second", "%.0f"},
	}},
	{name: "10 up", measure: func(p *turnProcess) (figures, error) { return p.relayed(10, true, turnBurst) }, figures: []row{
		{"packets a CPU second", "10 clients, to their peers: packets a CPU second", "%.0f"},
	}},
	{name: "10 down", measure: func(p *turnProcess) (figures, error) { return p.relayed(10, false, turnBurst) }, figures: []row{
		{"packets a CPU second", "10 clients, from their peers: packets a CPU second", "%.0f"},
	}},
	{name: "1 up alone", measure: func(p *turnProcess) (figures, error) { return p.relayed(1, true, 1) }, figures: []row{
		{"packets a CPU second", "1 client that sends each datagram alone: packets a CPU second", "%.0f"},
	}},
	{name: "10 up alone", measure: func(p *turnProcess) (figures, error) { return p.relayed(10, true, 1) }, figures: []row{
		{"packets a CPU second", "10 clients that do: packets a CPU second", "%.0f"},
	}},
	{name: "10 down alone", measure: func(p *turnProcess) (figures, error) { return p.relayed(10, false, 1) }, figures: []row{
		{"packets a CPU second", "… and as many peers: packets a CPU second", "%.0f"},
	}},
	{name: "loss", measure: (*turnProcess).lost, figures: []row{
		{"%", "20,000 packets a second towards one client, 200 at a time: lost, %", "%.2f"},
	}},
	{name: "idle", measure: (*turnProcess).idle, figures: []row{
		{"heap B", "10,000 idle allocations, each with a channel: heap an allocation, bytes", "%.0f"},
		{"stack B", "… stack, bytes", "%.0f"},
		{"RSS kB", "… resident memory of the process, kB", "%.1f"},
		{"CPU %", "… CPU of all of them, %", "%.2f"},
	}},
}

// measureTurn compares the servers in the rows that have only in their name, and returns the table.
func measureTurn(runs int, only string) (string, error) {
	all := results{}
	for i := range runs {
		for _, r := range turnRows {
			if !strings.Contains(r.name, only) {
				continue
			}
			for _, s := range turnServers {
				fmt.Fprintf(os.Stderr, "\r\033[Krun %d of %d: TURN, %s, %s ", i+1, runs, r.name, s.name)
				p, err := s.start()
				if err != nil {
					return "", fmt.Errorf("starting %s: %w", s.name, err)
				}
				f, err := r.measure(p)
				p.end()
				if err != nil {
					return "", fmt.Errorf("%s of %s: %w", r.name, s.name, err)
				}
				for name, v := range f {
					all.add(r.name+"/"+name, s.name, v)
				}
			}
		}
	}
	fmt.Fprint(os.Stderr, "\r\033[K")
	var b strings.Builder
	fmt.Fprintf(&b, "TURN servers, relaying ChannelData of %d bytes for the same clients; median of %d.\n\n|", turnPayload, runs)
	for _, s := range turnServers {
		fmt.Fprintf(&b, " | %s", s.name)
	}
	b.WriteString(" |\n| :--- |" + strings.Repeat(" ---: |", len(turnServers)) + "\n")
	for _, r := range turnRows {
		if !strings.Contains(r.name, only) {
			continue
		}
		for _, figure := range r.figures {
			fmt.Fprintf(&b, "| %s |", figure.text)
			for _, s := range turnServers {
				if v, measured := all.median(r.name+"/"+figure.figure, s.name); measured {
					fmt.Fprintf(&b, " "+figure.format+" |", v)
				} else {
					b.WriteString(" — |")
				}
			}
			b.WriteString("\n")
		}
	}
	return b.String(), nil
}
