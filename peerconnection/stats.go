package peerconnection

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"net/netip"
	"time"

	"github.com/plainrtc/plainrtc/dtls"
	"github.com/plainrtc/plainrtc/ice"
	"github.com/plainrtc/plainrtc/sctp"
)

// Stats counts what a connection did, under the names and in the units of W3C's
// "Identifiers for WebRTC's Statistics API": as JSON each part reads as the
// dictionary of that name, with times in seconds. An id stays the same as long
// as the thing does that it names. What W3C does not have says so.
type Stats struct {
	Timestamp        time.Time            `json:"timestamp"`
	PeerConnection   PeerConnectionStats  `json:"peer-connection"`
	Transport        TransportStats       `json:"transport"`
	SCTPTransport    SCTPTransportStats   `json:"sctp-transport"`
	CandidatePairs   []CandidatePairStats `json:"candidate-pair"`
	LocalCandidates  []ICECandidateStats  `json:"local-candidate"`
	RemoteCandidates []ICECandidateStats  `json:"remote-candidate"`
	Certificates     []CertificateStats   `json:"certificate"`
	DataChannels     []DataChannelStats   `json:"data-channel"`

	// Of media; see mediastats.go.
	Codecs            []CodecStats             `json:"codec"`
	InboundRTP        []InboundRTPStats        `json:"inbound-rtp"`
	OutboundRTP       []OutboundRTPStats       `json:"outbound-rtp"`
	RemoteInboundRTP  []RemoteInboundRTPStats  `json:"remote-inbound-rtp"`
	RemoteOutboundRTP []RemoteOutboundRTPStats `json:"remote-outbound-rtp"`
	MediaSources      []MediaSourceStats       `json:"media-source"`
}

// PeerConnectionStats is RTCPeerConnectionStats.
type PeerConnectionStats struct {
	ID                 string `json:"id"`
	DataChannelsOpened uint32 `json:"dataChannelsOpened"`
	DataChannelsClosed uint32 `json:"dataChannelsClosed"`
}

// TransportStats is RTCTransportStats. Bytes are those of UDP payloads.
type TransportStats struct {
	ID                           string `json:"id"`
	PacketsSent                  uint64 `json:"packetsSent"`
	PacketsReceived              uint64 `json:"packetsReceived"`
	BytesSent                    uint64 `json:"bytesSent"`
	BytesReceived                uint64 `json:"bytesReceived"`
	ICERole                      string `json:"iceRole"` // "controlling" or "controlled"
	ICELocalUsernameFragment     string `json:"iceLocalUsernameFragment"`
	ICEState                     string `json:"iceState"`
	DTLSState                    string `json:"dtlsState"`            // new, connecting, connected, closed, failed
	DTLSRole                     string `json:"dtlsRole"`             // client, server, or unknown
	TLSVersion                   string `json:"tlsVersion,omitempty"` // as on the wire: FEFD is DTLS 1.2, FEFC is 1.3
	DTLSCipher                   string `json:"dtlsCipher,omitempty"`
	DTLSGroup                    string `json:"dtlsGroup,omitempty"` // ours: of the key exchange, such as X25519MLKEM768
	SRTPCipher                   string `json:"srtpCipher,omitempty"`
	SelectedCandidatePairID      string `json:"selectedCandidatePairId,omitempty"`
	SelectedCandidatePairChanges uint32 `json:"selectedCandidatePairChanges"`
	LocalCertificateID           string `json:"localCertificateId,omitempty"`
	RemoteCertificateID          string `json:"remoteCertificateId,omitempty"`
}

// SCTPTransportStats is RTCSctpTransportStats, with counters of our own.
type SCTPTransportStats struct {
	ID                    string  `json:"id"`
	SmoothedRoundTripTime float64 `json:"smoothedRoundTripTime"` // seconds
	CongestionWindow      int     `json:"congestionWindow"`      // bytes
	ReceiverWindow        int     `json:"receiverWindow"`        // bytes, the peer's
	MTU                   int     `json:"mtu"`                   // bytes

	// Detail is ours; its times are in nanoseconds.
	Detail sctp.Stats `json:"detail"`
}

// CandidatePairStats is RTCIceCandidatePairStats.
type CandidatePairStats struct {
	ID                   string  `json:"id"`
	TransportID          string  `json:"transportId"`
	LocalCandidateID     string  `json:"localCandidateId"`
	RemoteCandidateID    string  `json:"remoteCandidateId"`
	State                string  `json:"state"`
	Nominated            bool    `json:"nominated"`
	CurrentRoundTripTime float64 `json:"currentRoundTripTime"` // seconds
	TotalRoundTripTime   float64 `json:"totalRoundTripTime"`   // seconds, of all ResponsesReceived
	RequestsSent         uint64  `json:"requestsSent"`
	RequestsReceived     uint64  `json:"requestsReceived"`
	ResponsesReceived    uint64  `json:"responsesReceived"`

	// Datagrams and their payload beside connectivity checks; received: those that were
	// authentic.
	PacketsSent     uint64 `json:"packetsSent"`
	PacketsReceived uint64 `json:"packetsReceived"`
	BytesSent       uint64 `json:"bytesSent"`
	BytesReceived   uint64 `json:"bytesReceived"`

	// AvailableOutgoingBitrate is what media may use, in bit/s: of the selected pair,
	// once the peer's feedback has told.
	AvailableOutgoingBitrate float64 `json:"availableOutgoingBitrate,omitempty"`

	// Selected is ours: data goes there now.
	Selected bool `json:"selected"`
}

