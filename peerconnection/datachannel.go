package peerconnection

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// A MessageKind says whether a message is text or bytes. The peer's
// application sees the difference: a browser hands out a string or an
// ArrayBuffer.
type MessageKind uint8

// The kinds of message.
const (
	// Binary is any bytes.
	Binary MessageKind = iota
	// Text is UTF-8. It is not checked: what is sent as text should be valid.
	Text
)

func (k MessageKind) String() string { return name(k, "binary", "text") }

// A Message is what a data channel carries: its boundaries are kept.
type Message struct {
	Kind MessageKind
	Data []byte
}

// A DataChannelState is where a data channel is in its life (W3C
// RTCDataChannelState).
type DataChannelState uint8

// The data channel states.
const (
	// DataChannelConnecting waits for the connection. What is written meanwhile is queued.
	DataChannelConnecting DataChannelState = iota
	// DataChannelOpen carries messages both ways.
	DataChannelOpen
	// DataChannelClosing sends what is queued, and takes nothing more.
	DataChannelClosing
	// DataChannelClosed is the end. Messages that came before it can still be read.
	DataChannelClosed
)

func (s DataChannelState) String() string {
	return name(s, "connecting", "open", "closing", "closed")
}

// A Priority weighs a data channel against the others of its connection (RFC
// 8831, Section 6.4; W3C RTCPriorityType).
type Priority uint16

// The priorities, with the values they have on the wire (RFC 8832, Section 8.2.1).
const (
	PriorityVeryLow Priority = 128
	PriorityLow     Priority = 256
	PriorityMedium  Priority = 512
	PriorityHigh    Priority = 1024
)

// DataChannelOptions describes a data channel to make. A nil
// *DataChannelOptions, like the zero one, means ordered and reliable.
type DataChannelOptions struct {
	// Unordered lets messages overtake each other.
	Unordered bool
	// MaxRetransmits is how often a message is sent again before it is given
	// up; nil means without limit. It excludes MaxPacketLifeTime.
	MaxRetransmits *uint16
	// MaxPacketLifeTime is for how long a message is sent again before it is
	// given up: 1 ms to 65,535 ms, in whole milliseconds; zero means without
	// limit. It excludes MaxRetransmits.
	MaxPacketLifeTime time.Duration
	// Protocol names the application's subprotocol: at most 65,535 bytes.
	Protocol string
	// Negotiated says that both sides make the channel with the same ID by
	// themselves, and nothing is said about it on the wire. What comes before
	// this side has made it is dropped, as browsers do: it is best made before
	// the descriptions are exchanged.
	Negotiated bool
	// ID is the stream identifier of a negotiated channel: 0 to 1,023, which
	// is how many streams browsers allow.
	ID uint16
	// Priority is the channel's share, in bytes, when several have something to
	// send; the peer is told, and does the same if it can. Zero means PriorityLow.
	Priority Priority
}

// Errors of data channels.
var (
	// ErrMessageTooLarge is wrapped by the error of a write above the peer's max-message-size.
	ErrMessageTooLarge = errors.New("the message is larger than the peer accepts")
	// ErrDataChannelClosed is wrapped by the error of a write to a channel that is closing or closed.
	ErrDataChannelClosed = errors.New("the data channel is closed")
)

// writeLimit is how many bytes of a channel's messages may wait for the network
// before WriteMessage blocks; it goes on once half of them have left. A message
// is always taken whole, so that at most the limit and one message are held.
const writeLimit = 1 << 20

// A DataChannel carries messages to and from the peer (RFC 8831; W3C
// RTCDataChannel). Its methods may be called by any goroutine.
//
// It is read and written by message. As an [io.ReadWriteCloser] it carries
// bytes: a Write is a binary message, and a Read takes bytes of one message.
type DataChannel struct {
	pc *PeerConnection
	channel

	readable gate // a message came, or the state changed
	writable gate // buffered bytes left, or the state changed
	// threshold is SetBufferedAmountLowThreshold's.
	threshold int
	// unread is what Read has left of the message it is in.
	unread []byte
}

var _ io.ReadWriteCloser = (*DataChannel)(nil)

// Label is the name that the channel was made with.
func (d *DataChannel) Label() string { return d.label }

// Protocol is the subprotocol that the channel was made with.
func (d *DataChannel) Protocol() string { return d.protocol }

// Ordered reports whether messages arrive in the order they were sent in.
func (d *DataChannel) Ordered() bool { return !d.unordered }

// MaxRetransmits is how often a message is sent again before it is given up; ok
// is false when there is no such limit.
func (d *DataChannel) MaxRetransmits() (n uint16, ok bool) {
	return uint16(max(d.maxRetransmits, 0)), d.maxRetransmits >= 0
}

