package turn

import (
	"encoding/binary"
	"io"
	"net/netip"
	"time"

	"github.com/plainrtc/plainrtc/stun"
)

// Data is a datagram of a peer's.
type Data struct {
	Peer    netip.AddrPort
	Payload []byte // in the bytes that Receive was given
}

// NextData returns the datagram that the last Receive brought, once. Its
// payload is in the bytes that Receive was given: take it before they are used
// for something else.
func (c *Client) NextData() (Data, bool) {
	if !c.hasData {
		return Data{}, false
	}
	c.hasData = false
	return c.data, true
}

// AppendData appends the packet that carries a datagram to a peer, ChannelData
// if there is a channel and else a Send indication. RFC 8656, Sections 11.1 and
// 12.5.
func (c *Client) AppendData(now time.Time, b []byte, peer netip.AddrPort, payload []byte) ([]byte, error) {
	start := len(b)
	b = append(b, make([]byte, Headroom)...)
	b = append(b, payload...)
	packet, err := c.WrapData(now, b, start+Headroom, peer)
	if err != nil {
		return b[:start], err
	}
	return append(b[:start], packet...), nil
}

// WrapData makes the packet that carries the payload b[at:] to a peer, in
// place: its header is written in front of the payload, where there must be
// room for Headroom bytes, and up to 3 bytes of padding behind it. It returns
// the packet, which is a part of b if b has capacity for the padding.
func (c *Client) WrapData(now time.Time, b []byte, at int, peer netip.AddrPort) (packet []byte, err error) {
	peer = unmapped(peer)
	if c.state != stateAllocated || c.config.TCP {
		return nil, ErrNotAllocated
	}
	if len(b)-at > maxPayload {
		return nil, ErrTooLarge
	}
	var channel, permission *binding
	for i := range c.bindings {
		switch found := &c.bindings[i]; {
		case found.peer == peer && found.number != 0 && found.installed(now):
			channel = found
		case found.peer.Port() == 0 && found.peer.Addr() == peer.Addr() && found.installed(now):
			permission = found
		}
	}
	if permission == nil || peer.Port() == 0 {
		return nil, ErrNoPermission
	}
	c.touch(now, permission)
	if channel != nil && !c.config.DontFragment {
		c.touch(now, channel)
		return wrapChannelData(b, at, channel.number, c.config.Stream), nil
	}
	if _, err := io.ReadFull(c.config.Rand, c.indication[:]); err != nil {
		panic("BUG: the source of randomness failed: " + err.Error())
	}
	return wrapIndication(b, at, stun.Send, c.indication, peer, c.config.DontFragment), nil
}

// maxPayload is the largest payload that an indication has room for, with
// padding: more than UDP has.
const maxPayload = 0xffff - Headroom - 3

// wrapIndication writes a Send or Data indication around the payload b[at:]:
// XOR-PEER-ADDRESS, DONT-FRAGMENT if df says so, and DATA. RFC 8656, Section 11.
func wrapIndication(b []byte, at int, method stun.Method, id stun.TransactionID, peer netip.AddrPort, df bool) []byte {
	n := len(b) - at
	b = append(b, "\x00\x00\x00"[:padding(n)]...)
	head := 20 + 4 + 8 + 4
	if peer.Addr().Is6() {
		head += 12
	}
	if df {
		head += 4
	}
	start := at - head
	m := stun.NewBuilder(b[start:start], stun.NewType(method, stun.Indication), id)
	m.AddXORAddress(stun.AttrXORPeerAddress, peer)
	if df {
		m.Add(stun.AttrDontFragment, nil)
	}
	binary.BigEndian.PutUint16(b[at-4:], uint16(stun.AttrData))
	binary.BigEndian.PutUint16(b[at-2:], uint16(n))
	binary.BigEndian.PutUint16(b[start+2:], uint16(len(b)-start-20))
	return b[start:]
}

// receiveChannelData takes ChannelData. RFC 8656, Section 12.6.
func (c *Client) receiveChannelData(now time.Time, packet []byte) string {
	number, payload, ok := parseChannelData(packet)
	if !ok {
		return DropMalformed
	}
	for i := range c.bindings {
		b := &c.bindings[i]
		// The answer to ChannelBind may arrive behind the first data.
		if b.number != number || !b.pending && !b.installed(now) {
			continue
		}
		// "It is RECOMMENDED that the client discard the ChannelData message if the
		// client believes there is no active permission towards the peer."
		p := c.find(netip.AddrPortFrom(b.peer.Addr(), 0))
		if !b.pending && (p == nil || !p.pending && !p.installed(now)) {
			return DropNotPeer
		}
		c.touch(now, b)
		if p != nil {
			c.touch(now, p)
		}
		c.data, c.hasData = Data{Peer: b.peer, Payload: payload}, true
		return ""
	}
	return DropNoChannel
}

// receiveIndication takes a Data indication. It is not authenticated: one of a
// peer without a permission did not come from the server. RFC 8656, Section 11.4.
func (c *Client) receiveIndication(now time.Time, m stun.Message) string {
	peer, ok := m.XORAddress(stun.AttrXORPeerAddress)
	payload, has := m.Get(stun.AttrData)
	if !ok || !has || m.UnknownRequired(understood) != nil {
		return DropMalformed
	}
	peer = unmapped(peer)
	p := c.find(netip.AddrPortFrom(peer.Addr(), 0))
	if p == nil || !p.pending && !p.installed(now) {
		return DropNotPeer
	}
	c.touch(now, p)
	c.data, c.hasData = Data{Peer: peer, Payload: payload}, true
	return ""
}
