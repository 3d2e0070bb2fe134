package interop

import (
	"context"
	be "encoding/binary"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/plainrtc/plainrtc/dtls"
	"github.com/plainrtc/plainrtc/internal/trace"
	"github.com/plainrtc/plainrtc/interop/browser"
	"github.com/plainrtc/plainrtc/peerconnection"
)

// A browserDTLSCase is a call and what its DTLS must come to.
type browserDTLSCase struct {
	stack   stack
	role    dtlsRole // of the browser: who answers is the client
	ours    held
	version dtls.Version
	suite   dtls.CipherSuite
	group   dtls.Group
	// retried says that the server sends a HelloRetryRequest.
	retried bool
}

// held is what our side is held to.
type held struct {
	name string
	peerconnection.Config
}

var (
	byDefault  = held{"by default", peerconnection.Config{}}
	heldTo12   = held{"to 1.2", peerconnection.Config{MaxDTLSVersion: dtls.DTLS12}}
	withoutKEM = held{"without ML-KEM", peerconnection.Config{DTLSGroups: []dtls.Group{dtls.X25519, dtls.Secp256r1}}}
	// Browsers send no key share for P-384: a server must ask for one. And in the
	// hope that P-384 will do, our client sends no other share: Chromium takes it,
	// Firefox asks for another.
	onP384   = held{"to P-384", peerconnection.Config{DTLSGroups: []dtls.Group{dtls.Secp384r1}}}
	hopeful  = held{"to P-384 first", peerconnection.Config{DTLSGroups: []dtls.Group{dtls.Secp384r1, dtls.X25519}}}
	on12P384 = held{"to 1.2 and P-384", peerconnection.Config{MaxDTLSVersion: dtls.DTLS12, DTLSGroups: []dtls.Group{dtls.Secp384r1}}}

	// Firefox can be held to 1.2 itself.
	firefox12 = stack{"Firefox12", func(t testing.TB) peer {
		return newPagePeer(t, openPage(t, browser.Firefox(t, browser.Pref{Name: "media.peerconnection.dtls.version.max", Value: 771})))
	}}

	// A page may ask for a certificate with an RSA key.
	chromiumRSA = stack{"ChromiumRSA", func(t testing.TB) peer { return newRSAPeer(t, browser.Chromium(t)) }}
	firefoxRSA  = stack{"FirefoxRSA", func(t testing.TB) peer { return newRSAPeer(t, browser.Firefox(t)) }}
)

func newRSAPeer(t testing.TB, b *browser.Browser) peer {
	page := openPage(t, b)
	page.Do(nil, `globalThis.configuration = {certificates: [await RTCPeerConnection.generateCertificate(
		{name: "RSASSA-PKCS1-v1_5", hash: "SHA-256", modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1])})]}`)
	return newPagePeer(t, page)
}

const (
	tlsAES128   = dtls.TLS_AES_128_GCM_SHA256
	ecdsaAES128 = dtls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
	rsaAES128   = dtls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
)

