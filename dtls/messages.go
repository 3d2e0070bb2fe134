package dtls

import (
	"encoding/binary"
	"fmt"

	"github.com/plainrtc/plainrtc/internal/wire"
)

// A handshakeType is the first byte of a handshake message.
type handshakeType uint8

const (
	typeHelloRequest        handshakeType = 0
	typeClientHello         handshakeType = 1
	typeServerHello         handshakeType = 2
	typeHelloVerifyRequest  handshakeType = 3
	typeNewSessionTicket    handshakeType = 4 // RFC 8446, Section 4.6.1
	typeEncryptedExtensions handshakeType = 8
	typeCertificate         handshakeType = 11
	typeServerKeyExchange   handshakeType = 12
	typeCertificateRequest  handshakeType = 13
	typeServerHelloDone     handshakeType = 14
	typeCertificateVerify   handshakeType = 15
	typeClientKeyExchange   handshakeType = 16
	typeFinished            handshakeType = 20
	typeKeyUpdate           handshakeType = 24
	typeMessageHash         handshakeType = 254 // never sent; see HelloRetryRequest
)

// handshakeTypes says, for each message, its name and the most bytes of body
// that we make room for: far above what any known peer sends, far below what
// the 24 bits of its length could ask for.
var handshakeTypes = map[handshakeType]struct {
	name string
	max  int
}{
	typeHelloRequest:        {"HelloRequest", 0},
	typeClientHello:         {"ClientHello", 8 << 10}, // ML-KEM key shares alone are 1.2 kB
	typeServerHello:         {"ServerHello", 4 << 10},
	typeHelloVerifyRequest:  {"HelloVerifyRequest", 3 + 255},
	typeNewSessionTicket:    {"NewSessionTicket", 8 << 10},
	typeEncryptedExtensions: {"EncryptedExtensions", 4 << 10},
	typeKeyUpdate:           {"KeyUpdate", 1},
	typeCertificate:         {"Certificate", 16 << 10}, // a chain of RSA certificates
	typeServerKeyExchange:   {"ServerKeyExchange", 2 << 10},
	typeCertificateRequest:  {"CertificateRequest", 16 << 10}, // names of authorities
	typeServerHelloDone:     {"ServerHelloDone", 0},
	typeCertificateVerify:   {"CertificateVerify", 2 << 10},
	typeClientKeyExchange:   {"ClientKeyExchange", 1 << 10},
	typeFinished:            {"Finished", 64},
}

func (t handshakeType) String() string {
	if h, ok := handshakeTypes[t]; ok {
		return h.name
	}
	return fmt.Sprintf("handshake type %d", uint8(t))
}

// A helloVerifyRequest asks the client to show that it receives what is sent
// to its address (RFC 6347, Section 4.2.1).
//
//	struct {
//	  ProtocolVersion server_version;
//	  opaque cookie<0..2^8-1>;
//	} HelloVerifyRequest;
type helloVerifyRequest struct {
	version Version
	cookie  []byte
}

func parseHelloVerifyRequest(b []byte) (m helloVerifyRequest, ok bool) {
	r := wire.NewReader(b)
	m.version = Version(r.Uint16())
	m.cookie = r.Vector8()
	return m, r.Done()
}

func (m *helloVerifyRequest) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(m.version))
	return append8(b, m.cookie)
}

func (m *helloVerifyRequest) String() string {
	return fmt.Sprintf("HelloVerifyRequest cookie[%d]", len(m.cookie))
}

// A clientHello is RFC 5246, Section 7.4.1.2 with the cookie of RFC 6347,
// Section 4.2.1. Its slices are borrowed from the bytes it was parsed from.
//
//	struct {
//	  ProtocolVersion client_version;
//	  Random random;
//	  SessionID session_id;
//	  opaque cookie<0..2^8-1>;
//	  CipherSuite cipher_suites<2..2^16-1>;
//	  CompressionMethod compression_methods<1..2^8-1>;
//	  select (extensions_present) {
//	      case false: struct {};
//	      case true:  Extension extensions<0..2^16-1>;
//	  };
//	} ClientHello;
type clientHello struct {
	version     Version
	random      []byte
	sessionID   []byte
	cookie      []byte
	suites      list16
	compression []byte
	extensions  extensions
}

