package peerconnection

import (
	"time"

	"github.com/plainrtc/plainrtc/dtls"
	"github.com/plainrtc/plainrtc/ice"
	"github.com/plainrtc/plainrtc/internal/trace"
)

// DTLS in the core: what arrives of it, how it starts, and what its end means.

func (c *core) receiveDTLS(now time.Time, path ice.Path, b []byte) {
	switch {
	case c.dtls == nil && c.signaling != SignalingHaveLocalOffer:
		c.drop(now, trace.PC, dropNoDTLS, len(b))
		return
	case c.dtls == nil && !c.ice.KnowsPath(path):
		// Who sends the first flight has a path to us, and so has checked it.
		c.drop(now, trace.PC, dropUnknownPath, len(b))
		return
	case c.dtls == nil && len(c.early) == maxEarlyDatagrams:
		c.drop(now, trace.PC, dropEarlyFull, len(b))
		return
	case c.dtls == nil:
		c.early = append(c.early, earlyDatagram{path, append([]byte(nil), b...)})
		return
	case !c.dtlsUp && path != c.selected && !c.ice.KnowsPath(path):
		// Later the keys tell who sent it: a peer whose NAT has given it a new
		// address is heard from there before any check of its arrives.
		c.drop(now, trace.PC, dropUnknownPath, len(b))
		return
	}
	size := len(b) // of the records that b holds, the first counts as the datagram
	c.dtls.Receive(now, b)
	for {
		packet, ok := c.dtls.NextData()
		if !ok {
			return
		}
		c.ice.SeenData(now, path, size)
		size = 0
		if !c.dataAgreed {
			c.drop(now, trace.PC, dropNoData, len(packet))
			continue
		}
		c.startSCTP(now)
		c.cfg.Trace.Packet(now, trace.SCTP, trace.In, path.Local, path.Remote, packet)
		c.sctp.Receive(now, packet)
	}
}

// startDTLS makes the DTLS association once both descriptions are known. The
// client says its first word when there is a path.
func (c *core) startDTLS(now time.Time, client bool, fingerprints []dtls.Fingerprint) error {
	cfg := dtls.Config{
		Certificate: c.cfg.Certificate, Rand: c.cfg.Rand, Trace: c.cfg.Trace,
		Fingerprints: fingerprints, MTU: pathMTU, PathValidated: true,
		SRTPProfiles: c.cfg.SRTPProfiles,
		MaxVersion:   c.cfg.MaxDTLSVersion, Groups: c.cfg.DTLSGroups,
	}
	var err error
	c.dtlsClient = client
	if client {
		c.dtls, err = dtls.NewClient(cfg)
	} else {
		c.dtls, err = dtls.NewServer(cfg)
	}
	if err != nil {
		return err
	}
	c.connectDTLS(now)
	early := c.early
	c.early = nil
	for _, d := range early {
		c.receiveDTLS(now, d.path, d.data)
	}
	return nil
}

// connectDTLS begins the handshake when there is a path to begin it on.
func (c *core) connectDTLS(now time.Time) {
	if c.dtls == nil || c.dtlsConnecting {
		return
	}
	if _, ok := c.ice.SelectedPath(); ok {
		c.dtlsConnecting = true
		c.dtls.Connect(now)
	}
}

func (c *core) dtlsEvent(now time.Time, e dtls.Event) {
	switch e := e.(type) {
	case dtls.Established:
		c.dtlsUp = true
		c.stateChanged.signal()
		c.startSRTP(now)
		if c.dataAgreed {
			c.startSCTP(now)
		}
	case dtls.Closed:
		if c.signaling == SignalingHaveLocalOffer && unused(c.proposed) {
			// The peer has taken our offer of nothing. Its answer is on its way.
			c.releaseTransport(now)
			return
		}
		c.end(now, e.Err)
	}
}
