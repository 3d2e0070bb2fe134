package peerconnection

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/plainrtc/plainrtc/ice"
	"github.com/plainrtc/plainrtc/internal/trace"
	"github.com/plainrtc/plainrtc/turn"
)

// An ICEServer helps to find paths (W3C RTCIceServer). A STUN server tells what
// address it sees us at, and a TURN server relays, too.
type ICEServer struct {
	// URLs have the form of RFC 7064 and RFC 7065: stun:host, turn:host over UDP,
	// turn:host?transport=tcp, turns:host over TLS, turns:host?transport=udp over DTLS,
	// and stuns:host over DTLS, each with :port behind the host if that is not 3478, or
	// 5349 of stuns and turns. The host is a name, an IPv4
	// address, or an IPv6 address in brackets.
	URLs []string

	// Username and Credential are for TURN servers, which need them.
	Username, Credential string

	// Mobility is for TURN servers that let an allocation come along when our own address
	// changes (RFC 8016), as plainrtc turn --mobility does: then the peer need not learn of another
	// relayed candidate. It costs a round trip with those that do not. W3C has no such thing.
	Mobility bool
}

// An ICETransportPolicy says which candidates a connection has (W3C
// RTCIceTransportPolicy).
type ICETransportPolicy string

// The policies.
const (
	ICETransportAll   ICETransportPolicy = "all"   // every kind; what an empty one stands for
	ICETransportRelay ICETransportPolicy = "relay" // those on TURN servers alone, so that the peer learns no address of ours
)

// A serverURL is one of an ICEServer's, whose host is a name or an address.
type serverURL struct {
	host string
	port uint16
	ice.ServerConfig
}

const defaultServerPort, defaultSecurePort = 3478, 5349

// maxServerURLs bounds them: each is asked from each address.
const maxServerURLs = 8

// parseServers reads what the user says of servers.
func parseServers(servers []ICEServer) (all []serverURL, err error) {
	for _, s := range servers {
		if len(s.URLs) == 0 {
			return nil, errors.New("peerconnection: an ICEServer has no URL")
		}
		for _, text := range s.URLs {
			u, err := parseServerURL(text)
			if err != nil {
				return nil, fmt.Errorf("peerconnection: the ICE server %.80q: %w", text, err)
			}
			if u.Kind == ice.TURN {
				if s.Username == "" || s.Credential == "" {
					return nil, fmt.Errorf("peerconnection: the ICE server %.80q needs a Username and a Credential", text)
				}
				u.Username, u.Password, u.Mobility = s.Username, s.Credential, s.Mobility
			}
			all = append(all, u)
		}
	}
	if len(all) > maxServerURLs {
		return nil, fmt.Errorf("peerconnection: %d URLs of ICE servers are more than %d, which is what makes sense to ask", len(all), maxServerURLs)
	}
	return all, nil
}

// parseServerURL reads
//
//	stunURI       = scheme ":" host [ ":" port ]
//	turnURI       = scheme ":" host [ ":" port ] [ "?transport=" transport ]
//
// RFC 7064, Section 3.1; RFC 7065, Section 3.1.
func parseServerURL(text string) (u serverURL, err error) {
	u.URL, u.port = text, defaultServerPort
	scheme, rest, ok := strings.Cut(text, ":")
	scheme = strings.ToLower(scheme)
	secure := scheme == "stuns" || scheme == "turns"
	switch {
	case ok && (scheme == "stun" || scheme == "stuns"):
	case ok && (scheme == "turn" || scheme == "turns"):
		u.Kind = ice.TURN
	default:
		return u, errors.New("it does not begin with stun:, stuns:, turn: or turns:")
	}
	rest, query, asked := strings.Cut(rest, "?")
	transport, named := strings.CutPrefix(strings.ToLower(query), "transport=")
	switch {
	// Where no transport is named, turn is UDP and turns TLS; what
	// STUN servers tell of TCP is of no use to anybody. RFC 7065, Section 3.1; RFC 7350,
	// Section 5.
	case !asked && secure && u.Kind == ice.TURN, secure && transport == "tcp":
		u.Protocol = ice.TLS
	case !asked && secure, secure && transport == "udp":
		u.Protocol = ice.DTLS
	case transport == "tcp":
		u.Protocol = ice.TCP
	}
	switch {
	case !asked:
	case !named || u.Kind != ice.TURN:
		return u, fmt.Errorf("%.40q has no meaning there", "?"+query)
	case transport != "udp" && transport != "tcp":
		return u, fmt.Errorf("%.40s is not supported: transport=udp and transport=tcp are", query)
	}
	if secure {
		u.port = defaultSecurePort
	}
	host, port := rest, ""
	if strings.HasPrefix(rest, "[") {
		end := strings.IndexByte(rest, ']')
		if end < 0 {
			return u, errors.New("a bracket is not closed")
		}
		addr, err := netip.ParseAddr(rest[1:end])
		if err != nil || !addr.Is6() {
			return u, errors.New("what stands in brackets is no IPv6 address")
		}
		host, port = addr.String(), rest[end+1:]
		if port != "" && port[0] != ':' {
			return u, errors.New("behind the bracket there is something else than a port")
		}
		port = strings.TrimPrefix(port, ":")
	} else if i := strings.IndexByte(rest, ':'); i >= 0 {
		host, port = rest[:i], rest[i+1:]
	}
	if host == "" || strings.ContainsAny(host, "/@ ") {
		return u, errors.New("there is no host in it, or more than that and a port")
	}
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return u, fmt.Errorf("%.20q is no port", port)
		}
		u.port = uint16(n)
	}
	u.host = host
	return u, nil
}

