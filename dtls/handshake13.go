package dtls

import (
	"crypto/hmac"
	"time"
)

// A handshake13 is the part of a handshake that only DTLS 1.3 has.
type handshake13 struct {
	// version is zero until it is chosen, by ServerHello or HelloRetryRequest.
	version Version
	// shares are the client's, and retryCookie what it has to send back.
	shares      []keyShare
	retryCookie []byte
	// requestContext is the CertificateRequest's, for the client's Certificate.
	requestContext []byte

	schedule *schedule
	// exporter is what remains of schedule after the handshake.
	exporter *schedule
	// The traffic secrets: first the handshake's, then the application's.
	clientSecret, serverSecret           []byte
	clientFinishedKey, serverFinishedKey []byte
}

// choose13 fixes version 1.3, and its cipher suite.
func (h *handshake) choose13(s CipherSuite) {
	h.params = s.params()
	h.schedule = newSchedule13(h.params.hash)
	h.c.layer.v13 = &recordLayer13{params: h.params}
	// What was collected of later messages came in clear, where none belongs.
	h.in.forget()
	h.c.retryEarly = true
}

// become13 makes the transcript one of version 1.3.
func (h *handshake) become13() {
	if h.version != DTLS13 {
		h.version = DTLS13
		h.before = h.shorten(0)
	}
}

// shorten takes the fields of DTLS out of the messages of the transcript from
// one on: "For DTLS 1.3, the message transcript is computed over the original
// TLS 1.3-style Handshake messages without the message_seq, fragment_offset, and
// fragment_length values" (RFC 9147, Section 5.2). It returns where the last
// one begins.
func (h *handshake) shorten(from int) (last int) {
	t := h.transcript
	to := from
	for from < len(t) {
		n := int(t[from+1])<<16 | int(t[from+2])<<8 | int(t[from+3])
		last = to
		to += copy(t[to:], t[from:from+4])
		from += handshakeHeaderSize
		to += copy(t[to:], t[from:from+n])
		from += n
	}
	h.transcript = t[:to]
	return last
}

// enterHandshake derives the keys of epoch 2 from the key exchange's result and
// the transcript up to ServerHello. What is made of one secret is made together,
// since an HMAC is dear to set up.
func (h *handshake) enterHandshake(now time.Time, shared []byte) error {
	h.schedule.advance(shared)
	clear(shared)
	hash := h.hashed(len(h.transcript))
	h.clientSecret = h.schedule.derive("c hs traffic", hash)
	h.serverSecret = h.schedule.derive("s hs traffic", hash)
	h.schedule.advance(nil)
	h.c.config.Trace.Secret(now, "CLIENT_HANDSHAKE_TRAFFIC_SECRET", h.secrets.clientRandom[:], h.clientSecret)
	h.c.config.Trace.Secret(now, "SERVER_HANDSHAKE_TRAFFIC_SECRET", h.secrets.clientRandom[:], h.serverSecret)
	h.c.writeEpoch = epochHandshake
	if err := h.install(epochHandshake, true); err != nil {
		return err
	}
	h.clientFinishedKey = h.schedule.finishedKey(h.clientSecret)
	if err := h.install(epochHandshake, false); err != nil {
		return err
	}
	h.serverFinishedKey = h.schedule.finishedKey(h.serverSecret)
	return nil
}

// enterApplication derives the secrets of epoch 3 from the transcript up to the
// server's Finished. Each direction's keys are installed when their time comes.
func (h *handshake) enterApplication(now time.Time) {
	hash := h.hashed(len(h.transcript))
	h.clientSecret = h.schedule.derive("c ap traffic", hash)
	h.serverSecret = h.schedule.derive("s ap traffic", hash)
	exporter := h.schedule.derive("exp master", hash)
	h.exporter = &schedule{prefix: h.schedule.prefix, hash: h.schedule.hash, secret: exporter}
	h.c.config.Trace.Secret(now, "CLIENT_TRAFFIC_SECRET_0", h.secrets.clientRandom[:], h.clientSecret)
	h.c.config.Trace.Secret(now, "SERVER_TRAFFIC_SECRET_0", h.secrets.clientRandom[:], h.serverSecret)
	h.c.config.Trace.Secret(now, "EXPORTER_SECRET", h.secrets.clientRandom[:], exporter)
}

