package main

import (
	"context"
	"flag"
	"net/http"

	"github.com/plainrtc/plainrtc/peerconnection"
)

var echoCommand = command{
	name:     "echo",
	synopsis: "[--addr ADDRESS] [--tcp] [--trace FILE] | --client URL [--json] [--timeout DURATION] [--trace FILE]",
	summary:  "an interop server that echoes data channels and media, and its client",
	about: `
Without --client, it listens for HTTP. POST /offer takes {"type":"offer","sdp":"…"}
and answers {"type":"answer","sdp":"…"}, with all candidates in the answer. Each
message on each data channel that the client then opens comes back as it was:
text as text, binary as binary. So do its audio and its video, in any codec that both
sides know. Pages of any origin may use it. Ctrl-C ends it.

With --client, it is the other side: it posts an offer to the URL, opens channels,
sends text and binary of 0 to 262,144 bytes, and a picture in VP8 and a tone in Opus
to servers that echo media, checks what comes back, and exits
with 0 if all of it was right, with 1 if not.`,
	example: "plainrtc echo --addr 127.0.0.1:8081\n" +
		"plainrtc echo --client http://127.0.0.1:8081/offer\n" +
		"plainrtc echo --client http://127.0.0.1:8081/offer --json --timeout 5s",
	define: func(flags *flag.FlagSet) func(context.Context, output) error {
		addr := flags.String("addr", "127.0.0.1:8080", "listen for HTTP on this `address`; :8080 means all of this machine's")
		overTCP := flags.Bool("tcp", false, overTCPUsage)
		traceFile := flags.String("trace", "", traceUsage)
		var c echoClient
		flags.StringVar(&c.url, "client", "", "be the client of the echo server at this `URL`")
		flags.BoolVar(&c.json, "json", false, "with --client: print the verdict as JSON")
		flags.DurationVar(&c.timeout, "timeout", defaultTimeout, "with --client: give up after this `duration`")
		return func(ctx context.Context, out output) error {
			given := make(map[string]bool)
			flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
			switch {
			case given["client"] && given["addr"]:
				return usageError("--addr is for the server and --client makes it a client: give one of them")
			case given["client"] && given["tcp"]:
				return usageError("--tcp is for the server: a client goes to its TCP sockets by itself")
			case !given["client"] && (given["json"] || given["timeout"]):
				return usageError("--json and --timeout are for the client: give --client URL too")
			}
			capture, err := openTrace(*traceFile)
			if err != nil {
				return err
			}
			defer capture.close(out)
			if given["client"] {
				return c.run(ctx, out, capture.sink())
			}
			return serveEcho(ctx, out, *addr, *overTCP, capture)
		}
	},
}

func serveEcho(ctx context.Context, out output, addr string, overTCP bool, capture *capture) error {
	words := announcement{here: "Post offers to %soffer; Ctrl-C ends.", lan: "From other machines: %soffer"}
	return serveOffers(ctx, out, addr, overTCP, capture, words, echoHandler)
}

// echoHandler is the HTTP side of the echo server.
func echoHandler(a *answerer) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /offer", func(w http.ResponseWriter, r *http.Request) {
		offer, ok := readOffer(w, r)
		if !ok {
			return
		}
		_, answer, err := a.answer(r.Context(), offer, nil, service{channel: echoMessages, media: echoMedia})
		if err != nil {
			refuse(w, err)
			return
		}
		writeJSON(w, answer)
	})
	mux.HandleFunc("OPTIONS /offer", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Write([]byte("This is plainrtc echo. POST an offer to /offer as {\"type\":\"offer\",\"sdp\":\"…\"};\n" +
			"the data channels and the media of the connection that follows are echoed.\n"))
	})
	return allowAllOrigins(mux)
}

// allowAllOrigins lets pages from elsewhere use h: there is nothing here that a
// page could steal, and what it can make us hold is bounded.
func allowAllOrigins(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Access-Control-Allow-Origin", "*")
		header.Set("Access-Control-Allow-Methods", "POST, OPTIONS")
		header.Set("Access-Control-Allow-Headers", "Content-Type")
		if r.Header.Get("Access-Control-Request-Private-Network") == "true" {
			header.Set("Access-Control-Allow-Private-Network", "true")
		}
		h.ServeHTTP(w, r)
	})
}

// echoMessages sends each message back as it came. Its reader waits while its
// writer does, so that a peer that does not read cannot make us hold more than
// one message beside the windows.
func echoMessages(ctx context.Context, channel *peerconnection.DataChannel) {
	for {
		m, err := channel.ReadMessage(ctx)
		if err != nil {
			return
		}
		if channel.WriteMessage(ctx, m.Kind, m.Data) != nil {
			return
		}
	}
}
