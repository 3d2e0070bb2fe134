package srtp

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
)

const gcmTagSize = 16

// An aesGCM is AES-GCM with a key of 128 or 256 bits (RFC 7714).
type aesGCM struct {
	rtp, rtcp gcmKeys
	// nonce, aad and tag are kept here because slices of local arrays would
	// escape through cipher.AEAD.
	nonce [12]byte
	aad   [rtcpHeaderSize + trailerSize]byte
	tag   [gcmTagSize]byte
}

// gcmKeys are the session keys of SRTP, or of SRTCP.
type gcmKeys struct {
	aead cipher.AEAD
	// saltHi and saltLo are the first 64 bits of the encryption salt and the
	// last 32.
	saltHi uint64
	saltLo uint32
}

func newAESGCM(p *profileParams, k MasterKey) *aesGCM {
	return &aesGCM{
		rtp:  newGCMKeys(p, k, labelRTPEncryption, labelRTPSalt),
		rtcp: newGCMKeys(p, k, labelRTCPEncryption, labelRTCPSalt),
	}
}

func newGCMKeys(p *profileParams, k MasterKey, encryption, salt label) gcmKeys {
	return gcmSessionKeys(derive(k, encryption, p.key), derive(k, salt, p.salt))
}

func gcmSessionKeys(key, salt []byte) gcmKeys {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return gcmKeys{aead, binary.BigEndian.Uint64(salt), binary.BigEndian.Uint32(salt[8:])}
}

// setNonce makes the IV of an SRTP packet (RFC 7714, Section 8.1), from ROC and
// SEQ together, and that of an SRTCP packet (Section 9.1), whose index has 31 bits
// and zeros before.
//
//	 0  0  0  0  0  0  0  0  0  0  1  1
//	 0  1  2  3  4  5  6  7  8  9  0  1
//	+--+--+--+--+--+--+--+--+--+--+--+--+
//	|00|00|    SSRC   |     ROC   | SEQ |---+
//	+--+--+--+--+--+--+--+--+--+--+--+--+   |
//	+--+--+--+--+--+--+--+--+--+--+--+--+   |
//	|         Encryption Salt           |->(+)
//	+--+--+--+--+--+--+--+--+--+--+--+--+   |
//	+--+--+--+--+--+--+--+--+--+--+--+--+   |
//	|       Initialization Vector       |<--+
//	+--+--+--+--+--+--+--+--+--+--+--+--+
func (t *aesGCM) setNonce(k *gcmKeys, ssrc uint32, index uint64) {
	binary.BigEndian.PutUint64(t.nonce[:], k.saltHi^uint64(ssrc)<<16^index>>32)
	binary.BigEndian.PutUint32(t.nonce[8:], k.saltLo^uint32(index))
}

func (t *aesGCM) sealRTP(p []byte, n int, h header, index uint64) {
	h.extensionFirst(p)
	t.setNonce(&t.rtp, h.ssrc, index)
	t.rtp.aead.Seal(p[h.body:h.body], t.nonce[:], p[h.body:n], p[:h.body])
	h.csrcsFirst(p)
}

func (t *aesGCM) openRTP(p []byte, n int, h header, index uint64) bool {
	h.extensionFirst(p)
	t.setNonce(&t.rtp, h.ssrc, index)
	_, err := t.rtp.aead.Open(p[h.body:h.body], t.nonce[:], p[h.body:n+gcmTagSize], p[:h.body])
	h.csrcsFirst(p)
	return err == nil
}

// sealRTCP has the header and the trailer as associated data (RFC 7714, Section
// 9.2), which are not side by side.
func (t *aesGCM) sealRTCP(p []byte, n int, ssrc, trailer uint32) {
	t.setRTCP(p, ssrc, trailer)
	t.rtcp.aead.Seal(p[rtcpHeaderSize:rtcpHeaderSize], t.nonce[:], p[rtcpHeaderSize:n], t.aad[:])
}

func (t *aesGCM) openRTCP(p []byte, n int, ssrc, trailer uint32) bool {
	t.setRTCP(p, ssrc, trailer)
	var err error
	if trailer&encryptedFlag != 0 {
		_, err = t.rtcp.aead.Open(p[rtcpHeaderSize:rtcpHeaderSize], t.nonce[:], p[rtcpHeaderSize:n+gcmTagSize], t.aad[:])
	} else {
		// Section 9.3: all of the packet and the trailer are associated data. They
		// become neighbours where the tag was.
		copy(t.tag[:], p[n:])
		binary.BigEndian.PutUint32(p[n:], trailer)
		_, err = t.rtcp.aead.Open(t.tag[:0], t.nonce[:], t.tag[:], p[:n+trailerSize])
	}
	return err == nil
}

// setRTCP prepares the nonce and the associated data of an encrypted packet.
func (t *aesGCM) setRTCP(p []byte, ssrc, trailer uint32) {
	t.setNonce(&t.rtcp, ssrc, uint64(trailer&maxRTCPIndex))
	copy(t.aad[:], p[:rtcpHeaderSize])
	binary.BigEndian.PutUint32(t.aad[rtcpHeaderSize:], trailer)
}
