package srtp

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/binary"
	"hash"
)

// An aesCM is AES in counter mode with HMAC-SHA1 (RFC 3711, Sections 4.1.1 and
// 4.2.1): encrypt, then authenticate.
type aesCM struct {
	rtp, rtcp cmKeys
	ctr       counterMode
	// sum is kept here because a slice of a local array would escape through the
	// hash's interface.
	sum [sha1.Size]byte
}

// cmKeys are the session keys of SRTP, or of SRTCP.
type cmKeys struct {
	block cipher.Block
	bulk  *bulkCipher // of SRTP: RTCP packets are short
	mac   hash.Hash
	// saltHi and saltLo are k_s * 2^16.
	saltHi, saltLo uint64
	tag            int
}

func newAESCM(p *profileParams, k MasterKey) *aesCM {
	t := &aesCM{
		rtp:  newCMKeys(p, k, labelRTPEncryption, labelRTPAuth, labelRTPSalt, p.rtpTag),
		rtcp: newCMKeys(p, k, labelRTCPEncryption, labelRTCPAuth, labelRTCPSalt, p.rtcpTag),
	}
	t.rtp.bulk = newBulkCipher(t.rtp.block)
	return t
}

func newCMKeys(p *profileParams, k MasterKey, encryption, auth, salt label, tag int) cmKeys {
	block, err := aes.NewCipher(derive(k, encryption, p.key))
	if err != nil {
		panic("BUG: " + err.Error())
	}
	s := append(derive(k, salt, p.salt), 0, 0)
	return cmKeys{
		block:  block,
		mac:    hmac.New(sha1.New, derive(k, auth, p.auth)),
		saltHi: binary.BigEndian.Uint64(s),
		saltLo: binary.BigEndian.Uint64(s[8:]),
		tag:    tag,
	}
}

// crypt encrypts or decrypts b.
//
//	IV = (k_s * 2^16) XOR (SSRC * 2^64) XOR (i * 2^16)
func (t *aesCM) crypt(k *cmKeys, ssrc uint32, index uint64, b []byte) {
	hi, lo := k.saltHi^uint64(ssrc), k.saltLo^index<<16
	if k.bulk != nil {
		n := k.bulk.xor(hi, lo, b)
		b, lo = b[n:], lo+uint64(n)/aes.BlockSize
	}
	t.ctr.xor(k.block, hi, lo, b)
}

// sealRTP authenticates "the Authenticated Portion of the packet (as specified in
// Figure 1) concatenated with the ROC" (RFC 3711, Section 4.2): of the packet
// as it is sent, so with Cryptex the contributing sources are back in place.
func (t *aesCM) sealRTP(p []byte, n int, h header, index uint64) {
	h.extensionFirst(p)
	t.crypt(&t.rtp, h.ssrc, index, p[h.body:n])
	h.csrcsFirst(p)
	t.rtpTag(p, n, index)
	copy(p[len(p)-t.rtp.tag:], t.sum[:])
}

func (t *aesCM) openRTP(p []byte, n int, h header, index uint64) bool {
	t.rtpTag(p, n, index)
	if !hmac.Equal(p[len(p)-t.rtp.tag:], t.sum[:t.rtp.tag]) {
		return false
	}
	h.extensionFirst(p)
	t.crypt(&t.rtp, h.ssrc, index, p[h.body:n])
	h.csrcsFirst(p)
	return true
}

// rtpTag has the roll-over counter stand behind the packet while it is hashed, in
// place of the tail's first four bytes: to write it by itself takes longer.
func (t *aesCM) rtpTag(p []byte, n int, index uint64) {
	tail := binary.BigEndian.Uint32(p[n:])
	binary.BigEndian.PutUint32(p[n:], uint32(index>>16))
	mac := t.rtp.mac
	mac.Reset()
	mac.Write(p[:n+4])
	mac.Sum(t.sum[:0])
	binary.BigEndian.PutUint32(p[n:], tail)
}

// sealRTCP authenticates the packet and its trailer.
func (t *aesCM) sealRTCP(p []byte, n int, ssrc, trailer uint32) {
	t.crypt(&t.rtcp, ssrc, uint64(trailer&maxRTCPIndex), p[rtcpHeaderSize:n])
	t.rtcpTag(p[:n+trailerSize])
	copy(p[len(p)-t.rtcp.tag:], t.sum[:])
}

func (t *aesCM) openRTCP(p []byte, n int, ssrc, trailer uint32) bool {
	t.rtcpTag(p[:n+trailerSize])
	if !hmac.Equal(p[len(p)-t.rtcp.tag:], t.sum[:t.rtcp.tag]) {
		return false
	}
	if trailer&encryptedFlag != 0 {
		t.crypt(&t.rtcp, ssrc, uint64(trailer&maxRTCPIndex), p[rtcpHeaderSize:n])
	}
	return true
}

func (t *aesCM) rtcpTag(p []byte) {
	mac := t.rtcp.mac
	mac.Reset()
	mac.Write(p)
	mac.Sum(t.sum[:0])
}
