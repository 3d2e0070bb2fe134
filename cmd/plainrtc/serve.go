package main

import (
	"context"
	"flag"
	"net/http"
)

var serveCommand = command{
	name:     "serve",
	synopsis: "[--addr ADDRESS] [--trace FILE]",
	summary:  "a page that connects its browser to this program, and shows how",
	about: `
Serves a page. A browser that opens it connects to this program through WebRTC,
and shows the set-up step by step with its times, the round-trip time, how fast
data flows in both directions, and messages that come back. Ctrl-C ends it.`,
	example: "plainrtc serve\n" +
		"plainrtc serve --addr :8080 --trace call.pcapng",
	define: func(flags *flag.FlagSet) func(context.Context, output) error {
		addr := flags.String("addr", "127.0.0.1:8080", "listen for HTTP on this `address`; :8080 means all of this machine's")
		traceFile := flags.String("trace", "", traceUsage)
		return func(ctx context.Context, out output) error {
			capture, err := openTrace(*traceFile)
			if err != nil {
				return err
			}
			defer capture.close(out)
			return serve(ctx, out, *addr, capture)
		}
	},
}

func serve(ctx context.Context, out output, addr string, capture *capture) error {
	words := announcement{"Open %s in a browser; Ctrl-C ends.", "From other machines: %s"}
	return serveOffers(ctx, out, addr, capture, words, func(a *answerer) http.Handler { return newPage(a).handler() })
}
