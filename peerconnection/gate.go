package peerconnection

import (
	"context"
	"slices"
	"sync"
)

// A gate is where blocking calls wait for something to change. It is kept
// under the connection's lock, costs nothing while nobody waits, and wakes
// everybody who does: each looks again at what it waits for.
type gate struct {
	waiting []*waiter
	spare   *waiter // for the next call that waits, so that it need not be made
}

// A waiter is one call that waits.
type waiter struct {
	woken chan struct{} // holds one token once it is
}

// signal wakes whoever waits.
func (g *gate) signal() {
	for i, w := range g.waiting {
		w.woken <- struct{}{}
		g.waiting[i] = nil
	}
	g.waiting = g.waiting[:0]
}

// wait blocks until the next signal, or returns why ctx ended before that. The
// lock is held on entry and on return.
func (g *gate) wait(ctx context.Context, mu *sync.Mutex) error {
	w := g.join()
	mu.Unlock()
	return g.sleep(ctx, mu, w)
}

// join is the first half of wait, for who has something to do before it waits: signals count from
// now on. The lock is held.
func (g *gate) join() *waiter {
	w := g.spare
	if g.spare = nil; w == nil {
		w = &waiter{make(chan struct{}, 1)}
	}
	g.waiting = append(g.waiting, w)
	return w
}

// sleep is the second half. The lock is not held on entry, and is on return.
func (g *gate) sleep(ctx context.Context, mu *sync.Mutex, w *waiter) (err error) {
	select {
	case <-w.woken:
		mu.Lock()
	case <-ctx.Done():
		err = context.Cause(ctx)
		mu.Lock()
		if i := slices.Index(g.waiting, w); i >= 0 {
			g.waiting = slices.Delete(g.waiting, i, i+1)
		} else {
			<-w.woken // both at once
		}
	}
	g.spare = w
	return err
}

// await blocks until ready reports true. The connection's lock is held on entry
// and on return, and while ready runs.
func (pc *PeerConnection) await(ctx context.Context, g *gate, ready func() bool) error {
	for !ready() {
		if err := g.wait(ctx, &pc.mu); err != nil {
			return err
		}
	}
	return nil
}