// resolved is the server at an address of its host.
func (u serverURL) resolved(a netip.Addr) ice.ServerConfig {
	s := u.ServerConfig
	s.Addr = netip.AddrPortFrom(a.Unmap(), u.port)
	if _, err := netip.ParseAddr(u.host); err != nil {
		s.Name = u.host
	}
	return s
}

// takeServers takes the servers to ask, and returns those whose names must be
// resolved first: each is to be told to serverResolved.
func (c *core) takeServers(urls []serverURL) (names []serverURL) {
	for _, u := range urls {
		if a, err := netip.ParseAddr(u.host); err == nil {
			c.servers = append(c.servers, u.resolved(a))
		} else {
			names = append(names, u)
			c.unresolved++
		}
	}
	return names
}

// serverResolved tells the addresses of a server whose name was to be resolved,
// or that it has none. One of each family is enough.
func (c *core) serverResolved(now time.Time, u serverURL, addresses []netip.Addr, err error) {
	c.unresolved--
	if err != nil {
		c.cfg.Trace.Note(now, trace.ICE, "the ICE server "+u.URL+" is not asked: "+err.Error())
		c.candidateFailed(ICECandidateError{URL: u.URL, ErrorCode: notReached, ErrorText: err.Error()})
	}
	var seen4, seen6 bool
	for _, a := range addresses {
		a = a.Unmap()
		if a.Is4() && seen4 || a.Is6() && seen6 {
			continue
		}
		seen4, seen6 = seen4 || a.Is4(), seen6 || a.Is6()
		s := u.resolved(a)
		c.servers = append(c.servers, s)
		if c.gathering != ICEGatheringNew {
			c.addServer(now, s)
		}
	}
	if c.unresolved == 0 && c.gathering != ICEGatheringNew {
		c.ice.EndOfLocalCandidates(now)
	}
	c.pump(now)
}

func (c *core) addServer(now time.Time, s ice.ServerConfig) {
	if err := c.ice.AddServer(now, s); err != nil {
		c.cfg.Trace.Note(now, trace.ICE, "the ICE server "+s.URL+" is not asked: "+err.Error())
	}
}

// An ICECandidateError says what an ICE server did not bring, and why (W3C
// RTCPeerConnectionIceErrorEvent). It need not matter: others may do.
type ICECandidateError struct {
	Address   string // ours, that the server was asked from
	Port      uint16
	URL       string // as in ICEServer
	ErrorCode int    // the server's, as RFC 8489 and RFC 8656 have them; 701 if it was not reached
	ErrorText string
}

// maxCandidateErrors bounds how many are kept.
const maxCandidateErrors = 64

// notReached is W3C's code: "If the server could not be reached, errorCode will be set to the
// value 701".
const notReached = 701

func (c *core) serverFailed(e ice.ServerFailed) {
	failed := ICECandidateError{
		Address: e.Base.Addr().String(), Port: e.Base.Port(), URL: e.Server.URL, ErrorCode: int(e.Code), ErrorText: e.Err.Error(),
	}
	if failed.ErrorCode == 0 {
		failed.ErrorCode = notReached
	}
	c.candidateFailed(failed)
}

func (c *core) candidateFailed(e ICECandidateError) {
	if len(c.candidateErrors) < maxCandidateErrors {
		c.candidateErrors = append(c.candidateErrors, e)
	}
}

// headroom is room for a relay's header.
var headroom [turn.Headroom]byte

// newAgent makes the ICE agent.
func (c *core) newAgent() *ice.Agent {
	policy := ice.PolicyAll
	if c.cfg.ICETransportPolicy == ICETransportRelay {
		policy = ice.PolicyRelay
	}
	return ice.New(ice.Config{Rand: c.cfg.Rand, Trace: c.cfg.Trace, Policy: policy})
}
