package dtls

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ExportKeyingMaterial derives n bytes that only the two ends of the
// connection know (RFC 5705, Section 4):
//
//	PRF(SecurityParameters.master_secret, label,
//	    SecurityParameters.client_random +
//	    SecurityParameters.server_random +
//	    context_value_length + context_value)
//
// A nil context leaves the last two out, which is not the same as an empty
// one, unless the version is 1.3, whose exporter is RFC 8446's. SRTP's keys are those of the label EXTRACTOR-dtls_srtp without context
// (RFC 5764, Section 4.2).
func (c *Conn) ExportKeyingMaterial(label string, context []byte, n int) ([]byte, error) {
	if c.secrets == nil && c.session == nil {
		return nil, errors.New("dtls: keying material exists only after the handshake")
	}
	switch label {
	case clientFinishedLabel, serverFinishedLabel, "master secret", "extended master secret", "key expansion":
		return nil, fmt.Errorf("dtls: the exporter label %q is used by DTLS itself (RFC 5705, Section 4)", label)
	}
	if n < 0 || n > maxExport || len(context) > 0xffff {
		return nil, fmt.Errorf("dtls: cannot export %d bytes with a context of %d: at most %d with %d", n, len(context), maxExport, 0xffff)
	}
	if len(label) > maxExportLabel {
		return nil, fmt.Errorf("dtls: the exporter label has %d bytes: at most %d are possible", len(label), maxExportLabel)
	}
	if c.session != nil {
		return c.session.schedule.export(label, context, n), nil
	}
	out := make([]byte, n)
	var length []byte
	if context != nil {
		length = binary.BigEndian.AppendUint16(nil, uint16(len(context)))
	}
	s := c.secrets
	newPRF(s.hash, s.master[:]).fill(out, label, s.clientRandom[:], s.serverRandom[:], length, context)
	return out, nil
}

// maxExport is arbitrary: SRTP needs 88 bytes at most.
const maxExport = 1 << 12

// maxExportLabel is what HKDF-Expand-Label has room for behind its prefix.
const maxExportLabel = 255 - len(prefix13)
