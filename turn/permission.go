package turn

import (
	"net/netip"
	"slices"
	"time"

	"github.com/plainrtc/plainrtc/stun"
)

// receiveCreatePermission handles a CreatePermission request. RFC 8656, Section
// 10.2: all of its peers, or none.
func (s *Server) receiveCreatePermission(now time.Time, q *query) {
	a := q.allocation
	if a == nil || a.pending > 0 {
		s.refuse(q, stun.CodeAllocationMismatch)
		return
	}
	peers := 0
	for peer := range q.XORAddresses(stun.AttrXORPeerAddress) {
		if code := s.admissible(a, unmapped(peer).Addr()); code != 0 {
			s.refusePeer(now, q, code, peer.Addr())
			return
		}
		peers++
	}
	if peers == 0 {
		s.refuse(q, stun.CodeBadRequest)
		return
	}
	a.forgetPermissions(now)
	for peer := range q.XORAddresses(stun.AttrXORPeerAddress) {
		if !s.permit(now, a, unmapped(peer).Addr()) {
			s.refuse(q, stun.CodeInsufficientCapacity)
			return
		}
	}
	s.reply(q, response{})
}

// admissible says why a peer's address cannot be relayed, or 0.
func (s *Server) admissible(a *allocation, peer netip.Addr) stun.ErrorCode {
	switch {
	case !peer.IsValid():
		return stun.CodeBadRequest
	case a.relays[index(peer.Is6())] == nil:
		return stun.CodePeerAddressFamilyMismatch
	case s.relayHosts[peer] == 0 && s.policy.denies(peer):
		return stun.CodeForbidden
	}
	return 0
}

// refusePeer refuses what admissible does, and tells of it if it is the policy.
func (s *Server) refusePeer(now time.Time, q *query, code stun.ErrorCode, peer netip.Addr) {
	if code == stun.CodeForbidden {
		s.suspect(now, AbusePeer, q.from, peer)
	}
	s.refuse(q, code)
}

// isOwn reports whether an address is the server's: then only the ports of its
// relays are relayed to, for two clients of one server.
func (s *Server) isOwn(a *allocation, peer netip.Addr) bool {
	own := s.relayHosts[peer] > 0 || peer == a.tuple.Server.Addr().Unmap() || slices.Contains(s.policy.own, peer)
	return own && !s.policy.excepts(peer)
}

// permit installs or refreshes a permission, if there is room.
func (s *Server) permit(now time.Time, a *allocation, peer netip.Addr) bool {
	expires := now.Add(permissionLifetime)
	if p := a.permission(peer); p != nil {
		p.expires, p.own = expires, s.isOwn(a, peer)
		return true
	}
	if len(a.permissions) >= maxPermissions {
		return false
	}
	a.permissions = append(a.permissions, permission{peer: peer, own: s.isOwn(a, peer), expires: expires})
	return true
}

func (a *allocation) permission(peer netip.Addr) *permission {
	for i := range a.permissions {
		if a.permissions[i].peer == peer {
			return &a.permissions[i]
		}
	}
	return nil
}

func (a *allocation) forgetPermissions(now time.Time) {
	a.permissions = slices.DeleteFunc(a.permissions, func(p permission) bool { return !p.expires.After(now) })
}

// receiveChannelBind handles a ChannelBind request. RFC 8656, Section 12.2.
func (s *Server) receiveChannelBind(now time.Time, q *query) {
	a := q.allocation
	if a == nil || a.pending > 0 {
		s.refuse(q, stun.CodeAllocationMismatch)
		return
	}
	if a.tcp {
		s.refuse(q, stun.CodeForbidden) // channels carry datagrams
		return
	}
	number, ok := channelNumber(q.Message)
	peer, hasPeer := q.XORAddress(stun.AttrXORPeerAddress)
	peer = unmapped(peer)
	if !ok || !hasPeer || peer.Port() == 0 {
		s.refuse(q, stun.CodeBadRequest)
		return
	}
	if code := s.admissible(a, peer.Addr()); code != 0 {
		s.refusePeer(now, q, code, peer.Addr())
		return
	}
	a.channels = slices.DeleteFunc(a.channels, func(c channel) bool { return !c.expires.Add(channelHold).After(now) })
	a.forgetPermissions(now)
	// "The channel number is not currently bound to a different transport address
	// (same transport address is OK); The transport address is not currently bound
	// to a different channel number. If any of these tests fail, the server
	// replies with a 400 (Bad Request) error."
	var bound *channel
	for i := range a.channels {
		c := &a.channels[i]
		if (c.number == number) != (c.peer == peer) {
			s.refuse(q, stun.CodeBadRequest)
			return
		}
		if c.number == number {
			bound = c
		}
	}
	if bound == nil && len(a.channels) >= maxChannels || !s.permit(now, a, peer.Addr()) {
		s.refuse(q, stun.CodeInsufficientCapacity)
		return
	}
	if bound == nil {
		a.channels = append(a.channels, channel{peer: peer, number: number})
		bound = &a.channels[len(a.channels)-1]
	}
	bound.expires, bound.own = now.Add(channelLifetime), s.isOwn(a, peer.Addr())
	s.reply(q, response{})
}
