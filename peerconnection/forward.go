package peerconnection

import "sync"

// What one connection tells others: packets of a remote track that was given to
// their senders, and that a key frame is wanted. It is told once the lock of the
// first is released, so that nobody ever holds two, by the goroutine that brought the
// packets: there is none in between. The packets' bytes are shared by all who send
// them, until each builds and seals its own.

// An errand is what is to be told.
type errand struct {
	relayed []relayedPacket
	wanted  []wantedKeyframe
}

var errands = sync.Pool{New: func() any { return new(errand) }}

// errand takes what the core has for others; nil when there is nothing. It is called
// with the lock held, which the caller releases before it runs the errand.
func (pc *PeerConnection) errand() *errand {
	m := &pc.core.rtpTransport
	if len(m.relayed) == 0 && len(m.wanted) == 0 {
		return nil
	}
	e := errands.Get().(*errand)
	e.relayed, m.relayed = m.relayed, e.relayed
	e.wanted, m.wanted = m.wanted, e.wanted
	return e
}

// run enters each of the others once.
func (e *errand) run() {
	for i := range e.relayed {
		track := e.relayed[i].track
		if track == nil {
			continue // went along with an earlier one
		}
		for _, s := range track.attached() {
			s.relay(track, e.relayed[i:])
		}
		for j := i; j < len(e.relayed); j++ {
			if e.relayed[j].track == track {
				e.relayed[j].track = nil
			}
		}
	}
	for _, w := range e.wanted {
		w.track.requestKeyframe(w.rid)
	}
	clear(e.relayed) // so that the pool keeps no packet alive
	clear(e.wanted)
	e.relayed, e.wanted = e.relayed[:0], e.wanted[:0]
	errands.Put(e)
}

// relay sends a track's packets on.
func (s *Sender) relay(track *Track, packets []relayedPacket) {
	now := s.pc.enter()
	defer s.pc.leave(now)
	if s.track != track || s.rtp == nil || s.pc.core.srtpOut == nil {
		return
	}
	for i := range packets {
		if packets[i].track == track {
			// What no negotiated codec takes is not sent; the session traces it.
			s.rtp.WritePacket(now, 0, packets[i].packet)
		}
	}
}

// requestKeyframe asks the track's source for a key frame, and a remote one to be
// passed on from now on.
func (t *Track) requestKeyframe(rid string) {
	if t.receiver == nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.wantKeyframe(rid)
		return
	}
	pc := t.receiver.pc
	now := pc.enter()
	defer pc.leave(now)
	t.use(now, relays)
	if t.stream != nil {
		t.stream.RequestKeyframe(now)
	}
}
