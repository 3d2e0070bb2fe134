package turn

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"time"

	"github.com/plainrtc/plainrtc/internal/timers"
	"github.com/plainrtc/plainrtc/stun"
)

// maxBindings bounds the permissions and channels of one allocation.
const maxBindings = 256

// A binding is a permission, for an IP address (its port is 0), or a channel,
// for an address and port.
type binding struct {
	peer    netip.AddrPort
	number  uint16 // of a channel; it is never given to another peer
	pending bool   // a request for it is under way, or waits
	waits   bool   // until the allocation has moved
	wanted  bool   // the caller waits for the answer
	used    bool   // there was traffic since it was created or renewed
	renewAt time.Time
	expires time.Time // zero if it is not installed
}

func (b *binding) installed(now time.Time) bool { return b.expires.After(now) }

func (b *binding) method() stun.Method {
	if b.number != 0 {
		return stun.ChannelBind
	}
	return stun.CreatePermission
}

// find returns the binding of a peer: a permission if its port is 0.
func (c *Client) find(peer netip.AddrPort) *binding {
	for i := range c.bindings {
		if c.bindings[i].peer == peer {
			return &c.bindings[i]
		}
	}
	return nil
}

// CreatePermission asks the server to relay to and from a peer's IP address,
// whatever the port. The answer is the event PermissionCreated or
// PermissionEnded. RFC 8656, Section 10.1.
func (c *Client) CreatePermission(now time.Time, peer netip.Addr) error {
	peer = peer.Unmap().WithZone("")
	if c.state != stateAllocated {
		return ErrNotAllocated
	}
	if !c.reaches(peer) {
		return ErrNoAddress
	}
	return c.bind(now, netip.AddrPortFrom(peer, 0), false)
}

// BindChannel asks the server for a channel to a peer, which makes the header
// of data 4 bytes instead of 36 or more; it is a permission too. The answer is
// the event ChannelBound or ChannelEnded. RFC 8656, Section 12.1.
func (c *Client) BindChannel(now time.Time, peer netip.AddrPort) error {
	peer = unmapped(peer)
	if c.state != stateAllocated || c.config.TCP {
		return ErrNotAllocated
	}
	if !c.reaches(peer.Addr()) || peer.Port() == 0 {
		return ErrNoAddress
	}
	return c.bind(now, peer, true)
}

// reaches reports whether one of our relayed addresses has the peer's family.
func (c *Client) reaches(peer netip.Addr) bool {
	if !peer.IsValid() || peer.IsUnspecified() {
		return false
	}
	return slices.ContainsFunc(c.relayed[:], func(r netip.AddrPort) bool {
		return r.IsValid() && r.Addr().Is4() == peer.Is4()
	})
}

func (c *Client) bind(now time.Time, peer netip.AddrPort, channel bool) error {
	b := c.find(peer)
	if b == nil {
		if len(c.bindings) >= maxBindings {
			return ErrTooMany
		}
		c.bindings = append(c.bindings, binding{peer: peer})
		b = &c.bindings[len(c.bindings)-1]
		if channel {
			if c.nextChannel > maxChannel {
				c.bindings = c.bindings[:len(c.bindings)-1]
				return ErrTooMany
			}
			b.number = c.nextChannel
			c.nextChannel++
		}
	}
	b.used = true
	if b.installed(now) {
		c.tell(b)
		return nil
	}
	b.wanted = true
	if !b.pending {
		c.ask(now, b)
	}
	return nil
}

// tell tells that a binding is installed.
func (c *Client) tell(b *binding) {
	if b.number != 0 {
		c.events = append(c.events, ChannelBound{Peer: b.peer, Number: b.number})
	} else {
		c.events = append(c.events, PermissionCreated{Peer: b.peer.Addr()})
	}
}

func (c *Client) ask(now time.Time, b *binding) {
	b.pending, b.waits, b.renewAt = true, false, time.Time{}
	c.send(now, &request{method: b.method(), peer: b.peer})
}

