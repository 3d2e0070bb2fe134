package dtls

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/internal/ladder"
	"github.com/plainrtc/plainrtc/internal/trace"
)

// describe says what a datagram holds, a line for each record, in the words of
// RFC 6347, Figure 1.
func describe(datagram []byte) string {
	var lines []string
	for len(datagram) > 0 {
		rec, rest, ok := parseRecord(datagram)
		if !ok {
			return fmt.Sprintf("no record\tof %d bytes", len(datagram))
		}
		datagram = rest
		switch {
		case rec.typ == typeChangeCipherSpec:
			lines = append(lines, "[ChangeCipherSpec]")
		case rec.typ == typeHandshake && rec.epoch > 0 && len(rec.payload) != handshakeHeaderSize+verifyDataSize+8+tagSize:
			lines = append(lines, "Handshake\tprotected")
		case rec.typ == typeHandshake && rec.epoch > 0:
			lines = append(lines, "Finished\tprotected")
		case rec.typ == typeHandshake:
			lines = append(lines, describeFragments(rec.payload)...)
		case rec.typ == typeACK:
			lines = append(lines, "ACK\tof nothing")
		case rec.typ == typeAlert && rec.epoch > 0:
			lines = append(lines, "Alert\tprotected")
		case rec.typ == typeAlert:
			m, _ := parseAlert(rec.payload)
			lines = append(lines, strings.Replace(m.String(), " ", "\t", 1))
		default:
			lines = append(lines, fmt.Sprintf("ApplicationData\t%d bytes", len(rec.payload)))
		}
	}
	return strings.Join(lines, "\n")
}

func describeFragments(b []byte) (lines []string) {
	for len(b) > 0 {
		f, rest, ok := parseFragment(b)
		if !ok {
			return append(lines, "no handshake message")
		}
		b = rest
		line := f.typ.String()
		if !f.whole() {
			line += fmt.Sprintf("\tbytes %d-%d of %d", f.offset, f.offset+len(f.body)-1, f.length)
		} else if m, ok := parsed(f.typ, f.body); ok {
			line = strings.Replace(m.String(), " ", "\t", 1)
		}
		lines = append(lines, line)
	}
	return lines
}

// A rung is an end of the ladder: a connection, what it was made from, and the
// application data that is to be sent and that came.
type rung struct {
	*Conn
	config   Config
	isClient bool
	send     [][]byte
	got      []string
	said     map[string]string // what describe said of datagrams
}

func (r *rung) make() {
	var err error
	if r.Conn, err = newConn(r.config, r.isClient); err != nil {
		panic(err)
	}
}

func (r *rung) Receive(now time.Time, packet []byte) {
	r.Conn.Receive(now, packet)
	for b, ok := r.NextData(); ok; b, ok = r.NextData() {
		r.got = append(r.got, string(b))
	}
}

func (r *rung) AppendPacket(now time.Time, b []byte) []byte {
	n := len(b)
	if b = r.Conn.AppendPacket(now, b); len(b) > n || len(r.send) == 0 {
		return b
	}
	b = append(b, r.send[0]...)
	r.send = r.send[1:]
	return b
}

func setupLadder(t testing.TB, a, z *trace.Tracer) *ladder.Pair {
	client, server := configs()
	client.Trace, server.Trace = a, z
	rungs := map[string]*rung{
		"a": {config: client, isClient: true},
		"z": {config: server},
	}
	for _, r := range rungs {
		r.make()
	}
	return &ladder.Pair{
		A: rungs["a"], Z: rungs["z"],
		Describe: func(from string, packet []byte) string { return rungs[from].describe(packet) },
		Command: func(now time.Time, verb, peer string, args []string) error {
			r := rungs[peer]
			if r == nil {
				return fmt.Errorf("%w: %s wants a peer", ladder.ErrUsage, verb)
			}
			return r.command(now, verb, args)
		},
		Events: func(now time.Time, peer string) (lines []string) {
			r := rungs[peer]
			for e, ok := r.NextEvent(); ok; e, ok = r.NextEvent() {
				switch e := e.(type) {
				case Established:
					lines = append(lines, "established")
				case Closed:
					lines = append(lines, "closed: "+e.Err.Error())
				}
			}
			for _, data := range r.got {
				lines = append(lines, "data "+data)
			}
			r.got = nil
			return lines
		},
	}
}

