package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/plainrtc/plainrtc/dtls"
	"github.com/plainrtc/plainrtc/internal/trace"
)

// A dtlsShell gives dtls.Conn a socket, a clock and a lock. Three goroutines
// enter it: one reads the socket, one is the timer, one reads the input.
type dtlsShell struct {
	config dtls.Config
	sink   trace.Sink // nil if nobody wants to know
	json   bool
	linger time.Duration
	export string // the label of keying material to be printed
	out    output
	socket *net.UDPConn
	client bool

	ready chan struct{} // closed once a handshake is done
	ended chan struct{} // closed once that connection is over

	mu    sync.Mutex
	timer *time.Timer
	// peers are those whose handshakes are under way: one, if this is the client.
	// Once one is done it is peer, and alone.
	peers []*dtlsPeer
	peer  *dtlsPeer
	heard time.Time // when data arrived last
	gone  bool      // whether the peer's machine said that nobody has its port
	err   error     // why it is over; nil if in good order
	buf   []byte
}

// A dtlsPeer is one with whom a handshake was begun.
type dtlsPeer struct {
	addr  netip.AddrPort
	conn  *dtls.Conn
	began time.Time
}

// maxDTLSPeers bounds what strangers can make a server hold: those who have shown
// a cookie, or half a ClientHello. The others are forgotten at once.
const maxDTLSPeers = 64

// dtlsGrace is how long what a peer sent before it went away is waited for.
const dtlsGrace = 200 * time.Millisecond

func (s *dtlsShell) connect(ctx context.Context, addr string, stdin io.Reader) error {
	remote, err := net.ResolveUDPAddr("udp", addr)
	var unknown *net.DNSError
	switch {
	case errors.As(err, &unknown):
		return fmt.Errorf("there is no way to %s: %w", addr, unknown)
	case err != nil || remote.Port == 0:
		return usageError(fmt.Sprintf("--connect %s is not an address with a port, such as 127.0.0.1:4444", addr))
	}
	if s.socket, err = net.DialUDP("udp", nil, remote); err != nil {
		return fmt.Errorf("there is no way to %s: %w", addr, err)
	}
	s.client = true
	now := s.enter()
	err = s.add(now, s.socket.RemoteAddr().(*net.UDPAddr).AddrPort(), dtls.NewClient)
	s.leave(now)
	if err != nil {
		s.socket.Close()
		return err
	}
	return s.run(ctx, stdin)
}

func (s *dtlsShell) listen(ctx context.Context, addr string, stdin io.Reader) error {
	local, err := net.ResolveUDPAddr("udp", addr)
	if err != nil {
		return usageError(fmt.Sprintf("--listen %s is not an address with a port, such as 127.0.0.1:4444", addr))
	}
	// What is wrong with the flags is said now, not when the first client comes.
	if _, err := dtls.NewServer(s.config); err != nil {
		return err
	}
	if _, err := io.ReadFull(s.config.Rand, s.config.CookieSecret[:]); err != nil {
		return fmt.Errorf("there is no randomness: %w", err)
	}
	if s.socket, err = net.ListenUDP("udp", local); err != nil {
		return fmt.Errorf("it cannot listen on %s: %w", addr, err)
	}
	say(s.out.stderr, "Listening on %v for one client; Ctrl-C ends.\nThis side's certificate is %v.", s.socket.LocalAddr(), s.config.Certificate.Fingerprint())
	return s.run(ctx, stdin)
}

// run serves the connection to its end.
func (s *dtlsShell) run(ctx context.Context, stdin io.Reader) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.read()
	}()
	// Nothing can call this goroutine back from a read of a terminal: it ends
	// with the program.
	go s.send(stdin)

	select {
	case <-s.ended:
	case <-ctx.Done():
		s.hangUp(errors.New("interrupted before the handshake was done"))
	}
	s.socket.Close()
	<-done // all that arrived is printed

	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timer != nil {
		s.timer.Stop()
	}
	if s.err != nil && s.peer == nil && s.json {
		s.print(dtlsReport{Error: s.err.Error()})
		return errFailed
	}
	return s.err
}

func (s *dtlsShell) enter() time.Time {
	s.mu.Lock()
	return time.Now()
}

