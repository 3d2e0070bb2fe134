package peerconnection

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/session"
)

// A Track is audio or video from one source (W3C MediaStreamTrack). A local one
// is made by [NewTrack] and belongs to no connection: what is written to it goes to
// every [Sender] it is given to, by [PeerConnection.AddTrack],
// [PeerConnection.AddTransceiver] or [Sender.ReplaceTrack]. A remote one comes with
// a [Receiver] and is read; given to senders of other connections, it is forwarded
// to them.
type Track struct {
	kind Kind
	// receiver feeds a remote track; nil for a local one.
	receiver *Receiver

	// What a remote track has, under its connection's lock.
	stream      *session.Stream // that feeds it; nil before the first packet
	former      *session.Stream // that fed it before, and has frames that were not read; or nil
	reads       reads
	ended       bool // its transceiver is stopped, or the connection has ended
	clock       mediaClock
	packets     []session.Packet // that were not read, from packetsRead on
	packetsRead int
	packetsLost uint64 // that were not read in time
	tones       []Tone // that were not read
	readable    gate   // any of these has changed

	// What other connections look at too, as senders of theirs have the track.
	mu      sync.Mutex
	id      string    // of a remote track, it is changed with its connection locked as well
	rid     string    // the layer of a simulcast that a remote track is, likewise; "" without one
	senders []*Sender // never changed in place
	// wanted are the layers of a local track of which a peer needs a key frame, or needed
	// one a short time ago.
	wanted    []wantedLayer
	keyframes chan struct{} // has an element if there is another; nil until somebody asks
}

// A wantedLayer is a layer of a local track whose encoder is asked for key frames.
type wantedLayer struct {
	rid  string
	want bool
	told time.Time // when the encoder was last told
}

// keyframeInterval is the least time between two key frames of a local track that encoders are asked
// for: of many peers each may ask, and one key frame serves them all.
const keyframeInterval = 200 * time.Millisecond

// NewTrack makes a local track. Its id is told to the peer; it should be unique
// among the application's tracks.
func NewTrack(kind Kind, id string) *Track { return &Track{kind: kind, id: id} }

// ID identifies the track: of a remote one it is what the peer says, or else made up here.
func (t *Track) ID() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.id
}

// rename gives a remote track the id that its peer says.
func (t *Track) rename(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.id = id
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
func (t *Track) end() {
	t.ended = true
	if t.stream != nil {
		t.stream.Flush() // who reads has what has come, and then the end
	}
	t.readable.signal()
}

// RID is the layer of the peer's simulcast that a remote track is; "" without one.
func (t *Track) RID() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.rid
}

// ReadFrame blocks until the next frame of a remote track is due, and returns it. A jitter
// buffer puts frames in their order and keeps their time, and marks what is missing. It
// is meant for one reader. When the track has ended, what has come is returned without
// waiting for its time, and then an error that wraps [ErrTrackEnded].
func (t *Track) ReadFrame(ctx context.Context) (f Frame, err error) {
	err = t.read(ctx, readsFrames, func(now time.Time) (ok bool) {
		f, ok = t.nextFrame(now)
		return ok
	})
	return f, err
}

// ReadRTP blocks until a packet of a remote track has come, and returns it: packets in
// the order of their arrival, each once, retransmissions as what they repair, in clear.
// Nobody writes to the packet any more; it may be kept. A reader that is more than 2,048
// packets late loses the oldest. When the track has ended the error wraps [ErrTrackEnded].
func (t *Track) ReadRTP(ctx context.Context) (p rtp.Packet, err error) {
	err = t.read(ctx, readsPackets, func(time.Time) bool {
		q, ok := t.take()
		p = q.Packet
		return ok
	})
	return p, err
}

// NextTone blocks until the peer has played a tone on a remote track, and returns it.
// When the track has ended the error wraps [ErrTrackEnded].
func (t *Track) NextTone(ctx context.Context) (tone Tone, err error) {
	err = t.read(ctx, readsTones, func(time.Time) bool {
		if len(t.tones) == 0 {
			return false
		}
		tone, t.tones = t.tones[0], t.tones[1:]
		return true
	})
	return tone, err
}

