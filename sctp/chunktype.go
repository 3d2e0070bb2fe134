package sctp

import "fmt"

// A chunkType says what a chunk is (RFC 9260, Section 3.2, and the IANA
// registry "SCTP Chunk Types").
type chunkType uint8

const (
	typeData             chunkType = 0
	typeInit             chunkType = 1
	typeInitAck          chunkType = 2
	typeSack             chunkType = 3
	typeHeartbeat        chunkType = 4
	typeHeartbeatAck     chunkType = 5
	typeAbort            chunkType = 6
	typeShutdown         chunkType = 7
	typeShutdownAck      chunkType = 8
	typeError            chunkType = 9
	typeCookieEcho       chunkType = 10
	typeCookieAck        chunkType = 11
	typeECNE             chunkType = 12
	typeCWR              chunkType = 13
	typeShutdownComplete chunkType = 14
	typeIData            chunkType = 64  // RFC 8260, Section 2.1
	typeReconfig         chunkType = 130 // RFC 6525, Section 3.1
	typePad              chunkType = 132 // RFC 4820, Section 3
	typeForwardTSN       chunkType = 192 // RFC 3758, Section 3.2
	typeIForwardTSN      chunkType = 194 // RFC 8260, Section 2.3.1
)

var chunkNames = map[chunkType]string{
	typeData: "DATA", typeInit: "INIT", typeInitAck: "INIT ACK", typeSack: "SACK",
	typeHeartbeat: "HEARTBEAT", typeHeartbeatAck: "HEARTBEAT ACK", typeAbort: "ABORT",
	typeShutdown: "SHUTDOWN", typeShutdownAck: "SHUTDOWN ACK", typeError: "ERROR",
	typeCookieEcho: "COOKIE ECHO", typeCookieAck: "COOKIE ACK", typeECNE: "ECNE", typeCWR: "CWR",
	typeShutdownComplete: "SHUTDOWN COMPLETE", typeReconfig: "RE-CONFIG", typePad: "PAD",
	typeForwardTSN: "FORWARD TSN", typeIData: "I-DATA", typeIForwardTSN: "I-FORWARD-TSN",
}

func (t chunkType) String() string {
	if s, ok := chunkNames[t]; ok {
		return s
	}
	return fmt.Sprintf("chunk type %d", uint8(t))
}

// What to do with a chunk whose type is not known stands in the type's two
// highest bits (RFC 9260, Section 3.2); parameter types work the same way
// (Section 3.2.1).

// skipUnknown: pass over it and go on with the rest.
func (t chunkType) skipUnknown() bool { return t&0x80 != 0 }

// reportUnknown: tell the peer.
func (t chunkType) reportUnknown() bool { return t&0x40 != 0 }
