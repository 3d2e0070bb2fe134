package dtls

import (
	"crypto/hmac"
	"slices"
	"time"
)

// The client's side of a DTLS 1.2 handshake, in the order of the wire:
//
//	Client                                          Server
//	------                                          ------
//
//	ClientHello             -------->                           Flight 1
//
//	                        <-------    HelloVerifyRequest      Flight 2
//
//	ClientHello             -------->                           Flight 3
//
//	                                           ServerHello    \
//	                                          Certificate*     \
//	                                    ServerKeyExchange*      Flight 4
//	                                   CertificateRequest*     /
//	                        <--------      ServerHelloDone    /
//
//	Certificate*                                              \
//	ClientKeyExchange                                          \
//	CertificateVerify*                                          Flight 5
//	[ChangeCipherSpec]                                         /
//	Finished                -------->                         /
//
//	                                    [ChangeCipherSpec]    \ Flight 6
//	                        <--------             Finished    /
//
// (RFC 6347, Section 4.2.4, Figure 1.) The messages with an asterisk are
// always there: both sides prove who they are.

// readServerHello12 checks that the server chose from what was offered.
func (h *handshake) readServerHello12(now time.Time, m *serverHello) error {
	config := &h.c.config
	if !slices.Contains(config.CipherSuites, m.suite) || m.suite.params().version != DTLS12 {
		return refuse(AlertIllegalParameter, "the server chose %v, which was not offered", m.suite)
	}
	if m.compression != 0 {
		return refuse(AlertIllegalParameter, "the server chose compression, which was not offered")
	}
	ext := &m.extensions
	// RFC 5246, Section 7.4.1.4: "If a client receives an extension type in
	// ServerHello that it did not request in the associated ClientHello, it MUST
	// abort the handshake with an unsupported_extension fatal alert."
	if ext.unknown || ext.supportedVersions != nil || ext.keyShares != nil || ext.selectedGroup != 0 || ext.cookie != nil || ext.srtpProfiles != nil && len(config.SRTPProfiles) == 0 {
		return refuse(AlertUnsupportedExtension, "the server answered an extension that was not offered")
	}
	if !ext.extendedMasterSecret {
		return refuse(AlertHandshakeFailure, "the server does not support the extended master secret (RFC 7627), which is required")
	}
	// RFC 5746, Section 3.4: "The client MUST then verify that the length of
	// the "renegotiated_connection" field is zero". A server that does not know
	// the extension is let pass: the attack it prevents splices a connection of
	// the attacker's to ours, and the attacker's certificate was never announced.
	if len(ext.renegotiationInfo) > 0 {
		return refuse(AlertHandshakeFailure, "the server takes this handshake for a renegotiation")
	}
	if ext.ecPointFormats != nil && !slices.Contains(ext.ecPointFormats, uncompressed) {
		return refuse(AlertIllegalParameter, "the server does not support uncompressed points")
	}
	if err := h.readSRTPChoice(ext); err != nil {
		return err
	}
	if err := h.readRecordLimit(ext, DTLS12); err != nil {
		return err
	}
	h.choose(m.suite)
	copy(h.secrets.serverRandom[:], m.random)
	h.c.setState(now, StateAwaitServerCertificate)
	return nil
}

// readSRTPChoice learns the SRTP profile that the server chose, if any.
func (h *handshake) readSRTPChoice(ext *extensions) error {
	if ext.srtpProfiles == nil {
		return nil
	}
	for p := range ext.srtpProfiles.all() {
		h.srtp = SRTPProfile(p)
	}
	// RFC 5764, Section 4.1.1: exactly one profile, of those offered; an MKI
	// other than the offered one, which is empty, MUST be refused.
	if len(ext.srtpProfiles) != 2 || !slices.Contains(h.c.config.SRTPProfiles, h.srtp) || len(ext.srtpMKI) > 0 {
		return refuse(AlertIllegalParameter, "the server chose an SRTP profile or key identifier that was not offered")
	}
	return nil
}

// choose fixes the cipher suite.
func (h *handshake) choose(s CipherSuite) {
	h.params = s.params()
	h.secrets.hash = h.params.hash
}

func (h *handshake) readServerCertificate12(now time.Time, body []byte) error {
	m, ok := parseCertificate(body)
	if !ok {
		return malformed(typeCertificate)
	}
	if err := h.checkCertificate(&m); err != nil {
		return err
	}
	// RFC 8422, Sections 2.1 and 2.2: ECDHE_ECDSA needs a certificate with an
	// ECDSA key, and ECDHE_RSA one with an RSA key.
	if isRSA(h.peer) != h.params.rsa {
		return refuse(AlertUnsupportedCert, "the server's certificate holds no key of the kind that %v needs", h.params.suite)
	}
	h.c.setState(now, StateAwaitServerKeyExchange)
	return nil
}

