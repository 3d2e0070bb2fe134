package peerconnection

import (
	"context"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Two doors of a forwarding server, each with a guest, pass on to each other and echo, while
// tracks are replaced, removed, turned round and stopped, everything is read in every way, and then
// all is closed in the midst of it: nobody deadlocks, nobody is left, and the race detector has
// nothing to say.
func TestMediaAtOnce(t *testing.T) {
	goroutines := runtime.NumGoroutine()
	for round := range 3 {
		mediaAtOnce(t, round)
	}
	for range 100 { // readers of sockets, and timers that had fired
		if runtime.NumGoroutine() <= goroutines {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("%d goroutines are left of what began with %d", runtime.NumGoroutine(), goroutines)
}

func mediaAtOnce(t *testing.T, round int) {
	ctx := within(t, 60*time.Second)
	var guests, doors [2]*PeerConnection
	var local, remote [2][2]*Track // of each guest, and at its door: audio, video
	var halves [2][2]*Transceiver  // of the doors
	for i := range doors {
		guests[i], doors[i] = newPeer(t, Config{}), newPeer(t, Config{})
		for j, kind := range []Kind{KindAudio, KindVideo} {
			local[i][j] = NewTrack(kind, "guest")
			if _, err := guests[i].AddTrack(local[i][j], "stream"); err != nil {
				t.Fatal(err)
			}
			x, err := doors[i].AddTransceiverOf(kind, nil)
			if err != nil {
				t.Fatal(err)
			}
			halves[i][j], remote[i][j] = x, x.Receiver().Track()
		}
		tell(t, ctx, doors[i], guests[i])
	}
	all := append(guests[:], doors[:]...)

	var running sync.WaitGroup
	var frames atomic.Int32
	stopped, cancel := context.WithCancel(ctx)
	defer cancel()
	repeat := func(pause time.Duration, do func()) {
		running.Go(func() {
			for stopped.Err() == nil {
				do()
				time.Sleep(pause)
			}
		})
	}
	for i := range doors {
		for j, kind := range []Kind{KindAudio, KindVideo} {
			n := 0
			track := local[i][j]
			repeat(2*time.Millisecond, func() {
				n++
				f := Frame{Data: []byte{0xf8, 1, 2}, PTS: time.Duration(n) * 2 * time.Millisecond}
				if kind == KindVideo {
					f.Data, f.KeyFrame = vp8Frame(n, 3000, n%20 == 1), n%20 == 1
				}
				track.WriteFrame(f)
			})
			for _, at := range []*Track{remote[i][j], guestTrack(guests[i], kind)} {
				repeat(0, func() {
					ctx, cancel := context.WithTimeout(stopped, time.Duration(rand.IntN(20))*time.Millisecond)
					defer cancel()
					if f, err := at.ReadFrame(ctx); err == nil {
						frames.Add(1)
						sum := byte(0)
						for _, b := range f.Data { // it stays as it is until the next is read
							sum += b
						}
						_ = sum
					}
				})
				repeat(0, func() {
					if p, err := at.ReadRTP(stopped); err == nil && len(p.Payload()) == 0 {
						t.Error("an empty packet")
					}
				})
				repeat(3*time.Millisecond, func() {
					ctx, cancel := context.WithTimeout(stopped, time.Millisecond)
					defer cancel()
					at.RequestKeyframe()
					at.ID()
					at.RID()
					at.NextTone(ctx)
				})
			}
			// To the other, back to where it came from, or nowhere.
			sender := halves[i][j].Sender()
			repeat(time.Millisecond, func() {
				sender.ReplaceTrack([]*Track{remote[1-i][j], remote[i][j], local[i][j], nil}[rand.IntN(4)])
				if kind == KindAudio {
					sender.InsertDTMF("1", 40*time.Millisecond, 0)
				}
			})
		}
		repeat(time.Millisecond, func() { // one goroutine, so that offers do not cross
			x := halves[i][rand.IntN(2)]
			theirs := guests[i].Transceivers()
			directions := []Direction{DirectionSendRecv, DirectionSendRecv, DirectionRecvOnly, DirectionInactive}
			switch rand.IntN(8) {
			case 0, 1:
				x.SetDirection(directions[rand.IntN(4)])
				signalOnce(doors[i], guests[i], nil)
			case 2, 3, 4:
				theirs[rand.IntN(len(theirs))].SetDirection(directions[rand.IntN(4)])
				signalOnce(guests[i], doors[i], nil)
			case 5:
				for _, s := range guests[i].Senders() {
					track := s.Track()
					if track == nil {
						continue
					}
					guests[i].RemoveTrack(s)
					signalOnce(guests[i], doors[i], nil)
					guests[i].AddTrack(NewTrack(track.Kind(), "again"))
					s.ReplaceTrack(track)
					s.Transceiver().SetDirection(DirectionSendRecv)
					signalOnce(guests[i], doors[i], nil)
					break
				}
			case 6:
				signalOnce(guests[i], doors[i], &OfferOptions{ICERestart: rand.IntN(5) == 0})
			}
		})
	}
	for _, pc := range all {
		repeat(time.Millisecond, func() { pc.Stats(); pc.Transceivers() })
		repeat(0, func() {
			if _, err := pc.AcceptTrack(stopped); err != nil {
				time.Sleep(time.Millisecond)
			}
		})
	}
	time.Sleep(time.Duration(300+100*round) * time.Millisecond)
	halves[0][1].Stop()
	signalOnce(doors[0], guests[0], nil)
	time.Sleep(50 * time.Millisecond)
	for _, i := range rand.Perm(len(all)) {
		running.Go(func() { all[i].Close() })
	}
	time.Sleep(20 * time.Millisecond)
	cancel()
	done := make(chan struct{})
	go func() { running.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
		panic("somebody still waits; see the goroutines")
	}
	if frames.Load() == 0 {
		t.Errorf("round %d: no frame was read", round)
	}
	for _, tracks := range append(local[:], remote[:]...) {
		for _, track := range tracks {
			if n := len(track.attached()); n > 0 {
				t.Errorf("a track is still given to %d senders of closed connections", n)
			}
		}
	}
	for _, pc := range all {
		pc.mu.Lock()
		if pc.core.relayed != nil || pc.core.rtp != nil {
			t.Error("a closed connection keeps media")
		}
		pc.mu.Unlock()
	}
}

// guestTrack is what a guest receives of that kind.
func guestTrack(pc *PeerConnection, kind Kind) *Track {
	for _, x := range pc.Transceivers() {
		if x.Kind() == kind {
			return x.Receiver().Track()
		}
	}
	return nil
}
