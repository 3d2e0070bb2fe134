package dtls

import (
	"slices"
	"time"
)

// The server's side of a DTLS 1.2 handshake, in the order of the wire; the
// figure is in client12.go.

// readClientHello12 chooses from what the client offers, and sends flight 4.
func (h *handshake) readClientHello12(now time.Time, m *clientHello) error {
	config := &h.c.config
	ext := &m.extensions
	i := slices.IndexFunc(config.CipherSuites, func(s CipherSuite) bool {
		return s.params().version == DTLS12 && m.suites.contains(uint16(s))
	})
	if i < 0 {
		return refuse(AlertHandshakeFailure, "the client offers none of our cipher suites")
	}
	suite := config.CipherSuites[i]
	if !slices.Contains(m.compression, 0) {
		return refuse(AlertDecodeError, "the client does not offer the null compression method")
	}
	if !ext.extendedMasterSecret {
		return refuse(AlertHandshakeFailure, "the client does not support the extended master secret (RFC 7627), which is required")
	}
	// RFC 5746, Section 3.6: "The server MUST then verify that the length of the
	// "renegotiated_connection" field is zero, and if it is not, MUST abort the
	// handshake."
	if len(ext.renegotiationInfo) > 0 {
		return refuse(AlertHandshakeFailure, "the client takes this handshake for a renegotiation")
	}
	if ext.ecPointFormats != nil && !slices.Contains(ext.ecPointFormats, uncompressed) {
		return refuse(AlertIllegalParameter, "the client does not support uncompressed points")
	}
	// RFC 8422, Section 5.1: a client that does not list groups takes any.
	groups := curves(config.Groups)
	h.group = groups[0]
	if ext.supportedGroups != nil {
		i := slices.IndexFunc(groups, func(g Group) bool { return ext.supportedGroups.contains(uint16(g)) })
		if i < 0 {
			return refuse(AlertHandshakeFailure, "the client offers none of our groups for the key exchange")
		}
		h.group = groups[i]
	}
	if h.signature = signatureFor(h.ourKey().Public(), DTLS12, ext.signatureAlgorithms); h.signature == nil {
		return refuse(AlertHandshakeFailure, "the client does not accept certificates like ours, with %s", keyName(h.ourKey().Public()))
	}

	hello := serverHello{
		version: DTLS12,
		random:  h.secrets.serverRandom[:],
		suite:   suite,
		extensions: extensions{
			extendedMasterSecret: true,
		},
	}
	if ext.renegotiationInfo != nil || m.suites.contains(uint16(tlsEmptyRenegotiationInfoSCSV)) {
		hello.extensions.renegotiationInfo = []byte{}
	}
	if ext.ecPointFormats != nil {
		hello.extensions.ecPointFormats = []byte{uncompressed}
	}
	hello.extensions.srtpProfiles = h.chooseSRTP(ext)
	if err := h.readRecordLimit(ext, DTLS12); err != nil {
		return err
	}
	if ext.recordSizeLimit != 0 {
		hello.extensions.recordSizeLimit = recordLimit12
	}
	copy(h.secrets.clientRandom[:], m.random)
	h.choose(suite)
	return h.sendServerFlight12(now, &hello)
}

// chooseSRTP is the SRTP profile for the client, as use_srtp answers it. RFC
// 5764, Section 4.1.1: without a profile in common the extension is not
// answered. Whether that is the end is for the owner to say.
func (h *handshake) chooseSRTP(ext *extensions) list16 {
	for _, p := range h.c.config.SRTPProfiles {
		if ext.srtpProfiles.contains(uint16(p)) {
			h.srtp = p
			return newList16([]SRTPProfile{p})
		}
	}
	return nil
}

func (h *handshake) sendServerFlight12(now time.Time, hello *serverHello) error {
	cert := h.c.config.Certificate
	var err error
	if h.key, err = generateECDH(h.c.config.Rand, h.group); err != nil {
		return err
	}
	exchange := serverKeyExchange{
		group:  h.group,
		point:  h.key.PublicKey().Bytes(),
		scheme: h.signature.scheme,
	}
	exchange.signature, err = h.sign(h.secrets.clientRandom[:], h.secrets.serverRandom[:], exchange.appendParams(nil))
	if err != nil {
		return err
	}
	h.reply(now)
	h.send(0, typeServerHello, hello)
	h.send(0, typeCertificate, &certificateMessage{leaf: cert.DER})
	h.send(0, typeServerKeyExchange, &exchange)
	if h.c.config.NoClientCertificate {
		h.send(0, typeServerHelloDone, &serverHelloDone{})
		h.c.setState(now, StateAwaitClientKeyExchange)
		return nil
	}
	h.send(0, typeCertificateRequest, &certificateRequest{[]byte{ecdsaSign, rsaSign}, signatureSchemeList})
	h.send(0, typeServerHelloDone, &serverHelloDone{})
	h.c.setState(now, StateAwaitClientCertificate)
	return nil
}

func (h *handshake) readClientCertificate12(now time.Time, body []byte) error {
	m, ok := parseCertificate(body)
	if !ok {
		return malformed(typeCertificate)
	}
	if err := h.checkCertificate(&m); err != nil {
		return err
	}
	h.c.setState(now, StateAwaitClientKeyExchange)
	return nil
}

func (h *handshake) readClientKeyExchange12(now time.Time, body []byte) error {
	m, ok := parseClientKeyExchange(body)
	if !ok {
		return malformed(typeClientKeyExchange)
	}
	secret, err := sharedECDH(h.group, h.key, m.point)
	if err != nil {
		return err
	}
	h.preMaster = secret
	if err := h.deriveKeys(now); err != nil {
		return err
	}
	if h.c.config.NoClientCertificate {
		h.c.setState(now, StateAwaitClientFinished)
		return nil
	}
	h.c.setState(now, StateAwaitCertificateVerify)
	return nil
}

func (h *handshake) readCertificateVerify12(now time.Time, body []byte) error {
	m, ok := parseCertificateVerify(body)
	if !ok {
		return malformed(typeCertificateVerify)
	}
	if err := h.checkSignature(typeCertificateVerify, m.scheme, m.signature, h.transcript[:h.before]); err != nil {
		return err
	}
	h.c.setState(now, StateAwaitClientFinished)
	return nil
}

// readClientFinished12 sends flight 6.
func (h *handshake) readClientFinished12(now time.Time, body []byte) error {
	if err := h.checkFinished(clientFinishedLabel, body); err != nil {
		return err
	}
	h.reply(now)
	h.c.flight.changeCipherSpec()
	h.c.writeEpoch = 1
	v := h.secrets.finished(serverFinishedLabel, h.hashed(len(h.transcript)))
	h.send(1, typeFinished, &finished{v[:]})
	h.c.flight.final = true
	h.c.establish(now)
	return nil
}
