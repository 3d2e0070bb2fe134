package peerconnection_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"

	"github.com/plainrtc/plainrtc/peerconnection"
)

// A capture holds everything that was said, with the keys to it: here in memory,
// usually in a file that only its owner can read.
func ExampleNewCapture() {
	var file bytes.Buffer
	capture, err := peerconnection.NewCapture(&file)
	if err != nil {
		panic(err)
	}
	pc, err := peerconnection.New(peerconnection.Config{Tracer: capture.Tracer("left")})
	if err != nil {
		panic(err)
	}
	pc.Close()
	if err := capture.Close(); err != nil {
		panic(err)
	}
	fmt.Printf("%x\n", file.Bytes()[:4]) // a Section Header Block of pcapng
	// Output: 0a0d0d0a
}

// A log tells what became of a connection, under its name.
func ExampleNewLogTracer() {
	var log strings.Builder
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	pc, err := peerconnection.New(peerconnection.Config{Tracer: peerconnection.NewLogTracer(logger, "left")})
	if err != nil {
		panic(err)
	}
	if _, err := pc.CreateDataChannel("chat", nil); err != nil {
		panic(err)
	}
	if err := pc.SetLocalDescription(peerconnection.SessionDescription{}); err != nil {
		panic(err)
	}
	pc.Close()
	fmt.Println(log.Len() > 0, strings.Count(log.String(), "\n") == strings.Count(log.String(), "left"))
	// Output: true true
}