// leave sends what there is to send, sees what happened, and sets the timer.
func (s *dtlsShell) leave(now time.Time) {
	defer s.mu.Unlock()
	var next time.Time
	for _, p := range slices.Clone(s.peers) {
		for {
			s.buf = p.conn.AppendPacket(now, s.buf[:0])
			if len(s.buf) == 0 {
				break
			}
			s.write(p, s.buf)
		}
		for event, ok := p.conn.NextEvent(); ok; event, ok = p.conn.NextEvent() {
			switch event := event.(type) {
			case dtls.Established:
				if s.peer == nil {
					s.peer, s.peers = p, []*dtlsPeer{p}
					close(s.ready)
				}
			case dtls.Closed:
				s.lose(p, event.Err)
			}
		}
		if p.conn.Forgettable() {
			// It comes again, with its cookie, if there is such a client.
			s.peers = slices.DeleteFunc(s.peers, func(q *dtlsPeer) bool { return p == q })
			continue
		}
		if t := p.conn.NextTimeout(); next.IsZero() || !t.IsZero() && t.Before(next) {
			next = t
		}
	}
	switch {
	case next.IsZero():
	case s.timer == nil:
		s.timer = time.AfterFunc(next.Sub(now), s.advance)
	default:
		s.timer.Reset(next.Sub(now))
	}
}

func (s *dtlsShell) advance() {
	now := s.enter()
	defer s.leave(now)
	for _, p := range s.peers {
		p.conn.Advance(now)
	}
}

// add begins a handshake.
func (s *dtlsShell) add(now time.Time, addr netip.AddrPort, newConn func(dtls.Config) (*dtls.Conn, error)) error {
	config := s.config
	config.PeerAddress = addr
	if s.sink != nil {
		config.Trace = trace.New(s.sink, addr.String())
	}
	conn, err := newConn(config)
	if err != nil {
		return err
	}
	conn.Connect(now)
	if len(s.peers) == maxDTLSPeers {
		s.peers = s.peers[1:] // who has taken longest will take longer
	}
	s.peers = append(s.peers, &dtlsPeer{addr, conn, now})
	return nil
}

// lose takes leave of a peer.
func (s *dtlsShell) lose(p *dtlsPeer, err error) {
	s.peers = slices.DeleteFunc(s.peers, func(q *dtlsPeer) bool { return p == q })
	switch {
	case p == s.peer || s.client:
		s.end(err)
	case s.peer == nil:
		say(s.out.stderr, "The handshake with %v failed: %v", p.addr, err)
	}
}

// end is the end of all, unless that has come before.
func (s *dtlsShell) end(err error) {
	select {
	case <-s.ended:
		return
	default:
	}
	var local *dtls.LocalError
	var peer *dtls.PeerError
	orderly := errors.As(err, &local) && local.Alert == dtls.AlertCloseNotify || errors.As(err, &peer) && peer.Alert == dtls.AlertCloseNotify
	if s.peer == nil || !orderly {
		s.err = err
	}
	close(s.ended)
}

// hangUp closes the connection. Before there is one, it is of no use to a client
// and err says so.
func (s *dtlsShell) hangUp(err error) {
	now := s.enter()
	defer s.leave(now)
	if s.client && s.peer == nil {
		s.end(err)
	}
	for _, p := range s.peers {
		p.conn.Close(now)
	}
}

func (s *dtlsShell) write(p *dtlsPeer, b []byte) {
	var err error
	if s.client {
		_, err = s.socket.Write(b)
	} else {
		_, err = s.socket.WriteToUDPAddrPort(b, p.addr)
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		s.refused()
	} // what else goes wrong goes wrong as in a network: the handshake repeats itself
}

// refused is called when the peer's machine says that nobody has the port.
func (s *dtlsShell) refused() {
	switch {
	case !s.client:
	case s.peer == nil:
		s.end(fmt.Errorf("nobody listens on %v over UDP", s.socket.RemoteAddr()))
	case !s.gone:
		// It may have said goodbye before, which is still to be read.
		s.gone = true
		s.socket.SetReadDeadline(time.Now().Add(dtlsGrace))
	}
}

// read is the socket's goroutine.
func (s *dtlsShell) read() {
	datagram := make([]byte, 1<<16)
	var text []byte
	told := false
	for {
		n, from, err := s.socket.ReadFromUDPAddrPort(datagram)
		now := s.enter()
		switch {
		case errors.Is(err, net.ErrClosed):
			s.mu.Unlock()
			return
		case errors.Is(err, syscall.ECONNREFUSED):
			s.refused()
		case errors.Is(err, os.ErrDeadlineExceeded):
			s.end(errors.New("the peer has gone without a goodbye"))
			s.mu.Unlock()
			return
		case err != nil:
			s.end(fmt.Errorf("nothing can be received: %w", err))
			s.mu.Unlock()
			return
		default:
			text = s.receive(now, netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), datagram[:n], text[:0])
		}
		s.leave(now)

		// Who reads our output may be slow, and the timer does not wait for it.
		select {
		case <-s.ready:
			if !told {
				told = true
				s.report()
			}
		default:
		}
		if len(text) > 0 {
			s.out.stdout.Write(text)
		}
	}
}

