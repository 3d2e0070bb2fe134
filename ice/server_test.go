package ice_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/ice"
	"github.com/plainrtc/plainrtc/internal/ladder"
	"github.com/plainrtc/plainrtc/internal/trace"
	"github.com/plainrtc/plainrtc/internal/wire"
	"github.com/plainrtc/plainrtc/stun"
	"github.com/plainrtc/plainrtc/turn"
)

// A serverPeer is the server as the ladder drives it: in front of each packet
// stands the path it takes.
type serverPeer struct {
	*serverNode
	nat    netip.AddrPort // what the client is seen as, if valid
	client netip.AddrPort
	code   stun.ErrorCode // answers everything so, if not zero
	errors [][]byte
}

func (s *serverPeer) Receive(now time.Time, b []byte) {
	path, packet := cutPath(b)
	s.client = path.Local
	if s.nat.IsValid() {
		path.Local = s.nat
	}
	if s.code != 0 {
		if m, err := stun.Parse(packet); err == nil && m.Class() == stun.Request {
			answer := stun.NewBuilder(nil, stun.NewType(m.Method(), stun.ErrorResponse), m.TransactionID())
			answer.AddErrorCode(s.code, "")
			s.errors = append(s.errors, answer.Bytes())
		}
		return
	}
	s.serverNode.Receive(now, path.Remote, path.Local, packet)
}

func (s *serverPeer) AppendPacket(now time.Time, b []byte) []byte {
	if len(s.errors) > 0 {
		packet := s.errors[0]
		s.errors = s.errors[1:]
		return append(appendPath(b, ice.Path{Local: turnAddr, Remote: s.client}), packet...)
	}
	for {
		packet, from, to := s.serverNode.AppendPacket(now, nil)
		switch {
		case len(packet) == 0:
			return b
		case from == turnAddr:
			return append(appendPath(b, ice.Path{Local: from, Remote: s.client}), packet...)
		}
		_ = to // to a peer: nobody is there
	}
}

func describeServer(from string, b []byte) string {
	path, packet := cutPath(b)
	if turn.IsChannelData(packet) {
		return fmt.Sprintf("ChannelData\t%v %d bytes", path, len(packet)-4)
	}
	m, err := stun.Parse(packet)
	if err != nil {
		return err.Error()
	}
	words := []string{path.String()}
	for t, value := range m.Attributes() {
		switch t {
		case stun.AttrXORMappedAddress, stun.AttrXORRelayedAddress, stun.AttrXORPeerAddress:
			a, _ := m.XORAddress(t)
			words = append(words, fmt.Sprintf("%v=%v", t, a))
		case stun.AttrErrorCode:
			code, _, _ := m.ErrorCode()
			words = append(words, code.String())
		case stun.AttrUsername:
			words = append(words, fmt.Sprintf("USERNAME=%s", value))
		case stun.AttrData:
			if inner, err := stun.Parse(value); err == nil {
				words = append(words, fmt.Sprintf("DATA(%v)", inner.Type()))
			}
		}
	}
	return m.Type().String() + "\t" + strings.Join(words, " ")
}

