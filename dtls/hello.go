package dtls

import (
	"crypto"
	"crypto/ecdh"
	"crypto/hmac"
	"encoding/binary"
	"errors"
	"hash"
	"time"
)

// A handshake is what exists only until a connection is established. The hello
// stage in this file is common to the versions of DTLS and chooses one; the
// steps of each are in client12.go and server12.go, client13.go and server13.go.
type handshake struct {
	c       *Conn
	in      reassembly
	sendSeq uint16 // the message_seq of the next message we send

	// transcript is all handshake messages so far, each as if it had been sent
	// in one fragment (RFC 6347, Section 4.2.6). They are kept, not hashed as
	// they come: which hash it will be is known only from ServerHello on.
	transcript []byte
	digest     hash.Hash // the suite's; nil until it is needed
	sum        [64]byte  // what hashed returns
	// before is where in transcript the message begins that is being read.
	before int

	helloVerifies int      // HelloVerifyRequests we followed
	cookieSecret  [32]byte // of a server that asks for cookies

	params *suiteParams
	group  Group
	srtp   SRTPProfile
	// recordLimit is what the peer takes in a record; zero: it does not say.
	recordLimit int
	key         *ecdh.PrivateKey // our share of the key exchange
	peer        crypto.PublicKey // of peerDER
	peerDER     []byte
	// signature is how we sign: as our key can and the peer accepts.
	signature *signatureAlgorithm
	secrets   *secrets
	// preMaster is the key exchange's result, until the master secret is made.
	preMaster []byte

	handshake13 // what only version 1.3 has
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
	h.c.timers.Stop(timerACK)
	h.c.acks.answered()
}

// send adds m to the flight and to the transcript.
func (h *handshake) send(epoch uint64, typ handshakeType, m message) {
	b := h.c.flight.addMessage(epoch, typ, h.sendSeq, m)
	h.sendSeq++
	h.transcript = append(h.transcript, b...)
	if h.version == DTLS13 {
		h.shorten(len(h.transcript) - len(b))
	}
}

// received adds a message of the peer to the transcript.
func (h *handshake) received(seq uint16, typ handshakeType, body []byte) {
	h.before = len(h.transcript)
	h.transcript = appendHandshakeHeader(h.transcript, typ, len(body), seq, 0, len(body))
	h.transcript = append(h.transcript, body...)
	if h.version == DTLS13 {
		h.shorten(h.before)
	}
}

// hashed is the hash of the first n bytes of the transcript with the suite's hash.
// It is valid until the next call.
func (h *handshake) hashed(n int) []byte {
	if h.digest == nil {
		h.digest = h.params.hash.New()
	}
	h.digest.Reset()
	h.digest.Write(h.transcript[:n])
	return h.digest.Sum(h.sum[:0])
}

// sendClientHello starts the client's handshake, or starts it over with what the
// server asked for: a cookie, or another key share. "The client MUST use the same
// parameter values (version, random, session_id, cipher_suites,
// compression_method) as it did in the original ClientHello" (RFC 6347, Section
// 4.2.1), and RFC 8446, Section 4.1.2 says so too.
func (h *handshake) sendClientHello(now time.Time, legacyCookie []byte) error {
	config := &h.c.config
	hello := clientHello{
		version:     DTLS12,
		random:      h.secrets.clientRandom[:],
		cookie:      legacyCookie,
		suites:      newList16(config.CipherSuites),
		compression: []byte{0},
		extensions: extensions{
			supportedGroups:     newList16(config.Groups),
			signatureAlgorithms: signatureSchemeList,
		},
	}
	ext := &hello.extensions
	ext.recordSizeLimit = recordLimit12
	if config.speaks(DTLS12) {
		ext.ecPointFormats = []byte{uncompressed}
		ext.extendedMasterSecret = true
		ext.renegotiationInfo = []byte{}
	}
	if config.speaks(DTLS13) {
		ext.recordSizeLimit = recordLimit13
		ext.supportedVersions = newList16(config.versions())
		ext.cookie = h.retryCookie
		if h.shares == nil {
			var err error
			if h.shares, err = generateKeyShares(config.Rand, config.offeredShares()); err != nil {
				return err
			}
		}
		ext.keyShares = []byte{}
		for i := range h.shares {
			ext.keyShares = h.shares[i].appendPublic(ext.keyShares)
		}
	}
	if len(config.SRTPProfiles) > 0 {
		ext.srtpProfiles = newList16(config.SRTPProfiles)
	}
	h.reply(now)
	h.send(0, typeClientHello, &hello)
	h.c.setState(now, StateAwaitServerHello)
	return nil
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
	if !h.c.config.speaks(DTLS12) {
		return refuse(AlertProtocolVersion, "the server speaks DTLS 1.2, and only DTLS 1.3 was offered")
	}
	// "The initial ClientHello and HelloVerifyRequest are not included in the
	// calculation of the handshake_messages" (RFC 6347, Section 4.2.1).
	h.transcript = h.transcript[:0]
	return h.sendClientHello(now, m.cookie)
}

