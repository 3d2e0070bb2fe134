package rtp

import (
	"encoding/binary"

	"github.com/plainrtc/plainrtc/internal/wire"
)

// A TransportSequence numbers the packets of all streams on one transport, for
// feedback on when each arrived. draft-holmer-rmcat-transport-wide-cc-extensions-01,
// Section 2, and its second version, which can ask for feedback:
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|  ID   | L=3   |transport-wide sequence number |T|  seq count  |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|seq count cont.|
//	+-+-+-+-+-+-+-+-+
type TransportSequence struct {
	Number uint16

	// What follows is of version 2, and there when HasRequest says so.
	HasRequest bool
	Timing     bool   // T: the feedback is to tell when packets arrived
	Count      uint16 // how many packets the feedback is to cover; 0 asks for none; 15 bits
}

// ParseTransportSequence reads the value of the extension [ExtTransportSequence]
// or [ExtTransportSequence2]; the first never has a request.
func ParseTransportSequence(value []byte) (s TransportSequence, ok bool) {
	r := wire.NewReader(value)
	s.Number = r.Uint16()
	if r.Len() > 0 {
		request := r.Uint16()
		s.HasRequest, s.Timing, s.Count = true, request&0x8000 != 0, request&0x7fff
	}
	if !r.Done() {
		return TransportSequence{}, false
	}
	return s, true
}

// Append appends the value to b.
func (s TransportSequence) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, s.Number)
	if s.HasRequest {
		request := min(s.Count, 0x7fff)
		if s.Timing {
			request |= 0x8000
		}
		b = binary.BigEndian.AppendUint16(b, request)
	}
	return b
}
