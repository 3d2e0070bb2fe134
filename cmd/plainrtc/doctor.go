package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/plainrtc/plainrtc/turn"
)

var doctorCommand = command{
	name:     "doctor",
	synopsis: "--ice-server URL [--username NAME --credential PASSWORD] [flags]",
	summary:  "finds out what a network allows, and which STUN and TURN servers work from here",
	about: `
Tries what a call needs, one thing after the other, and says in plain words what that means:
which addresses this machine has, as which addresses servers see it, what the NAT in between
does (RFC 5780, where a server has a second address), over which transports each server is
reached, and how long a packet takes through its relay and back, from one allocation
to another and how large it may be. A turn: URL is tried over UDP and TCP, a turns: URL over
TLS and DTLS, a stun: URL over UDP; ?transport=udp or tcp chooses one.
The exit status is 0 if all of it works, and 1 if anything does not.`,
	example: "plainrtc doctor --ice-server stun:stun.example.org\n" +
		"plainrtc doctor --ice-server turn:turn.example.org --ice-server turns:turn.example.org --username alice --credential wonderland\n" +
		"plainrtc doctor --ice-server turn:192.0.2.1:3478?transport=udp --username alice --credential wonderland --json",
	define: func(flags *flag.FlagSet) func(context.Context, output) error {
		var d doctor
		flags.Func("ice-server", "a server, as a `URL` such as stun:HOST, turn:HOST:3478?transport=tcp or turns:HOST; may be given several times", func(s string) error {
			server, err := parseICEServer(s)
			d.servers = append(d.servers, server)
			return err
		})
		flags.StringVar(&d.username, "username", "", "the `NAME` for TURN servers")
		flags.StringVar(&d.credential, "credential", "", "its `PASSWORD`")
		flags.StringVar(&d.authorities, "ca", "", "a PEM `file` with certificates to trust beside this machine's")
		flags.DurationVar(&d.timeout, "timeout", 3*time.Second, "how long each answer is waited for, a `duration`")
		flags.BoolVar(&d.json, "json", false, "print the result as JSON")
		return d.run
	},
}

// A doctor is the command line.
type doctor struct {
	servers              []iceServer
	username, credential string
	authorities          string
	timeout              time.Duration
	json                 bool
	roots                *x509.CertPool
}

// An iceServer is what a URL says: RFC 7064 and 7065.
type iceServer struct {
	text      string
	turn      bool
	host      string
	port      string
	protocols []turn.Protocol // to try
}

func parseICEServer(s string) (server iceServer, err error) {
	wrong := func(why string) (iceServer, error) {
		return server, fmt.Errorf("%q %s; a server is, for instance, turn:turn.example.org:3478?transport=tcp", s, why)
	}
	scheme, rest, ok := strings.Cut(s, ":")
	if !ok || strings.HasPrefix(rest, "//") {
		return wrong("is not a stun:, turn: or turns: URL")
	}
	rest, query, _ := strings.Cut(rest, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return wrong("has a query that makes no sense")
	}
	transport := values.Get("transport")
	if query != "" && transport != "udp" && transport != "tcp" {
		return wrong("has a query other than ?transport=udp and ?transport=tcp")
	}
	server = iceServer{text: s, turn: scheme != "stun", port: "3478"}
	switch scheme {
	case "stun":
		server.protocols = []turn.Protocol{turn.UDP}
		if transport != "" {
			return wrong("is for STUN, which has no transports to choose from")
		}
	case "turn":
		server.protocols = []turn.Protocol{turn.UDP, turn.TCP}
	case "turns":
		server.protocols = []turn.Protocol{turn.DTLS, turn.TLS}
		server.port = "5349"
	default:
		return wrong("is not a stun:, turn: or turns: URL")
	}
	switch transport {
	case "udp":
		server.protocols = server.protocols[:1]
	case "tcp":
		server.protocols = server.protocols[1:]
	}
	switch addr, err := netip.ParseAddr(strings.Trim(rest, "[]")); {
	case err == nil:
		server.host = addr.String()
	case strings.Contains(rest, ":"):
		if server.host, server.port, err = net.SplitHostPort(rest); err != nil {
			return wrong("has a host and port that make no sense")
		}
	default:
		server.host = rest
	}
	if n, err := net.LookupPort("udp", server.port); err != nil || n == 0 || server.host == "" {
		return wrong("has no host, or a port that makes no sense")
	}
	return server, nil
}

