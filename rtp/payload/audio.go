package payload

import "encoding/binary"

// An AudioPacketizer sends each frame as it is: the formats of audio put one
// frame, or any number of samples, into a packet. RFC 7587, Section 4.2;
// RFC 3551, Section 4.
type AudioPacketizer struct{ frame []byte }

// Start begins a frame.
func (p *AudioPacketizer) Start(frame []byte, limit int) error {
	switch {
	case limit < minLimit:
		return ErrLimit
	case len(frame) == 0:
		return ErrEmpty
	case len(frame) > limit:
		return ErrTooLarge
	}
	p.frame = frame
	return nil
}

// Append appends the frame.
func (p *AudioPacketizer) Append(b []byte) (_ []byte, last bool) { return append(b, p.frame...), true }

// An AudioDepacketizer takes each payload as a frame.
type AudioDepacketizer struct{}

// Append appends the payload.
func (AudioDepacketizer) Append(frame, payload []byte) ([]byte, error) {
	if len(payload) == 0 {
		return frame, ErrEmpty
	}
	return append(frame, payload...), nil
}

// Finish ends a frame.
func (AudioDepacketizer) Finish() error { return nil }

// Duration returns how long the audio of a payload is, in ticks of the RTP clock:
// 48 kHz for Opus, 8 kHz for G.711 and, "erroneously assigned", for G.722 (RFC 3551,
// Section 4.5.2), the sampling rate for L16. channels matters to L16 alone. It is
// 0 for video, for comfort noise, which lasts until something follows, and for what is
// malformed.
func (f Format) Duration(payload []byte, channels int) uint32 {
	switch f {
	case Opus:
		return opusDuration(payload)
	case G711, G722:
		return uint32(len(payload))
	case L16:
		return uint32(len(payload) / 2 / max(channels, 1))
	}
	return 0
}

// opusDuration reads the table-of-contents byte and the frame count byte.
//
//	 0 1 2 3 4 5 6 7
//	+-+-+-+-+-+-+-+-+
//	| config  |s| c |
//	+-+-+-+-+-+-+-+-+
//
// RFC 6716, Section 3.1. An Opus packet lasts at most 120 ms.
func opusDuration(packet []byte) uint32 {
	if len(packet) == 0 {
		return 0
	}
	config := packet[0] >> 3
	var frame uint32 // at 48 kHz
	switch {
	case config < 12: // SILK: 10, 20, 40, 60 ms
		frame = [...]uint32{480, 960, 1920, 2880}[config&3]
	case config < 16: // hybrid: 10, 20 ms
		frame = [...]uint32{480, 960}[config&1]
	default: // CELT: 2.5, 5, 10, 20 ms
		frame = [...]uint32{120, 240, 480, 960}[config&3]
	}
	count := uint32(1)
	switch packet[0] & 3 {
	case 1, 2:
		count = 2
	case 3:
		if len(packet) < 2 {
			return 0
		}
		count = uint32(packet[1] & 0x3f)
	}
	if frame*count > 5760 {
		return 0
	}
	return frame * count
}

// AppendL16 appends samples in network order; those of several channels are
// interleaved. RFC 3551, Section 4.5.11.
func AppendL16(b []byte, samples ...int16) []byte {
	for _, s := range samples {
		b = binary.BigEndian.AppendUint16(b, uint16(s))
	}
	return b
}

// AppendSamples appends the samples of an L16 payload. A byte too many is left out.
func AppendSamples(samples []int16, payload []byte) []int16 {
	for ; len(payload) >= 2; payload = payload[2:] {
		samples = append(samples, int16(binary.BigEndian.Uint16(payload)))
	}
	return samples
}
