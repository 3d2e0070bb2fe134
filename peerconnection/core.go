package peerconnection

import (
	"crypto/x509"
	"errors"
	"io"
	"math"
	"net/netip"
	"time"

	"github.com/plainrtc/plainrtc/dtls"
	"github.com/plainrtc/plainrtc/ice"
	"github.com/plainrtc/plainrtc/internal/timers"
	"github.com/plainrtc/plainrtc/internal/trace"
	"github.com/plainrtc/plainrtc/sctp"
)

// A core is the whole stack without I/O: the layers, composed. It moves bytes
// between them; they do not know each other. It has the five verbs of a core,
// with the path that a datagram takes added; [PeerConnection] is its shell.
type core struct {
	cfg coreConfig
	pc  *PeerConnection // for the data channels that the core makes

	ice        *ice.Agent
	former     *ice.Agent         // closed by releaseTransport, with something left to say; or nil
	servers    []ice.ServerConfig // to gather candidates from
	unresolved int                // servers whose names are being resolved
	streams    []ice.Event        // what the shell is asked for: ice.Dial and ice.HangUp
	// tcpAddresses are where peers may arrive over TCP; tcpActive: we may go to them.
	tcpAddresses []netip.AddrPort
	tcpActive    bool
	// tcpOpen is where both may come and go, for simultaneous opens, and tcpOpenTold what ICE knows of it.
	tcpOpen, tcpOpenTold []netip.AddrPort
	tunnels              []*tunnel         // DTLS to servers
	dtls                 *dtls.Conn        // nil until the roles are negotiated
	dtlsClient           bool              // valid with dtls
	sctp                 *sctp.Association // nil until DTLS is established
	sctpUp               bool              // the association is established
	sctpEnded            bool              // and is no more: there will be no data channel
	// early holds DTLS datagrams that overtook the remote description.
	early []earlyDatagram

	negotiation
	rtpTransport

	channels   map[uint16]*DataChannel // by stream
	opening    []*DataChannel          // made by the user, not open yet
	unaccepted []*DataChannel          // made by the peer, not accepted yet
	labelBytes int                     // of channels of the peer's making

	iceState        ice.State
	dtlsUp          bool
	gathering       ICEGatheringState
	localCandidates []ICECandidate // gathered, not yet taken by NextICECandidate
	hiding          *hiding        // nil where nobody hides an address
	selected        ice.Path
	linkMTU         int // of the interface at its beginning; zero: not known
	pathChanges     uint32
	// ended is set for good, with endedErr, by close, by the peer's close and by a failed handshake.
	ended    bool
	closed   bool
	endedErr error
	state    ConnectionState

	stateChanged      gate // any state, or the end
	channelAccepted   gate // unaccepted has grown
	candidateGathered gate // localCandidates or gathering has changed

	candidateErrors []ICECandidateError

	endTold     bool // NextICECandidate has said that these were all candidates
	mayFragment bool // the datagram that AppendPacket returned last may be fragmented

	channelsMade, channelsOpened, channelsClosed uint32
	bytesSent, bytesReceived                     uint64
	packetsSent, packetsReceived                 uint64
}

// A coreConfig is what a core needs to know.
type coreConfig struct {
	Rand        io.Reader
	Trace       *trace.Tracer
	Certificate *dtls.Certificate
	// MaxMessageSize is the largest message we take, in bytes.
	MaxMessageSize     int
	BundlePolicy       BundlePolicy
	ICETransportPolicy ICETransportPolicy
	RootCAs            *x509.CertPool
	HideHostAddresses  bool

	MaxDTLSVersion dtls.Version
	DTLSGroups     []dtls.Group
	// SRTPProfiles are offered even for data alone: peers that could add media later
	// refuse a handshake without use_srtp (RFC 5764, Section 4.1).
	SRTPProfiles []dtls.SRTPProfile
}

// An earlyDatagram came before there was anybody to read it.
type earlyDatagram struct {
	path ice.Path
	data []byte
}

// maxEarlyDatagrams bounds early: a ClientHello and its retransmission.
const maxEarlyDatagrams = 4

func (c *core) init(pc *PeerConnection, cfg coreConfig) error {
	c.cfg, c.pc = cfg, pc
	c.channels = make(map[uint16]*DataChannel)
	c.ice = c.newAgent()
	c.credentials = c.ice.LocalCredentials()
	return c.negotiation.init(cfg.Rand)
}

// Receive takes a datagram that arrived on path.
func (c *core) Receive(now time.Time, path ice.Path, b []byte) {
	if c.closed {
		return
	}
	c.packetsReceived++
	c.bytesReceived += uint64(len(b))
	c.cfg.Trace.Packet(now, trace.UDP, trace.In, path.Local, path.Remote, b)
	if t := c.tunnelAt(path); t != nil && classify(b) == datagramDTLS {
		c.receiveTunnel(now, t, b)
	} else {
		c.receiveDatagram(now, path, b)
	}
	c.pump(now)
}

