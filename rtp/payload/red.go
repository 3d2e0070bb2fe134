package payload

import (
	"encoding/binary"
	"iter"

	"github.com/plainrtc/plainrtc/internal/wire"
)

// A Redundancy is one block of a RED payload: the audio of the packet itself, or
// of an earlier one once more.
//
//	 0                   1                    2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3  4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|F|   block PT  |  timestamp offset         |   block length    |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
//	 0 1 2 3 4 5 6 7
//	+-+-+-+-+-+-+-+-+
//	|0|   Block PT  |   the last block: of the packet's own timestamp
//	+-+-+-+-+-+-+-+-+
//
// RFC 2198, Section 3.
type Redundancy struct {
	PayloadType uint8
	Offset      uint16 // how much earlier than the packet's its timestamp is; 14 bits
	Data        []byte
}

// The largest that fit a block header.
const (
	maxREDOffset = 1<<14 - 1
	maxREDLength = 1<<10 - 1
)

// ParseRED checks a RED payload, and returns its last block, which is the packet's
// own audio.
func ParseRED(payload []byte) (primary Redundancy, ok bool) {
	r := wire.NewReader(payload)
	size := 0
	for {
		first := r.Uint8()
		if !r.OK() {
			return Redundancy{}, false
		}
		if first&0x80 == 0 {
			primary.PayloadType = first
			break
		}
		size += int(r.Uint24() & maxREDLength)
	}
	r.Skip(size)
	if primary.Data = r.Rest(); !r.OK() {
		return Redundancy{}, false
	}
	return primary, true
}

// REDBlocks yields the blocks of a RED payload, oldest first, the packet's own at
// the end; and nothing when ParseRED would refuse it.
func REDBlocks(payload []byte) iter.Seq[Redundancy] {
	return func(yield func(Redundancy) bool) {
		primary, ok := ParseRED(payload)
		if !ok {
			return
		}
		count := 0
		for payload[4*count]&0x80 != 0 {
			count++
		}
		data := payload[4*count+1:]
		for i := range count {
			v := binary.BigEndian.Uint32(payload[4*i:])
			n := int(v & maxREDLength)
			if !yield(Redundancy{uint8(v >> 24 & 0x7f), uint16(v >> 10 & maxREDOffset), data[:n:n]}) {
				return
			}
			data = data[n:]
		}
		yield(primary)
	}
}

// AppendRED appends a RED payload. Redundant blocks too old or too long for their
// header are left out.
func AppendRED(b []byte, payloadType uint8, data []byte, redundant ...Redundancy) []byte {
	fits := func(r Redundancy) bool { return r.Offset <= maxREDOffset && len(r.Data) <= maxREDLength }
	for _, r := range redundant {
		if fits(r) {
			b = binary.BigEndian.AppendUint32(b, 0x80<<24|uint32(r.PayloadType&0x7f)<<24|uint32(r.Offset)<<10|uint32(len(r.Data)))
		}
	}
	b = append(b, payloadType&0x7f)
	for _, r := range redundant {
		if fits(r) {
			b = append(b, r.Data...)
		}
	}
	return append(b, data...)
}
