// Package mediafile reads and writes files of encoded media: what a connection
// can play to its peer, and what it can record from it.
//
//	file                  holds                                 as
//	IVF                   VP8, VP9, AV1                         frames; AV1's are temporal units
//	Ogg (RFC 3533, 7845)  Opus                                  packets
//	Annex B byte stream   H.264, H.265                          access units
//	WAV                   L16, PCMU (µ-law), PCMA (A-law), G722 pieces of 20 ms
//	WebM (RFC 9559)       VP8, VP9, AV1, Opus                   written only: frames of several tracks
//	rtpdump               RTP and RTCP packets                  packets, with their time of arrival
//
// # Reading
//
// [NewReader] looks at a file's first bytes to find what it is, and returns
// what reads it: one [Frame] after the other, in the shape that package payload
// cuts into packets. The [Codec] is what SDP would say of them.
//
//	r, err := mediafile.NewReader(file)
//	for {
//		frame, err := r.NextFrame()
//		if err == io.EOF { break }
//		…
//	}
//
// # Writing
//
// [NewWriter] makes the file that is usual for a codec, [Extension] says how its
// name ends. Frames go in as package payload puts them together, with the time that
// they are for. Where the file can seek, Close fills in what is only known at the
// end; where it cannot, as a pipe, the file is valid too. A file whose writer was
// never closed, because the machine was, can be played to its last full second. A
// [Clock] makes the times of RTP timestamps.
//
//	clock := mediafile.Clock{Rate: codec.ClockRate}
//	err = w.WriteFrame(mediafile.Frame{Data: frame, PTS: clock.PTS(timestamp)})
//
// Audio that did not arrive is filled in, so that audio and video of a
// recording stay together: with silence, and in Opus with packets that ask the decoder to
// conceal a loss. Video begins with the first key frame: nothing decodes what
// comes before it.
//
// A file is input like any other: what it says of lengths is not believed
// before the bytes are there, and no frame is longer than [MaxFrame].
//
// # For browsers
//
// Browsers do not play IVF. [WebMWriter] writes audio and video of a call into one
// file that they do.
//
// # RTP dumps
//
// A file of packets has other things to tell than frames: see [DumpReader] and
// [DumpWriter].
//
// # How to read it
//
// frame has what all readers and writers share. A file format is a file: ivf, ogg, annexb,
// wav, webm, rtpdump, over output. opus, av1, h264 and h265 know what containers must
// be told of a codec, picture asks them, and bits reads their fields.
//
// # Out of scope
//
// Reading WebM, and MP4 and Matroska with other codecs: every tool that makes them
// makes the files here too. More than one stream in an Ogg file: the first of Opus is
// read. Pictures shown in another order than they are decoded in
// (B-frames), which no WebRTC sender makes: those of an Annex B stream get their
// times in decoding order.
//
// Several frames of one VP9 picture (spatial layers) are one frame here, written as they came:
// one after the other, without the index of a superframe. libvpx decodes the highest
// (ffmpeg -c:v libvpx-vp9), and so do browsers that use it; ffmpeg's own decoder shows the
// lowest. An index would have it show each layer as a picture of its own, for senders
// mark them all as shown: only rewriting the frames' headers would help.
package mediafile
