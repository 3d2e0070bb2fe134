package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/plainrtc/plainrtc/stun"
)

var stunCommand = command{
	name:     "stun",
	synopsis: "HOST[:PORT] [flags]",
	summary:  "asks a STUN server how this machine is seen, and what its NAT is like",
	about: `
Asks a STUN server over UDP for the address that this machine is seen at (RFC
8489). If the server has a second address to try from, it is found out how the
NAT in between maps addresses and whom it lets in (RFC 5780), and what that means for
calls is said in plain words.`,
	example:  "plainrtc stun stun.example.org\nplainrtc stun 192.0.2.1:3478 --json",
	argument: "server",
	define: func(flags *flag.FlagSet) func(context.Context, output) error {
		var server string
		flags.StringVar(&server, "server", "", "the server, `HOST[:PORT]`; it may stand alone, and its port is 3478 if it has none")
		timeout := flags.Duration("timeout", 2*time.Second, "how long each answer is waited for, a `duration`")
		asJSON := flags.Bool("json", false, "print the result as JSON")
		return func(ctx context.Context, out output) error {
			if server == "" {
				return usageError("it needs a server, such as stun.example.org")
			}
			if *timeout <= 0 {
				return usageError("--timeout is not a time to wait, such as 2s")
			}
			host, port, err := stunHost(server)
			if err != nil {
				return err
			}
			report := &stunReport{Name: server}
			err = report.find(ctx, host, port, *timeout)
			if *asJSON {
				if report.OK = err == nil; err != nil {
					report.Error = err.Error()
				}
				json.NewEncoder(out.stdout).Encode(report)
				if err != nil {
					return errFailed
				}
				return nil
			}
			if err != nil {
				return err
			}
			report.print(out.stdout)
			return nil
		}
	},
}

// stunHost splits what the user calls a server, a stun: URI (RFC 7064) too.
func stunHost(s string) (host, port string, err error) {
	s = strings.TrimPrefix(s, "stun:")
	if a, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return a.String(), "3478", nil
	}
	if !strings.Contains(s, ":") {
		return s, "3478", nil
	}
	host, port, err = net.SplitHostPort(s)
	if n, portErr := net.LookupPort("udp", port); err != nil || portErr != nil || n == 0 || host == "" {
		return "", "", usageError(fmt.Sprintf("%q is not a host, or a host and a port, such as stun.example.org:3478", s))
	}
	return host, port, nil
}

// A stunReport is what was found out; with --json it is printed as it is.
type stunReport struct {
	OK       bool           `json:"ok"`
	Error    string         `json:"error,omitempty"`
	Name     string         `json:"name"`
	Server   netip.AddrPort `json:"server"`
	Local    netip.AddrPort `json:"local"`
	Mapped   netip.AddrPort `json:"mapped"`
	RTTMS    float64        `json:"rtt_ms"`
	NAT      bool           `json:"nat"` // the address is another one on the way
	Software string         `json:"software,omitempty"`
	// Other is the server's second address; the others are found out with its help.
	Other     *netip.AddrPort `json:"other_address,omitempty"`
	Mapping   behaviour       `json:"mapping,omitempty"`
	Filtering behaviour       `json:"filtering,omitempty"`
}

// A behaviour is one of those that RFC 4787, Sections 4.1 and 5, tells apart.
type behaviour string

const (
	endpointIndependent     behaviour = "endpoint-independent"
	addressDependent        behaviour = "address-dependent"
	addressAndPortDependent behaviour = "address-and-port-dependent"
)

// The flags of CHANGE-REQUEST. RFC 5780, Section 7.2.
const (
	changeIP   = 4
	changePort = 2
)

// errNoAnswer is what some tests find, and not an error to them.
var errNoAnswer = errors.New("no answer came in time")