// browserDTLSMatrix is DTLS with browsers as they come, in both DTLS roles.
var browserDTLSMatrix = []browserDTLSCase{
	{chromium, client, byDefault, dtls.DTLS13, tlsAES128, dtls.X25519MLKEM768, false},
	{chromium, server, byDefault, dtls.DTLS13, tlsAES128, dtls.X25519MLKEM768, false},
	{chromium, client, withoutKEM, dtls.DTLS13, tlsAES128, dtls.X25519, false},
	{chromium, server, withoutKEM, dtls.DTLS13, tlsAES128, dtls.X25519, false},
	{chromium, client, onP384, dtls.DTLS13, tlsAES128, dtls.Secp384r1, true},
	{chromium, server, onP384, dtls.DTLS13, tlsAES128, dtls.Secp384r1, false},
	{chromium, client, heldTo12, dtls.DTLS12, ecdsaAES128, dtls.X25519, false},
	{chromium, server, heldTo12, dtls.DTLS12, ecdsaAES128, dtls.X25519, false},
	{chromium, client, on12P384, dtls.DTLS12, ecdsaAES128, dtls.Secp384r1, false},
	{chromiumRSA, client, byDefault, dtls.DTLS13, tlsAES128, dtls.X25519MLKEM768, false},
	{chromiumRSA, server, byDefault, dtls.DTLS13, tlsAES128, dtls.X25519MLKEM768, false},
	{chromiumRSA, client, heldTo12, dtls.DTLS12, ecdsaAES128, dtls.X25519, false},
	{chromiumRSA, server, heldTo12, dtls.DTLS12, rsaAES128, dtls.X25519, false},
	{firefox, client, byDefault, dtls.DTLS13, tlsAES128, dtls.X25519MLKEM768, false},
	{firefox, server, byDefault, dtls.DTLS13, tlsAES128, dtls.X25519MLKEM768, false},
	{firefox, client, withoutKEM, dtls.DTLS13, tlsAES128, dtls.X25519, false},
	{firefox, server, withoutKEM, dtls.DTLS13, tlsAES128, dtls.X25519, false},
	{firefox, client, onP384, dtls.DTLS13, tlsAES128, dtls.Secp384r1, true},
	{firefox, server, onP384, dtls.DTLS13, tlsAES128, dtls.Secp384r1, false},
	{firefox, server, hopeful, dtls.DTLS13, tlsAES128, dtls.X25519, true},
	{firefox, client, heldTo12, dtls.DTLS12, ecdsaAES128, dtls.X25519, false},
	{firefox, server, heldTo12, dtls.DTLS12, ecdsaAES128, dtls.X25519, false},
	{firefox12, client, byDefault, dtls.DTLS12, ecdsaAES128, dtls.X25519, false},
	{firefox12, server, byDefault, dtls.DTLS12, ecdsaAES128, dtls.X25519, false},
	{firefoxRSA, client, byDefault, dtls.DTLS13, tlsAES128, dtls.X25519MLKEM768, false},
	{firefoxRSA, server, heldTo12, dtls.DTLS12, rsaAES128, dtls.X25519, false},
}

// TestBrowserDTLS plays the matrix: a message goes both ways, and what was
// negotiated is read from the wire, and from getStats where it tells.
func TestBrowserDTLS(t *testing.T) {
	for _, c := range browserDTLSMatrix {
		t.Run(fmt.Sprint(c.stack.name, " ", c.role, " / ", c.ours.name), func(t *testing.T) {
			ctx := testContext(t)
			seen := new(wireDTLS)
			our, their := newPlainPeer(t, c.ours.Config, seen), c.stack.new(t)
			offerer, answerer := peer(our), their
			if c.role == server {
				offerer, answerer = their, our
			}
			near, err := offerer.Create(ctx, "dtls", channelOptions{})
			if err != nil {
				t.Fatal(err)
			}
			connect(t, ctx, offerer, answerer, signalling{})
			far := accept(t, ctx, near, answerer)
			hello := message{Text: true, Data: []byte("hello")}
			carry(t, ctx, near, far, hello)
			carry(t, ctx, far, near, hello)

			version, suite, group := seen.negotiated()
			if version != c.version || suite != c.suite || group != c.group {
				t.Errorf("the wire shows %v, %v, %v; want %v, %v, %v", version, suite, group, c.version, c.suite, c.group)
			}
			if seen.retried() != c.retried {
				t.Errorf("a HelloRetryRequest was seen: %v, want %v", seen.retried(), c.retried)
			}
			// Our own statistics say the same.
			ourRole := map[dtlsRole]dtlsRole{client: server, server: client}[c.role]
			tls := fmt.Sprintf("%04X", uint16(c.version))
			ours := our.pc.Stats().Transport
			if ours.TLSVersion != tls || ours.DTLSCipher != c.suite.String() || ours.DTLSGroup != c.group.String() || ours.DTLSRole != string(ourRole) {
				t.Errorf("our statistics say %s, %s, %s, %s; want %s, %v, %v, %s",
					ours.TLSVersion, ours.DTLSCipher, ours.DTLSGroup, ours.DTLSRole, tls, c.suite, c.group, ourRole)
			}
			if page, ok := their.(*pagePeer); ok && strings.HasPrefix(c.stack.name, chromium.name) {
				stats, err := page.dtlsStats(ctx)
				if err != nil {
					t.Fatal(err)
				}
				if stats.TLSVersion != tls {
					t.Errorf("getStats says tlsVersion %s, want %s", stats.TLSVersion, tls)
				}
				if got, want := stats.DTLSCipher, c.suite.String(); got != want {
					t.Errorf("getStats says dtlsCipher %s, want %s", got, want)
				}
				if stats.DTLSRole != string(c.role) {
					t.Errorf("getStats says dtlsRole %s, want %s", stats.DTLSRole, c.role)
				}
			}
		})
	}
}