// setupServer makes an agent, A, and a server, Z. Commands:
//
//	address a ADDR…     a's local addresses
//	stun a, turn a      a is told the server
//	turn a USER PASS    with other credentials
//	end a               that there will be no other address or server
//	peer a              the credentials of a peer, which has those candidates
//	candidate a TEXT    one of them
//	restart a, close a
//	nat z ADDR          the server sees a at ADDR
//	refuse z CODE       the server answers with an error, always
func setupServer(t testing.TB, traceA, _ *trace.Tracer) *ladder.Pair {
	random := rand.NewChaCha8([32]byte{'a'})
	a := &host{Agent: ice.New(ice.Config{Rand: random, Trace: traceA}), trace: traceA, random: random}
	a.SetControlling(true)
	z := &serverPeer{serverNode: newServerNode(t)}
	command := func(now time.Time, verb, peer string, args []string) error {
		switch verb {
		case "address":
			for _, arg := range args {
				a.AddLocalAddress(now, netip.MustParseAddrPort(arg), ice.LocalOptions{})
			}
		case "stun":
			return a.AddServer(now, ice.ServerConfig{Kind: ice.STUN, Addr: turnAddr})
		case "turn":
			s := ice.ServerConfig{Kind: ice.TURN, Addr: turnAddr, Username: "alice", Password: "wonderland"}
			if len(args) == 2 {
				s.Username, s.Password = args[0], args[1]
			}
			return a.AddServer(now, s)
		case "end":
			a.EndOfLocalCandidates(now)
		case "peer":
			return a.SetRemoteCredentials(now, ice.Credentials{Ufrag: "peer", Pwd: "passwordpasswordpassword"})
		case "candidate":
			c, err := ice.ParseCandidate(strings.Join(args, " "))
			if err != nil {
				return err
			}
			return a.AddRemoteCandidate(now, c)
		case "restart":
			a.Restart(now, ice.NewCredentials(a.random))
		case "close":
			a.Close(now)
		case "nat":
			z.nat = netip.MustParseAddrPort(args[0])
		case "refuse":
			fmt.Sscan(args[0], &z.code)
		default:
			return fmt.Errorf("%w: no such verb", ladder.ErrUsage)
		}
		return nil
	}
	events := func(now time.Time, peer string) (lines []string) {
		if peer != "a" {
			return nil
		}
		a.takeEvents()
		told := a.events
		a.events = nil
		for _, e := range told {
			switch e := e.(type) {
			case ice.StateChanged:
				lines = append(lines, e.State.String())
			case ice.CandidateGathered:
				lines = append(lines, e.Candidate.String())
			case ice.GatheringDone:
				lines = append(lines, "gathering done")
			}
		}
		return lines
	}
	return &ladder.Pair{A: a, Z: z, Describe: describeServer, Command: command, Events: events}
}

func TestServerLadders(t *testing.T) {
	ladder.Run(t, "testdata/server/*.ladder", setupServer)
}

// What may arrive from a server's address: its own answers, spoilt; answers that
// it never gave to what was asked; anything. The agent stays within its bounds,
// and comes to an end of what it says.
func FuzzServer(f *testing.F) {
	random := rand.New(rand.NewPCG(8656, 0))
	for size := 64; size <= 4096; size *= 2 {
		for range 4 {
			b := make([]byte, size)
			for i := range b {
				b[i] = byte(random.Uint32())
			}
			f.Add(b)
		}
	}
	f.Fuzz(playServer)
}

