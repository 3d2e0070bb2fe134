package sctp

import (
	"encoding/binary"
	"errors"
	"time"
)

// SNAP, the SCTP Negotiation Acceleration Protocol (draft-hancke-tsvwg-snap):
// the INIT chunks of both ends travel in their session descriptions, so that
// the association is there with the first packet, two round trips earlier.
//
// The cookie's purpose, that an INIT from nowhere costs its receiver nothing,
// is served by the signalling that the chunks came through and by the DTLS
// handshake before the first packet.

// NewInit returns an INIT chunk to be told to the peer, for an association that
// will have this configuration and the chunk as its LocalInit.
func NewInit(cfg Config) []byte {
	cfg.setDefaults()
	a := Association{cfg: cfg} // for its randomness
	chunk := initChunk{
		tag:        a.random32(),
		rwnd:       uint32(cfg.ReceiveWindow),
		outStreams: cfg.OutStreams,
		inStreams:  cfg.InStreams,
		tsn:        tsn(a.random32()),
		params:     cfg.supported().appendParams(nil),
	}.append(nil, typeInit)
	// The chunk's length does not count the padding of its last parameter, which
	// has no use here.
	return chunk[:binary.BigEndian.Uint16(chunk[2:])]
}

// CheckInit reports what keeps a peer's INIT chunk from being a RemoteInit.
func CheckInit(chunk []byte) error {
	_, err := openInit(chunk)
	return err
}

func openInit(b []byte) (c chunk, err error) {
	c, rest, ok := nextChunk(b)
	if !ok || len(rest) > 0 || c.typ != typeInit {
		return c, errors.New("sctp: the set-up that came with the session description is not one INIT chunk")
	}
	i, ok := parseInit(c)
	if ok {
		_, ok = parseInitParams(i.params)
	}
	if !ok || i.tag == 0 || i.outStreams == 0 || i.inStreams == 0 {
		return c, errors.New("sctp: the INIT chunk that came with the session description is not one that an association can begin with")
	}
	return c, nil
}

// chooseTag chooses our tag and initial TSN, or takes those that the peer was
// told: it may have our INIT although we do not have its own.
func (a *Association) chooseTag() (initial tsn) {
	if c, err := openInit(a.cfg.LocalInit); err == nil {
		ours, _ := parseInit(c)
		a.localTag = ours.tag
		return ours.tsn
	}
	a.localTag = a.random32()
	return tsn(a.random32())
}

// accelerate establishes the association if each end was told the other's INIT.
func (a *Association) accelerate(now time.Time, initial tsn) bool {
	c, err := openInit(a.cfg.RemoteInit)
	if err != nil || a.cfg.LocalInit == nil {
		return false
	}
	p, _, cause, _ := a.parsePeerInit(c)
	if cause != nil {
		return false
	}
	a.adopt(p)
	a.snap = &snap{initial}
	a.establish(now)
	return true
}

// A snap is what an association that was accelerated remembers.
type snap struct {
	initial tsn // ours
}

// unaware reports whether an INIT is the one that we were told of: the peer, then,
// was not told of ours, because the signalling lost it. It gets the INIT ACK
// that it would have got if the INITs had crossed, and from there on the set-up
// ends as always, by a COOKIE ECHO of the association that there is (RFC 9260,
// Section 5.2.4, D).
func (a *Association) unaware(p peerInit) bool {
	return a.snap != nil && a.state == StateEstablished && p.tag == a.peerTag
}