// find does the tests of RFC 5780, Sections 4.3 and 4.4.
func (r *stunReport) find(ctx context.Context, host, port string, timeout time.Duration) error {
	p := &stunProbe{ctx: ctx, timeout: timeout}
	// A connected socket tells from which address this machine would send.
	var d net.Dialer
	way, err := d.DialContext(ctx, "udp", net.JoinHostPort(host, port))
	if err != nil {
		return fmt.Errorf("there is no way to %s: %w", r.Name, err)
	}
	r.Server, p.from = udpAddrPort(way.RemoteAddr()), udpAddrPort(way.LocalAddr()).Addr()
	way.Close()
	if err := p.open(); err != nil {
		return err
	}
	defer func() { p.socket.Close() }()
	r.Local = udpAddrPort(p.socket.LocalAddr())
	answer, rtt, err := p.ask(r.Server, 0)
	if errors.Is(err, errNoAnswer) {
		return fmt.Errorf("%v does not answer over UDP within %v: it is no STUN server, or a firewall is in between", r.Server, timeout)
	} else if err != nil {
		return err
	}
	if r.Mapped, err = mapped(answer); err != nil {
		return err
	}
	r.RTTMS, r.NAT = milliseconds(rtt), r.Mapped != r.Local
	if software, ok := answer.Get(stun.AttrSoftware); ok {
		r.Software = string(software)
	}
	other, ok := answer.Address(stun.AttrOtherAddress)
	if !ok || other.Port() == 0 || other.Addr().IsUnspecified() || other.Addr().Is4() != r.Server.Addr().Is4() ||
		other.Addr() == r.Server.Addr() || other.Port() == r.Server.Port() {
		return nil
	}
	r.Other = &other
	if err := p.mapping(r, other); err != nil {
		return err
	}
	return p.filtering(r)
}

// mapping compares the addresses that the server's addresses see. Section 4.3.
func (p *stunProbe) mapping(r *stunReport, other netip.AddrPort) error {
	seen := func(by netip.AddrPort) (netip.AddrPort, error) {
		m, _, err := p.ask(by, 0)
		if err != nil {
			return netip.AddrPort{}, err
		}
		return mapped(m)
	}
	second, err := seen(netip.AddrPortFrom(other.Addr(), r.Server.Port()))
	switch {
	case errors.Is(err, errNoAnswer): // the server has not what it says it has
		return nil
	case err != nil:
		return err
	case second == r.Mapped:
		r.Mapping = endpointIndependent
		return nil
	}
	third, err := seen(other)
	switch {
	case errors.Is(err, errNoAnswer):
	case err != nil:
		return err
	case third == second:
		r.Mapping = addressDependent
	default:
		r.Mapping = addressAndPortDependent
	}
	return nil
}

// filtering asks for answers from elsewhere, to a port that has sent there nothing yet.
// Section 4.4.
func (p *stunProbe) filtering(r *stunReport) error {
	p.socket.Close()
	if err := p.open(); err != nil {
		return err
	}
	// The path has to be open before it is seen whom it lets in.
	if _, _, err := p.ask(r.Server, 0); err != nil {
		return passOver(err)
	}
	_, _, err := p.ask(r.Server, changeIP|changePort)
	if err == nil {
		r.Filtering = endpointIndependent
		return nil
	} else if !errors.Is(err, errNoAnswer) {
		return passOver(err)
	}
	switch _, _, err = p.ask(r.Server, changePort); {
	case err == nil:
		r.Filtering = addressDependent
	case errors.Is(err, errNoAnswer):
		r.Filtering = addressAndPortDependent
	default:
		return passOver(err)
	}
	return nil
}

// passOver leaves a test out that the server refuses, or does not answer.
func passOver(err error) error {
	var refusal *stun.PeerError
	if errors.Is(err, errNoAnswer) || errors.As(err, &refusal) {
		return nil
	}
	return err
}

// mapped is the address in an answer: of servers before RFC 5389, MAPPED-ADDRESS.
func mapped(m stun.Message) (netip.AddrPort, error) {
	a, ok := m.XORMappedAddress()
	if !ok {
		a, ok = m.MappedAddress()
	}
	if !ok {
		return a, errors.New("the server's answer has no address")
	}
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()), nil
}

func udpAddrPort(a net.Addr) netip.AddrPort {
	ap := a.(*net.UDPAddr).AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// A stunProbe is a socket to ask from.
type stunProbe struct {
	ctx     context.Context
	timeout time.Duration
	from    netip.Addr
	socket  *net.UDPConn
}

func (p *stunProbe) open() (err error) {
	p.socket, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(p.from, 0)))
	return err
}

