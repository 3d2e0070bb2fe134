// Package jitterlab measures jitter buffers: it makes up how long packets take, or
// reads it from a trace, sends the packets through a [jitter.Buffer] on virtual time,
// and says how long it held them and what came too late.
//
//	trace := jitterlab.Path{Kind: jitterlab.Gamma, Jitter: 200 * time.Millisecond, Loss: 0.02}.Trace(rand, 3000)
//	result := jitterlab.Run(trace, jitter.Config{})
//	fmt.Println(result.MeanDelay, result.LateLoss)
package jitterlab