// The last bytes of a ServerHello's random, if its server chose DTLS 1.2 and
// speaks 1.3 (RFC 8446, Section 4.1.3). They are signed in DTLS 1.2.
const downgradeSentinel = "DOWNGRD\x01"

// readServerHello learns the version that the server chose.
func (h *handshake) readServerHello(now time.Time, body []byte) error {
	m, ok := parseServerHello(body)
	if !ok {
		return malformed(typeServerHello)
	}
	config := &h.c.config
	if v := m.extensions.supportedVersions; v != nil && config.speaks(DTLS13) {
		// RFC 8446, Section 4.2.1: "If the "supported_versions" extension in the
		// ServerHello contains a version not offered by the client or contains a
		// version prior to TLS 1.3, the client MUST abort the handshake with an
		// "illegal_parameter" alert."
		if v := Version(binary.BigEndian.Uint16(v)); v != DTLS13 || m.version != DTLS12 {
			return refuse(AlertIllegalParameter, "the server selected %v, which was not offered", v)
		}
		return h.readServerHello13(now, &m)
	}
	switch {
	case m.version != DTLS12 && !config.speaks(DTLS13):
		return refuse(AlertProtocolVersion, "the server chose %v, and only DTLS 1.2 was offered", m.version)
	case m.version != DTLS12 || !config.speaks(DTLS12):
		return refuse(AlertProtocolVersion, "the server chose %v, which was not offered", m.version)
	case h.version == DTLS13:
		return refuse(AlertIllegalParameter, "the server chose %v after a HelloRetryRequest of DTLS 1.3", m.version)
	case config.speaks(DTLS13) && string(m.random[randomSize-len(downgradeSentinel):]) == downgradeSentinel:
		return refuse(AlertIllegalParameter, "the server chose DTLS 1.2 and says that it speaks 1.3: somebody changed the ClientHello on its way")
	}
	h.version = DTLS12
	h.c.timers.Stop(timerACK) // of which DTLS 1.2 has none
	return h.readServerHello12(now, &m)
}

// readClientHello chooses the version, and asks for a cookie if that is wanted.
func (h *handshake) readClientHello(now time.Time, body []byte) error {
	m, ok := parseClientHello(body)
	if !ok {
		return malformed(typeClientHello)
	}
	config := &h.c.config
	if config.speaks(DTLS13) && offers(&m, DTLS13) {
		return h.readClientHello13(now, &m)
	}
	if config.Cookie {
		cookie := h.cookie(&m)
		if !hmac.Equal(cookie, m.cookie) {
			h.sendHelloVerifyRequest(now, cookie)
			return nil
		}
		h.c.validated = true
	}
	if !config.speaks(DTLS12) || !offers(&m, DTLS12) {
		return refuse(AlertProtocolVersion, "the client does not speak %v (it offers %v at most)", config.versions()[0], m.newest())
	}
	if config.speaks(DTLS13) {
		copy(h.secrets.serverRandom[randomSize-len(downgradeSentinel):], downgradeSentinel)
	}
	h.version = DTLS12
	return h.readClientHello12(now, &m)
}

// newest is the newest version that a ClientHello offers, of those that exist.
func (m *clientHello) newest() Version {
	newest := m.version
	for v := range m.extensions.supportedVersions.all() {
		if newest.before(Version(v)) && v>>8 == 0xfe {
			newest = Version(v)
		}
	}
	return newest
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

// cookie is HMAC(Secret, Client-IP, Client-Parameters), as RFC 6347, Section 4.2.1
// suggests. The Client-IP is in the secret, if others have the same one; otherwise
// it says nothing, for a Conn has one peer.
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

// checkCertificate learns the peer's public key and asks whether it is the
// peer that was meant.
func (h *handshake) checkCertificate(m *certificateMessage) error {
	if m.leaf == nil {
		return refuse(AlertHandshakeFailure, "the peer has no certificate, so nothing proves who it is")
	}
	if err := h.c.config.verifyPeer(m); err != nil {
		return refuse(AlertBadCertificate, "the peer's certificate is refused: %v", err)
	}
	key, err := publicKeyOf(m.leaf)
	if err != nil {
		return refuse(AlertBadCertificate, "the peer's certificate cannot be used: %v", err)
	}
	if !usable(key) {
		return refuse(AlertUnsupportedCert, "the peer's certificate cannot be used: it holds %s; ECDSA is taken, and RSA with %d to %d bits", keyName(key), minRSA, maxRSA)
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