func playServer(t *testing.T, input []byte) {
	r := wire.NewReader(input)
	now := start
	a := ice.New(ice.Config{Rand: rand.NewChaCha8([32]byte{}), MaxPairs: 24})
	honest := newServerNode(t)
	base := netip.MustParseAddrPort("203.0.113.1:5000")
	toServer := ice.Path{Local: base, Remote: turnAddr}
	a.AddLocalAddress(now, base, ice.LocalOptions{})
	a.AddServer(now, ice.ServerConfig{Kind: ice.STUN, Addr: turnAddr})
	a.AddServer(now, ice.ServerConfig{Kind: ice.TURN, Addr: turnAddr, Username: "alice", Password: "wonderland"})
	a.EndOfLocalCandidates(now)
	a.SetRemoteCredentials(now, ice.Credentials{Ufrag: "peer", Pwd: "passwordpasswordpassword"})
	var asked []stun.Message
	arrive := func(b []byte) {
		if inner, path := a.Unwrap(now, toServer, b); len(inner) > 0 {
			a.SeenData(now, path, 100)
			a.Receive(now, path, inner)
		}
	}
	drain := func(spoil byte, at int) {
		for n := 0; ; n++ {
			packet, path := a.AppendPacket(now, nil)
			if len(packet) == 0 {
				break
			}
			if n > 1000 {
				t.Fatal("there is no end to what the agent sends at one instant")
			}
			if path.Local != base {
				t.Fatalf("%v is no path of ours", path)
			}
			if m, err := stun.Parse(bytes.Clone(packet)); err == nil && m.Class() == stun.Request {
				if asked = append(asked, m); len(asked) > 16 {
					asked = asked[1:]
				}
			}
			if path.Remote != turnAddr || spoil&3 == 3 {
				continue
			}
			honest.Receive(now, turnAddr, base, packet)
			for {
				answer, _, to := honest.AppendPacket(now, nil)
				if len(answer) == 0 {
					break
				}
				if spoil&1 != 0 {
					answer[at%len(answer)] ^= spoil
				}
				if to == base {
					arrive(answer)
				}
			}
		}
		for e, ok := a.NextEvent(); ok; e, ok = a.NextEvent() {
			if e, ok := e.(ice.CandidateGathered); ok && (!e.Candidate.Addr.Addr().IsValid() || e.Candidate.Addr.Port() == 0) {
				t.Fatalf("told %v", e.Candidate)
			}
		}
		if n := len(a.LocalCandidates()); n > 64 {
			t.Fatalf("%d candidates", n)
		}
	}
	for r.Len() > 0 {
		spoil, at := r.Uint8(), int(r.Uint8())
		switch r.Uint8() % 8 {
		case 0, 1:
			now = now.Add(time.Duration(r.Uint16()) * time.Millisecond)
			a.Advance(now)
		case 2:
			arrive(append([]byte(nil), r.Vector8()...))
		case 3, 4: // a forged answer
			if len(asked) == 0 {
				break
			}
			m := asked[at%len(asked)]
			class := stun.SuccessResponse
			if spoil&4 != 0 {
				class = stun.ErrorResponse
			}
			b := stun.NewBuilder(nil, stun.NewType(m.Method(), class), m.TransactionID())
			if class == stun.ErrorResponse {
				b.AddErrorCode(300+stun.ErrorCode(r.Uint16()%400), "")
				b.AddString(stun.AttrRealm, "example.org")
				b.AddString(stun.AttrNonce, "nonce")
				b.AddAddress(stun.AttrAlternateServer, turnAddr)
			}
			addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte(append(r.Bytes(4), 0, 0, 0, 0)[:4])), r.Uint16())
			for _, t := range []stun.AttributeType{stun.AttrXORMappedAddress, stun.AttrXORRelayedAddress} {
				b.AddXORAddress(t, addr)
			}
			b.AddUint32(stun.AttrLifetime, r.Uint32())
			arrive(b.Bytes())
		case 5:
			addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, r.Uint8()}), 1+uint16(r.Uint8()))
			a.AddRemoteCandidate(now, ice.Candidate{Foundation: "1", Component: 1, Priority: 1 + uint32(spoil), Addr: addr})
		case 6:
			b := stun.NewBuilder(nil, stun.NewType(stun.Data, stun.Indication), stun.TransactionID{})
			b.AddXORAddress(stun.AttrXORPeerAddress, netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, r.Uint8()}), 7))
			b.Add(stun.AttrData, r.Vector8())
			arrive(b.Bytes())
		case 7:
			if spoil > 240 {
				a.Restart(now, ice.NewCredentials(rand.NewChaCha8([32]byte{spoil})))
				a.SetRemoteCredentials(now, ice.Credentials{Ufrag: "peer", Pwd: "passwordpasswordpassword"})
			}
		}
		drain(spoil, at)
	}
	a.Close(now)
	drain(3, 0)
	if next := a.NextTimeout(); !next.IsZero() {
		t.Fatalf("a closed agent waits for %v", next)
	}
}

// Whatever happens to one datagram between us and the server, both candidates
// are there before gathering ends.
func TestGatheringSurvivesAnySingleFault(t *testing.T) {
	ladder.Sweep(t, "testdata/sweep/gather.ladder", `
		nat z 203.0.113.7:40000
		address a 10.0.0.1:5000
		stun a
		turn a
		end a
		run 6s`, setupServer, func(p *ladder.Pair) error {
		if n := len(p.A.(*host).LocalCandidates()); n != 3 {
			return fmt.Errorf("%d candidates, where a host, a server-reflexive and a relayed one should be", n)
		}
		return nil
	})
}
