package sctp

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/internal/wire"
)

// FuzzPacket: whatever parses is written back as it was, and nothing panics.
func FuzzPacket(f *testing.F) {
	for _, b := range samplePackets() {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, packet []byte) {
		_ = Describe(packet)
		_, chunks, ok := parseHeader(packet)
		for ok && len(chunks) > 0 {
			var c chunk
			if c, chunks, ok = nextChunk(chunks); ok {
				roundTrip(t, c)
			}
		}
	})
}

// roundTrip checks that a chunk which parses is written as it was, but for
// padding.
func roundTrip(t *testing.T, c chunk) {
	t.Helper()
	var got []byte
	switch c.typ {
	case typeData:
		if d, ok := parseData(c); ok {
			got = d.append(nil)
		}
	case typeIData:
		if d, ok := parseInterleaved(c); ok {
			got = d.append(nil)
			copy(got[10:], c.raw[10:12]) // reserved
		}
	case typeIForwardTSN:
		if f, ok := parseInterleavedForward(c); ok {
			got = f.append(nil)
			got[1] = c.flags
		}
	case typeInit, typeInitAck:
		if i, ok := parseInit(c); ok {
			got = i.append(nil, c.typ)
			got[1] = c.flags
			parseInitParams(i.params)
		}
	case typeForwardTSN:
		if f, ok := parseForward(c); ok {
			got = f.append(nil)
			got[1] = c.flags
		}
	case typeSack:
		if s, ok := parseSack(c); ok {
			got = sackBytes(s)
			got[1] = c.flags
		}
	case typeShutdown:
		if cum, ok := parseShutdown(c); ok {
			got = appendShutdown(nil, cum)
			got[1] = c.flags
		}
	case typeReconfig:
		for params := c.value; len(params) > 0; {
			p, rest, ok := nextParam(params)
			if !ok {
				break
			}
			params = rest
			switch p.typ {
			case paramOutgoingReset, paramIncomingReset, paramSSNTSNReset, paramAddOutgoing, paramAddIncoming:
				if q, ok := parseResetRequest(p); ok && !bytes.Equal(q.append(nil)[:len(p.raw)], p.raw) {
					t.Errorf("%x was written as %x", p.raw, q.append(nil))
				}
			case paramReconfigResponse:
				if v, ok := parseReconfigResponse(p); ok && !bytes.Equal(v.append(nil), p.raw) {
					t.Errorf("%x was written as %x", p.raw, v.append(nil))
				}
			}
		}
	default:
		for v := c.value; len(v) > 0; {
			k, rest, ok := nextCause(v)
			if !ok {
				break
			}
			_, v = k.String(), rest
		}
	}
	if got != nil && !bytes.Equal(got[:len(c.raw)], c.raw) {
		t.Errorf("%s: %x was written as %x", c.typ, c.raw, got)
	}
}

// sackBytes writes a SACK as a peer would.
func sackBytes(s sackChunk) []byte {
	b := beginChunk(nil, typeSack, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(s.cumTSN))
	b = binary.BigEndian.AppendUint32(b, s.rwnd)
	b = binary.BigEndian.AppendUint16(b, uint16(len(s.gaps)/4))
	b = binary.BigEndian.AppendUint16(b, uint16(len(s.duplicates)/4))
	b = append(append(b, s.gaps...), s.duplicates...)
	return endChunk(b, 0)
}

// FuzzCookie: nothing but what we wrote opens.
func FuzzCookie(f *testing.F) {
	secret := make([]byte, 32)
	c := cookie{created: 1, lifetime: 2, localTag: 2, localTSN: 3, tie: tieTags{4, 5}, peer: peerInit{tag: 6, rwnd: 7, tsn: 8, outStreams: 9, inStreams: 10}}
	f.Add(c.append(nil, secret))
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, ok := openCookie(b, secret); ok && !bytes.Equal(c.append(nil, secret), b) {
			t.Error("a cookie opened that is not ours")
		}
	})
}

// inState returns an association in the state, with data outstanding, data
// queued and data half received where the state has them.
func inState(t testing.TB, state State) *pipe {
	return inStateWith(t, state, Config{})
}