func (h *handshake) readServerKeyExchange12(now time.Time, body []byte) error {
	m, ok := parseServerKeyExchange(body)
	if !ok {
		return malformed(typeServerKeyExchange)
	}
	if !slices.Contains(h.c.config.Groups, m.group) || m.group.curve() == nil {
		return refuse(AlertIllegalParameter, "the server chose %v, which was not offered", m.group)
	}
	// RFC 8422, Section 5.4: the signature is over
	// ClientHello.random + ServerHello.random + ServerKeyExchange.params.
	params := body[:4+len(m.point)]
	if err := h.checkSignature(typeServerKeyExchange, m.scheme, m.signature, h.secrets.clientRandom[:], h.secrets.serverRandom[:], params); err != nil {
		return err
	}
	h.group = m.group
	var err error
	if h.key, err = generateECDH(h.c.config.Rand, h.group); err != nil {
		return err
	}
	secret, err := sharedECDH(h.group, h.key, m.point)
	if err != nil {
		return err
	}
	h.preMaster = secret
	h.c.setState(now, StateAwaitCertificateRequest)
	return nil
}

func (h *handshake) readCertificateRequest12(now time.Time, body []byte) error {
	m, ok := parseCertificateRequest(body)
	if !ok {
		return malformed(typeCertificateRequest)
	}
	typ := uint8(ecdsaSign)
	if isRSA(h.ourKey().Public()) {
		typ = rsaSign
	}
	if h.signature = signatureFor(h.ourKey().Public(), DTLS12, m.schemes); h.signature == nil || !slices.Contains(m.types, typ) {
		return refuse(AlertHandshakeFailure, "the server does not accept certificates like ours, with %s", keyName(h.ourKey().Public()))
	}
	h.c.setState(now, StateAwaitServerHelloDone)
	return nil
}

// readServerHelloDone12 sends flight 5.
func (h *handshake) readServerHelloDone12(now time.Time, body []byte) error {
	if len(body) != 0 {
		return malformed(typeServerHelloDone)
	}
	asked := h.signature != nil // by a CertificateRequest
	h.reply(now)
	if asked {
		h.send(0, typeCertificate, &certificateMessage{leaf: h.c.config.Certificate.DER})
	}
	h.send(0, typeClientKeyExchange, &clientKeyExchange{h.key.PublicKey().Bytes()})
	if err := h.deriveKeys(now); err != nil {
		return err
	}
	if asked {
		// RFC 5246, Section 7.4.8: the signature is over all handshake messages so
		// far.
		signature, err := h.sign(h.transcript)
		if err != nil {
			return err
		}
		h.send(0, typeCertificateVerify, &certificateVerify{h.signature.scheme, signature})
	}
	h.c.flight.changeCipherSpec()
	h.c.writeEpoch = 1
	v := h.secrets.finished(clientFinishedLabel, h.hashed(len(h.transcript)))
	h.send(1, typeFinished, &finished{v[:]})
	h.c.setState(now, StateAwaitServerFinished)
	return nil
}

// deriveKeys computes the master secret from the messages up to and including
// ClientKeyExchange (RFC 7627, Section 3), and from it both directions' keys.
func (h *handshake) deriveKeys(now time.Time) error {
	h.secrets.setMaster(h.preMaster, h.hashed(len(h.transcript)))
	clear(h.preMaster)
	h.c.config.Trace.Secret(now, "CLIENT_RANDOM", h.secrets.clientRandom[:], h.secrets.master[:])
	client, server, err := h.secrets.keys(h.params)
	if err != nil {
		return refuse(AlertInternalError, "cannot make keys: %v", err)
	}
	if h.c.isClient {
		h.c.layer.out, h.c.layer.in = client, server
	} else {
		h.c.layer.out, h.c.layer.in = server, client
	}
	h.c.retryEarly = true
	return nil
}

func (h *handshake) readServerFinished12(now time.Time, body []byte) error {
	if err := h.checkFinished(serverFinishedLabel, body); err != nil {
		return err
	}
	h.c.flight.drop()
	h.c.establish(now)
	return nil
}

// checkFinished checks that the peer saw the same handshake as we did.
func (h *handshake) checkFinished(label string, body []byte) error {
	want := h.secrets.finished(label, h.hashed(h.before))
	if !hmac.Equal(want[:], body) {
		return refuse(AlertDecryptError, "the peer's Finished does not fit: somebody changed the handshake on its way")
	}
	return nil
}
