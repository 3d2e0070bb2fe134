package turn

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"time"

	"github.com/plainrtc/plainrtc/internal/trace"
	"github.com/plainrtc/plainrtc/stun"
)

// A Protocol is a transport between client and server.
type Protocol uint8

// The protocols.
const (
	UDP Protocol = iota
	TCP
	TLS
	DTLS
)

func (p Protocol) String() string { return [...]string{"UDP", "TCP", "TLS", "DTLS"}[p&3] }

// Stream reports whether the protocol is a stream of bytes.
func (p Protocol) Stream() bool { return p == TCP || p == TLS }

// A FiveTuple identifies a client's allocation: the addresses of both ends and
// the protocol. RFC 8656, Section 6.
type FiveTuple struct {
	Client, Server netip.AddrPort
	Protocol       Protocol
}

func (t FiveTuple) String() string {
	return fmt.Sprintf("%v %v→%v", t.Protocol, t.Client, t.Server)
}

// A ServerConfig says whom to serve, and how much.
type ServerConfig struct {
	// Realm names whose the server is: what a client's user sees when asked for
	// a password. It is short: at most 127 bytes.
	Realm string

	// Users are the static users and their passwords. The Server keeps keys made
	// of them, and not the map.
	Users map[string]string

	// Secrets authenticate time-limited users, as the services of browsers hand
	// them out: the username is a time in Unix seconds, a colon and a name, or the
	// time alone; the password is the HMAC-SHA1 of the username under the
	// secret, in base 64. Several secrets allow to change them.
	Secrets []string

	// Algorithms are the password algorithms, the best first; nil means SHA-256
	// and MD5. MD5 alone does not offer any choice, as before RFC 8489.
	Algorithms []stun.PasswordAlgorithm

	// IPv6 says that the shell can open relays with IPv6 addresses, NoIPv4 that it
	// cannot open others.
	IPv6, NoIPv4 bool

	// DontFragment says that the shell can send with the DF bit. Without it
	// DONT-FRAGMENT is an attribute that is not understood.
	DontFragment bool

	// Lifetime is that of an allocation whose client asks for less or nothing; 0
	// means 10 minutes. MaxLifetime is the most that a client gets; 0 means an hour.
	Lifetime, MaxLifetime time.Duration

	// MaxAllocations bounds all allocations, MaxUserAllocations those of one
	// user; 0 means 100,000, and no bound.
	MaxAllocations, MaxUserAllocations int

	// TCPRelays lets clients on TCP and TLS have their connections with peers relayed (RFC
	// 6062), and MaxPeerConnections bounds those of all; 0 means 10,000. Nothing in WebRTC
	// asks for it, and it leads to services that datagrams do not reach.
	TCPRelays          bool
	MaxPeerConnections int

	// UserBandwidth is how many bytes a second the allocations of one user may
	// carry together, both directions, headers not counted; 0 means no bound.
	UserBandwidth int

	// DeniedPeers are not relayed to; nil means DefaultDeniedPeers. Nor are
	// OwnAddresses, the host's: those of relays and of 5-tuples need not be
	// listed. AllowedPeers are exceptions from both.
	DeniedPeers, AllowedPeers []netip.Prefix
	OwnAddresses              []netip.Addr

	// UnknownRate is how many requests a second of one source (an IPv4 address, an
	// IPv6 /64) are answered or tried that no allocation authenticates; four
	// times as many at once. UnknownTotal is that for all sources of UDP together.
	// 0 means 16 and 10,000.
	UnknownRate, UnknownTotal int

	// NonceLifetime is how long a nonce is good for; 0 means an hour.
	NonceLifetime time.Duration

	// Mobility lets a client take its allocation to another address (RFC 8016).
	Mobility bool

	// Alternate is where clients are sent that cannot be served any more, because
	// the server drains or is full. Without it they get error 508.
	Alternate netip.AddrPort

	// Discovery are the pairs of addresses with which clients may find out what their NAT does
	// (RFC 5780), one of each family; nil: they may not.
	Discovery []Discovery

	Software string // sent in SOFTWARE to those who are authenticated; "" for none
	Rand     io.Reader
	Trace    *trace.Tracer
}

// maxRealm keeps the answer to an unauthenticated request small. See the test
// of amplification.
const maxRealm = 127

// A Server is the server's side: of all its allocations.
type Server struct {
	config      ServerConfig
	allocations map[FiveTuple]*allocation
	relays      map[RelayID]*relay
	addresses   map[endpoint]*relay // by relayed transport address
	relayHosts  map[netip.Addr]int  // how many relays have this address
	reserved    map[[8]byte]*relay  // by reservation token
	connections map[ConnectionID]*peerConnection
	static      map[string]credential // static users
	users       map[string]*user      // those that have allocations
	userhashes  map[[sha256.Size]byte]string
	expiries    expiries
	nonces      nonces
	tickets     tickets
	policy      policy
	limiter     limiter
	understood  func(stun.AttributeType) bool // which attributes are
	lastRelay   RelayID
	recent      *allocation // whose data came last; nil for none
	draining    bool
	stats       Stats
	suspected   [numAbuses]time.Time // when each kind of abuse was told of last

	responses []response
	taken     int // how many of responses AppendPacket wrote
	events    []ServerEvent
	toPeer    ToPeer
	toClient  ToClient
	hasPeer   bool
	hasClient bool

	indications uint64 // Data indications so far
}

