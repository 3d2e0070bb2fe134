package session

import "time"

// What the path carries is shared among the encodings of all senders by rules that a person can do in the head:
//
//  1. An encoding that is not active gets nothing, and one that was not used for five seconds leaves its share to
//     the others, until it is used or asked for.
//  2. Audio comes first: each encoding gets its MaxBitrate, or 64 kbit/s.
//  3. What is left is shared evenly among the senders of video; what one of them can't use, because of its
//     MaxBitrates or a b= line, is for the others.
//  4. A sender's share goes to its layers from the lowest to the highest, each up to its MaxBitrate. Layers without
//     one share what is left by their number of pixels.

const (
	audioBitrate = 64e3
	unused       = 5 * time.Second
)

// TargetBitrate is what an encoding is to be encoded for, in bits a second, with the headers of its packets. An
// encoder that asks before each frame follows the path; one that can't do so is not held to it. Before
// anything is known of the path it begins with 300 kbit/s for all.
func (x *Sender) TargetBitrate(now time.Time, encoding int) int {
	if _, err := x.open(encoding); err != nil {
		return 0
	}
	e := x.encodings[encoding]
	e.askedFor = now
	return x.target(now, e)
}

// target is the share of an encoding that is used.
func (x *Sender) target(now time.Time, e *encoding) int {
	s := x.session
	rest := s.congestion.Target(now)
	// What is sent again is sent instead of something new.
	rest -= min(8*s.queue.repaired.sent.value, repairShare*rest)
	audio, rest := s.shareAudio(now, rest, e)
	if e.audio() {
		return int(audio)
	}
	return int(x.shareLayers(now, s.shareVideo(now, rest, x), e))
}

// used reports whether an encoding takes part: it is sent, or somebody wants to.
func (e *encoding) used(now time.Time) bool {
	if e.gone || !e.Active || e.codec == nil {
		return false
	}
	return !e.stats.last.IsZero() && now.Sub(e.stats.last) < unused || !e.askedFor.IsZero() && now.Sub(e.askedFor) < unused
}

// shareAudio gives each encoding of audio its part, and returns that of e and what is left.
func (s *Session) shareAudio(now time.Time, rest float64, e *encoding) (part, left float64) {
	for _, x := range s.senders {
		for _, o := range x.encodings {
			if x.section == nil || x.section.Kind != Audio || !o.used(now) {
				continue
			}
			v := min(o.most(audioBitrate), rest)
			rest -= v
			if o == e {
				part = v
			}
		}
	}
	return part, rest
}

// most is what an encoding takes at most, if it has room: its MaxBitrate or what stands for none.
func (e *encoding) most(absent float64) float64 {
	v := absent
	if e.MaxBitrate > 0 {
		v = float64(e.MaxBitrate)
	}
	if b := e.sender.section.MaxBitrate; b > 0 {
		v = min(v, float64(b))
	}
	return v
}

// unlimited is more than any path carries.
const unlimited = 1e12

// most is what a sender of video takes at most; 0: it does not take part.
func (x *Sender) most(now time.Time) (sum float64) {
	if x.section == nil || x.section.Kind != Video {
		return 0
	}
	for _, e := range x.encodings {
		if e.used(now) {
			sum += e.most(unlimited)
		}
	}
	if b := x.section.MaxBitrate; b > 0 {
		sum = min(sum, float64(b))
	}
	return sum
}

// shareVideo is the part of a sender in what is there for video: none gets more than it takes, and
// all that take more get the same.
func (s *Session) shareVideo(now time.Time, rest float64, x *Sender) float64 {
	// The level that those who take more are filled to rises as those who take less are satisfied.
	level := 0.0
	for range s.senders {
		satisfied, above := 0.0, 0
		for _, o := range s.senders {
			if most := o.most(now); most > level {
				above++
			} else {
				satisfied += most
			}
		}
		if above == 0 {
			break
		}
		next := (rest - satisfied) / float64(above)
		if next <= level {
			break
		}
		level = next
	}
	return min(x.most(now), level)
}

// shareLayers is the part of an encoding in its sender's.
func (x *Sender) shareLayers(now time.Time, rest float64, e *encoding) float64 {
	for i, o := range x.encodings {
		if !o.used(now) {
			continue
		}
		part := min(o.most(unlimited), rest)
		if o.MaxBitrate == 0 {
			all := 0.0
			for _, higher := range x.encodings[i:] {
				if higher.used(now) && higher.MaxBitrate == 0 {
					all += higher.pixels()
				}
			}
			part = min(part, rest*o.pixels()/all)
		}
		if o == e {
			return part
		}
		rest -= part
	}
	return 0
}

// pixels is the size of a layer's pictures, relative to the track's.
func (e *encoding) pixels() float64 {
	scale := max(e.ScaleResolutionDownBy, 1)
	return 1 / (scale * scale)
}

// reallocate tells congestion control how much could be sent, if all that may be sent has a limit: nothing more
// is probed for.
func (s *Session) reallocate() {
	wanted := 0.0
	for _, x := range s.senders {
		if x.section == nil {
			continue
		}
		sum := 0.0
		for _, e := range x.encodings {
			if e.gone || !e.Active || e.codec == nil {
				continue
			}
			if x.section.Kind == Audio {
				sum += e.most(audioBitrate)
			} else {
				sum += e.most(unlimited)
			}
		}
		if b := x.section.MaxBitrate; b > 0 {
			sum = min(sum, float64(b))
		}
		wanted += sum
	}
	if wanted >= unlimited {
		wanted = 0
	}
	s.congestion.SetWanted(wanted)
}
