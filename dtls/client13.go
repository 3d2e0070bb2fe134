package dtls

import (
	"slices"
	"time"
)

// The client's side of a DTLS 1.3 handshake, in the order of the wire:
//
//	Client                                             Server
//
//	                                                            +--------+
//	ClientHello                                                 | Flight |
//	                       -------->                            +--------+
//
//	                                                            +--------+
//	                       <--------        HelloRetryRequest   | Flight |
//	                                         + cookie           +--------+
//
//	ClientHello                                                 +--------+
//	 + cookie              -------->                            | Flight |
//	                                                            +--------+
//
//	                                               ServerHello
//	                                     {EncryptedExtensions}  +--------+
//	                                     {CertificateRequest*}  | Flight |
//	                                            {Certificate*}  +--------+
//	                                      {CertificateVerify*}
//	                                                {Finished}
//	                       <--------       [Application Data*]
//
//	{Certificate*}                                              +--------+
//	{CertificateVerify*}                                        | Flight |
//	{Finished}             -------->                            +--------+
//	 [Application Data]
//
//	                                                            +--------+
//	                       <--------                    [ACK]   | Flight |
//	                                       [Application Data*]  +--------+
//
//	[Application Data]     <------->        [Application Data]
//
// (RFC 9147, Section 5.7, Figure 6.) {} is protected with the keys of epoch 2, []
// with those of epoch 3. The certificates are always there, since both sides
// prove who they are; and the second and third flight only if the server asks
// for them.
//
// The client is done, and may send data, when it has the server's Finished. A
// server could send data with its own Finished, but to whom it could not know: we
// wait for the client's.

// readServerHello13 checks that the server chose from what was offered, and
// takes the keys that result.
func (h *handshake) readServerHello13(now time.Time, m *serverHello) error {
	config := &h.c.config
	retried := h.version == DTLS13
	if h.helloVerifies > 0 {
		return refuse(AlertIllegalParameter, "the server chose DTLS 1.3 after a HelloVerifyRequest, which that version has not")
	}
	if !slices.Contains(config.CipherSuites, m.suite) || m.suite.params().version != DTLS13 {
		return refuse(AlertIllegalParameter, "the server chose %v, which was not offered", m.suite)
	}
	// RFC 9147, Section 5.3: the session_id is "a zero-length vector", and the
	// server echoes it.
	if len(m.sessionID) > 0 || m.compression != 0 {
		return refuse(AlertIllegalParameter, "the server chose a session or a compression that was not offered")
	}
	ext := &m.extensions
	if ext.unknown || ext.supportedGroups != nil || ext.ecPointFormats != nil || ext.signatureAlgorithms != nil ||
		ext.srtpProfiles != nil || ext.renegotiationInfo != nil || ext.extendedMasterSecret || ext.recordSizeLimit != 0 || ext.cookie != nil && !m.isRetry() {
		return refuse(AlertUnsupportedExtension, "the server put an extension into its %s that does not belong there", m.name())
	}
	if m.isRetry() {
		return h.readHelloRetryRequest(now, m)
	}
	if retried && m.suite != h.params.suite {
		return refuse(AlertIllegalParameter, "the server chose %v after it had announced %v", m.suite, h.params.suite)
	}
	if ext.keyShares == nil {
		return refuse(AlertMissingExtension, "the server sent no key share")
	}
	group, key, _, _ := nextKeyShare(ext.keyShares)
	i := slices.IndexFunc(h.shares, func(s keyShare) bool { return s.group == group })
	if i < 0 {
		return refuse(AlertIllegalParameter, "the server's key share is for %v, for which it had none of ours", group)
	}
	shared, err := h.shares[i].secret(key)
	if err != nil {
		return err
	}
	h.shares, h.group = nil, group
	h.become13()
	h.choose13(m.suite)
	if err := h.enterHandshake(now, shared); err != nil {
		return err
	}
	h.c.setState(now, StateAwaitEncryptedExtensions)
	return nil
}

func (h *handshake) readEncryptedExtensions(now time.Time, body []byte) error {
	m, ok := parseEncryptedExtensions(body)
	if !ok {
		return malformed(typeEncryptedExtensions)
	}
	config := &h.c.config
	// RFC 8446, Section 4.2: each extension has the messages that it may stand
	// in; supported_groups is for later connections.
	ext := &m.extensions
	if ext.supportedVersions != nil || ext.keyShares != nil || ext.selectedGroup != 0 || ext.cookie != nil || ext.signatureAlgorithms != nil ||
		ext.ecPointFormats != nil || ext.renegotiationInfo != nil || ext.extendedMasterSecret {
		return refuse(AlertIllegalParameter, "the server put an extension into EncryptedExtensions that does not belong there")
	}
	if ext.unknown || ext.srtpProfiles != nil && len(config.SRTPProfiles) == 0 {
		return refuse(AlertUnsupportedExtension, "the server answered an extension that was not offered")
	}
	if err := h.readSRTPChoice(ext); err != nil {
		return err
	}
	if err := h.readRecordLimit(ext, DTLS13); err != nil {
		return err
	}
	h.c.setState(now, StateAwaitCertificateRequest13)
	return nil
}

func (h *handshake) readCertificateRequest13(now time.Time, body []byte) error {
	m, ok := parseCertificateRequest13(body)
	if !ok {
		return malformed(typeCertificateRequest)
	}
	if m.schemes == nil {
		return refuse(AlertMissingExtension, "the server's CertificateRequest does not say which signatures it accepts")
	}
	if h.signature = signatureFor(h.ourKey().Public(), DTLS13, m.schemes); h.signature == nil {
		return refuse(AlertHandshakeFailure, "the server does not accept certificates like ours, with %s", keyName(h.ourKey().Public()))
	}
	h.requestContext = append([]byte(nil), m.context...)
	h.c.setState(now, StateAwaitServerCertificate13)
	return nil
}

func (h *handshake) readServerCertificate13(now time.Time, body []byte) error {
	if err := h.readCertificate13(body, nil); err != nil {
		return err
	}
	h.c.setState(now, StateAwaitServerCertificateVerify13)
	return nil
}

func (h *handshake) readServerCertificateVerify13(now time.Time, body []byte) error {
	if err := h.readCertificateVerify13(body, serverVerifyContext); err != nil {
		return err
	}
	h.c.setState(now, StateAwaitServerFinished13)
	return nil
}

// readServerFinished13 sends the client's last flight, and is done.
func (h *handshake) readServerFinished13(now time.Time, body []byte) error {
	if err := h.checkFinished13(h.serverFinishedKey, body); err != nil {
		return err
	}
	h.enterApplication(now)
	if err := h.install(epochApplication, false); err != nil {
		return err
	}
	h.reply(now)
	if h.signature != nil { // a CertificateRequest asked for it
		if err := h.sendCertificate(h.requestContext, clientVerifyContext); err != nil {
			return err
		}
	}
	h.sendFinished(h.clientFinishedKey)
	if err := h.install(epochApplication, true); err != nil {
		return err
	}
	h.c.writeEpoch = epochApplication
	h.c.establish13(now)
	return nil
}
