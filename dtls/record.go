package dtls

import (
	"crypto/cipher"
	"encoding/binary"

	"github.com/plainrtc/plainrtc/internal/replay"
	"github.com/plainrtc/plainrtc/internal/wire"
)

// A contentType says what a record carries.
type contentType uint8

const (
	typeChangeCipherSpec contentType = 20
	typeAlert            contentType = 21
	typeHandshake        contentType = 22
	typeApplicationData  contentType = 23
	typeACK              contentType = 26 // RFC 9147, Section 7
)

const (
	recordHeaderSize = 13
	// maxPlaintext is the largest fragment of a record (RFC 6347, Section 4.1).
	maxPlaintext = 1 << 14
	// maxSequence is the last sequence number of an epoch. An association must
	// be abandoned before the numbers wrap (RFC 6347, Section 4.1).
	maxSequence = 1<<48 - 1
	tagSize     = 16 // of every AEAD in suites
)

// A record is a DTLSPlaintext or a DTLSCiphertext (RFC 6347, Section 4.1).
//
//	struct {
//	     ContentType type;
//	     ProtocolVersion version;
//	     uint16 epoch;
//	     uint48 sequence_number;
//	     uint16 length;
//	     opaque fragment[DTLSPlaintext.length];
//	} DTLSPlaintext;
type record struct {
	typ     contentType
	version Version
	epoch   uint64
	seq     uint64
	payload []byte // borrowed
}

// parseRecord takes one record from the front of a datagram.
func parseRecord(b []byte) (rec record, rest []byte, ok bool) {
	if len(b) < recordHeaderSize {
		return record{}, nil, false
	}
	n := int(binary.BigEndian.Uint16(b[11:]))
	if n > len(b)-recordHeaderSize {
		return record{}, nil, false
	}
	end := recordHeaderSize + n
	rec = record{
		typ:     contentType(b[0]),
		version: Version(binary.BigEndian.Uint16(b[1:])),
		epoch:   uint64(binary.BigEndian.Uint16(b[3:])),
		seq:     binary.BigEndian.Uint64(b[3:]) & maxSequence,
		payload: b[recordHeaderSize:end:end],
	}
	// The minor version is not looked at: a ClientHello may be sent in a
	// record of version 1.0, whatever it offers (RFC 6347, Section 4.2.1).
	return rec, b[end:], rec.version>>8 == 0xfe
}

// appendRecordHeader appends a header whose length is filled in by endRecord.
func appendRecordHeader(b []byte, typ contentType, epoch uint16, seq uint64) []byte {
	b = append(b, byte(typ), byte(DTLS12>>8), byte(DTLS12&0xff))
	b = binary.BigEndian.AppendUint16(b, epoch)
	b = wire.AppendUint48(b, seq)
	return append(b, 0, 0)
}

// A protection seals or opens the records of one direction and epoch.
type protection struct {
	aead cipher.AEAD
	// nonce begins with the IV; the bytes that follow, or are mixed in, are of
	// each record. It and aad are kept here because a slice of a local array
	// would escape through the interface and cost an allocation a record.
	nonce [12]byte
	aad   [recordHeaderSize]byte
	// iv is the write IV of ChaCha20, which the nonce is mixed with.
	iv       [12]byte
	explicit int // bytes of nonce in each record: 8 for GCM, 0 for ChaCha20
}

func newProtection(p *suiteParams, key, iv []byte) (*protection, error) {
	aead, err := p.aead(key)
	if err != nil {
		return nil, err
	}
	s := &protection{aead: aead, explicit: p.explicitNonce}
	copy(s.iv[:], iv)
	s.nonce = s.iv
	return s, nil
}

// prepare sets the nonce and the additional data for a record with header h
// and n bytes of plaintext.
//
//	additional_data = seq_num + TLSCompressed.type +
//	                  TLSCompressed.version + TLSCompressed.length;
//
// where seq_num is epoch and sequence number together (RFC 6347, Section
// 4.1.2.1).
func (s *protection) prepare(typ contentType, version Version, epochSeq uint64, n int) {
	binary.BigEndian.PutUint64(s.aad[:], epochSeq)
	s.aad[8] = byte(typ)
	binary.BigEndian.PutUint16(s.aad[9:], uint16(version))
	binary.BigEndian.PutUint16(s.aad[11:], uint16(n))
	if s.explicit == 0 {
		// RFC 7905, Section 2: the sequence number, padded on the left, is
		// XORed with the write IV.
		binary.BigEndian.PutUint64(s.nonce[4:], epochSeq^binary.BigEndian.Uint64(s.iv[4:]))
	}
}