// ask sends a Binding request, again and again, until the answer comes, from wherever.
func (p *stunProbe) ask(server netip.AddrPort, change uint32) (stun.Message, time.Duration, error) {
	m := stun.NewBuilder(nil, stun.NewType(stun.Binding, stun.Request), stun.NewTransactionID(rand.Reader))
	if change != 0 {
		m.Add(stun.AttrChangeRequest, binary.BigEndian.AppendUint32(nil, change))
	}
	transaction := stun.NewTransaction(m.Bytes(), stun.TransactionConfig{RTO: 250 * time.Millisecond})
	began := time.Now()
	end := began.Add(p.timeout)
	transaction.Start(began)
	stop := context.AfterFunc(p.ctx, func() { p.socket.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	b := make([]byte, 1<<16)
	for {
		now := time.Now()
		if e, ok := transaction.NextEvent(); ok {
			f := e.(stun.Finished)
			var late *stun.TimeoutError
			if errors.As(f.Err, &late) {
				return stun.Message{}, 0, errNoAnswer
			}
			return f.Response, now.Sub(began), f.Err
		}
		if p.ctx.Err() != nil {
			return stun.Message{}, 0, errors.New("interrupted")
		}
		if !now.Before(end) {
			return stun.Message{}, 0, errNoAnswer
		}
		if packet := transaction.AppendPacket(now, nil); len(packet) > 0 {
			began = now
			if _, err := p.socket.WriteToUDPAddrPort(packet, server); err != nil {
				return stun.Message{}, 0, fmt.Errorf("nothing can be sent to %v: %w", server, err)
			}
		}
		until := end
		if next := transaction.NextTimeout(); !next.IsZero() && next.Before(end) {
			until = next
		}
		p.socket.SetReadDeadline(until)
		n, _, err := p.socket.ReadFromUDPAddrPort(b)
		now = time.Now()
		switch {
		case err == nil:
			transaction.Receive(now, b[:n])
		case errors.Is(err, os.ErrDeadlineExceeded):
			transaction.Advance(now)
		default:
			return stun.Message{}, 0, fmt.Errorf("nothing can be received: %w", err)
		}
	}
}

// What each behaviour means to who makes calls.
var (
	mappingWords = map[behaviour]string{
		endpointIndependent:     "whoever is sent to sees the same address, so others can be told of it: direct calls are possible with most of them",
		addressDependent:        "each host that is sent to sees another port, so what a STUN server sees helps others little: direct calls work only with who has no such NAT",
		addressAndPortDependent: "each port that is sent to sees another port (a \"symmetric\" NAT), so what a STUN server sees helps others little: direct calls work only with who has no such NAT, and a TURN server is needed for the rest",
	}
	filteringWords = map[behaviour]string{
		endpointIndependent:     "once a port is open anybody may send to it",
		addressDependent:        "only hosts that were sent to may answer, from any port",
		addressAndPortDependent: "only who was sent to may answer, from that very port: both sides of a call have to send first, as ICE does",
	}
)

func (r *stunReport) print(w io.Writer) {
	server := r.Server.String()
	if !strings.Contains(r.Name, r.Server.Addr().String()) {
		server = fmt.Sprintf("%s (%s)", r.Name, server)
	}
	say(w, "%v is how %s sees this machine; it answered in %.1f ms.", r.Mapped, server, r.RTTMS)
	if r.NAT {
		say(w, "A NAT is in between: it was sent from %v.", r.Local)
	} else {
		say(w, "No NAT is in between: it was sent from that address.")
	}
	if r.Other == nil {
		say(w, "The server has no second address (RFC 5780), so more can't be found out with it.")
		return
	}
	what := "NAT"
	if !r.NAT {
		what = "path" // perhaps there is a firewall
	}
	if r.Mapping == "" && r.Filtering == "" {
		say(w, "The server says that it has a second address, %v, but does not answer from there.", *r.Other)
	}
	if r.NAT && r.Mapping != "" {
		say(w, "The NAT's mapping is %s: %s.", r.Mapping, mappingWords[r.Mapping])
	}
	if r.Filtering != "" {
		say(w, "The %s's filtering is %s: %s.", what, r.Filtering, filteringWords[r.Filtering])
	}
}