// pageDTLS is what RTCTransportStats tells of DTLS.
type pageDTLS struct {
	TLSVersion string `json:"tlsVersion"`
	DTLSCipher string `json:"dtlsCipher"`
	DTLSRole   string `json:"dtlsRole"`
}

func (p *pagePeer) dtlsStats(ctx context.Context) (s pageDTLS, err error) {
	return s, p.call(ctx, &s, `p.pc.getStats().then((all) => [...all.values()].find((s) => s.type === "transport"))`)
}

// wireDTLS is a trace.Sink that puts together the handshake messages which a
// server sends in clear, and reads from them what it chose.
type wireDTLS struct {
	mu       sync.Mutex
	messages []wireMessage
}

// A wireMessage is a handshake message, of which parts may be missing yet.
type wireMessage struct {
	typ  byte
	seq  uint16
	body []byte
}

// Trace implements trace.Sink.
func (w *wireDTLS) Trace(e *trace.Event) {
	if e.Kind != trace.KindPacket || e.Layer != trace.UDP {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	const handshake, serverHello, serverKeyExchange = 22, 2, 12
	for b := e.Bytes; len(b) >= 13 && b[0] == handshake; {
		n := int(be.BigEndian.Uint16(b[11:]))
		if len(b) < 13+n {
			return
		}
		record := b[13 : 13+n]
		inClear := b[3] == 0 && b[4] == 0 // epoch 0
		b = b[13+n:]
		for inClear && len(record) >= 12 {
			typ, seq := record[0], be.BigEndian.Uint16(record[4:])
			size, offset, length := uint24(record[1:]), uint24(record[6:]), uint24(record[9:])
			if len(record) < 12+length || offset+length > size {
				break
			}
			if typ == serverHello || typ == serverKeyExchange {
				i := slices.IndexFunc(w.messages, func(m wireMessage) bool { return m.typ == typ && m.seq == seq })
				if i < 0 {
					i = len(w.messages)
					w.messages = append(w.messages, wireMessage{typ, seq, make([]byte, size)})
				}
				copy(w.messages[i].body[min(offset, len(w.messages[i].body)):], record[12:12+length])
			}
			record = record[12+length:]
		}
	}
}

func uint24(b []byte) int { return int(b[0])<<16 | int(b[1])<<8 | int(b[2]) }

// retried reports whether there was a HelloRetryRequest: a ServerHello more.
func (w *wireDTLS) retried() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	hellos := 0
	for _, m := range w.messages {
		if m.typ == 2 {
			hellos++
		}
	}
	return hellos > 1
}

// negotiated returns what the last ServerHello chose; the one before it, if any,
// was a HelloRetryRequest (RFC 8446, Section 4.1.3).
func (w *wireDTLS) negotiated() (version dtls.Version, suite dtls.CipherSuite, group dtls.Group) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range w.messages {
		b := m.body
		if m.typ == 12 { // curve_type, then NamedCurve (RFC 8422, Section 5.4)
			group = dtls.Group(be.BigEndian.Uint16(b[1:]))
			continue
		}
		version = dtls.Version(be.BigEndian.Uint16(b))
		b = b[35+int(b[34]):] // legacy_version, random, session_id
		suite = dtls.CipherSuite(be.BigEndian.Uint16(b))
		for b = b[5:]; len(b) >= 4; { // after the compression method and the extensions' length
			typ, n := be.BigEndian.Uint16(b), int(be.BigEndian.Uint16(b[2:]))
			switch typ {
			case 43: // supported_versions
				version = dtls.Version(be.BigEndian.Uint16(b[4:]))
			case 51: // key_share
				group = dtls.Group(be.BigEndian.Uint16(b[4:]))
			}
			b = b[4+n:]
		}
	}
	return version, suite, group
}
