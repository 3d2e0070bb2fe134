// Plainrtc shows and tests the WebRTC stack of this module.
//
//	plainrtc serve    a page that connects its browser to this program, and shows how
//	plainrtc echo     an interop server that echoes data channels and media, and its client
//	plainrtc turn     a TURN server: relays for those whom no direct path reaches
//	plainrtc stun     asks a STUN server how this machine is seen, and what its NAT is like
//	plainrtc doctor   finds out what a network allows, and which STUN and TURN servers work
//	plainrtc dtls     DTLS alone over UDP, client or server: line in, line out
//	plainrtc lab      experiments on a simulated network, printed and drawn
//
// Each file is one command or one idea: serve.go and echo.go are the two servers
// and client.go the client; answerer.go answers offers and outlives what they
// lead to; http.go listens, and reads offers. The page is page/, plain HTML,
// JavaScript and CSS; page.go serves it, timeline.go tells it what this side
// saw, throughput.go is the other end of its measurement. media.go sends media back,
// and clientmedia.go checks that it came. What the page sends goes through
// pagemedia.go: back to it, unless player.go plays it clips (clip.go), and into files
// that recorder.go writes and recordings.go keeps. dtls.go turns flags into a
// configuration, which dtlsshell.go gives a socket, a clock and a lock.
//
// lab.go is what experiments have in common, and quantity.go reads rates, sizes
// and shares. labsctp.go turns flags into an experiment of internal/lab, labsweep.go
// into many, on all processors; labreport.go tells what came of them, in words,
// JSON and pictures. labjitter.go does all that for the jitter buffer, with
// rtp/jitter/jitterlab, and labmedia.go for congestion control of media, with internal/lab.
//
// turn.go turns flags into users, ports and limits for internal/relay, which is the server. stun.go
// asks one, over and over (RFC 5780). doctor.go asks all there are: doctorway.go is a connection to
// one, over whatever transport, doctortry.go what is tried on it, doctorreport.go what that means.
//
// main.go has the list of commands, command.go what all have in common: flags, help, exit
// statuses. capture.go is the file of --trace, dtlskeylog.go that of --keylog.
//
// Every command says what it takes with -h. The exit status is 0 when it did
// what it was asked, 1 when that failed, 2 when the command line made no sense.
package main
