package main

import (
	"context"
	"flag"
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
	l, err := listen(addr)
	if err != nil {
		return err
	}
	defer l.Close()
	a, err := newAnswerer(udpAddresses(l), capture.sink(), out.stderr)
	if err != nil {
		return err
	}
	defer a.close()
	here, lan := urls(l)
	say(out.stdout, "Open %s in a browser; Ctrl-C ends.", here)
	for _, u := range lan {
		say(out.stdout, "From other machines: %s", u)
	}
	return serveHTTP(ctx, l, newPage(a).handler())
}
