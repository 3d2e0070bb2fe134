package ice_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/ice"
	"github.com/plainrtc/plainrtc/internal/ladder"
	"github.com/plainrtc/plainrtc/internal/trace"
	"github.com/plainrtc/plainrtc/stun"
)

// A host is an agent as the ladder drives it: in front of each packet stands
// the path it takes, and a NAT may change the sender's address on the way out.
type host struct {
	*ice.Agent
	trace  *trace.Tracer
	random io.Reader
	other  *host

	// nat has the public address for an own one, where there is a NAT; what
	// arrives at one that is no longer there is lost.
	nat map[netip.AddrPort]netip.AddrPort

	// aggressive adds USE-CANDIDATE to every check, as RFC 5245 allowed.
	aggressive bool

	// mangled checks are sent with a wrong password.
	mangled bool

	tcp    tcp
	events []ice.Event // taken from the agent, and not told yet
}

func (h *host) AppendPacket(now time.Time, b []byte) []byte {
	packet, path := h.Agent.AppendPacket(now, nil)
	h.takeEvents()
	if path.Protocol == ice.TCP {
		path = h.tcp.wire(path)
	}
	if len(packet) == 0 {
		return h.tcp.append(b)
	}
	if h.aggressive || h.mangled {
		packet = h.rewrite(packet)
	}
	if public, ok := h.nat[path.Local]; ok {
		path.Local = public
	}
	return append(appendPath(b, path), packet...)
}

func (h *host) Receive(now time.Time, b []byte) {
	path, packet := cutPath(b)
	if path.Protocol == ice.TCP {
		h.receiveTCP(now, path, packet)
		return
	}
	for own, public := range h.nat {
		if public == path.Remote {
			path.Remote = own
		} else if own == path.Remote {
			path.Remote = netip.AddrPort{} // reachable from outside only by its public address
		}
	}
	if !path.Remote.IsValid() {
		h.trace.Drop(now, trace.ICE, "no such address behind the NAT", len(packet))
		return
	}
	h.Agent.Receive(now, ice.Path{Local: path.Remote, Remote: path.Local}, packet)
}

// rewrite makes a check the one of a peer that is older, or hostile.
func (h *host) rewrite(packet []byte) []byte {
	m, err := stun.Parse(packet)
	if err != nil || m.Type() != stun.BindingRequest {
		return packet
	}
	b := stun.NewBuilder(nil, m.Type(), m.TransactionID())
	for t, value := range m.Attributes() {
		switch t {
		case stun.AttrMessageIntegrity, stun.AttrFingerprint, stun.AttrUseCandidate:
		default:
			b.Add(t, value)
		}
	}
	if h.aggressive {
		b.Add(stun.AttrUseCandidate, nil)
	}
	password := h.other.LocalCredentials().Pwd
	if h.mangled {
		password = "not the password of the peer"
	}
	b.AddIntegrity(stun.NewKey([]byte(password)))
	b.AddFingerprint()
	return b.Bytes()
}

func appendPath(b []byte, path ice.Path) []byte {
	for _, a := range [...]netip.AddrPort{path.Local, path.Remote} {
		text := a.String()
		b = append(append(b, byte(len(text))), text...)
	}
	return append(b, byte(path.Protocol))
}

func cutPath(b []byte) (path ice.Path, packet []byte) {
	for _, a := range [...]*netip.AddrPort{&path.Local, &path.Remote} {
		n := int(b[0])
		*a = netip.MustParseAddrPort(string(b[1 : 1+n]))
		b = b[1+n:]
	}
	path.Protocol = ice.Protocol(b[0])
	return path, b[1:]
}

