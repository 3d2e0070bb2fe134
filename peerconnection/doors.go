package peerconnection

import (
	"net/netip"
	"runtime"
	"sync"
	"time"

	"github.com/plainrtc/plainrtc/ice"
	"github.com/plainrtc/plainrtc/internal/trace"
	"github.com/plainrtc/plainrtc/turn"
)

// The three doors into the core, and what leaving by one of them does.

// clock is the one clock of the stack.
func clock() time.Time { return time.Now() }

func (pc *PeerConnection) now() time.Time { return clock() }

// enter begins every call into the core.
func (pc *PeerConnection) enter() time.Time {
	pc.mu.Lock()
	return pc.now()
}

// leave ends it: sends what there is to send, sets the timer, unlocks, and then
// tells other connections what they are to know.
func (pc *PeerConnection) leave(now time.Time) {
	pc.flush(now)
	for pc.core.pump(now) { // sending has drained buffers, for which somebody may wait
		pc.flush(now)
	}
	pc.runStreams()
	pc.setTimer(now)
	if pc.core.ended && !pc.doneClosed {
		pc.doneClosed = true
		close(pc.done)
	}
	errand := pc.errand()
	lookups := pc.core.takeLookups()
	pc.mu.Unlock()
	for _, name := range lookups {
		pc.multicast.resolve(name, pc.nameResolved)
	}
	if errand != nil {
		errand.run()
	}
}

// receive is the door for datagrams: those of one batch that are ours.
func (pc *PeerConnection) receive(local netip.AddrPort, batch []packet) {
	now := pc.enter()
	for i := range batch {
		pc.core.Receive(now, ice.Path{Local: local, Remote: batch[i].From}, batch[i].Data)
	}
	pc.leave(now)
}

// turns are what a timer must have one of to be served. Those of thousands of connections
// may be due at once, each with a goroutine of its own: all of them inside would each hold a
// connection and a slab while they wait for the same socket, and the readers, whom the
// connections wait for, would wait for them. What keeps them out costs nothing while they are few.
var turns = make(chan struct{}, max(2, runtime.GOMAXPROCS(0)))

// timeout is the door for time.
func (pc *PeerConnection) timeout() {
	turns <- struct{}{}
	defer func() { <-turns }()
	now := pc.enter()
	pc.timerAt = time.Time{}
	pc.core.Advance(now)
	pc.leave(now)
}

// timerSlack bounds how far the timer is from where it should be. It fires that
// much too early rather than being moved with every packet, and finds nothing
// due; and it fires up to that much too late, on a beat that all connections
// share, when what is due is seconds away. So a thousand idle connections wake
// the processor a few times a second, and not a thousand times.
const timerSlack = 100 * time.Millisecond

// setTimer sets the timer to the core's next timeout.
func (pc *PeerConnection) setTimer(now time.Time) {
	next := pc.core.NextTimeout()
	if next.IsZero() || pc.isClosed {
		return
	}
	if next.Sub(now) > 10*timerSlack {
		next = onBeat(next)
	}
	if !pc.timerAt.IsZero() && !next.Before(pc.timerAt) && next.Sub(pc.timerAt) < timerSlack {
		return
	}
	pc.timerAt = next
	wait := max(next.Sub(now), 0)
	if pc.timer == nil {
		pc.timer = time.AfterFunc(wait, pc.timeout)
	} else {
		pc.timer.Reset(wait)
	}
}

// firstBeat is when the beat began that timers share. Its monotonic reading
// counts: the wall clock may be set at any time.
var firstBeat = time.Now()

// onBeat is the first beat after t.
func onBeat(t time.Time) time.Time {
	return t.Add(timerSlack - t.Sub(firstBeat)%timerSlack)
}

// A slab is where a flush builds its datagrams: as many as one system call
// takes, and the first of the next. Slabs belong to nobody between flushes.
const (
	maxBatch = 65507 // the most that UDP_SEGMENT cuts
	slabSize = maxBatch + maxDatagram + turn.Headroom
)

var slabs = sync.Pool{New: func() any { return new([slabSize]byte) }}

// flush sends everything that the core has to send. Datagrams of the same size
// to the same address go in one call.
func (pc *PeerConnection) flush(now time.Time) {
	if pc.isClosed {
		return
	}
	if pc.path != pc.core.selected && pc.mux != nil {
		pc.path = pc.core.selected
		mtu, wire := streamMTU, pc.core.ice.ServerPath(pc.path)
		if !wire.Protocol.Stream() {
			mtu = pc.socketsOf(wire).mtu(wire)
		}
		pc.core.setLinkMTU(now, mtu)
	}
	slab := slabs.Get().(*[slabSize]byte)
	defer slabs.Put(slab)
	b := slab[:0]
	var path ice.Path
	segment := 0
	for {
		n := len(b)
		if n+segment > maxBatch {
			pc.send(path, b, segment, false)
			b, n = b[:0], 0
		}
		var to ice.Path
		b, to = pc.core.AppendPacket(now, b)
		size := len(b) - n
		if size == 0 {
			break
		}
		if pc.mux != nil && !to.Protocol.Stream() {
			pc.socketsOf(to).learn(pc, to, b[n:])
		}
		if n > 0 && (to != path || size > segment || pc.core.mayFragment) {
			pc.send(path, b[:n], segment, false)
			b, n = append(b[:0], b[n:]...), 0
		}
		if n == 0 {
			path, segment = to, size
		}
		if size < segment || pc.core.mayFragment {
			// A shorter datagram ends a batch; one that may be fragmented is alone.
			pc.send(path, b, segment, pc.core.mayFragment)
			b = b[:0]
		}
	}
	if len(b) > 0 {
		pc.send(path, b, segment, false)
	}
}

// send sends one batch. An error is not the caller's: the network loses
// datagrams anyway, and every layer repairs what it has lost.
func (pc *PeerConnection) send(path ice.Path, b []byte, segment int, inFragments bool) {
	if path.Protocol.Stream() {
		if s := pc.streams[path]; s != nil {
			s.send(b, segment)
		}
		return
	}
	if pc.mux == nil || len(b) == 0 {
		return
	}
	if err := pc.socketsOf(path).send(path, b, segment, inFragments); err != nil {
		pc.core.cfg.Trace.Note(pc.now(), trace.UDP, "not sent: "+err.Error())
	}
}
