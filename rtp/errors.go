package rtp

// A Reason says why a packet was not acceptable. It is an error, and the reason
// given to the trace for a packet that was dropped.
type Reason string

func (r Reason) Error() string { return "rtp: " + string(r) }

// Why Parse refuses.
const (
	ErrShort     Reason = "packet is shorter than its header"
	ErrVersion   Reason = "packet is not of RTP version 2"
	ErrRTCP      Reason = "packet type is one of RTCP, or would be with the marker bit"
	ErrExtension Reason = "header extension runs past the end of the packet"
	ErrPadding   Reason = "padding is empty, or longer than the payload"
)