func describe(from string, b []byte) string {
	path, packet := cutPath(b)
	m, err := stun.Parse(packet)
	if isSegment(packet) {
		return string(packet) + "\t" + path.String()
	}
	if err != nil {
		return err.Error()
	}
	words := []string{path.String()}
	for t, value := range m.Attributes() {
		switch t {
		case stun.AttrICEControlling, stun.AttrICEControlled, stun.AttrUseCandidate:
			words = append(words, t.String())
		case stun.AttrXORMappedAddress:
			a, _ := m.XORMappedAddress()
			words = append(words, "mapped="+a.String())
		case stun.AttrErrorCode:
			code, _, _ := m.ErrorCode()
			words = append(words, code.String())
		case stun.AttrUsername:
			if len(value) < 9 {
				words = append(words, "short USERNAME")
			}
		}
	}
	return m.Type().String() + "\t" + strings.Join(words, " ")
}

// setupHosts makes two agents that know nothing of each other, A controlling.
// Commands:
//
//	address a ADDR…     a's local addresses
//	tcp a KIND ADDR     a's local address of ICE-TCP: active, passive or so
//	deaf a, listen a    a takes no connections any more, or again
//	break a             a's connections are reset
//	nat a ADDR          from now a's first address is seen as ADDR
//	remove a ADDR       a's interface is gone
//	credentials a       a is told z's credentials
//	candidates a [n]    a is told z's candidates, or the nth
//	candidate a TEXT    a is told that candidate
//	know a              both, and the end of candidates
//	controlling a, controlled a, lite a, knowlite a (that z is lite)
//	patience a 3s       another agent in a's place, which fails earlier
//	aggressive a        a nominates with every check
//	mangle a            a's checks are sent with a wrong password
//	restart a, close a
//	data a              a sends data on its selected path, which z has seen at once
func setupHosts(t testing.TB, traceA, traceZ *trace.Tracer) *ladder.Pair {
	randomA, randomZ := rand.NewChaCha8([32]byte{'a'}), rand.NewChaCha8([32]byte{'z'})
	a := &host{Agent: ice.New(ice.Config{Rand: randomA, Trace: traceA}), trace: traceA, random: randomA}
	z := &host{Agent: ice.New(ice.Config{Rand: randomZ, Trace: traceZ}), trace: traceZ, random: randomZ, other: a}
	a.other = z
	a.SetControlling(true)
	at := map[string]*host{"a": a, "z": z}
	tracers := map[string]*trace.Tracer{"a": traceA, "z": traceZ}

	command := func(now time.Time, verb, peer string, args []string) error {
		h := at[peer]
		if h == nil {
			return fmt.Errorf("%w: which peer?", ladder.ErrUsage)
		}
		switch verb {
		case "address":
			for _, arg := range args {
				h.AddLocalAddress(now, netip.MustParseAddrPort(arg), ice.LocalOptions{})
			}
		case "tcp":
			kinds := map[string]ice.TCPType{"active": ice.TCPActive, "passive": ice.TCPPassive, "so": ice.TCPSimultaneousOpen}
			h.AddLocalAddress(now, netip.MustParseAddrPort(args[1]), ice.LocalOptions{TCP: kinds[args[0]]})
		case "deaf", "listen":
			h.tcp.deaf = verb == "deaf"
		case "break":
			h.reset(now)
		case "remove":
			h.RemoveLocalAddress(now, netip.MustParseAddrPort(args[0]))
		case "nat":
			h.nat = map[netip.AddrPort]netip.AddrPort{h.LocalCandidates()[0].Addr: netip.MustParseAddrPort(args[0])}
		case "credentials":
			return h.SetRemoteCredentials(now, h.other.LocalCredentials())
		case "candidates":
			for i, c := range h.other.LocalCandidates() {
				if len(args) == 1 && args[0] != strconv.Itoa(i+1) {
					continue
				}
				if err := h.AddRemoteCandidate(now, c); err != nil {
					return err
				}
			}
		case "candidate":
			c, err := ice.ParseCandidate(strings.Join(args, " "))
			if err != nil {
				return err
			}
			return h.AddRemoteCandidate(now, c)
		case "know":
			for _, c := range h.other.LocalCandidates() {
				if err := h.AddRemoteCandidate(now, c); err != nil {
					return err
				}
			}
			h.EndOfRemoteCandidates(now)
			return h.SetRemoteCredentials(now, h.other.LocalCredentials())
		case "controlling":
			h.SetControlling(true)
		case "controlled":
			h.SetControlling(false)
		case "lite":
			h.Agent = ice.New(ice.Config{Rand: rand.NewChaCha8([32]byte{'l'}), Trace: tracers[peer], Lite: true})
		case "patience":
			patience, err := time.ParseDuration(args[0])
			if err != nil {
				return err
			}
			h.Agent = ice.New(ice.Config{Rand: rand.NewChaCha8([32]byte{'p'}), Trace: tracers[peer], Patience: patience})
		case "knowlite":
			h.SetRemoteLite(true)
		case "aggressive":
			h.aggressive = true
		case "mangle":
			h.mangled = true
		case "restart":
			h.Restart(now, ice.NewCredentials(h.random))
		case "close":
			h.Close(now)
		case "data":
			path, ok := h.SelectedPath()
			if !ok {
				return errors.New("no path")
			}
			if public, ok := h.nat[path.Local]; ok {
				path.Local = public
			}
			h.other.SeenData(now, ice.Path{Local: path.Remote, Remote: path.Local}, 100)
		default:
			return fmt.Errorf("%w: no such verb", ladder.ErrUsage)
		}
		return nil
	}
	events := func(now time.Time, peer string) []string {
		var lines []string
		at[peer].takeEvents()
		told := at[peer].events
		at[peer].events = nil
		for _, e := range told {
			switch e := e.(type) {
			case ice.StateChanged:
				lines = append(lines, e.State.String())
			case ice.Dial:
				lines = append(lines, "dial "+e.Path.String())
			case ice.HangUp:
				lines = append(lines, "hang up "+e.Path.String())
			case ice.PathSelected:
				what := "valid"
				if e.Nominated {
					what = "nominated"
				}
				lines = append(lines, fmt.Sprintf("path %v %s (%v %v)", e.Path, what, e.Local.Type, e.Remote.Type))
			case ice.RoleChanged:
				lines = append(lines, fmt.Sprintf("role changed, controlling: %v", e.Controlling))
			case ice.CandidateGathered:
				lines = append(lines, e.Candidate.String())
			}
		}
		return lines
	}
	return &ladder.Pair{A: a, Z: z, Describe: describe, Command: command, Events: events}
}

