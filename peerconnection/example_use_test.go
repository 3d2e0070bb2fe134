package peerconnection_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/netip"
	"sync"
	"time"

	"github.com/plainrtc/plainrtc/peerconnection"
)

// answer is a server's whole side of signaling, in the simplest form: an offer
// comes in, with all candidates, and an answer goes out, with all of ours.
func answer(ctx context.Context, pc *peerconnection.PeerConnection, offer peerconnection.SessionDescription) (peerconnection.SessionDescription, error) {
	if err := pc.SetRemoteDescription(offer); err != nil {
		return peerconnection.SessionDescription{}, err
	}
	// A description without content is the one that is due: here, an answer.
	if err := pc.SetLocalDescription(peerconnection.SessionDescription{}); err != nil {
		return peerconnection.SessionDescription{}, err
	}
	if err := pc.GatheringComplete(ctx); err != nil {
		return peerconnection.SessionDescription{}, err
	}
	return *pc.LocalDescription(), nil
}

// A server accepts every channel that its client makes, and echoes what comes,
// text as text and bytes as bytes, until the client closes the channel or leaves.
func ExamplePeerConnection_AcceptDataChannel() {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()

	echo := func(d *peerconnection.DataChannel) {
		defer d.Close()
		for {
			m, err := d.ReadMessage(ctx)
			if err != nil {
				return // io.EOF: the client has closed the channel
			}
			if err := d.WriteMessage(ctx, m.Kind, m.Data); err != nil {
				return
			}
		}
	}
	serve := func(pc *peerconnection.PeerConnection) {
		go func() { // a client that vanishes without a word is missed after half a minute
			for s := pc.ConnectionState(); s != peerconnection.ConnectionFailed && s != peerconnection.ConnectionClosed; {
				s, _ = pc.NextConnectionState(context.Background(), s)
			}
			pc.Close()
		}()
		for {
			d, err := pc.AcceptDataChannel(ctx)
			if err != nil {
				return // the client has left
			}
			go echo(d)
		}
	}

	server, err := peerconnection.New(peerconnection.Config{})
	if err != nil {
		log.Fatal(err)
	}
	go serve(server)

	// The client.
	client, err := peerconnection.New(peerconnection.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	d, err := client.CreateDataChannel("echo", nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := client.SetLocalDescription(peerconnection.SessionDescription{}); err != nil {
		log.Fatal(err)
	}
	if err := client.GatheringComplete(ctx); err != nil {
		log.Fatal(err)
	}
	got, err := answer(ctx, server, *client.LocalDescription())
	if err != nil {
		log.Fatal(err)
	}
	if err := client.SetRemoteDescription(got); err != nil {
		log.Fatal(err)
	}
	for _, text := range []string{"one", "two"} {
		if err := d.SendText(text); err != nil {
			log.Fatal(err)
		}
		m, err := d.ReadMessage(ctx)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(m.Kind, string(m.Data))
	}
	// Output:
	// text one
	// text two
}

// With trickle ICE the descriptions leave at once, and each candidate follows
// when it is found. What travels between the two is the JSON that browsers
// understand; here the channels stand for a WebSocket.
func ExamplePeerConnection_NextICECandidate() {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	type envelope struct {
		Description *peerconnection.SessionDescription `json:"description,omitempty"`
		Candidate   *peerconnection.ICECandidate       `json:"candidate,omitempty"`
	}

	// signal runs one side's signaling, with what comes in and what goes out.
	signal := func(pc *peerconnection.PeerConnection, offers bool, in <-chan []byte, out chan<- []byte) error {
		send := func(e envelope) {
			text, err := json.Marshal(e)
			if err != nil {
				log.Fatal(err)
			}
			select {
			case out <- text:
			case <-ctx.Done():
			}
		}
		describe := func() error {
			if err := pc.SetLocalDescription(peerconnection.SessionDescription{}); err != nil {
				return err
			}
			send(envelope{Description: pc.LocalDescription()})
			go func() {
				for {
					c, err := pc.NextICECandidate(ctx)
					if err == io.EOF {
						c = peerconnection.ICECandidate{} // no more follow
					} else if err != nil {
						return
					}
					if send(envelope{Candidate: &c}); err == io.EOF {
						return
					}
				}
			}()
			return nil
		}
		if offers {
			if err := describe(); err != nil {
				return err
			}
		}
		for {
			var e envelope
			select {
			case text := <-in:
				if err := json.Unmarshal(text, &e); err != nil {
					return err
				}
			case <-ctx.Done():
				return nil
			}
			switch {
			case e.Candidate != nil:
				if err := pc.AddICECandidate(*e.Candidate); err != nil {
					return err
				}
			case e.Description != nil:
				if err := pc.SetRemoteDescription(*e.Description); err != nil {
					return err
				}
				if e.Description.Type == peerconnection.SDPTypeOffer {
					if err := describe(); err != nil {
						return err
					}
				}
			}
		}
	}

	alice, err := peerconnection.New(peerconnection.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer alice.Close()
	bob, err := peerconnection.New(peerconnection.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer bob.Close()
	d, err := alice.CreateDataChannel("trickled", nil)
	if err != nil {
		log.Fatal(err)
	}
	up, down := make(chan []byte), make(chan []byte)
	go signal(alice, true, down, up)
	go signal(bob, false, up, down)

	if err := alice.WaitConnected(ctx); err != nil {
		log.Fatal(err)
	}
	if err := d.Opened(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(d.Label(), d.ReadyState())
	// Output: trickled open
}

// A server needs one UDP port, not one for each client.
func ExampleUDPMux() {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	// A real server would name a port that its firewall lets through, such as
	// 0.0.0.0:3478.
	mux, err := peerconnection.ListenUDPMux(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		log.Fatal(err)
	}
	defer mux.Close()

	var clients sync.WaitGroup
	for i := range 3 {
		clients.Go(func() {
			server, err := peerconnection.New(peerconnection.Config{Mux: mux})
			if err != nil {
				log.Fatal(err)
			}
			defer server.Close()
			client, err := peerconnection.New(peerconnection.Config{Addresses: []netip.Addr{netip.MustParseAddr("127.0.0.1")}})
			if err != nil {
				log.Fatal(err)
			}
			defer client.Close()
			d, err := client.CreateDataChannel(fmt.Sprint("client ", i), nil)
			if err != nil {
				log.Fatal(err)
			}
			if err := client.SetLocalDescription(peerconnection.SessionDescription{}); err != nil {
				log.Fatal(err)
			}
			got, err := answer(ctx, server, *client.LocalDescription())
			if err != nil {
				log.Fatal(err)
			}
			if err := client.SetRemoteDescription(got); err != nil {
				log.Fatal(err)
			}
			if err := d.Opened(ctx); err != nil {
				log.Fatal(err)
			}
		})
	}
	clients.Wait()
	fmt.Println("three clients on", len(mux.Addresses()), "socket")
	// Output: three clients on 1 socket
}

// A selective forwarding unit in a few lines: what one peer sends goes to all others, and no
// frame is decoded, nor even put together, on the way.
func ExamplePeerConnection_AcceptTrack() {
	forward := func(ctx context.Context, source *peerconnection.PeerConnection, viewers []*peerconnection.PeerConnection) error {
		for {
			event, err := source.AcceptTrack(ctx)
			if err != nil {
				return err
			}
			for _, viewer := range viewers {
				// Its NextNegotiationNeeded returns then: an offer tells the peer.
				if _, err := viewer.AddTrack(event.Track, event.Streams...); err != nil {
					return err
				}
			}
		}
	}
	_ = forward
}

// A track of one's own: frames that an encoder has made, at their times.
func ExampleTrack_WriteFrame() {
	pc, err := peerconnection.New(peerconnection.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer pc.Close()
	camera := peerconnection.NewTrack(peerconnection.KindVideo, "camera")
	if _, err := pc.AddTrack(camera, "me"); err != nil {
		log.Fatal(err)
	}
	// … offer and answer …
	encoded := [][]byte{ /* VP8 frames */ }
	for i, data := range encoded {
		frame := peerconnection.Frame{Data: data, KeyFrame: i == 0, PTS: time.Duration(i) * time.Second / 30}
		if err := camera.WriteFrame(frame); err != nil {
			log.Fatal(err)
		}
	}
}
