package netns

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/peerconnection"
)

// An end of a call, of ours or a browser's. Candidates travel as JSON.
type peer interface {
	offer(ctx context.Context, restart bool) (sdp string, err error)
	answer(ctx context.Context, offer string) (sdp string, err error)
	finish(ctx context.Context, answer string) error
	candidate(ctx context.Context) (json.RawMessage, error) // the next; null is none
	add(ctx context.Context, candidate json.RawMessage) error
}

// A remote is a peer of ours, in a process of its own; see process_test.go.
type remote struct {
	process *Process
	in      *json.Encoder

	mu      sync.Mutex
	last    int
	waiting map[int]chan reply
}

// newRemote starts a peer in a namespace.
func newRemote(t *testing.T, in *Namespace, s settings, environment ...string) *remote {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(append(os.Environ(), beAPeer+"=1"), environment...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	r := &remote{in: json.NewEncoder(stdin), waiting: map[int]chan reply{}}
	if r.process, err = in.Start(cmd); err != nil {
		t.Fatal(err)
	}
	go func() {
		for out := json.NewDecoder(stdout); ; {
			var answer reply
			if out.Decode(&answer) != nil {
				return
			}
			r.mu.Lock()
			to := r.waiting[answer.ID]
			delete(r.waiting, answer.ID)
			r.mu.Unlock()
			if to != nil {
				to <- answer
			}
		}
	}()
	t.Cleanup(func() {
		if t.Failed() {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			var text string
			if err := r.do(ctx, "trace", nil, &text); err != nil {
				text = err.Error()
			}
			t.Logf("the trace in %s:\n%s", in.Name, text)
		}
		r.process.End()
	})
	if err := r.do(t.Context(), "new", s, nil); err != nil {
		t.Fatal(err)
	}
	return r
}

// do has the peer do something, and takes what comes of it.
func (r *remote) do(ctx context.Context, verb string, args, result any) error {
	b, err := json.Marshal(args)
	if err != nil {
		return err
	}
	done := make(chan reply, 1)
	r.mu.Lock()
	r.last++
	id := r.last
	r.waiting[id] = done
	err = r.in.Encode(request{id, verb, b})
	r.mu.Unlock()
	if err != nil {
		return fmt.Errorf("%s: %w", verb, err)
	}
	select {
	case answer := <-done:
		if answer.Error != "" {
			return fmt.Errorf("%s: %s", verb, answer.Error)
		}
		if result == nil {
			return nil
		}
		return json.Unmarshal(answer.Result, result)
	case <-r.process.Done():
		return fmt.Errorf("%s: the peer's process has ended", verb)
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", verb, ctx.Err())
	}
}

func (r *remote) offer(ctx context.Context, restart bool) (sdp string, err error) {
	return sdp, r.do(ctx, "offer", restart, &sdp)
}

func (r *remote) answer(ctx context.Context, offer string) (sdp string, err error) {
	return sdp, r.do(ctx, "answer", offer, &sdp)
}

func (r *remote) finish(ctx context.Context, answer string) error {
	return r.do(ctx, "finish", answer, nil)
}

func (r *remote) candidate(ctx context.Context) (c json.RawMessage, err error) {
	return c, r.do(ctx, "candidate", nil, &c)
}

func (r *remote) add(ctx context.Context, candidate json.RawMessage) error {
	return r.do(ctx, "add", candidate, nil)
}

// path says between which candidates data goes.
func (r *remote) path(t *testing.T, ctx context.Context) (p string) {
	t.Helper()
	if err := r.do(ctx, "path", nil, &p); err != nil {
		t.Fatal(err)
	}
	return p
}

// alive waits until messages come back that are sent from now on, and tells what became of
// those since it was last asked.
func (r *remote) alive(t *testing.T, ctx context.Context) (p pulse) {
	t.Helper()
	if err := r.do(ctx, "alive", 10, &p); err != nil {
		t.Fatalf("the call does not survive: %v", err)
	}
	return p
}

// settled waits until data goes where it should: directly if it can.
func (r *remote) settled(t *testing.T, ctx context.Context, relayed bool) (path string) {
	t.Helper()
	for {
		r.alive(t, ctx)
		path = r.path(t, ctx)
		switch {
		case strings.Contains(path, "relay") == relayed:
			return path
		case relayed:
			t.Fatalf("the path is %s; no direct one should be possible", path)
		}
	}
}

// transfer carries bytes to the other end and back, and returns when they have come.
func (r *remote) transfer(ctx context.Context, what transfer) (done transferred, err error) {
	err = r.do(ctx, "transfer", what, &done)
	if err == nil && done.Sent != done.Returned {
		err = fmt.Errorf("the hash of what was sent is %s, and of what came back %s", done.Sent, done.Returned)
	}
	return done, err
}

// negotiate exchanges descriptions.
func negotiate(ctx context.Context, offerer, answerer peer, restart bool) error {
	offer, err := offerer.offer(ctx, restart)
	if err != nil {
		return fmt.Errorf("the offer: %w", err)
	}
	answer, err := answerer.answer(ctx, offer)
	if err != nil {
		return fmt.Errorf("the answer: %w", err)
	}
	if err := offerer.finish(ctx, answer); err != nil {
		return fmt.Errorf("taking the answer: %w", err)
	}
	return nil
}

// trickle carries candidates to the other end until the test ends.
func trickle(ctx context.Context, from, to peer) error {
	for {
		c, err := from.candidate(ctx)
		if err != nil {
			return err
		}
		if string(c) != "null" {
			if err := to.add(ctx, c); err != nil {
				return err
			}
		}
	}
}

// call connects two peers, waits until us, one of them, can send, and returns how long after its
// birth that is.
func call(t *testing.T, ctx context.Context, offerer, answerer peer, us *remote) (after time.Duration) {
	t.Helper()
	if err := negotiate(ctx, offerer, answerer, false); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	var trickling sync.WaitGroup
	for _, way := range [][2]peer{{offerer, answerer}, {answerer, offerer}} {
		trickling.Go(func() {
			if err := trickle(ctx, way[0], way[1]); ctx.Err() == nil {
				cancel(fmt.Errorf("trickling: %w", err))
			}
		})
	}
	t.Cleanup(func() {
		cancel(errors.New("the test has ended"))
		trickling.Wait()
	})
	if err := us.do(ctx, "opened", nil, &after); err != nil {
		t.Fatalf("no connection: %v; %v", err, context.Cause(ctx))
	}
	return after.Round(time.Millisecond)
}

// iceServers are servers of these URLs, for the user whom the tests have.
func iceServers(urls ...string) []peerconnection.ICEServer {
	return []peerconnection.ICEServer{{URLs: urls, Username: "alice", Credential: "wonderland"}}
}
