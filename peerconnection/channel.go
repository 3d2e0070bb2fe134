package peerconnection

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/plainrtc/plainrtc/internal/trace"
	"github.com/plainrtc/plainrtc/sctp"
)

// The core's half of data channels (RFC 8831): which stream each has, what DCEP
// says about it, and how it ends. The user's half is [DataChannel].

// maxStreams is how many streams we use and let the peer use each way. Browsers
// refuse identifiers above 1,023.
const maxStreams = 1024

// Limits on what a peer may open.
const (
	maxUnacceptedChannels = maxStreams
	maxLabelBytes         = 256 << 10 // labels and protocols, of channels that are open or not accepted yet
)

// A channel is what the core knows of a data channel.
type channel struct {
	label, protocol string
	unordered       bool
	maxRetransmits  int           // -1: without limit
	lifetime        time.Duration // 0: without limit
	priority        Priority
	negotiated      bool
	byPeer          bool // the peer has made it
	accepted        bool // and the user has it

	id    uint16
	hasID bool
	state DataChannelState
	// err is why the channel closed, where that was not asked for.
	err error

	// sayOpen: we made the channel, and its DATA_CHANNEL_OPEN is still to be sent.
	sayOpen bool
	// heard: the peer has acknowledged the channel or sent on it, so that
	// unordered messages can no longer overtake the DATA_CHANNEL_OPEN (RFC 8832, Section 6).
	heard bool
	// closedByUser: what comes is dropped.
	closedByUser bool
	// resetSent: the reset of our outgoing stream was asked for.
	resetSent bool
	// resetDone: our outgoing stream was reset.
	resetDone bool
	// remoteClosed: the peer has reset its outgoing stream; nothing more comes.
	remoteClosed bool
	// streamBusy: the reset of the stream's last use is not answered yet, so
	// that what is sent waits in early; sayAck: and so does our DATA_CHANNEL_ACK.
	streamBusy, sayAck bool

	// early is what was written before the channel had a stream.
	early      []earlyMessage
	earlyBytes int
	// unsent is how many bytes of messages were lost with the channel.
	unsent int

	// inbox holds what has come and was not read, from inboxRead on.
	inbox     []inboxMessage
	inboxRead int

	messagesSent, messagesReceived uint64
	bytesSent, bytesReceived       uint64
}

// An earlyMessage was written before the channel had a stream.
type earlyMessage struct {
	kind MessageKind
	data []byte
}

// buffered is the channel's bufferedAmount in bytes.
func (d *DataChannel) buffered() int {
	if d.state == DataChannelClosed {
		return d.unsent
	}
	if c := d.pc.core.sctp; c != nil && d.hasID {
		return d.earlyBytes + c.BufferedAmount(d.id)
	}
	return d.earlyBytes
}

// newChannel checks the options of a channel to be made.
func newChannel(label string, o *DataChannelOptions) (channel, error) {
	var zero DataChannelOptions
	if o == nil {
		o = &zero
	}
	c := channel{
		label: label, protocol: o.Protocol, unordered: o.Unordered, maxRetransmits: -1,
		priority: o.Priority, negotiated: o.Negotiated, sayOpen: !o.Negotiated,
	}
	if c.priority == 0 {
		c.priority = PriorityLow
	}
	switch {
	case len(label) > math.MaxUint16:
		return c, fmt.Errorf("peerconnection: a data channel's label has 65,535 bytes at most, this one %d", len(label))
	case len(o.Protocol) > math.MaxUint16:
		return c, fmt.Errorf("peerconnection: a data channel's protocol has 65,535 bytes at most, this one %d", len(o.Protocol))
	case o.MaxRetransmits != nil && o.MaxPacketLifeTime != 0:
		return c, errors.New("peerconnection: a data channel is limited by MaxRetransmits or by MaxPacketLifeTime, not by both")
	case o.MaxPacketLifeTime < 0 || o.MaxPacketLifeTime > math.MaxUint16*time.Millisecond ||
		o.MaxPacketLifeTime > 0 && o.MaxPacketLifeTime < time.Millisecond:
		return c, fmt.Errorf("peerconnection: MaxPacketLifeTime is 1 ms to 65,535 ms, not %v", o.MaxPacketLifeTime)
	case o.Negotiated && o.ID >= maxStreams:
		return c, fmt.Errorf("peerconnection: the ID of a negotiated data channel is 0 to %d, not %d", maxStreams-1, o.ID)
	case !o.Negotiated && o.ID != 0:
		return c, errors.New("peerconnection: only a negotiated data channel has an ID of the caller's choice")
	}
	if o.MaxRetransmits != nil {
		c.maxRetransmits = int(*o.MaxRetransmits)
	}
	c.lifetime = o.MaxPacketLifeTime.Truncate(time.Millisecond)
	if c.negotiated {
		c.id, c.hasID = o.ID, true
	}
	return c, nil
}

