package natlab

import (
	"net/netip"
	"time"

	"github.com/plainrtc/plainrtc/ice"
	"github.com/plainrtc/plainrtc/internal/netsim"
	"github.com/plainrtc/plainrtc/internal/trace"
	"github.com/plainrtc/plainrtc/stun"
	"github.com/plainrtc/plainrtc/turn"
)

var users = [2]string{"a", "z"}

const password = "laboratory"

// A node is an agent at its host, which trickles its candidates to its peer.
type node struct {
	*ice.Agent
	world     *world
	name      string
	host      *netsim.Host
	peer      *node
	conns     map[ice.Path]*conn
	addrs     []netip.AddrPort
	nat64     bool
	described bool // the peer has our description: candidates follow it

	connected time.Time // when it had a path first
	completed time.Time // when one was nominated

	words int  // of data, to send on the selected path
	heard bool // data of the peer

	checks   int               // that were sent
	tried    map[ice.Path]bool // where one was sent, or one of the peer's came from
	ordinary time.Time         // when the last one was sent that had no such reason
	pace     time.Duration     // the least time between two of those; 0: there were no two
}

func newNode(w *world, name string) *node {
	n := &node{world: w, name: name, conns: map[ice.Path]*conn{}, tried: map[ice.Path]bool{}}
	config := ice.Config{Rand: w.Rand(name)}
	if w.log != nil {
		config.Trace = trace.New(&facts{w, name}, name)
	}
	n.Agent = ice.New(config)
	return n
}

// relayTLS marks the candidates of the server over TLS.
const relayTLS = "tls"

// passivePort is where an agent waits for connections of its peer.
const passivePort = 9000

// gather tells the agent its addresses and the servers. The TURN server is asked
// over UDP and TLS.
func (n *node) gather(now time.Time) {
	for _, addr := range n.addrs {
		n.AddLocalAddress(now, addr, ice.LocalOptions{})
	}
	for _, addr := range n.addrs {
		passive := netip.AddrPortFrom(addr.Addr(), passivePort)
		n.host.Listen(passive)
		n.AddLocalAddress(now, addr, ice.LocalOptions{TCP: ice.TCPActive})
		n.AddLocalAddress(now, passive, ice.LocalOptions{TCP: ice.TCPPassive})
	}
	for _, addr := range n.addrs {
		if s := stunServer(addr.Addr(), n.nat64); s.IsValid() {
			n.addServer(now, ice.ServerConfig{Kind: ice.STUN, Addr: s})
		}
	}
	for _, addr := range n.addrs {
		n.addServer(now, ice.ServerConfig{Kind: ice.TURN, Addr: turnServer(addr.Addr(), serverPort)})
	}
	for _, addr := range n.addrs {
		n.addServer(now, ice.ServerConfig{Kind: ice.TURN, Protocol: ice.TLS, URL: relayTLS, Addr: turnServer(addr.Addr(), serverPortTLS)})
	}
	n.EndOfLocalCandidates(now)
}

func (n *node) addServer(now time.Time, s ice.ServerConfig) {
	s.Username, s.Password = n.name, password
	if err := n.AddServer(now, s); err != nil {
		panic("BUG: " + err.Error())
	}
}

func (n *node) Receive(now time.Time, local, remote netip.AddrPort, packet []byte) {
	n.receive(now, ice.Path{Local: local, Remote: remote}, packet)
}

func (n *node) receive(now time.Time, path ice.Path, packet []byte) {
	b, path := n.Unwrap(now, path, packet)
	switch {
	case len(b) == 0:
	case b[0] == word[0]:
		n.heard = n.heard || n.KnowsPath(path)
	default:
		if isCheck(b) {
			from := path
			if isRelay(path.Local.Addr()) {
				from = throughRelay(path)
			}
			n.tried[from] = true
		}
		n.Agent.Receive(now, path, b)
	}
}