func (r *rung) command(now time.Time, verb string, args []string) error {
	switch verb {
	case "connect":
		r.Connect(now)
	case "cookie": // let it ask for cookies
		r.config.Cookie = true
		r.make()
	case "mtu": // let its datagrams be small
		fmt.Sscan(args[0], &r.config.MTU)
		r.make()
	case "stranger": // let it expect somebody else
		r.config.Fingerprints = []Fingerprint{{"sha-256", make([]byte, 32)}}
		r.make()
	case "send": // application data
		b := r.Seal(nil, []byte(strings.Join(args, " ")))
		if len(b) == 0 {
			return errors.New("nothing can be sent")
		}
		r.send = append(r.send, b)
	case "renegotiate": // ask to, as an older stack might
		typ := typeHelloRequest
		if r.isClient {
			typ = typeClientHello
		}
		b := r.layer.begin(nil, typeHandshake, 1)
		b = appendHandshakeHeader(b, typ, 0, 9, 0, 0)
		r.send = append(r.send, r.layer.end(b, 0))
	case "forge": // in its name, somebody sends a fatal alert in clear
		b := appendRecordHeader(nil, typeAlert, 0, 1000)
		b[len(b)-1] = 2
		r.send = append(r.send, alertMessage{levelFatal, AlertHandshakeFailure}.append(b))
	case "close":
		r.Close(now)
	case "newest": // let that be the newest version it speaks
		r.config.MaxVersion = map[string]Version{"1.2": DTLS12, "1.3": DTLS13}[args[0]]
		r.make()
	case "groups": // let these be the groups it knows
		r.config.Groups = nil
		for _, g := range groups {
			if slices.Contains(args, g.name) {
				r.config.Groups = append(r.config.Groups, g.group)
			}
		}
		r.make()
	case "unvalidated": // let its path be one that ICE did not find
		r.config.PathValidated = false
		r.make()
	case "update": // its keys, or those of both
		return r.UpdateKeys(now, len(args) > 0 && args[0] == "both")
	case "post": // a message after the handshake that we never send
		typ := map[string]handshakeType{"ticket": typeNewSessionTicket, "request": typeCertificateRequest, "hello": typeClientHello}[args[0]]
		f := &r.Conn.flight
		f.start(now, r.session.in.next, r.Conn.config.InitialRTO)
		f.addMessage(r.writeEpoch, typ, r.session.sendSeq, &finished{make([]byte, 40)})
		r.session.sendSeq++
	default:
		return fmt.Errorf("%w: there is connect, cookie, mtu, stranger, send, renegotiate, forge, close, newest, groups, unvalidated, update and post", ladder.ErrUsage)
	}
	return nil
}

func TestLadders(t *testing.T) { ladder.Run(t, "testdata/handshake.ladder", setupLadder) }

// describe says what is in a datagram that r sends: it has the keys. When a held
// one arrives it may have them no more.
func (r *rung) describe(datagram []byte) string {
	if _, ok := r.said[string(datagram)]; !ok {
		if r.said == nil {
			r.said = map[string]string{}
		}
		r.said[string(datagram)] = r.describeNow(datagram)
	}
	return r.said[string(datagram)]
}

