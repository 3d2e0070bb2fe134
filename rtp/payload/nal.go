package payload

import "bytes"

// H.264 and H.265 are rows of NAL units. In files and at codecs they follow each
// other in an Annex B byte stream, each behind a start code of three bytes, with
// any number of zeros before that.

var startCode = []byte{0, 0, 1}

// nextNAL returns the first NAL unit of a byte stream, and the stream behind it.
// nal is nil when there is none. Zeros at a NAL unit's end are the stream's, not
// its own: no NAL unit ends in a zero (H.264, Section 7.4.1).
func nextNAL(stream []byte) (nal, rest []byte) {
	for {
		i := bytes.Index(stream, startCode)
		if i < 0 {
			return nil, nil
		}
		stream = stream[i+len(startCode):]
		nal, rest = stream, nil
		if end := bytes.Index(stream, startCode); end >= 0 {
			nal, rest = stream[:end], stream[end:]
		}
		nal = bytes.TrimRight(nal, "\x00")
		if len(nal) > 0 {
			return nal, rest
		}
	}
}

// appendStartCode appends the start code of four bytes that decoders like at the
// start of an access unit, and everyone takes elsewhere.
func appendStartCode(b []byte) []byte { return append(b, 0, 0, 0, 1) }
