// Package natlab connects ICE agents through any two NATs, firewalls and kinds of
// Internet access, on a simulated network: which way do they find, and how fast?
//
//	from, _ := natlab.Named("port-restricted")
//	to, _ := natlab.Named("symmetric")
//	r, err := natlab.Connect(natlab.Experiment{From: from, To: to, Seed: 1})
//	fmt.Println(r.Relayed, r.Connected, r.Nominated) // true 2.5 24
//
// # What is simulated
//
// Two agents of package ice at their places, and the STUN and TURN server of
// package turn in the middle of the network. A round trip between the agents takes
// the same time whatever is in between, and half of that to the server and back. Nothing is
// lost, so that what takes time is what the protocol waits for.
//
// One side offers and the other answers, by a signalling channel that takes half a
// round trip; candidates that are found later follow by themselves (RFC 8838). The
// clock of the results starts when the answer is back at who offered: from here on
// each side knows the other one's credentials. Servers were asked before.
//
// # How to read it
//
// topology is the table of places, direct what theory says of two of them, and
// bound what no agent can beat; world builds the network, and agent and server are
// its nodes; result tells how it went.
package natlab
