package turn

import (
	"net/netip"
	"slices"
	"time"

	"github.com/plainrtc/plainrtc/stun"
)

func (c *Client) allocate(now time.Time) {
	c.setState(now, stateAllocating)
	c.send(now, &request{method: stun.Allocate})
}

// writeAllocate writes what an Allocate request asks for. RFC 8656, Section 7.1.
func (c *Client) writeAllocate(b *stun.Builder) {
	protocol := uint32(protocolUDP)
	if c.config.TCP {
		protocol = protocolTCP
	}
	b.AddUint32(stun.AttrRequestedTransport, protocol<<24)
	if c.config.Lifetime > 0 {
		addLifetime(b, c.config.Lifetime)
	}
	// A token stands for an address: the server refuses one together with a
	// family or an even port.
	reserved := c.config.ReservationToken != [8]byte{} && !c.config.TCP
	switch {
	case reserved:
		b.Add(stun.AttrReservationToken, c.config.ReservationToken[:])
	case c.config.Family == IPv4:
		addFamily(b, stun.AttrRequestedAddressFamily, familyIPv4)
	case c.config.Family == IPv6:
		addFamily(b, stun.AttrRequestedAddressFamily, familyIPv6)
	case c.config.Family == BothFamilies:
		addFamily(b, stun.AttrAdditionalAddressFamily, familyIPv6)
	}
	if c.config.EvenPort && !reserved && !c.config.TCP {
		var r byte
		if c.config.ReserveNext {
			r = 0x80
		}
		b.Add(stun.AttrEvenPort, []byte{r})
	}
	if c.config.DontFragment && !c.config.TCP {
		b.Add(stun.AttrDontFragment, nil)
	}
	if c.config.Mobility {
		b.Add(stun.AttrMobilityTicket, nil)
	}
}

// maxRestarts is how many times an Allocate is tried elsewhere.
const maxRestarts = 3

// allocateDone takes the end of Allocate. RFC 8656, Sections 7.3 and 7.4.
func (c *Client) allocateDone(now time.Time, r *request, m stun.Message, err error) {
	if c.state == stateClosing {
		// Closed before the answer: give back what it brought.
		c.send(now, &request{method: stun.Refresh, ends: true})
		return
	}
	if refusal, ok := err.(*PeerError); ok {
		switch refusal.Code {
		case stun.CodeTryAlternate, stun.CodeAllocationMismatch:
			c.elsewhere(now, refusal)
			return
		case stun.CodeMobilityForbidden:
			if c.config.Mobility {
				c.config.Mobility = false
				c.send(now, r)
				return
			}
		case stun.CodeUnknownAttribute:
			if c.config.DontFragment && slices.Contains(m.UnknownAttributes(), stun.AttrDontFragment) {
				c.config.DontFragment = false
				c.send(now, r)
				return
			}
		}
	}
	if err != nil {
		c.end(now, err)
		return
	}

	var relayed Allocated
	for a := range m.XORAddresses(stun.AttrXORRelayedAddress) {
		switch {
		case !relayed.Relayed.IsValid():
			relayed.Relayed = a
		case !relayed.Additional.IsValid() && c.config.Family == BothFamilies:
			relayed.Additional = a
		}
	}
	relayed.Mapped, _ = m.XORMappedAddress()
	relayed.Lifetime, _ = lifetimeOf(m)
	if token, _ := m.Get(stun.AttrReservationToken); len(token) == 8 {
		relayed.ReservationToken = [8]byte(token)
	}
	if !relayed.Relayed.IsValid() || !relayed.Mapped.IsValid() || relayed.Lifetime <= 0 {
		c.end(now, &LocalError{Method: stun.Allocate, Err: ErrIncomplete})
		return
	}
	// "If these addresses are not part of an address family or families that the
	// client is prepared to handle, then the client MUST delete the allocation".
	// Section 7.3.
	if is4 := relayed.Relayed.Addr().Is4(); c.config.Family == IPv4 && !is4 || c.config.Family == IPv6 && is4 {
		c.farewell = &LocalError{Method: stun.Allocate, Err: ErrFamily}
		c.setState(now, stateClosing)
		c.send(now, &request{method: stun.Refresh, ends: true})
		return
	}
	c.relayed = [2]netip.AddrPort{relayed.Relayed, relayed.Additional}
	c.keepTicket(m)
	c.setState(now, stateAllocated)
	c.refreshIn(now, relayed.Lifetime)
	c.events = append(c.events, relayed)
}

// elsewhere tells the caller where to go on. Whoever is sent to a server that was
// asked already ignores it and has failed: RFC 8489, Section 10. And after 437
// "the client SHOULD try three different client transport addresses before
// giving up on this server". RFC 8656, Section 7.4.
func (c *Client) elsewhere(now time.Time, refusal *PeerError) {
	c.restarts++
	redirected := refusal.Code == stun.CodeTryAlternate
	switch {
	case redirected && (c.restarts > maxRestarts || slices.Contains(c.tried, refusal.Alternate)):
		c.end(now, &LocalError{Method: stun.Allocate, Err: ErrRedirects})
	case c.restarts > maxRestarts, redirected && !refusal.Alternate.IsValid():
		c.end(now, refusal)
	default:
		c.setState(now, stateElsewhere)
		c.events = append(c.events, TryAlternate{Server: refusal.Alternate, Domain: refusal.Domain, Err: refusal})
	}
}
