package interop

import (
	"net"
	"net/netip"
	"testing"

	"github.com/pion/webrtc/v4"
	"github.com/plainrtc/plainrtc/interop/browser"
	"github.com/plainrtc/plainrtc/peerconnection"
)

// hostAddress returns the IPv4 address of this machine that others reach it by,
// or the loopback address if it has no other.
func hostAddress(t testing.TB) netip.Addr {
	t.Helper()
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is4() && p.Addr().IsGlobalUnicast() {
			return p.Addr()
		}
	}
	return netip.AddrFrom4([4]byte{127, 0, 0, 1})
}

// newUs makes a peer of the stack under test.
func newUs(t testing.TB) peer {
	t.Helper()
	switch *us {
	case "plainrtc":
		return newPlainPeer(t, peerconnection.Config{})
	case "pion":
		return newPionPeer(t, webrtc.SettingEngine{})
	}
	t.Fatalf("-us %s: no such stack", *us)
	return nil
}

// A mux makes peers of the stack under test that share one UDP socket.
type mux interface {
	NewPeer(t testing.TB) peer
}

func newMux(t testing.TB) mux {
	t.Helper()
	switch *us {
	case "plainrtc":
		return newPlainMux(t)
	case "pion":
		return newPionMux(t)
	}
	t.Fatalf("-us %s: no such stack", *us)
	return nil
}

// A stack is another one, which ours must talk to.
type stack struct {
	name string
	new  func(t testing.TB) peer
}

var (
	chromium = stack{"Chromium", func(t testing.TB) peer { return newPagePeer(t, openPage(t, browser.Chromium(t))) }}
	firefox  = stack{"Firefox", func(t testing.TB) peer { return newPagePeer(t, openPage(t, browser.Firefox(t))) }}
	pion     = stack{"Pion", func(t testing.TB) peer { return newPionPeer(t, webrtc.SettingEngine{}) }}
)

// eachStack runs test with our peer and that of each other stack.
func eachStack(t *testing.T, test func(t *testing.T, our, their peer), stacks ...stack) {
	for _, s := range stacks {
		t.Run(s.name, func(t *testing.T) { test(t, newUs(t), s.new(t)) })
	}
}

// eachRole runs test with each other stack twice: they offer, and we offer.
func eachRole(t *testing.T, test func(t *testing.T, offerer, answerer peer), stacks ...stack) {
	for _, s := range stacks {
		t.Run(s.name+"Offers", func(t *testing.T) { test(t, s.new(t), newUs(t)) })
		t.Run(s.name+"Answers", func(t *testing.T) { test(t, newUs(t), s.new(t)) })
	}
}

// isOurs tells a peer of newUs from one of a browser. Where Pion is both ends,
// neither is ours.
func isOurs(p peer) bool {
	switch p.(type) {
	case *pagePeer:
		return false
	case *pionPeer:
		return *us == "pion"
	}
	return true
}