// writeChannelBind writes what a ChannelBind asks for. RFC 8656, Section 12.1.
func (c *Client) writeChannelBind(b *stun.Builder, r *request) {
	var number [4]byte
	if channel := c.find(r.peer); channel != nil {
		binary.BigEndian.PutUint16(number[:], channel.number)
	}
	b.Add(stun.AttrChannelNumber, number[:])
	b.AddXORAddress(stun.AttrXORPeerAddress, r.peer)
}

// bindingDone takes the end of CreatePermission and ChannelBind. RFC 8656,
// Sections 10.3 and 12.3.
func (c *Client) bindingDone(now time.Time, r *request, err error) {
	b := c.find(r.peer)
	if c.state != stateAllocated || b == nil {
		return
	}
	b.pending = false
	// "A client receiving a 437 error response to a request other than Allocate
	// MUST assume the allocation no longer exists." RFC 8656, Section 5. Unless it
	// is at another address, and the ticket brings it here.
	if refusal, ok := err.(*PeerError); ok && refusal.Code == stun.CodeAllocationMismatch {
		if c.ticket == nil {
			c.end(now, err)
			return
		}
		b.pending, b.waits = true, true
		if !c.asking(stun.Refresh) {
			c.send(now, &request{method: stun.Refresh, moves: true})
		}
		return
	}
	if err != nil {
		c.drop(b, err)
		return
	}
	if b.wanted {
		c.tell(b)
	}
	c.install(now, b)
	if b.number == 0 {
		return
	}
	// "A ChannelBind transaction also creates or refreshes a permission towards
	// the peer", which lives for 5 minutes, and the channel for 10. Section 12.1.
	permission := netip.AddrPortFrom(b.peer.Addr(), 0)
	p := c.find(permission)
	if p == nil {
		c.bindings = append(c.bindings, binding{peer: permission, used: true})
		p = &c.bindings[len(c.bindings)-1]
	}
	if !p.pending {
		c.install(now, p)
	}
}

func (c *Client) asking(m stun.Method) bool {
	return slices.ContainsFunc(c.requests, func(r *request) bool { return r.method == m })
}

func (c *Client) install(now time.Time, b *binding) {
	lifetime := permissionLifetime
	if b.number != 0 {
		lifetime = channelLifetime
	}
	b.wanted, b.used = false, false
	b.expires, b.renewAt = now.Add(lifetime), now.Add(renewIn(lifetime))
	c.timers.SetEarlier(timerRenew, b.renewAt)
}

// drop ends a binding. A channel keeps its number, so that it never means
// another peer.
func (c *Client) drop(b *binding, err error) {
	if b.number != 0 {
		b.expires, b.renewAt, b.wanted = time.Time{}, time.Time{}, false
		c.events = append(c.events, ChannelEnded{Peer: b.peer, Err: err})
		return
	}
	peer := b.peer
	c.bindings = slices.DeleteFunc(c.bindings, func(b binding) bool { return b.peer == peer })
	c.events = append(c.events, PermissionEnded{Peer: peer.Addr(), Err: err})
}

// renew renews what is used and due, and ends what expired unused.
func (c *Client) renew(now time.Time) {
	for i := 0; i < len(c.bindings); i++ {
		b := &c.bindings[i]
		switch {
		case b.expires.IsZero() || b.pending:
		case !b.installed(now):
			before := len(c.bindings)
			c.drop(b, nil)
			i -= before - len(c.bindings)
		case b.used && !b.renewAt.After(now):
			c.ask(now, b)
		}
	}
	var next time.Time
	for i := range c.bindings {
		switch b := &c.bindings[i]; {
		case b.expires.IsZero() || b.pending:
		case b.renewAt.After(now):
			next = timers.Earlier(next, b.renewAt)
		default:
			next = timers.Earlier(next, b.expires)
		}
	}
	c.timers.Set(timerRenew, next)
}

// touch notes that there was traffic with a binding, and renews it at once if
// that was only waited for.
func (c *Client) touch(now time.Time, b *binding) {
	if b.used {
		return
	}
	b.used = true
	if !b.pending && !b.renewAt.After(now) {
		c.timers.Set(timerRenew, now)
	}
}