// overhead is how much longer a record is than its plaintext.
func (s *protection) overhead() int { return recordHeaderSize + s.explicit + tagSize }

// seal finishes the record that starts at b[start:]: header, room for the
// explicit nonce, plaintext. It encrypts in place and appends the tag.
func (s *protection) seal(b []byte, start int, typ contentType, epochSeq uint64) []byte {
	body := start + recordHeaderSize
	s.prepare(typ, DTLS12, epochSeq, len(b)-body-s.explicit)
	if s.explicit != 0 {
		// RFC 5288, Section 3: nonce_explicit may be the sequence number,
		// which with the epoch never repeats under a key.
		binary.BigEndian.PutUint64(b[body:], epochSeq)
		binary.BigEndian.PutUint64(s.nonce[4:], epochSeq)
	}
	plain := b[body+s.explicit:]
	sealed := s.aead.Seal(plain[:0], s.nonce[:], plain, s.aad[:])
	if len(plain) > 0 && &sealed[0] == &plain[0] {
		b = b[:len(b)+tagSize]
	} else {
		// There was no room for the tag behind the plaintext.
		b = append(b[:body+s.explicit], sealed...)
	}
	wire.PutUint16At(b, body-2, len(b)-body)
	return b
}

// open decrypts rec in place.
func (s *protection) open(rec record) ([]byte, bool) {
	n := len(rec.payload) - s.explicit - tagSize
	if n < 0 || n > maxPlaintext {
		return nil, false
	}
	s.prepare(rec.typ, rec.version, rec.epoch<<48|rec.seq, n)
	if s.explicit != 0 {
		copy(s.nonce[4:], rec.payload[:8])
	}
	sealed := rec.payload[s.explicit:]
	plain, err := s.aead.Open(sealed[:0], s.nonce[:], sealed, s.aad[:])
	return plain, err == nil
}

// A recordLayer numbers and protects records. In DTLS 1.2 there are two
// epochs: 0 in clear, and 1 from ChangeCipherSpec on; renegotiation, which
// would start a third, is refused. DTLS 1.3 shares epoch 0 and goes on with 2.
type recordLayer struct {
	// seq are the next sequence numbers to send in epochs 0 and 1.
	seq [2]uint64
	// in and out protect epoch 1; nil until the keys are known.
	in, out *protection
	window  replay.Window // of epoch 1
	// v13 has the epochs from 2 on; nil unless DTLS 1.3 was chosen.
	v13 *recordLayer13
}

// begin appends the header of a record and the room for its explicit nonce.
func (r *recordLayer) begin(b []byte, typ contentType, epoch uint64) []byte {
	if epoch > 1 {
		return r.v13.begin(b, typ, epoch)
	}
	b = appendRecordHeader(b, typ, uint16(epoch), r.seq[epoch])
	if epoch != 0 && r.out.explicit != 0 {
		b = append(b, 0, 0, 0, 0, 0, 0, 0, 0)
	}
	return b
}

// end finishes the record that begin started at b[start:].
func (r *recordLayer) end(b []byte, start int) []byte {
	if isUnified(b[start]) {
		return r.v13.end(b, start)
	}
	epoch := uint16(b[start+4])
	seq := r.seq[epoch]
	r.seq[epoch]++
	if epoch != 0 {
		return r.out.seal(b, start, contentType(b[start]), uint64(epoch)<<48|seq)
	}
	wire.PutUint16At(b, start+recordHeaderSize-2, len(b)-start-recordHeaderSize)
	return b
}

// overhead is how much longer a record of the epoch is than its plaintext.
func (r *recordLayer) overhead(epoch uint64) int {
	switch epoch {
	case 0:
		return recordHeaderSize
	case 1:
		return r.out.overhead()
	}
	return overhead13
}

// headerSize is how many bytes stand before the plaintext of application data.
func (r *recordLayer) headerSize() int {
	if r.v13 != nil {
		return unifiedHeaderSize
	}
	return recordHeaderSize + r.out.explicit
}

// next is the sequence number of the next record in the epoch.
func (r *recordLayer) next(epoch uint64) uint64 {
	if epoch > 1 {
		return r.v13.out[epoch&3].seq
	}
	return r.seq[epoch]
}

// spent reports whether the epoch has no sequence number left. The last one is
// kept for the alert that says so.
func (r *recordLayer) spent(epoch uint64) bool {
	if epoch > 1 {
		return r.v13.out[epoch&3].spent()
	}
	return r.seq[epoch] >= maxSequence
}