func inStateWith(t testing.TB, state State, c Config) *pipe {
	c.MaxMessageSize, c.ReceiveWindow = 8<<10, 32<<10
	p := newPipe(t, c, Config{})
	switch state {
	case StateClosed:
	case StateCookieWait:
		p.a.Connect(p.now)
		p.drain(p.a)
	case StateCookieEchoed:
		p.a.Connect(p.now)
		p.send(p.a, Message{Stream: 7, Data: pattern(5000, 1)})
		p.until("COOKIE-ECHOED", time.Second, func() bool { return p.a.State() == state })
	default:
		p.connect()
		if state == StateEstablished || state == StateShutdownPending || state == StateShutdownReceived {
			for i := range uint16(4) {
				p.send(p.a, Message{Stream: i, Data: pattern(9000, byte(i)), Limited: i%2 == 0, MaxRetransmits: 1})
			}
		}
		switch state {
		case StateShutdownPending, StateShutdownSent:
			p.a.Shutdown(p.now)
		case StateShutdownReceived, StateShutdownAckSent:
			p.z.Shutdown(p.now)
			p.drain(p.z)
			p.a.Receive(p.now, p.flight[len(p.flight)-1].bytes)
		}
		p.drain(p.a)
	}
	if p.a.State() != state {
		t.Fatalf("the state is %v, not %v", p.a.State(), state)
	}
	p.flight = nil
	return p
}

// FuzzAssociation feeds an association in each state with packets that a
// hostile peer, which knows the verification tag, could send, and lets time
// and the user interfere. Memory stays bounded, counts stay right, and nothing
// panics or goes on for ever.
func FuzzAssociation(f *testing.F) {
	for state := range byte(16) {
		for op := range byte(12) {
			f.Add([]byte{state, op, 3, 1, 2, 3, 4, 5, 6, 7, op, 3, 9, 8, 7, 6, 5, 4, 3, 2, op, 1, 1, 1, 1, 1, 1, 1})
		}
	}
	for _, b := range samplePackets() {
		f.Add(append([]byte{3, 0, byte(len(b) - headerSize)}, b[headerSize:]...))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		endure(t, input)
	})
}

// TestHostilePeer is the same without a fuzzer, over some random inputs.
func TestHostilePeer(t *testing.T) {
	for seed := range uint64(4000) {
		rng := seeded(seed, 'h')
		input := make([]byte, 50+rng.Uint64()%300)
		rng.Read(input)
		if endure(t, input); t.Failed() {
			t.Fatalf("input %x", input)
		}
	}
}

// endure does to an association what the input says.
func endure(t *testing.T, input []byte) {
	r := wire.NewReader(input)
	b := r.Uint8()
	var c Config
	if b&8 != 0 {
		c.Without = Interleaving
	}
	if b&16 != 0 {
		c.MaxMTU, c.Headers = 4000, 65
	}
	p := inStateWith(t, State(b%8), c)
	p.hold = r.Len()%2 == 0
	for steps := 0; r.Len() > 0 && steps < 400; steps++ {
		hostile(p, &r)
		drainHostile(t, p)
		checkInvariants(t, p.a)
		if mtu := p.a.PathMTU(); mtu < minMTU || mtu > 4000 {
			t.Fatalf("packets are of %d bytes now", mtu)
		}
	}
}

