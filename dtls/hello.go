package dtls

import (
	"crypto"
	"crypto/ecdh"
	"crypto/hmac"
	"errors"
	"io"
	"time"
)

// A handshake is what exists only until a connection is established. The hello
// stage in this file is common to the versions of DTLS and chooses one; the
// steps of version 1.2 are in client12.go and server12.go.
type handshake struct {
	c       *Conn
	in      reassembly
	sendSeq uint16 // the message_seq of the next message we send

	// transcript is all handshake messages so far, each as if it had been sent
	// in one fragment (RFC 6347, Section 4.2.6). They are kept, not hashed as
	// they come: which hash it will be is known only from ServerHello on.
	transcript []byte
	// before is where in transcript the message begins that is being read.
	before int

	helloVerifies int      // HelloVerifyRequests we followed
	cookieSecret  [32]byte // of a server that asks for cookies

	params  *suiteParams
	group   Group
	srtp    SRTPProfile
	key     *ecdh.PrivateKey // our share of the key exchange
	peer    crypto.PublicKey // of peerDER
	peerDER []byte
	secrets *secrets
	// preMaster is the key exchange's result, until the master secret is made.
	preMaster []byte
}

// A message is a handshake message that can be sent.
type message interface {
	append(b []byte) []byte
	String() string
}

// reply begins the flight that answers what was read so far.
func (h *handshake) reply(now time.Time) {
	h.c.flight.start(now, h.in.next, h.c.config.InitialRTO)
	h.c.timers.Stop(timerRetransmit)
}

// send adds m to the flight and to the transcript.
func (h *handshake) send(epoch uint16, typ handshakeType, m message) {
	f := &h.c.flight
	from := len(f.buf)
	f.buf = appendHandshakeHeader(f.buf, typ, 0, h.sendSeq, 0, 0)
	f.buf = m.append(f.buf)
	body := f.buf[from+handshakeHeaderSize:]
	appendHandshakeHeader(f.buf[:from], typ, len(body), h.sendSeq, 0, len(body))
	h.sendSeq++
	f.add(typeHandshake, epoch, from)
	h.transcript = append(h.transcript, f.buf[from:]...)
}

// received adds a message of the peer to the transcript.
func (h *handshake) received(seq uint16, typ handshakeType, body []byte) {
	h.before = len(h.transcript)
	h.transcript = appendHandshakeHeader(h.transcript, typ, len(body), seq, 0, len(body))
	h.transcript = append(h.transcript, body...)
}

// hashed is the hash of the first n bytes of the transcript with the suite's hash.
func (h *handshake) hashed(n int) []byte {
	d := h.params.hash.New()
	d.Write(h.transcript[:n])
	return d.Sum(make([]byte, 0, 64))
}

// sendClientHello starts the client's handshake, or starts it over with the
// server's cookie. "The client MUST use the same parameter values (version,
// random, session_id, cipher_suites, compression_method) as it did in the
// original ClientHello" (RFC 6347, Section 4.2.1).
func (h *handshake) sendClientHello(now time.Time, cookie []byte) {
	config := &h.c.config
	hello := clientHello{
		version:     DTLS12,
		random:      h.secrets.clientRandom[:],
		cookie:      cookie,
		suites:      newList16(config.CipherSuites),
		compression: []byte{0},
		extensions: extensions{
			supportedGroups:      newList16(config.Groups),
			ecPointFormats:       []byte{uncompressed},
			signatureAlgorithms:  signatureSchemeList,
			extendedMasterSecret: true,
			renegotiationInfo:    []byte{},
		},
	}
	if len(config.SRTPProfiles) > 0 {
		hello.extensions.srtpProfiles = newList16(config.SRTPProfiles)
	}
	// "The initial ClientHello and HelloVerifyRequest are not included in the
	// calculation of the handshake_messages" (RFC 6347, Section 4.2.1).
	h.transcript = h.transcript[:0]
	h.reply(now)
	h.send(0, typeClientHello, &hello)
	h.c.setState(now, StateAwaitServerHello)
}

// maxHelloVerifies is how often a server may ask for a cookie: a second time
// when its secret changed in between.
const maxHelloVerifies = 3

func (h *handshake) readHelloVerifyRequest(now time.Time, body []byte) error {
	m, ok := parseHelloVerifyRequest(body)
	if !ok {
		return malformed(typeHelloVerifyRequest)
	}
	// "DTLS 1.2 and 1.0 clients MUST use the version solely to indicate packet
	// formatting [...] and not as part of version negotiation." (RFC 6347,
	// Section 4.2.1)
	if h.helloVerifies++; h.helloVerifies > maxHelloVerifies {
		return refuse(AlertUnexpectedMessage, "the server asked for a cookie %d times", h.helloVerifies)
	}
	h.sendClientHello(now, m.cookie)
	return nil
}

