package peerconnection

import (
	"time"

	"github.com/plainrtc/plainrtc/ice"
	"github.com/plainrtc/plainrtc/internal/trace"
)

// A session whose last section was rejected has no transport any more: so browsers read
// RFC 9429. They end ICE and DTLS then; should there be sections again, these begin anew, and
// so do ours. The connection itself goes on.

// unused reports whether the sections, of an offer or in force, are all rejected.
func unused(sections []section) bool { return len(sections) > 0 && transportSection(sections) < 0 }

// releaseTransport forgets the transport.
func (c *core) releaseTransport(now time.Time) {
	if c.remoteCredentials == (ice.Credentials{}) {
		return // it has none yet
	}
	c.cfg.Trace.Note(now, trace.PC, "no media description is left: the transport is released")
	c.ice.Close(now)
	c.former = c.ice // it has servers to say goodbye to
	c.ice = c.newAgent()
	c.iceState = ice.StateNew
	c.selected, c.linkMTU = ice.Path{}, 0
	c.formerUfrag = c.remoteCredentials.Ufrag
	c.credentials = c.ice.LocalCredentials()
	c.remoteCredentials, c.pairedCredentials = ice.Credentials{}, ice.Credentials{}
	c.restartWanted = false
	c.gathering = ICEGatheringNew
	c.localCandidates, c.trickled = nil, nil

	c.dtls, c.dtlsUp, c.dtlsConnecting, c.early = nil, false, false, nil
	c.setup, c.fingerprints = "", nil
	c.srtpOut, c.srtpIn = nil, nil

	c.sctp, c.sctpUp, c.sctpEnded, c.dataAgreed = nil, false, false, false
	c.localInit, c.remoteInit = nil, nil
	c.remoteMessageSize = 0

	c.candidateGathered.signal()
	c.updateState(now)
}
