package sctp

import (
	"time"

	"github.com/plainrtc/plainrtc/internal/trace"
)

// A collision is a row of the table in RFC 9260, Section 5.2.4: how the tags
// of a cookie compare with those of the association that exists.
type collision uint8

const (
	restart      collision = iota // A: the peer restarted
	simultaneous                  // B: both started at about the same time
	late                          // C: an old cookie of ours
	duplicated                    // D: the cookie was echoed before
	unrelated                     // none of them: "the cookie SHOULD be silently discarded"
)

// collide is the table. X: the tags differ; M: they match; A: any; 0: the
// cookie has no Tie-Tags, or the association no peer's tag.
//
//	+-----------+------------+---------------+----------------+--------+
//	| Local Tag | Peer's Tag | Local-Tie-Tag | Peer's-Tie-Tag | Action |
//	+-----------+------------+---------------+----------------+--------+
//	|     X     |     X      |       M       |       M        |  (A)   |
//	|     M     |     X      |       A       |       A        |  (B)   |
//	|     M     |     0      |       A       |       A        |  (B)   |
//	|     X     |     M      |       0       |       0        |  (C)   |
//	|     M     |     M      |       A       |       A        |  (D)   |
//	+-----------+------------+---------------+----------------+--------+
func (a *Association) collide(k cookie) collision {
	type row struct{ local, peer bool }
	switch (row{k.localTag == a.localTag, k.peer.tag == a.peerTag}) {
	case row{false, false}:
		if k.tie == a.tie {
			return restart
		}
	case row{true, false}:
		return simultaneous
	case row{false, true}:
		if k.tie == (tieTags{}) {
			return late
		}
	case row{true, true}:
		return duplicated
	}
	return unrelated
}

// restart is action A: the peer begins anew, and so do we.
func (a *Association) restart(now time.Time, k cookie) {
	a.cfg.Trace.Note(now, trace.SCTP, "the peer restarted")
	a.localTag, a.snap = k.localTag, nil
	a.send.restart(k.localTSN)
	a.recv.restart(k.peer.tsn)
	a.reconfig = reconfig{}
	a.send.queue.scheduler.resume()
	a.reconfig.start(uint32(k.localTSN))
	a.adopt(k.peer)
	a.timers.StopAll()
	a.pmtud.cancel(a)
	a.control, a.due = nil, 0
	a.send.immediate = false
	a.recv.delivery.pause()
	a.events.push(Restarted{})
	a.establish(now)
}