// hostile does one thing that the input asks for.
func hostile(p *pipe, r *wire.Reader) {
	a := p.a
	tag := a.localTag
	var chunk []byte
	near := func(n tsn) tsn { return n + tsn(int8(r.Uint8())) }
	switch op := r.Uint8(); op % 12 {
	case 0: // any chunks
		chunk = r.Bytes(min(int(r.Uint8()), r.Len()))
	case 1, 2, 3: // DATA near what is expected
		d := dataChunk{flags: r.Uint8(), tsn: a.recv.tracker.cum + 1, stream: uint16(r.Uint8() % 4), ssn: ssn(r.Uint8() % 8)}
		if op%12 != 1 {
			d.tsn = near(d.tsn)
		}
		if op > 200 {
			d.tsn += tsn(op) << 8
		}
		d.payload = make([]byte, int(r.Uint8())*int(op/16))
		if d.interleaved = a.peer.has(Interleaving); d.interleaved {
			d.mid, d.fsn = mid(d.ssn), uint32(op>>4)
		}
		chunk = d.append(nil)
	case 4, 5: // SACK near what is outstanding
		s := sackChunk{cumTSN: a.send.out.cum + tsn(r.Uint8()%4), rwnd: uint32(r.Uint8()) << 6}
		start := uint16(1)
		for n := r.Uint8() % 5; n > 0; n-- {
			start += uint16(r.Uint8() % 8)
			end := start + uint16(r.Uint8()%4)
			s.gaps = binary.BigEndian.AppendUint16(s.gaps, start)
			s.gaps = binary.BigEndian.AppendUint16(s.gaps, end)
			start = end + 1
		}
		chunk = sackBytes(s)
	case 6: // FORWARD TSN
		f := forwardChunk{newCumTSN: near(a.recv.tracker.cum)}
		for n := r.Uint8() % 4; n > 0; n-- {
			f.skipped = append(f.skipped, 0, r.Uint8()%4, 0, r.Uint8()%8)
		}
		chunk = f.append(nil)
		if a.peer.has(Interleaving) {
			i := interleavedForward{newCumTSN: f.newCumTSN}
			for k := range f.skipped.len() {
				stream, last := f.skipped.at(k)
				i.skipped = i.skipped.append(stream, op > 128, mid(last))
			}
			chunk = i.append(nil)
		}
	case 7: // RE-CONFIG
		q := resetRequest{typ: paramType(13 + r.Uint8()%6), requestSeq: a.reconfig.peerSeq + uint32(int8(r.Uint8())%3), lastTSN: near(a.recv.tracker.cum)}
		switch q.typ {
		case paramOutgoingReset, paramIncomingReset:
			for n := r.Uint8() % 4; n > 0; n-- {
				q.streams = append(q.streams, 0, r.Uint8()%4)
			}
		case paramAddOutgoing, paramAddIncoming:
			q.count = uint16(r.Uint8()) << (r.Uint8() % 9)
		}
		b := q.append(beginChunk(nil, typeReconfig, 0))
		if op > 128 && a.reconfig.request != nil {
			v := reconfigResponse{responseSeq: a.reconfig.request.requestSeq, result: reconfigResult(r.Uint8() % 8)}
			if op > 192 {
				v.next = &nextTSNs{tsn(r.Uint8()) << 24, tsn(r.Uint8()) << 24}
			}
			b = v.append(b)
		}
		chunk = endChunk(b, 0)
	case 8: // any packet
		b := bytes.Clone(r.Bytes(min(int(r.Uint8()), r.Len())))
		if len(b) >= headerSize && op > 128 {
			clear(b[8:12])
			fillChecksum(b)
		}
		a.Receive(p.now, b)
		return
	case 9: // time
		if t := a.NextTimeout(); !t.IsZero() {
			p.now = t
		}
		p.now = p.now.Add(time.Duration(op) * time.Millisecond)
		a.Advance(p.now)
		return
	case 10: // the user
		switch r.Uint8() % 8 {
		case 5:
			a.ResetIncomingStreams(uint16(r.Uint8() % 4))
		case 6:
			a.AddStreams(uint16(r.Uint8()%3), uint16(r.Uint8()%3))
		case 7:
			a.ResetAssociation()
		case 0:
			a.Send(p.now, Message{Stream: uint16(r.Uint8() % 4), Data: make([]byte, int(r.Uint8())*40), Limited: op > 128, MaxRetransmits: 1})
		case 1:
			a.ResetStreams(p.now, uint16(r.Uint8()%4))
		case 2:
			if m, ok := a.NextMessage(); ok {
				p.got[p.z] = append(p.got[p.z], m)
			}
		case 3:
			a.Shutdown(p.now)
		case 4:
			for _, m := range p.got[p.z] {
				a.Release(p.now, m)
			}
			p.got[p.z] = nil
		}
		return
	case 11: // set-up chunks
		i := initChunk{tag: uint32(r.Uint8()), rwnd: uint32(r.Uint8()) << 8, outStreams: uint16(r.Uint8()), inStreams: 4, tsn: tsn(r.Uint8())}
		switch r.Uint8() % 4 {
		case 0:
			chunk, tag = i.append(nil, typeInit), 0
		case 1:
			i.params = appendParam(nil, paramStateCookie, []byte{1, 2, 3})
			chunk = i.append(nil, typeInitAck)
		case 2: // a cookie of ours: what a peer gets by sending INIT
			k := cookie{created: p.now.UnixNano(), lifetime: time.Hour, localTag: a.localTag, peer: peerInit{tag: i.tag, rwnd: i.rwnd, tsn: i.tsn, outStreams: 4, inStreams: 4}}
			if op > 128 {
				k.localTag, k.tie = i.tag+1, a.tie
			}
			tag = k.localTag
			chunk = appendChunk(nil, typeCookieEcho, 0, k.append(nil, a.secret[:]))
		case 3:
			chunk = appendChunk(nil, chunkType(r.Uint8()), r.Uint8(), r.Bytes(min(8, r.Len())))
		}
	}
	b := append(header{source: 5000, destination: 5000, tag: tag}.append(nil), chunk...)
	fillChecksum(b)
	a.Receive(p.now, b)
}

