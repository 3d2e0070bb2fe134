package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/plainrtc/plainrtc/internal/relay"
	"github.com/plainrtc/plainrtc/internal/udp"
	"github.com/plainrtc/plainrtc/turn"
)

var turnCommand = command{
	name:     "turn",
	synopsis: "--user NAME:PASSWORD | --secret SECRET [flags]",
	summary:  "a TURN server: relays for those whom no direct path reaches",
	about: `
Serves TURN (RFC 8656) and STUN over UDP and TCP, and over TLS with a certificate.
Users have a name and a password, or a time-limited one that whoever hands it out has
made with a secret, as browsers' services do. Nobody is relayed to this machine itself or
into a private network, unless --allow says so. With --tcp-relays connections are relayed
too (RFC 6062), and with --alternate-address clients find out what their NAT does (RFC 5780).
Ctrl-C, or SIGTERM, takes no new clients and
waits for the others until --drain has passed; a second one ends it.`,
	example: "plainrtc turn --user alice:wonderland\n" +
		"plainrtc turn --secret \"$SECRET\" --realm example.org --relay 198.51.100.7 --tls :5349 --cert fullchain.pem --key privkey.pem\n" +
		"plainrtc turn --user alice:wonderland --listen 127.0.0.1:3478 --relay 127.0.0.1 --allow 127.0.0.0/8",
	define: func(flags *flag.FlagSet) func(context.Context, output) error {
		t := turnOptions{users: map[string]string{}}
		flags.Func("user", "a user, as `NAME:PASSWORD`; may be given several times", func(s string) error {
			name, password, ok := strings.Cut(s, ":")
			if !ok || name == "" || password == "" {
				return fmt.Errorf("%q is not a name, a colon and a password", s)
			}
			t.users[name] = password
			return nil
		})
		flags.Func("secret", "the `SECRET` that time-limited passwords are made with; may be given several times", func(s string) error {
			t.config.Turn.Secrets = append(t.config.Turn.Secrets, s)
			return nil
		})
		flags.StringVar(&t.config.Turn.Realm, "realm", "plainrtc", "the `REALM` that clients see")
		flags.StringVar(&t.listen, "listen", ":3478", "serve UDP and TCP on this `address`; :3478 means all of this machine's")
		flags.StringVar(&t.tls, "tls", "", "serve TLS over TCP and DTLS over UDP on this `address`, such as :5349")
		flags.StringVar(&t.cert, "cert", "", "the certificate for TLS and DTLS, and those that signed it: a PEM `file`")
		flags.StringVar(&t.key, "key", "", "its key: a PEM `file`")
		addresses := func(to *[]netip.Addr) func(string) error {
			return func(s string) error {
				for one := range strings.SplitSeq(s, ",") {
					a, err := netip.ParseAddr(one)
					if err != nil {
						return fmt.Errorf("%q is not an IP address", one)
					}
					*to = append(*to, a)
				}
				return nil
			}
		}
		flags.Func("relay", "open relays on these `addresses` of this machine: one of IPv4, one of IPv6, or both with a comma (default: its first of each)", addresses(&t.config.Relays))
		flags.Func("advertise", "the `addresses` that peers know them by, if others: behind a 1:1 NAT", addresses(&t.config.Advertised))
		flags.StringVar(&t.ports, "ports", "49152-65535", "the `range` of relays' ports")
		prefixes := func(to *[]netip.Prefix) func(string) error {
			return func(s string) error {
				p, err := netip.ParsePrefix(s)
				if err != nil {
					return fmt.Errorf("%q is not a range of addresses, such as 10.0.0.0/8", s)
				}
				*to = append(*to, p)
				return nil
			}
		}
		flags.Func("allow", "relay to this `range` of addresses though it is private; may be given several times", prefixes(&t.config.Turn.AllowedPeers))
		flags.Func("deny", "do not relay to this `range` of addresses; may be given several times", prefixes(&t.denied))
		flags.StringVar(&t.second, "alternate-address", "", "a second `address` of this machine, such as 192.0.2.2 or 192.0.2.2:3479, with which clients may find out what their NAT does (RFC 5780)")
		flags.StringVar(&t.elsewhere, "alternate-server", "", "where clients are sent when this server drains or is full: an `address` with a port")
		flags.BoolVar(&t.config.Turn.TCPRelays, "tcp-relays", false, "relay TCP connections too (RFC 6062), for clients on TCP and TLS")
		flags.IntVar(&t.config.Shards, "shards", 0, "how many sockets share each address of UDP, so that as many processors read, a `NUMBER`; 0 means half as many as there are processors, up to 4")
		flags.IntVar(&t.config.Turn.MaxAllocations, "max-allocations", 0, "the most allocations, `NUMBER`; 0 means 100,000")
		flags.IntVar(&t.config.Turn.MaxUserAllocations, "max-user-allocations", 0, "the most of one user, `NUMBER`; 0 means as many as there can be")
		flags.IntVar(&t.config.Turn.UserBandwidth, "user-bandwidth", 0, "what one user's allocations carry, in `BYTES` a second; 0 means without limit")
		flags.IntVar(&t.config.MaxConnections, "max-connections", 0, "the most connections of TCP, TLS and DTLS, `NUMBER`; 0 means 10,000")
		flags.IntVar(&t.config.MaxAddressConnections, "max-address-connections", 0, "the most of one client's address, `NUMBER`; 0 means 64")
		flags.IntVar(&t.config.Turn.MaxPeerConnections, "max-peer-connections", 0, "the most connections with peers of --tcp-relays, `NUMBER`; 0 means 10,000")
		flags.IntVar(&t.config.Turn.UnknownRate, "unknown-rate", 0, "the requests a second of one address that are answered without credentials, `NUMBER`; 0 means 16")
		flags.IntVar(&t.config.Turn.UnknownTotal, "unknown-total", 0, "those of all addresses over UDP, `NUMBER`; 0 means 10,000")
		flags.BoolVar(&t.config.Turn.Mobility, "mobility", false, "let clients keep their allocation when their address changes (RFC 8016)")
		flags.StringVar(&t.metrics, "metrics", "", "serve counters for Prometheus at http://`ADDRESS`/metrics")
		flags.DurationVar(&t.drain, "drain", 0, "after Ctrl-C, wait for this `duration` for clients to leave")
		flags.BoolVar(&t.json, "json", false, "write the log as JSON")
		return t.run
	},
}