// receive takes a datagram, and appends what it says to text, a line a record.
func (s *dtlsShell) receive(now time.Time, from netip.AddrPort, b, text []byte) []byte {
	i := slices.IndexFunc(s.peers, func(p *dtlsPeer) bool { return s.client || p.addr == from })
	if i < 0 {
		const handshake = 22 // only with one of these does a client begin
		if s.client || s.peer != nil || len(b) == 0 || b[0] != handshake {
			return text
		}
		if err := s.add(now, from, dtls.NewServer); err != nil {
			s.end(err)
			return text
		}
		i = len(s.peers) - 1
	}
	p := s.peers[i]
	p.conn.Receive(now, b)
	for data, ok := p.conn.NextData(); ok; data, ok = p.conn.NextData() {
		s.heard = now
		if text = append(text, data...); data[len(data)-1] != '\n' {
			text = append(text, '\n')
		}
	}
	return text
}

// maxLine is the longest line: with its end it fills a record (RFC 8446, Section 5.1).
const maxLine = 1<<14 - 1

// send is the input's goroutine.
func (s *dtlsShell) send(stdin io.Reader) {
	select {
	case <-s.ready:
	case <-s.ended:
		return
	}
	lines := bufio.NewScanner(stdin)
	lines.Buffer(nil, maxLine+1)
	var record []byte
	for lines.Scan() {
		now := s.enter()
		if s.peer.conn.Established() {
			record = s.peer.conn.AppendRecordHeader(record[:0])
			record = append(append(record, lines.Bytes()...), '\n')
			record = s.peer.conn.SealRecord(record, 0)
			s.write(s.peer, record)
		}
		s.leave(now)
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		now := s.enter()
		s.end(fmt.Errorf("a line of the input is longer than %d bytes, which no record holds", maxLine))
		s.peer.conn.Close(now)
		s.leave(now)
		return
	}
	if !s.client {
		return // the client says when it is over
	}
	s.mu.Lock()
	s.heard = time.Now()
	s.mu.Unlock()
	for {
		s.mu.Lock()
		wait := time.Until(s.heard.Add(s.linger))
		s.mu.Unlock()
		if wait <= 0 {
			break
		}
		select {
		case <-s.ended:
			return
		case <-time.After(wait):
		}
	}
	s.hangUp(nil)
}

// A dtlsReport says what was negotiated, or why nothing was; with --json it is
// printed as it is.
type dtlsReport struct {
	OK              bool    `json:"ok"`
	Error           string  `json:"error,omitempty"`
	Role            string  `json:"role,omitempty"`
	Local           string  `json:"local,omitempty"`
	Remote          string  `json:"remote,omitempty"`
	Version         string  `json:"version,omitempty"`
	CipherSuite     string  `json:"cipher_suite,omitempty"`
	Group           string  `json:"group,omitempty"`
	SRTPProfile     string  `json:"srtp_profile,omitempty"`
	Fingerprint     string  `json:"fingerprint,omitempty"`
	PeerFingerprint string  `json:"peer_fingerprint,omitempty"`
	Exported        string  `json:"exported,omitempty"`
	HandshakeMS     float64 `json:"handshake_ms,omitempty"`
}

// report tells that the handshake is done.
func (s *dtlsShell) report() {
	s.mu.Lock()
	p := s.peer
	state := p.conn.ConnectionState()
	var exported []byte
	var err error
	if s.export != "" {
		exported, err = p.conn.ExportKeyingMaterial(s.export, nil, 32)
	}
	s.mu.Unlock()
	peer := dtls.Certificate{DER: state.PeerCertificate}
	r := dtlsReport{
		OK:              true,
		Role:            "server",
		Local:           s.socket.LocalAddr().String(),
		Remote:          p.addr.String(),
		Version:         state.Version.String(),
		CipherSuite:     state.CipherSuite.String(),
		Group:           state.Group.String(),
		Fingerprint:     s.config.Certificate.Fingerprint().String(),
		PeerFingerprint: peer.Fingerprint().String(),
		Exported:        hex.EncodeToString(exported),
		HandshakeMS:     milliseconds(time.Since(p.began)),
	}
	if s.client {
		r.Role = "client"
	}
	if state.SRTPProfile != 0 {
		r.SRTPProfile = state.SRTPProfile.String()
	}
	if err != nil {
		say(s.out.stderr, "There is no keying material: %v", err)
	}
	if s.json {
		s.print(r)
		return
	}
	say(s.out.stderr, "Connected with %s in %.1f ms: %s, %s, %s, %v.\nThe peer's certificate is %s.",
		r.Remote, r.HandshakeMS, r.Version, r.CipherSuite, r.Group, state.SRTPProfile, r.PeerFingerprint)
	if r.Exported != "" {
		say(s.out.stderr, "The keying material of %s is %s.", s.export, r.Exported)
	}
}

func (s *dtlsShell) print(r dtlsReport) { json.NewEncoder(s.out.stdout).Encode(r) }
