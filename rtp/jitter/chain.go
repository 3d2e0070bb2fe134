package jitter

import (
	"slices"

	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/payload"
)

// A chain knows which frames of video can be decoded after some have been lost.
//
// As long as nothing is lost everything can. After that it is up to what the stream
// says of its frames: a dependency descriptor or VP9's flexible mode name the
// frames that each refers to; VP8 and VP9 count the frames of the lowest temporal
// layer (TL0PICIDX), and tell where a higher one may be entered; all other streams
// have to wait for a key frame.
type chain struct {
	keyed  bool // a key frame was decoded, and since then what can be was
	broken bool // something was given up since the last frame

	kind relationKind // of the last frame

	// Picture ids or frame numbers, of which these were decoded.
	seen    [historyWords]uint64
	latest  uint16
	counted bool

	// Temporal layers.
	tl0     uint8
	layered bool
	layers  uint8 // how many temporal layers, from the lowest, nothing is missing in

	structure  *rtp.DependencyStructure
	descriptor rtp.DependencyDescriptor
}

const historyWords = 8 // of 64 frames: VP9 refers at most 127 pictures back, a descriptor nearly always less

const history = historyWords * 64

// allLayers is more temporal layers than there can be.
const allLayers = 8

// gap notes that packets were given up, of which nobody knows what they were.
func (c *chain) gap() {
	c.broken = true
	c.layers = min(c.layers, 1)
	if c.kind == sequential {
		c.keyed = false
	}
}

// A relation is what a frame says of itself, in all of its layers.
type relation struct {
	kind relationKind
	key  bool
	tid  uint8 // temporal layer

	// Of a frame that names those it needs: picture ids or frame numbers, of its
	// own layers and of the frames they refer to.
	own      [8]uint16
	needs    [32]uint16
	ownCount int
	count    int    // of needs; more than fit make the frame undecodable after a loss
	mask     uint16 // which bits a number has

	// Of a frame that counts those of the lowest temporal layer.
	tl0    uint8
	enters bool // VP8's Y: needs only the lowest layer
	opens  bool // VP9's U: higher layers need nothing that was before this frame
}

type relationKind uint8

const (
	sequential relationKind = iota // needs all that was before
	naming                         // names the frames it needs
	layering                       // counts the frames of the lowest layer
)

// decodable reports whether everything a frame needs was decoded.
func (c *chain) decodable(r *relation) bool {
	if r.key {
		return true
	}
	if !c.keyed {
		return false
	}
	if !c.broken && r.kind != layering {
		return true
	}
	switch r.kind {
	case naming:
		if r.count > len(r.needs) {
			return false
		}
		for _, n := range r.needs[:r.count] {
			if !slices.Contains(r.own[:r.ownCount], n) && !c.saw(n, r.mask) {
				return false
			}
		}
		return true
	case layering:
		if r.tid == 0 {
			return !c.broken || c.layered && r.tl0 == c.tl0+1
		}
		return !c.broken && !c.layered || c.layered && r.tl0 == c.tl0 && (r.tid < c.layers || r.enters)
	}
	return false
}

// undecodable notes that a frame is dropped. When the lowest layer cannot go on,
// nothing can.
func (c *chain) undecodable(r *relation) {
	if r.kind == sequential || r.tid == 0 {
		c.gap()
		c.keyed = false
	}
	c.layers = min(c.layers, r.tid)
}

// decoded notes that a frame is handed out.
func (c *chain) decoded(r *relation) {
	if r.key {
		*c = chain{keyed: true, structure: c.structure, descriptor: c.descriptor, layers: allLayers}
	}
	c.kind = r.kind
	switch r.kind {
	case sequential:
		c.broken = false
	case naming:
		for _, n := range r.own[:r.ownCount] {
			c.see(n, r.mask)
		}
	case layering:
		c.broken, c.layered = false, true
		if r.tid == 0 {
			c.tl0 = r.tl0
		}
		if r.enters && r.tid >= c.layers {
			c.layers = r.tid + 1
		}
		if r.opens && r.tid < c.layers {
			c.layers = allLayers
		}
	}
}