// receiveDatagram takes a datagram, or one message of a connection.
func (c *core) receiveDatagram(now time.Time, path ice.Path, b []byte) {
	if b, path = c.ice.Unwrap(now, path, b); len(b) == 0 {
		return
	}
	switch classify(b) {
	case datagramSTUN:
		if c.ended {
			c.drop(now, trace.PC, dropEnded, len(b))
			return
		}
		c.ice.Receive(now, path, b)
	case datagramDTLS:
		c.receiveDTLS(now, path, b)
	case datagramRTP:
		c.receiveRTP(now, path, b)
	default:
		c.drop(now, trace.PC, dropUnknownKind, len(b))
	}
}

func (c *core) drop(now time.Time, layer trace.Layer, reason string, size int) {
	c.cfg.Trace.Drop(now, layer, reason, size)
}

// Advance fires the timers that are due.
func (c *core) Advance(now time.Time) {
	if c.closed {
		return
	}
	if !c.ended {
		c.ice.Advance(now)
		c.advanceTunnels(now)
	}
	if c.dtls != nil {
		c.dtls.Advance(now)
	}
	if c.rtp != nil && !c.ended {
		c.rtp.Advance(now)
	}
	if c.sctp != nil && !c.ended {
		c.sctp.Advance(now)
	}
	c.pump(now)
}

// AppendPacket appends the next datagram to b and says where it goes. This is
// the order of the whole stack: the search for a path before the handshake on
// it, the handshake before media, media before data.
func (c *core) AppendPacket(now time.Time, b []byte) ([]byte, ice.Path) {
	start := len(b)
	b, path := c.appendDatagram(now, b)
	for len(b) > start && path.Protocol == ice.DTLS {
		if b, path = c.sealTunnel(b, start, path); len(b) == start { // it is lost
			b, path = c.appendDatagram(now, b)
		}
	}
	if len(b) == start {
		b, path = c.appendTunnels(now, b)
	}
	if len(b) > start {
		c.packetsSent++
		c.bytesSent += uint64(len(b) - start)
		c.cfg.Trace.Packet(now, trace.UDP, trace.Out, path.Local, path.Remote, b[start:])
	}
	return b, path
}

// appendDatagram appends what goes next where the agent says.
func (c *core) appendDatagram(now time.Time, b []byte) ([]byte, ice.Path) {
	start := len(b)
	c.mayFragment = false
	var path ice.Path
	if c.former != nil {
		if b, path = c.former.AppendPacket(now, b); len(b) == start {
			c.takeStreamEvents(now, c.former)
			c.former = nil
		}
	}
	if len(b) == start && (!c.ended || c.closed) { // closed: goodbyes to servers
		b, path = c.ice.AppendPacket(now, b)
	}
	for len(b) == start && c.dtls != nil {
		var ok bool
		if path, ok = c.ice.SelectedPath(); !ok {
			return b, path
		}
		if !c.ice.Relayed(path) {
			if b = c.appendUpper(now, b, path); len(b) > start {
				c.ice.SentData(now, len(b)-start)
			}
			break
		}
		body := start + len(headroom)
		if b = c.appendUpper(now, append(b, headroom[:]...), path); len(b) == body {
			b = b[:start]
			break
		}
		c.ice.SentData(now, len(b)-body)
		b, path = c.ice.Wrap(now, path, b, start) // or it is lost, and the next one's turn
	}
	return b, path
}

// appendUpper appends what goes on the selected path.
func (c *core) appendUpper(now time.Time, b []byte, path ice.Path) []byte {
	start := len(b)
	if c.ended && c.rtp != nil {
		b = c.appendRTP(now, b, path) // goodbyes, before the alert after which nobody listens
	}
	if len(b) == start {
		b = c.dtls.AppendPacket(now, b)
	}
	if len(b) == start && c.rtp != nil {
		b = c.appendRTP(now, b, path)
	}
	if len(b) == start && c.sctp != nil {
		b = c.appendSCTP(now, b, path)
	}
	return b
}

// appendSCTP builds an SCTP packet where its record's plaintext will be, and
// seals it there.
func (c *core) appendSCTP(now time.Time, b []byte, path ice.Path) []byte {
	start := len(b)
	b = c.dtls.AppendRecordHeader(b)
	body := len(b)
	b = c.sctp.AppendPacket(now, b)
	c.mayFragment = c.sctp.MayFragment()
	if len(b) == body {
		return b[:start]
	}
	c.cfg.Trace.Packet(now, trace.SCTP, trace.Out, path.Local, path.Remote, b[body:])
	return c.dtls.SealRecord(b, start)
}

