package ice_test

import (
	"strings"
	"testing"

	"github.com/plainrtc/plainrtc/ice"
	"github.com/plainrtc/plainrtc/stun"
)

// Strangers who ask all at once do not keep the peer's check from its answer.
func TestFloodOfStrangers(t *testing.T) {
	l := newLab(t, ice.Config{}).know()
	ufrag := l.LocalCredentials().Ufrag
	for range 200 {
		l.check(nil, ufrag+":peer", "a password of no use whatever")
		l.check(nil, "who:knows", "another password of no use")
	}
	l.check(nil, ufrag+":peer", l.LocalCredentials().Pwd)
	answers, _ := l.sent()
	errors, successes := 0, 0
	for _, m := range answers {
		switch m.Class() {
		case stun.ErrorResponse:
			errors++
		case stun.SuccessResponse:
			successes++
		}
	}
	if successes != 1 || errors > 64 {
		t.Errorf("%d success responses, and %d errors for the strangers", successes, errors)
	}
}

// A candidate is a line of some hundred bytes, whatever else a peer may say.
func TestCandidateTooLong(t *testing.T) {
	long := "candidate:1 1 udp 1 192.0.2.1 1000 typ host x " + strings.Repeat("y", 1<<20)
	if _, err := ice.ParseCandidate(long); err == nil || len(err.Error()) > 500 {
		t.Errorf("a candidate of a megabyte: %.200v", err)
	}
}
