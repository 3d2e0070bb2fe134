package turn

import (
	"crypto/sha256"
	"slices"
	"time"

	"github.com/plainrtc/plainrtc/stun"
)

// A login is what the server told us to authenticate with: the long-term
// credential mechanism of RFC 8489, Section 9.2. The zero login is before the
// first challenge.
type login struct {
	realm, nonce string
	algorithm    stun.PasswordAlgorithm
	algorithms   []stun.PasswordAlgorithm // as the server listed them; nil if it did not
	anonymous    bool                     // send USERHASH, not USERNAME
	userhash     [sha256.Size]byte
	key          *stun.Key
}

// challenge learns from an error response 401 or 438.
func (c *Client) challenge(m stun.Message) error {
	l := login{realm: string(m.Realm()), nonce: string(m.Nonce()), algorithm: stun.AlgorithmMD5}
	if l.realm == "" {
		l.realm = c.login.realm // of a 438 by a server that says it only once
	}
	if l.realm == "" || l.nonce == "" {
		// A server that takes tokens says so in a 401 by THIRD-PARTY-AUTHORIZATION; beside
		// a realm, it takes passwords too. RFC 7635, Section 6.1.
		if m.Has(stun.AttrThirdPartyAuthorization) {
			return ErrThirdParty
		}
		return ErrNoChallenge
	}
	// If the nonce says that there are algorithms, which nobody can change on the
	// way without the server seeing it, and they are not there, then somebody took
	// them out so that we use the weaker one. RFC 8489, Section 9.2.5.
	features, _ := stun.NonceFeatures(m.Nonce())
	if features&stun.FeaturePasswordAlgorithms != 0 {
		l.algorithms = m.PasswordAlgorithms()
		if l.algorithms == nil {
			return ErrBidDown
		}
		i := slices.IndexFunc(l.algorithms, func(a stun.PasswordAlgorithm) bool {
			return a == stun.AlgorithmMD5 || a == stun.AlgorithmSHA256
		})
		if i < 0 {
			return ErrNoAlgorithm
		}
		l.algorithm = l.algorithms[i]
	}
	l.anonymous = features&stun.FeatureUsernameAnonymity != 0
	var err error
	if l.key = c.login.key; l.key == nil || l.realm != c.login.realm || l.algorithm != c.login.algorithm {
		if l.key, err = stun.LongTermKey(l.algorithm, c.config.Username, l.realm, c.config.Password); err != nil {
			return err
		}
	}
	if l.anonymous {
		if l.userhash, err = stun.Userhash(c.config.Username, l.realm); err != nil {
			return err
		}
	}
	c.login = l
	return nil
}

// sign adds the credentials to a request: who, the realm, the nonce, and if the
// server listed algorithms that list as it came and the one we chose. A server
// that has a list knows MESSAGE-INTEGRITY-SHA256; one that has none may be of RFC
// 5389, and does not. RFC 8489, Sections 9.2.3.2 and 9.2.5.
func (l *login) sign(b *stun.Builder, username string) {
	if l.key == nil {
		return
	}
	if l.anonymous {
		b.Add(stun.AttrUserhash, l.userhash[:])
	} else {
		b.AddString(stun.AttrUsername, username)
	}
	b.AddString(stun.AttrRealm, l.realm)
	b.AddString(stun.AttrNonce, l.nonce)
	if l.algorithms == nil {
		b.AddIntegrity(l.key)
		return
	}
	b.AddPasswordAlgorithms(l.algorithms...)
	b.AddPasswordAlgorithm(l.algorithm)
	b.AddIntegritySHA256(l.key, stun.FullSHA256)
}

// A stream does not lose: the request is sent once, and given up after as long as
// over UDP: Ti is 39.5 s. RFC 8489, Section 6.2.2.
const streamTimeout = 39500 * time.Millisecond

// A closing client is in a hurry: nobody waits for the answer but politeness.
const closingTransmissions = 3