// MaxPacketLifeTime is for how long a message is sent again before it is given
// up; zero when there is no such limit.
func (d *DataChannel) MaxPacketLifeTime() time.Duration { return d.lifetime }

// Negotiated reports whether both sides made the channel by themselves.
func (d *DataChannel) Negotiated() bool { return d.negotiated }

// Priority is the channel's weight among the others.
func (d *DataChannel) Priority() Priority { return d.priority }

// ID is the channel's stream identifier; ok is false until the connection has
// chosen one.
func (d *DataChannel) ID() (id uint16, ok bool) {
	d.pc.mu.Lock()
	defer d.pc.mu.Unlock()
	return d.id, d.hasID
}

// ReadyState is the channel's state now.
func (d *DataChannel) ReadyState() DataChannelState {
	d.pc.mu.Lock()
	defer d.pc.mu.Unlock()
	return d.state
}

// Opened blocks until the channel is open. It returns an error that says why
// when it will never be.
func (d *DataChannel) Opened(ctx context.Context) error {
	d.pc.mu.Lock()
	defer d.pc.mu.Unlock()
	err := d.pc.await(ctx, &d.writable, func() bool { return d.state != DataChannelConnecting })
	if err != nil {
		return fmt.Errorf("peerconnection: data channel %q did not open: %w", d.label, err)
	}
	if d.state != DataChannelOpen {
		return d.closedError("open")
	}
	return nil
}

// ReadMessage blocks until a message has come and returns it; its bytes are the
// caller's. After the last message of a closed channel it returns io.EOF; after
// the failure of the connection, an error that says why.
func (d *DataChannel) ReadMessage(ctx context.Context) (Message, error) {
	d.pc.mu.Lock()
	m, err := d.next(ctx)
	if err != nil {
		d.pc.mu.Unlock()
		return Message{}, err
	}
	now := d.pc.now()
	data := d.pc.core.keep(now, m)
	d.pc.leave(now)
	return Message{Kind: m.kind, Data: data}, nil
}

// ReadMessageInto is ReadMessage for a program that counts its allocations: it
// copies the message into b and returns how long it is. A message longer than b
// is left where it is, and the error is [io.ErrShortBuffer] with the length
// that is needed.
func (d *DataChannel) ReadMessageInto(ctx context.Context, b []byte) (n int, kind MessageKind, err error) {
	d.pc.mu.Lock()
	m, err := d.peek(ctx)
	if err != nil {
		d.pc.mu.Unlock()
		return 0, Binary, err
	}
	if len(m.data) > len(b) {
		d.pc.mu.Unlock()
		return len(m.data), m.kind, io.ErrShortBuffer
	}
	d.take()
	n = copy(b, m.data)
	now := d.pc.now()
	d.pc.core.release(now, m)
	d.pc.leave(now)
	return n, m.kind, nil
}

// Read fills b with bytes of the message that is next, or of the one it has
// begun. It does not tell text from binary, and passes over empty messages,
// which have no bytes.
func (d *DataChannel) Read(b []byte) (int, error) {
	d.pc.mu.Lock()
	if len(d.unread) > 0 {
		n := copy(b, d.unread)
		if d.unread = d.unread[n:]; len(d.unread) == 0 {
			d.unread = nil
		}
		d.pc.mu.Unlock()
		return n, nil
	}
	m, err := d.next(context.Background())
	for err == nil && len(m.data) == 0 {
		d.pc.core.release(d.pc.now(), m)
		m, err = d.next(context.Background())
	}
	if err != nil {
		d.pc.mu.Unlock()
		return 0, err
	}
	n := copy(b, m.data)
	now := d.pc.now()
	if n < len(m.data) {
		d.unread = d.pc.core.keep(now, m)[n:]
	} else {
		d.pc.core.release(now, m)
	}
	d.pc.leave(now)
	return n, nil
}

// peek blocks until a message stands first in the inbox. Called with the lock held.
func (d *DataChannel) peek(ctx context.Context) (inboxMessage, error) {
	for len(d.inbox) == d.inboxRead {
		if d.state == DataChannelClosed || d.remoteClosed || d.closedByUser {
			if err := d.err; err != nil {
				return inboxMessage{}, err
			}
			return inboxMessage{}, io.EOF
		}
		if err := d.readable.wait(ctx, &d.pc.mu); err != nil {
			return inboxMessage{}, err
		}
	}
	return d.inbox[d.inboxRead], nil
}

// next is peek and take.
func (d *DataChannel) next(ctx context.Context) (inboxMessage, error) {
	m, err := d.peek(ctx)
	if err == nil {
		d.take()
	}
	return m, err
}

