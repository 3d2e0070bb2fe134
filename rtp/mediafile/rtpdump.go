package mediafile

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/plainrtc/plainrtc/internal/wire"
)

// A DumpPacket is a packet of an RTP dump.
type DumpPacket struct {
	// Offset is when it arrived, from the start of the dump. Files have milliseconds.
	Offset time.Duration
	// Data is the packet, or what was kept of it: the header is enough for those
	// who study timing. What a DumpReader returns is valid until its next call.
	Data []byte
	// Length is how long an RTP packet was when it arrived: zero means that of Data.
	Length int
	// RTCP is whether it is of RTCP, compound or reduced-size. Of RTCP the file
	// does not tell whether something was left out.
	RTCP bool
}

// A dump begins with a line of text and a header in binary, which rtptools call
// RD_hdr_t. Each packet stands behind an RD_packet_t.
//
//	#!rtpplay1.0 192.0.2.1/5004
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                    start of recording, s                      |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                    start of recording, µs                     |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                    network source address                     |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|             port              |            padding            |
//	+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+
//	|    length, of all this        |  packet length; 0 for RTCP    |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                 ms since the start of recording               |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
const (
	dumpMagic        = "#!rtpplay1.0 "
	dumpHeaderSize   = 16
	dumpPacketHeader = 8
	maxDumpLine      = 256
)

// A DumpReader reads files of RTP packets, as rtpdump, Wireshark and browsers'
// own logs write them.
type DumpReader struct {
	// Start is when the recording began.
	Start time.Time
	// Source is where the packets came from.
	Source netip.AddrPort

	r   *bufio.Reader
	buf []byte
}

// NewDumpReader reads the file's header.
func NewDumpReader(r io.Reader) (*DumpReader, error) {
	d := &DumpReader{r: bufio.NewReader(r)}
	line, err := d.r.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull) || len(line) > maxDumpLine || err == nil && !bytes.HasPrefix(line, []byte(dumpMagic)):
		return nil, ErrMalformed
	case err != nil:
		return nil, truncated(err)
	}
	// Wireshark writes a name where others have an address: the header has it again.
	text := strings.TrimSpace(string(line[len(dumpMagic):]))
	address, _, _ := strings.Cut(text, "/")
	if d.buf, err = appendFrom(nil, d.r, dumpHeaderSize); err != nil {
		return nil, err
	}
	w := wire.NewReader(d.buf)
	d.Start = time.Unix(int64(w.Uint32()), int64(w.Uint32())*1000)
	ip := netip.AddrFrom4([4]byte(w.Bytes(4)))
	if a, err := netip.ParseAddr(address); err == nil {
		ip = a
	}
	d.Source = netip.AddrPortFrom(ip, w.Uint16())
	return d, nil
}

// NextPacket returns io.EOF behind the last packet.
func (d *DumpReader) NextPacket() (DumpPacket, error) {
	var err error
	if d.buf, err = appendFrom(d.buf[:0], d.r, dumpPacketHeader); err != nil {
		if len(d.buf) == 0 && err == ErrTruncated {
			return DumpPacket{}, io.EOF
		}
		return DumpPacket{}, err
	}
	w := wire.NewReader(d.buf)
	length, packet, offset := int(w.Uint16()), int(w.Uint16()), w.Uint32()
	if length -= dumpPacketHeader; length < 0 {
		return DumpPacket{}, ErrMalformed
	}
	if d.buf, err = appendFrom(d.buf[:0], d.r, length); err != nil {
		return DumpPacket{}, err
	}
	p := DumpPacket{Offset: time.Duration(offset) * time.Millisecond, Data: d.buf, Length: packet, RTCP: packet == 0}
	if p.RTCP {
		p.Length = length
	}
	return p, nil
}

// A DumpWriter writes a file of RTP packets.
type DumpWriter struct {
	output
	buf []byte
}

// NewDumpWriter writes the file's header. source may be the zero AddrPort.
func NewDumpWriter(w io.Writer, start time.Time, source netip.AddrPort) (*DumpWriter, error) {
	d := &DumpWriter{output: newOutput(w)}
	ip := source.Addr().Unmap()
	if !ip.IsValid() {
		ip = netip.IPv4Unspecified()
	}
	b := fmt.Appendf(nil, "%s%s/%d\n", dumpMagic, ip, source.Port())
	b = binary.BigEndian.AppendUint32(b, uint32(start.Unix()))
	b = binary.BigEndian.AppendUint32(b, uint32(start.Nanosecond()/1000))
	var four [4]byte // of an address of IPv6 the line above has to do
	if ip.Is4() {
		four = ip.As4()
	}
	b = append(b, four[:]...)
	b = binary.BigEndian.AppendUint16(b, source.Port())
	b = append(b, 0, 0)
	return d, d.write(b)
}

// WritePacket appends a packet.
func (d *DumpWriter) WritePacket(p DumpPacket) error {
	length := p.Length
	if length == 0 {
		length = len(p.Data)
	}
	ms := p.Offset.Milliseconds()
	if len(p.Data)+dumpPacketHeader > 0xffff || length > 0xffff || ms < 0 || ms > 1<<32-1 {
		return ErrTooLarge
	}
	if length == 0 {
		return ErrEmpty
	}
	if p.RTCP {
		length = 0
	}
	b := binary.BigEndian.AppendUint16(d.buf[:0], uint16(len(p.Data)+dumpPacketHeader))
	b = binary.BigEndian.AppendUint16(b, uint16(length))
	b = binary.BigEndian.AppendUint32(b, uint32(ms))
	d.buf = append(b, p.Data...)
	return d.write(d.buf)
}
