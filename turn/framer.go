package turn

import (
	"encoding/binary"
	"fmt"

	"github.com/plainrtc/plainrtc/stun"
)

// What a Framer makes room for: at first, and at most by default, which is the
// largest STUN message. Its room grows with what has arrived, not with what was
// announced.
const (
	framerFirst = 2048
	framerMax   = 20 + 0xffff
)

// A Framer cuts a stream into STUN and ChannelData messages: the length in a
// message's header tells where the next one starts. RFC 8656, Section 12.5; RFC
// 8489, Section 6.2.2. Its zero value is ready.
//
//	n, err := conn.Read(f.Space())
//	f.Wrote(n)
//	for message, ok := f.Next(); ok; message, ok = f.Next() {
//		client.Receive(now, message)
//	}
type Framer struct {
	// Max is the size of the largest message that is taken; 0 means 65,555.
	Max int

	b          []byte
	start, end int // what arrived and was not returned yet
	err        error
}

// Space returns where to put what arrives next: room for at least one byte.
// Messages that Next returned are not valid any more.
func (f *Framer) Space() []byte {
	switch {
	case f.start == f.end:
		f.start, f.end = 0, 0
	case f.end == len(f.b) && f.start > 0:
		f.end = copy(f.b, f.b[f.start:f.end])
		f.start = 0
	}
	if f.end == len(f.b) {
		grown := make([]byte, max(framerFirst, 2*len(f.b)))
		copy(grown, f.b[:f.end])
		f.b = grown
	}
	return f.b[f.end:]
}

// Wrote tells that n bytes were put into Space.
func (f *Framer) Wrote(n int) { f.end += n }

// Next returns the next whole message, without the padding of ChannelData. It
// is valid until Space is called.
func (f *Framer) Next() ([]byte, bool) {
	b := f.b[f.start:f.end]
	if f.err != nil || len(b) < 4 {
		return nil, false
	}
	size, padded := 0, 0
	switch length := int(binary.BigEndian.Uint16(b[2:])); {
	case b[0] < 0x40 && length%4 == 0 && (len(b) < 20 || stun.Is(b)):
		size = stun.MessageSize(b)
		padded = size
	case IsChannelData(b):
		size = channelHeader + length
		padded = size + padding(length)
	default:
		f.err = ErrFraming
		return nil, false
	}
	if most := f.Max; size > most && (most > 0 || size > framerMax) {
		f.err = fmt.Errorf("%w: %d bytes", ErrFrameSize, size)
		return nil, false
	}
	if len(b) < padded {
		return nil, false
	}
	f.start += padded
	return b[:size:size], true
}

// Pending returns how many bytes of an unfinished message there are.
func (f *Framer) Pending() int { return f.end - f.start }

// Rest returns what arrived and was not returned: after ConnectionBound no messages, but the
// peer's first bytes (RFC 6062). It is valid until Space is called.
func (f *Framer) Rest() []byte { return f.b[f.start:f.end] }

// Err tells why Next returns nothing any more: the connection has to be closed.
func (f *Framer) Err() error { return f.err }
