package turn

import (
	"bytes"
	"slices"
	"time"

	"github.com/plainrtc/plainrtc/stun"
)

// refreshMargin is how long before its end an allocation, a permission or a
// channel is refreshed: "roughly 1 minute before it expires", which leaves room
// for one transaction that loses everything but its last request. RFC 8656,
// Section 8.
const refreshMargin = time.Minute

// renewIn is when to refresh what lives that long.
func renewIn(lifetime time.Duration) time.Duration { return max(lifetime-refreshMargin, lifetime/2) }

func (c *Client) refreshIn(now time.Time, lifetime time.Duration) {
	c.lifetime = lifetime
	c.timers.Set(timerRefresh, now.Add(renewIn(lifetime)))
}

func (c *Client) refresh(now time.Time) { c.send(now, &request{method: stun.Refresh}) }

// Probe asks the server whether the allocation is still there: a Refresh before its
// time, instead of one that is not answered yet. If the allocation is no more, the event
// Closed follows.
func (c *Client) Probe(now time.Time) {
	if c.state == stateAllocated {
		c.requests = slices.DeleteFunc(c.requests, func(r *request) bool { return r.method == stun.Refresh && !r.moves })
		c.refresh(now)
	}
}

// writeRefresh writes what a Refresh asks for. RFC 8656, Section 8.1; RFC 8016,
// Section 3.2.1.
func (c *Client) writeRefresh(b *stun.Builder, r *request) {
	switch {
	case r.ends:
		addLifetime(b, 0)
	case c.config.Lifetime > 0:
		addLifetime(b, c.config.Lifetime)
	}
	if r.moves {
		b.Add(stun.AttrMobilityTicket, c.ticket)
	}
}

// refreshDone takes the end of Refresh. RFC 8656, Section 8.3.
func (c *Client) refreshDone(now time.Time, r *request, m stun.Message, err error) {
	if r.ends {
		// After 437 "the allocation no longer exists and it should consider its
		// request as having effectively succeeded". Of any other end nobody wants
		// to know either.
		c.end(now, c.farewell)
		return
	}
	if c.state != stateAllocated {
		return
	}
	refusal, ok := err.(*PeerError)
	switch {
	// Nothing of ours is at this address: perhaps a NAT on the way has given us
	// another one, and the ticket tells who we are.
	case ok && refusal.Code == stun.CodeAllocationMismatch && !r.moves && c.ticket != nil:
		c.send(now, &request{method: stun.Refresh, moves: true})
		return
	case err != nil:
		c.end(now, err)
		return
	}
	lifetime, ok := lifetimeOf(m)
	if !ok || lifetime <= 0 {
		lifetime = c.lifetime
	}
	c.refreshIn(now, lifetime)
	if r.moves {
		c.keepTicket(m)
		c.events = append(c.events, Moved{})
		for i := range c.bindings {
			if b := &c.bindings[i]; b.waits {
				c.ask(now, b)
			}
		}
	}
}

// keepTicket keeps the mobility ticket of a success response for the next time.
// RFC 8016, Section 3.1.3.
func (c *Client) keepTicket(m stun.Message) {
	if ticket, _ := m.Get(stun.AttrMobilityTicket); len(ticket) > 0 {
		c.ticket = bytes.Clone(ticket)
	}
}

// Mobile reports whether the server gave a ticket for the allocation: then Move works.
func (c *Client) Mobile() bool { return c.ticket != nil && c.state == stateAllocated }

// Move tells the server that our address is another one now: the allocation,
// its permissions and its channels come along. The caller's transport leaves
// from the new address already. It needs ClientConfig.Mobility, and a server
// that grants it. The answer is the event Moved, or Closed. RFC 8016, Section 3.2.
func (c *Client) Move(now time.Time) error {
	if c.state != stateAllocated {
		return ErrNotAllocated
	}
	if c.ticket == nil {
		return ErrNoTicket
	}
	// Whatever else is under way went out from the old address; permissions and
	// channels are asked for again when the server knows the new one.
	c.requests = nil
	for i := range c.bindings {
		c.bindings[i].waits = c.bindings[i].pending
	}
	c.send(now, &request{method: stun.Refresh, moves: true})
	return nil
}

// Close ends the allocation: a Refresh with lifetime 0 tells the server. The
// event Closed follows when it has answered, or not.
func (c *Client) Close(now time.Time) {
	switch c.state {
	case stateIdle, stateElsewhere, stateBinding:
		c.end(now, nil)
	case stateAllocating:
		c.setState(now, stateClosing)
	case stateAllocated:
		c.setState(now, stateClosing)
		c.timers.StopAll()
		c.bindings, c.hasData = nil, false
		c.requests = slices.DeleteFunc(c.requests, func(*request) bool { return true })
		c.send(now, &request{method: stun.Refresh, ends: true})
	}
}
