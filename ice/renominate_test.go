package ice_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/ice"
	"github.com/plainrtc/plainrtc/stun"
)

// A cheaper network comes up in mid-call: who controls moves the call there, and
// both ends agree, whoever gets it. Without the option the call stays where it is. The
// number that the nomination takes is what the peer understands: libwebrtc tells of
// its networks.
func TestRenomination(t *testing.T) {
	for _, c := range []struct {
		name         string
		renomination bool
		networks     bool // the peers tell of their networks, as libwebrtc does
		comes        [2]bool
	}{
		{"at the controlling end", true, false, [2]bool{true, false}},
		{"at the controlled end", true, false, [2]bool{false, true}},
		{"at both ends, of libwebrtc's kind", true, true, [2]bool{true, true}},
		{"without the option", false, false, [2]bool{true, true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newMovingWorld(7)
			options := ice.LocalOptions{NetworkCost: 900}
			if c.networks {
				options.NetworkID = 1
			}
			for i, agent := range w.agents() {
				agent.SetRenomination(c.renomination)
				agent.AddLocalAddress(start, dear(i), options)
			}
			w.meet(t)
			before := w.Now()
			want := [2]netip.AddrPort{dear(0), dear(1)}
			for i, agent := range w.agents() {
				if c.comes[i] {
					agent.AddLocalAddress(before, cheap(i), ice.LocalOptions{})
					if c.renomination {
						want[i] = cheap(i)
					}
				}
			}
			moved := w.Run(func() bool { return w.on(want[0], want[1]) }, 3*time.Second)
			took := w.Now().Sub(before)
			w.Run(nil, 15*time.Second) // consent checks must not bring anybody back
			if !moved || !w.on(want[0], want[1]) {
				pa, _ := w.a.SelectedPath()
				pz, _ := w.z.SelectedPath()
				t.Fatalf("want %v and %v, have %v and %v", want[0], want[1], pa, pz)
			}
			for i, agent := range w.agents() {
				rounds := 1
				if c.comes[i] {
					rounds = 2
				}
				if agent.gathered != rounds {
					t.Errorf("agent %d has told %d times that all candidates are there, not %d", i, agent.gathered, rounds)
				}
			}
			t.Logf("both ends have moved %v after the network came: %.1f round trips", took, float64(took)/float64(4*delay))
		})
	}
}

// The last nomination wins, in whatever order they arrive: lower numbers are of
// before, and a nomination without one is of somebody who does not know.
func TestLastNominationWins(t *testing.T) {
	for _, attribute := range []stun.AttributeType{stun.AttrNomination, stun.AttrGoogNomination} {
		l := newLab(t, ice.Config{}).know()
		nominate := func(from int, number uint32) {
			b := stun.NewBuilder(nil, stun.BindingRequest, stun.NewTransactionID(l.random))
			b.AddString(stun.AttrUsername, l.LocalCredentials().Ufrag+":"+l.peer.Ufrag)
			b.AddUint64(stun.AttrICEControlling, 1)
			b.Add(stun.AttrUseCandidate, nil)
			if number > 0 {
				b.AddUint32(attribute, number)
			}
			b.AddUint32(stun.AttrPriority, 1853759231)
			b.AddIntegrity(stun.NewKey([]byte(l.LocalCredentials().Pwd)))
			b.AddFingerprint()
			l.Receive(l.now, ice.Path{Local: ours, Remote: candidate(from).Addr}, b.Bytes())
			messages, paths := l.sent()
			for i, m := range messages {
				if m.Type() == stun.BindingRequest {
					mapped := func(b *stun.Builder) { b.AddXORAddress(stun.AttrXORMappedAddress, ours) }
					l.respond(m, paths[i], stun.BindingSuccessResponse, l.peer.Pwd, mapped)
				}
			}
		}
		want := func(n int, why string) {
			t.Helper()
			if path, _ := l.SelectedPath(); path.Remote != candidate(n).Addr {
				t.Errorf("%v: %s: data goes to %v, not to %v", attribute, why, path.Remote, candidate(n).Addr)
			}
		}
		nominate(1, 3)
		want(1, "the first nomination")
		nominate(2, 2)
		want(1, "an earlier nomination came later")
		nominate(3, 4)
		want(3, "a later nomination")
		nominate(2, 0)
		want(3, "a nomination without a number")
		nominate(1, 3)
		want(3, "a repetition of the first nomination")
		nominate(1, 5)
		want(1, "back to the first")
	}
}
