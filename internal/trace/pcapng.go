package trace

import (
	"encoding/binary"
	"encoding/hex"
	"io"
	"sync"
	"time"
)

// A Pcapng is a Sink that writes a capture file (draft-ietf-opsawg-pcapng) for
// Wireshark, tshark and what else reads the format. It has four interfaces:
//
//   - wire: the datagrams, as IP and UDP
//   - sctp: the SCTP packets that DTLS carries, in clear, as SCTP over IP
//   - events: state changes, drops, timers and notes, each as a line of text at
//     its place among the packets
//   - rtp: the RTP and RTCP packets that SRTP carries, in clear
//
// and the DTLS key log, with which Wireshark decrypts what is on the wire. It
// holds the keys to everything said: whoever has the file can read it all.
//
// The IP and UDP headers are made up from the addresses, with right lengths and
// checksums: a socket does not show the real ones. Variables (KindValue) are
// left out.
//
// Each block is written at once and whole, with one Write: the file can be
// opened at any moment, also after a crash, and the writer may be a pipe to a
// Wireshark that shows it live. One thing waits: a handshake datagram that
// arrived is written after the secrets that come of it, for Wireshark uses a
// secret for what stands behind it in the file alone. To trade that for speed, give it a
// [bufio.Writer] and flush that after Close.
type Pcapng struct {
	mu     sync.Mutex
	w      io.Writer
	err    error // the first error of writing
	closed bool
	block  []byte // the block being built; kept for its memory

	// held are the blocks since a handshake datagram arrived at heldAt, as long
	// as secrets may follow that it is encrypted with.
	held    []byte
	heldAt  time.Time
	holding bool
}

// Block types.
const (
	blockSection   = 0x0a0d0d0a
	blockInterface = 1
	blockPacket    = 6 // Enhanced Packet Block
	blockSecrets   = 10
)

// Options. Their numbers belong to the type of the block they stand in.
const (
	optEnd           = 0
	optSectionAppl   = 4 // shb_userappl
	optInterfaceName = 2 // if_name
	optDescription   = 3 // if_description
	optResolution    = 9 // if_tsresol
	optPacketFlags   = 2 // epb_flags
)

// Link types, from the registry at tcpdump.org.
const (
	linkRaw      = 101 // starts with an IPv4 or IPv6 header
	linkUpperPDU = 252 // starts with tags that name the dissector
)

// Interfaces, in the order of their blocks.
const (
	interfaceWire = iota
	interfaceSCTP
	interfaceEvents
	interfaceRTP
)

// secretsTLS is the type of a Decryption Secrets Block that holds NSS key log lines.
const secretsTLS = 0x544c534b

// NewPcapng returns a Pcapng after writing the head of the file. The error is
// the writer's.
func NewPcapng(w io.Writer) (*Pcapng, error) {
	p := &Pcapng{w: w}
	p.begin(blockSection)
	p.block = binary.LittleEndian.AppendUint32(p.block, 0x1a2b3c4d) // tells the byte order
	p.block = binary.LittleEndian.AppendUint16(p.block, 1)          // version 1.0
	p.block = binary.LittleEndian.AppendUint16(p.block, 0)
	p.block = binary.LittleEndian.AppendUint64(p.block, ^uint64(0)) // length not known
	p.option(optSectionAppl, "plainrtc")
	p.end()
	p.describe(linkRaw, "wire", "UDP datagrams")
	p.describe(linkRaw, "sctp", "SCTP in clear, as it is inside DTLS")
	p.describe(linkUpperPDU, "events", "what the stack says it does")
	p.describe(linkUpperPDU, "rtp", "RTP and RTCP in clear, as they are inside SRTP")
	return p, p.Err()
}

// describe writes an Interface Description Block.
func (p *Pcapng) describe(link uint16, name, description string) {
	p.begin(blockInterface)
	p.block = binary.LittleEndian.AppendUint16(p.block, link)
	p.block = binary.LittleEndian.AppendUint16(p.block, 0)
	p.block = binary.LittleEndian.AppendUint32(p.block, 0) // packets are kept whole
	p.option(optInterfaceName, name)
	p.option(optDescription, description)
	p.option(optResolution, "\x09") // 10^-9 s
	p.end()
}

// Trace implements Sink.
func (p *Pcapng) Trace(e *Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	wire := e.Kind == KindPacket && e.Layer == UDP
	if p.holding && (wire || !e.Time.Equal(p.heldAt)) {
		p.release()
	}
	if wire && e.Direction == In && len(e.Bytes) > 0 && e.Bytes[0] >= 20 && e.Bytes[0] <= 22 {
		p.holding, p.heldAt = true, e.Time
	}
	switch {
	case p.err != nil || p.closed:
	case e.Kind == KindPacket && e.Layer == UDP:
		p.packet(e, interfaceWire)
	case e.Kind == KindPacket && e.Layer == SCTP:
		p.packet(e, interfaceSCTP)
	case e.Kind == KindPacket && e.Layer == RTP:
		p.packet(e, interfaceRTP)
	case e.Kind == KindSecret:
		p.secret(e)
	case e.Kind == KindState, e.Kind == KindDrop, e.Kind == KindTimer, e.Kind == KindNote:
		p.packet(e, interfaceEvents)
	}
}

