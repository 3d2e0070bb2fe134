package peerconnection

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/plainrtc/plainrtc/ice"
	"github.com/plainrtc/plainrtc/turn"
)

// Connections over TCP and TLS: to the peer (ICE-TCP, RFC 6544), and to TURN servers.
// Each has a goroutine that dials and then reads, which is how package net has it; it ends
// with the connection. Another one writes, while there is something that waits for it.
//
// What is carried are datagrams, for layers that expect some of them to be lost. So a
// connection whose other end does not keep up loses them here, as a full queue of a router
// would: what waits is bounded, and nobody ever waits for a connection.

const (
	// dialFor is how long TCP and TLS have to connect.
	dialFor = 10 * time.Second
	// maxWaiting is how many bytes may wait to be written: what SCTP and the pacer have under way
	// on a path of 10 Mbit/s and 200 ms.
	maxWaiting = 256 << 10
	// keepWaiting is how large a buffer is kept once it is empty.
	keepWaiting = 16 << 10
	// writeFor is how long an other end may take nothing before it counts as gone, and
	// byeFor that once the connection is not needed any more.
	writeFor, byeFor = 20 * time.Second, 2 * time.Second
)

// A stream is one connection.
type stream struct {
	pc   *PeerConnection
	path ice.Path
	peer bool // not a server's: messages have their length in front
	stop context.CancelFunc

	mu      sync.Mutex
	conn    net.Conn // nil until there is one
	waiting []byte   // to be written
	sizes   []int    // of the messages in it
	spare   []byte
	writing bool // there is a goroutine for it
	ended   bool // nothing more is to be written
}

// runStreams does what the core asks for. The caller has entered.
func (pc *PeerConnection) runStreams() {
	for {
		e, ok := pc.core.nextStreamEvent()
		if !ok {
			return
		}
		switch e := e.(type) {
		case ice.Dial:
			if pc.isClosed {
				continue
			}
			pc.hangUp(e.Path)
			ctx, cancel := context.WithTimeout(context.Background(), dialFor)
			s := &stream{pc: pc, path: e.Path, peer: !e.Server, stop: cancel}
			pc.addStream(s)
			go s.dial(ctx, e)
		case ice.HangUp:
			pc.hangUp(e.Path)
		}
	}
}

func (pc *PeerConnection) addStream(s *stream) {
	if pc.streams == nil {
		pc.streams = make(map[ice.Path]*stream)
	}
	pc.streams[s.path] = s
}

// hangUp ends a connection, behind what waits to be written.
func (pc *PeerConnection) hangUp(path ice.Path) {
	if s := pc.streams[path]; s != nil {
		delete(pc.streams, path)
		s.end()
	}
}

// hangUpAll ends every connection. Those who read and dial are gone soon after.
func (pc *PeerConnection) hangUpAll() {
	for path := range pc.streams {
		pc.hangUp(path)
	}
}

// dial opens the connection and reads from it until its end.
func (s *stream) dial(ctx context.Context, d ice.Dial) {
	conn, err := s.open(ctx, d)
	s.stop()
	if err != nil {
		s.gone(err)
		return
	}
	pc := s.pc
	now := pc.enter()
	if pc.streams[s.path] != s { // hung up meanwhile
		pc.mu.Unlock()
		conn.Close()
		return
	}
	s.mu.Lock()
	s.conn = conn
	s.mu.Unlock()
	pc.core.connected(now, s.path)
	pc.leave(now)
	s.read()
}

func (s *stream) isOpen() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conn != nil
}

func (s *stream) open(ctx context.Context, d ice.Dial) (net.Conn, error) {
	from := netip.AddrPortFrom(d.Path.Local.Addr(), 0)
	if d.Port {
		from = d.Path.Local
	}
	dialer := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(from)}
	if d.Port {
		dialer.Control = reuse
	}
	conn, err := dialer.DialContext(ctx, "tcp", d.Path.Remote.String())
	if err != nil || d.Path.Protocol != ice.TLS {
		return conn, err
	}
	name := d.Name
	if name == "" {
		name = d.Path.Remote.Addr().WithZone("").String()
	}
	secure := tls.Client(conn, &tls.Config{ServerName: name, RootCAs: s.pc.core.cfg.RootCAs, MinVersion: tls.VersionTLS12, NextProtos: []string{"stun.turn"}})
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, fmt.Errorf("TLS: %w", err)
	}
	return secure, nil
}

// gone tells the core that the connection is no more.
func (s *stream) gone(err error) {
	s.end()
	pc := s.pc
	now := pc.enter()
	if pc.streams[s.path] == s {
		delete(pc.streams, s.path)
		if !pc.isClosed {
			pc.core.disconnected(now, s.path, err)
		}
	}
	pc.leave(now)
}

