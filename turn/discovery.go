package turn

import (
	"net/netip"

	"github.com/plainrtc/plainrtc/stun"
)

// What RFC 5780 adds to Binding: a client asks to be answered from another address or port than
// it asked, and so learns whom the NAT before it lets in.

// A Discovery are the two addresses and two ports, of one family, that a server has to have for
// it: First and Second differ in both, and it listens on all four combinations over UDP.
type Discovery struct{ First, Second netip.AddrPort }

// The flags of CHANGE-REQUEST. RFC 5780, Section 7.2.
const (
	changeIP   = 0x4
	changePort = 0x2
)

// other returns the address that differs in what flags say from the one of the four that a
// request came to; or false if it came to none of the four.
func (d Discovery) other(at netip.AddrPort, flags uint32) (netip.AddrPort, bool) {
	addr, port := at.Addr(), at.Port()
	if addr != d.First.Addr() && addr != d.Second.Addr() || port != d.First.Port() && port != d.Second.Port() {
		return netip.AddrPort{}, false
	}
	swap := func(is bool) Discovery {
		if is {
			return Discovery{d.Second, d.First}
		}
		return d
	}
	if flags&changeIP != 0 {
		addr = swap(addr == d.First.Addr()).First.Addr()
	}
	if flags&changePort != 0 {
		port = swap(port == d.First.Port()).First.Port()
	}
	return netip.AddrPortFrom(addr, port), true
}

// understoodOfBinding are the attributes of Binding where there are two addresses. RESPONSE-PORT
// would send answers to a port that asked for none, and PADDING make them large: they
// are unknown here.
func understoodOfBinding(t stun.AttributeType) bool { return t == stun.AttrChangeRequest }

// receiveBinding answers a Binding request, which needs no credentials: RFC 8489, Section 6.3.1;
// and from where it asks to be, if this is a server with two addresses: RFC 5780, Section 6.1.
func (s *Server) receiveBinding(q *query) {
	for _, d := range s.config.Discovery {
		other, ok := d.other(q.from.Server, changeIP|changePort)
		if !ok || q.from.Protocol != UDP {
			continue
		}
		if unknown := q.UnknownRequired(understoodOfBinding); unknown != nil {
			s.refuseUnknown(q, unknown)
			return
		}
		flags, _ := q.Uint32(stun.AttrChangeRequest)
		to := q.from
		to.Server, _ = d.other(q.from.Server, flags)
		s.reply(q, response{other: other})
		s.responses[len(s.responses)-1].to = to
		return
	}
	if unknown := q.UnknownRequired(nil); unknown != nil {
		s.refuseUnknown(q, unknown)
		return
	}
	s.reply(q, response{})
}
