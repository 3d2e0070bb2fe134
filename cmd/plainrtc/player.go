package main

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/plainrtc/plainrtc/peerconnection"
)

const (
	// together is how much two clips may differ in length and begin anew at the same
	// time: they were cut from one.
	together = 500 * time.Millisecond
	// keyframePause is how soon after a key frame the next one is played because
	// somebody asks for it.
	keyframePause = 200 * time.Millisecond
)

// A player plays clips to one connection, over and over, while it runs. Frames leave when
// they are due. Who needs a key frame gets the next one that the file has.
type player struct {
	clips        clips
	video, audio *peerconnection.Track  // nil where there is no clip
	epoch        time.Time              // of the times of frames, which go forward over all runs
	refused      atomic.Pointer[string] // why the peer gets nothing; nil if it does

	mu   sync.Mutex
	stop context.CancelFunc // nil: it does not run
	done chan struct{}
}

func newPlayer(c clips) *player {
	p := &player{clips: c, epoch: time.Now()}
	if c.video != nil {
		p.video = peerconnection.NewTrack(peerconnection.KindVideo, "clip-video")
	}
	if c.audio != nil {
		p.audio = peerconnection.NewTrack(peerconnection.KindAudio, "clip-audio")
	}
	return p
}

// track is what it plays of a kind; nil if nothing.
func (p *player) track(kind peerconnection.Kind) *peerconnection.Track {
	if kind == peerconnection.KindVideo {
		return p.video
	}
	return p.audio
}

// start begins to play from the beginning, unless it plays.
func (p *player) start() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stop != nil {
		return
	}
	p.refused.Store(nil)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	p.stop, p.done = cancel, done
	go func() {
		defer close(done)
		p.play(ctx)
	}()
}

// end stops playing, and waits for that.
func (p *player) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stop != nil {
		p.stop()
		<-p.done
		p.stop = nil
	}
}

// A voice is one clip as it is played.
type voice struct {
	clip  *clip
	track *peerconnection.Track
	turn  time.Duration // from one beginning to the next
	base  time.Time     // of this turn
	next  int           // frame
}

func (v *voice) due() time.Time { return v.base.Add(v.clip.frames[v.next].PTS) }

func (v *voice) advance() {
	if v.next++; v.next == len(v.clip.frames) {
		v.next, v.base = 0, v.base.Add(v.turn)
	}
}

// untilKeyframe is how far ahead the next key frame is.
func (v *voice) untilKeyframe() time.Duration {
	ahead := *v
	for range len(v.clip.frames) {
		if ahead.clip.frames[ahead.next].KeyFrame {
			break
		}
		ahead.advance()
	}
	return ahead.due().Sub(v.due())
}

// skip goes ahead in the clip, so that what was due d later is due now.
func (v *voice) skip(d time.Duration, now time.Time) {
	for v.base = v.base.Add(-d); v.due().Before(now); {
		v.advance()
	}
}

// voices are the clips at their beginning.
func (p *player) voices(now time.Time) (all []*voice) {
	for _, v := range []voice{{clip: p.clips.video, track: p.video}, {clip: p.clips.audio, track: p.audio}} {
		if v.clip != nil {
			v.base, v.turn = now, v.clip.length
			all = append(all, &v)
		}
	}
	if len(all) == 2 && (all[0].turn-all[1].turn).Abs() <= together {
		longer := max(all[0].turn, all[1].turn)
		all[0].turn, all[1].turn = longer, longer
	}
	return all
}

func (p *player) play(ctx context.Context) {
	wanted := make(chan struct{}, 1)
	if p.video != nil {
		listening := make(chan struct{})
		go func() {
			defer close(listening)
			for {
				if _, err := p.video.NextKeyframeRequest(ctx); err != nil {
					return
				}
				select {
				case wanted <- struct{}{}:
				default:
				}
			}
		}()
		defer func() { <-listening }()
	}
	voices := p.voices(time.Now())
	timer := time.NewTimer(0)
	defer timer.Stop()
	var keyframe time.Time // when the latest was played
	for {
		v := voices[0]
		for _, other := range voices[1:] {
			if other.due().Before(v.due()) {
				v = other
			}
		}
		timer.Reset(time.Until(v.due()))
		select {
		case <-ctx.Done():
			return
		case <-wanted:
			if now := time.Now(); now.Sub(keyframe) > keyframePause {
				// The first of the voices is the video's, for there is one.
				d := voices[0].due().Sub(now) + voices[0].untilKeyframe()
				alone := len(voices) == 2 && voices[0].turn != voices[1].turn
				for i, v := range voices {
					if i == 0 || !alone {
						v.skip(d, now)
					}
				}
			}
			continue
		case <-timer.C:
		}
		if late := time.Since(v.due()); late > time.Second {
			// The machine slept.
			for _, v := range voices {
				v.base = v.base.Add(late)
			}
		}
		f := v.clip.frames[v.next]
		if v.clip.kind == peerconnection.KindVideo && f.KeyFrame {
			keyframe = time.Now()
		}
		if err := v.track.WriteFrame(peerconnection.Frame{Data: f.Data, PTS: v.due().Sub(p.epoch), KeyFrame: f.KeyFrame, Codec: v.clip.codec}); err != nil {
			text := err.Error()
			p.refused.CompareAndSwap(nil, &text)
		}
		v.advance()
	}
}