// NewServer returns a Server without allocations.
func NewServer(config ServerConfig) (*Server, error) {
	if config.Rand == nil {
		return nil, fmt.Errorf("turn: ServerConfig.Rand must be set: the secrets behind nonces and tickets come from it")
	}
	if _, err := stun.OpaqueString(config.Realm); err != nil || len(config.Realm) > maxRealm {
		return nil, fmt.Errorf("turn: ServerConfig.Realm %q must be text of 1 to %d bytes", config.Realm, maxRealm)
	}
	if len(config.Users) == 0 && len(config.Secrets) == 0 {
		return nil, fmt.Errorf("turn: ServerConfig has neither Users nor Secrets: nobody could use the server")
	}
	if config.Algorithms == nil {
		config.Algorithms = []stun.PasswordAlgorithm{stun.AlgorithmSHA256, stun.AlgorithmMD5}
	}
	for _, a := range config.Algorithms {
		if a != stun.AlgorithmMD5 && a != stun.AlgorithmSHA256 {
			return nil, fmt.Errorf("turn: ServerConfig.Algorithms has %v, which is not known", a)
		}
	}
	setDefault(&config.Lifetime, defaultLifetime)
	setDefault(&config.MaxLifetime, time.Hour)
	setDefault(&config.MaxAllocations, 100_000)
	setDefault(&config.MaxPeerConnections, 10_000)
	setDefault(&config.UnknownRate, 16)
	setDefault(&config.UnknownTotal, 10_000)
	setDefault(&config.NonceLifetime, time.Hour)
	config.MaxLifetime = max(config.MaxLifetime, config.Lifetime)
	if config.DeniedPeers == nil {
		config.DeniedPeers = DefaultDeniedPeers()
	}

	var seed [2*sha256.Size + 16]byte
	if _, err := io.ReadFull(config.Rand, seed[:]); err != nil {
		return nil, fmt.Errorf("turn: reading ServerConfig.Rand: %w", err)
	}
	s := &Server{
		config:      config,
		allocations: map[FiveTuple]*allocation{},
		relays:      map[RelayID]*relay{},
		addresses:   map[endpoint]*relay{},
		connections: map[ConnectionID]*peerConnection{},
		relayHosts:  map[netip.Addr]int{},
		reserved:    map[[8]byte]*relay{},
		static:      map[string]credential{},
		users:       map[string]*user{},
		policy:      newPolicy(config),
		limiter:     newLimiter(config.UnknownRate, config.UnknownTotal, seed[:16]),
		tickets:     tickets{mac: hmac.New(sha256.New, seed[16:16+sha256.Size])},
	}
	s.understood = understood
	if !config.DontFragment {
		s.understood = understoodButDF
	}
	var features stun.SecurityFeatures
	if !slices.Equal(config.Algorithms, []stun.PasswordAlgorithm{stun.AlgorithmMD5}) {
		features |= stun.FeaturePasswordAlgorithms
	}
	// Time-limited names are not known in advance, so neither are their hashes.
	if len(config.Secrets) == 0 {
		features |= stun.FeatureUsernameAnonymity
		s.userhashes = map[[sha256.Size]byte]string{}
		for name := range config.Users {
			hash, err := stun.Userhash(name, config.Realm)
			if err != nil {
				return nil, fmt.Errorf("turn: the username %q cannot be used: %w", name, err)
			}
			s.userhashes[hash] = name
		}
	}
	for name, password := range config.Users {
		c, err := newCredential(name, config.Realm, password)
		if err != nil {
			return nil, fmt.Errorf("turn: the username %q or its password cannot be used: %w", name, err)
		}
		s.static[name] = c
	}
	s.config.Users = nil
	s.nonces = newNonces(seed[16+sha256.Size:], config.NonceLifetime, features)
	return s, nil
}

func setDefault[T int | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}

// A ServerEvent is what the shell has to do or know: one of the structs below.
type ServerEvent interface{ serverEvent() }

// A RelayID names a relay's socket. It is not used again.
type RelayID uint64

// OpenRelay asks the shell to open a socket on a relayed address, and to
// say so by RelayOpened or RelayFailed.
type OpenRelay struct {
	Relay RelayID
	IPv6  bool

	// TCP says that it is to listen for connections: each goes to PeerAccepted. What
	// ConnectPeer asks for leaves from its address.
	TCP bool

	// EvenPort says that the port must be even, and Next, if not zero, that the
	// port above it must be opened too: as this relay.
	EvenPort bool
	Next     RelayID
}

// CloseRelay asks the shell to close a relay's socket, whatever became of it.
type CloseRelay struct{ Relay RelayID }

// Drained tells that the last allocation ended after Drain.
type Drained struct{}

func (OpenRelay) serverEvent()  {}
func (CloseRelay) serverEvent() {}
func (Drained) serverEvent()    {}

// NextEvent returns the next event.
func (s *Server) NextEvent() (ServerEvent, bool) {
	if len(s.events) == 0 {
		return nil, false
	}
	e := s.events[0]
	if s.events = s.events[1:]; len(s.events) == 0 {
		s.events = nil
	}
	return e, true
}

// Drain ends the service without ending anybody's call: whoever has an
// allocation may keep and refresh it, new ones are refused or sent to
// ServerConfig.Alternate. The event Drained follows when none is left.
func (s *Server) Drain(now time.Time) {
	if s.draining {
		return
	}
	s.config.Trace.State(now, trace.TURN, "serving", "draining")
	s.draining = true
	s.drained(now)
}

func (s *Server) drained(now time.Time) {
	if s.draining && len(s.allocations) == 0 {
		s.config.Trace.State(now, trace.TURN, "draining", "drained")
		s.events = append(s.events, Drained{})
	}
}

// Stats returns the counters.
func (s *Server) Stats() Stats {
	s.stats.Allocations = len(s.allocations)
	return s.stats
}

// Allocated reports whether a client has an allocation, or its relay is being opened.
func (s *Server) Allocated(from FiveTuple) bool { return s.allocations[from] != nil }
