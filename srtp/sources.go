package srtp

import "github.com/plainrtc/plainrtc/internal/replay"

const (
	// MaxSources is how many sources an Inbound remembers, of RTP and of RTCP
	// each: a large conference has some hundreds. It is arbitrary. A peer who
	// uses more loses the roll-over counter and the replay window of the one
	// that was heard least recently.
	MaxSources = 1024
	// MaxOutboundSources is how many sources an Outbound takes in its life. It
	// is arbitrary: it bounds the memory for a caller who uses a new SSRC for
	// everything.
	MaxOutboundSources = 1 << 14
)

// A source is the part of a cryptographic context that belongs to one SSRC (RFC
// 3711, Section 3.2.1): the replay list, whose highest index is also the
// roll-over counter and s_l.
type source struct {
	ssrc   uint32
	used   uint64 // the table's count when it last accepted a packet
	window replay.Window
}

// sources are the sources that were authenticated, or sealed for.
type sources struct {
	list []source
	// at finds a source in list.
	at map[uint32]int
	// last is where the previous packet's source is: often the next one's too.
	last int
	// count is how many packets were accepted: the time that "least recently"
	// is measured in, and on the sending side what limits the key.
	count uint64
}

// find returns the source, or nil. It is valid until the next add.
func (t *sources) find(ssrc uint32) *source {
	if t.last < len(t.list) && t.list[t.last].ssrc == ssrc {
		return &t.list[t.last]
	}
	i, ok := t.at[ssrc]
	if !ok {
		return nil
	}
	t.last = i
	return &t.list[i]
}

// add enters a source that is not there yet. If there are limit of them, the
// least recently used gives way.
func (t *sources) add(ssrc uint32, limit int) *source {
	if t.at == nil {
		t.at = make(map[uint32]int)
	}
	i := len(t.list)
	if i < limit {
		t.list = append(t.list, source{})
	} else {
		i = 0
		for j := range t.list {
			if t.list[j].used < t.list[i].used {
				i = j
			}
		}
		delete(t.at, t.list[i].ssrc)
	}
	t.list[i] = source{ssrc: ssrc}
	t.at[ssrc], t.last = i, i
	return &t.list[i]
}

// accept enters the index of a packet that is authentic, or about to be sealed.
func (t *sources) accept(s *source, index uint64) bool {
	if !s.window.Accept(index) {
		return false
	}
	t.count++
	s.used = t.count
	return true
}
