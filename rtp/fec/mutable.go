package fec

import "github.com/plainrtc/plainrtc/rtp"

// finalTiming is where in the video timing begins what is written as a packet leaves:
// behind the flags and the times of encoding and packetization.
const finalTiming = 7

// blank zeroes the header extensions that are no part of what is protected.
func blank(p rtp.Packet, negotiated *rtp.ExtensionMap) {
	if negotiated == nil {
		return
	}
	for id, value := range p.Extensions() {
		switch negotiated.Extension(id) {
		case rtp.ExtAbsSendTime, rtp.ExtTransportSequence, rtp.ExtTransmissionOffset:
			clear(value)
		case rtp.ExtVideoTiming:
			clear(value[min(finalTiming, len(value)):])
		}
	}
}
