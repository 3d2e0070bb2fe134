package dtls

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"

	"golang.org/x/crypto/chacha20"

	"github.com/plainrtc/plainrtc/internal/replay"
	"github.com/plainrtc/plainrtc/internal/wire"
)

// The epochs of DTLS 1.3 (RFC 9147, Section 6.1). 0 is in clear and 1, of early
// data, is not used here; each KeyUpdate begins another.
const (
	epochHandshake   = 2
	epochApplication = 3
)

// A DTLS 1.3 record in cipher begins with the unified header (RFC 9147, Section
// 4, Figure 3):
//
//	 0 1 2 3 4 5 6 7
//	+-+-+-+-+-+-+-+-+
//	|0|0|1|C|S|L|E E|
//	+-+-+-+-+-+-+-+-+
//	| Connection ID |   Legend:
//	| (if any,      |
//	/  length as    /   C   - Connection ID (CID) present
//	|  negotiated)  |   S   - Sequence number length
//	+-+-+-+-+-+-+-+-+   L   - Length present
//	|  8 or 16 bit  |   E   - Epoch
//	|Sequence Number|
//	+-+-+-+-+-+-+-+-+
//	| 16 bit Length |
//	| (if present)  |
//	+-+-+-+-+-+-+-+-+
//
// All forms are read but those with a Connection ID, which is never negotiated.
// Ours have 16 bits of sequence number, so that no reordering confuses it, and
// the length, so that records share datagrams.
const (
	unifiedFixed  = 0x20
	unifiedMask   = 0xe0
	unifiedCID    = 0x10
	unifiedSeq16  = 0x08
	unifiedLength = 0x04
	unifiedEpoch  = 0x03

	unifiedHeaderSize = 5
	// overhead13 is how much longer a record is than its plaintext: by the
	// header, the true content type, and the tag.
	overhead13 = unifiedHeaderSize + 1 + tagSize
)

// isUnified tells records in cipher of DTLS 1.3 from all others by their first
// byte.
func isUnified(b byte) bool { return b&unifiedMask == unifiedFixed }

// A ciphertext is a DTLSCiphertext of DTLS 1.3. It is borrowed, and opened in
// place.
type ciphertext struct {
	header []byte // of which seqLen bytes from the second on are the number
	seqLen int
	body   []byte // encrypted_record
}

// epochBits are the low bits of the record's epoch.
func (r *ciphertext) epochBits() uint8 { return r.header[0] & unifiedEpoch }

// parse takes one record from the front of a datagram. It fills r in where it
// stands, for a copy of it would cost a hundredth of what opening the record does.
func (r *ciphertext) parse(b []byte) (rest []byte, ok bool) {
	if len(b) == 0 || !isUnified(b[0]) || b[0]&unifiedCID != 0 {
		return nil, false
	}
	r.seqLen = 1
	if b[0]&unifiedSeq16 != 0 {
		r.seqLen = 2
	}
	size := 1 + r.seqLen
	if b[0]&unifiedLength != 0 {
		size += 2
	}
	if len(b) < size {
		return nil, false
	}
	end := len(b)
	if b[0]&unifiedLength != 0 {
		end = size + int(binary.BigEndian.Uint16(b[size-2:]))
	}
	if end > len(b) {
		return nil, false
	}
	r.header, r.body = b[:size:size], b[size:end:end]
	return b[end:], true
}

// A protection13 seals or opens the records of one direction and epoch.
type protection13 struct {
	epoch uint64
	// secret is the traffic secret that all else was made from.
	secret []byte
	aead   cipher.AEAD
	iv     [12]byte
	// mask makes bytes that hide the record's number: AES in block, or ChaCha20
	// with chachaKey where block is nil.
	block     cipher.Block
	chachaKey [32]byte
	// nonce and mask are of each record. They are kept here because a slice of
	// a local array would escape and cost an allocation a record. nonce is that of
	// record nonceSeq; see prepare.
	nonce    [12]byte
	nonceSeq uint64
	mask     [aes.BlockSize]byte
	// seq is the number of the next record to send; limit is how many there
	// may be.
	seq, limit uint64
	// window and forgeries are of a direction that is received.
	window    replay.Window
	forgeries uint64
}