// NextTimeout is when Advance is to be called next; zero means never.
func (c *core) NextTimeout() time.Time {
	if c.closed {
		return time.Time{}
	}
	// Once the connection has ended there is nothing left to say but why, which
	// is DTLS's: no path is looked after any more.
	var next time.Time
	if !c.ended {
		next = timers.Earlier(c.ice.NextTimeout(), c.tunnelTimeout())
	}
	if c.dtls != nil {
		next = timers.Earlier(next, c.dtls.NextTimeout())
	}
	if c.srtpOut != nil && !c.ended {
		next = timers.Earlier(next, c.rtp.NextTimeout())
	}
	if c.sctp != nil && !c.ended {
		next = timers.Earlier(next, c.sctp.NextTimeout())
	}
	return next
}

// pump carries what one layer has to say to the others, until none has more. It
// reports whether there was anything.
func (c *core) pump(now time.Time) (anything bool) {
	for again := true; again; {
		again = false
		for {
			e, ok := c.ice.NextEvent()
			if !ok {
				break
			}
			again, anything = true, true
			c.iceEvent(now, e)
		}
		for c.dtls != nil {
			e, ok := c.dtls.NextEvent()
			if !ok {
				break
			}
			again, anything = true, true
			c.dtlsEvent(now, e)
		}
		if c.rtp != nil && c.pumpMedia(now) {
			again, anything = true, true
		}
		if c.sctp != nil {
			// Messages before events: the last message of a channel comes
			// before the reset that ends it.
			c.takeMessages(now)
			for {
				e, ok := c.sctp.NextEvent()
				if !ok {
					break
				}
				again, anything = true, true
				c.sctpEvent(now, e)
			}
		}
	}
	c.updateState(now)
	return anything
}

// takeMessages brings what has arrived to its channels.
func (c *core) takeMessages(now time.Time) {
	for {
		m, ok := c.sctp.NextMessage()
		if !ok {
			return
		}
		c.receiveMessage(now, m)
	}
}

func (c *core) iceEvent(now time.Time, e ice.Event) {
	switch e := e.(type) {
	case ice.StateChanged:
		c.iceState = e.State
		c.stateChanged.signal()
	case ice.CandidateGathered:
		c.candidateFound(e.Candidate)
	case ice.GatheringDone:
		c.gathering = ICEGatheringComplete
		c.candidateGathered.signal()
		c.stateChanged.signal()
	case ice.PathSelected:
		if e.Path != c.selected {
			c.selected = e.Path
			c.pathChanges++
			if c.sctp != nil {
				c.sctp.PathChanged(now)
			}
		}
		c.connectDTLS(now)
	case ice.Dial, ice.HangUp:
		c.streamEvent(now, e)
	case ice.ServerFailed:
		c.serverFailed(e)
	case ice.RoleChanged:
	}
}

// startSCTP makes the association that the data channels run over. Both sides
// begin at once: whoever gets its INIT through first saves a round trip. If the
// descriptions had both INIT chunks (SNAP), it is established already.
func (c *core) startSCTP(now time.Time) {
	if c.sctp != nil {
		return
	}
	cfg := c.sctpConfig()
	cfg.LocalInit, cfg.RemoteInit = c.localInit, c.remoteInit
	cfg.MTU = c.anyMTU()
	cfg.MaxMTU, cfg.Headers = c.maxMTU()
	c.sctp = sctp.New(cfg)
	c.sctp.Connect(now)
	c.startChannels(now)
}

// sctpConfig is what is known of the association before there is a path.
func (c *core) sctpConfig() sctp.Config {
	return sctp.Config{
		Rand: c.cfg.Rand, Trace: c.cfg.Trace,
		LocalPort: sctpPort, RemotePort: c.remoteSCTPPort,
		DTLS: true, MaxMessageSize: c.cfg.MaxMessageSize,
		OutStreams: maxStreams, InStreams: maxStreams,
		// Whether the peer is alive is ICE's to say (RFC 7675): a path that was
		// lost may come back, or an ICE restart find another, however long that
		// takes, and the messages go on.
		MaxRetransmits: math.MaxInt32, MaxInitRetransmits: math.MaxInt32,
	}
}

func (c *core) sctpEvent(now time.Time, e sctp.Event) {
	switch e := e.(type) {
	case sctp.Established:
		c.sctpUp = true
		c.startChannels(now)
	case sctp.BufferedAmountLow:
		if d := c.channels[e.Stream]; d != nil {
			d.writable.signal()
		}
	case sctp.StreamsReset:
		c.streamsReset(now, e.Streams)
	case sctp.StreamsResetDone:
		c.streamsResetDone(now, e.Streams)
	case sctp.Restarted:
		// A restart inside a DTLS association means that the peer has lost
		// its data channels and kept its keys: none of ours is left.
		c.endChannels(errors.New("peerconnection: the peer has restarted its SCTP association"))
	case sctp.Closed:
		c.sctpUp, c.sctpEnded = false, true
		c.endChannels(e.Err)
		c.channelAccepted.signal()
	}
}
