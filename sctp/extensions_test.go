package sctp

import "testing"

// Only an end that announced RFC 9653 takes packets without a checksum, and a
// wrong checksum is refused in any case.
func TestZeroChecksumIsTakenOnlyIfAnnounced(t *testing.T) {
	for _, test := range []struct {
		config Config
		taken  bool
	}{
		{Config{Without: Interleaving}, false},
		{Config{Without: Interleaving, DTLS: true}, true},
		{Config{Without: Interleaving | ZeroChecksum, DTLS: true}, false},
	} {
		p := newPipe(t, test.config, Config{DTLS: true})
		p.connect()
		if p.z.peer.has(ZeroChecksum) != test.taken {
			t.Errorf("%+v: the peer heard %b", test.config, p.z.peer)
		}
		for _, field := range []byte{0, 1} {
			d := dataChunk{flags: flagBegin | flagEnd, tsn: p.a.recv.tracker.cum + 1, payload: []byte("x")}
			b := packet(p.a, d.append(nil))
			copy(b[8:], []byte{field, 0, 0, 0})
			before := p.a.recv.tracker.cum
			p.a.Receive(p.now, b)
			if taken := p.a.recv.tracker.cum != before; taken != (test.taken && field == 0) {
				t.Errorf("%+v: a packet with checksum %d was taken: %v", test.config, field, taken)
			}
		}
	}
}
