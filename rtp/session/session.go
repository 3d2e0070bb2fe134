package session

import (
	"encoding/binary"
	"io"
	"time"

	"github.com/plainrtc/plainrtc/internal/timers"
	"github.com/plainrtc/plainrtc/internal/trace"
	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/congestion"
)

// A Config says how a session is to behave. Rand is required.
type Config struct {
	// Rand gives SSRCs, the first sequence numbers and timestamps, and the times
	// of reports.
	Rand  io.Reader
	Trace *trace.Tracer // nil: no trace

	// CNAME is what our sources have in common (RFC 7022), at most 255 bytes.
	CNAME string

	// MTU is the size of the largest packet we make, before SRTP: 1200.
	MTU int
}

const defaultMTU, minMTU = 1200, 256

// A Session is one end of an RTP session. It is not safe for concurrent use.
type Session struct {
	cfg   Config
	epoch time.Time // what times inside are counted from: the first now
	local uint32    // our SSRC while we send nothing

	sections    []*section
	ids         rtp.ExtensionMap // of all sections: they agree
	reducedSize bool             // all sections agreed to it
	numbered    bool             // what leaves is numbered, for feedback of RFC 8888
	number      uint16           // of the next packet, for feedback

	demux   demux
	slab    slab
	ready   []*Stream // that have something to read
	senders []*Sender

	queue      queue
	reports    reports
	rtt        rtt
	clock      peerClock
	feedback   feedback
	congestion *congestion.Controller
	remb       rembSender
	byes       []uint32

	timers   timers.Table[timerKind]
	events   fifo[Event]
	dropped  uint64
	scratch  [16]byte // where Rand and values are written to: a local array would escape
	lost     []uint16 // scratch of NACKs
	csrcs    [15]uint32
	original []byte // scratch of what came inside of another packet
	headers  []byte // scratch of the first packet of a key frame
}

// The timers of a session.
type timerKind uint8

const (
	timerReport   timerKind = iota // the next regular RTCP packet: RFC 3550, Section 6.3
	timerNACK                      // a missing packet is to be asked for, again: RFC 4585, Section 6.2.1
	timerKeyframe                  // a key frame is to be asked for, again, or a request of the peer's to be passed on
	timerFeedback                  // feedback on when packets arrived
	timerPacer                     // the queue may go on
	timerTone                      // the next packet of a tone: RFC 4733, Section 2.5.1.2
	timerFrame                     // a jitter buffer wants to be asked
)

func (k timerKind) String() string {
	return [...]string{"report", "NACK", "keyframe", "feedback", "pacer", "tone", "frame"}[k]
}

// New returns a session without sections.
func New(cfg Config) *Session {
	if cfg.Rand == nil {
		panic("session: Config.Rand is required")
	}
	if cfg.MTU == 0 {
		cfg.MTU = defaultMTU
	}
	cfg.MTU = max(cfg.MTU, minMTU)
	cfg.CNAME = cfg.CNAME[:min(len(cfg.CNAME), 255)]
	s := &Session{cfg: cfg, demux: demux{routes: map[uint32]*route{}}, congestion: congestion.New(congestion.Config{})}
	s.local = s.NewSSRC()
	return s
}

func (s *Session) random(b []byte) {
	if _, err := io.ReadFull(s.cfg.Rand, b); err != nil {
		panic("session: Config.Rand failed: " + err.Error())
	}
}

func (s *Session) random16() uint16 {
	s.random(s.scratch[:2])
	return binary.BigEndian.Uint16(s.scratch[:])
}

func (s *Session) random32() uint32 {
	s.random(s.scratch[:4])
	return binary.BigEndian.Uint32(s.scratch[:])
}

// NewSSRC returns a random SSRC that nobody in the session uses, for signalling to
// announce and AddSender to be given.
func (s *Session) NewSSRC() uint32 {
	for {
		ssrc := s.random32()
		if ssrc != 0 && ssrc != s.local && s.demux.routes[ssrc] == nil && s.encoding(ssrc) == nil {
			return ssrc
		}
	}
}

