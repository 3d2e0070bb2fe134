package peerconnection

import (
	"strings"
	"time"

	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/session"
)

// A Frame is an encoded frame of video, or what a packet of audio holds (W3C
// RTCEncodedVideoFrame, RTCEncodedAudioFrame). Package payload says for each
// codec what its Data is.
type Frame struct {
	// Data of a frame that was read is valid until the next is read; of one that is
	// written, it is borrowed for the call.
	Data []byte

	// PTS is when the frame is to be presented, counted from anywhere: what is read
	// counts from the track's first frame.
	PTS time.Duration

	// KeyFrame says that decoding can start here. All audio can.
	KeyFrame bool

	// Codec is what the frame was encoded by. A frame that is written may leave it out,
	// and is taken to be of the first codec that was negotiated. What is read may change
	// it, and between frames of G.711 and L16 may be some of audio/CN: comfort noise
	// for a pause, in which nothing comes (RFC 3389; payload.ParseComfortNoise). A recorder
	// passes over them.
	Codec Codec

	// RID is the layer that the frame belongs to, when it is written to a track that
	// is sent as a simulcast.
	RID string

	// CaptureTime is when it was captured: of what was read, by the peer's clock and
	// zero when that is not known. If it is there, it is told to the peer.
	CaptureTime time.Time

	// AudioLevel is told to the peer, if it is there.
	AudioLevel *rtp.AudioLevel

	// What follows is said of frames that were read.

	// Timestamp is that of RTP, in units of the codec's clock rate.
	Timestamp uint32
	// Duration is how long the audio lasts; zero for video.
	Duration time.Duration
	// Concealed says that nothing arrived for this time. Data has a made-up waveform, for
	// G.711 and L16, and is empty for codecs whose decoders conceal by themselves.
	Concealed bool
	// Missing is how many packets were given up between the frame before and this one.
	Missing int
	// ReceivedAt is when the last of its packets came.
	ReceivedAt time.Time
}

// A Tone is a key of a telephone that the peer pressed (RFC 4733).
type Tone struct {
	Key      byte // 0 to 9, *, #, A to D
	Duration time.Duration
}

func publicCodec(kind Kind, c *session.Codec) Codec {
	out := Codec{MimeType: string(kind) + "/" + c.Name, ClockRate: c.ClockRate, SDPFmtpLine: c.FMTP}
	if kind == KindAudio {
		out.Channels = uint16(max(c.Channels, 1))
	}
	return out
}

// names reports whether a frame's Codec is the one that was negotiated as c: what it says
// is the same, and what it leaves out does not matter.
func (f *Frame) names(kind Kind, c *session.Codec) bool {
	family, name, ok := strings.Cut(f.Codec.MimeType, "/")
	return ok && strings.EqualFold(family, string(kind)) && strings.EqualFold(name, c.Name) &&
		(f.Codec.ClockRate == 0 || f.Codec.ClockRate == c.ClockRate) &&
		(f.Codec.SDPFmtpLine == "" || f.Codec.SDPFmtpLine == c.FMTP)
}