// install makes the keys of an epoch, for what the client sends or what the
// server does.
func (h *handshake) install(epoch uint64, client bool) error {
	secret := h.serverSecret
	if client {
		secret = h.clientSecret
	}
	k, err := newProtection13(h.params, h.schedule, epoch, secret)
	if err != nil {
		return refuse(AlertInternalError, "cannot make keys: %v", err)
	}
	l := h.c.layer.v13
	if client == h.c.isClient {
		l.install(&l.out, k)
	} else {
		l.install(&l.in, k)
		h.c.retryEarly = true
	}
	return nil
}

// The contexts that CertificateVerify signs in (RFC 8446, Section 4.4.3): what
// is signed for one purpose says nothing for another.
const (
	clientVerifyContext = "TLS 1.3, client CertificateVerify"
	serverVerifyContext = "TLS 1.3, server CertificateVerify"
)

// signed13 is what a CertificateVerify signs: "A string that consists of octet 32
// (0x20) repeated 64 times. The context string. A single 0 byte which serves as
// the separator. The content to be signed", which is the hash of the transcript
// (RFC 8446, Section 4.4.3).
func signed13(context string, transcriptHash []byte) []byte {
	b := make([]byte, 64, 192)
	for i := range b {
		b[i] = ' '
	}
	b = append(b, context...)
	b = append(b, 0)
	return append(b, transcriptHash...)
}

// sendCertificate sends our certificate and the proof that it is ours.
func (h *handshake) sendCertificate(requestContext []byte, signContext string) error {
	cert := h.c.config.Certificate
	h.send(epochHandshake, typeCertificate, &certificate13{context: requestContext, leaf: cert.DER})
	signature, err := h.sign(signed13(signContext, h.hashed(len(h.transcript))))
	if err != nil {
		return err
	}
	h.send(epochHandshake, typeCertificateVerify, &certificateVerify{h.signature.scheme, signature})
	return nil
}

// sendFinished ends our flight.
func (h *handshake) sendFinished(key []byte) {
	h.send(epochHandshake, typeFinished, &finished{h.schedule.finished(key, h.hashed(len(h.transcript)))})
}

// readCertificate13 learns the peer's key.
func (h *handshake) readCertificate13(body, requestContext []byte) error {
	m, ok := parseCertificate13(body)
	if !ok {
		return malformed(typeCertificate)
	}
	if string(m.context) != string(requestContext) {
		return refuse(AlertIllegalParameter, "the peer's Certificate answers another CertificateRequest")
	}
	if m.extended {
		// RFC 8446, Section 4.4.2: extensions "MUST correspond to ones from the
		// ClientHello message" or the CertificateRequest: we asked for none.
		return refuse(AlertUnsupportedExtension, "the peer's Certificate has an extension that was not asked for")
	}
	return h.checkCertificate(&certificateMessage{m.leaf, m.issuers})
}

// readCertificateVerify13 checks that the peer has its certificate's key.
func (h *handshake) readCertificateVerify13(body []byte, context string) error {
	m, ok := parseCertificateVerify(body)
	if !ok {
		return malformed(typeCertificateVerify)
	}
	return h.checkSignature(typeCertificateVerify, m.scheme, m.signature, signed13(context, h.hashed(h.before)))
}

// checkFinished13 checks that the peer saw the same handshake as we did.
func (h *handshake) checkFinished13(key, body []byte) error {
	if !hmac.Equal(h.schedule.finished(key, h.hashed(h.before)), body) {
		return refuse(AlertDecryptError, "the peer's Finished does not fit: somebody changed the handshake on its way")
	}
	return nil
}