// see marks a number as decoded, and those it passes over as not.
func (c *chain) see(n, mask uint16) {
	if ahead := (n - c.latest) & mask; !c.counted || ahead <= mask/2 {
		for i := uint16(1); c.counted && i < min(ahead, history); i++ {
			at := (c.latest + i) & mask % history
			c.seen[at/64] &^= 1 << (at % 64)
		}
		c.latest, c.counted = n, true
	}
	at := n & mask % history
	c.seen[at/64] |= 1 << (at % 64)
}

// saw reports whether a number was decoded.
func (c *chain) saw(n, mask uint16) bool {
	at := n & mask % history
	return c.counted && (c.latest-n)&mask < history && c.seen[at/64]&(1<<(at%64)) != 0
}

// relate reads what the packets of a frame say of it.
func (c *chain) relate(r *ring, first, end int64, extensions *rtp.ExtensionMap) (rel relation) {
	described := uint8(0)
	if extensions != nil {
		described = extensions.ID(rtp.ExtDependencyDescriptor)
	}
	for i := first; i < end; i++ {
		s := r.held(i)
		if s.filler() {
			continue
		}
		initial := i == first
		if initial {
			rel.key = s.key
		}
		if value, ok := s.packet.Extension(described); ok && described != 0 {
			c.relateDescriptor(&rel, value, initial)
			continue
		}
		switch s.codec.Format {
		case payload.VP8:
			if initial {
				relateVP8(&rel, s.payload)
			}
		case payload.VP9:
			relateVP9(&rel, s.payload, initial)
		}
	}
	return rel
}

// add notes a number of the frame's own.
func (r *relation) add(own uint16) bool {
	if r.ownCount == len(r.own) {
		r.count = len(r.needs) + 1
		return false
	}
	r.own[r.ownCount] = own & r.mask
	r.ownCount++
	return true
}

func (r *relation) need(n uint16) {
	if r.count < len(r.needs) {
		r.needs[r.count] = n & r.mask
		r.count++
	} else {
		r.count = len(r.needs) + 1
	}
}

func (c *chain) relateDescriptor(r *relation, value []byte, initial bool) {
	d := &c.descriptor
	if err := d.Parse(value, c.structure); err != nil || !d.StartOfFrame {
		return // a frame that cannot be placed needs all that was before
	}
	if d.Structure != nil {
		c.structure = d.Structure
	}
	r.kind, r.mask = naming, 0xffff
	if initial {
		r.tid = d.Frame.TemporalID
	}
	if r.add(d.FrameNumber) {
		for _, diff := range d.Frame.FrameDiffs {
			r.need(d.FrameNumber - diff)
		}
	}
}

func relateVP8(r *relation, data []byte) {
	var d payload.VP8Descriptor
	if _, ok := d.Parse(data); !ok {
		return
	}
	if d.HasTL0PICIDX && d.HasTID {
		r.kind, r.tid, r.tl0, r.enters = layering, d.TID, d.TL0PICIDX, d.LayerSync
		return
	}
	if d.HasPictureID {
		// Without layers each frame needs the one before it, whose number is one less: what
		// was lost in between was no media.
		r.kind, r.mask = naming, 0x7fff
		if d.Short {
			r.mask = 0x7f
		}
		r.add(d.PictureID)
		r.need(d.PictureID - 1)
	}
}

func relateVP9(r *relation, data []byte, initial bool) {
	var d payload.VP9Descriptor
	if _, ok := d.Parse(data); !ok || !d.HasPictureID || !d.Start {
		return
	}
	switch {
	case d.Flexible:
		r.kind, r.mask = naming, 0x7fff
		if d.Short {
			r.mask = 0x7f
		}
		if initial {
			r.tid = d.TID
			r.add(d.PictureID)
		}
		for _, diff := range d.Diffs[:d.DiffCount] {
			r.need(d.PictureID - uint16(diff))
		}
	case d.HasLayers && initial:
		r.kind, r.tid, r.tl0, r.opens = layering, d.TID, d.TL0PICIDX, d.SwitchingUp
	}
}
