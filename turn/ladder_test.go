package turn

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/internal/ladder"
	"github.com/plainrtc/plainrtc/internal/trace"
	"github.com/plainrtc/plainrtc/stun"
)

// A rungA is a Client as the ladder's A, with the data that it shall send.
type rungA struct {
	*Client
	said   []string
	queue  [][]byte
	framer *Framer // over a stream
}

func (a *rungA) Receive(now time.Time, packet []byte) {
	if a.Client == nil {
		return
	}
	messages := [][]byte{packet}
	if a.framer != nil {
		messages = nil
		a.framer.Wrote(copy(a.framer.Space(), packet))
		for m, ok := a.framer.Next(); ok; m, ok = a.framer.Next() {
			messages = append(messages, m)
		}
	}
	for _, m := range messages {
		a.Client.Receive(now, m)
		if d, ok := a.NextData(); ok {
			a.said = append(a.said, fmt.Sprintf("data of %v: %s", d.Peer, d.Payload))
		}
	}
}

func (a *rungA) Advance(now time.Time) {
	if a.Client != nil {
		a.Client.Advance(now)
	}
}

func (a *rungA) NextTimeout() time.Time {
	if a.Client == nil {
		return time.Time{}
	}
	return a.Client.NextTimeout()
}

func (a *rungA) AppendPacket(now time.Time, b []byte) []byte {
	if len(a.queue) > 0 {
		b = append(b, a.queue[0]...)
		a.queue = a.queue[1:]
		return b
	}
	if a.Client == nil {
		return b
	}
	return a.Client.AppendPacket(now, b)
}

// A rungZ is a host as the ladder's Z. Every datagram comes from tuple.
type rungZ struct {
	*host
	tuple FiveTuple
	said  []string
	queue [][]byte
	told  int
	moves uint16
}

func (z *rungZ) Receive(now time.Time, packet []byte) {
	z.host.Receive(now, z.tuple, packet)
	z.take()
}

func (z *rungZ) AppendPacket(now time.Time, b []byte) []byte {
	z.said = append(z.said, z.serve(now)...)
	if len(z.queue) > 0 {
		b = append(b, z.queue[0]...)
		z.queue = z.queue[1:]
		return b
	}
	for {
		before := len(b)
		var to FiveTuple
		b, to = z.host.AppendPacket(now, b)
		if len(b) == before || to == z.tuple {
			return b
		}
		b = b[:before] // to an address that is no more
	}
}

// noisy are values that say nothing to a reader.
var noisy = regexp.MustCompile(`(NONCE|USERHASH|MOBILITY-TICKET|PASSWORD-ALGORITHMS)="?[^ ]*(?: SHA-256\]| MD5\])?`)

func describe(from string, packet []byte) string {
	if number, data, ok := parseChannelData(packet); ok {
		return fmt.Sprintf("ChannelData\t%#x %q", number, data)
	}
	m, err := stun.Parse(packet)
	if err != nil {
		return err.Error()
	}
	name := m.Type().String()
	text := strings.TrimPrefix(m.String()[len(name):], " ")
	text = strings.ReplaceAll(noisy.ReplaceAllString(text, "$1"), "MESSAGE-INTEGRITY", "MI")
	text = strings.ReplaceAll(text, "REQUESTED-TRANSPORT=06000000", "REQUESTED-TRANSPORT=TCP")
	return name + "\t" + strings.ReplaceAll(text, "REQUESTED-TRANSPORT=11000000", "REQUESTED-TRANSPORT=UDP")
}