// drainHostile takes out what the association has to say.
func drainHostile(t testing.TB, p *pipe) {
	for n := 0; ; n++ {
		b := p.a.AppendPacket(p.now, nil)
		if len(b) == 0 {
			break
		}
		if len(b) > p.a.PathMTU() && len(b) != p.a.pmtud.size && !p.a.MayFragment() {
			t.Fatalf("a packet of %d bytes: %s", len(b), Describe(b))
		}
		if n > 200 {
			t.Fatalf("endless packets: %s", Describe(b))
		}
	}
	for !p.hold {
		m, ok := p.a.NextMessage()
		if !ok {
			break
		}
		p.a.Release(p.now, m)
	}
	for _, ok := p.a.NextEvent(); ok; _, ok = p.a.NextEvent() {
	}
}

// samplePackets are one of each chunk.
func samplePackets() [][]byte {
	h := header{source: 5000, destination: 5000, tag: 0x01020304}
	data := dataChunk{flags: flagBegin | flagEnd, tsn: 7, stream: 1, ssn: 2, ppid: 51, payload: []byte("hello")}
	first := dataChunk{interleaved: true, flags: flagBegin, tsn: 7, stream: 1, mid: 70000, ppid: 51, payload: []byte("hel")}
	second := dataChunk{interleaved: true, flags: flagEnd | flagUnordered | flagImmediate, tsn: 8, stream: 1, mid: 2, fsn: 1, payload: []byte("lo")}
	outgoing := resetRequest{typ: paramOutgoingReset, requestSeq: 1, responseSeq: 2, lastTSN: 3, streams: []byte{0, 1, 0, 2}}
	chunks := [][]byte{
		data.append(nil),
		initChunk{tag: 1, rwnd: 1 << 20, outStreams: 65535, inStreams: 65535, tsn: 9, params: (PartialReliability | Reconfiguration).appendParams(nil)}.append(nil, typeInit),
		initChunk{tag: 1, rwnd: 1 << 20, outStreams: 1, inStreams: 1, tsn: 9, params: appendParam(nil, paramStateCookie, make([]byte, 16))}.append(nil, typeInitAck),
		sackBytes(sackChunk{cumTSN: 5, rwnd: 100, gaps: gapBlocks{0, 2, 0, 3, 0, 5, 0, 5}, duplicates: []byte{0, 0, 0, 4}}),
		appendChunk(nil, typeHeartbeat, 0, appendParam(nil, paramHeartbeatInfo, []byte{1, 2, 3})),
		appendChunk(nil, typeHeartbeatAck, 0, appendParam(nil, paramHeartbeatInfo, []byte{1, 2, 3, 4, 5, 6, 7, 8})),
		appendChunk(nil, typeAbort, flagT, appendCause(nil, UserInitiatedAbort, []byte("bye"))),
		appendShutdown(nil, 5),
		appendChunk(nil, typeShutdownAck, 0, nil),
		appendChunk(nil, typeError, 0, appendStreamCause(nil, 5)),
		appendChunk(nil, typeCookieEcho, 0, make([]byte, 20)),
		appendChunk(nil, typeCookieAck, 0, nil),
		appendChunk(nil, typeShutdownComplete, flagT, nil),
		appendChunk(nil, typeReconfig, 0, outgoing.append(nil)),
		appendChunk(nil, typeReconfig, 0, reconfigResponse{responseSeq: 5, result: resultInProgress}.append(nil)),
		forwardChunk{newCumTSN: 9, skipped: skippedStreams{0, 1, 0, 2}}.append(nil),
		first.append(nil),
		second.append(nil),
		interleavedForward{newCumTSN: 9, skipped: skippedMessages(nil).append(1, false, 70000).append(1, true, 2)}.append(nil),
		appendChunk(nil, chunkType(0xC1), 0, []byte("unknown")),
	}
	var packets [][]byte
	for _, c := range chunks {
		b := append(h.append(nil), c...)
		fillChecksum(b)
		packets = append(packets, b)
	}
	return packets
}
