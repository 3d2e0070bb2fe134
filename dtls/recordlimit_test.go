package dtls

import (
	"testing"
)

// Each end learns what the other takes, and sends no more.
func TestRecordSizeLimit(t *testing.T) {
	for version, configs := range map[Version]func() (client, server Config){DTLS12: configs, DTLS13: configs13} {
		client, server := configs()
		p := newPair(t, client, server)
		p.exchange()
		p.established()
		for _, c := range []*Conn{p.client, p.server} {
			if limit := c.ConnectionState().RecordSizeLimit; limit != 1<<14 {
				t.Errorf("%v: the peer takes records of %d bytes, and says %d", version, 1<<14, limit)
			}
			if len(c.Seal(nil, make([]byte, 1<<14))) == 0 || len(c.Seal(nil, make([]byte, 1<<14+1))) > 0 {
				t.Errorf("%v: a record of %d bytes is what is sent at most", version, 1<<14)
			}
			c.recordLimit = 1000
			if len(c.Seal(nil, make([]byte, 1000))) == 0 || len(c.Seal(nil, make([]byte, 1001))) > 0 {
				t.Errorf("%v: a record of 1000 bytes is what is sent at most to a peer that takes no more", version)
			}
		}
	}
}

func TestReadRecordLimit(t *testing.T) {
	for _, test := range []struct {
		announced, limit, mtu int
		version               Version
	}{
		{0, 0, 1200, DTLS12}, // absent
		{16385, 16384, 1200, DTLS13},
		{16385, 16384, 1200, DTLS12}, // by a client that speaks both
		{65535, 16384, 1200, DTLS12},
		{1001, 1000, 1000, DTLS13},
		{1000, 1000, 1000, DTLS12},
		{64, 64, minMTU, DTLS12},
		{63, -1, 0, DTLS12},
		{1, -1, 0, DTLS13}, // what zero is read as
	} {
		h := &handshake{c: &Conn{config: Config{MTU: 1200}}}
		err := h.readRecordLimit(&extensions{recordSizeLimit: test.announced}, test.version)
		switch {
		case test.limit < 0:
			if err == nil {
				t.Errorf("a limit of %d is taken", test.announced)
			}
		case err != nil || h.recordLimit != test.limit || h.c.config.MTU != test.mtu:
			t.Errorf("%d in %v: the limit is %d and the MTU %d, %v; want %d and %d", test.announced, test.version, h.recordLimit, h.c.config.MTU, err, test.limit, test.mtu)
		}
	}
}
