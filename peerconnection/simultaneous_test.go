package peerconnection

import (
	"runtime"
	"strings"
	"testing"
	"time"
)

// Two ends that open the same connection have it, whoever was first; and nothing is left of it.
func TestPeersOpenSimultaneously(t *testing.T) {
	if !canReuse {
		t.Log("this system shares no port among sockets")
		return
	}
	ctx := within(t, 60*time.Second)
	before := runtime.NumGoroutine()
	for range 3 {
		a, z := newPeer(t, Config{TCPSimultaneousOpen: true}), newPeer(t, Config{TCPSimultaneousOpen: true})
		exchangeMessages(t, ctx, a, z, func() {
			signalFiltered(t, ctx, a, z, func(line string) bool { return strings.Contains(line, " tcptype so ") })
		})
		_, local, remote := selectedPair(t, a)
		_, far, _ := selectedPair(t, z)
		if local.TCPType != "so" || local.CandidateType != "host" || far.TCPType != "so" || remote.Port != far.Port {
			t.Errorf("data goes from %+v to %+v, which is %+v", local, remote, far)
		}
		a.Close()
		z.Close()
	}
	waitForGoroutines(t, before)
}

// Nobody has such candidates who did not ask for them, and relays alone means just that.
func TestSimultaneousOpenIsAskedFor(t *testing.T) {
	ctx := within(t, 60*time.Second)
	for _, cfg := range []Config{{}, {TCPSimultaneousOpen: true, ICETransportPolicy: ICETransportRelay}} {
		pc := newPeer(t, cfg)
		if _, err := pc.CreateDataChannel("test", nil); err != nil {
			t.Fatal(err)
		}
		if err := pc.SetLocalDescription(SessionDescription{}); err != nil {
			t.Fatal(err)
		}
		if err := pc.GatheringComplete(ctx); err != nil {
			t.Fatal(err)
		}
		if sdp := pc.LocalDescription().SDP; strings.Contains(sdp, "tcptype so") || len(pc.openMuxes) > 0 {
			t.Errorf("with %+v the description is\n%s", cfg, sdp)
		}
	}
}
