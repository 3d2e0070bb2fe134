package peerconnection

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/internal/relay"
	"github.com/plainrtc/plainrtc/stun"
	"github.com/plainrtc/plainrtc/turn"
)

// signalFiltered is signal, with the candidates alone that pass; of each description it is told.
func signalFiltered(t *testing.T, ctx context.Context, a, z *PeerConnection, pass func(line string) bool) {
	t.Helper()
	told := func(pc *PeerConnection) SessionDescription {
		if err := pc.GatheringComplete(ctx); err != nil {
			t.Fatal(err)
		}
		d := *pc.LocalDescription()
		lines := strings.SplitAfter(d.SDP, "\n")
		d.SDP = ""
		for _, line := range lines {
			if !strings.HasPrefix(line, "a=candidate:") || pass(line) {
				d.SDP += line
			}
		}
		return d
	}
	if err := a.SetLocalDescription(SessionDescription{}); err != nil {
		t.Fatal(err)
	}
	if err := z.SetRemoteDescription(told(a)); err != nil {
		t.Fatal(err)
	}
	if err := z.SetLocalDescription(SessionDescription{}); err != nil {
		t.Fatal(err)
	}
	if err := a.SetRemoteDescription(told(z)); err != nil {
		t.Fatal(err)
	}
}

func isTCP(line string) bool { return strings.Contains(line, " tcp ") }

func listenTCP(t *testing.T) *TCPMux {
	t.Helper()
	m, err := ListenTCPMux(netip.AddrPortFrom(loopback[0], 0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// exchangeMessages opens a channel, and carries messages of many sizes both ways.
func exchangeMessages(t *testing.T, ctx context.Context, a, z *PeerConnection, signal func()) {
	t.Helper()
	da, err := a.CreateDataChannel("test", nil)
	if err != nil {
		t.Fatal(err)
	}
	signal()
	dz, err := z.AcceptDataChannel(ctx)
	if err == nil {
		err = da.Opened(ctx)
	}
	if err != nil {
		t.Fatalf("%v: a has %v, z has %v", err, a.Stats().CandidatePairs, z.Stats().CandidatePairs)
	}
	for _, size := range []int{1, 1000, 20_000, 300_000} {
		for _, way := range []struct{ from, to *DataChannel }{{da, dz}, {dz, da}} {
			data := bytes.Repeat([]byte{byte(size)}, size)
			if err := way.from.WriteMessage(ctx, Binary, data); err != nil {
				t.Fatal(err)
			}
			m, err := way.to.ReadMessage(ctx)
			if err != nil || !bytes.Equal(m.Data, data) {
				t.Fatalf("%d bytes came as %d: %v", size, len(m.Data), err)
			}
		}
	}
}

// selectedPair is where data goes, and its two candidates.
func selectedPair(t *testing.T, pc *PeerConnection) (pair CandidatePairStats, local, remote ICECandidateStats) {
	t.Helper()
	s := pc.Stats()
	for _, p := range s.CandidatePairs {
		if p.Selected {
			pair = p
		}
	}
	for _, c := range s.LocalCandidates {
		if c.ID == pair.LocalCandidateID {
			local = c
		}
	}
	for _, c := range s.RemoteCandidates {
		if c.ID == pair.RemoteCandidateID {
			remote = c
		}
	}
	return pair, local, remote
}

// Where UDP does not get through, the peer comes to our TCP sockets. Nothing of that is
// left at the end.
func TestPeersConnectOverTCP(t *testing.T) {
	ctx := within(t, 60*time.Second)
	mux := listenTCP(t)
	before := runtime.NumGoroutine()
	for _, passiveOffers := range []bool{false, true} {
		t.Run(fmt.Sprintf("the passive side offers: %v", passiveOffers), func(t *testing.T) {
			active, passive := newPeer(t, Config{}), newPeer(t, Config{TCPMux: mux})
			a, z := active, passive
			if passiveOffers {
				a, z = z, a
			}
			exchangeMessages(t, ctx, a, z, func() { signalFiltered(t, ctx, a, z, isTCP) })
			_, local, remote := selectedPair(t, active)
			if local.Protocol != "tcp" || local.TCPType != "active" || local.Port != 9 || remote.TCPType != "passive" || remote.Port != mux.Addresses()[0].Port() {
				t.Errorf("the active side has the pair %+v, %+v", local, remote)
			}
			_, local, remote = selectedPair(t, passive)
			if local.TCPType != "passive" || remote.TCPType != "active" || remote.CandidateType != "prflx" {
				t.Errorf("the passive side has the pair %+v, %+v", local, remote)
			}
			a.Close()
			z.Close()
		})
	}
	waitForGoroutines(t, before)
}

func waitForGoroutines(t *testing.T, before int) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); runtime.NumGoroutine() > before; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines are left of what began with %d:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		}
	}
}