// addChannel enters a channel that the user makes.
func (c *core) addChannel(now time.Time, d *DataChannel) error {
	if d.negotiated {
		if c.channels[d.id] != nil {
			return fmt.Errorf("peerconnection: stream %d is in use by data channel %q", d.id, c.channels[d.id].label)
		}
		d.heard = true
		c.channels[d.id] = d
	} else if c.channelsNeedIDs() >= maxStreams/2 {
		return fmt.Errorf("peerconnection: a connection has at most %d data channels of each side's making", maxStreams/2)
	}
	c.opening = append(c.opening, d)
	c.channelsMade++
	c.startChannels(now)
	return nil
}

func (c *core) channelsNeedIDs() (n int) {
	for _, d := range c.opening {
		if !d.hasID {
			n++
		}
	}
	return n
}

// startChannels moves along the channels that wait: for their stream until the
// DTLS role is known, for the association until it is established.
func (c *core) startChannels(now time.Time) {
	if c.dtls == nil {
		return
	}
	waiting := c.opening[:0]
	for _, d := range c.opening {
		switch {
		case d.state != DataChannelConnecting:
			continue
		case !d.hasID && !c.assignID(d):
			c.endChannel(d, errors.New("peerconnection: no stream is left for another data channel"))
			continue
		}
		if c.sctp == nil {
			waiting = append(waiting, d)
			continue
		}
		// "After the DATA_CHANNEL_OPEN message has been sent, the sender of that
		// message MAY start sending messages containing user data without waiting for
		// the reception of the corresponding DATA_CHANNEL_ACK message" (RFC 8832, Section 6). The association queues what
		// it is given before it is established, and sends it with its COOKIE ECHO.
		if err := c.sendEarly(now, d); err != nil {
			c.endChannel(d, err)
			continue
		}
		if !c.sctpUp {
			waiting = append(waiting, d)
			continue
		}
		c.openChannel(now, d)
	}
	clear(c.opening[len(waiting):])
	c.opening = waiting
}

// sendEarly gives the association what had to wait for it. It fails if the
// peer can't take it: nothing may be lost from a channel's beginning.
func (c *core) sendEarly(now time.Time, d *DataChannel) error {
	c.sctp.SetStreamPriority(d.id, uint16(d.priority)) // RFC 8831, Section 6.4
	if d.sayOpen {
		d.sayOpen = false
		if err := c.sendOpen(now, d); err != nil {
			return err
		}
	}
	if d.sayAck {
		d.sayAck = false
		if err := c.sendAck(now, d); err != nil {
			return err
		}
	}
	for _, m := range d.early {
		if err := d.tooLarge(len(m.data)); err != nil {
			return err
		}
		if err := c.sendNow(now, d, m.kind, m.data); err != nil {
			return err
		}
	}
	if d.early != nil {
		d.early, d.earlyBytes = nil, 0
		d.writable.signal()
	}
	return nil
}

// assignID gives a channel the lowest free stream of our parity: "the side acting as
// the DTLS client MUST use streams with even stream identifiers; the side acting as the
// DTLS server MUST use streams with odd stream identifiers" (RFC 8832, Section 6).
func (c *core) assignID(d *DataChannel) bool {
	first := uint16(0)
	if !c.dtlsClient {
		first = 1
	}
	for id := first; id < maxStreams; id += 2 {
		if c.channels[id] == nil {
			d.id, d.hasID = id, true
			c.channels[id] = d
			return true
		}
	}
	return false
}

func (c *core) openChannel(now time.Time, d *DataChannel) {
	d.state = DataChannelOpen
	c.channelsOpened++
	c.cfg.Trace.Note(now, trace.DCEP, "data channel open: "+d.label)
	d.writable.signal()
}

func (c *core) sendOpen(now time.Time, d *DataChannel) error {
	m := dcepOpenMessage{priority: uint16(d.priority), label: []byte(d.label), protocol: []byte(d.protocol)}
	switch {
	case d.maxRetransmits >= 0:
		m.channelType, m.reliability = channelPartialRexmit, uint32(d.maxRetransmits)
	case d.lifetime > 0:
		m.channelType, m.reliability = channelPartialTimed, uint32(d.lifetime/time.Millisecond)
	}
	if d.unordered {
		m.channelType |= channelUnordered
	}
	// "All DCEP messages MUST be sent using ordered delivery and reliable transmission."
	// RFC 8832, Section 6.
	return c.sendOn(now, d, sctp.Message{Stream: d.id, PPID: ppidDCEP, Data: m.append(nil)})
}

func (c *core) sendAck(now time.Time, d *DataChannel) error {
	return c.sendOn(now, d, sctp.Message{Stream: d.id, PPID: ppidDCEP, Data: []byte{dcepAck}})
}

