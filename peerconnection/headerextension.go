package peerconnection

import (
	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/sdp"
)

// A headerExtension is one line of a=extmap that we know (RFC 8285, Section 8).
type headerExtension struct {
	extension rtp.Extension
	id        uint8
	direction sdp.Direction
}

// What we offer, with the ids that Chromium gives them. An element in one-byte form
// has an id of at most 14, and every stack reads that.
var (
	audioExtensions = []headerExtension{
		{rtp.ExtAudioLevel, 1, sdp.SendRecv},
		{rtp.ExtAbsSendTime, 2, sdp.SendRecv},
		{rtp.ExtTransportSequence, 3, sdp.SendRecv},
		{rtp.ExtMID, 4, sdp.SendRecv},
		{rtp.ExtAbsCaptureTime, 12, sdp.SendRecv},
	}
	videoExtensions = []headerExtension{
		{rtp.ExtTransmissionOffset, 14, sdp.SendRecv},
		{rtp.ExtAbsSendTime, 2, sdp.SendRecv},
		{rtp.ExtVideoOrientation, 13, sdp.SendRecv},
		{rtp.ExtTransportSequence, 3, sdp.SendRecv},
		{rtp.ExtPlayoutDelay, 5, sdp.SendRecv},
		{rtp.ExtVideoContentType, 6, sdp.SendRecv},
		{rtp.ExtVideoTiming, 7, sdp.SendRecv},
		{rtp.ExtColorSpace, 8, sdp.SendRecv},
		{rtp.ExtMID, 4, sdp.SendRecv},
		{rtp.ExtRID, 10, sdp.SendRecv},
		{rtp.ExtRepairedRID, 11, sdp.SendRecv},
		{rtp.ExtDependencyDescriptor, 9, sdp.SendRecv},
		{rtp.ExtAbsCaptureTime, 12, sdp.SendRecv},
	}
)

// onlyAnswered are taken when they are offered, and not offered.
var onlyAnswered = map[Kind][]rtp.Extension{
	KindAudio: {rtp.ExtMixerAudioLevels},
	KindVideo: {rtp.ExtVideoLayersAllocation},
}

// extensionsOf are the header extensions that we offer for a kind.
func extensionsOf(kind Kind) []headerExtension {
	switch kind {
	case KindAudio:
		return audioExtensions
	case KindVideo:
		return videoExtensions
	}
	return nil
}

// knows reports whether we take a header extension in a section of that kind.
func knows(kind Kind, e rtp.Extension) bool {
	for _, o := range extensionsOf(kind) {
		if o.extension == e {
			return true
		}
	}
	for _, o := range onlyAnswered[kind] {
		if o == e {
			return true
		}
	}
	return false
}

// answerExtensions are those of the offered header extensions that we take, under the
// offered ids.
func answerExtensions(kind Kind, offered []headerExtension, ccfb bool) []headerExtension {
	var answer []headerExtension
	for _, e := range offered {
		switch {
		case !knows(kind, e.extension),
			ccfb && e.extension == rtp.ExtTransportSequence,               // they exclude each other
			e.extension == rtp.ExtMixerAudioLevels && !sends(e.direction): // we mix nothing
			continue
		}
		answer = append(answer, headerExtension{e.extension, e.id, e.direction.Reverse()})
	}
	return answer
}