// The limits on the use of a key. RFC 8446, Section 5.5: "For AES-GCM, up to
// 2^24.5 full-size records (about 24 million) may be encrypted on a given
// connection"; with ChaCha20-Poly1305 the sequence number wraps first. RFC 9147,
// Section 4.5.3: at most 2^36 records may fail to open. All keys are changed
// long before, at updateAfter.
const (
	maxRecordsGCM = 23_726_566
	maxForgeries  = 1 << 36
	updateAfter   = 1 << 23
)

// newProtection13 derives a direction's keys from its traffic secret (RFC 8446,
// Section 7.3; RFC 9147, Section 4.2.3):
//
//	[sender]_write_key = HKDF-Expand-Label(Secret, "key", "", key_length)
//	[sender]_write_iv  = HKDF-Expand-Label(Secret, "iv", "", iv_length)
//	[sender]_sn_key    = HKDF-Expand-Label(Secret, "sn", "", key_length)
func newProtection13(p *suiteParams, s *schedule, epoch uint64, secret []byte) (*protection13, error) {
	k := &protection13{epoch: epoch, secret: secret, limit: maxSequence}
	b := make([]byte, 0, s.hash.Size()) // each of the three is used up before the next
	var err error
	if k.aead, err = p.aead(s.appendLabel(b, secret, "key", nil, p.key)); err != nil {
		return nil, err
	}
	copy(k.iv[:], s.appendLabel(b, secret, "iv", nil, len(k.iv)))
	k.nonce = k.iv // of record 0
	sn := s.appendLabel(b, secret, "sn", nil, p.key)
	if p.suite == TLS_CHACHA20_POLY1305_SHA256 {
		copy(k.chachaKey[:], sn)
		return k, nil
	}
	k.limit = maxRecordsGCM
	k.block, err = aes.NewCipher(sn)
	return k, err
}

// spent reports whether the key has no record left. The last one is kept for
// the alert that says so.
func (k *protection13) spent() bool { return k.seq >= k.limit }

// hide encrypts the record's number, or decrypts it (RFC 9147, Section 4.2.3):
//
//	Mask = AES-ECB(sn_key, Ciphertext[0..15])
//
//	Mask = ChaCha20(sn_key, Ciphertext[0..3], Ciphertext[4..15])
func (k *protection13) hide(number, body []byte) {
	if k.block != nil {
		k.block.Encrypt(k.mask[:], body)
	} else {
		c, err := chacha20.NewUnauthenticatedCipher(k.chachaKey[:], body[4:16])
		if err != nil {
			panic("BUG: ChaCha20: " + err.Error())
		}
		c.SetCounter(binary.LittleEndian.Uint32(body))
		k.mask = [aes.BlockSize]byte{}
		c.XORKeyStream(k.mask[:2], k.mask[:2])
	}
	if len(number) == 1 {
		number[0] ^= k.mask[0]
		return
	}
	// Both bytes at once: they are read like that next.
	n := binary.BigEndian.Uint16(number) ^ binary.BigEndian.Uint16(k.mask[:])
	binary.BigEndian.PutUint16(number, n)
}

// prepare sets the nonce: the sequence number, without the epoch, XORed with
// the IV (RFC 8446, Section 5.3; RFC 9147, Section 4). Behind each record it is
// called for the one that will most likely be next, whose number a receiver knows
// only when its mask is computed: with the nonce there already, a processor begins
// to decrypt meanwhile.
func (k *protection13) prepare(seq uint64) {
	if seq != k.nonceSeq {
		k.nonceSeq = seq
		binary.BigEndian.PutUint64(k.nonce[4:], binary.BigEndian.Uint64(k.iv[4:])^seq)
	}
}