// send makes a request due.
func (c *Client) send(now time.Time, r *request) {
	r.id = stun.NewTransactionID(c.config.Rand)
	r.signed = c.login.key != nil
	b := stun.NewBuilder(nil, stun.NewType(r.method, stun.Request), r.id)
	switch r.method {
	case stun.Allocate:
		c.writeAllocate(&b)
	case stun.Refresh:
		c.writeRefresh(&b, r)
	case stun.CreatePermission:
		b.AddXORAddress(stun.AttrXORPeerAddress, r.peer)
	case stun.ChannelBind:
		c.writeChannelBind(&b, r)
	case stun.Connect:
		b.AddXORAddress(stun.AttrXORPeerAddress, r.peer)
	case stun.ConnectionBind:
		b.AddUint32(stun.AttrConnectionID, uint32(r.connection))
	}
	if c.config.Software != "" {
		b.AddString(stun.AttrSoftware, c.config.Software)
	}
	c.login.sign(&b, c.config.Username)
	config := stun.TransactionConfig{RTO: c.config.RTO, Key: c.login.key, Known: understood, Trace: c.config.Trace}
	switch {
	case c.config.Stream:
		config.RTO, config.Rc, config.Rm = streamTimeout, 1, 1
	case r.ends:
		config.Rc, config.Rm = closingTransmissions, 2
	}
	r.Transaction = stun.NewTransaction(b.Bytes(), config)
	r.Start(now)
	c.requests = append(c.requests, r)
}

// maxStale is how many fresh nonces in a row may be called stale.
const maxStale = 3

// finish handles a transaction that ended, and reports whether it did.
func (c *Client) finish(now time.Time, r *request) bool {
	e, ok := r.Transaction.NextEvent()
	if !ok {
		return false
	}
	c.requests = slices.DeleteFunc(c.requests, func(other *request) bool { return other == r })
	finished := e.(stun.Finished)
	m, err := finished.Response, c.verdict(r, finished)
	if c.state == stateClosing && r.method == stun.Allocate && err != nil {
		c.end(now, nil) // closed before there was anything to close
		return true
	}
	if refusal, ok := err.(*PeerError); ok {
		switch refusal.Code {
		// 401: the server wants credentials. If it has seen them, they are wrong.
		case stun.CodeUnauthenticated:
			if !r.signed || c.replaced(r, m) {
				err = c.again(now, r, m)
			}
		// 438: they are right, and the nonce is too old.
		case stun.CodeStaleNonce:
			if r.stale++; r.stale > maxStale {
				err = &LocalError{Method: r.method, Err: ErrStaleNonces}
			} else {
				err = c.again(now, r, m)
			}
		}
		if err == nil {
			return true
		}
	}
	switch r.method {
	case stun.Allocate:
		c.allocateDone(now, r, m, err)
	case stun.Refresh:
		c.refreshDone(now, r, m, err)
	case stun.CreatePermission, stun.ChannelBind:
		c.bindingDone(now, r, err)
	case stun.Connect:
		c.connectDone(now, r, m, err)
	case stun.ConnectionBind:
		c.connectionBindDone(now, err)
	}
	return true
}

// replaced reports whether a signed request was refused by a server of another
// realm than the one that it was signed for: then its credentials were not
// judged at all.
func (c *Client) replaced(r *request, m stun.Message) bool {
	realm := string(m.Realm())
	if realm == "" || realm == c.login.realm || r.stale >= maxStale {
		return false
	}
	r.stale++
	return true
}

// again sends a request anew, after what the challenge taught.
func (c *Client) again(now time.Time, r *request, m stun.Message) error {
	if err := c.challenge(m); err != nil {
		return &LocalError{Method: r.method, Err: err}
	}
	c.send(now, r)
	return nil
}

// verdict is the transaction's error in the words of this package.
func (c *Client) verdict(r *request, f stun.Finished) error {
	switch err := f.Err.(type) {
	case *stun.PeerError:
		e := &PeerError{Method: r.method, Code: err.Code, Reason: err.Reason}
		if err.Code == stun.CodeTryAlternate {
			e.Alternate, _ = f.Response.Address(stun.AttrAlternateServer)
			domain, _ := f.Response.Get(stun.AttrAlternateDomain)
			e.Domain = string(domain)
		}
		if third, ok := f.Response.Get(stun.AttrThirdPartyAuthorization); ok && err.Code == stun.CodeUnauthenticated {
			e.ThirdParty = string(third)
		}
		return e
	case *stun.TimeoutError:
		return &TimeoutError{Method: r.method, Err: err}
	case *stun.LocalError:
		return &LocalError{Method: r.method, Err: err}
	}
	return nil
}