func (d *doctor) run(ctx context.Context, out output) error {
	switch {
	case len(d.servers) == 0:
		return usageError("it needs a server: give --ice-server stun:HOST or turn:HOST")
	case d.timeout <= 0:
		return usageError("--timeout is not a time to wait, such as 3s")
	case (d.username != "") != (d.credential != ""):
		return usageError("a TURN server wants a name and a password: give --username and --credential together")
	}
	if d.authorities != "" {
		pem, err := os.ReadFile(d.authorities)
		if err != nil {
			return err
		}
		if d.roots, err = x509.SystemCertPool(); err != nil {
			d.roots = x509.NewCertPool()
		}
		if !d.roots.AppendCertsFromPEM(pem) {
			return fmt.Errorf("%s has no certificate in PEM", d.authorities)
		}
	}
	r := d.examine(ctx, &doctorNews{w: out.stderr})
	if ctx.Err() != nil {
		return errInterrupted
	}
	r.advise()
	if d.json {
		encoder := json.NewEncoder(out.stdout)
		encoder.SetIndent("", "  ")
		encoder.Encode(r)
	} else {
		r.print(out.stdout)
	}
	if !r.OK {
		return errFailed
	}
	return nil
}

// doctorNews says what is being done, for it takes its time.
type doctorNews struct {
	mu sync.Mutex
	w  io.Writer
}

func (p *doctorNews) say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	say(p.w, format, args...)
}

// examine finds everything out. Servers are tried one after the other, and the transports of
// one together.
func (d *doctor) examine(ctx context.Context, p *doctorNews) *doctorReport {
	r := &doctorReport{Interfaces: networkInterfaces()}
	for _, server := range d.servers {
		s := &serverReport{URL: server.text, turn: server.turn, credentials: d.username != ""}
		r.Servers = append(r.Servers, s)
		p.say("%s: looking it up", server.text)
		addresses, err := lookUp(ctx, server, d.timeout)
		if err != nil {
			s.Problem, s.Reason = problem(err), reasonOf(err)
			continue
		}
		var all sync.WaitGroup
		for _, protocol := range server.protocols {
			for _, address := range addresses {
				t := &transportReport{Transport: strings.ToLower(protocol.String()), Address: address, protocol: protocol}
				s.Transports = append(s.Transports, t)
				all.Go(func() {
					p.say("%s: trying %v at %v", server.text, protocol, address)
					d.try(ctx, server, t)
					if t.OK {
						p.say("%s: %v at %v works", server.text, protocol, address)
					} else {
						p.say("%s: %v at %v does not work: %s", server.text, protocol, address, t.Reason)
					}
				})
			}
		}
		all.Wait()
	}
	d.mappings(ctx, r, p)
	return r
}

// lookUp finds the first address of each family that this machine may reach.
func lookUp(ctx context.Context, s iceServer, timeout time.Duration) (found []netip.AddrPort, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	all, err := net.DefaultResolver.LookupNetIP(ctx, "ip", s.host)
	if err != nil {
		return nil, err
	}
	port, err := net.LookupPort("udp", s.port)
	if err != nil {
		return nil, err
	}
	seen := map[bool]bool{}
	for _, a := range all {
		a = a.Unmap()
		if seen[a.Is4()] {
			continue
		}
		seen[a.Is4()] = true
		// Of a family that this machine has not, its servers are not to blame. Connecting a socket
		// of UDP sends nothing.
		at := netip.AddrPortFrom(a, uint16(port))
		if c, err := net.Dial("udp", at.String()); err == nil {
			c.Close()
			found = append(found, at)
		} else if len(all) == 1 {
			return nil, err
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("there is no way to any address of %s", s.host)
	}
	return found, nil
}
