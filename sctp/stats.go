package sctp

import "time"

// Stats are counters and gauges of an association, at one moment.
type Stats struct {
	State State

	PacketsSent     uint64
	PacketsReceived uint64
	BytesSent       uint64 // of SCTP packets
	BytesReceived   uint64
	PacketsDropped  uint64 // packets and chunks that were not taken

	MessagesSent    uint64 // whole messages that left for the first time
	DataBytesSent   uint64 // user data that left for the first time
	Retransmissions uint64 // DATA chunks that left again
	Timeouts        uint64 // expiries of T3-rtx

	SRTT   time.Duration // zero: not measured yet
	MinRTT time.Duration // the least of the path, without the handshake's; zero: not measured yet
	RTTVar time.Duration
	RTO    time.Duration

	CongestionWindow   int // bytes
	SlowStartThreshold int
	PacingRate         float64 // bytes a second at which packets leave; zero: as the window opens
	CongestionPhase    string  // what congestion control is about, in the words of its RFC
	Flight             int     // bytes in flight
	PeerWindow         int     // bytes of user data that the peer still takes
	ReceiveWindow      int     // bytes that we still take
	Buffered           int     // bytes of messages not sent yet

	PathMTU  int // bytes of the largest SCTP packet with DATA
	MTUState MTUState
}

type packetStats struct {
	sent, received, dropped, bytesSent, bytesReceived uint64
}

// Stats returns the association's figures.
func (a *Association) Stats() Stats {
	return Stats{
		State:              a.state,
		PacketsSent:        a.packets.sent,
		PacketsReceived:    a.packets.received,
		BytesSent:          a.packets.bytesSent,
		BytesReceived:      a.packets.bytesReceived,
		PacketsDropped:     a.packets.dropped,
		MessagesSent:       a.send.stats.messages,
		DataBytesSent:      a.send.stats.bytes,
		Retransmissions:    a.send.stats.retransmissions,
		Timeouts:           a.send.stats.timeouts,
		SRTT:               a.send.rto.srtt,
		MinRTT:             a.send.rack.minRTT,
		RTTVar:             a.send.rto.rttvar,
		RTO:                a.send.rto.current,
		CongestionWindow:   a.send.cc.cwnd,
		SlowStartThreshold: a.send.cc.ssthresh,
		PacingRate:         a.send.cc.pacer.rate,
		CongestionPhase:    a.send.cc.phase(),
		Flight:             a.send.out.flight,
		PeerWindow:         max(0, a.send.rwnd-a.send.out.payload),
		ReceiveWindow:      a.recv.window.rwnd(),
		Buffered:           a.send.queue.buffered,
		PathMTU:            a.send.mtu,
		MTUState:           a.pmtud.state,
	}
}

// phase is Stats.CongestionPhase.
func (c *congestion) phase() string {
	model, ok := c.control.(*bbr)
	switch {
	case ok && !model.unpaced:
		return model.state.String()
	case c.inFastRecovery:
		return "Fast Recovery"
	case c.cwnd <= c.ssthresh:
		return "slow start"
	}
	return "congestion avoidance"
}
