package dtls

import (
	"encoding/binary"
	"fmt"

	"github.com/plainrtc/plainrtc/internal/wire"
)

// The messages that DTLS 1.3 has and 1.2 has not, or has in another form. The
// hellos, CertificateVerify and Finished look the same in both.

// helloRetryRandom in a ServerHello makes it a HelloRetryRequest: the hash of
// those words (RFC 8446, Section 4.1.3).
var helloRetryRandom = [randomSize]byte{
	0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
	0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
}

// isRetry reports whether a ServerHello is a HelloRetryRequest.
func (m *serverHello) isRetry() bool { return string(m.random) == string(helloRetryRandom[:]) }

// An encryptedExtensions is what a server answers in secret (RFC 8446, Section
// 4.3.1).
//
//	struct {
//	    Extension extensions<0..2^16-1>;
//	} EncryptedExtensions;
type encryptedExtensions struct {
	extensions extensions
}

func parseEncryptedExtensions(b []byte) (m encryptedExtensions, ok bool) {
	r := wire.NewReader(b)
	ok = m.extensions.parse(r.Vector16(), fromServer)
	return m, ok && r.Done()
}

func (m *encryptedExtensions) append(b []byte) []byte { return m.extensions.append(b, fromServer) }

func (m *encryptedExtensions) String() string { return "EncryptedExtensions" }

// A certificateRequest13 asks for the client's certificate (RFC 8446, Section
// 4.3.2).
//
//	struct {
//	    opaque certificate_request_context<0..2^8-1>;
//	    Extension extensions<2..2^16-1>;
//	} CertificateRequest;
type certificateRequest13 struct {
	context []byte
	schemes list16 // signature_algorithms
}

func parseCertificateRequest13(b []byte) (m certificateRequest13, ok bool) {
	r := wire.NewReader(b)
	m.context = r.Vector8()
	var e extensions
	ok = e.parse(r.Vector16(), fromServer)
	m.schemes = e.signatureAlgorithms
	return m, ok && r.Done()
}

func (m *certificateRequest13) append(b []byte) []byte {
	b = append8(b, m.context)
	e := extensions{signatureAlgorithms: m.schemes}
	return e.append(b, fromServer)
}

func (m *certificateRequest13) String() string { return "CertificateRequest" }

// A certificate13 is RFC 8446, Section 4.4.2. As in DTLS 1.2 only the first
// certificate matters; its extensions say nothing that we asked for.
//
//	struct {
//	    opaque cert_data<1..2^24-1>;
//	    Extension extensions<0..2^16-1>;
//	} CertificateEntry;
//
//	struct {
//	    opaque certificate_request_context<0..2^8-1>;
//	    CertificateEntry certificate_list<0..2^24-1>;
//	} Certificate;
type certificate13 struct {
	context []byte
	leaf    []byte   // nil: the list is empty
	issuers [][]byte // what follows it: read, not written
	// extended is set when the first entry has extensions.
	extended bool
}

func parseCertificate13(b []byte) (m certificate13, ok bool) {
	r := wire.NewReader(b)
	m.context = r.Vector8()
	list := wire.NewReader(r.Vector24())
	for list.Len() > 0 {
		der := list.Vector24()
		extensions := list.Vector16()
		if len(der) == 0 {
			return m, false
		}
		if m.leaf == nil {
			m.leaf, m.extended = der, len(extensions) > 0
		} else {
			m.issuers = append(m.issuers, der)
		}
	}
	return m, list.OK() && r.Done()
}

func (m *certificate13) append(b []byte) []byte {
	b = append8(b, m.context)
	if m.leaf == nil {
		return wire.AppendUint24(b, 0)
	}
	b = wire.AppendUint24(b, uint32(3+len(m.leaf)+2))
	b = wire.AppendUint24(b, uint32(len(m.leaf)))
	return append(append(b, m.leaf...), 0, 0)
}

func (m *certificate13) String() string {
	if m.leaf == nil {
		return "Certificate (none)"
	}
	return "Certificate"
}

// A keyUpdate tells that its sender goes on with new keys, and perhaps wants
// the peer to do so too (RFC 8446, Section 4.6.3).
//
//	enum {
//	    update_not_requested(0), update_requested(1), (255)
//	} KeyUpdateRequest;
//
//	struct {
//	    KeyUpdateRequest request_update;
//	} KeyUpdate;
type keyUpdate struct {
	requested bool
}

func parseKeyUpdate(b []byte) (m keyUpdate, ok bool) {
	if len(b) != 1 || b[0] > 1 {
		return m, false
	}
	return keyUpdate{b[0] == 1}, true
}

func (m *keyUpdate) append(b []byte) []byte {
	if m.requested {
		return append(b, 1)
	}
	return append(b, 0)
}

func (m *keyUpdate) String() string {
	if m.requested {
		return "KeyUpdate update_requested"
	}
	return "KeyUpdate update_not_requested"
}

// A recordNumber names a record in an ACK.
type recordNumber struct{ epoch, seq uint64 }

func (n recordNumber) String() string { return fmt.Sprintf("%d.%d", n.epoch, n.seq) }

// compare orders record numbers as an ACK lists them.
func (n recordNumber) compare(m recordNumber) int {
	if n.epoch != m.epoch {
		if n.epoch < m.epoch {
			return -1
		}
		return 1
	}
	if n.seq < m.seq {
		return -1
	}
	if n.seq > m.seq {
		return 1
	}
	return 0
}

// An ackMessage is the content of an ACK record (RFC 9147, Section 7).
//
//	struct {
//	    uint64 epoch;
//	    uint64 sequence_number;
//	} RecordNumber;
//
//	struct {
//	    RecordNumber record_numbers<0..2^16-1>;
//	} ACK;
type ackMessage []recordNumber

func parseACK(b []byte) (m ackMessage, ok bool) {
	r := wire.NewReader(b)
	list := wire.NewReader(r.Vector16())
	for list.Len() > 0 {
		m = append(m, recordNumber{list.Uint64(), list.Uint64()})
	}
	return m, list.OK() && r.Done()
}

func (m ackMessage) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(16*len(m)))
	for _, n := range m {
		b = binary.BigEndian.AppendUint64(b, n.epoch)
		b = binary.BigEndian.AppendUint64(b, n.seq)
	}
	return b
}
