package peerconnection_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/plainrtc/plainrtc/peerconnection"
)

// Two peers in one process. In real life the offer and the answer travel over
// something the application has: an HTTP request, a chat, a file.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	check := func(err error) {
		if err != nil {
			log.Fatal(err)
		}
	}

	alice, err := peerconnection.New(peerconnection.Config{})
	check(err)
	defer alice.Close()
	bob, err := peerconnection.New(peerconnection.Config{})
	check(err)
	defer bob.Close()

	// Alice offers. What she writes before the channel is open waits for it.
	chat, err := alice.CreateDataChannel("chat", nil)
	check(err)
	check(chat.SendText("hello"))
	offer, err := alice.CreateOffer(nil)
	check(err)
	check(alice.SetLocalDescription(offer))
	check(alice.GatheringComplete(ctx)) // all candidates in the description: no trickling

	// Bob answers.
	check(bob.SetRemoteDescription(*alice.LocalDescription()))
	answer, err := bob.CreateAnswer()
	check(err)
	check(bob.SetLocalDescription(answer))
	check(bob.GatheringComplete(ctx))
	check(alice.SetRemoteDescription(*bob.LocalDescription()))

	// Bob echoes.
	bobs, err := bob.AcceptDataChannel(ctx)
	check(err)
	question, err := bobs.ReadMessage(ctx)
	check(err)
	check(bobs.SendText(string(question.Data) + " yourself"))

	reply, err := chat.ReadMessage(ctx)
	check(err)
	fmt.Printf("%s on %q: %s\n", reply.Kind, chat.Label(), reply.Data)
	// Output: text on "chat": hello yourself
}
