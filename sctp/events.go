package sctp

// An Event is something that happened which is not a message: one of
// [Established], [Restarted], [StreamsReset], [StreamsResetDone],
// [StreamsAdded], [AssociationReset], [ReconfigDenied], [BufferedAmountLow],
// [Closed].
type Event interface{ event() }

// Established: the association is established.
type Established struct {
	OutStreams uint16 // streams we may send on: 0 to OutStreams-1
	InStreams  uint16 // streams the peer may send on
}

// Restarted: the peer lost its state and connected anew (RFC 9260, Section
// 5.2.4.1). What was sent and not acknowledged may or may not have arrived;
// every stream begins anew in both directions. Messages that come after it are
// handed out once this event was.
type Restarted struct{}

// StreamsReset: the peer will send nothing more on these streams, and the next
// message on one of them is the first of a new use (RFC 6525). No streams:
// all of them.
type StreamsReset struct{ Streams []uint16 }

// StreamsResetDone: the peer answered our reset of these outgoing streams. They
// can be used again, unless it was denied.
type StreamsResetDone struct {
	Streams []uint16
	Denied  bool
}

// StreamsAdded: streams were added, by whichever end; these are all there are now.
type StreamsAdded struct {
	OutStreams uint16
	InStreams  uint16
}

// AssociationReset: every stream begins anew in both directions, and TSNs with
// them, because one of the ends asked for it (RFC 6525, Section 4.3). What was
// sent before has arrived.
type AssociationReset struct{}

// ReconfigDenied: the peer did not do what ResetIncomingStreams, AddStreams or
// ResetAssociation asked for.
type ReconfigDenied struct {
	Request string // in the RFC's words
	Result  string // the peer's answer
}

// BufferedAmountLow: the stream's buffered amount fell to what
// SetBufferedAmountLow says or below it.
type BufferedAmountLow struct{ Stream uint16 }

// Closed: the association is over. Err is nil after a shutdown that went well,
// or else a *LocalError, *PeerError or *TimeoutError.
type Closed struct{ Err error }

func (Established) event()       {}
func (Restarted) event()         {}
func (StreamsReset) event()      {}
func (StreamsResetDone) event()  {}
func (StreamsAdded) event()      {}
func (AssociationReset) event()  {}
func (ReconfigDenied) event()    {}
func (BufferedAmountLow) event() {}
func (Closed) event()            {}

// An eventQueue keeps events until they are asked for. What a peer can cause
// is bounded by the packets that are received before the user asks.
type eventQueue struct {
	list []Event
	head int
}

func (q *eventQueue) push(e Event) { q.list = append(q.list, e) }

// NextEvent returns the next event, if there is one.
func (a *Association) NextEvent() (Event, bool) {
	q := &a.events
	if q.head == len(q.list) {
		return nil, false
	}
	e := q.list[q.head]
	q.list[q.head] = nil
	if _, ok := e.(Restarted); ok {
		a.recv.delivery.resume()
	}
	if q.head++; q.head == len(q.list) {
		q.list, q.head = q.list[:0], 0
	}
	return e, true
}
