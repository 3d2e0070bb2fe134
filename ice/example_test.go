package ice_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/plainrtc/plainrtc/ice"
)

// Two agents in one program: what one sends, the other receives. A real caller
// has sockets in between, and signalling.
func Example() {
	now := time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
	alice := ice.New(ice.Config{Rand: rand.NewChaCha8([32]byte{1})})
	bob := ice.New(ice.Config{Rand: rand.NewChaCha8([32]byte{2})})

	// Signalling: candidates and credentials cross over.
	alice.SetControlling(true)
	a, _ := alice.AddLocalAddress(now, netip.MustParseAddrPort("192.0.2.1:5000"), ice.LocalOptions{})
	b, _ := bob.AddLocalAddress(now, netip.MustParseAddrPort("192.0.2.2:6000"), ice.LocalOptions{})
	fmt.Println("a=" + a.String()[:52])
	alice.AddRemoteCandidate(now, b)
	bob.AddRemoteCandidate(now, a)
	alice.SetRemoteCredentials(now, bob.LocalCredentials())
	bob.SetRemoteCredentials(now, alice.LocalCredentials())

	// The network: what one has to say is handed to the other, until both are silent.
	for quiet := false; !quiet; {
		quiet = true
		agents := [2]*ice.Agent{alice, bob}
		for i, from := range agents {
			for {
				packet, path := from.AppendPacket(now, nil)
				if len(packet) == 0 {
					break
				}
				agents[1-i].Receive(now, ice.Path{Local: path.Remote, Remote: path.Local}, packet)
				quiet = false
			}
		}
	}

	path, _ := bob.SelectedPath()
	fmt.Println("alice is", alice.State())
	fmt.Println("bob is", bob.State(), "and sends data", path)
	// Output:
	// a=candidate:1 1 udp 2130706175 192.0.2.1 5000 typ host
	// alice is completed
	// bob is completed and sends data 192.0.2.2:6000 -> 192.0.2.1:5000
}