// readServerHello learns the version that the server chose.
func (h *handshake) readServerHello(now time.Time, body []byte) error {
	m, ok := parseServerHello(body)
	if !ok {
		return malformed(typeServerHello)
	}
	if m.version != DTLS12 {
		return refuse(AlertProtocolVersion, "the server chose %v, and only DTLS 1.2 was offered", m.version)
	}
	return h.readServerHello12(now, &m)
}

// readClientHello asks for a cookie, if that is wanted, and chooses the version.
func (h *handshake) readClientHello(now time.Time, body []byte) error {
	m, ok := parseClientHello(body)
	if !ok {
		return malformed(typeClientHello)
	}
	if h.c.config.Cookie {
		if cookie := h.cookie(&m); !hmac.Equal(cookie, m.cookie) {
			h.sendHelloVerifyRequest(now, cookie)
			return nil
		}
	}
	if !offers(&m, DTLS12) {
		return refuse(AlertProtocolVersion, "the client does not speak DTLS 1.2 (it offers %v at most)", m.version)
	}
	return h.readClientHello12(now, &m)
}

// offers reports whether a ClientHello offers version v. Where the extension
// supported_versions is there it alone counts (RFC 8446, Section 4.2.1);
// otherwise the client offers client_version and all that are older.
func offers(m *clientHello, v Version) bool {
	if l := m.extensions.supportedVersions; l != nil {
		return l.contains(uint16(v))
	}
	return m.version>>8 == 0xfe && m.version <= v
}

// cookie is HMAC(Secret, Client-Parameters), nearly as RFC 6347, Section 4.2.1
// suggests. The Client-IP is left out: a Conn has one peer's address, which it
// does not know, and its secret is its own.
func (h *handshake) cookie(m *clientHello) []byte {
	mac := hmac.New(crypto.SHA256.New, h.cookieSecret[:])
	mac.Write(m.random)
	mac.Write(m.sessionID)
	mac.Write(m.suites)
	mac.Write(m.compression)
	return mac.Sum(nil)
}

// sendHelloVerifyRequest asks for the cookie. It is not retransmitted by a
// timer: the client's own retransmission makes it go out again.
func (h *handshake) sendHelloVerifyRequest(now time.Time, cookie []byte) {
	h.reply(now)
	h.send(0, typeHelloVerifyRequest, &helloVerifyRequest{DTLS10, cookie})
	h.c.flight.final = true
	h.transcript = h.transcript[:0]
	h.c.setState(now, StateAwaitClientHello)
}

// generateShare makes our share of the key exchange from Rand's bytes alone.
func (h *handshake) generateShare() error {
	var scalar [32]byte // of both groups
	for range 2 {       // see generateKey
		if _, err := io.ReadFull(h.c.config.Rand, scalar[:]); err != nil {
			return refuse(AlertInternalError, "the source of randomness failed: %v", err)
		}
		key, err := h.group.curve().NewPrivateKey(scalar[:])
		if err == nil {
			h.key = key
			return nil
		}
	}
	return refuse(AlertInternalError, "the source of randomness yields no private key: is it random?")
}

// sharedSecret computes the premaster secret (RFC 8422, Section 5.10).
func (h *handshake) sharedSecret(point []byte) ([]byte, error) {
	pub, err := h.group.curve().NewPublicKey(point)
	if err != nil {
		return nil, refuse(AlertIllegalParameter, "the peer's key share is not a point of %v", h.group)
	}
	secret, err := h.key.ECDH(pub)
	if err != nil {
		return nil, refuse(AlertIllegalParameter, "the peer's key share for %v yields no secret", h.group)
	}
	return secret, nil
}

// checkCertificate learns the peer's public key and asks whether it is the
// peer that was meant.
func (h *handshake) checkCertificate(m *certificateMessage) error {
	if m.leaf == nil {
		return refuse(AlertHandshakeFailure, "the peer has no certificate, so nothing proves who it is")
	}
	if err := h.c.config.verifyPeer(m.leaf); err != nil {
		return refuse(AlertBadCertificate, "the peer's certificate is refused: %v", err)
	}
	key, err := publicKeyOf(m.leaf)
	if err != nil {
		return refuse(AlertBadCertificate, "the peer's certificate cannot be used: %v", err)
	}
	h.peer, h.peerDER = key, append([]byte(nil), m.leaf...)
	return nil
}

func malformed(t handshakeType) error {
	return refuse(AlertDecodeError, "the peer's %v is malformed", t)
}

// asLocal is the LocalError that a step returned.
func asLocal(err error) *LocalError {
	var local *LocalError
	if !errors.As(err, &local) {
		panic("BUG: a handshake step failed with an error that is not a LocalError")
	}
	return local
}