func TestLadders(t *testing.T) {
	ladder.Run(t, "testdata/*.ladder", setupHosts)
}

// agreed reports whether both hosts completed on one pair.
func agreed(a, z *host) error {
	if a.State() != ice.StateCompleted || z.State() != ice.StateCompleted {
		return fmt.Errorf("a is %v and z is %v, not completed", a.State(), z.State())
	}
	pa, _ := a.SelectedPath()
	pz, _ := z.SelectedPath()
	if (pa != ice.Path{Local: pz.Remote, Remote: pz.Local}) {
		return fmt.Errorf("a sends %v and z %v", pa, pz)
	}
	return nil
}

// Whatever happens to one datagram of the set-up, both ends agree within two
// seconds.
func TestSetUpSurvivesAnySingleFault(t *testing.T) {
	for name, script := range map[string]string{
		"both-know": `
			address a 192.0.2.1:5000
			address z 192.0.2.2:6000
			know z
			know a
			run 2s`,
		"answer-later": `
			address a 192.0.2.1:5000 [2001:db8::1]:5000
			address z 192.0.2.2:6000 [2001:db8::2]:6000
			know z
			run 45ms
			know a
			run 2s`,
		"hidden": `
			address a 192.0.2.1:5000
			address z 192.0.2.2:6000
			know z
			credentials a
			run 2s`,
	} {
		t.Run(name, func(t *testing.T) {
			ladder.Sweep(t, "testdata/sweep/"+name+".ladder", script, setupHosts, func(p *ladder.Pair) error {
				return agreed(p.A.(*host), p.Z.(*host))
			})
		})
	}
}
