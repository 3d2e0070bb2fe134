package dtls

import (
	"crypto"
	"crypto/hmac"
)

// A server that asks every client for a cookie need not remember any, so that
// strangers cannot make it hold more and more (RFC 9147, Section 5.1): that is what
// Config.CookieSecret is for. What has to be known later is in the cookie itself
// (retry.go), or comes again with it. There is a limit to that: a ClientHello with
// post-quantum key shares takes two datagrams, of which the first has to be kept
// until the second is there.

// sharesCookies reports whether a server's cookies are worth something to others.
func (c *Config) sharesCookies() bool { return c.Cookie && c.CookieSecret != [32]byte{} }

// addressSecret is the secret of one client's address.
func (c *Config) addressSecret() (secret [32]byte) {
	mac := hmac.New(crypto.SHA256.New, c.CookieSecret[:])
	mac.Write([]byte(c.PeerAddress.String()))
	mac.Sum(secret[:0])
	return secret
}

// Forgettable reports whether a server holds nothing that another with the same
// CookieSecret and PeerAddress would not make again: it has asked its client for a
// cookie, and heard nothing since. It may be dropped once it has no packet left to
// send.
func (c *Conn) Forgettable() bool {
	return c.config.sharesCookies() && c.state == StateAwaitClientHello && c.hs.in.next > 0 && c.hs.in.size == 0
}

// fresh reports whether a server that shares its cookies has heard nothing yet.
func (c *Conn) fresh() bool {
	return c.config.sharesCookies() && c.state == StateAwaitClientHello && c.hs.in.next == 0 && c.hs.in.size == 0
}
