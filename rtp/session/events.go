package session

import "time"

// An Event is a rare fact that a Session tells: one of the types below.
type Event interface{ event() }

// StreamStarted: the first packet of a source was taken.
type StreamStarted struct{ Stream *Stream }

// StreamEnded: nothing more comes from a stream. What it still has may be read, and none
// of it is waited for.
type StreamEnded struct {
	Stream *Stream
	Reason EndReason
}

// KeyframeRequested: the peer, or a change of source, needs a key frame of an
// encoding.
type KeyframeRequested struct {
	Sender   *Sender
	Encoding int
}

// ToneReceived: the peer pressed a key of a telephone, and this is how long so far;
// told when it starts and when it ends.
type ToneReceived struct {
	Stream   *Stream
	Tone     byte // 0 to 9, *, #, A to D
	Duration time.Duration
	End      bool
}

// ToneSent: a tone that InsertDTMF was given begins; 0: all of them ended.
type ToneSent struct {
	Sender *Sender
	Tone   byte
}

func (StreamStarted) event()     {}
func (StreamEnded) event()       {}
func (KeyframeRequested) event() {}
func (ToneReceived) event()      {}
func (ToneSent) event()          {}

// An EndReason says why a stream ended.
type EndReason uint8

// Why streams end.
const (
	Bye      EndReason = 1 + iota // the peer said goodbye (RFC 3550, Section 6.6)
	Removed                       // its section was removed, or does not receive any more
	Replaced                      // another source sends what it did, or it was the quietest of too many
)

func (r EndReason) String() string {
	switch r {
	case Bye:
		return "BYE"
	case Removed:
		return "section removed"
	case Replaced:
		return "replaced"
	}
	return "unknown reason"
}

// NextEvent returns the next event, if there is one.
func (s *Session) NextEvent() (Event, bool) {
	e, ok := s.events.pop()
	return e, ok
}
