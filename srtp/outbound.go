package srtp

import (
	"encoding/binary"
	"slices"
)

// An Outbound protects the packets of one direction.
type Outbound struct {
	// Cryptex is whether header extensions and contributing sources are
	// encrypted: only once the peer has said that it understands that
	// (a=cryptex). It may be changed between packets.
	Cryptex bool

	transform         transform
	rtpTail, rtcpTail tail
	mki               []byte

	// sources are those of RTP.
	sources sources
	// rtcpIndex is the next SRTCP index, of all sources together: what makes one
	// unique for each source, and counts what the key has protected.
	rtcpIndex uint32
}

// Overhead is how many bytes longer RTP and RTCP packets get at most.
func (o *Outbound) Overhead() (rtp, rtcp int) {
	rtp, rtcp = o.rtpTail.size, o.rtcpTail.size
	if o.Cryptex {
		rtp += extensionHeaderSize // wrapCryptex
	}
	return rtp, rtcp
}

// SealRTP makes the RTP packet b[start:] an SRTP packet, in place, and returns b
// with it: longer, and moved if there was no room for that. A packet can be
// sealed once, and not when packets more than a thousand sequence numbers later
// were: see [ErrReused].
//
// If it returns an error b ends at start, so that nothing leaves in clear.
func (o *Outbound) SealRTP(b []byte, start int) ([]byte, error) {
	h, ok := parseRTP(b[start:])
	if !ok {
		return b[:start], ErrMalformed
	}
	// RFC 3711, Section 9.2: "when 2^48 SRTP packets [...] have been secured
	// with the same key [...] the key management MUST be called to provide new
	// master key(s) [...] or the session MUST be terminated."
	if o.sources.count > maxIndex {
		return b[:start], ErrKeySpent
	}
	s := o.sources.find(h.ssrc)
	if s == nil {
		if len(o.sources.list) >= MaxOutboundSources {
			return b[:start], ErrTooManySources
		}
		s = o.sources.add(h.ssrc, MaxOutboundSources)
	}
	index := estimateIndex(&s.window, h.seq)
	if index > maxIndex {
		return b[:start], ErrKeySpent
	}
	if !o.sources.accept(s, index) {
		return b[:start], ErrReused
	}
	if o.Cryptex {
		b = wrapCryptex(b, start, &h)
	}
	n := len(b) - start
	b = grow(b, o.rtpTail.size)
	copy(b[len(b)-o.rtpTail.mki:], o.mki)
	o.transform.sealRTP(b[start:], n, h, index)
	return b, nil
}

// SealRTCP does the same for a compound or reduced-size RTCP packet. It is always
// encrypted (the E flag is set).
func (o *Outbound) SealRTCP(b []byte, start int) ([]byte, error) {
	ssrc, ok := parseRTCP(b[start:])
	if !ok {
		return b[:start], ErrMalformed
	}
	// The same place: "or 2^31 SRTCP packets".
	if o.rtcpIndex > maxRTCPIndex {
		return b[:start], ErrKeySpent
	}
	// Section 3.4: "The SRTCP index MUST be set to zero before the first SRTCP
	// packet is sent, and MUST be incremented by one, modulo 2^31, after each
	// SRTCP packet is sent."
	trailer := encryptedFlag | o.rtcpIndex
	o.rtcpIndex++

	n := len(b) - start
	b = grow(b, o.rtcpTail.size)
	binary.BigEndian.PutUint32(b[len(b)-o.rtcpTail.trailer:], trailer)
	copy(b[len(b)-o.rtcpTail.mki:], o.mki)
	o.transform.sealRTCP(b[start:], n, ssrc, trailer)
	return b, nil
}

// grow makes b n bytes longer.
func grow(b []byte, n int) []byte { return slices.Grow(b, n)[:len(b)+n] }