// turnOptions are the command line of turn.
type turnOptions struct {
	config           relay.Config
	users            map[string]string
	denied           []netip.Prefix
	listen, tls      string
	second           string
	elsewhere        string
	cert, key, ports string
	metrics          string
	drain            time.Duration
	json             bool
}

func (t *turnOptions) run(ctx context.Context, out output) error {
	if len(t.users) == 0 && len(t.config.Turn.Secrets) == 0 {
		return usageError("nobody could use it: give --user NAME:PASSWORD or --secret SECRET")
	}
	if (t.tls != "") != (t.cert != "") || (t.cert != "") != (t.key != "") {
		return usageError("TLS needs an address, a certificate and its key: give --tls, --cert and --key together")
	}
	t.config.Turn.Users = t.users
	if len(t.denied) > 0 {
		t.config.Turn.DeniedPeers = append(turn.DefaultDeniedPeers(), t.denied...)
	}
	if n, err := fmt.Sscanf(t.ports, "%d-%d", &t.config.MinPort, &t.config.MaxPort); n != 2 || err != nil || t.config.MinPort == 0 || t.config.MinPort > t.config.MaxPort {
		return usageError(fmt.Sprintf("--ports %s is not a range of ports, such as 49152-65535", t.ports))
	}
	var err error
	if t.config.UDP, err = listenAddresses("listen", t.listen); err != nil {
		return err
	}
	t.config.TCP = t.config.UDP
	if t.tls != "" {
		if t.config.TLS, err = listenAddresses("tls", t.tls); err != nil {
			return err
		}
		t.config.DTLS = t.config.TLS
		certificate, err := tls.LoadX509KeyPair(t.cert, t.key)
		if err != nil {
			return fmt.Errorf("the certificate can't be used: %w", err)
		}
		t.config.Certificate = &certificate
	}
	if t.second != "" {
		if t.config.Second, err = secondAddress(t.second); err != nil {
			return err
		}
	}
	if t.elsewhere != "" {
		if t.config.Turn.Alternate, err = netip.ParseAddrPort(t.elsewhere); err != nil {
			return usageError(fmt.Sprintf("--alternate-server %s is not an IP address with a port, such as 192.0.2.9:3478", t.elsewhere))
		}
	}
	for name, n := range map[string]int{
		"max-allocations": t.config.Turn.MaxAllocations, "max-user-allocations": t.config.Turn.MaxUserAllocations, "user-bandwidth": t.config.Turn.UserBandwidth,
		"shards": t.config.Shards, "max-connections": t.config.MaxConnections, "max-address-connections": t.config.MaxAddressConnections,
		"max-peer-connections": t.config.Turn.MaxPeerConnections, "unknown-rate": t.config.Turn.UnknownRate, "unknown-total": t.config.Turn.UnknownTotal,
	} {
		if n < 0 {
			return usageError(fmt.Sprintf("--%s %d is less than nothing", name, n))
		}
	}
	if t.drain < 0 {
		return usageError(fmt.Sprintf("--drain %v is less than nothing", t.drain))
	}
	if len(t.config.Relays) == 0 {
		t.config.Relays = firstOfEach(udp.HostAddresses())
	}
	if t.config.Log = slog.New(slog.NewTextHandler(out.stderr, nil)); t.json {
		t.config.Log = slog.New(slog.NewJSONHandler(out.stderr, nil))
	}
	var metrics net.Listener
	if t.metrics != "" {
		if metrics, err = listen("--metrics", t.metrics); err != nil {
			return err
		}
		defer metrics.Close()
	}
	server, err := relay.Listen(t.config)
	if err != nil {
		return err
	}
	defer server.Close()
	datagrams, streams := server.Addresses()
	t.config.Log.Info("serving TURN", "udp", datagrams, "tcp", streams, "relays", t.config.Relays, "ports", t.ports, "realm", t.config.Turn.Realm)
	if metrics != nil {
		defer serveMetrics(metrics, server, t.config.Log)()
	}
	<-ctx.Done()
	v := server.Stats()
	t.config.Log.Info("draining", "allocations", v.Allocations, "for", t.drain)
	select { // a second Ctrl-C ends the program
	case <-server.Drain():
	case <-time.After(t.drain):
	}
	v = server.Stats()
	t.config.Log.Info("ended", "allocations", v.Allocations, "relayed packets", v.ToPeers.Packets+v.ToClients.Packets, "bytes", v.ToPeers.Bytes+v.ToClients.Bytes)
	return nil
}

