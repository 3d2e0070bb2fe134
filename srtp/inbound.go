package srtp

import (
	"bytes"
	"encoding/binary"
)

// An Inbound opens the packets of one direction.
type Inbound struct {
	// Cryptex is whether packets whose header extensions and contributing
	// sources are encrypted are understood: from when we say so (a=cryptex).
	// Packets that are not are taken too. It may be changed between packets.
	Cryptex bool

	transform         transform
	rtpTail, rtcpTail tail
	mki               []byte

	rtp, rtcp sources
}

// OpenRTP returns the RTP packet in the SRTP packet b, in place. The error is a
// [Drop]. After DropNotAuthentic b holds garbage; the others leave it alone.
func (in *Inbound) OpenRTP(b []byte) ([]byte, error) {
	n := len(b) - in.rtpTail.size
	if n < 0 {
		return nil, DropMalformed
	}
	h, ok := parseRTP(b[:n])
	if !ok {
		return nil, DropMalformed
	}
	if !in.ours(b, in.rtpTail) {
		return nil, DropMKI
	}
	// Nothing is remembered of a packet before it is authenticated: a stranger
	// must neither make us keep sources, nor move a window.
	s, index := in.rtp.find(h.ssrc), uint64(h.seq)
	if s != nil {
		index = estimateIndex(&s.window, h.seq)
		if index > maxIndex {
			return nil, DropKeySpent
		}
		if !s.window.Fresh(index) {
			return nil, DropReplayed
		}
	}
	cryptex := in.Cryptex && unwrapCryptex(b, &h)
	if !in.transform.openRTP(b, n, h, index) {
		return nil, DropNotAuthentic
	}
	if s == nil {
		s = in.rtp.add(h.ssrc, MaxSources)
	}
	in.rtp.accept(s, index)
	if cryptex {
		plainExtensions(b, &h)
	}
	return b[:n:n], nil
}

// OpenRTCP does the same for an SRTCP packet, which may be unencrypted (the E
// flag is not set) if only it is authentic.
func (in *Inbound) OpenRTCP(b []byte) ([]byte, error) {
	n := len(b) - in.rtcpTail.size
	if n < 0 {
		return nil, DropMalformed
	}
	ssrc, ok := parseRTCP(b[:n])
	if !ok {
		return nil, DropMalformed
	}
	if !in.ours(b, in.rtcpTail) {
		return nil, DropMKI
	}
	trailer := binary.BigEndian.Uint32(b[len(b)-in.rtcpTail.trailer:])
	index := uint64(trailer & maxRTCPIndex)
	s := in.rtcp.find(ssrc)
	if s != nil && !s.window.Fresh(index) {
		return nil, DropReplayed
	}
	if !in.transform.openRTCP(b, n, ssrc, trailer) {
		return nil, DropNotAuthentic
	}
	if s == nil {
		s = in.rtcp.add(ssrc, MaxSources)
	}
	in.rtcp.accept(s, index)
	return b[:n:n], nil
}

// ours reports whether the packet carries our MKI, which only says where to look
// for the key: it is not authenticated.
func (in *Inbound) ours(b []byte, t tail) bool {
	return bytes.Equal(b[len(b)-t.mki:][:len(in.mki)], in.mki)
}
