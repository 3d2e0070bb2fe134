package interop

import (
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/interop/browser"
	"github.com/plainrtc/plainrtc/peerconnection"
)

// hearsItself reports whether what this host says to a group arrives at programs on
// it: without that no browser on it can hear a question.
func hearsItself(t *testing.T) bool {
	t.Helper()
	group := &net.UDPAddr{IP: net.IPv4(224, 0, 0, 251), Port: 15354}
	links, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		if link.Flags&(net.FlagUp|net.FlagMulticast|net.FlagLoopback) != net.FlagUp|net.FlagMulticast {
			continue
		}
		conn, err := net.ListenMulticastUDP("udp4", &link, group)
		if err != nil {
			continue
		}
		defer conn.Close()
		addrs, _ := link.Addrs()
		for _, a := range addrs {
			from, ok := a.(*net.IPNet)
			if !ok || from.IP.To4() == nil {
				continue
			}
			if out, err := net.DialUDP("udp4", &net.UDPAddr{IP: from.IP}, group); err == nil {
				out.Write([]byte("?")) // what is sent is heard here, if nobody says otherwise
				out.Close()
			}
		}
		conn.SetReadDeadline(time.Now().Add(2 * time.Second))
		if _, _, err := conn.ReadFrom(make([]byte, 100)); err == nil {
			return true
		}
	}
	t.Log("NOT RUN: this host has no network on which it hears its own multicasts")
	return false
}

var hostName = regexp.MustCompile(`[0-9a-f-]{36}\.local`)

// Both ends tell names instead of addresses, as browsers do to pages that have no
// camera, and so one has to find out the other's by multicast DNS, or there is no
// call. We do, whatever the browser does: the pair that carries data is one of the
// name that it told.
func TestNames(t *testing.T) {
	if !hearsItself(t) {
		return
	}
	for _, c := range []struct {
		name string
		open func(testing.TB) *browser.Browser
	}{
		// Pages to which a camera was promised hide nothing.
		{"Chromium", func(t testing.TB) *browser.Browser {
			return browser.Chromium(t, "--use-fake-ui-for-media-stream=deny", "--enable-features=WebRtcHideLocalIpsWithMdns")
		}},
		{"Firefox", func(t testing.TB) *browser.Browser { return browser.Firefox(t) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx := testContext(t)
			theirs, ours := newPagePeer(t, openPage(t, c.open(t))), newPlainPeer(t, peerconnection.Config{HideHostAddresses: true})
			near, err := theirs.Create(ctx, "named", channelOptions{})
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			offer, answer := connect(t, ctx, theirs, ours, signalling{})
			far := accept(t, ctx, near, ours)
			carry(t, ctx, near, far, text(testRand(), 100))
			t.Logf("connected after %v", time.Since(began))
			names := hostName.FindAllString(offer, -1)
			if len(names) == 0 || hostName.FindString(answer) == "" {
				t.Fatalf("somebody tells no name:\n%s\n%s", offer, answer)
			}
			for {
				stats := ours.pc.Stats()
				i := slices.IndexFunc(stats.CandidatePairs, func(p peerconnection.CandidatePairStats) bool { return p.Selected })
				remote := slices.IndexFunc(stats.RemoteCandidates, func(c peerconnection.ICECandidateStats) bool {
					return i >= 0 && c.ID == stats.CandidatePairs[i].RemoteCandidateID && c.CandidateType == "host" && slices.Contains(names, c.Address)
				})
				if remote >= 0 {
					t.Logf("on a pair of the name after %v: %s", time.Since(began), stats.RemoteCandidates[remote].Address)
					break
				}
				if ctx.Err() != nil {
					var told []string
					for _, c := range stats.RemoteCandidates {
						told = append(told, c.ID)
					}
					t.Fatalf("of the names %s none is on the pair that data takes; candidates: %s", names, strings.Join(told, ", "))
				}
				time.Sleep(20 * time.Millisecond)
			}
		})
	}
}