// since counts from the session's beginning: what is kept for each packet is half
// as large that way.
func (s *Session) since(now time.Time) time.Duration {
	if s.epoch.IsZero() {
		s.epoch = now
	}
	return now.Sub(s.epoch)
}

// ReceiveRTP takes an RTP packet that arrived, which is borrowed for the call.
func (s *Session) ReceiveRTP(now time.Time, packet []byte) {
	p, err := rtp.Parse(packet)
	if err != nil {
		s.drop(now, err.Error(), len(packet))
		return
	}
	h := s.header(p)
	if h.hasSequence && s.feedback.twcc {
		s.receiveSequence(now, h.sequence, p.SSRC())
	}
	if h.hasSendTime && s.feedback.remb {
		s.receiveForREMB(now, h.sendTime, len(packet))
	}
	r, reason := s.route(now, p, &h)
	if r == nil {
		s.drop(now, reason, len(packet))
		return
	}
	r.stream.section.touch(r.stream)
	if s.feedback.ccfb {
		s.receiveForCCFB(now, r, p.SequenceNumber())
	}
	switch r.kind {
	case retransmissions:
		s.receiveRTX(now, r, p)
	case repairPackets:
		s.receiveFlex(now, r.stream, p)
	default:
		s.receive(now, r.stream, p)
	}
}

// Advance fires the timers that are due.
func (s *Session) Advance(now time.Time) {
	for {
		k, ok := s.timers.Due(now)
		if !ok {
			return
		}
		s.cfg.Trace.Timer(now, trace.RTP, k.String())
		switch k {
		case timerReport:
			s.reportsDue(now)
		case timerNACK:
			s.nacksDue(now)
		case timerKeyframe:
			s.keyframesDue(now)
		case timerFeedback:
			s.feedbackDue(now)
		case timerPacer: // AppendPacket looks at the time itself
		case timerTone:
			s.tonesDue(now)
		case timerFrame:
			s.framesDue(now)
		}
	}
}

// NextTimeout returns when Advance is to be called next; zero: no timer is running.
func (s *Session) NextTimeout() time.Time { return s.timers.Next() }

// AppendPacket appends the next packet to b: RTCP first, then media as the pacer
// lets it go. b as it was means that there is nothing to send now.
func (s *Session) AppendPacket(now time.Time, b []byte) []byte {
	if out := s.appendRTCP(now, b); len(out) > len(b) {
		return out
	}
	return s.appendMedia(now, b)
}

// Close says goodbye for all of our sources: the next packets say so, and then there
// are none.
func (s *Session) Close(now time.Time) {
	for len(s.senders) > 0 {
		s.RemoveSender(now, s.senders[0])
	}
	for len(s.sections) > 0 {
		s.Remove(now, s.sections[0].MID)
	}
}

// Why packets are dropped, as told to the trace; those of packages rtp and rtcp
// come on top.
const (
	dropUnknownMID    = "MID is not one of a section that receives"
	dropUnknownRID    = "RtpStreamId is not one of the section's"
	dropUnrouted      = "neither MID nor SSRC nor payload type tells the section"
	dropPayloadType   = "payload type is not negotiated in the section"
	dropNotReceiving  = "section does not receive"
	dropUnknownRepair = "retransmission of a stream that is not known"
	dropProbe         = "retransmission stream is padded, to probe for bandwidth"
	dropOwnSSRC       = "SSRC is one of ours"
	dropDuplicate     = "packet is a duplicate, or too old to tell"
	dropJump          = "sequence number is far from those before"
	dropUnread        = "nobody reads the stream"
	dropRED           = "redundant audio data is malformed"
	dropRecovered     = "recovered packet is not of a payload type that is protected"
	dropMalformed     = "RTCP packet is malformed"
)

func (s *Session) drop(now time.Time, reason string, size int) {
	s.dropped++
	s.cfg.Trace.Drop(now, trace.RTP, reason, size)
}
