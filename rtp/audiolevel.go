package rtp

// An AudioLevel is how loud a packet's audio is.
//
//	 0                   1
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|  ID   | len=0 |V|    level    |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// RFC 6464, Section 3.
type AudioLevel struct {
	Voice bool  // the encoder believes there is voice activity
	Level uint8 // in -dBov: 0 is the loudest, 127 is silence
}

// ParseAudioLevel reads the value of the extension [ExtAudioLevel].
func ParseAudioLevel(value []byte) (a AudioLevel, ok bool) {
	if len(value) != 1 {
		return a, false
	}
	return AudioLevel{Voice: value[0]&0x80 != 0, Level: value[0] & 0x7f}, true
}

// Append appends the value to b.
func (a AudioLevel) Append(b []byte) []byte {
	v := min(a.Level, 127)
	if a.Voice {
		v |= 0x80
	}
	return append(b, v)
}

// MixerAudioLevels are the levels of a packet's contributing sources, in the
// order of the CSRC list: the value of the extension [ExtMixerAudioLevels].
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|  ID   | len=2 |0|   level 1   |0|   level 2   |0|   level 3   |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// RFC 6465, Section 3.
type MixerAudioLevels []byte

// Level returns the level of the i-th contributing source in -dBov. ok is false
// when none is told.
func (m MixerAudioLevels) Level(i int) (level uint8, ok bool) {
	if i < 0 || i >= len(m) {
		return 0, false
	}
	return m[i] & 0x7f, true // the first bit is reserved, and ignored
}
