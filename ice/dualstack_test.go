package ice_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/plainrtc/plainrtc/ice"
)

// RFC 8421, Section 4: candidates of the two families in turn, "so that a broken path" of
// one "does not cause excessive delays". With n addresses of each family at both ends, the
// pairs of the best address of each come first, then of each those with the second best, and so on:
// a family is never tried more often in a row than those make.
func TestFamiliesInTurn(t *testing.T) {
	const n = 4
	var agents [2]*ice.Agent
	for i := range agents {
		agents[i] = ice.New(ice.Config{Rand: rand.NewChaCha8([32]byte{byte(i)})})
		for k := range n {
			agents[i].AddLocalAddress(start, netip.MustParseAddrPort(fmt.Sprintf("192.0.2.%d:5000", 10*i+k)), ice.LocalOptions{})
		}
		for k := range n { // in whatever order they are added
			agents[i].AddLocalAddress(start, netip.MustParseAddrPort(fmt.Sprintf("[2001:db8::%d]:5000", 10*i+k+1)), ice.LocalOptions{})
		}
	}
	agents[0].SetControlling(true)
	for _, c := range agents[1].LocalCandidates() {
		if err := agents[0].AddRemoteCandidate(start, c); err != nil {
			t.Fatal(err)
		}
	}
	pairs := agents[0].Pairs()
	if len(pairs) != 2*n*n || !pairs[0].Path.Local.Addr().Is6() {
		t.Fatalf("there are %d pairs, and the first is %v", len(pairs), pairs[0].Path)
	}
	at := 0
	for rank := range n {
		for _, v6 := range []bool{true, false} {
			for range 2*rank + 1 {
				if got := pairs[at].Path.Local.Addr().Is6(); got != v6 {
					t.Errorf("pair %d, %v, is of IPv6: %v, want %v", at, pairs[at].Path, got, v6)
				}
				at++
			}
		}
	}
}
