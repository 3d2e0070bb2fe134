package peerconnection

import (
	"slices"
	"sync"
)

// A Track is audio or video from one source (W3C MediaStreamTrack). A local one
// is made by [NewTrack] and belongs to no connection: what is written to it goes to
// every [Sender] it is given to, by [PeerConnection.AddTrack],
// [PeerConnection.AddTransceiver] or [Sender.ReplaceTrack]. A remote one comes with
// a [Receiver] and is read; given to senders of other connections, it is forwarded
// to them.
type Track struct {
	id   string
	kind Kind
	// receiver feeds a remote track; nil for a local one.
	receiver *Receiver

	// ended: a remote track's transceiver is stopped, or its connection has ended; kept
	// under the connection's lock.
	ended bool

	mu      sync.Mutex
	senders []*Sender // never changed in place
}

// NewTrack makes a local track. Its id is told to the peer; it should be unique
// among the application's tracks.
func NewTrack(kind Kind, id string) *Track { return &Track{kind: kind, id: id} }

// ID identifies the track: of a remote one it is what the peer says, or else made up here.
func (t *Track) ID() string {
	if t.receiver != nil {
		t.receiver.pc.mu.Lock()
		defer t.receiver.pc.mu.Unlock()
	}
	return t.id
}

// Kind is what the track carries.
func (t *Track) Kind() Kind { return t.kind }

// Remote reports whether the track comes from a peer.
func (t *Track) Remote() bool { return t.receiver != nil }

// attach and detach keep the list of senders that what is written goes to. They
// are called with the sender's connection locked: nobody may lock a connection
// while holding the track's lock.
func (t *Track) attach(s *Sender) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.senders = append(slices.Clone(t.senders), s)
}

func (t *Track) detach(s *Sender) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.senders = slices.DeleteFunc(slices.Clone(t.senders), func(other *Sender) bool { return other == s })
}

// attached are the senders that the track is given to. The slice does not change.
func (t *Track) attached() []*Sender {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.senders
}

// end is the end of a remote track. It is called with its connection locked.
func (t *Track) end() { t.ended = true }