func (n *node) AppendPacket(now time.Time, b []byte) ([]byte, netip.AddrPort, netip.AddrPort) {
	start := len(b)
	for {
		n.serve(now)
		packet, path := n.Agent.AppendPacket(now, b)
		if len(packet) == start {
			n.serve(now)
			packet, path = n.talk(now, b)
		}
		switch {
		case len(packet) == start:
			return b, netip.AddrPort{}, netip.AddrPort{}
		case path.Protocol.Stream():
			n.write(now, path, packet[start:])
		default:
			n.world.note(now, n.name, "sends", path.Local, path.Remote, packet[start:])
			n.count(now, path, packet[start:])
			return packet, path.Local, path.Remote
		}
	}
}

// word is what the two send each other as data, so that it looks like RTP.
var word = []byte{0x80, 0, 0, 0}

// talk appends a word, if there is one to be sent.
func (n *node) talk(now time.Time, b []byte) ([]byte, ice.Path) {
	path, ok := n.SelectedPath()
	if n.words == 0 || !ok {
		return b, ice.Path{}
	}
	n.words--
	if n.Relayed(path) {
		start := len(b)
		return n.Wrap(now, path, append(append(b, make([]byte, turn.Headroom)...), word...), start)
	}
	return append(b, word...), path
}

// serve does what the agent's events ask for.
func (n *node) serve(now time.Time) {
	for e, ok := n.NextEvent(); ok; e, ok = n.NextEvent() {
		switch e := e.(type) {
		case ice.CandidateGathered:
			n.world.tell(now, n.name, "candidate", e.Candidate.String()[len("candidate:"):])
			if n.described {
				n.signal(e.Candidate)
			}
		case ice.PathSelected:
			if n.connected.IsZero() {
				n.connected = now
			}
			if e.Nominated && n.completed.IsZero() {
				n.completed = now
			}
			text := e.Path.String()
			if e.Nominated {
				text += ", nominated"
			}
			n.world.tell(now, n.name, "path", text)
		case ice.Dial:
			n.dial(now, e)
		case ice.HangUp:
			n.hangUp(e.Path)
		case ice.StateChanged:
			n.world.tell(now, n.name, "state", e.State.String())
		}
	}
}

// signal sends the peer a candidate.
func (n *node) signal(c ice.Candidate) {
	text := c.String()
	n.world.After(n.world.signalling(), func() {
		c, err := ice.ParseCandidate(text)
		if err != nil {
			panic("BUG: " + err.Error())
		}
		n.peer.AddRemoteCandidate(n.world.Now(), c)
	})
}

// describe sends the peer what there is: credentials and candidates.
func (n *node) describe() {
	n.serve(n.world.Now())
	n.described = true
	credentials := n.LocalCredentials()
	n.world.After(n.world.signalling(), func() {
		n.world.tell(n.world.Now(), n.peer.name, "described", "the description of "+n.name+" is here")
		n.peer.SetRemoteCredentials(n.world.Now(), credentials)
	})
	for _, c := range n.LocalCandidates() {
		n.signal(c)
	}
}

// throughRelay stands for all paths over the server to one peer.
func throughRelay(path ice.Path) ice.Path { return ice.Path{Remote: path.Remote} }

// isCheck reports whether b is a connectivity check.
func isCheck(b []byte) bool {
	m, err := stun.Parse(b)
	return err == nil && m.Type() == stun.BindingRequest && m.Has(stun.AttrPriority)
}

// count counts the checks, and measures the pace of ordinary ones: those that are the
// first on their path. On a connection, the first is sent when it is there.
func (n *node) count(now time.Time, path ice.Path, b []byte) {
	if m, err := stun.Parse(b); err == nil && m.Method() == stun.Send {
		path.Remote, _ = m.XORAddress(stun.AttrXORPeerAddress)
		path = throughRelay(path)
		b, _ = m.Get(stun.AttrData)
	}
	if !isCheck(b) {
		return
	}
	n.checks++
	if n.tried[path] || path.Protocol.Stream() {
		return
	}
	n.tried[path] = true
	if gap := now.Sub(n.ordinary); !n.ordinary.IsZero() && (n.pace == 0 || gap < n.pace) {
		n.pace = gap
	}
	n.ordinary = now
}
