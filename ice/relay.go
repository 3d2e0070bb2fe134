package ice

import (
	"net/netip"
	"time"

	"github.com/plainrtc/plainrtc/internal/trace"
	"github.com/plainrtc/plainrtc/turn"
)

// What takes the way over a TURN server: a relayed candidate is a base of its
// own, whose datagrams are wrapped for the server on their way out and
// unwrapped on their way in. Between Wrap and Unwrap nobody sees a difference:
// the path begins at the relayed address.

// Relayed reports whether a path begins at a relayed candidate: then a datagram
// on it is built behind [turn.Headroom] bytes and given to [Agent.Wrap].
func (a *Agent) Relayed(path Path) bool {
	if len(a.errands) == 0 {
		return false
	}
	l := a.localAt(path.Protocol, path.Local)
	return l != nil && l.relay != nil
}

// ServerPath is the path to the server that a relayed path's datagrams take; of any other
// path, the path itself.
func (a *Agent) ServerPath(path Path) Path {
	if l := a.localAt(path.Protocol, path.Local); l != nil && l.relay != nil {
		return l.relay.path()
	}
	return path
}

// Wrap makes of a datagram on a relayed path the one that goes to the server,
// and says on which path that is. The datagram is b[start+turn.Headroom:], and
// what it becomes is b[start:] of the result. That is empty when the server
// does not relay to the peer just now: the datagram is lost.
func (a *Agent) Wrap(now time.Time, path Path, b []byte, start int) ([]byte, Path) {
	l := a.localAt(path.Protocol, path.Local)
	if l == nil || l.relay == nil || l.relay.client == nil || l.relay.adrift {
		return b[:start], Path{}
	}
	packet, err := l.relay.client.WrapData(now, b, start+turn.Headroom, path.Remote)
	if err != nil {
		a.trace.Drop(now, trace.ICE, err.Error(), len(b)-start-turn.Headroom)
		return b[:start], Path{}
	}
	return append(b[:start], packet...), l.relay.path()
}

// Unwrap takes a datagram before anybody else looks at it. If a TURN server has
// relayed it, what comes back is what the peer sent, in the bytes of b, and the
// path that begins at the relayed address; and nothing, if the server should not
// have. Everything else comes back as it is.
func (a *Agent) Unwrap(now time.Time, path Path, b []byte) ([]byte, Path) {
	if len(a.errands) == 0 || !isRelayed(b) {
		return b, path
	}
	from := path.unmapped()
	for _, e := range a.errands {
		if e.client == nil || e.path() != from {
			continue
		}
		e.client.Receive(now, b)
		data, ok := e.client.NextData()
		if !ok {
			return nil, Path{} // the client has told the trace why
		}
		for _, l := range a.locals {
			if l.relay == e && l.addr.Addr().Is4() == data.Peer.Addr().Is4() {
				return data.Payload, Path{Local: l.addr, Remote: data.Peer}
			}
		}
		return nil, Path{}
	}
	return b, path
}

// isRelayed reports whether b looks like ChannelData or a Data indication.
func isRelayed(b []byte) bool {
	const dataIndication = 0x0017
	return turn.IsChannelData(b) || len(b) > 20 && b[0] == dataIndication>>8 && b[1] == dataIndication&0xff
}

// permitted reports whether a datagram may go from l to the peer, and asks the
// server for it if need be: it relays to no address that has no permission (RFC
// 8656, Section 9).
func (a *Agent) permitted(now time.Time, l *local, peer netip.Addr) bool {
	e := l.relay
	if e == nil {
		return true
	}
	if known := e.permissions[peer]; known != 0 || e.client == nil {
		return known == permissionGranted
	}
	if len(e.permissions) < maxPermissions && e.client.CreatePermission(now, peer) == nil {
		e.permissions[peer] = permissionAsked
		a.ready = true
		a.serve(now, e) // it may be there already
	} else {
		e.permissions[peer] = permissionRefused
	}
	return e.permissions[peer] == permissionGranted
}

// refuse fails the pairs that the server does not relay for.
func (a *Agent) refuse(now time.Time, e *errand, peer netip.Addr) {
	failed := false
	for _, p := range a.pairs {
		if p.local.relay == e && p.remote.addr.Addr() == peer && p.state != PairFailed {
			p.state = PairFailed
			p.settle()
			failed = true
		}
	}
	if failed && !a.ended() {
		a.forgetRemoved()
		a.wake(now)
		a.reconsider(now)
		a.failIfHopeless(now)
	}
}

// bindChannel makes the headers of data on p short, if they are a relay's.
func (a *Agent) bindChannel(now time.Time, p *pair) {
	if e := p.local.relay; e != nil && e.client != nil {
		if e.client.BindChannel(now, p.remote.addr) == nil {
			a.ready = true
			a.serve(now, e)
		}
	}
}

// headroom is room for a relay's header.
var headroom [turn.Headroom]byte