// WriteMessage queues a message for the peer, copying it. It blocks while more
// than 1 MiB of the channel's messages wait for the network, so a fast writer
// runs at the network's pace in bounded memory. A channel that is still
// connecting takes messages too.
func (d *DataChannel) WriteMessage(ctx context.Context, kind MessageKind, data []byte) error {
	now := d.pc.enter()
	for {
		if err := d.writeError(len(data)); err != nil {
			d.pc.mu.Unlock()
			return err
		}
		if d.buffered() < writeLimit {
			break
		}
		if err := d.waitBuffered(ctx, writeLimit/2); err != nil {
			d.pc.mu.Unlock()
			return fmt.Errorf("peerconnection: a message on data channel %q was not queued: %w", d.label, err)
		}
		now = d.pc.now()
	}
	err := d.pc.core.send(now, d, kind, data)
	d.pc.leave(now)
	return err
}

// writeError says why a message of n bytes can't be written, if it can't.
func (d *DataChannel) writeError(n int) error {
	if d.state >= DataChannelClosing {
		return d.closedError("written to")
	}
	return d.tooLarge(n)
}

// tooLarge says that a message of n bytes is more than the peer takes, if it is.
func (d *DataChannel) tooLarge(n int) error {
	if limit := d.pc.core.maxMessageSize(); n > limit {
		return fmt.Errorf("peerconnection: a message of %d bytes on data channel %q: %w (%d bytes at most)", n, d.label, ErrMessageTooLarge, limit)
	}
	return nil
}

func (d *DataChannel) closedError(verb string) error {
	if d.err != nil {
		return fmt.Errorf("peerconnection: data channel %q can't be %s: %w: %w", d.label, verb, ErrDataChannelClosed, d.err)
	}
	return fmt.Errorf("peerconnection: data channel %q can't be %s: %w", d.label, verb, ErrDataChannelClosed)
}

// SendText sends a text message as WriteMessage does, waiting as long as it takes.
func (d *DataChannel) SendText(s string) error {
	return d.WriteMessage(context.Background(), Text, []byte(s))
}

// Send sends a binary message as WriteMessage does, waiting as long as it takes.
func (d *DataChannel) Send(b []byte) error {
	return d.WriteMessage(context.Background(), Binary, b)
}

// Write sends b as one binary message, or as several when b is larger than the
// peer accepts: a reader of bytes can't tell.
func (d *DataChannel) Write(b []byte) (int, error) {
	d.pc.mu.Lock()
	limit := d.pc.core.maxMessageSize()
	d.pc.mu.Unlock()
	for n := 0; ; {
		part := b[n:min(n+limit, len(b))]
		if err := d.Send(part); err != nil {
			return n, err
		}
		if n += len(part); n == len(b) {
			return n, nil
		}
	}
}

// BufferedAmount is how many bytes of messages wait to be sent for the first
// time, or waited for it when the channel ended.
func (d *DataChannel) BufferedAmount() int {
	d.pc.mu.Lock()
	defer d.pc.mu.Unlock()
	return d.buffered()
}

// SetBufferedAmountLowThreshold sets what WaitBufferedAmountLow waits for: by
// default, nothing left.
func (d *DataChannel) SetBufferedAmountLowThreshold(n int) {
	d.pc.mu.Lock()
	defer d.pc.mu.Unlock()
	d.threshold = max(n, 0)
}

// BufferedAmountLowThreshold is what SetBufferedAmountLowThreshold set.
func (d *DataChannel) BufferedAmountLowThreshold() int {
	d.pc.mu.Lock()
	defer d.pc.mu.Unlock()
	return d.threshold
}

// WaitBufferedAmountLow blocks until no more than the threshold is buffered: not
// at all when that is so already. When the channel ends before that, the error
// says so.
func (d *DataChannel) WaitBufferedAmountLow(ctx context.Context) error {
	d.pc.mu.Lock()
	defer d.pc.mu.Unlock()
	for d.buffered() > d.threshold {
		if d.state == DataChannelClosed {
			return d.closedError("drained")
		}
		if err := d.waitBuffered(ctx, d.threshold); err != nil {
			return err
		}
	}
	return nil
}

// waitBuffered blocks until no more than mark bytes are buffered, or the state
// changes, or for no reason. Called with the lock held.
func (d *DataChannel) waitBuffered(ctx context.Context, mark int) error {
	if c := d.pc.core.sctp; c != nil && d.hasID {
		c.SetBufferedAmountLow(d.id, mark)
	}
	return d.writable.wait(ctx, &d.pc.mu)
}

// Close closes the channel in both directions. What was written before is still
// sent; what has come and was not read can still be read, and what the peer
// sends from now on is dropped, as browsers do. It returns at once.
func (d *DataChannel) Close() error {
	now := d.pc.enter()
	d.pc.core.closeChannel(now, d)
	d.pc.leave(now)
	return nil
}
