package payload

// A ComfortNoise describes the noise that a listener is to hear while nothing is sent: how
// loud, and with what spectrum.
//
//	 0 1 2 3 4 5 6 7
//	+-+-+-+-+-+-+-+-+
//	|0|   level     |
//	+-+-+-+-+-+-+-+-+
//	|  reflection   |   of the all-pole filter, each (k+1)·127 + 127 for what it is
//	| coefficients  |   between -1 and 1; as many as the sender has, or none
//	+-+-+-+-+-+-+-+-+
//
// RFC 3389, Section 3.
type ComfortNoise struct {
	Level        uint8 // in -dBov, 0 to 127
	Coefficients []byte
}

// ParseComfortNoise reads a payload. Coefficients are of the payload.
func ParseComfortNoise(payload []byte) (ComfortNoise, bool) {
	if len(payload) == 0 {
		return ComfortNoise{}, false
	}
	// "the most significant bit unused and always set to 0", Section 3.1.
	return ComfortNoise{payload[0] & 0x7f, payload[1:]}, true
}

// Append appends the payload.
func (n ComfortNoise) Append(b []byte) []byte {
	return append(append(b, n.Level&0x7f), n.Coefficients...)
}
