package sctp

import (
	"time"

	"github.com/plainrtc/plainrtc/internal/trace"
)

// A State is a state of the association (RFC 9260, Section 4).
type State uint8

// The states.
const (
	// StateClosed: no association yet, or none any more. An INIT or a COOKIE ECHO
	// may make one, unless there was one already.
	StateClosed State = iota
	// StateCookieWait waits for INIT ACK (Section 5.1, step A).
	StateCookieWait
	// StateCookieEchoed waits for COOKIE ACK (Section 5.1, step C).
	StateCookieEchoed
	// StateEstablished carries data both ways.
	StateEstablished
	// StateShutdownPending waits until what the user sent is acknowledged (Section 9.2).
	StateShutdownPending
	// StateShutdownSent waits for SHUTDOWN ACK.
	StateShutdownSent
	// StateShutdownReceived waits, after the peer's SHUTDOWN, until what the user
	// sent is acknowledged.
	StateShutdownReceived
	// StateShutdownAckSent waits for SHUTDOWN COMPLETE.
	StateShutdownAckSent
)

func (s State) String() string {
	return [...]string{
		"CLOSED", "COOKIE-WAIT", "COOKIE-ECHOED", "ESTABLISHED",
		"SHUTDOWN-PENDING", "SHUTDOWN-SENT", "SHUTDOWN-RECEIVED", "SHUTDOWN-ACK-SENT",
	}[s]
}

// receivesData reports whether DATA is taken in this state: "DATA chunks MUST
// only be received according to the rules below in ESTABLISHED,
// SHUTDOWN-PENDING, and SHUTDOWN-SENT states" (Section 6).
func (s State) receivesData() bool {
	return s == StateEstablished || s == StateShutdownPending || s == StateShutdownSent
}

// sendsData reports whether DATA may leave in this state (the same section).
// COOKIE-ECHOED is another matter: there it rides with the COOKIE ECHO.
func (s State) sendsData() bool {
	return s == StateEstablished || s == StateShutdownPending || s == StateShutdownReceived
}

// A timerKind is one of the association's timers, by the RFC's names.
type timerKind uint8

const (
	timerT1Init     timerKind = iota // INIT was not answered
	timerT1Cookie                    // COOKIE ECHO was not answered
	timerT2Shutdown                  // SHUTDOWN or SHUTDOWN ACK was not answered
	timerT3                          // DATA or FORWARD TSN was not acknowledged
	timerT5Guard                     // the whole shutdown takes too long
	timerSack                        // the delayed SACK
	timerReorder                     // what seemed to be late is lost (RFC 8985)
	timerProbe                       // nothing was acknowledged for two round trips (RFC 8985)
	timerPace                        // the next packet may leave
	timerReconfig                    // RE-CONFIG was not answered
	timerHeartbeat                   // idle for long, or a HEARTBEAT was not answered
	timerPathProbe                   // a probe for a larger MTU was not answered (RFC 8899)
)

func (k timerKind) String() string {
	return [...]string{
		"T1-init", "T1-cookie", "T2-shutdown", "T3-rtx", "T5-shutdown-guard",
		"T-sack", "RACK", "PTO", "pacer", "T-reconfig", "T-heartbeat", "PROBE_TIMER",
	}[k]
}

// setState is the only way from one state to another.
func (a *Association) setState(now time.Time, to State) {
	a.cfg.Trace.State(now, trace.SCTP, a.state.String(), to.String())
	a.state = to
	switch to {
	case StateCookieEchoed:
		a.timers.Stop(timerT1Init)
	case StateEstablished:
		a.setup = nil
		a.timers.Stop(timerT1Init)
		a.timers.Stop(timerT1Cookie)
	case StateShutdownPending, StateShutdownReceived:
		a.send.immediate = true
	case StateShutdownSent, StateShutdownAckSent:
		a.timers.Stop(timerHeartbeat)
	case StateClosed:
		a.setup = nil
		a.timers.StopAll()
		a.control, a.due = nil, 0
	}
}
