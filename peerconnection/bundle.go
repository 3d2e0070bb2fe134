package peerconnection

import (
	"fmt"
	"slices"

	"github.com/plainrtc/plainrtc/sdp"
)

// All sections share one transport (RFC 9143). A connection has no other: of an
// offer, the sections are taken that can be on one, and the others are rejected.

// A BundlePolicy says how an offer treats a peer that may not know BUNDLE (RFC 9429,
// Section 4.1.1; W3C RTCBundlePolicy). There is one transport with each: a
// peer that wants another for a section gets none for it.
type BundlePolicy string

// The policies.
const (
	// BundleBalanced, the default, describes the transport in every section, as
	// browsers do. A peer without BUNDLE would take them for transports of
	// their own: its answer is refused if it accepts more than one.
	BundleBalanced BundlePolicy = "balanced"
	// BundleMaxCompat is the same here.
	BundleMaxCompat BundlePolicy = "max-compat"
	// BundleMaxBundle marks all sections but the first as bundle-only, so that a peer
	// without BUNDLE rejects them, and the first connects.
	BundleMaxBundle BundlePolicy = "max-bundle"
)

// bundleOf is the transport's section in a description, and which sections are on
// it: the sections of the first BUNDLE group that has one which is not rejected, or
// else that section alone which comes first. It is -1 if there is none.
func bundleOf(s *sdp.Session, sections []section) (tag int, bundled func(i int) bool) {
	for _, g := range s.Groups() {
		if g.Semantics != "BUNDLE" {
			continue
		}
		at := make(map[string]int, len(sections))
		for i := range sections {
			if sections[i].said != "" && !sections[i].rejected {
				at[sections[i].said] = i
			}
		}
		members := make(map[int]bool, len(g.MIDs))
		tag = -1
		for _, mid := range g.MIDs {
			if i, ok := at[mid]; ok {
				members[i] = true
				if tag < 0 {
					tag = i
				}
			}
		}
		if tag >= 0 {
			return tag, func(i int) bool { return members[i] }
		}
		break
	}
	tag = slices.IndexFunc(sections, func(s section) bool { return !s.rejected })
	return tag, func(i int) bool { return i == tag }
}

// oneTransport checks that an answer has all sections that it accepts on one transport.
func oneTransport(answer *sdp.Session, sections []section) (tag int, err error) {
	tag, bundled := bundleOf(answer, sections)
	for i, s := range sections {
		if !s.rejected && !bundled(i) {
			return tag, fmt.Errorf("peerconnection: the remote answer has media description %d (%s) outside of the bundle of media description %d: "+
				"a connection has one transport, so the peer must bundle (RFC 9143) or reject one of them; "+
				"with BundlePolicy max-bundle, a peer that does not know how to bundle rejects all but the first", i, s.kind, tag)
		}
	}
	return tag, nil
}

// transportSection is the index of the section that candidates belong to: the first
// of our description that is not rejected, and -1 when there is none.
func transportSection(sections []section) int {
	return slices.IndexFunc(sections, func(s section) bool { return !s.rejected && s.tag })
}

// setTag marks the section whose transport the bundle uses.
func setTag(sections []section, tag int) {
	for i := range sections {
		sections[i].tag = i == tag
	}
}
