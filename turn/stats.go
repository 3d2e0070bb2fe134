package turn

import "fmt"

// Stats are a Server's counters since it began, but Allocations, which is now.
type Stats struct {
	Allocations      int
	AllocationsTotal uint64
	Expired          uint64 // allocations that nobody refreshed
	Moved            uint64 // allocations that came to another address

	Requests        [NumRequests]uint64 // authenticated ones, and Binding
	Refused         uint64              // requests whose credentials were right
	Unauthenticated uint64              // requests answered by 400, 401 or 438

	ToPeers, ToClients Traffic

	// Of TCP allocations: connections with peers that there were, and bytes that they
	// passed on.
	PeerConnectionsTotal                     uint64
	StreamBytesToPeers, StreamBytesToClients uint64

	Drops [NumDropReasons]uint64
}

// Traffic counts what was relayed in one direction: datagrams, and their
// payload's bytes.
type Traffic struct{ Packets, Bytes uint64 }

func (t *Traffic) add(n int) {
	t.Packets++
	t.Bytes += uint64(n)
}

// A RequestKind is an index of Stats.Requests.
type RequestKind int

// The kinds.
const (
	RequestBinding RequestKind = iota
	RequestAllocate
	RequestRefresh
	RequestCreatePermission
	RequestChannelBind
	RequestConnect
	RequestConnectionBind
	NumRequests int = iota
)

func (k RequestKind) String() string {
	return [...]string{"Binding", "Allocate", "Refresh", "CreatePermission", "ChannelBind", "Connect", "ConnectionBind"}[k]
}

// A DropReason says why a Server dropped something, and is an index of Stats.Drops.
type DropReason int

// The reasons.
const (
	_                  DropReason = iota
	DropNotSTUN                   // neither ChannelData nor a whole STUN message
	DropNotRequest                // a response
	DropUnknownMethod             // of a method that is not served
	DropSource                    // from nowhere that could be answered
	DropBusy                      // responses wait to be taken
	DropRateLimited               // too much without credentials
	DropNoAllocation              // data of nobody, or on a relay of nobody
	DropIncomplete                // data without peer or payload, or too long
	DropNoPermission              // the peer is not permitted
	DropUnboundChannel            // no such channel
	DropOwnAddress                // to a port of the server's own that is no relay
	DropBandwidth                 // the user had enough
	DropTooMany                   // a peer's connection beyond what there may be
	NumDropReasons     int        = iota
)

func (r DropReason) String() string {
	switch r {
	case DropNotSTUN:
		return "neither STUN nor ChannelData"
	case DropNotRequest:
		return "a response, to which nothing was asked"
	case DropUnknownMethod:
		return "a method that is not served"
	case DropSource:
		return "no source that could be answered"
	case DropBusy:
		return "responses were not taken yet"
	case DropRateLimited:
		return "too many requests without valid credentials"
	case DropNoAllocation:
		return "no allocation"
	case DropIncomplete:
		return "data lacks its peer or payload, or is too long"
	case DropNoPermission:
		return "the peer has no permission"
	case DropUnboundChannel:
		return "the channel is not bound"
	case DropOwnAddress:
		return "a port of the server's own that is no relay"
	case DropBandwidth:
		return "the user's bandwidth is used up"
	case DropTooMany:
		return "there are too many connections with peers"
	}
	return fmt.Sprintf("DropReason(%d)", int(r))
}