func parseClientHello(b []byte) (m clientHello, ok bool) {
	r := wire.NewReader(b)
	m.version = Version(r.Uint16())
	m.random = r.Bytes(randomSize)
	m.sessionID = r.Vector8()
	m.cookie = r.Vector8()
	m.suites = r.Vector16()
	m.compression = r.Vector8()
	if len(m.sessionID) > 32 || len(m.suites) == 0 || len(m.suites)%2 != 0 || len(m.compression) == 0 {
		r.Fail()
	}
	if r.Len() > 0 && !m.extensions.parse(r.Vector16(), fromClient) {
		r.Fail()
	}
	return m, r.Done()
}

func (m *clientHello) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(m.version))
	b = append(b, m.random...)
	b = append8(b, m.sessionID)
	b = append8(b, m.cookie)
	b = append16(b, m.suites)
	b = append8(b, m.compression)
	return m.extensions.append(b, fromClient)
}

func (m *clientHello) String() string {
	s := "ClientHello"
	if len(m.cookie) > 0 {
		s += fmt.Sprintf(" cookie[%d]", len(m.cookie))
	}
	return s
}

// A serverHello is RFC 5246, Section 7.4.1.3.
//
//	struct {
//	    ProtocolVersion server_version;
//	    Random random;
//	    SessionID session_id;
//	    CipherSuite cipher_suite;
//	    CompressionMethod compression_method;
//	    select (extensions_present) {
//	        case false: struct {};
//	        case true:  Extension extensions<0..2^16-1>;
//	    };
//	} ServerHello;
type serverHello struct {
	version     Version
	random      []byte
	sessionID   []byte
	suite       CipherSuite
	compression uint8
	extensions  extensions
}

func parseServerHello(b []byte) (m serverHello, ok bool) {
	r := wire.NewReader(b)
	m.version = Version(r.Uint16())
	m.random = r.Bytes(randomSize)
	m.sessionID = r.Vector8()
	m.suite = CipherSuite(r.Uint16())
	m.compression = r.Uint8()
	if len(m.sessionID) > 32 {
		r.Fail()
	}
	if r.Len() > 0 && !m.extensions.parse(r.Vector16(), fromServer) {
		r.Fail()
	}
	return m, r.Done()
}

func (m *serverHello) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(m.version))
	b = append(b, m.random...)
	b = append8(b, m.sessionID)
	b = binary.BigEndian.AppendUint16(b, uint16(m.suite))
	b = append(b, m.compression)
	return m.extensions.append(b, fromServer)
}

func (m *serverHello) String() string { return m.name() + " " + m.suite.String() }

// A certificateMessage is RFC 5246, Section 7.4.2. Of the chain only the first
// certificate matters, the sender's own: it is known by its fingerprint, not by
// who signed it.
//
//	opaque ASN.1Cert<1..2^24-1>;
//	struct {
//	    ASN.1Cert certificate_list<0..2^24-1>;
//	} Certificate;
type certificateMessage struct {
	leaf    []byte   // nil: the list is empty
	issuers [][]byte // what follows it: read, not written
}

func parseCertificate(b []byte) (m certificateMessage, ok bool) {
	r := wire.NewReader(b)
	list := wire.NewReader(r.Vector24())
	for list.Len() > 0 {
		der := list.Vector24()
		if len(der) == 0 {
			return m, false
		}
		if m.leaf == nil {
			m.leaf = der
		} else {
			m.issuers = append(m.issuers, der)
		}
	}
	return m, list.OK() && r.Done()
}

func (m *certificateMessage) append(b []byte) []byte {
	if m.leaf == nil {
		return wire.AppendUint24(b, 0)
	}
	b = wire.AppendUint24(b, uint32(3+len(m.leaf)))
	b = wire.AppendUint24(b, uint32(len(m.leaf)))
	return append(b, m.leaf...)
}

func (m *certificateMessage) String() string {
	if m.leaf == nil {
		return "Certificate (none)"
	}
	return "Certificate"
}

// A serverKeyExchange is RFC 8422, Section 5.4: the server's ephemeral public
// key, signed.
//
//	struct {
//	    ECCurveType    curve_type;      /* named_curve(3) */
//	    NamedCurve     namedcurve;
//	    opaque         point <1..2^8-1>;
//	    SignatureAndHashAlgorithm algorithm;
//	    opaque         signature<0..2^16-1>;
//	} ServerKeyExchange;
type serverKeyExchange struct {
	group     Group
	point     []byte
	scheme    signatureScheme
	signature []byte
}

// namedCurve is the only ECCurveType that RFC 8422 leaves.
const namedCurve = 3

func parseServerKeyExchange(b []byte) (m serverKeyExchange, ok bool) {
	r := wire.NewReader(b)
	if r.Uint8() != namedCurve {
		r.Fail()
	}
	m.group = Group(r.Uint16())
	m.point = r.Vector8()
	m.scheme = signatureScheme(r.Uint16())
	m.signature = r.Vector16()
	return m, r.Done() && len(m.point) > 0
}

