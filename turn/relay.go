package turn

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/plainrtc/plainrtc/stun"
)

// ToPeer is a datagram for a peer, to be sent from a relay's socket.
type ToPeer struct {
	Relay        RelayID
	Peer         netip.AddrPort
	Payload      []byte // in the bytes that Receive was given
	DontFragment bool   // with the DF bit; RFC 8656, Section 14
}

// ToClient is a packet for a client.
type ToClient struct {
	To     FiveTuple
	Packet []byte // in the bytes that ReceivePeer was given
}

// NextToPeer returns the datagram that the last Receive brought, once. Its
// payload is in the bytes that Receive was given: send it before they are used
// for something else.
func (s *Server) NextToPeer() (ToPeer, bool) {
	if !s.hasPeer {
		return ToPeer{}, false
	}
	s.hasPeer = false
	return s.toPeer, true
}

// NextToClient returns the packet that the last ReceivePeer made, once.
func (s *Server) NextToClient() (ToClient, bool) {
	if !s.hasClient {
		return ToClient{}, false
	}
	s.hasClient = false
	return s.toClient, true
}

// allocationOf finds a client's allocation. What one sends comes in runs, and to compare a 5-tuple is
// quicker than to look it up.
func (s *Server) allocationOf(from FiveTuple) *allocation {
	if s.recent == nil || s.recent.tuple != from {
		s.recent = s.allocations[from]
	}
	return s.recent
}

// receiveSend relays a Send indication. RFC 8656, Section 11.2.
func (s *Server) receiveSend(now time.Time, from FiveTuple, m stun.Message) DropReason {
	a := s.allocationOf(from)
	if a == nil || a.pending > 0 || a.tcp {
		return DropNoAllocation
	}
	peer, ok := m.XORAddress(stun.AttrXORPeerAddress)
	payload, has := m.Get(stun.AttrData)
	if !ok || !has || peer.Port() == 0 || m.UnknownRequired(s.understood) != nil {
		return DropIncomplete
	}
	peer = unmapped(peer)
	p := a.permission(peer.Addr())
	if p == nil || !p.expires.After(now) {
		return DropNoPermission
	}
	return s.relayToPeer(now, a, peer, p.own, payload, m.Has(stun.AttrDontFragment))
}

// receiveChannelData relays ChannelData. RFC 8656, Section 12.6.
func (s *Server) receiveChannelData(now time.Time, from FiveTuple, packet []byte) DropReason {
	a := s.allocationOf(from)
	if a == nil {
		return DropNoAllocation
	}
	number, payload, ok := parseChannelData(packet)
	if !ok {
		return DropIncomplete
	}
	for i := range a.channels {
		if c := &a.channels[i]; c.number == number {
			if !c.expires.After(now) {
				break
			}
			return s.relayToPeer(now, a, c.peer, c.own, payload, false)
		}
	}
	return DropUnboundChannel
}

func (s *Server) relayToPeer(now time.Time, a *allocation, peer netip.AddrPort, own bool, payload []byte, df bool) DropReason {
	r := a.relays[index(peer.Addr().Is6())]
	switch {
	case r == nil:
		return DropNoPermission
	case own && s.addresses[endpoint{peer, false}] == nil:
		return DropOwnAddress
	case !a.user.bandwidth.allow(now, len(payload)):
		return DropBandwidth
	}
	s.toPeer = ToPeer{Relay: r.id, Peer: peer, Payload: payload, DontFragment: df}
	s.hasPeer = true
	s.stats.ToPeers.add(len(payload))
	return 0
}

// ReceivePeer takes a datagram b[at:] that arrived from peer on a relay's
// socket. If it may pass, NextToClient has it, with its header written in front
// of it: there must be room for Headroom bytes, and behind it capacity for 3
// bytes of padding, or else the packet is in another buffer. RFC 8656, Sections
// 11.3 and 12.7.
func (s *Server) ReceivePeer(now time.Time, id RelayID, peer netip.AddrPort, b []byte, at int) {
	s.hasPeer, s.hasClient = false, false
	if reason := s.receivePeer(now, id, unmapped(peer), b, at); reason != 0 {
		s.drop(now, reason, len(b)-at)
	}
}

func (s *Server) receivePeer(now time.Time, id RelayID, peer netip.AddrPort, b []byte, at int) DropReason {
	r := s.relays[id]
	if r == nil || r.allocation == nil || r.allocation.pending > 0 {
		return DropNoAllocation
	}
	a := r.allocation
	p := a.permission(peer.Addr())
	n := len(b) - at
	switch {
	case p == nil || !p.expires.After(now):
		return DropNoPermission
	case n > maxPayload:
		return DropIncomplete
	case !a.user.bandwidth.allow(now, n):
		return DropBandwidth
	}
	stream := a.tuple.Protocol.Stream()
	packet := []byte(nil)
	for i := range a.channels {
		if c := &a.channels[i]; c.peer == peer && c.expires.After(now) {
			packet = wrapChannelData(b, at, c.number, stream)
			break
		}
	}
	if packet == nil {
		packet = wrapIndication(b, at, stun.Data, s.indicationID(), peer, false)
	}
	s.toClient = ToClient{To: a.tuple, Packet: packet}
	s.hasClient = true
	s.stats.ToClients.add(n)
	return 0
}

// indicationID is the transaction id of the next Data indication. Nobody
// answers it, so it need only differ from the one before.
func (s *Server) indicationID() (id stun.TransactionID) {
	s.indications++
	binary.BigEndian.PutUint64(id[4:], s.indications)
	return id
}