// seal finishes the record that starts at b[start:]: header and plaintext. It
// encrypts in place, and appends the content type and the tag.
//
//	struct {
//	    opaque content[DTLSPlaintext.length];
//	    ContentType type;
//	    uint8 zeros[length_of_padding];
//	} DTLSInnerPlaintext;
func (k *protection13) seal(b []byte, start int, typ contentType) []byte {
	body := start + unifiedHeaderSize
	b = append(b, byte(typ))
	wire.PutUint16At(b, body-2, len(b)-body+tagSize)
	k.prepare(k.seq)
	k.seq++
	plain := b[body:]
	// "The entire header value shown in Figure 4 (but prior to record number
	// encryption; see Section 4.2.3) is used as the additional data value for the
	// AEAD function." (RFC 9147, Section 4)
	sealed := k.aead.Seal(plain[:0], k.nonce[:], plain, b[start:body])
	if &sealed[0] == &plain[0] {
		b = b[:len(b)+tagSize]
	} else {
		// There was no room for the tag behind the plaintext.
		b = append(b[:body], sealed...)
	}
	k.hide(b[start+1:start+3], b[body:])
	k.prepare(k.seq)
	return b
}

// number decrypts and completes the record's number, which becomes readable in
// its header.
func (k *protection13) number(rec *ciphertext) (seq uint64, ok bool) {
	// "This procedure requires the ciphertext length to be at least 16 bytes.
	// Receivers MUST reject shorter records as if they had failed deprotection"
	// (RFC 9147, Section 4.2.3). A tag and a content type are longer.
	if len(rec.body) < tagSize+1 {
		return 0, false
	}
	number := rec.header[1 : 1+rec.seqLen]
	k.hide(number, rec.body)
	if rec.seqLen == 1 {
		return k.complete(uint64(number[0]), 1<<8), true
	}
	return k.complete(uint64(binary.BigEndian.Uint16(number)), 1<<16), true
}

// complete finds, of the sequence numbers with the given low bits, the one that is
// "numerically closest to one plus the sequence number of the highest
// successfully deprotected record" (RFC 9147, Section 4.2.2).
func (k *protection13) complete(low, size uint64) uint64 {
	highest, any := k.window.Highest()
	expected := uint64(0)
	if any {
		expected = highest + 1
	}
	seq := expected&^(size-1) | low
	switch {
	case seq > expected+size/2 && seq >= size:
		return seq - size
	case seq+size/2 < expected:
		return seq + size
	}
	return seq
}

// open decrypts a record, whose number is known, in place.
func (k *protection13) open(rec *ciphertext, seq uint64) (typ contentType, plain []byte, ok bool) {
	if len(rec.body) > maxPlaintext+256 {
		return 0, nil, false
	}
	k.prepare(seq)
	plain, err := k.aead.Open(rec.body[:0], k.nonce[:], rec.body, rec.header)
	if err != nil {
		k.forgeries++
		return 0, nil, false
	}
	k.prepare(seq + 1)
	n := len(plain)
	for n > 0 && plain[n-1] == 0 {
		n--
	}
	if n == 0 {
		return 0, nil, true // of no type
	}
	return contentType(plain[n-1]), plain[: n-1 : n-1], true
}

// A recordLayer13 has the protections of DTLS 1.3's epochs, each at the place
// that its low two bits name.
type recordLayer13 struct {
	params  *suiteParams
	in, out [4]*protection13
}

// install begins an epoch in a direction. Of those before it one stays: for
// records that were overtaken, and messages that are sent again.
func (r *recordLayer13) install(side *[4]*protection13, k *protection13) {
	for i, old := range side {
		if old != nil && old.epoch+1 < k.epoch {
			side[i] = nil
		}
	}
	side[k.epoch&3] = k
}

// begin appends the header of a record. Until its length is known the content
// type stands there.
func (r *recordLayer13) begin(b []byte, typ contentType, epoch uint64) []byte {
	k := r.out[epoch&3]
	return append(b, unifiedFixed|unifiedSeq16|unifiedLength|byte(epoch&3), byte(k.seq>>8), byte(k.seq), 0, byte(typ))
}

// end finishes the record that begin started at b[start:].
func (r *recordLayer13) end(b []byte, start int) []byte {
	return r.out[b[start]&unifiedEpoch].seal(b, start, contentType(b[start+4]))
}
