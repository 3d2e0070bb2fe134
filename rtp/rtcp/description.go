package rtcp

import (
	"encoding/binary"
	"iter"
)

// An ItemType is what an SDES item tells of a source. RFC 3550, Section 6.5.
type ItemType uint8

// The types of items.
const (
	CNAME       ItemType = 1 // what all sources of one participant have in common
	NAME        ItemType = 2
	EMAIL       ItemType = 3
	PHONE       ItemType = 4
	LOC         ItemType = 5
	TOOL        ItemType = 6
	NOTE        ItemType = 7
	PRIV        ItemType = 8
	MID         ItemType = 15 // RFC 9143
	RtpStreamID ItemType = 12 // RFC 8852
	RepairedID  ItemType = 13 // RFC 8852
)

// An Item is one fact about one source.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|     type      |     length    | text                        ...
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type Item struct {
	SSRC uint32 // whom it is about
	Type ItemType
	Text []byte // UTF-8
}

// Items yields the items of a source description, over all of its chunks.
func (p Packet) Items() iter.Seq[Item] {
	return func(yield func(Item) bool) {
		r := p.body(SDES)
		whole := r.Len()
		for range p.Count() {
			ssrc := r.Uint32()
			for {
				t := ItemType(r.Uint8())
				if !r.OK() {
					return
				}
				if t == 0 { // "terminated by one or more null octets", up to a word
					r.Skip(3 - (whole-r.Len()+3)%4)
					break
				}
				item := Item{ssrc, t, r.Vector8()}
				if !r.OK() || !yield(item) {
					return
				}
			}
		}
	}
}

// AppendDescription appends a source description. Items of the same source that
// follow each other share a chunk; there are at most 31 chunks.
func AppendDescription(b []byte, items ...Item) []byte {
	chunks := 0
	b, start := begin(b, SDES, 0)
	for i, item := range items {
		if i == 0 || item.SSRC != items[i-1].SSRC {
			chunks++
			b = binary.BigEndian.AppendUint32(b, item.SSRC)
		}
		if item.Type == 0 || len(item.Text) > 255 || chunks > 31 {
			panic("BUG: an SDES item has a type and at most 255 bytes, and there are at most 31 chunks")
		}
		b = append(b, byte(item.Type), byte(len(item.Text)))
		b = append(b, item.Text...)
		if i == len(items)-1 || item.SSRC != items[i+1].SSRC {
			b = pad(append(b, 0), start)
		}
	}
	b[start] |= byte(chunks)
	return end(b, start)
}

// AppendBye appends a goodbye of at most 31 sources; reason may be empty.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                           SSRC/CSRC                           |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	:                              ...                              :
//	+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+
//	|     length    |               reason for leaving            ...
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// RFC 3550, Section 6.6.
func AppendBye(b []byte, reason string, sources ...uint32) []byte {
	b, start := begin(b, BYE, len(sources))
	for _, ssrc := range sources {
		b = binary.BigEndian.AppendUint32(b, ssrc)
	}
	if reason != "" {
		reason = reason[:min(len(reason), 255)]
		b = append(b, byte(len(reason)))
		b = pad(append(b, reason...), start)
	}
	return end(b, start)
}

// Leaving yields the sources that a goodbye is about.
func (p Packet) Leaving() iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		r := p.body(BYE)
		for range p.Count() {
			if ssrc := r.Uint32(); !r.OK() || !yield(ssrc) {
				return
			}
		}
	}
}

// LeavingReason returns why the sources of a goodbye leave, in the peer's words,
// or nil.
func (p Packet) LeavingReason() []byte {
	r := p.body(BYE)
	r.Skip(4 * int(p.Count()))
	return r.Vector8()
}

// An Application packet is for experiments: its name says whose.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                           SSRC/CSRC                           |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                          name (ASCII)                         |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                   application-dependent data                ...
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// RFC 3550, Section 6.7.
type Application struct {
	Subtype uint8 // 5 bits
	SSRC    uint32
	Name    [4]byte
	Data    []byte // a number of words
}

// Application reads an application-defined packet.
func (p Packet) Application() (a Application, ok bool) {
	r := p.body(APP)
	a.Subtype, a.SSRC = p.Count(), r.Uint32()
	copy(a.Name[:], r.Bytes(4))
	a.Data = r.Rest()
	if !r.OK() || len(a.Data)%4 != 0 { // "It MUST be a multiple of 32 bits long."
		return Application{}, false
	}
	return a, true
}

// Append appends the packet.
func (a Application) Append(b []byte) []byte {
	b, start := begin(b, APP, int(a.Subtype))
	b = binary.BigEndian.AppendUint32(b, a.SSRC)
	b = append(b, a.Name[:]...)
	return end(append(b, a.Data...), start)
}
