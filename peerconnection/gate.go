package peerconnection

import "context"

// A gate is where blocking calls wait for something to change. It is kept
// under the connection's lock, costs nothing while nobody waits, and wakes
// everybody who does: each looks again at what it waits for.
type gate struct {
	ch chan struct{}
}

// wait returns a channel that is closed at the next signal.
func (g *gate) wait() <-chan struct{} {
	if g.ch == nil {
		g.ch = make(chan struct{})
	}
	return g.ch
}

// signal wakes whoever waits.
func (g *gate) signal() {
	if g.ch != nil {
		close(g.ch)
		g.ch = nil
	}
}

// await blocks until ready reports true. The connection's lock is held on entry
// and on return, and while ready runs.
func (pc *PeerConnection) await(ctx context.Context, g *gate, ready func() bool) error {
	for !ready() {
		changed := g.wait()
		pc.mu.Unlock()
		var err error
		select {
		case <-changed:
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
		pc.mu.Lock()
		if err != nil {
			return err
		}
	}
	return nil
}
