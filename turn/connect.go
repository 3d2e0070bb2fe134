package turn

import (
	"net/netip"
	"time"

	"github.com/plainrtc/plainrtc/internal/trace"
	"github.com/plainrtc/plainrtc/stun"
)

// The client's side of TCP allocations, RFC 6062.

// Connected is the answer to Connect: the server has a connection with the peer. It
// waits 30 seconds for the connection of ours that belongs to it: see BindConnection.
type Connected struct {
	Peer       netip.AddrPort
	Connection ConnectionID
}

// ConnectFailed tells that the server has none.
type ConnectFailed struct {
	Peer netip.AddrPort
	Err  error
}

// Attempted tells that a peer has connected to our relayed address: the
// ConnectionAttempt indication. It waits for 30 seconds, too.
type Attempted struct {
	Peer       netip.AddrPort
	Connection ConnectionID
}

// ConnectionBound is the answer to BindConnection: what follows on this connection is
// the peer's, and what is written to it goes to the peer.
type ConnectionBound struct{}

func (Connected) clientEvent()       {}
func (ConnectFailed) clientEvent()   {}
func (Attempted) clientEvent()       {}
func (ConnectionBound) clientEvent() {}

// Connect asks the server to connect with a peer, which needs ClientConfig.TCP. The
// answer is the event Connected or ConnectFailed. RFC 6062, Section 4.3.
func (c *Client) Connect(now time.Time, peer netip.AddrPort) error {
	peer = unmapped(peer)
	if c.state != stateAllocated || !c.config.TCP {
		return ErrNotAllocated
	}
	if !c.reaches(peer.Addr()) || peer.Port() == 0 {
		return ErrNoAddress
	}
	c.send(now, &request{method: stun.Connect, peer: peer})
	return nil
}

// connectDone takes the end of Connect.
func (c *Client) connectDone(now time.Time, r *request, m stun.Message, err error) {
	if c.state != stateAllocated {
		return
	}
	// As of permissions: the allocation no longer exists.
	if refusal, ok := err.(*PeerError); ok && refusal.Code == stun.CodeAllocationMismatch {
		c.end(now, err)
		return
	}
	id, ok := m.Uint32(stun.AttrConnectionID)
	if err == nil && !ok {
		err = &LocalError{Method: r.method, Err: ErrNoConnection}
	}
	if err != nil {
		c.events = append(c.events, ConnectFailed{Peer: r.peer, Err: err})
		return
	}
	c.events = append(c.events, Connected{Peer: r.peer, Connection: ConnectionID(id)})
}

// receiveAttempt takes a ConnectionAttempt indication. Nothing authenticates it: what comes
// of a peer without a permission did not come from the server. RFC 6062, Section 4.4.
func (c *Client) receiveAttempt(now time.Time, m stun.Message) string {
	peer, ok := m.XORAddress(stun.AttrXORPeerAddress)
	id, has := m.Uint32(stun.AttrConnectionID)
	if !ok || !has || m.UnknownRequired(understood) != nil {
		return DropMalformed
	}
	peer = unmapped(peer)
	p := c.find(netip.AddrPortFrom(peer.Addr(), 0))
	if !c.config.TCP || p == nil || !p.pending && !p.installed(now) {
		return DropNotPeer
	}
	c.touch(now, p)
	c.events = append(c.events, Attempted{Peer: peer, Connection: ConnectionID(id)})
	return ""
}

// BindConnection returns a Client for one more connection to the server, the one on which the
// client reaches a peer. It begins with what this one knows, the nonce included: some servers,
// coturn among them, answer nothing but a request with credentials there. The new Client's answer
// is the event ConnectionBound, after which its transport is the caller's and it is of no
// more use, or Closed. What has arrived behind the answer is in [Framer.Rest]. RFC 6062, Section 4.5.
func (c *Client) BindConnection(now time.Time, id ConnectionID) (*Client, error) {
	if c.state != stateAllocated || !c.config.TCP {
		return nil, ErrNotAllocated
	}
	d := &Client{config: c.config, login: c.login, nextChannel: minChannel}
	d.setState(now, stateBinding)
	d.send(now, &request{method: stun.ConnectionBind, connection: id})
	return d, nil
}

func (c *Client) connectionBindDone(now time.Time, err error) {
	if err != nil {
		c.end(now, err)
		return
	}
	c.config.Trace.Note(now, trace.TURN, "a connection with a peer is bound")
	c.setState(now, stateClosed)
	c.events = append(c.events, ConnectionBound{})
}
