package peerconnection

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/ice"
	"github.com/plainrtc/plainrtc/stun"
)

// Who gets the datagrams of an address that two connections lay claim to. The
// attacker of these tests has a connection of its own to our mux, and can send
// with anybody's address; what is sent to that address it does not see.

func newTestMux(t *testing.T) (m *UDPMux, path ice.Path, pcs [3]*PeerConnection) {
	t.Helper()
	m, err := ListenUDPMux(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	for i := range pcs {
		pcs[i] = newPeer(t, Config{Mux: m})
		if err := m.register(pcs[i], pcs[i].core.localUfrag()); err != nil {
			t.Fatal(err)
		}
	}
	return m, ice.Path{Local: m.Addresses()[0], Remote: netip.MustParseAddrPort("192.0.2.1:1000")}, pcs
}

// What a connection sends.
var (
	sentCheck   = stunMessage(stun.BindingRequest)
	sentSuccess = stunMessage(stun.BindingSuccessResponse)
	sentError   = stunMessage(stun.BindingErrorResponse)
	sentData    = []byte{23, 0xfe, 0xfd, 0, 1}
)

func stunMessage(typ stun.Type) []byte {
	b := stun.NewBuilder(nil, typ, stun.TransactionID{1})
	if typ == stun.BindingRequest {
		b.AddString(stun.AttrUsername, "theirs:ours") // as checks have
	}
	b.AddFingerprint()
	return b.Bytes()
}

// owner is who gets data, and hears who hears answers to checks.
func (m *UDPMux) hears(path ice.Path, b []byte) (pcs []*PeerConnection) {
	for _, pc := range m.route(path.Local, packet{Data: b, From: path.Remote}) {
		if pc != nil {
			pcs = append(pcs, pc)
		}
	}
	return pcs
}

func (m *UDPMux) expect(t *testing.T, why string, path ice.Path, b []byte, want ...*PeerConnection) {
	t.Helper()
	got := m.hears(path, b)
	ok := len(got) == len(want)
	for i := range got {
		ok = ok && got[i] == want[i]
	}
	if !ok {
		t.Errorf("%s: %d connections hear it, or the wrong ones; want %d", why, len(got), len(want))
	}
}

// A check from a spoofed address takes no address from a connection that has
// had an answer from there.
func TestSpoofedCheckStealsNoRoute(t *testing.T) {
	m, path, pcs := newTestMux(t)
	victim, attacker := pcs[0], pcs[1]
	m.learn(victim, path, sentCheck)
	m.learn(victim, path, sentData) // there is a path: its check was answered
	for range 3 {
		m.learn(attacker, path, sentSuccess) // it was checked from there, it believes
		m.learn(attacker, path, sentCheck)
		m.expect(t, "data after a spoofed check", path, sentData, victim)
	}
	// It may be a new peer at an old address, though: it hears whether its own
	// check is answered, and if so the address is the peer's that was there last.
	m.expect(t, "the answer", path, sentSuccess, victim, attacker)
	m.learn(attacker, path, sentData)
	m.expect(t, "data of a peer that has taken over the address", path, sentData, attacker)
	m.learn(victim, path, sentData)
	m.learn(victim, path, sentSuccess)
	m.expect(t, "the old one does not take it back by sending on", path, sentData, attacker)
	attacker.Close()
	m.expect(t, "the new one has gone", path, sentData, victim)
}

// Who only sends checks somewhere, because a candidate says so, keeps nobody
// from connecting from there.
func TestGuessedRouteGivesWay(t *testing.T) {
	m, path, pcs := newTestMux(t)
	squatter, peer, other := pcs[0], pcs[1], pcs[2]
	m.learn(squatter, path, sentCheck)
	m.expect(t, "nobody else is there", path, sentData, squatter)
	m.learn(peer, path, sentSuccess)
	m.expect(t, "a check came from there", path, sentData, peer)
	m.learn(other, path, sentSuccess)
	m.expect(t, "a check of another one's came from there", path, sentData, other)
	m.learn(peer, path, sentData)
	m.expect(t, "the first one's check was answered", path, sentData, peer)
}

// An error response goes to whoever asks, and says nothing of whose peer it is.
func TestErrorResponseLearnsNothing(t *testing.T) {
	m, path, pcs := newTestMux(t)
	m.learn(pcs[0], path, sentError)
	m.expect(t, "a stranger's data", path, sentData)
}

// Checks for an offer's credentials may come before its answer: they are known
// to the mux when SetLocalDescription returns, and the old ones still are.
func TestRestartIsRegistered(t *testing.T) {
	ctx := within(t, 60*time.Second)
	m, _, _ := newTestMux(t)
	a, z := newPeer(t, Config{Mux: m}), newPeer(t, Config{})
	connect(t, ctx, a, z)
	before := a.core.localUfrag()
	for range 3 {
		offer, err := a.CreateOffer(&OfferOptions{ICERestart: true})
		if err == nil {
			err = a.SetLocalDescription(offer)
		}
		if err != nil {
			t.Fatal(err)
		}
		now := a.core.localUfrag()
		if now == before || !strings.Contains(offer.SDP, "a=ice-ufrag:"+now+"\r\n") || m.ufrags[now] != a || m.ufrags[before] != a {
			t.Fatalf("the mux knows %d ufrags, the new one: %v, the old one: %v", len(m.members[a].ufrags), m.ufrags[now] == a, m.ufrags[before] == a)
		}
		before = now
		if err := a.SetLocalDescription(SessionDescription{Type: SDPTypeRollback}); err != nil {
			t.Fatal(err)
		}
	}
	signal(t, ctx, a, z, &OfferOptions{ICERestart: true})
	if err := a.WaitConnected(ctx); err != nil {
		t.Fatal(err)
	}
	if len(m.members[a].ufrags) != 2 {
		t.Errorf("%d ufrags of one connection are registered", len(m.members[a].ufrags))
	}
}

// A peer whose address changes more often than a connection may have routes is
// followed all the same.
func TestManyAddresses(t *testing.T) {
	m, path, pcs := newTestMux(t)
	for range 3 * maxRoutes {
		path.Remote = netip.AddrPortFrom(path.Remote.Addr(), path.Remote.Port()+1)
		m.learn(pcs[0], path, sentSuccess)
		m.learn(pcs[0], path, sentData)
	}
	m.expect(t, "data from the last address", path, sentData, pcs[0])
	if len(m.routes) > maxRoutes || len(m.routes) != len(m.members[pcs[0]].routes) {
		t.Errorf("%d routes, of which the connection knows %d", len(m.routes), len(m.members[pcs[0]].routes))
	}
}

func TestClosedConnectionsLeaveNoRoutes(t *testing.T) {
	m, path, pcs := newTestMux(t)
	for _, b := range [][]byte{sentCheck, sentSuccess, sentData, sentSuccess} {
		for _, pc := range pcs {
			m.learn(pc, path, b)
		}
	}
	for _, pc := range pcs {
		pc.mux = m
		pc.Close()
	}
	if len(m.members)+len(m.ufrags)+len(m.routes) != 0 {
		t.Errorf("closed connections leave %d members, %d ufrags, %d routes behind", len(m.members), len(m.ufrags), len(m.routes))
	}
}

// Two connections ask one server: each answer finds who asked, and nobody owns
// the server's address for it. What one asks is forgotten with it, and bounded.
func TestServersAnswersAreToldApart(t *testing.T) {
	m, path, pcs := newTestMux(t)
	request := func(n int) []byte {
		b := stun.NewBuilder(nil, stun.BindingRequest, stun.TransactionID{byte(n), byte(n >> 8), 7})
		return b.Bytes()
	}
	answer := func(n int) []byte {
		b := stun.NewBuilder(nil, stun.BindingSuccessResponse, stun.TransactionID{byte(n), byte(n >> 8), 7})
		return b.Bytes()
	}
	m.learn(pcs[0], path, request(1))
	m.learn(pcs[1], path, request(2))
	m.expect(t, "the first answer", path, answer(1), pcs[0])
	m.expect(t, "the second answer", path, answer(2), pcs[1])
	m.expect(t, "the answer to nobody", path, answer(3))
	m.expect(t, "data", path, sentData)
	for n := range 3 * maxAsked {
		m.learn(pcs[0], path, request(10+n))
	}
	if len(m.asked) > maxAsked+1 {
		t.Errorf("%d transactions are remembered", len(m.asked))
	}
	m.expect(t, "the newest answer", path, answer(10+3*maxAsked-1), pcs[0])
	m.forget(pcs[0])
	m.forget(pcs[1])
	if len(m.asked) != 0 {
		t.Errorf("%d transactions of connections that are gone are remembered", len(m.asked))
	}
}
