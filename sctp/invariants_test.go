package sctp

import "testing"

// checkInvariants recounts what an association keeps count of.
func checkInvariants(t testing.TB, a *Association) {
	t.Helper()
	checkOutstanding(t, &a.send.out)
	queued := 0
	open := 0
	c := &a.send.queue.scheduler
	for i, s := range c.heap {
		if s.turn.index != i || i > 0 && c.before(s, c.heap[(i-1)/2]) {
			t.Fatalf("stream %d is not where it belongs in the heap", s.id)
		}
	}
	for _, s := range c.all() {
		if s.head == nil {
			t.Fatalf("stream %d is scheduled with nothing to send", s.id)
		}
		if s.head.cut > 0 {
			open += s.head.claim
		}
		n := 0
		for m := s.head; m != nil; m = m.next {
			n += len(m.data) - m.cut
		}
		if n != s.buffered {
			t.Fatalf("stream %d has %d bytes buffered and counts %d", s.id, n, s.buffered)
		}
		queued += n
	}
	if open != c.open {
		t.Fatalf("messages of %d bytes have begun, counted as %d", open, c.open)
	}
	if queued != a.send.queue.buffered {
		t.Fatalf("%d bytes are buffered, counted as %d", queued, a.send.queue.buffered)
	}

	// The receive window holds no more than it may, and knows what it holds.
	used := 0
	charge := func(b []byte) { used += cap(b) + pieceOverhead }
	live := 0
	for _, p := range a.recv.reassembly.ring {
		if p != nil {
			charge(p.data.payload)
			live++
			if a.recv.tracker.cum.AtLeast(p.at) {
				t.Fatalf("a piece stands at %d, which the Cumulative TSN %d has passed", p.at, a.recv.tracker.cum)
			}
		}
	}
	partials := 0
	for _, list := range a.recv.interleaving.lists {
		for p := list.head; p != nil; p = p.next {
			partials++
			if p.begun {
				charge(p.data.payload)
			}
			for s := p.head; s != nil; s = s.next {
				charge(s.payload)
			}
		}
	}
	if partials != a.recv.interleaving.live {
		t.Fatalf("%d unfinished messages, counted as %d", partials, a.recv.interleaving.live)
	}
	if live != a.recv.reassembly.live {
		t.Fatalf("%d pieces, counted as %d", live, a.recv.reassembly.live)
	}
	for _, list := range a.recv.delivery.waiting {
		for m := list.head; m != nil; m = m.next {
			charge(m.data.payload)
		}
	}
	for m := a.recv.delivery.ready.head; m != nil; m = m.next {
		charge(m.data.payload)
	}
	if a.recv.lent == 0 && used != a.recv.window.used {
		t.Fatalf("%d bytes are held, counted as %d", used, a.recv.window.used)
	}
	if a.recv.window.used > a.recv.window.bound() {
		t.Fatalf("%d bytes are held; at most %d may be", a.recv.window.used, a.recv.window.bound())
	}
	switch {
	case len(a.recv.reassembly.ring) > 2*maxSpan || len(a.recv.tracker.ring) > maxSpan/32:
		t.Fatalf("rings of %d pieces and %d words", len(a.recv.reassembly.ring), len(a.recv.tracker.ring))
	case len(a.replies) > maxReplies || len(a.control) > a.cfg.MTU:
		t.Fatalf("%d replies and %d bytes of control chunks wait", len(a.replies), len(a.control))
	}
}

func checkOutstanding(t testing.TB, o *outstanding) {
	t.Helper()
	flight, payload, marked, acked := 0, 0, 0, 0
	for n := o.cum + 1; n != o.next; n++ {
		c := o.at(n)
		switch c.state {
		case chunkInFlight:
			flight += o.size(c)
			payload += int(c.size)
		case chunkMarked:
			marked++
			if n.Before(o.from) {
				t.Fatalf("TSN %d is marked, but none is said to be before %d", n, o.from)
			}
		case chunkAcked:
			acked++
			for i := range min(c.skip, int32(o.next-n)) {
				if o.at(n+tsn(i)).state == chunkInFlight || o.at(n+tsn(i)).state == chunkMarked {
					t.Fatalf("TSN %d is skipped from %d on, and not acknowledged", n+tsn(i), n)
				}
			}
		}
	}
	inFlight, order := 0, uint32(0)
	for at := o.oldest; at.ok; at = o.at(at.tsn).after {
		c := o.at(at.tsn)
		if c.state != chunkInFlight || inFlight > 0 && int32(c.order-order) <= 0 {
			t.Fatalf("TSN %d, transmission %d in state %d, stands behind transmission %d", at.tsn, c.order, c.state, order)
		}
		inFlight, order = inFlight+o.size(c), c.order
	}
	if inFlight != flight {
		t.Fatalf("%d bytes are listed as in flight, %d are", inFlight, flight)
	}
	if flight != o.flight || payload != o.payload || marked != o.marked || acked != o.gapAcks {
		t.Fatalf("flight %d, payload %d, marked %d, gap acks %d; counted as %d, %d, %d, %d",
			flight, payload, marked, acked, o.flight, o.payload, o.marked, o.gapAcks)
	}
}
