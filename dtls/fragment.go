package dtls

import (
	"encoding/binary"

	"github.com/plainrtc/plainrtc/internal/wire"
)

const (
	handshakeHeaderSize = 12
	// reassemblyWindow is how many messages from the next one on are collected
	// at once: more than the five of the longest flight.
	reassemblyWindow = 8
	// maxReassembly bounds the bytes of messages being collected: any single
	// message fits, and so does every real flight.
	maxReassembly = 24 << 10
)

// A fragment is a part of a handshake message, or all of it (RFC 6347, Section
// 4.2.2).
//
//	struct {
//	   HandshakeType msg_type;
//	   uint24 length;
//	   uint16 message_seq;
//	   uint24 fragment_offset;
//	   uint24 fragment_length;
//	   ...
//	} Handshake;
type fragment struct {
	typ    handshakeType
	length int // of the whole message
	seq    uint16
	offset int
	body   []byte // borrowed
}

// parseFragment takes one fragment from the front of a handshake record: a
// record may hold several.
func parseFragment(b []byte) (f fragment, rest []byte, ok bool) {
	r := wire.NewReader(b)
	f.typ = handshakeType(r.Uint8())
	f.length = int(r.Uint24())
	f.seq = r.Uint16()
	f.offset = int(r.Uint24())
	f.body = r.Vector24()
	if !r.OK() || f.offset+len(f.body) > f.length {
		return fragment{}, nil, false
	}
	// An empty fragment of a message that is not empty says nothing.
	if len(f.body) == 0 && f.length > 0 {
		return fragment{}, nil, false
	}
	return f, r.Rest(), true
}

// whole reports whether the fragment is the message.
func (f *fragment) whole() bool { return len(f.body) == f.length }

func appendHandshakeHeader(b []byte, typ handshakeType, length int, seq uint16, offset, n int) []byte {
	b = append(b, byte(typ))
	b = wire.AppendUint24(b, uint32(length))
	b = binary.BigEndian.AppendUint16(b, seq)
	b = wire.AppendUint24(b, uint32(offset))
	return wire.AppendUint24(b, uint32(n))
}

// A reassembly puts handshake messages together and in order: "When a DTLS
// implementation receives a handshake message fragment, it MUST buffer it until
// it has the entire handshake message. DTLS implementations MUST be able to
// handle overlapping fragment ranges." (RFC 6347, Section 4.2.3)
//
// It works before a version or a cookie is chosen, since a ClientHello with
// post-quantum key shares needs two datagrams. That a server then keeps state
// for a client it has not seen answer is the price; it is at most maxReassembly.
type reassembly struct {
	next  uint16 // the message_seq that is delivered next
	slots [reassemblyWindow]partial
	size  int // bytes held in slots
}

// A partial is a message that is being put together.
type partial struct {
	used    bool
	typ     handshakeType
	body    []byte
	have    []uint64 // a bit for each byte of body
	missing int      // bytes
}

// add takes a fragment of message next or later. It returns a reason when it
// drops it, and "" otherwise.
func (r *reassembly) add(f fragment) (drop string) {
	ahead := f.seq - r.next
	if ahead >= reassemblyWindow {
		return DropMessageAhead
	}
	limit, known := handshakeTypes[f.typ]
	if !known {
		return DropUnknownMessage
	}
	if f.length > limit.max {
		return DropMessageTooLong
	}
	p := &r.slots[f.seq%reassemblyWindow]
	if !p.used {
		if r.size+f.length > maxReassembly {
			return DropReassemblyFull
		}
		r.size += f.length
		*p = partial{
			used: true, typ: f.typ, missing: f.length,
			body: make([]byte, f.length),
			have: make([]uint64, (f.length+63)/64),
		}
	}
	if p.typ != f.typ || len(p.body) != f.length {
		return DropFragmentMismatch
	}
	for i, v := range f.body {
		at := f.offset + i
		// What came first stays: an overlap cannot change a byte.
		if bit := uint64(1) << (at % 64); p.have[at/64]&bit == 0 {
			p.have[at/64] |= bit
			p.body[at] = v
			p.missing--
		}
	}
	return ""
}

// pending reports whether any fragment of the next message is held.
func (r *reassembly) pending() bool { return r.slots[r.next%reassemblyWindow].used }

// take returns the next message if all of it is there, and steps on.
func (r *reassembly) take() (typ handshakeType, body []byte, ok bool) {
	p := &r.slots[r.next%reassemblyWindow]
	if !p.used || p.missing > 0 {
		return 0, nil, false
	}
	typ, body = p.typ, p.body
	r.size -= len(body)
	*p = partial{}
	r.next++
	return typ, body, true
}

// forget drops what is held of later messages.
func (r *reassembly) forget() { *r = reassembly{next: r.next} }