// appendParams appends the part that is signed: ServerECDHParams.
func (m *serverKeyExchange) appendParams(b []byte) []byte {
	b = append(b, namedCurve)
	b = binary.BigEndian.AppendUint16(b, uint16(m.group))
	return append8(b, m.point)
}

func (m *serverKeyExchange) append(b []byte) []byte {
	b = m.appendParams(b)
	b = binary.BigEndian.AppendUint16(b, uint16(m.scheme))
	return append16(b, m.signature)
}

func (m *serverKeyExchange) String() string { return "ServerKeyExchange " + m.group.String() }

// A certificateRequest is RFC 5246, Section 7.4.4. The names of authorities
// are passed over: certificates here have none.
//
//	struct {
//	    ClientCertificateType certificate_types<1..2^8-1>;
//	    SignatureAndHashAlgorithm
//	      supported_signature_algorithms<2..2^16-1>;
//	    DistinguishedName certificate_authorities<0..2^16-1>;
//	} CertificateRequest;
type certificateRequest struct {
	types   []byte
	schemes list16
}

// The ClientCertificateTypes.
const (
	rsaSign   = 1
	ecdsaSign = 64
)

func parseCertificateRequest(b []byte) (m certificateRequest, ok bool) {
	r := wire.NewReader(b)
	m.types = r.Vector8()
	m.schemes = r.Vector16()
	r.Vector16() // certificate_authorities
	return m, r.Done() && len(m.types) > 0 && len(m.schemes) > 0 && len(m.schemes)%2 == 0
}

func (m *certificateRequest) append(b []byte) []byte {
	b = append8(b, m.types)
	b = append16(b, m.schemes)
	return append16(b, nil)
}

func (m *certificateRequest) String() string { return "CertificateRequest" }

// A clientKeyExchange is RFC 8422, Section 5.7: the client's ephemeral public
// key.
//
//	struct {
//	    opaque ecdh_Yc <1..2^8-1>;
//	} ClientECDiffieHellmanPublic;
type clientKeyExchange struct {
	point []byte
}

func parseClientKeyExchange(b []byte) (m clientKeyExchange, ok bool) {
	r := wire.NewReader(b)
	m.point = r.Vector8()
	return m, r.Done() && len(m.point) > 0
}

func (m *clientKeyExchange) append(b []byte) []byte { return append8(b, m.point) }

func (m *clientKeyExchange) String() string { return "ClientKeyExchange" }

// A certificateVerify proves that the client has its certificate's key (RFC
// 5246, Section 7.4.8).
//
//	struct {
//	     SignatureAndHashAlgorithm algorithm;
//	     opaque signature<0..2^16-1>;
//	} CertificateVerify;
type certificateVerify struct {
	scheme    signatureScheme
	signature []byte
}

func parseCertificateVerify(b []byte) (m certificateVerify, ok bool) {
	r := wire.NewReader(b)
	m.scheme = signatureScheme(r.Uint16())
	m.signature = r.Vector16()
	return m, r.Done()
}

func (m *certificateVerify) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(m.scheme))
	return append16(b, m.signature)
}

func (m *certificateVerify) String() string { return "CertificateVerify" }

// A serverHelloDone ends the server's flight (RFC 5246, Section 7.4.5).
//
//	struct { } ServerHelloDone;
type serverHelloDone struct{}

func (m *serverHelloDone) append(b []byte) []byte { return b }

func (m *serverHelloDone) String() string { return "ServerHelloDone" }

// A finished proves that its sender saw the same handshake and has the keys
// (RFC 5246, Section 7.4.9).
//
//	struct {
//	    opaque verify_data[verify_data_length];
//	} Finished;
type finished struct {
	verifyData []byte
}

func (m *finished) append(b []byte) []byte { return append(b, m.verifyData...) }

func (m *finished) String() string { return "Finished" }

// append8 appends v behind a byte of length.
func append8(b, v []byte) []byte {
	if len(v) > 0xff {
		panic("BUG: vector does not fit 8 bits of length")
	}
	return append(append(b, byte(len(v))), v...)
}

// append16 appends v behind two bytes of length.
func append16(b, v []byte) []byte {
	if len(v) > 0xffff {
		panic("BUG: vector does not fit 16 bits of length")
	}
	return append(binary.BigEndian.AppendUint16(b, uint16(len(v))), v...)
}
