package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/plainrtc/plainrtc/internal/udp"
	"github.com/plainrtc/plainrtc/stun"
	"github.com/plainrtc/plainrtc/turn"
)

// try finds out what a server does over a transport.
func (d *doctor) try(ctx context.Context, server iceServer, t *transportReport) {
	fail := func(err error) { t.Problem, t.Reason = problem(err), reasonOf(err) }
	began := time.Now()
	w, err := dialWay(ctx, t.protocol, t.Address, server.host, d.roots, d.timeout)
	if err != nil {
		fail(err)
		return
	}
	defer w.conn.Close()
	if t.protocol != turn.UDP {
		t.ConnectMS = milliseconds(time.Since(began))
	}
	t.Local = addrPortOf(w.conn.LocalAddr())
	mapped, answer, rtt, err := w.bind(d.timeout)
	if err != nil {
		fail(err)
		return
	}
	t.Mapped, t.RTTMS = &mapped, milliseconds(rtt)
	if other, ok := answer.Address(stun.AttrOtherAddress); ok && t.protocol == turn.UDP && other.Port() != 0 {
		t.other = other
	}
	if !server.turn {
		t.OK = true
		return
	}
	t.Relay = &relayReport{}
	if err := d.relay(ctx, server, t, w); err != nil {
		t.Relay.Problem, t.Relay.Reason = problem(err), reasonOf(err)
		fail(err)
		return
	}
	t.OK, t.Relay.OK = true, true
}

// echoes is how often a packet makes the round trip; the fastest counts.
const echoes = 5

// payloads are tried one after the other for the largest that arrives: what an Ethernet
// carries in IPv4 behind ChannelData's header, and less, until what IPv6 promises everybody.
var payloads = []int{1468, 1448, 1428, 1400, 1360, 1300, 1228, 1200, 1000, 500}

// relay makes two allocations and sends packets from one to the other and back.
func (d *doctor) relay(ctx context.Context, server iceServer, t *transportReport, w *way) error {
	name, password := d.username, d.credential
	if name == "" {
		name, password = "nobody", "nothing" // and hears that these are not right
	}
	near, err := newCaller(w, name, password)
	if err != nil {
		return err
	}
	defer near.close()
	allocated, err := near.allocate(d.timeout)
	if err != nil {
		return err
	}
	t.Relay.Relayed, t.Relay.LifetimeS = &allocated.Relayed, allocated.Lifetime.Seconds()
	w, err = dialWay(ctx, t.protocol, t.Address, server.host, d.roots, d.timeout)
	if err != nil {
		return err
	}
	far, err := newCaller(w, name, password)
	if err != nil {
		w.conn.Close()
		return err
	}
	defer far.close()
	other, err := far.allocate(d.timeout)
	if err != nil {
		return err
	}
	if err := near.admit(other.Relayed, d.timeout); err != nil {
		return err
	}
	if err := far.admit(allocated.Relayed, d.timeout); err != nil {
		return err
	}
	for i := range echoes {
		rtt, ok, err := d.echo(near, far, allocated.Relayed, other.Relayed, i, 100, d.timeout)
		if err != nil {
			return err
		}
		if !ok {
			return errNoEcho
		}
		if ms := milliseconds(rtt); t.Relay.RTTMS == 0 || ms < t.Relay.RTTMS {
			t.Relay.RTTMS = ms
		}
	}
	if t.protocol != turn.UDP {
		return nil
	}
	for i, size := range payloads {
		// Twice, for a packet may be lost for other reasons.
		_, ok, err := d.echo(near, far, allocated.Relayed, other.Relayed, echoes+i, size, 2*resend)
		if errors.Is(err, syscall.EMSGSIZE) {
			continue
		}
		if err != nil {
			return err
		}
		if ok {
			t.Relay.Payload = size
			break
		}
	}
	return nil
}

var errNoEcho = errors.New("the server relays nothing from one of its addresses to another")

// resend is how long an echo is waited for before it is asked for again.
const resend = 250 * time.Millisecond

// echo sends a packet of a size from near to far and back, until it has arrived.
func (d *doctor) echo(near, far *caller, nearAt, farAt netip.AddrPort, number, size int, timeout time.Duration) (time.Duration, bool, error) {
	packet := bytes.Repeat([]byte{byte(number)}, size)
	copy(packet, "plainrtc")
	binary.BigEndian.PutUint32(packet[8:], uint32(number))
	ours := func(data []byte) bool { return bytes.Equal(data, packet) }
	for end := time.Now().Add(timeout); time.Now().Before(end); {
		began := time.Now()
		if err := near.say(farAt, packet); err != nil {
			return 0, false, err
		}
		arrived, err := far.hears(began.Add(resend), ours)
		if err != nil {
			return 0, false, err
		}
		if !arrived {
			continue
		}
		if err := far.say(nearAt, packet); err != nil {
			return 0, false, err
		}
		if arrived, err = near.hears(time.Now().Add(resend), ours); err != nil || arrived {
			return time.Since(began), arrived, err
		}
	}
	return 0, false, nil
}

