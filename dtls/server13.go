package dtls

import (
	"slices"
	"time"
)

// The server's side of a DTLS 1.3 handshake, in the order of the wire; the
// figure is in client13.go.

// readClientHello13 chooses from what the client offers. It asks for another
// ClientHello if it wants a cookie, or a key share that is missing.
func (h *handshake) readClientHello13(now time.Time, m *clientHello) error {
	config := &h.c.config
	ext := &m.extensions
	h.become13()
	// RFC 9147, Section 5.3: "A DTLS 1.3-only client MUST set the legacy_cookie
	// field to zero length. If a DTLS 1.3 ClientHello is received with any other
	// value in this field, the server MUST abort the handshake with an
	// "illegal_parameter" alert."
	if len(m.cookie) > 0 {
		return refuse(AlertIllegalParameter, "the client sent a cookie of DTLS 1.2 with an offer of DTLS 1.3")
	}
	// RFC 8446, Section 4.1.2: the vector "MUST contain exactly one byte, set to
	// zero".
	if len(m.compression) != 1 || m.compression[0] != 0 {
		return refuse(AlertIllegalParameter, "the client offers compression, which DTLS 1.3 has not")
	}
	// RFC 8446, Section 9.2: without pre-shared keys these MUST be there.
	if ext.signatureAlgorithms == nil || ext.supportedGroups == nil || ext.keyShares == nil {
		return refuse(AlertMissingExtension, "the client does not say which signatures or groups it knows")
	}
	i := slices.IndexFunc(config.CipherSuites, func(s CipherSuite) bool {
		return s.params().version == DTLS13 && m.suites.contains(uint16(s))
	})
	if i < 0 {
		return refuse(AlertHandshakeFailure, "the client offers none of our cipher suites")
	}
	if h.signature = signatureFor(h.ourKey().Public(), DTLS13, ext.signatureAlgorithms); h.signature == nil {
		return refuse(AlertHandshakeFailure, "the client does not accept certificates like ours, with %s", keyName(h.ourKey().Public()))
	}
	retry := helloRetry{suite: config.CipherSuites[i]}
	copy(h.secrets.clientRandom[:], m.random)

	if ext.cookie != nil {
		if !retry.open(h.cookieSecret[:], ext.cookie) {
			// RFC 9147, Section 5.1: "If a server receives a ClientHello with an
			// invalid cookie, it MUST terminate the handshake with an
			// "illegal_parameter" alert."
			return refuse(AlertIllegalParameter, "the client sent a cookie that is not ours")
		}
		if !slices.Contains(config.CipherSuites, retry.suite) || !m.suites.contains(uint16(retry.suite)) {
			return refuse(AlertIllegalParameter, "the client no longer offers what it did before HelloRetryRequest")
		}
		h.c.validated = true
		h.restoreRetry(&retry)
	}
	// The first of our groups that it has a share for spares the round trip that
	// a better one would cost.
	group, key := retry.group, []byte(nil)
	for _, g := range config.Groups {
		if (group == 0 || group == g) && ext.supportedGroups.contains(uint16(g)) {
			if key = findKeyShare(ext.keyShares, g); key != nil {
				group = g
				break
			}
		}
	}
	switch {
	case ext.cookie == nil && (key == nil || config.Cookie):
		if key == nil {
			i := slices.IndexFunc(config.Groups, func(g Group) bool { return ext.supportedGroups.contains(uint16(g)) })
			if i < 0 {
				return refuse(AlertHandshakeFailure, "the client offers none of our groups for the key exchange")
			}
			retry.group = config.Groups[i]
		}
		h.sendHelloRetryRequest(now, &retry)
		return nil
	case key == nil:
		return refuse(AlertIllegalParameter, "the client sent no key share that can be used, though it was asked to")
	}
	h.group = group
	return h.sendServerFlight13(now, m, retry.suite, key)
}

// sendServerFlight13 sends ServerHello … Finished.
func (h *handshake) sendServerFlight13(now time.Time, m *clientHello, suite CipherSuite, key []byte) error {
	if err := h.readRecordLimit(&m.extensions, DTLS13); err != nil {
		return err
	}
	config := &h.c.config
	share, shared, err := answerKeyShare(config.Rand, h.group, key)
	if err != nil {
		return err
	}
	h.choose13(suite)
	h.reply(now)
	h.send(0, typeServerHello, &serverHello{
		version: DTLS12,
		random:  h.secrets.serverRandom[:],
		suite:   suite,
		extensions: extensions{
			supportedVersions: newList16([]Version{DTLS13}),
			keyShares:         share,
		},
	})
	if err := h.enterHandshake(now, shared); err != nil {
		return err
	}
	var answers encryptedExtensions
	answers.extensions.srtpProfiles = h.chooseSRTP(&m.extensions)
	if m.extensions.recordSizeLimit != 0 {
		answers.extensions.recordSizeLimit = recordLimit13
	}
	h.send(epochHandshake, typeEncryptedExtensions, &answers)
	if !config.NoClientCertificate {
		h.send(epochHandshake, typeCertificateRequest, &certificateRequest13{schemes: signatureSchemeList})
	}
	if err := h.sendCertificate(nil, serverVerifyContext); err != nil {
		return err
	}
	h.sendFinished(h.serverFinishedKey)
	h.enterApplication(now)
	if err := h.install(epochApplication, false); err != nil {
		return err
	}
	h.c.writeEpoch = epochApplication
	if config.NoClientCertificate {
		h.c.setState(now, StateAwaitClientFinished13)
		return nil
	}
	h.c.setState(now, StateAwaitClientCertificate13)
	return nil
}

func (h *handshake) readClientCertificate13(now time.Time, body []byte) error {
	if err := h.readCertificate13(body, nil); err != nil {
		return err
	}
	h.c.setState(now, StateAwaitCertificateVerify13)
	return nil
}

func (h *handshake) readClientCertificateVerify13(now time.Time, body []byte) error {
	if err := h.readCertificateVerify13(body, clientVerifyContext); err != nil {
		return err
	}
	h.c.setState(now, StateAwaitClientFinished13)
	return nil
}

// readClientFinished13 is the end: what the client sent is acknowledged, since
// nothing else answers it.
func (h *handshake) readClientFinished13(now time.Time, body []byte) error {
	if err := h.checkFinished13(h.clientFinishedKey, body); err != nil {
		return err
	}
	if err := h.install(epochApplication, true); err != nil {
		return err
	}
	h.c.flight.drop()
	h.c.layer.v13.out[epochHandshake] = nil
	h.c.timers.StopAll()
	h.c.acks.unsent = true
	h.c.establish13(now)
	return nil
}
