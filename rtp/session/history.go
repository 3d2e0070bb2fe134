package session

import (
	"time"

	"github.com/plainrtc/plainrtc/rtp"
)

// A history has the packets of one encoding: those that wait to leave, and those
// that left and may be asked for again. It is a ring by sequence number, which grows
// to hold what is sent in historyTime, up to maxHistory packets.
type history struct {
	slots []slot // a power of two
}

const (
	minHistory  = 8
	maxHistory  = 4096
	historyTime = time.Second // a packet that is older comes too late for anybody
)

// A slot is one packet, with what is to be changed in it as it leaves.
type slot struct {
	used      bool
	sent      bool
	queued    bool              // to leave again
	packet    rtp.Packet        // as it was made, or as it came from another source
	ids       *rtp.ExtensionMap // what its header extensions mean
	sequence  uint16
	number    uint16 // of its departure, for feedback
	timestamp uint32
	codec     *Codec // as negotiated for sending
	shift     shift  // of what counts pictures

	at     time.Duration // when it was written, and then when it left last
	resent uint8         // how often
	group  uint16        // of packets that are protected together; 0: it is not

	buffer []byte // where packets made here stand; kept from use to use
}

// put makes a place for a packet. It returns nil for one that is there already.
func (h *history) put(sequence uint16, at time.Duration) *slot {
	if len(h.slots) == 0 {
		h.slots = make([]slot, minHistory)
	}
	for {
		v := &h.slots[int(sequence)&(len(h.slots)-1)]
		switch {
		case !v.used:
		case v.sequence == sequence && at-v.at < historyTime:
			return nil
		case at-v.at < historyTime && len(h.slots) < maxHistory:
			h.grow()
			continue
		}
		*v = slot{used: true, sequence: sequence, at: at, buffer: v.buffer}
		return v
	}
}

// get returns a packet that is there.
func (h *history) get(sequence uint16) *slot {
	if len(h.slots) == 0 {
		return nil
	}
	v := &h.slots[int(sequence)&(len(h.slots)-1)]
	if !v.used || v.sequence != sequence {
		return nil
	}
	return v
}

func (h *history) grow() {
	old := h.slots
	h.slots = make([]slot, 2*len(old))
	for _, v := range old {
		if v.used {
			h.slots[int(v.sequence)&(len(h.slots)-1)] = v
		}
	}
}
