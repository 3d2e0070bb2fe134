package mediafile

// A Reason says why a file could not be read, or a frame not be written.
type Reason string

func (r Reason) Error() string { return "mediafile: " + string(r) }

// Why files and frames are refused.
const (
	ErrUnknown   Reason = "file is none of IVF, Ogg, WAV and Annex B; a file of packets (rtpdump) needs NewDumpReader"
	ErrTruncated Reason = "file ends inside a frame"
	ErrMalformed Reason = "file is malformed"
	ErrCodec     Reason = "codec is none that this file can hold"
	ErrTooLarge  Reason = "frame is larger than 16 MiB, or than the file can hold"
	ErrEmpty     Reason = "frame is empty"
	ErrClosed    Reason = "file is closed"
	ErrNoFrame   Reason = "file has no frames"
)
