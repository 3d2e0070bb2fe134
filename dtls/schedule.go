package dtls

import (
	"bytes"
	"crypto"
	"crypto/hkdf"
	"crypto/hmac"
	"encoding/binary"
	"hash"
)

// The labels of DTLS 1.3 begin with "dtls13", without the space that "tls13 "
// ends with (RFC 9147, Section 5.9). The schedule takes the prefix as a
// parameter so that the vectors of TLS test it.
const prefix13 = "dtls13"

// A schedule derives DTLS 1.3's secrets, each from the one before (RFC 8446,
// Section 7.1):
//
//	0 -> HKDF-Extract = Early Secret
//	          |
//	    Derive-Secret(., "derived", "")
//	          v
//	(EC)DHE -> HKDF-Extract = Handshake Secret
//	          +-----> Derive-Secret(., "c hs traffic", ClientHello...ServerHello)
//	          +-----> Derive-Secret(., "s hs traffic", ClientHello...ServerHello)
//	          |
//	    Derive-Secret(., "derived", "")
//	          v
//	0 -> HKDF-Extract = Master Secret
//	          +-----> Derive-Secret(., "c ap traffic", ClientHello...server Finished)
//	          +-----> Derive-Secret(., "s ap traffic", ClientHello...server Finished)
//	          +-----> Derive-Secret(., "exp master", ClientHello...server Finished)
type schedule struct {
	prefix string
	hash   crypto.Hash
	secret []byte // the Early, Handshake or Master Secret
	salt   []byte // for what follows secret; nil until it is asked for

	// mac is HMAC keyed with macKey, the secret that was expanded last: most
	// are expanded several times in a row.
	mac    hash.Hash
	macKey []byte
	info   []byte // what expandLabel hands to mac; kept for its memory
}

// salts13 is what follows the Early Secret without a pre-shared key, which is the
// same in all handshakes of DTLS 1.3 with the same hash.
var salts13 = func() map[crypto.Hash][]byte {
	salts := map[crypto.Hash][]byte{}
	for _, suite := range suites13 {
		s := newSchedule(prefix13, suite.hash)
		salts[suite.hash] = s.nextSalt()
	}
	return salts
}()

// newSchedule13 begins behind the Early Secret of DTLS 1.3.
func newSchedule13(hash crypto.Hash) *schedule {
	return &schedule{prefix: prefix13, hash: hash, salt: salts13[hash]}
}

// newSchedule begins at the Early Secret without a pre-shared key.
func newSchedule(prefix string, hash crypto.Hash) *schedule {
	s := &schedule{prefix: prefix, hash: hash}
	s.extract(make([]byte, hash.Size()), nil)
	return s
}

// advance goes on to the Handshake Secret with the key exchange's result, and
// then to the Master Secret with nil.
func (s *schedule) advance(input []byte) {
	if input == nil {
		input = make([]byte, s.hash.Size())
	}
	if s.salt == nil {
		s.salt = s.nextSalt()
	}
	s.extract(input, s.salt)
	s.salt = nil
}

func (s *schedule) nextSalt() []byte { return s.derive("derived", s.hash.New().Sum(nil)) }

func (s *schedule) extract(input, salt []byte) {
	secret, err := hkdf.Extract(s.hash.New, input, salt)
	if err != nil {
		panic("BUG: HKDF-Extract: " + err.Error())
	}
	s.secret = secret
}

// derive is Derive-Secret(Secret, Label, Messages), given the messages' hash.
func (s *schedule) derive(label string, transcriptHash []byte) []byte {
	return s.expandLabel(s.secret, label, transcriptHash, s.hash.Size())
}

// expandLabel is HKDF-Expand-Label (RFC 8446, Section 7.1):
//
//	struct {
//	    uint16 length = Length;
//	    opaque label<7..255> = "tls13 " + Label;
//	    opaque context<0..255> = Context;
//	} HkdfLabel;
//
// HKDF-Expand of no more than one block is one HMAC of the label and the number
// 1 (RFC 5869, Section 2.3); package hkdf serves what is longer.
func (s *schedule) expandLabel(secret []byte, label string, context []byte, n int) []byte {
	return s.appendLabel(make([]byte, 0, max(n, s.hash.Size())), secret, label, context, n)
}

// appendLabel appends what expandLabel returns to b.
func (s *schedule) appendLabel(b, secret []byte, label string, context []byte, n int) []byte {
	info := binary.BigEndian.AppendUint16(s.info[:0], uint16(n))
	info = append8(info, []byte(s.prefix+label))
	info = append8(info, context)
	s.info = info
	if n > s.hash.Size() {
		out, err := hkdf.Expand(s.hash.New, secret, string(info), n)
		if err != nil {
			panic("BUG: HKDF-Expand: " + err.Error())
		}
		return append(b, out...)
	}
	if s.mac == nil || !bytes.Equal(s.macKey, secret) {
		s.mac = hmac.New(s.hash.New, secret)
		s.macKey = append(s.macKey[:0], secret...)
	} else {
		s.mac.Reset()
	}
	s.info = append(info, 1)
	s.mac.Write(s.info)
	return s.mac.Sum(b)[:len(b)+n]
}

// finishedKey makes of a traffic secret what Finished is computed with (RFC 8446,
// Section 4.4.4):
//
//	finished_key = HKDF-Expand-Label(BaseKey, "finished", "", Hash.length)
//	verify_data = HMAC(finished_key, Transcript-Hash(...))
func (s *schedule) finishedKey(base []byte) []byte {
	return s.expandLabel(base, "finished", nil, s.hash.Size())
}

func (s *schedule) finished(finishedKey, transcriptHash []byte) []byte {
	mac := hmac.New(s.hash.New, finishedKey)
	mac.Write(transcriptHash)
	return mac.Sum(nil)
}

// next is the traffic secret after a KeyUpdate (RFC 8446, Section 7.2).
func (s *schedule) next(secret []byte) []byte {
	return s.expandLabel(secret, "traffic upd", nil, s.hash.Size())
}

// export is TLS-Exporter (RFC 8446, Section 7.5), where no context is the same
// as an empty one:
//
//	HKDF-Expand-Label(Derive-Secret(Secret, label, ""),
//	                  "exporter", Hash(context_value), key_length)
//
// The schedule's secret is the exporter master secret by then.
func (s *schedule) export(label string, context []byte, n int) []byte {
	h := s.hash.New()
	secret := s.derive(label, h.Sum(nil))
	h.Write(context)
	return s.expandLabel(secret, "exporter", h.Sum(nil), n)
}