// read takes what arrives, until the connection ends.
func (s *stream) read() {
	var f framer = new(turn.Framer)
	if s.peer {
		f = new(frames)
	}
	for {
		n, err := s.conn.Read(f.Space())
		f.Wrote(n)
		message, ok := f.Next()
		if ok {
			pc := s.pc
			now := pc.enter()
			for ; ok; message, ok = f.Next() {
				if len(message) > 0 && pc.streams[s.path] == s {
					pc.core.Receive(now, s.path, message)
				}
			}
			pc.leave(now)
		}
		if err == nil {
			err = f.Err()
		}
		if err != nil {
			if err == io.EOF {
				err = errors.New("the other end has closed the connection")
			}
			s.gone(err)
			return
		}
	}
}

// send takes messages of that size, of which the last may be shorter, to be written. Those that
// there is no room for are lost. It never blocks.
func (s *stream) send(b []byte, segment int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(b) > 0 {
		message := b[:min(segment, len(b))]
		b = b[len(message):]
		if s.ended || s.conn == nil || len(message) > maxFrame || len(s.waiting)+len(message)+2 > maxWaiting {
			continue
		}
		before := len(s.waiting)
		if s.peer {
			s.waiting = binary.BigEndian.AppendUint16(s.waiting, uint16(len(message)))
		}
		s.waiting = append(s.waiting, message...)
		s.sizes = append(s.sizes, len(s.waiting)-before)
	}
	if len(s.waiting) > 0 && !s.writing {
		s.writing = true
		go s.write()
	}
}

// write writes what waits, and ends when nothing does.
func (s *stream) write() {
	_, secure := s.conn.(*tls.Conn)
	var sizes []int
	s.mu.Lock()
	for len(s.waiting) > 0 {
		b := s.waiting
		s.waiting, s.spare = s.spare[:0], nil
		sizes, s.sizes = s.sizes, sizes[:0]
		if s.ended {
			s.conn.SetWriteDeadline(time.Now().Add(byeFor))
		} else {
			s.conn.SetWriteDeadline(time.Now().Add(writeFor))
		}
		s.mu.Unlock()
		err := writeAll(s.conn, b, sizes, secure)
		s.mu.Lock()
		if err != nil {
			s.ended = true
			s.waiting = nil
		}
		if s.spare = b; cap(b) > keepWaiting {
			s.spare = nil
		}
	}
	s.writing = false
	if cap(s.waiting) > keepWaiting {
		s.waiting = nil
	}
	ended := s.ended
	s.mu.Unlock()
	if ended {
		s.conn.Close() // the reader tells
	}
}

// writeAll writes messages; under TLS each in a record of its own, as some servers expect no
// other.
func writeAll(conn net.Conn, b []byte, sizes []int, secure bool) error {
	if !secure {
		_, err := conn.Write(b)
		return err
	}
	for _, n := range sizes {
		if _, err := conn.Write(b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// end closes the connection, behind what waits to be written.
func (s *stream) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stop != nil {
		s.stop()
	}
	switch {
	case s.conn == nil || s.ended:
	case s.writing:
		s.conn.SetWriteDeadline(time.Now().Add(byeFor))
	default:
		s.conn.Close()
	}
	s.ended = true
}

// A framer cuts a stream into messages.
type framer interface {
	Space() []byte
	Wrote(n int)
	Next() ([]byte, bool)
	Err() error
}

// maxFrame is the largest message that two bytes of length allow.
const maxFrame = 1<<16 - 1

// frames cuts a stream of a peer's into messages: "A 16-bit unsigned integer LENGTH field,
// coded in network byte order (big-endian), begins the frame." RFC 4571, Section 2. Its room
// grows with what has arrived, not with what was announced.
type frames struct {
	b          []byte
	start, end int
}

func (f *frames) Space() []byte {
	if f.start > 0 {
		f.end = copy(f.b, f.b[f.start:f.end])
		f.start = 0
	}
	if f.end == len(f.b) {
		f.b = append(f.b, make([]byte, max(2048, len(f.b)))...)
	}
	return f.b[f.end:]
}

func (f *frames) Wrote(n int) { f.end += n }

func (f *frames) Next() ([]byte, bool) {
	b := f.b[f.start:f.end]
	if len(b) < 2 {
		return nil, false
	}
	size := 2 + int(binary.BigEndian.Uint16(b))
	if len(b) < size {
		return nil, false
	}
	f.start += size
	return b[2:size:size], true
}

func (f *frames) Err() error { return nil }
