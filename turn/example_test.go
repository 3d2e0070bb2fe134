package turn_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/plainrtc/plainrtc/turn"
)

// A client gets a relayed address, and a datagram goes to a peer and back. What
// a shell does with sockets is done by hand here.
func Example() {
	now := time.Date(2026, time.January, 1, 12, 0, 0, 0, time.UTC)
	server, err := turn.NewServer(turn.ServerConfig{
		Realm: "example.org",
		Users: map[string]string{"alice": "wonderland"},
		Rand:  rand.NewChaCha8([32]byte{1}), // crypto/rand.Reader in earnest
	})
	if err != nil {
		panic(err)
	}
	client, err := turn.NewClient(turn.ClientConfig{
		Username: "alice", Password: "wonderland",
		Rand: rand.NewChaCha8([32]byte{2}),
	})
	if err != nil {
		panic(err)
	}
	path := turn.FiveTuple{
		Client: netip.MustParseAddrPort("192.0.2.1:5000"),
		Server: netip.MustParseAddrPort("192.0.2.15:3478"),
	}
	peer := netip.MustParseAddrPort("203.0.113.9:9000")
	var relay turn.RelayID

	// exchange passes packets to and fro until there are none.
	exchange := func() {
		for {
			request := client.AppendPacket(now, nil)
			if len(request) == 0 {
				return
			}
			server.Receive(now, path, request)
			for e, ok := server.NextEvent(); ok; e, ok = server.NextEvent() {
				if e, ok := e.(turn.OpenRelay); ok { // the shell opens a socket
					relay = e.Relay
					server.RelayOpened(now, relay, netip.MustParseAddrPort("198.51.100.1:50000"))
				}
			}
			if answer, _ := server.AppendPacket(now, nil); len(answer) > 0 {
				client.Receive(now, answer)
			}
			for e, ok := client.NextEvent(); ok; e, ok = client.NextEvent() {
				fmt.Printf("%T\n", e)
				switch e := e.(type) {
				case turn.Allocated:
					fmt.Println("peers reach us at", e.Relayed)
					client.CreatePermission(now, peer.Addr())
				case turn.PermissionCreated:
					client.BindChannel(now, peer)
				}
			}
		}
	}
	client.Start(now)
	exchange()

	packet, err := client.AppendData(now, nil, peer, []byte("hello"))
	if err != nil {
		panic(err)
	}
	server.Receive(now, path, packet)
	if d, ok := server.NextToPeer(); ok {
		fmt.Printf("relay %d sends %q to %v\n", d.Relay, d.Payload, d.Peer)
	}

	// The answer arrives on the relay's socket, with room for a header in front.
	buffer := append(make([]byte, turn.Headroom), "hello yourself"...)
	server.ReceivePeer(now, relay, peer, buffer, turn.Headroom)
	if d, ok := server.NextToClient(); ok {
		client.Receive(now, d.Packet)
	}
	if d, ok := client.NextData(); ok {
		fmt.Printf("%v says %q\n", d.Peer, d.Payload)
	}
	// Output:
	// turn.Allocated
	// peers reach us at 198.51.100.1:50000
	// turn.PermissionCreated
	// turn.ChannelBound
	// relay 1 sends "hello" to 203.0.113.9:9000
	// 203.0.113.9:9000 says "hello yourself"
}