// explain is an event of the Client's.
func explain(e ClientEvent) string {
	switch e := e.(type) {
	case Allocated:
		s := fmt.Sprintf("allocated %v for %v, mapped %v", e.Relayed, e.Lifetime, e.Mapped)
		if e.Additional.IsValid() {
			s += fmt.Sprintf(", and %v", e.Additional)
		}
		if e.ReservationToken != [8]byte{} {
			s += ", the next port is reserved"
		}
		return s
	case PermissionCreated:
		return fmt.Sprintf("permission for %v", e.Peer)
	case PermissionEnded:
		return fmt.Sprintf("no permission for %v: %v", e.Peer, e.Err)
	case ChannelBound:
		return fmt.Sprintf("channel %#x for %v", e.Number, e.Peer)
	case ChannelEnded:
		return fmt.Sprintf("no channel for %v: %v", e.Peer, e.Err)
	case TryAlternate:
		return fmt.Sprintf("try elsewhere: %v", e.Err)
	case Moved:
		return "moved"
	case Connected:
		return fmt.Sprintf("connected with %v", e.Peer)
	case ConnectFailed:
		return fmt.Sprintf("not connected with %v: %v", e.Peer, e.Err)
	case Attempted:
		return fmt.Sprintf("%v connects", e.Peer)
	case Closed:
		return fmt.Sprintf("closed: %v", e.Err)
	}
	return fmt.Sprintf("%T", e)
}

