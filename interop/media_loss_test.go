package interop

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/peerconnection"
)

// A relay is a path between us and a page that loses what it is told to. Each side sees
// the other at an address of the relay's.
type relay struct {
	toUs, toPage *net.UDPConn // what the page sends to, and what we do
	us           netip.AddrPort
	page         atomic.Pointer[netip.AddrPort] // known once it has sent something

	mu   sync.Mutex
	rand *rand.Rand
	loss float64 // the share of datagrams that are lost, either way
	each int     // or: one of so many is lost, either way; 0: none
	rate float64 // bit/s from the page to us; 0: any. What waits its turn waits in the socket
	lost int
}

// through makes a call go through a new relay.
func through(t *testing.T, c *mediaCall) *relay {
	t.Helper()
	listen := func() *net.UDPConn {
		socket, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(hostAddress(t), 0)))
		if err != nil {
			t.Fatal(err)
		}
		socket.SetReadBuffer(1 << 20)
		t.Cleanup(func() { socket.Close() })
		return socket
	}
	r := &relay{toUs: listen(), toPage: listen(), rand: testRand()}
	candidates := regexp.MustCompile(`(?m)^(a=candidate:\S+ 1 udp \d+ \S+) (\d+) typ host`)
	started := false
	c.toPage = func(sdp string) string {
		all := candidates.FindAllStringSubmatch(sdp, -1)
		if len(all) != 1 {
			t.Fatalf("we have %d candidates, and the relay is for one:\n%s", len(all), sdp)
		}
		if !started {
			started = true
			r.us = netip.MustParseAddrPort(strings.Fields(all[0][1])[4] + ":" + all[0][2])
			go r.carry(r.toUs, r.toPage, func(from netip.AddrPort) (netip.AddrPort, bool) {
				r.page.Store(&from)
				return r.us, true
			})
			go r.carry(r.toPage, r.toUs, func(netip.AddrPort) (netip.AddrPort, bool) {
				to := r.page.Load()
				if to == nil {
					return r.us, false
				}
				return *to, true
			})
		}
		port := r.toUs.LocalAddr().(*net.UDPAddr).Port
		return candidates.ReplaceAllString(sdp, fmt.Sprintf("$1 %d typ host", port))
	}
	// Where the page is we learn from its checks.
	c.fromPage = func(sdp string) string {
		return regexp.MustCompile(`(?m)^a=candidate:.*\r\n`).ReplaceAllString(sdp, "")
	}
	return r
}

func (r *relay) carry(in, out *net.UDPConn, to func(from netip.AddrPort) (netip.AddrPort, bool)) {
	b := make([]byte, 1<<16)
	for count := 0; ; count++ {
		n, from, err := in.ReadFromUDPAddrPort(b)
		if err != nil {
			return // closed
		}
		if in == r.toUs {
			r.pace(n)
		}
		if address, ok := to(from); ok && !r.loses(count) {
			out.WriteToUDPAddrPort(b[:n], address)
		}
	}
}

func (r *relay) loses(count int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	lost := r.rand.Float64() < r.loss || r.each > 0 && count%r.each == 0
	if lost {
		r.lost++
	}
	return lost
}

// loseEach makes the path lose one datagram of so many, and never two close to each other.
func (r *relay) loseEach(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.each = n
}

// pace takes the time that a datagram takes on a narrow path.
func (r *relay) pace(size int) {
	r.mu.Lock()
	rate := r.rate
	r.mu.Unlock()
	if rate > 0 {
		time.Sleep(time.Duration(8 * float64(size) / rate * float64(time.Second)))
	}
}

// narrow gives the path from the page to us a rate.
func (r *relay) narrow(rate float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rate = rate
}

func (r *relay) lose(share float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.loss = share
}

// One datagram of twenty is lost each way, and a camera's video goes to us and
// comes back without a freeze: what is missing is sent again.
func TestLossIsRepaired(t *testing.T) {
	for _, name := range []string{"Chromium", "Firefox"} {
		t.Run(name, func(t *testing.T) {
			c := newMediaCall(t, openMediaPage(t, name), peerconnection.Config{Addresses: []netip.Addr{hostAddress(t)}})
			path := through(t, c)
			c.do(nil, `pc.addTransceiver(stream.getVideoTracks()[0]).setCodecPreferences(codecsOf("video", "video/VP8").concat(codecsOf("video", "video/rtx")))`)
			c.answerWith(c.echo)
			r := record(c.ctx, c.pc.Transceivers()[0].Receiver().Track())
			c.connected()
			c.until("the browser sees its camera", func() bool { s := c.received(); return len(s) > 0 && s[0].FramesDecoded > 20 })
			before := r.count()
			c.decodesAll()
			// A machine that is busy with others freezes it, too: only a time counts before which,
			// and without a loss, it did not.
			var frozen []string
			for start := time.Now(); ; {
				path.lose(0)
				idle := c.freezes(4*time.Second) == ""
				path.lose(0.05)
				trouble := c.freezes(4 * time.Second)
				if trouble == "" {
					break
				}
				if idle {
					frozen = append(frozen, trouble)
				}
				if len(frozen) == 6 {
					t.Errorf("video that goes on without a freeze as long as nothing is lost does not when one of twenty is:\n%s", strings.Join(frozen, "\n"))
					break
				}
				if time.Since(start) > patience/2 {
					t.Logf("the machine is too busy to tell whether losses freeze the video; they did %d times", len(frozen))
					break
				}
			}
			c.until("both sides have sent packets again", func() bool {
				// Firefox does not count what it is sent again.
				theirs, s := c.received()[0], c.pc.Stats()
				return (theirs.RetransmittedPacketsReceived > 0 || name == "Firefox" && theirs.NACKCount > 0) &&
					s.InboundRTP[0].RetransmittedPacketsReceived > 0 && s.OutboundRTP[0].RetransmittedPacketsSent > 0
			})
			path.lose(0)
			time.Sleep(200 * time.Millisecond)

			s, theirs, our := c.pc.Stats(), c.received()[0], c.sent()[0]
			in, out := s.InboundRTP[0], s.OutboundRTP[0]
			t.Logf("%d datagrams lost; the browser: %d pictures of %d × %d, %d packets, %d came again, %d sent again, %d freezes, %d PLI, %d NACK; we: %d pictures, %d packets, %d came again, %d sent again, %d lost, %d freezes, %d PLI, %v",
				path.lost, theirs.FramesDecoded, theirs.FrameWidth, theirs.FrameHeight, theirs.PacketsReceived, theirs.RetransmittedPacketsReceived, our.RetransmittedPacketsSent, theirs.FreezeCount, theirs.PLICount, theirs.NACKCount,
				r.count()-before, in.PacketsReceived, in.RetransmittedPacketsReceived, out.RetransmittedPacketsSent, in.PacketsLost, in.FreezeCount, in.PLICount, r)
			if our.RetransmittedPacketsSent == 0 || out.RetransmittedPacketsSent == 0 || in.NACKCount == 0 {
				t.Error("nothing was asked for again and sent again")
			}
			file := r.file(t)
			if n := len(decoded(t, file)); n < before+20 {
				t.Errorf("ffmpeg decodes %d pictures, %d of them before the loss", n, before)
			}
		})
	}
}