// read blocks until one of the ways of reading has something. It leaves the connection
// before it waits: a jitter buffer that was asked knows when to be asked again, and
// may want a key frame.
func (t *Track) read(ctx context.Context, by reads, next func(now time.Time) bool) error {
	if t.receiver == nil {
		return fmt.Errorf("peerconnection: the track %q is a local one, which is written and not read", t.ID())
	}
	pc := t.receiver.pc
	now := pc.enter()
	t.use(now, by)
	for !next(now) {
		if t.ended {
			pc.leave(now)
			return fmt.Errorf("peerconnection: the track %q is not read: %w", t.ID(), ErrTrackEnded)
		}
		w := t.readable.join()
		pc.leave(now)
		if err := t.readable.sleep(ctx, &pc.mu, w); err != nil {
			pc.mu.Unlock()
			return err
		}
		now = pc.now()
	}
	pc.leave(now)
	return nil
}

// RequestKeyframe asks the source of the track for a key frame: the peer, if the track is a
// remote one, as often as one likes. What asks is a reader that can't decode.
func (t *Track) RequestKeyframe() { t.requestKeyframe(t.RID()) }

// wantKeyframe notes that a layer of a local track needs a key frame. It is called
// with the track locked.
func (t *Track) wantKeyframe(rid string) {
	i := slices.IndexFunc(t.wanted, func(w wantedLayer) bool { return w.rid == rid })
	if i < 0 {
		i = len(t.wanted)
		t.wanted = append(t.wanted, wantedLayer{rid: rid})
	}
	t.wanted[i].want = true
	if t.keyframes == nil {
		t.keyframes = make(chan struct{}, 1)
	}
	select {
	case t.keyframes <- struct{}{}:
	default:
	}
}

// NextKeyframeRequest blocks until a peer needs a key frame of a local track, and returns
// the layer of a simulcast that it needs it of, "" without one. Whoever encodes the track
// makes its next frame a key frame then. Peers need one when they begin to be sent the
// track, and when they have lost one; however many they are, requests for one layer
// are 200 ms apart at least.
func (t *Track) NextKeyframeRequest(ctx context.Context) (rid string, err error) {
	if t.receiver != nil {
		return "", fmt.Errorf("peerconnection: the track %q is a remote one: requests for key frames go to its peer by themselves", t.ID())
	}
	for {
		rid, wait, ok := t.takeWanted(clock())
		if ok {
			return rid, nil
		}
		var later <-chan time.Time
		if wait > 0 {
			later = time.After(wait)
		}
		select {
		case <-t.keyframes:
		case <-later:
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	}
}

// takeWanted returns a layer that a key frame is needed of, or else how long to wait for one
// that is, zero for none.
func (t *Track) takeWanted(now time.Time) (rid string, wait time.Duration, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.keyframes == nil {
		t.keyframes = make(chan struct{}, 1)
	}
	for i := range t.wanted {
		w := &t.wanted[i]
		rest := w.told.Add(keyframeInterval).Sub(now)
		switch {
		case !w.want:
		case w.told.IsZero() || rest <= 0:
			w.want, w.told = false, now
			return w.rid, 0, true
		case wait == 0 || rest < wait:
			wait = rest
		}
	}
	return "", wait, false
}

// WriteFrame sends a frame to every peer that the track is sent to. To one that is not
// connected, or with which nothing was negotiated yet, nothing is sent, and nothing of a
// layer that rests ([EncodingParameters]): media does not wait. It is an error if a frame can't be sent as it is: because no codec of that name was
// negotiated, or it is malformed. The others get it all the same.
func (t *Track) WriteFrame(f Frame) error {
	if t.receiver != nil {
		return fmt.Errorf("peerconnection: the track %q is a remote one, which only its peer writes", t.ID())
	}
	var failed error
	for _, s := range t.attached() {
		if err := s.writeFrame(t, &f); err != nil && failed == nil {
			failed = err
		}
	}
	return failed
}

// WriteRTP sends an RTP packet to every peer that the track is sent to, under an SSRC,
// a sequence number, a timestamp and a payload type of the connection's own that
// follow the packet's. Its payload is taken to be of the first codec that was negotiated; of
// its header extensions none is passed on. It is borrowed for the call.
func (t *Track) WriteRTP(packet []byte) error {
	if t.receiver != nil {
		return fmt.Errorf("peerconnection: the track %q is a remote one, which only its peer writes", t.ID())
	}
	p, err := session.NewPacket(slices.Clone(packet), nil, nil)
	if err != nil {
		return fmt.Errorf("peerconnection: what was written to the track %q is no RTP packet: %w", t.ID(), err)
	}
	var failed error
	for _, s := range t.attached() {
		if err := s.writeRTP(t, p); err != nil && failed == nil {
			failed = err
		}
	}
	return failed
}

// ErrTrackEnded is wrapped by the error of reading a remote track of which nothing more can
// come: its transceiver was stopped, or the connection has ended.
var ErrTrackEnded = errors.New("the track has ended")
