package stun_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/plainrtc/plainrtc/stun"
)

// A client asks a server for its address. Both are cores: what a socket would
// carry is handed over here. A real client takes its transaction id from
// crypto/rand, and calls Advance at NextTimeout.
func Example() {
	now := time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
	random := rand.NewChaCha8([32]byte{})

	request := stun.NewBuilder(nil, stun.BindingRequest, stun.NewTransactionID(random))
	request.AddFingerprint()
	client := stun.NewTransaction(request.Bytes(), stun.TransactionConfig{})
	server := stun.NewServer(stun.ServerConfig{Software: "plainrtc"})

	client.Start(now)
	server.Receive(now, netip.MustParseAddrPort("203.0.113.7:40000"), client.AppendPacket(now, nil))
	response, to := server.AppendPacket(now, nil)
	fmt.Println("to", to)

	client.Receive(now.Add(30*time.Millisecond), response)
	if e, ok := client.NextEvent(); ok {
		finished := e.(stun.Finished)
		fmt.Println(finished.Response)
		fmt.Println(finished.Err, finished.RTT)
	}
	// Output:
	// to 203.0.113.7:40000
	// Binding success response XOR-MAPPED-ADDRESS=203.0.113.7:40000 SOFTWARE="plainrtc" FINGERPRINT
	// <nil> 30ms
}

// A connectivity check as ICE sends it, signed with a short-term password.
func ExampleBuilder() {
	key := stun.NewKey([]byte("VOkJxbRl1RmTxUk/WvJxBt"))
	id := stun.NewTransactionID(rand.NewChaCha8([32]byte{}))

	b := stun.NewBuilder(nil, stun.BindingRequest, id)
	b.AddString(stun.AttrUsername, "evtj:h6vY")
	b.AddUint32(stun.AttrPriority, 1845494271)
	b.AddIntegrity(key)
	b.AddFingerprint()

	m, err := stun.Parse(b.Bytes())
	fmt.Println(m, err)
	fmt.Println(m.CheckIntegrity(key), m.CheckFingerprint())
	// Output:
	// Binding request USERNAME="evtj:h6vY" PRIORITY=1845494271 MESSAGE-INTEGRITY FINGERPRINT <nil>
	// <nil> <nil>
}
