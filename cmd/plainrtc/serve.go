package main

import (
	"context"
	"flag"
	"net/http"
)

var serveCommand = command{
	name:     "serve",
	synopsis: "[--addr ADDRESS] [--play FILE] [--play-audio FILE] [--record-dir DIRECTORY] [--tcp] [--trace FILE]",
	summary:  "a page that connects its browser to this program, and shows how",
	about: `
Serves a page. A browser that opens it connects to this program through WebRTC,
and shows the set-up step by step with its times, the round-trip time, how fast
data flows in both directions, and messages that come back. At the press of a button
it sends its camera and microphone, or a drawing and a tone, and shows what comes back,
with graphs of what both sides measure: bitrate, loss, jitter buffer, round trip.

What arrives can be recorded, to a WebM file that browsers and ffmpeg play; H.264 and
G.711, which WebM does not hold, go to a file for each. This program names the files, and
offers them for download. It makes up to 100, of 1 GiB together.

--play and --play-audio are sent to pages that ask for them, over and over: IVF (VP8, VP9,
AV1) or H.264; Ogg Opus, or WAV of G.711 or G.722. Browsers give a camera only to pages
from this machine, or by https. Ctrl-C ends it.`,
	example: "plainrtc serve\n" +
		"plainrtc serve --play clip.ivf --play-audio clip.ogg\n" +
		"plainrtc serve --record-dir ~/recordings\n" +
		"plainrtc serve --addr :8080 --trace call.pcapng",
	define: func(flags *flag.FlagSet) func(context.Context, output) error {
		addr := flags.String("addr", "127.0.0.1:8080", "listen for HTTP on this `address`; :8080 means all of this machine's")
		play := flags.String("play", "", "a `file` of video that pages can have played")
		playAudio := flags.String("play-audio", "", "a `file` of sound that goes with it, or is played alone")
		recordDir := flags.String("record-dir", "", "store recordings in this `directory`; without it, in a new one for temporary files")
		overTCP := flags.Bool("tcp", false, overTCPUsage)
		traceFile := flags.String("trace", "", traceUsage)
		return func(ctx context.Context, out output) error {
			clips, err := openClips(*play, *playAudio)
			if err != nil {
				return err
			}
			capture, err := openTrace(*traceFile)
			if err != nil {
				return err
			}
			defer capture.close(out)
			recordings, err := openRecordings(*recordDir)
			if err != nil {
				return err
			}
			defer recordings.close(out)
			return serve(ctx, out, *addr, *overTCP, capture, recordings, clips)
		}
	},
}

func serve(ctx context.Context, out output, addr string, overTCP bool, capture *capture, r *recordings, c clips) error {
	words := announcement{
		here: "Open %s in a browser; Ctrl-C ends.", lan: "From other machines: %s",
		also: []string{"Recordings go to " + r.dir},
	}
	return serveOffers(ctx, out, addr, overTCP, capture, words, func(a *answerer) http.Handler { return newPage(a, r, c).handler() })
}