func (r *rung) describeNow(datagram []byte) string {
	if len(datagram) == 0 || r.layer.v13 == nil {
		return describe(datagram)
	}
	var lines []string
	for b := bytes.Clone(datagram); len(b) > 0; {
		var rec ciphertext
		rest, ok := rec.parse(b)
		if !ok {
			_, rest, _ = parseRecord(b)
			lines = append(lines, describe(b[:len(b)-len(rest)]))
			b = rest
			continue
		}
		b = rest
		k := *r.layer.v13.out[rec.epochBits()]
		seq, _ := k.number(&rec)
		typ, plain, ok := k.open(&rec, seq)
		if !ok {
			return "a record that its own keys do not open"
		}
		// Figure 6 of RFC 9147 marks what is protected with {} and [].
		mark := "[%s]"
		if k.epoch == epochHandshake {
			mark = "{%s}"
		}
		switch typ {
		case typeHandshake:
			for _, line := range describeFragments(plain) {
				name, details, _ := strings.Cut(line, "\t")
				lines = append(lines, strings.TrimRight(fmt.Sprintf(mark, name)+"\t"+details, "\t"))
			}
		case typeAlert:
			m, _ := parseAlert(plain)
			lines = append(lines, fmt.Sprintf(mark, "Alert")+"\t"+m.description.String())
		case typeACK:
			m, _ := parseACK(plain)
			lines = append(lines, fmt.Sprintf(mark, "ACK")+"\t"+strings.Trim(fmt.Sprint(m), "[]"))
		default:
			lines = append(lines, fmt.Sprintf(mark, "Application Data")+fmt.Sprintf("\t%d bytes", len(plain)))
		}
	}
	return strings.Join(lines, "\n")
}

func setupLadder13(t testing.TB, a, z *trace.Tracer) *ladder.Pair {
	p := setupLadder(t, a, z)
	for _, r := range []*rung{p.A.(*rung), p.Z.(*rung)} {
		client, server := configs13()
		client.Trace, server.Trace = a, z
		if r.config = server; r.isClient {
			r.config = client
		}
		r.make()
	}
	return p
}

func TestLadders13(t *testing.T) { ladder.Run(t, "testdata/handshake13.ladder", setupLadder13) }

// agreed is what must hold after every handshake, whatever happened to it.
func agreed(p *ladder.Pair) error {
	a, z := p.A.(*rung), p.Z.(*rung)
	if !a.Established() || !z.Established() {
		return fmt.Errorf("a is %v (%v), z is %v (%v)", a.State(), a.Err(), z.State(), z.Err())
	}
	ka, _ := a.ExportKeyingMaterial("EXPORTER", nil, 32)
	kz, _ := z.ExportKeyingMaterial("EXPORTER", nil, 32)
	if !slices.Equal(ka, kz) {
		return errors.New("the ends have different secrets")
	}
	// Timers are stopped, and nothing is left of the handshake.
	for _, r := range []*rung{a, z} {
		if !r.NextTimeout().IsZero() || r.hs != nil || r.early != nil {
			return errors.New("an established connection still holds something of its handshake")
		}
	}
	return nil
}

// TestHandshakeSurvivesAnySingleFault loses, duplicates and delays each
// datagram of the handshake in turn.
func TestHandshakeSurvivesAnySingleFault(t *testing.T) {
	for name, script := range map[string]string{
		"plain":      "connect a\nrun",
		"cookie":     "cookie z\nconnect a\nrun",
		"fragmented": "mtu a 300\nmtu z 300\nconnect a\nrun",
	} {
		t.Run(name, func(t *testing.T) {
			ladder.Sweep(t, "testdata/sweep-"+name+".ladder", script, setupLadder, agreed)
		})
	}
}

// TestHandshake13SurvivesAnySingleFault does the same in DTLS 1.3.
func TestHandshake13SurvivesAnySingleFault(t *testing.T) {
	for name, script := range map[string]string{
		"plain":            "connect a\nrun",
		"retry":            "groups z secp256r1\nconnect a\nrun",
		"cookie":           "cookie z\nunvalidated z\nconnect a\nrun",
		"fragmented":       "mtu a 300\nmtu z 300\nconnect a\nrun",
		"retry-fragmented": "mtu a 300\nmtu z 300\ngroups a x25519 secp256r1\ngroups z secp256r1\ncookie z\nunvalidated z\nconnect a\nrun",
		"update":           "connect a\nrun\nupdate a both\nsend a one\nsend z two\nrun",
		"down":             "newest z 1.2\nconnect a\nrun",
	} {
		t.Run(name, func(t *testing.T) {
			ladder.Sweep(t, "testdata/sweep13-"+name+".ladder", script, setupLadder13, agreed)
		})
	}
}