// With UDP at hand it is preferred, and the connection over TCP is given up.
func TestUDPIsPreferredToTCP(t *testing.T) {
	ctx := within(t, 60*time.Second)
	mux := listenTCP(t)
	a, z := newPeer(t, Config{}), newPeer(t, Config{TCPMux: mux})
	exchangeMessages(t, ctx, a, z, func() { signalFiltered(t, ctx, a, z, func(string) bool { return true }) })
	for {
		pair, local, _ := selectedPair(t, a)
		if local.Protocol == "udp" && pair.Nominated {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("data goes by %+v", local)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// selfSigned is a certificate for 127.0.0.1, and the authority that knows it.
func selfSigned(t *testing.T) (*tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{{127, 0, 0, 1}},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// A turnServer is ours, on loopback, over everything.
func turnServer(t *testing.T) (urls map[string]string, roots *x509.CertPool) {
	t.Helper()
	certificate, roots := selfSigned(t)
	any := []netip.AddrPort{netip.AddrPortFrom(loopback[0], 0)}
	s, err := relay.Listen(relay.Config{
		Turn: turn.ServerConfig{
			Realm: "example.org", Users: map[string]string{"alice": "wonderland"}, AllowedPeers: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		},
		UDP: any, TCP: any, TLS: any, DTLS: any, Certificate: certificate, Relays: loopback,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	datagrams, streams := s.Addresses()
	return map[string]string{
		"udp":  "turn:" + datagrams[0].String(),
		"tcp":  "turn:" + streams[0].String() + "?transport=tcp",
		"tls":  "turns:" + streams[1].String(),
		"dtls": "turns:" + datagrams[1].String() + "?transport=udp",
	}, roots
}

// The relay is reached over each transport, and the peer does not know.
func TestRelayedOverEachTransport(t *testing.T) {
	urls, roots := turnServer(t)
	before := runtime.NumGoroutine()
	for protocol, url := range urls {
		t.Run(protocol, func(t *testing.T) {
			ctx := within(t, 60*time.Second)
			a := newPeer(t, Config{
				ICETransportPolicy: ICETransportRelay, RootCAs: roots,
				ICEServers: []ICEServer{{URLs: []string{url}, Username: "alice", Credential: "wonderland"}},
			})
			z := newPeer(t, Config{})
			exchangeMessages(t, ctx, a, z, func() { signal(t, ctx, a, z, nil) })
			_, local, _ := selectedPair(t, a)
			if local.CandidateType != "relay" || local.RelayProtocol != protocol || local.Protocol != "udp" || local.URL != url {
				t.Errorf("data goes by %+v", local)
			}
			a.Close()
			z.Close()
		})
	}
	waitForGoroutines(t, before)
}

// A server whose certificate nobody vouches for, or that is for another, gets no word; what
// became of it can be asked.
func TestCertificatesOfServersAreVerified(t *testing.T) {
	urls, _ := turnServer(t)
	for _, protocol := range []string{"tls", "dtls"} {
		ctx := within(t, 60*time.Second)
		a := newPeer(t, Config{ICEServers: []ICEServer{{URLs: []string{urls[protocol]}, Username: "alice", Credential: "wonderland"}}})
		if _, err := a.CreateDataChannel("test", nil); err != nil {
			t.Fatal(err)
		}
		if err := a.SetLocalDescription(SessionDescription{}); err != nil {
			t.Fatal(err)
		}
		if err := a.GatheringComplete(ctx); err != nil {
			t.Fatal(err)
		}
		if sdp := a.LocalDescription().SDP; strings.Contains(sdp, "typ relay") {
			t.Errorf("%s: there is a relayed candidate:\n%s", protocol, sdp)
		}
		errs := a.ICECandidateErrors()
		if len(errs) != 1 || errs[0].ErrorCode != 701 || errs[0].URL != urls[protocol] || !strings.Contains(errs[0].ErrorText, "certificate") {
			t.Errorf("%s: %+v", protocol, errs)
		}
	}
}

// Who comes to a TCP socket and does not say by a check whom for has to go: at once if it says
// something else, after a while if it says nothing. And there are not many of those.
func TestStrangersAreTurnedAway(t *testing.T) {
	mux, err := listenTCPMux(300*time.Millisecond, []netip.AddrPort{netip.AddrPortFrom(loopback[0], 0)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mux.Close() })
	pc := newPeer(t, Config{TCPMux: mux})
	if _, err := pc.CreateDataChannel("test", nil); err != nil {
		t.Fatal(err)
	}
	if err := pc.SetLocalDescription(SessionDescription{}); err != nil {
		t.Fatal(err)
	}
	check := func(ufrag string) []byte {
		b := stun.NewBuilder(nil, stun.BindingRequest, stun.TransactionID{1})
		b.AddString(stun.AttrUsername, ufrag+":them")
		b.AddUint32(stun.AttrPriority, 1)
		b.AddIntegrity(stun.NewKey([]byte("a password that is not ours")))
		b.AddFingerprint()
		return append(binary.BigEndian.AppendUint16(nil, uint16(len(b.Bytes()))), b.Bytes()...)
	}
	for what, says := range map[string][]byte{
		"nothing":                       nil,
		"half of a check":               check(pc.core.localUfrag())[:20],
		"HTTP":                          []byte("GET / HTTP/1.1\r\n\r\n"),
		"a check for nobody":            check("nobody"),
		"a check with a wrong password": check(pc.core.localUfrag()),
		"an empty message":              {0, 0},
	} {
		conn, err := net.Dial("tcp", mux.Addresses()[0].String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.Write(says); err != nil {
			t.Fatal(err)
		}
		conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("who says %s may stay", what)
		}
	}
	if pc.mu.Lock(); len(pc.streams) > 0 {
		t.Errorf("%d connections are left", len(pc.streams))
	}
	pc.mu.Unlock()
}

// More silent ones than a few are not taken from one address.
func TestSilentConnectionsAreFew(t *testing.T) {
	mux := listenTCP(t)
	conns := make(chan net.Conn, 200)
	closed := make(chan bool, cap(conns))
	for range cap(conns) {
		conn, err := net.Dial("tcp", mux.Addresses()[0].String())
		if err != nil {
			t.Fatal(err)
		}
		conns <- conn
		go func() {
			conn.Read(make([]byte, 1))
			closed <- true
		}()
	}
	for range cap(conns) - maxSilentFrom {
		<-closed
	}
	mux.mu.Lock()
	if len(mux.silent) > maxSilentFrom {
		t.Errorf("%d silent connections are kept", len(mux.silent))
	}
	mux.mu.Unlock()
	for range cap(conns) {
		(<-conns).Close()
	}
}

// To one that does not read, no more is kept than what a router's queue would: nothing blocks.
func TestSlowReadersLoseDatagrams(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	pc := newPeer(t, Config{})
	s := &stream{pc: pc, peer: true, conn: near}
	for range 10_000 {
		s.send(make([]byte, 3*1200), 1200)
	}
	s.mu.Lock()
	if n := len(s.waiting); n > maxWaiting || n < maxWaiting/2 {
		t.Errorf("%d bytes wait", n)
	}
	s.mu.Unlock()
	// What arrives is whole.
	f := new(frames)
	for n := 0; n < 50; {
		far.SetReadDeadline(time.Now().Add(20 * time.Second))
		k, err := far.Read(f.Space())
		if err != nil {
			t.Fatal(err)
		}
		f.Wrote(k)
		for m, ok := f.Next(); ok; m, ok = f.Next() {
			if n++; len(m) != 1200 {
				t.Fatalf("a message of %d bytes comes", len(m))
			}
		}
	}
	s.end()
	far.Close()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		s.mu.Lock()
		writing := s.writing
		s.mu.Unlock()
		if !writing {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the writer does not end")
		}
	}
}

// However a stream is cut, its messages come out whole.
func FuzzFrames(f *testing.F) {
	f.Add([]byte{0, 1, 'a', 0, 0, 0, 3, 'b', 'c', 'd'}, byte(3))
	f.Fuzz(func(t *testing.T, input []byte, at byte) {
		cut := func(size int) (messages [][]byte) {
			fr := new(frames)
			for rest := input; len(rest) > 0; {
				n := copy(fr.Space(), rest[:min(size, len(rest))])
				fr.Wrote(n)
				rest = rest[n:]
				for m, ok := fr.Next(); ok; m, ok = fr.Next() {
					messages = append(messages, bytes.Clone(m))
				}
			}
			if len(fr.b) > 4*len(input)+4096 {
				t.Fatalf("%d bytes of room for %d", len(fr.b), len(input))
			}
			return messages
		}
		whole, parts := cut(len(input)), cut(1+int(at))
		if !slices.EqualFunc(whole, parts, bytes.Equal) {
			t.Fatalf("%q at once, %q in parts", whole, parts)
		}
	})
}

// ICE restarts over the same connection, and messages go on.
func TestRestartOverTCP(t *testing.T) {
	ctx := within(t, 60*time.Second)
	a, z := newPeer(t, Config{}), newPeer(t, Config{TCPMux: listenTCP(t)})
	da, err := a.CreateDataChannel("test", nil)
	if err != nil {
		t.Fatal(err)
	}
	signalFiltered(t, ctx, a, z, isTCP)
	dz, err := z.AcceptDataChannel(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, offerer := range []*PeerConnection{a, z, a} {
		answerer := z
		if offerer == z {
			answerer = a
		}
		before := offerer.Stats().Transport.ICELocalUsernameFragment
		offerer.RestartICE()
		signalFiltered(t, ctx, offerer, answerer, isTCP)
		if after := offerer.Stats().Transport.ICELocalUsernameFragment; after == before {
			t.Fatal("ICE does not restart")
		}
		// Until the pairs of the new session carry data.
		for _, pc := range []*PeerConnection{offerer, answerer} {
			for !pc.restarted() {
				if ctx.Err() != nil {
					t.Fatalf("the pairs are %+v", pc.Stats().CandidatePairs)
				}
				time.Sleep(10 * time.Millisecond)
			}
		}
		for _, way := range []struct{ from, to *DataChannel }{{da, dz}, {dz, da}} {
			if err := way.from.SendText("still there"); err != nil {
				t.Fatal(err)
			}
			if m, err := way.to.ReadMessage(ctx); err != nil || string(m.Data) != "still there" {
				t.Fatalf("%v, %v", m, err)
			}
		}
	}
}

// restarted reports whether data goes by a nominated pair of the present session.
func (pc *PeerConnection) restarted() bool {
	pc.mu.Lock()
	defer pc.mu.Unlock()
	for _, p := range pc.core.ice.Pairs() {
		if p.Selected && p.Nominated && p.LocalUfrag == pc.core.credentials.Ufrag {
			return true
		}
	}
	return false
}

// The TURN server starts anew: its connections break, and a new allocation is asked for over
// another. The peer is told the new candidate, and the call goes on.
func TestServerOverTCPStartsAnew(t *testing.T) {
	ctx := within(t, 90*time.Second)
	config := relay.Config{
		Turn: turn.ServerConfig{
			Realm: "example.org", Users: map[string]string{"alice": "wonderland"}, AllowedPeers: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		},
		TCP: []netip.AddrPort{netip.AddrPortFrom(loopback[0], 0)}, Relays: loopback,
	}
	server, err := relay.Listen(config)
	if err != nil {
		t.Fatal(err)
	}
	_, config.TCP = server.Addresses()
	a := newPeer(t, Config{
		ICETransportPolicy: ICETransportRelay,
		ICEServers:         []ICEServer{{URLs: []string{"turn:" + config.TCP[0].String() + "?transport=tcp"}, Username: "alice", Credential: "wonderland"}},
	})
	z := newPeer(t, Config{})
	da, dz := connect(t, ctx, a, z)
	go func() {
		for {
			c, err := a.NextICECandidate(ctx)
			switch {
			case err == nil:
				z.AddICECandidate(c)
			case !errors.Is(err, io.EOF):
				return
			}
			if errors.Is(err, io.EOF) {
				select {
				case <-a.Done():
					return
				case <-time.After(20 * time.Millisecond):
				}
			}
		}
	}()
	server.Close()
	for server, err = relay.Listen(config); err != nil; server, err = relay.Listen(config) {
		if ctx.Err() != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond) // somebody has the port, for a moment
	}
	defer server.Close()
	for _, way := range []struct{ from, to *DataChannel }{{da, dz}, {dz, da}} {
		if err := way.from.SendText("still there"); err != nil {
			t.Fatal(err)
		}
		if m, err := way.to.ReadMessage(ctx); err != nil || string(m.Data) != "still there" {
			t.Fatalf("%v, %v: a is %v, with %+v", m, err, a.ConnectionState(), a.Stats().LocalCandidates)
		}
	}
	a.Close()
}
