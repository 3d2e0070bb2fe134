package peerconnection

import (
	"slices"
	"strings"

	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/sdp"
)

// Simulcast: one track, sent in several layers at once (RFC 8853), each named by a
// RID (RFC 8851) that its packets carry.

// readLayers reads a=rid and a=simulcast. Of alternatives for one layer we take the
// first; a layer that no a=rid defines is not there (RFC 8853, Section 5.2).
func (d *rtpDescription) readLayers(m *sdp.Media) {
	var sent, received []string
	for r := range m.RIDs() {
		switch {
		case len(sent)+len(received) == 2*maxLayers:
		case slices.Contains(sent, r.ID) || slices.Contains(received, r.ID):
		case r.Direction == sdp.SendOnly:
			sent = append(sent, strings.Clone(r.ID))
		default:
			received = append(received, strings.Clone(r.ID))
		}
	}
	s, ok := m.Simulcast()
	if !ok {
		// One RID names the only layer; several make no simulcast.
		if len(sent) == 1 {
			d.sendRIDs = sent
		}
		if len(received) == 1 {
			d.receiveRIDs, d.paused = received, []bool{false}
		}
		return
	}
	d.simulcast = true
	for _, alternatives := range s.Send {
		if id := alternatives[0].ID; slices.Contains(sent, id) && len(d.sendRIDs) < maxLayers && !slices.Contains(d.sendRIDs, id) {
			d.sendRIDs = append(d.sendRIDs, id)
		}
	}
	for _, alternatives := range s.Recv {
		if id := alternatives[0].ID; slices.Contains(received, id) && len(d.receiveRIDs) < maxLayers && !slices.Contains(d.receiveRIDs, id) {
			d.receiveRIDs = append(d.receiveRIDs, id)
			d.paused = append(d.paused, alternatives[0].Paused)
		}
	}
}

// appendLayers writes them.
func (d *rtpDescription) appendLayers(as sdp.Attributes) sdp.Attributes {
	for _, id := range d.sendRIDs {
		as = append(as, sdp.RID{ID: id, Direction: sdp.SendOnly}.Attribute())
	}
	for _, id := range d.receiveRIDs {
		as = append(as, sdp.RID{ID: id, Direction: sdp.RecvOnly}.Attribute())
	}
	if !d.simulcast {
		return as
	}
	var s sdp.Simulcast
	for _, id := range d.sendRIDs {
		s.Send = append(s.Send, []sdp.SimulcastRID{{ID: id}})
	}
	for _, id := range d.receiveRIDs {
		s.Recv = append(s.Recv, []sdp.SimulcastRID{{ID: id}})
	}
	return append(as, s.Attribute())
}

// answerLayers answers the offered layers: those that the peer sends are taken, and
// those that it wants are sent as far as the sender has them. Layers are told
// apart by a header extension: without it there are none.
func (d *rtpDescription) answerLayers(offered *rtpDescription, encodings []encoding) {
	if d.extension(rtp.ExtRID) == 0 {
		return
	}
	if receives(d.direction) {
		d.receiveRIDs = offered.sendRIDs
	}
	if sends(d.direction) {
		for _, id := range offered.receiveRIDs {
			if slices.ContainsFunc(encodings, func(e encoding) bool { return e.RID == id }) {
				d.sendRIDs = append(d.sendRIDs, id)
			}
		}
	}
	d.simulcast = offered.simulcast && len(d.sendRIDs)+len(d.receiveRIDs) > 0
}

// rids are the names of the layers that a sender offers.
func rids(encodings []encoding) (ids []string) {
	for _, e := range encodings {
		if e.RID != "" {
			ids = append(ids, e.RID)
		}
	}
	return ids
}

// agreeLayers leaves a sender the layers that the peer wants. Without simulcast
// that is the first alone. Layers that are in use already rest when they are not
// wanted any more: the others keep their places.
func (t *Transceiver) agreeLayers(s *section) {
	if len(rids(t.encodings)) == 0 {
		return
	}
	wanted := s.remote.receiveRIDs
	if len(s.local.sendRIDs) == 0 || s.remote.extension(rtp.ExtRID) == 0 {
		wanted = nil
	}
	encodings := slices.Clone(t.encodings)
	for i := range encodings {
		e := &encodings[i]
		at := slices.Index(wanted, e.RID)
		// "~": the peer can do without the layer for now (RFC 8853, Section 5.2).
		e.Active = e.Active && (at >= 0 && !s.remote.paused[at] || len(wanted) == 0 && i == 0)
	}
	if t.sender.rtp == nil {
		encodings = slices.DeleteFunc(encodings, func(e encoding) bool { return len(wanted) > 0 && !slices.Contains(wanted, e.RID) })
		if len(wanted) == 0 || len(encodings) == 0 {
			encodings = slices.Clone(t.encodings[:1])
			encodings[0].RID = "" // the peer does not know its name
		}
	}
	t.encodings = encodings
	t.sender.transaction = ""
}

// wantLayers gives a sender without layers those that a remote offer asks for, as
// conference servers do (W3C: [[LastStableStateRidlessSendEncodings]]).
func (c *core) wantLayers(t *Transceiver, offered *rtpDescription) {
	if !offered.simulcast || len(offered.receiveRIDs) == 0 || t.hasSent || len(rids(t.encodings)) > 0 ||
		offered.extension(rtp.ExtRID) == 0 {
		return
	}
	encodings := make([]encoding, len(offered.receiveRIDs))
	for i, id := range offered.receiveRIDs {
		encodings[i] = t.encodings[0]
		encodings[i].RID = id
		encodings[i].Active = !offered.paused[i]
		if i > 0 {
			encodings[i].SSRC, encodings[i].RTX = c.newSources()
			encodings[i].FEC = 0
		}
		// W3C: the layers are halved in size one after the other, the last is whole.
		if t.kind == KindVideo {
			encodings[i].ScaleResolutionDownBy = float64(uint(1) << (len(encodings) - 1 - i))
		}
	}
	t.encodings = encodings
	t.sender.transaction = ""
}
