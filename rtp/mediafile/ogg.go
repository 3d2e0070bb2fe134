package mediafile

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
)

// An Ogg page (RFC 3533, Section 6), all numbers in little endian.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	| capture_pattern: Magic number for page start "OggS"           | 0-3
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	| version       | header_type   | granule_position              | 4-7
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                                                               | 8-11
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                               | bitstream_serial_number       | 12-15
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                               | page_sequence_number          | 16-19
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                               | CRC_checksum                  | 20-23
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                               |page_segments  | segment_table | 24-27
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
const (
	oggHeaderSize  = 27
	oggGranule     = 6
	oggSerial      = 14
	oggSequence    = 18
	oggCRC         = 22
	oggMaxSegments = 255
	oggMaxPage     = oggHeaderSize + oggMaxSegments + oggMaxSegments*255

	// header_type.
	oggContinued = 0x01
	oggBOS       = 0x02
	oggEOS       = 0x04

	// oggNoGranule: "A special value of '-1' (in two's complement) indicates that no
	// packets finish on this page."
	oggNoGranule = -1
)

var oggPattern = []byte("OggS")

// oggTable is of the CRC with the polynomial 0x04c11db7, which, unlike those of
// package hash/crc32, begins with the highest bit.
var oggTable = func() (t [256]uint32) {
	for i := range t {
		v := uint32(i) << 24
		for range 8 {
			v = v<<1 ^ -(v>>31)&0x04c11db7
		}
		t[i] = v
	}
	return t
}()

// oggChecksum is over the whole page, the checksum's own place taken as zero.
func oggChecksum(page []byte) (crc uint32) {
	for i, c := range page {
		if i >= oggCRC && i < oggCRC+4 {
			c = 0
		}
		crc = crc<<8 ^ oggTable[byte(crc>>24)^c]
	}
	return crc
}

// An oggPage is a page that was read, over borrowed bytes.
type oggPage struct {
	flags   byte
	granule int64
	serial  uint32
	number  uint32
	lacing  []byte // the segment table
	data    []byte
}

// readOggPage returns the next page whose checksum is right, and looks for it
// behind what is no page. It is valid until the next read from r, whose buffer
// must hold a page. At the end of the file it returns io.EOF.
func readOggPage(r *bufio.Reader) (p oggPage, err error) {
	for {
		head, err := r.Peek(oggHeaderSize)
		if err != nil {
			return oggPage{}, err
		}
		if !bytes.HasPrefix(head, oggPattern) || head[4] != 0 {
			// What begins behind the first byte may be the pattern.
			n := bytes.IndexByte(head[1:], 'O')
			if n < 0 {
				n = len(head) - 1
			}
			r.Discard(1 + n)
			continue
		}
		lacings := int(head[26])
		if head, err = r.Peek(oggHeaderSize + lacings); err != nil {
			return oggPage{}, err
		}
		size := len(head)
		for _, n := range head[oggHeaderSize:] {
			size += int(n)
		}
		page, err := r.Peek(size)
		if err != nil && err != io.EOF {
			return oggPage{}, err
		}
		if err != nil || oggChecksum(page) != binary.LittleEndian.Uint32(page[oggCRC:]) {
			r.Discard(1)
			continue
		}
		r.Discard(size)
		return oggPage{
			flags:   page[5],
			granule: int64(binary.LittleEndian.Uint64(page[oggGranule:])),
			serial:  binary.LittleEndian.Uint32(page[oggSerial:]),
			number:  binary.LittleEndian.Uint32(page[oggSequence:]),
			lacing:  page[oggHeaderSize : oggHeaderSize+lacings],
			data:    page[oggHeaderSize+lacings:],
		}, nil
	}
}

// next cuts the next packet, or the rest of a page that the next one continues, off
// the page. done is false for the latter. ok is false behind the last one.
//
// A packet is cut into segments of 255 bytes, and its last segment is shorter: it
// may be empty.
func (p *oggPage) next() (piece []byte, done, ok bool) {
	size := 0
	for i, n := range p.lacing {
		size += int(n)
		if n < 255 {
			piece, p.lacing, p.data = p.data[:size], p.lacing[i+1:], p.data[size:]
			return piece, true, true
		}
	}
	piece, ok = p.data, len(p.lacing) > 0
	p.lacing, p.data = nil, nil
	return piece, false, ok
}

// An oggWriter collects packets into pages. No packet of ours goes over two.
type oggWriter struct {
	output
	serial  uint32
	number  uint32
	flags   byte
	granule int64
	lacing  []byte
	data    []byte
	page    []byte
}

// fits reports whether the page has room for a packet of n bytes.
func (o *oggWriter) fits(n int) bool { return len(o.lacing)+n/255+1 <= oggMaxSegments }

// add adds a packet, at whose end the granule position is granule.
func (o *oggWriter) add(packet []byte, granule int64) {
	for n := len(packet); ; n -= 255 {
		o.lacing = append(o.lacing, byte(min(n, 255)))
		if n < 255 {
			break
		}
	}
	o.data = append(o.data, packet...)
	o.granule = granule
}

// flush writes the page.
func (o *oggWriter) flush() error {
	b := append(o.page[:0], oggPattern...)
	b = append(b, 0, o.flags)
	b = binary.LittleEndian.AppendUint64(b, uint64(o.granule))
	b = binary.LittleEndian.AppendUint32(b, o.serial)
	b = binary.LittleEndian.AppendUint32(b, o.number)
	b = append(b, 0, 0, 0, 0, byte(len(o.lacing)))
	b = append(b, o.lacing...)
	b = append(b, o.data...)
	binary.LittleEndian.PutUint32(b[oggCRC:], oggChecksum(b))
	o.page, o.lacing, o.data = b, o.lacing[:0], o.data[:0]
	o.flags = 0
	o.number++
	return o.write(b)
}
