package dtls

import (
	"crypto"
	"crypto/hmac"
	_ "crypto/sha256" // the hashes that suites names
	_ "crypto/sha512"
	"hash"
)

// A prf is the pseudorandom function of RFC 5246, Section 5, with a secret:
//
//	P_hash(secret, seed) = HMAC_hash(secret, A(1) + seed) +
//	                       HMAC_hash(secret, A(2) + seed) +
//	                       HMAC_hash(secret, A(3) + seed) + ...
//	A(0) = seed
//	A(i) = HMAC_hash(secret, A(i-1))
//	PRF(secret, label, seed) = P_<hash>(secret, label + seed)
//
// Setting up its HMAC is dear, so a secret used more than once keeps its prf.
type prf struct{ mac hash.Hash }

func newPRF(h crypto.Hash, secret []byte) prf { return prf{hmac.New(h.New, secret)} }

// fill fills out. The seed comes in parts, so that callers need not join them.
func (p prf) fill(out []byte, label string, seed ...[]byte) {
	p.mac.Reset()
	start := make([]byte, 0, 160)
	start = append(start, label...)
	for _, s := range seed {
		start = append(start, s...)
	}
	p.mac.Write(start)
	a := p.mac.Sum(make([]byte, 0, 64))
	block := make([]byte, 0, 64)
	for {
		p.mac.Reset()
		p.mac.Write(a)
		p.mac.Write(start)
		block = p.mac.Sum(block[:0])
		n := copy(out, block)
		if out = out[n:]; len(out) == 0 {
			return
		}
		p.mac.Reset()
		p.mac.Write(a)
		a = p.mac.Sum(a[:0])
	}
}

// The sizes that RFC 5246, Sections 7.4.9 and 8.1 fix.
const (
	masterSecretSize = 48
	verifyDataSize   = 12
	randomSize       = 32
)

// A secrets is what remains of a handshake's key exchange.
type secrets struct {
	hash         crypto.Hash
	master       [masterSecretSize]byte
	clientRandom [randomSize]byte
	serverRandom [randomSize]byte
	prf          prf // of the master secret; not kept after the handshake
}

// setMaster derives the extended master secret of RFC 7627, Section 4:
//
//	master_secret = PRF(pre_master_secret, "extended master secret",
//	                    session_hash)[0..47];
func (s *secrets) setMaster(preMaster, sessionHash []byte) {
	newPRF(s.hash, preMaster).fill(s.master[:], "extended master secret", sessionHash)
	s.prf = newPRF(s.hash, s.master[:])
}

// finished computes the verify_data of RFC 5246, Section 7.4.9.
func (s *secrets) finished(label string, transcriptHash []byte) (v [verifyDataSize]byte) {
	s.prf.fill(v[:], label, transcriptHash)
	return v
}

const (
	clientFinishedLabel = "client finished"
	serverFinishedLabel = "server finished"
)

// keys derives both directions' protection from the key block (RFC 5246,
// Section 6.3):
//
//	key_block = PRF(SecurityParameters.master_secret, "key expansion",
//	                server_random + client_random);
//
// which is cut into client_write_key, server_write_key, client_write_IV and
// server_write_IV; AEAD ciphers take no MAC keys.
func (s *secrets) keys(p *suiteParams) (client, server *protection, err error) {
	var space [2*32 + 2*12]byte
	block := space[:2*p.key+2*p.fixedIV]
	s.prf.fill(block, "key expansion", s.serverRandom[:], s.clientRandom[:])
	k, iv := block[:2*p.key], block[2*p.key:]
	if client, err = newProtection(p, k[:p.key], iv[:p.fixedIV]); err != nil {
		return nil, nil, err
	}
	if server, err = newProtection(p, k[p.key:], iv[p.fixedIV:]); err != nil {
		return nil, nil, err
	}
	clear(block)
	return client, server, nil
}
