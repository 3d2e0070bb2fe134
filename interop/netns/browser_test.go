package netns

import (
	"cmp"
	"context"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/interop/browser"
	"github.com/plainrtc/plainrtc/peerconnection"
)

// A page is a peer in a browser.
type page struct {
	*browser.Page
	id int
}

// newPage makes a peer that sends back what comes on both channels.
func newPage(t *testing.T, b *browser.Browser, s settings) *page {
	t.Helper()
	script, err := os.ReadFile("../testdata/peer.js")
	if err != nil {
		t.Fatal(err)
	}
	p := &page{Page: b.Open(t, string(script))}
	p.Do(&p.id, `
		globalThis.configuration = args[0];
		const n = newPeer(), p = peers[n];
		p.create("beat", {negotiated: true, id: 1, ordered: false, maxRetransmits: 0});
		p.create("bulk", {negotiated: true, id: 2});
		for (const {dc} of p.channels) dc.onmessage = ({data}) => dc.send(data);
		return n`, map[string]any{"iceServers": urls(s), "iceTransportPolicy": cmp.Or(s.Policy, "all")})
	return p
}

// urls are the servers as RTCConfiguration has them.
func urls(s settings) (all []map[string]any) {
	for _, server := range s.Servers {
		all = append(all, map[string]any{"urls": server.URLs, "username": server.Username, "credential": server.Credential})
	}
	return all
}

func (p *page) call(ctx context.Context, result any, expression string, args ...any) error {
	v, err := p.Eval(ctx, `const p = peers[args[0]]; return await `+expression, append([]any{p.id}, args...)...)
	if err != nil || result == nil {
		return err
	}
	return json.Unmarshal(v, result)
}

func (p *page) offer(ctx context.Context, restart bool) (sdp string, err error) {
	return sdp, p.call(ctx, &sdp, `p.offer(args[1])`, restart)
}

func (p *page) answer(ctx context.Context, offer string) (sdp string, err error) {
	return sdp, p.call(ctx, &sdp, `p.answer(args[1])`, offer)
}

func (p *page) finish(ctx context.Context, answer string) error {
	return p.call(ctx, nil, `p.finish(args[1])`, answer)
}

func (p *page) candidate(ctx context.Context) (c json.RawMessage, err error) {
	return c, p.call(ctx, &c, `p.candidates.next()`)
}

func (p *page) add(ctx context.Context, candidate json.RawMessage) error {
	return p.call(ctx, nil, `p.pc.addIceCandidate(args[1])`, candidate)
}

// Chromium behind a NAT that changes from call to call, and a peer of ours behind another: one
// offers, then the other.
func TestChromium(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.serve(l.certificate()...)
	site, other := l.site(Router{NAT: Cone}), l.site(Router{NAT: Cone})
	chromium := browser.ChromiumIn(t, browser.Place{Enter: site.Enter, Listen: site.Listen}, "--ignore-certificate-errors")
	for i, c := range []struct {
		near, far NAT // before Chromium, and before ours
		firewall  Firewall
		transport string // of Chromium's server
		relayed   bool
	}{
		{Cone, Cone, Open, "udp", false},
		{Symmetric, Symmetric, Open, "udp", true},
		{Cone, Cone, NoUDP, "tcp", true},
		{Cone, Symmetric, Only443, "tls", true},
	} {
		t.Run(Router{NAT: c.near, Firewall: c.firewall}.String()+" to "+string(c.far), func(t *testing.T) {
			if err := site.Change(c.near, c.firewall); err != nil {
				t.Fatal(err)
			}
			if err := other.Change(c.far, Open); err != nil {
				t.Fatal(err)
			}
			ctx := testContext(t)
			us := newRemote(t, other.Namespace, settings{Servers: iceServers(l.url("udp"))})
			them := newPage(t, chromium, settings{Servers: iceServers(l.url(c.transport))})
			offerer, answerer := peer(us), peer(them)
			if i%2 == 1 {
				offerer, answerer = answerer, offerer
			}
			after := call(t, ctx, offerer, answerer, us)
			done, err := us.transfer(ctx, transfer{Size: 512 << 10})
			if err != nil {
				t.Fatal(err)
			}
			path := us.settled(t, ctx, c.relayed)
			t.Logf("connected after %v: %s; 512 KiB there and back in %v", after, path, done.Took.Round(time.Millisecond))
		})
	}
	t.Run("video over 2 Mbit/s, of which 5 percent are lost", func(t *testing.T) {
		for _, s := range []*Site{site, other} {
			if err := s.Change(Cone, Open); err != nil {
				t.Fatal(err)
			}
		}
		if err := site.Impair(5, 2000); err != nil {
			t.Fatal(err)
		}
		ctx := testContext(t)
		us := newRemote(t, other.Namespace, settings{Servers: iceServers(l.url("udp"))})
		them := newPage(t, chromium, settings{Servers: iceServers(l.url("udp"))})
		err := them.call(ctx, nil, `(async () => {
			const stream = await camera({video: {width: 640, height: 360}});
			for (const track of stream.getTracks()) p.pc.addTrack(track, stream);
		})()`)
		if err != nil {
			t.Fatal(err)
		}
		after := call(t, ctx, them, us, us)
		var seen film
		if err := us.do(ctx, "film", 120, &seen); err != nil {
			t.Fatal(err)
		}
		if seen.KeyFrames == 0 {
			t.Errorf("nothing could be decoded: %+v", seen)
		}
		t.Logf("connected after %v: %s; %+v", after, us.path(t, ctx), seen)
	})
}

// Firefox, which asks for relayed candidates alone, by each transport of the server.
func TestFirefox(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.serve(l.certificate()...)
	site, other := l.site(Router{NAT: Cone}), l.site(Router{NAT: Cone})
	// As if the user had accepted the certificate. Firefox speaks TLS with servers that have a name alone.
	exception := "turn.example.org:443:\tOID.2.16.840.1.101.3.4.2.1\t" + l.print + "\t\n"
	firefox := browser.FirefoxIn(t, browser.Place{Enter: site.Enter, Listen: site.Listen}, map[string]string{"cert_override.txt": exception},
		browser.Pref{Name: "network.dns.forceResolve", Value: l.server.Addr.String()})
	for i, c := range []struct{ name, url string }{
		{"udp", l.url("udp")},
		{"tcp", l.url("tcp")},
		{"tls", "turns:turn.example.org:443?transport=tcp"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx := testContext(t)
			us := newRemote(t, other.Namespace, settings{Servers: iceServers(l.url("udp"))})
			them := newPage(t, firefox, settings{Servers: iceServers(c.url), Policy: peerconnection.ICETransportRelay})
			offerer, answerer := peer(us), peer(them)
			if i%2 == 1 {
				offerer, answerer = answerer, offerer
			}
			after := call(t, ctx, offerer, answerer, us)
			done, err := us.transfer(ctx, transfer{Size: 512 << 10})
			if err != nil {
				t.Fatal(err)
			}
			path := us.settled(t, ctx, true)
			t.Logf("connected after %v: %s; 512 KiB there and back in %v", after, path, done.Took.Round(time.Millisecond))
		})
	}
}
