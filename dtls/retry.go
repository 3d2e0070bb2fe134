package dtls

import (
	"crypto"
	"crypto/hmac"
	"encoding/binary"
	"slices"
	"time"
)

// A helloRetry is what a server has to know again when the client's second
// ClientHello comes. It travels in the cookie, authenticated, so that the server
// keeps nothing of a client that may not exist (RFC 8446, Section 4.2.2).
//
//	struct {
//	    CipherSuite cipher_suite;
//	    NamedGroup selected_group;          /* 0: any that has a share */
//	    opaque client_hello_hash[Hash.length];
//	    opaque mac[32];
//	} Cookie;
type helloRetry struct {
	suite CipherSuite
	group Group
	hash  []byte
}

// seal is the cookie.
func (r *helloRetry) seal(secret []byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(r.suite))
	b = binary.BigEndian.AppendUint16(b, uint16(r.group))
	b = append(b, r.hash...)
	mac := hmac.New(crypto.SHA256.New, secret)
	mac.Write(b)
	return mac.Sum(b)
}

// open reads a cookie, and reports whether it is ours. As in DTLS 1.2 the
// client's address is in the secret, or in nothing: a Conn has one peer.
func (r *helloRetry) open(secret, cookie []byte) bool {
	if len(cookie) < 4+32 {
		return false
	}
	*r = helloRetry{
		suite: CipherSuite(binary.BigEndian.Uint16(cookie)),
		group: Group(binary.BigEndian.Uint16(cookie[2:])),
		hash:  cookie[4 : len(cookie)-32],
	}
	return hmac.Equal(r.seal(secret), cookie)
}

// message is the HelloRetryRequest.
func (r *helloRetry) message(secret []byte) *serverHello {
	return &serverHello{
		version: DTLS12,
		random:  helloRetryRandom[:],
		suite:   r.suite,
		extensions: extensions{
			supportedVersions: newList16([]Version{DTLS13}),
			selectedGroup:     r.group,
			cookie:            r.seal(secret),
		},
	}
}

// messageHash takes the place of the first ClientHello (RFC 8446, Section
// 4.4.1):
//
//	Transcript-Hash(ClientHello1, HelloRetryRequest, ... Mn) =
//	   Hash(message_hash ||        /* Handshake type */
//	        00 00 Hash.length  ||  /* Handshake message length (bytes) */
//	        Hash(ClientHello1) ||  /* Hash of ClientHello1 */
//	        HelloRetryRequest  || ... || Mn)
func messageHash(hash []byte) []byte {
	return append([]byte{byte(typeMessageHash), 0, 0, byte(len(hash))}, hash...)
}

// sendHelloRetryRequest asks for a cookie, and for a key share if retry names a
// group. It is not retransmitted by a timer: the client's own retransmission
// makes it go out again.
func (h *handshake) sendHelloRetryRequest(now time.Time, retry *helloRetry) {
	h.params = retry.suite.params()
	retry.hash = h.hashed(len(h.transcript))
	h.params, h.digest = nil, nil
	h.reply(now)
	h.send(0, typeServerHello, retry.message(h.cookieSecret[:]))
	h.c.flight.final = true
	h.transcript = h.transcript[:0]
	h.c.setState(now, StateAwaitClientHello)
}

// restoreRetry puts in front of the second ClientHello what stood there.
func (h *handshake) restoreRetry(retry *helloRetry) {
	t := messageHash(retry.hash)
	body := retry.message(h.cookieSecret[:]).append(nil)
	t = appendHandshakeHeader(t, typeServerHello, len(body), 0, 0, 0)[:len(t)+4]
	t = append(t, body...)
	h.transcript = slices.Concat(t, h.transcript)
}

// readHelloRetryRequest starts the client's handshake over as the server asks.
func (h *handshake) readHelloRetryRequest(now time.Time, m *serverHello) error {
	ext := &m.extensions
	if h.version == DTLS13 {
		// RFC 8446, Section 4.1.4: "If a client receives a second
		// HelloRetryRequest in the same connection [...], it MUST abort the
		// handshake with an "unexpected_message" alert."
		return refuse(AlertUnexpectedMessage, "the server sent a second HelloRetryRequest")
	}
	if ext.keyShares != nil {
		return refuse(AlertDecodeError, "the server put a key share into its HelloRetryRequest")
	}
	if ext.cookie == nil && ext.selectedGroup == 0 {
		// "Clients MUST abort the handshake with an "illegal_parameter" alert if
		// the HelloRetryRequest would not result in any change in the ClientHello."
		return refuse(AlertIllegalParameter, "the server sent a HelloRetryRequest that asks for nothing")
	}
	if g := ext.selectedGroup; g != 0 {
		// RFC 8446, Section 4.2.8: the group must be one that was offered, and one
		// that no share was sent for.
		if !slices.Contains(h.c.config.Groups, g) || slices.ContainsFunc(h.shares, func(s keyShare) bool { return s.group == g }) {
			return refuse(AlertIllegalParameter, "the server asks for a key share of %v, which it cannot need", g)
		}
		var err error
		if h.shares, err = generateKeyShares(h.c.config.Rand, []Group{g}); err != nil {
			return err
		}
	}
	h.become13()
	h.params = m.suite.params()
	hello, retry := h.hashed(h.before), slices.Clone(h.transcript[h.before:])
	h.transcript = append(append(h.transcript[:0], messageHash(hello)...), retry...)
	h.retryCookie = slices.Clone(ext.cookie)
	return h.sendClientHello(now, nil)
}

// name is what a ServerHello is called.
func (m *serverHello) name() string {
	if m.isRetry() {
		return "HelloRetryRequest"
	}
	return "ServerHello"
}