// send queues one message of the user.
func (c *core) send(now time.Time, d *DataChannel, kind MessageKind, data []byte) error {
	d.messagesSent++
	d.bytesSent += uint64(len(data))
	if !d.hasID || c.sctp == nil || d.sayOpen || d.streamBusy {
		d.early = append(d.early, earlyMessage{kind: kind, data: append([]byte(nil), data...)})
		d.earlyBytes += len(data)
		return nil
	}
	return c.sendNow(now, d, kind, data)
}

// emptyMessage is the one byte that stands for an empty message: "SCTP does not
// support the sending of empty user messages. Therefore, if an empty message
// has to be sent, the appropriate PPID … is used, and the SCTP user message of
// one zero byte is sent" (RFC 8831, Section 6.6).
var emptyMessage = []byte{0}

func (c *core) sendNow(now time.Time, d *DataChannel, kind MessageKind, data []byte) error {
	m := sctp.Message{
		Stream: d.id, PPID: ppidBinary, Data: data,
		// "before the DATA_CHANNEL_ACK message or any other message has been received on
		// a data channel, all other messages containing user data and belonging to this
		// data channel MUST be sent ordered" (RFC 8832, Section 6).
		Unordered:      d.unordered && d.heard,
		Limited:        d.maxRetransmits >= 0,
		MaxRetransmits: uint16(max(d.maxRetransmits, 0)),
		Lifetime:       d.lifetime,
	}
	if kind == Text {
		m.PPID = ppidString
	}
	if len(data) == 0 {
		m.Data, m.PPID = emptyMessage, ppidBinaryEmpty
		if kind == Text {
			m.PPID = ppidStringEmpty
		}
	}
	return c.sendOn(now, d, m)
}

func (c *core) sendOn(now time.Time, d *DataChannel, m sctp.Message) error {
	if err := c.sctp.Send(now, m); err != nil {
		return fmt.Errorf("peerconnection: a message on data channel %q was not queued: %w", d.label, err)
	}
	return nil
}

func (c *core) receiveDCEP(now time.Time, d *DataChannel, m sctp.Received) {
	if len(m.Data) == 1 && m.Data[0] == dcepAck {
		if d == nil || d.negotiated {
			c.drop(now, trace.DCEP, dropUnexpectedAck, len(m.Data))
			return
		}
		d.heard = true
		return
	}
	open, ok := parseDCEPOpen(m.Data)
	switch {
	case !ok:
		c.drop(now, trace.DCEP, dropMalformedDCEP, len(m.Data))
		return
	case d != nil && !d.remoteClosed:
		// The stream is taken: by both sides at once if one of them has its
		// parity wrong, or by a negotiated channel.
		c.drop(now, trace.DCEP, dropStreamTaken, len(m.Data))
		return
	case m.Stream >= maxStreams || len(c.unaccepted) >= maxUnacceptedChannels ||
		c.labelBytes+len(open.label)+len(open.protocol) > maxLabelBytes:
		c.drop(now, trace.DCEP, dropTooManyChannels, len(m.Data))
		c.resetStream(now, m.Stream)
		return
	}
	// A peer that has reset its stream uses it again only when it knows that
	// ours was reset, too. We may be the last to hear of that; until then
	// nothing can be sent on it.
	busy := d != nil
	if busy {
		c.endChannel(d, nil)
	}
	d = c.newDataChannel(channel{
		label: string(open.label), protocol: string(open.protocol), streamBusy: busy, sayAck: true,
		unordered:      open.channelType&channelUnordered != 0,
		maxRetransmits: -1, priority: Priority(open.priority),
		id: m.Stream, hasID: true, heard: true, byPeer: true,
	})
	switch open.channelType &^ channelUnordered {
	case channelPartialRexmit:
		d.maxRetransmits = int(min(open.reliability, math.MaxUint16))
	case channelPartialTimed:
		d.lifetime = time.Duration(open.reliability) * time.Millisecond
	}
	c.channels[d.id] = d
	c.channelsMade++
	c.unaccepted = append(c.unaccepted, d)
	c.labelBytes += len(d.label) + len(d.protocol)
	c.openChannel(now, d)
	if !busy {
		c.sendEarly(now, d)
	}
	c.channelAccepted.signal()
}

func (c *core) newDataChannel(ch channel) *DataChannel {
	return &DataChannel{pc: c.pc, channel: ch}
}

// acceptChannel hands the user the first channel that the peer has made.
func (c *core) acceptChannel() *DataChannel {
	d := c.unaccepted[0]
	c.unaccepted[0] = nil
	c.unaccepted = c.unaccepted[1:]
	d.accepted = true
	c.forgetLabel(d)
	return d
}