// packet writes an Enhanced Packet Block.
func (p *Pcapng) packet(e *Event, iface uint32) {
	at := uint64(max(0, e.Time.UnixNano()))
	p.begin(blockPacket)
	p.block = binary.LittleEndian.AppendUint32(p.block, iface)
	p.block = binary.LittleEndian.AppendUint32(p.block, uint32(at>>32))
	p.block = binary.LittleEndian.AppendUint32(p.block, uint32(at))
	p.block = binary.LittleEndian.AppendUint64(p.block, 0) // the two lengths, filled in below
	start := len(p.block)
	switch iface {
	case interfaceWire:
		p.block = appendIP(p.block, e, protocolUDP)
	case interfaceSCTP:
		p.block = appendIP(p.block, e, protocolSCTP)
	case interfaceEvents:
		p.block = appendSyslog(p.block, e)
	case interfaceRTP:
		p.block = appendRTP(p.block, e)
	}
	size := uint32(len(p.block) - start)
	binary.LittleEndian.PutUint32(p.block[start-8:], size)
	binary.LittleEndian.PutUint32(p.block[start-4:], size)
	p.pad()
	if iface != interfaceEvents {
		flags := "\x01\x00\x00\x00" // inbound
		if e.Direction == Out {
			flags = "\x02\x00\x00\x00"
		}
		p.option(optPacketFlags, flags)
	}
	p.end()
}

// secret writes a Decryption Secrets Block with one line of an NSS key log.
func (p *Pcapng) secret(e *Event) {
	p.begin(blockSecrets)
	p.block = binary.LittleEndian.AppendUint32(p.block, secretsTLS)
	p.block = binary.LittleEndian.AppendUint32(p.block, 0) // the length, filled in below
	start := len(p.block)
	p.block = append(p.block, e.Name...)
	p.block = append(p.block, ' ')
	p.block = hex.AppendEncode(p.block, e.Bytes)
	p.block = append(p.block, ' ')
	p.block = hex.AppendEncode(p.block, e.Secret)
	p.block = append(p.block, '\n')
	binary.LittleEndian.PutUint32(p.block[start-4:], uint32(len(p.block)-start))
	p.pad()
	p.end()
}

// begin starts a block; its length is filled in by end.
func (p *Pcapng) begin(blockType uint32) {
	p.block = binary.LittleEndian.AppendUint32(p.block[:0], blockType)
	p.block = binary.LittleEndian.AppendUint32(p.block, 0)
}

// option appends an option to the block.
func (p *Pcapng) option(code uint16, value string) {
	p.block = binary.LittleEndian.AppendUint16(p.block, code)
	p.block = binary.LittleEndian.AppendUint16(p.block, uint16(len(value)))
	p.block = append(p.block, value...)
	p.pad()
}

// pad fills the block up to a multiple of four bytes.
func (p *Pcapng) pad() {
	for len(p.block)%4 != 0 {
		p.block = append(p.block, 0)
	}
}

// end completes the block, whose length stands at both its ends, and writes it.
func (p *Pcapng) end() {
	// A block whose options were all left out needs no end of them; here only
	// the Decryption Secrets Block has none.
	if binary.LittleEndian.Uint32(p.block) != blockSecrets {
		p.block = binary.LittleEndian.AppendUint32(p.block, optEnd)
	}
	size := uint32(len(p.block) + 4)
	p.block = binary.LittleEndian.AppendUint32(p.block, size)
	binary.LittleEndian.PutUint32(p.block[4:], size)
	if p.holding && binary.LittleEndian.Uint32(p.block) != blockSecrets {
		p.held = append(p.held, p.block...)
		return
	}
	p.write(p.block)
}

// release writes what was held.
func (p *Pcapng) release() {
	p.write(p.held)
	p.held, p.holding = p.held[:0], false
}

func (p *Pcapng) write(b []byte) {
	if p.err == nil && !p.closed && len(b) > 0 {
		_, p.err = p.w.Write(b)
	}
}

// Err returns the first error of writing the file, after which nothing more is
// written.
func (p *Pcapng) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// Close ends the capture: facts that come later are ignored, so that the writer
// may be closed next. It does not close the writer. It returns the first error
// of writing.
func (p *Pcapng) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.release()
	p.closed = true
	return p.err
}
