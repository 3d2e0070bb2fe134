package interop

import (
	"bytes"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/webrtc/v4"

	"github.com/plainrtc/plainrtc/peerconnection"
)

// Calls over TCP (RFC 6544), where the candidates over UDP are withheld.

// onlyTCP leaves the candidates over TCP in a description.
func onlyTCP(sdp string) string {
	var left strings.Builder
	for line := range strings.Lines(sdp) {
		if !strings.HasPrefix(line, "a=candidate:") || strings.Contains(strings.ToLower(line), " tcp ") {
			left.WriteString(line)
		}
	}
	return left.String()
}

func newTCPMux(t *testing.T) *peerconnection.TCPMux {
	t.Helper()
	m, err := peerconnection.ListenTCPMux(netip.AddrPortFrom(hostAddress(t), 0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// selectedOver reports how data goes: the local candidate's protocol and TCP type.
func selectedOver(t *testing.T, pc *peerconnection.PeerConnection) string {
	t.Helper()
	s := pc.Stats()
	for _, p := range s.CandidatePairs {
		if !p.Selected {
			continue
		}
		for _, c := range s.LocalCandidates {
			if c.ID == p.LocalCandidateID {
				return c.Protocol + " " + c.TCPType
			}
		}
	}
	return "nothing"
}

// Browsers come to our TCP sockets, with their camera and microphone, and with data.
func TestBrowsersCallOverTCP(t *testing.T) {
	for _, name := range []string{"Chromium", "Firefox"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newMediaCall(t, openMediaPage(t, name), peerconnection.Config{TCPMux: newTCPMux(t)})
			c.toPage, c.fromPage = onlyTCP, onlyTCP
			c.do(nil, `
				addCodecs(pc, ["audio/opus", "video/VP8"]);
				pc.createDataChannel("data").onmessage = e => e.target.send(e.data);`)
			c.answerWith(c.echo)
			c.connected()
			dc, err := c.pc.AcceptDataChannel(c.ctx)
			if err != nil {
				t.Fatal(err)
			}
			data := bytes.Repeat([]byte("over TCP "), 20_000)
			if err := dc.Send(data); err != nil {
				t.Fatal(err)
			}
			if m, err := dc.ReadMessage(c.ctx); err != nil || !bytes.Equal(m.Data, data) {
				t.Fatalf("%d bytes came back, %v", len(m.Data), err)
			}
			c.until("sound and picture have come back", func() bool {
				received := c.received()
				for _, s := range received {
					if s.Kind == "video" && s.FramesDecoded < 10 || s.Kind == "audio" && s.TotalSamplesDuration < 0.5 {
						return false
					}
				}
				return len(received) == 2
			})
			if over := selectedOver(t, c.pc); over != "tcp passive" {
				t.Errorf("data goes over %s", over)
			}
		})
	}
}

// Pion comes to our TCP sockets, and we to Pion's.
func TestPionCallsOverTCP(t *testing.T) {
	for _, role := range []string{"active", "passive"} {
		t.Run("we are "+role, func(t *testing.T) {
			t.Parallel()
			ctx, r := testContext(t), testRand()
			var engine webrtc.SettingEngine
			engine.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeTCP4})
			var config peerconnection.Config
			if role == "active" {
				l, err := net.Listen("tcp4", netip.AddrPortFrom(hostAddress(t), 0).String())
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { l.Close() })
				engine.SetICETCPMux(ice.NewTCPMuxDefault(ice.TCPMuxParams{Listener: l, ReadBufferSize: 64}))
			} else {
				config.TCPMux = newTCPMux(t)
			}
			us, pion := newPlainPeer(t, config), newPionPeer(t, engine)
			near, err := us.Create(ctx, "over TCP", channelOptions{})
			if err != nil {
				t.Fatal(err)
			}
			connect(t, ctx, us, pion, signalling{toAnswerer: onlyTCP, toOfferer: onlyTCP})
			far := accept(t, ctx, near, pion)
			carry(t, ctx, near, far, text(r, 100), binary(r, 200_000))
			carry(t, ctx, far, near, text(r, 100), binary(r, 200_000))
			if over := selectedOver(t, us.pc); over != "tcp "+role {
				t.Errorf("data goes over %s", over)
			}
		})
	}
}

// A browser that has UDP uses it, though TCP is there.
func TestBrowsersPreferUDP(t *testing.T) {
	c := newMediaCall(t, openMediaPage(t, "Chromium"), peerconnection.Config{TCPMux: newTCPMux(t)})
	c.do(nil, `addCodecs(pc, ["audio/opus"])`)
	c.answerWith(c.echo)
	c.connected()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		over := selectedOver(t, c.pc)
		if strings.HasPrefix(over, "udp") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("data goes over %s", over)
		}
	}
}
