package peerconnection

// What a datagram is, told from its first byte (RFC 7983, Section 7, as updated
// by RFC 9443):
//
//	            +----------------+
//	            |        [0..3] -+--> forward to STUN
//	            |                |
//	packet -->  |      [20..63] -+--> forward to DTLS
//	            |                |
//	            |    [128..191] -+--> forward to RTP/RTCP
//	            +----------------+
type datagramKind uint8

const (
	datagramUnknown datagramKind = iota
	datagramSTUN
	datagramDTLS
	datagramRTP
)

func classify(b []byte) datagramKind {
	if len(b) == 0 {
		return datagramUnknown
	}
	switch first := b[0]; {
	case first <= 3:
		return datagramSTUN
	case first >= 20 && first <= 63:
		return datagramDTLS
	case first >= 128 && first <= 191:
		return datagramRTP
	}
	return datagramUnknown
}

// Reasons for which the core drops what came from the network. Each layer has
// its own beside these.
const (
	dropUnknownKind     = "datagram is neither STUN, DTLS nor RTP"
	dropNoRTP           = "RTP without a negotiated media description"
	dropNoKeys          = "SRTP before its keys"
	dropNotOpened       = "SRTP packet that can't be opened"
	dropMediaEnded      = "media after the end of the connection"
	dropUnknownPath     = "datagram from an address that ICE does not know"
	dropEarlyFull       = "too many datagrams before the remote description"
	dropEnded           = "connectivity check after the end of the connection"
	dropNoData          = "SCTP without a negotiated media description"
	dropNoDTLS          = "DTLS record without a DTLS association"
	dropNoChannel       = "message on a stream without a data channel"
	dropUnknownPPID     = "message with an unknown payload protocol identifier"
	dropMalformedDCEP   = "malformed DCEP message"
	dropUnexpectedAck   = "DATA_CHANNEL_ACK for a channel that we did not open"
	dropStreamTaken     = "DATA_CHANNEL_OPEN on a stream in use"
	dropTooManyChannels = "DATA_CHANNEL_OPEN beyond what we accept"
)