// ICECandidateStats is RTCIceCandidateStats.
type ICECandidateStats struct {
	ID          string `json:"id"`
	TransportID string `json:"transportId"`

	// Address is the name that hides it, where there is one, and empty where only
	// checks have revealed it: what the program was not told, it is not told here either.
	Address          string `json:"address"`
	Port             uint16 `json:"port"`
	Protocol         string `json:"protocol"`
	CandidateType    string `json:"candidateType"`
	Priority         uint32 `json:"priority"`
	Foundation       string `json:"foundation"`
	UsernameFragment string `json:"usernameFragment,omitempty"`
	RelatedAddress   string `json:"relatedAddress,omitempty"`
	RelatedPort      uint16 `json:"relatedPort,omitempty"`
	TCPType          string `json:"tcpType,omitempty"`

	// Of local candidates that a server told: its URL, and how we reach a TURN server.
	URL           string `json:"url,omitempty"`
	RelayProtocol string `json:"relayProtocol,omitempty"`
}

// CertificateStats is RTCCertificateStats.
type CertificateStats struct {
	ID                   string `json:"id"`
	Fingerprint          string `json:"fingerprint"`
	FingerprintAlgorithm string `json:"fingerprintAlgorithm"`
	Base64Certificate    string `json:"base64Certificate"`
}

// DataChannelStats is RTCDataChannelStats. A closed channel is not listed.
type DataChannelStats struct {
	ID                    string `json:"id"`
	Label                 string `json:"label"`
	Protocol              string `json:"protocol"`
	DataChannelIdentifier uint16 `json:"dataChannelIdentifier"`
	State                 string `json:"state"`
	MessagesSent          uint64 `json:"messagesSent"`
	BytesSent             uint64 `json:"bytesSent"`
	MessagesReceived      uint64 `json:"messagesReceived"`
	BytesReceived         uint64 `json:"bytesReceived"`
}

const transportID = "T"

// Stats returns the connection's counters and variables as they are now.
func (pc *PeerConnection) Stats() Stats {
	now := pc.enter()
	defer pc.mu.Unlock()
	return pc.core.stats(now)
}

func (c *core) stats(now time.Time) Stats {
	s := Stats{
		Timestamp:        now,
		CandidatePairs:   []CandidatePairStats{}, // lists, and not null, in JSON
		LocalCandidates:  []ICECandidateStats{},
		RemoteCandidates: []ICECandidateStats{},
		DataChannels:     []DataChannelStats{},
		Codecs:           []CodecStats{}, InboundRTP: []InboundRTPStats{}, OutboundRTP: []OutboundRTPStats{},
		RemoteInboundRTP: []RemoteInboundRTPStats{}, RemoteOutboundRTP: []RemoteOutboundRTPStats{}, MediaSources: []MediaSourceStats{},
		PeerConnection: PeerConnectionStats{ID: "P", DataChannelsOpened: c.channelsOpened, DataChannelsClosed: c.channelsClosed},
		Transport: TransportStats{
			ID:          transportID,
			PacketsSent: c.packetsSent, PacketsReceived: c.packetsReceived,
			BytesSent: c.bytesSent, BytesReceived: c.bytesReceived,
			ICERole: "controlled", ICELocalUsernameFragment: c.credentials.Ufrag, ICEState: c.iceState.String(),
			DTLSState: c.dtlsState(), DTLSRole: "unknown",
			SelectedCandidatePairChanges: c.pathChanges,
		},
	}
	if c.ice.Controlling() {
		s.Transport.ICERole = "controlling"
	}
	local := c.certificate(&s, "local", c.cfg.Certificate.DER)
	s.Transport.LocalCertificateID = local
	if c.dtls != nil {
		c.dtlsStats(&s)
	}
	c.iceStats(&s)
	if c.sctp != nil {
		detail := c.sctp.Stats()
		s.SCTPTransport = SCTPTransportStats{
			ID: "S", SmoothedRoundTripTime: detail.SRTT.Seconds(), CongestionWindow: detail.CongestionWindow,
			ReceiverWindow: detail.PeerWindow, MTU: detail.PathMTU, Detail: detail,
		}
	}
	if c.rtp != nil {
		c.mediaStats(&s)
	}
	for id := range uint16(maxStreams) {
		if d := c.channels[id]; d != nil {
			s.DataChannels = append(s.DataChannels, DataChannelStats{
				ID: fmt.Sprint("D", id), Label: d.label, Protocol: d.protocol, DataChannelIdentifier: id, State: d.state.String(),
				MessagesSent: d.messagesSent, BytesSent: d.bytesSent,
				MessagesReceived: d.messagesReceived, BytesReceived: d.bytesReceived,
			})
		}
	}
	return s
}

