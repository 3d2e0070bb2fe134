package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/plainrtc/plainrtc/peerconnection"
)

const (
	// longestDownload bounds how long one request makes us send.
	longestDownload = 10 * time.Second
	// pieceSize is the size of the messages that measure: what any peer takes.
	pieceSize = 64 << 10
)

// serveThroughput is the other end of the page's measurement. To the text
// "download MS" it sends binary messages for that long, and then {"end":true}.
// From "upload" on it counts the bytes it receives, and tells them to "end".
func serveThroughput(ctx context.Context, channel *peerconnection.DataChannel) {
	received := 0
	for {
		m, err := channel.ReadMessage(ctx)
		if err != nil {
			return
		}
		if m.Kind == peerconnection.Binary {
			received += len(m.Data)
			continue
		}
		switch verb, argument, _ := strings.Cut(string(m.Data), " "); verb {
		case "download":
			n, parseErr := strconv.Atoi(argument)
			if parseErr != nil || n < 0 {
				return // not our page
			}
			err = sendFor(ctx, channel, min(time.Duration(n)*time.Millisecond, longestDownload))
			if err == nil {
				err = channel.SendText(`{"end":true}`)
			}
		case "upload":
			received = 0
		case "end":
			err = channel.SendText(fmt.Sprintf(`{"end":true,"received":%d}`, received))
		default:
			return // not our page
		}
		if err != nil {
			return
		}
	}
}

// sendFor sends as fast as the peer takes it.
func sendFor(ctx context.Context, channel *peerconnection.DataChannel, d time.Duration) error {
	piece := make([]byte, pieceSize)
	for began := time.Now(); time.Since(began) < d; {
		if err := channel.WriteMessage(ctx, peerconnection.Binary, piece); err != nil {
			return err
		}
	}
	return nil
}
