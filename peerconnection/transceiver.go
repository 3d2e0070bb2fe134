package peerconnection

import (
	"fmt"
	"slices"

	"github.com/plainrtc/plainrtc/sdp"
)

// A Kind is what a track carries.
type Kind string

// The kinds of media.
const (
	KindAudio Kind = "audio"
	KindVideo Kind = "video"
)

// A Direction is which way a transceiver's media flows, as this side sees it
// (W3C RTCRtpTransceiverDirection).
type Direction string

// The directions.
const (
	DirectionSendRecv Direction = "sendrecv"
	DirectionSendOnly Direction = "sendonly"
	DirectionRecvOnly Direction = "recvonly"
	DirectionInactive Direction = "inactive"
	// DirectionStopped is where a transceiver ends.
	DirectionStopped Direction = "stopped"
)

// bits are the direction as SDP has it; that of a stopped transceiver is inactive.
func (d Direction) bits() sdp.Direction {
	switch d {
	case DirectionSendRecv:
		return sdp.SendRecv
	case DirectionSendOnly:
		return sdp.SendOnly
	case DirectionRecvOnly:
		return sdp.RecvOnly
	}
	return sdp.Inactive
}

// directionOf is the Direction that SDP's words say.
func directionOf(d sdp.Direction) Direction { return Direction(d.String()) }

// sends and receives tell the two halves of a direction.
func sends(d sdp.Direction) bool    { return d&sdp.SendOnly != 0 }
func receives(d sdp.Direction) bool { return d&sdp.RecvOnly != 0 }

// A Transceiver is a Sender and a Receiver that share a media description, and
// so a MID (RFC 9429, Section 3.4.1; W3C RTCRtpTransceiver). Transceivers are
// made by [PeerConnection.AddTransceiver], by [PeerConnection.AddTrack], and by a
// remote offer that has more media than we.
type Transceiver struct {
	pc       *PeerConnection
	kind     Kind
	sender   *Sender
	receiver *Receiver

	// direction is what is wanted; current is what was agreed on last, "" when
	// nothing was.
	direction, current Direction
	// preferred are the keys of the codecs to negotiate, best first; nil: ours, in our order.
	preferred []string
	// receiveRIDs are the simulcast layers to ask for.
	receiveRIDs []string

	// association is what an offer changes and its rollback gives back.
	association
	// byAddTrack: a remote offer may take it for one of its sections (RFC 9429, Section 5.10).
	byAddTrack bool
	// byRemote: a remote offer has made it, and taken back, takes it along.
	byRemote bool
	// hasSent: it was agreed on that it sends, so that AddTrack leaves it alone.
	hasSent bool
	// stopping was stopped by Stop, stopped in the descriptions as well.
	stopping, stopped bool
	// configured is the mid under which the packet side knows it; "" when it does not.
	configured string
}

// An association ties a transceiver to a media description.
type association struct {
	mid string // "" before it is associated
	// receiving: the peer's newest description sends to us (W3C [[FiredDirection]]).
	receiving bool
	streams   []string // the peer's streams that its track is in
	encodings []encoding
}

// MID is the identification of the media description that the transceiver is
// associated with; "" before an offer with it is set.
func (t *Transceiver) MID() string {
	t.pc.mu.Lock()
	defer t.pc.mu.Unlock()
	return t.mid
}

// Kind is what its tracks carry.
func (t *Transceiver) Kind() Kind { return t.kind }

// Sender is its sending half.
func (t *Transceiver) Sender() *Sender { return t.sender }

// Receiver is its receiving half.
func (t *Transceiver) Receiver() *Receiver { return t.receiver }

// Direction is what the next offer or answer will ask for.
func (t *Transceiver) Direction() Direction {
	t.pc.mu.Lock()
	defer t.pc.mu.Unlock()
	return t.direction
}

// CurrentDirection is what was negotiated last: "" when nothing was.
func (t *Transceiver) CurrentDirection() Direction {
	t.pc.mu.Lock()
	defer t.pc.mu.Unlock()
	return t.current
}

// SetDirection changes what the next offer or answer asks for. It takes effect
// with that: see [PeerConnection.NextNegotiationNeeded].
func (t *Transceiver) SetDirection(d Direction) error {
	switch d {
	case DirectionSendRecv, DirectionSendOnly, DirectionRecvOnly, DirectionInactive:
	default:
		return fmt.Errorf("peerconnection: a transceiver's direction is sendrecv, sendonly, recvonly or inactive, not %q; Stop stops it", d)
	}
	now := t.pc.enter()
	defer t.pc.leave(now)
	if t.stopping {
		return errStopped("its direction can't be changed")
	}
	t.direction = d
	t.pc.core.mediaChanged()
	return nil
}

// SetCodecPreferences says which codecs to negotiate from now on, best first. They
// are some of those that [Capabilities] lists; none of them means all of them, in
// the order listed there. A Codec with a MimeType alone stands for all of that name:
//
//	t.SetCodecPreferences([]Codec{{MimeType: "video/H264"}, {MimeType: "video/VP8"}})
//
// It takes effect with the next offer or answer.
func (t *Transceiver) SetCodecPreferences(codecs []Codec) error {
	keys, err := preferences(t.kind, codecs)
	if err != nil {
		return err
	}
	t.pc.mu.Lock()
	defer t.pc.mu.Unlock()
	t.preferred = keys
	t.pc.core.changes++
	return nil
}

// Stop ends the transceiver for good: at once here, and at the peer with the next
// exchange, after which its place in the descriptions is free for another.
func (t *Transceiver) Stop() error {
	now := t.pc.enter()
	defer t.pc.leave(now)
	if t.pc.core.ended {
		return t.pc.core.endError("the transceiver is not stopped")
	}
	t.pc.core.stopTransceiver(now, t)
	return nil
}

func errStopped(what string) error {
	return fmt.Errorf("peerconnection: the transceiver is stopped: %s", what)
}

// live are the transceivers that are not stopped.
func (n *negotiation) live() []*Transceiver {
	return slices.DeleteFunc(slices.Clone(n.transceivers), func(t *Transceiver) bool { return t.stopped })
}