func (c *core) dtlsState() string {
	switch {
	case c.ended && !c.dtlsUp && c.endedErr != nil:
		return "failed"
	case c.ended:
		return "closed"
	case c.dtlsUp:
		return "connected"
	case c.dtlsConnecting:
		return "connecting"
	}
	return "new"
}

func (c *core) dtlsStats(s *Stats) {
	s.Transport.DTLSRole = "server"
	if c.dtlsClient {
		s.Transport.DTLSRole = "client"
	}
	if !c.dtlsUp {
		return
	}
	state := c.dtls.ConnectionState()
	s.Transport.TLSVersion = fmt.Sprintf("%04X", uint16(state.Version))
	s.Transport.DTLSCipher = state.CipherSuite.String()
	s.Transport.DTLSGroup = state.Group.String()
	if state.SRTPProfile != 0 {
		s.Transport.SRTPCipher = state.SRTPProfile.String()
	}
	s.Transport.RemoteCertificateID = c.certificate(s, "remote", state.PeerCertificate)
}

func (c *core) certificate(s *Stats, whose string, der []byte) string {
	f := (&dtls.Certificate{DER: der}).Fingerprint().String()
	const algorithm = "sha-256 "
	s.Certificates = append(s.Certificates, CertificateStats{
		ID: "CF" + whose, Fingerprint: f[len(algorithm):], FingerprintAlgorithm: algorithm[:len(algorithm)-1],
		Base64Certificate: base64.StdEncoding.EncodeToString(der),
	})
	return "CF" + whose
}

// iceStats lists the pairs, and each candidate that stands in one once.
func (c *core) iceStats(s *Stats) {
	pairs, locals := c.ice.Pairs(), c.ice.LocalCandidates()
	// "statistics related to ICE candidates MUST NOT contain the IP address of any
	// peer-reflexive candidate, unless that IP has already been learned through signaling
	// of a candidate with the same address". Draft-ietf-mmusic-mdns-ice-candidates, Section 3.3.1.
	told := map[netip.Addr]bool{}
	tell := func(candidate ice.Candidate) {
		if candidate.Type != ice.PeerReflexive && candidate.Host == "" {
			told[candidate.Addr.Addr()] = true
		}
	}
	for _, p := range pairs {
		tell(p.Local)
		tell(p.Remote)
	}
	for _, candidate := range locals {
		tell(candidate)
	}
	seen := map[string]bool{}
	add := func(list *[]ICECandidateStats, prefix string, candidate ice.Candidate) string {
		st := ICECandidateStats{
			TransportID: transportID, Address: candidate.Host, Port: candidate.Addr.Port(),
			Protocol: candidate.Protocol.String(), CandidateType: candidate.Type.String(), Priority: candidate.Priority,
			Foundation: candidate.Foundation, UsernameFragment: candidate.Ufrag, TCPType: candidate.TCPType.String(), URL: candidate.URL,
		}
		if prefix == "L" && candidate.Type == ice.Relayed {
			st.RelayProtocol = candidate.RelayProtocol.String()
		}
		if st.Address == "" && told[candidate.Addr.Addr()] {
			st.Address = candidate.Addr.Addr().String()
		}
		if candidate.Related.IsValid() {
			st.RelatedAddress, st.RelatedPort = candidate.Related.Addr().String(), candidate.Related.Port()
		}
		st.ID = fmt.Sprint(prefix, "-", st.CandidateType, "-", st.Protocol, "-", cmp.Or(st.Address, st.Foundation), "-", st.Port)
		if !seen[st.ID] {
			seen[st.ID] = true
			*list = append(*list, st)
		}
		return st.ID
	}
	for _, candidate := range locals {
		add(&s.LocalCandidates, "L", candidate)
	}
	for _, p := range pairs {
		local, remote := add(&s.LocalCandidates, "L", p.Local), add(&s.RemoteCandidates, "R", p.Remote)
		pair := CandidatePairStats{
			ID: fmt.Sprint("CP-", p.LocalUfrag, "-", local, "-", remote), TransportID: transportID,
			LocalCandidateID: local, RemoteCandidateID: remote,
			State: p.State.String(), Nominated: p.Nominated, Selected: p.Selected,
			CurrentRoundTripTime: p.RTT.Seconds(),
			TotalRoundTripTime:   p.RTTSum.Seconds(),
			PacketsSent:          p.Sent.Packets, PacketsReceived: p.Received.Packets, BytesSent: p.Sent.Bytes, BytesReceived: p.Received.Bytes,
			RequestsSent: uint64(p.ChecksSent), RequestsReceived: uint64(p.ChecksReceived), ResponsesReceived: uint64(p.ResponsesReceived),
		}
		if p.Selected {
			if c.rtp != nil {
				pair.AvailableOutgoingBitrate = float64(c.rtp.AvailableOutgoingBitrate(s.Timestamp))
			}
			s.Transport.SelectedCandidatePairID = pair.ID
		}
		s.CandidatePairs = append(s.CandidatePairs, pair)
	}
}