// mappings asks, from each address of this machine, every server that has answered over UDP how
// it is seen; and what the NAT does the first server that has a second address.
func (d *doctor) mappings(ctx context.Context, r *doctorReport, p *doctorNews) {
	servers := r.overUDP()
	timeout := min(d.timeout, 2*time.Second)
	for _, local := range localAddresses(servers) {
		probe := &stunProbe{ctx: ctx, timeout: timeout, from: local}
		if probe.open() != nil {
			continue
		}
		for _, t := range servers {
			if t.Address.Addr().Is4() != local.Is4() || t.Address.Addr().IsLoopback() != local.IsLoopback() {
				continue
			}
			p.say("asking %v how it sees %v", t.Address, local)
			m := mappingReport{Local: udpAddrPort(probe.socket.LocalAddr()), Server: t.Address}
			if answer, rtt, err := probe.ask(t.Address, 0); err != nil {
				m.Reason = reasonOf(err)
			} else if seen, err := mapped(answer); err != nil {
				m.Reason = reasonOf(err)
			} else {
				m.Mapped, m.RTTMS = &seen, milliseconds(rtt)
			}
			r.Mappings = append(r.Mappings, m)
		}
		probe.socket.Close()
	}
	for _, t := range servers {
		if !t.other.IsValid() || r.NAT != nil {
			continue
		}
		p.say("finding out what the NAT does, with %v and %v", t.Address, t.other)
		found := &stunReport{Name: t.Address.String()}
		if err := found.find(ctx, t.Address.Addr().String(), strconv.Itoa(int(t.Address.Port())), timeout); err == nil && found.Other != nil {
			r.NAT = &natReport{NAT: found.NAT, Mapping: found.Mapping, Filtering: found.Filtering, By: t.Address.String() + " (RFC 5780)"}
		}
	}
	if r.NAT == nil {
		r.NAT = compare(r.Mappings)
	}
}

// compare finds out what a NAT does from how several servers see one socket.
func compare(all []mappingReport) *natReport {
	for i, a := range all {
		for _, b := range all[i+1:] {
			if a.Mapped == nil || b.Mapped == nil || a.Local != b.Local || a.Server.Addr() == b.Server.Addr() {
				continue
			}
			n := &natReport{NAT: *a.Mapped != a.Local, By: a.Server.String() + " and " + b.Server.String(), Mapping: endpointIndependent}
			if *a.Mapped != *b.Mapped {
				n.Mapping = addressDependent // or more so: that takes a second port of one server
			}
			return n
		}
	}
	return nil
}

// localAddresses are those of this machine to ask from: loopback only for servers that are there.
func localAddresses(servers []*transportReport) []netip.Addr {
	all := udp.HostAddresses()
	for _, t := range servers {
		if a := t.Local.Addr(); a.IsLoopback() {
			all = append(all, a)
		}
	}
	var once []netip.Addr
	seen := map[netip.Addr]bool{}
	for _, a := range all {
		if !seen[a] {
			seen[a] = true
			once = append(once, a)
		}
	}
	return once
}

// networkInterfaces lists those that are up.
func networkInterfaces() (all []interfaceReport) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil
	}
	for _, i := range interfaces {
		if i.Flags&net.FlagUp == 0 {
			continue
		}
		r := interfaceReport{Name: i.Name, MTU: i.MTU, Multicast: i.Flags&net.FlagMulticast != 0, Loopback: i.Flags&net.FlagLoopback != 0}
		addresses, err := i.Addrs()
		if err != nil {
			continue
		}
		for _, a := range addresses {
			if n, ok := a.(*net.IPNet); ok {
				if addr, ok := netip.AddrFromSlice(n.IP); ok {
					r.Addresses = append(r.Addresses, addr.Unmap())
				}
			}
		}
		all = append(all, r)
	}
	return all
}

func addrPortOf(a net.Addr) netip.AddrPort {
	at, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
}

// The problems, for programs to tell apart. A code of the server's, such as 401, is one too.
const (
	problemRefused     = "refused"     // a host says that nobody listens
	problemTimeout     = "timeout"     // nothing came: a firewall, most likely
	problemUnreachable = "unreachable" // there is no way
	problemName        = "name"        // nobody knows the host
	problemCertificate = "certificate" // it is not one that a browser would take
	problemProtocol    = "protocol"    // something else answers there
	problemEcho        = "echo"        // it allocates, and does not relay
	problemOther       = "other"
)

func problem(err error) string {
	var code stun.ErrorCode
	var turnError *turn.PeerError
	var stunError *stun.PeerError
	if errors.As(err, &turnError) {
		code = turnError.Code
	} else if errors.As(err, &stunError) {
		code = stunError.Code
	}
	var name *net.DNSError
	var chain *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var late interface{ Timeout() bool }
	switch {
	case code != 0:
		return strconv.Itoa(int(code))
	case errors.Is(err, errNoEcho):
		return problemEcho
	case errors.As(err, &name):
		return problemName
	case errors.As(err, &chain), errors.As(err, new(x509.HostnameError)), errors.As(err, new(x509.UnknownAuthorityError)),
		errors.As(err, new(x509.CertificateInvalidError)), strings.Contains(err.Error(), "certificate is refused"):
		return problemCertificate
	case errors.As(err, &record), errors.Is(err, turn.ErrFraming):
		return problemProtocol
	case errors.Is(err, syscall.ECONNREFUSED):
		return problemRefused
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return problemUnreachable
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded), errors.Is(err, errNoAnswer), errors.As(err, &late) && late.Timeout():
		return problemTimeout
	}
	return problemOther
}

// reasonOf is an error in words that help.
func reasonOf(err error) string {
	switch problem(err) {
	case problemTimeout:
		return "no answer came in time"
	case problemRefused:
		return "the connection is refused: nobody listens there"
	case problemUnreachable:
		return "there is no way to this address from here"
	case problemProtocol:
		return "something answers that does not speak this protocol: " + err.Error()
	}
	return err.Error()
}