// listenAddresses reads an address to listen on: all of the machine's without a host.
func listenAddresses(name, s string) ([]netip.AddrPort, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return nil, usageError(fmt.Sprintf("--%s %s is not an address with a port, such as :3478", name, s))
	}
	if host == "" {
		v4, err := netip.ParseAddrPort("0.0.0.0:" + port)
		if err != nil {
			return nil, usageError(fmt.Sprintf("--%s %s has no port that makes sense", name, s))
		}
		return []netip.AddrPort{v4, netip.AddrPortFrom(netip.IPv6Unspecified(), v4.Port())}, nil
	}
	a, err := netip.ParseAddrPort(s)
	if err != nil {
		return nil, usageError(fmt.Sprintf("--%s %s is not an IP address with a port, such as 192.0.2.1:3478", name, s))
	}
	return []netip.AddrPort{a}, nil
}

// secondAddress reads an address with or without a port; without one it is the one after the first's.
func secondAddress(s string) (netip.AddrPort, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.AddrPortFrom(a, 0), nil
	}
	a, err := netip.ParseAddrPort(s)
	if err != nil || a.Port() == 0 {
		return a, usageError(fmt.Sprintf("--alternate-address %s is not an IP address, with a port or without, such as 192.0.2.2", s))
	}
	return a, nil
}

// firstOfEach is the first address of each family.
func firstOfEach(all []netip.Addr) (first []netip.Addr) {
	seen := map[bool]bool{}
	for _, a := range all {
		if !seen[a.Is4()] && !a.IsLinkLocalUnicast() {
			seen[a.Is4()] = true
			first = append(first, a)
		}
	}
	return first
}

func serveMetrics(l net.Listener, server *relay.Server, log *slog.Logger) (stop func()) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		server.WriteMetrics(w)
	})
	s := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Error("metrics are not served any more", "error", err)
		}
	}()
	log.Info("serving metrics", "url", fmt.Sprintf("http://%v/metrics", l.Addr()))
	return func() { s.Close() }
}
