package peerconnection

import (
	"time"

	"github.com/plainrtc/plainrtc/dtls"
	"github.com/plainrtc/plainrtc/ice"
	"github.com/plainrtc/plainrtc/internal/trace"
	"github.com/plainrtc/plainrtc/rtp/rtcp"
	"github.com/plainrtc/plainrtc/srtp"
)

// RTP and RTCP between the wire and the session: sealed and opened with keys that
// come out of the DTLS handshake (RFC 5764).

// maxSRTPOverhead is how much longer a packet gets at most: by the tag of AES-GCM
// (RFC 7714, Section 12), and by the empty header extension that Cryptex may need.
const maxSRTPOverhead = 16 + 4

// defaultSRTPProfiles prefer what processors do in one pass.
var defaultSRTPProfiles = []dtls.SRTPProfile{
	dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AEAD_AES_256_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80,
}

// startSRTP makes the keys, once the handshake is done and there is media to use them.
func (c *core) startSRTP(now time.Time) {
	if !c.dtlsUp || c.rtp == nil || c.srtpOut != nil || c.ended {
		return
	}
	profile := srtp.Profile(c.dtls.ConnectionState().SRTPProfile)
	if profile == 0 {
		c.cfg.Trace.Note(now, trace.SRTP, "the handshake agreed on no SRTP profile: there will be no media")
		return
	}
	keys, err := c.dtls.ExportKeyingMaterial(srtp.ExporterLabel, nil, profile.KeyingMaterialLen())
	if err != nil {
		panic("BUG: no keying material after the handshake: " + err.Error())
	}
	role := srtp.Server
	if c.dtlsClient {
		role = srtp.Client
	}
	c.srtpOut, c.srtpIn, err = srtp.New(srtp.Config{Profile: profile}, keys, role)
	if err != nil {
		panic("BUG: DTLS agreed on an SRTP profile that was not offered: " + err.Error())
	}
	c.setCryptex()
	c.sendersBegin()
}

// setCryptex follows what was negotiated: "a=cryptex" of ours says that we take
// packets with encrypted header extensions, the peer's that we may send them (RFC
// 9335, Section 4).
func (c *core) setCryptex() {
	if c.srtpOut == nil {
		return
	}
	c.srtpIn.Cryptex = true
	c.srtpOut.Cryptex = c.cryptex
}

// receiveRTP takes an SRTP or SRTCP packet.
func (c *core) receiveRTP(now time.Time, path ice.Path, b []byte) {
	switch {
	case c.ended:
		c.drop(now, trace.PC, dropMediaEnded, len(b))
		return
	case c.rtp == nil:
		c.drop(now, trace.PC, dropNoRTP, len(b))
		return
	case c.srtpIn == nil:
		c.drop(now, trace.SRTP, dropNoKeys, len(b))
		return
	}
	size := len(b)
	control := rtcp.Is(b)
	var err error
	if control {
		b, err = c.srtpIn.OpenRTCP(b)
	} else {
		b, err = c.srtpIn.OpenRTP(b)
	}
	if err != nil {
		reason := dropNotOpened
		if d, ok := err.(srtp.Drop); ok {
			reason = d.String()
		}
		c.drop(now, trace.SRTP, reason, size)
		return
	}
	c.ice.SeenData(now, path, size)
	c.cfg.Trace.Packet(now, trace.RTP, trace.In, path.Local, path.Remote, b)
	if control {
		c.rtp.ReceiveRTCP(now, b)
	} else {
		c.rtp.ReceiveRTP(now, b)
	}
}

// appendRTP builds an RTP or RTCP packet and seals it where it stands.
func (c *core) appendRTP(now time.Time, b []byte, path ice.Path) []byte {
	if c.srtpOut == nil {
		return b
	}
	for start := len(b); ; {
		b = c.rtp.AppendPacket(now, b)
		if len(b) == start {
			return b
		}
		c.cfg.Trace.Packet(now, trace.RTP, trace.Out, path.Local, path.Remote, b[start:])
		var err error
		if rtcp.Is(b[start:]) {
			b, err = c.srtpOut.SealRTCP(b, start)
		} else {
			b, err = c.srtpOut.SealRTP(b, start)
		}
		if err == nil {
			return b
		}
		// One packet that can't be sealed does not keep the others back.
		c.drop(now, trace.SRTP, err.Error(), 0)
	}
}