func setupLadder(t testing.TB, traceA, traceZ *trace.Tracer) *ladder.Pair {
	a := &rungA{}
	randomZ := seeded(2)
	z := &rungZ{tuple: tuple}
	serve := func(options []string) error {
		config := ServerConfig{Rand: randomZ, Trace: traceZ}
		for _, o := range options {
			switch o {
			case "sha256":
			case "md5":
				config.Algorithms = []stun.PasswordAlgorithm{stun.AlgorithmMD5}
			case "ipv6":
				config.IPv6 = true
			case "mobility":
				config.Mobility = true
			case "tcp-relays":
				config.TCPRelays = true
			case "dont-fragment":
				config.DontFragment = true
			case "short-nonces":
				config.NonceLifetime = 5 * time.Second
			case "quota":
				config.MaxUserAllocations, config.MaxAllocations = 1, 2
			case "full":
				config.MaxAllocations = 1
			case "alternate":
				config.Alternate = netip.MustParseAddrPort("192.0.2.16:3478")
			case "time-limited":
				config.Secrets = []string{"secret"}
			default:
				return fmt.Errorf("%w: serve z %s", ladder.ErrUsage, o)
			}
		}
		z.host = newHost(t, config)
		if slices.Contains(options, "full") || slices.Contains(options, "quota") {
			// Somebody else is there already, or we are by another address.
			other := newWire(t, z.host, ClientConfig{})
			other.now = ladder.Start
			other.tuple.Client = netip.MustParseAddrPort("192.0.2.77:7777")
			z.config.Trace = nil
			other.Start(other.now)
			other.talk()
			z.config.Trace = traceZ
		}
		return nil
	}
	must(t, serve([]string{"md5"}))
	randomA := seeded(1)
	pair := &ladder.Pair{A: a, Z: z, Describe: describe}
	pair.Events = func(now time.Time, peer string) (said []string) {
		if peer == "a" {
			said, a.said = a.said, nil
			for a.Client != nil {
				e, ok := a.NextEvent()
				if !ok {
					break
				}
				said = append(said, explain(e))
			}
			return said
		}
		said, z.said = append(z.said, z.serve(now)...), nil
		for ; z.told < len(z.toPeers); z.told++ {
			said = append(said, "relays from "+z.toPeers[z.told])
		}
		return said
	}
	pair.Command = func(now time.Time, verb, peer string, args []string) error {
		address := func() netip.AddrPort {
			if len(args) > 0 {
				if addr, err := netip.ParseAddrPort(args[0]); err == nil {
					args = args[1:]
					return addr
				}
			}
			return peerAddr
		}
		switch verb + " " + peer {
		case "allocate a":
			config := ClientConfig{Username: "alice", Password: "wonderland", Server: serverAddr, Rand: randomA, Trace: traceA}
			for _, o := range args {
				switch o {
				case "wrong-password":
					config.Password = "looking-glass"
				case "time-limited":
					config.Username = "1767225610:alice"
					config.Password = TimeLimitedPassword("secret", config.Username)
				case "stream":
					config.Stream, a.framer, z.tuple.Protocol = true, &Framer{}, TCP
				case "tcp":
					config.TCP = true
				case "both":
					config.Family = BothFamilies
				case "ipv6":
					config.Family = IPv6
				case "mobility":
					config.Mobility = true
				case "reserve":
					config.EvenPort, config.ReserveNext = true, true
				case "dont-fragment":
					config.DontFragment = true
				default:
					return fmt.Errorf("%w: allocate a %s", ladder.ErrUsage, o)
				}
			}
			a.Client, _ = NewClient(config)
			a.Start(now)
			return nil
		case "connect a":
			return a.Connect(now, address())
		case "connected z", "failed z": // the connection that was asked for last
			asked := asked[ConnectPeer](z.host)
			if len(asked) == 0 {
				return fmt.Errorf("%w: nothing is to be connected", ladder.ErrUsage)
			}
			if id := asked[len(asked)-1].Connection; verb == "connected" {
				z.PeerConnected(now, id)
			} else {
				z.PeerFailed(now, id)
			}
			return nil
		case "accept z": // a peer connects with the relay
			if _, ok := z.PeerAccepted(now, 1, address()); !ok {
				return errors.New("the peer is not let in")
			}
			return nil
		case "permit a":
			return a.CreatePermission(now, address().Addr())
		case "bind a":
			return a.BindChannel(now, address())
		case "send a":
			to := address()
			p, err := a.AppendData(now, nil, to, []byte(strings.Join(args, " ")))
			if err == nil {
				a.queue = append(a.queue, p)
			}
			return err
		case "hear z": // from a peer
			from := address()
			id := RelayID(1)
			for id < 10 && !z.open[id].IsValid() {
				id++
			}
			b := append(make([]byte, Headroom), strings.Join(args, " ")...)
			z.ReceivePeer(now, id, from, b, Headroom)
			if p, ok := z.NextToClient(); ok {
				z.queue = append(z.queue, p.Packet)
			}
			return nil
		case "move a":
			z.moves++
			z.tuple.Client = netip.AddrPortFrom(netip.MustParseAddr("192.0.2.200"), 2000+z.moves)
			return a.Move(now)
		case "rebind a": // a NAT gives us another address, and nobody tells us
			z.tuple.Client = netip.MustParseAddrPort("192.0.2.99:9999")
			return nil
		case "close a":
			a.Close(now)
			return nil
		case "restart a":
			a.Restart(now, netip.MustParseAddrPort("192.0.2.16:3478"))
			return nil
		case "serve z":
			return serve(args)
		case "drain z":
			z.Drain(now)
			return nil
		case "refuse z": // cannot open relays
			z.refuses, z.refuse6 = len(args) == 0, true
			return nil
		}
		return fmt.Errorf("%w: no such verb", ladder.ErrUsage)
	}
	return pair
}

func TestLadders(t *testing.T) { ladder.Run(t, "testdata/*.ladder", setupLadder) }

// Whichever single datagram of the set-up is lost, comes twice or comes late:
// the client ends with its allocation, its permission and its channel, and the
// server has no other.
func TestSingleFaults(t *testing.T) {
	script := `
		serve z sha256 short-nonces
		allocate a
		run 6s
		permit a
		run 6s
		bind a
		run 6s`
	ladder.Sweep(t, "testdata/sweep/setup.ladder", script, setupLadder, func(p *ladder.Pair) error {
		a, z := p.A.(*rungA), p.Z.(*rungZ)
		switch {
		case a.state != stateAllocated || len(a.requests) > 0:
			return fmt.Errorf("the client is %v with %d requests: %v", a.state, len(a.requests), a.Err())
		case len(z.allocations) != 1 || len(z.open) != 1:
			return fmt.Errorf("the server has %d allocations and %d relays", len(z.allocations), len(z.open))
		}
		now := ladder.Start.Add(18 * time.Second)
		packet, err := a.AppendData(now, nil, peerAddr, []byte("x"))
		if err != nil || !IsChannelData(packet) {
			return errors.Join(err, errors.New("there is no channel"))
		}
		return nil
	})
}
