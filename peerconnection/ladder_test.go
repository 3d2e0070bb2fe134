package peerconnection

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/dtls"
	"github.com/plainrtc/plainrtc/ice"
	"github.com/plainrtc/plainrtc/internal/ladder"
	"github.com/plainrtc/plainrtc/internal/trace"
	"github.com/plainrtc/plainrtc/stun"
)

// The set-up of the whole stack on a ladder: what each datagram is, in the order
// they are sent, and that no single loss, duplicate or delay keeps it from
// coming about.

// A ladderPeer is a core on a link between two fixed addresses. It looks over
// the tracer's shoulder for what its DTLS records hold.
type ladderPeer struct {
	pc     *PeerConnection
	path   ice.Path
	sealed []byte            // the SCTP packet in the record that was sent last
	said   map[string]string // what describe said of datagrams
}

func (p *ladderPeer) Receive(now time.Time, packet []byte) { p.pc.core.Receive(now, p.path, packet) }
func (p *ladderPeer) Advance(now time.Time)                { p.pc.core.Advance(now) }
func (p *ladderPeer) NextTimeout() time.Time               { return p.pc.core.NextTimeout() }
func (p *ladderPeer) AppendPacket(now time.Time, b []byte) []byte {
	b, _ = p.pc.core.AppendPacket(now, b)
	return b
}

func (p *ladderPeer) Trace(e *trace.Event) {
	if e.Kind == trace.KindPacket && e.Layer == trace.SCTP && e.Direction == trace.Out {
		p.sealed = append(p.sealed[:0], e.Bytes...)
	}
}

// describe says what a datagram of p's is; when a held one arrives, what it said
// when it was sent.
func (p *ladderPeer) describe(b []byte) string {
	if _, ok := p.said[string(b)]; !ok {
		if p.said == nil {
			p.said = map[string]string{}
		}
		p.said[string(b)] = p.describeNow(b)
	}
	return p.said[string(b)]
}

func (p *ladderPeer) describeNow(b []byte) string {
	switch classify(b) {
	case datagramSTUN:
		m, err := stun.Parse(b)
		if err != nil {
			return "not STUN: " + err.Error()
		}
		details := ""
		if m.Has(stun.AttrUseCandidate) {
			details = "USE-CANDIDATE"
		}
		return "STUN " + m.Type().String() + "\t" + details
	case datagramDTLS:
		if b[0] == 23 || b[0]&0xe3 == 0x23 && len(b) == len(p.sealed)+p.pc.core.dtls.Overhead() {
			return "SCTP\t" + chunkNames(p.sealed)
		}
		return "DTLS\t" + strings.Join(recordNames(b), ", ")
	}
	return "unknown"
}

// recordNames names the records of a datagram, and the handshake messages in clear.
func recordNames(b []byte) (names []string) {
	handshakes := map[byte]string{1: "ClientHello", 2: "ServerHello", 11: "Certificate", 12: "ServerKeyExchange",
		13: "CertificateRequest", 14: "ServerHelloDone", 15: "CertificateVerify", 16: "ClientKeyExchange"}
	for len(b) >= 13 {
		if b[0]&0xe0 == 0x20 { // DTLS 1.3, and we have no keys
			name := "[…]"
			if b[0]&3 == 2 {
				name = "{…}"
			}
			if len(names) == 0 || names[len(names)-1] != name {
				names = append(names, name)
			}
			b = b[5+int(binary.BigEndian.Uint16(b[3:])):]
			continue
		}
		size := int(binary.BigEndian.Uint16(b[11:]))
		body := b[13 : 13+size]
		switch {
		case b[0] == 20:
			names = append(names, "[ChangeCipherSpec]")
		case b[0] == 21:
			names = append(names, "Alert")
		case b[0] == 22 && b[4] > 0:
			names = append(names, "Finished")
		case b[0] == 22:
			for len(body) >= 12 {
				names = append(names, handshakes[body[0]])
				body = body[12+int(binary.BigEndian.Uint16(body[10:])):]
			}
		}
		b = b[13+size:]
	}
	return names
}

// chunkNames names the chunks of an SCTP packet.
func chunkNames(b []byte) string {
	chunks := map[byte]string{0: "DATA", 1: "INIT", 2: "INIT ACK", 3: "SACK", 4: "HEARTBEAT", 5: "HEARTBEAT ACK", 6: "ABORT",
		10: "COOKIE ECHO", 11: "COOKIE ACK", 64: "I-DATA", 130: "RE-CONFIG", 194: "I-FORWARD-TSN"}
	var names []string
	for b = b[12:]; len(b) >= 4; {
		size := int(binary.BigEndian.Uint16(b[2:]))
		name := chunks[b[0]]
		if at := map[byte]int{0: 16, 64: 20}[b[0]]; at > 0 {
			switch ppid := binary.BigEndian.Uint32(b[at-4:]); {
			case ppid == ppidDCEP && b[at] == dcepOpen:
				name += "(DATA_CHANNEL_OPEN)"
			case ppid == ppidDCEP:
				name += "(DATA_CHANNEL_ACK)"
			default:
				name += fmt.Sprintf("(%q)", b[at:size])
			}
		}
		names = append(names, name)
		b = b[min((size+3)&^3, len(b)):]
	}
	return strings.Join(names, ", ")
}

func setupStack(t testing.TB, ta, tz *trace.Tracer) *ladder.Pair {
	replayCrypto(t)
	addresses := []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:1000"), netip.MustParseAddrPort("192.0.2.2:2000")}
	peers := map[string]*ladderPeer{}
	for i, name := range []string{"a", "z"} {
		p := &ladderPeer{path: ice.Path{Local: addresses[i], Remote: addresses[1-i]}}
		random := rand.NewChaCha8([32]byte{byte(i + 1)})
		certificate, err := dtls.GenerateCertificate(random, ladder.Start)
		if err != nil {
			t.Fatal(err)
		}
		// The ladder's own tracer prints drops and timers; ours sees packets.
		sink := trace.Multi(p, passOn{[]*trace.Tracer{ta, tz}[i]})
		if p.pc, err = New(Config{Rand: random, Certificate: certificate, Tracer: trace.New(sink, name)}); err != nil {
			t.Fatal(err)
		}
		peers[name] = p
	}
	a, z := &simPeer{pc: peers["a"].pc}, &simPeer{pc: peers["z"].pc}
	states := map[string]string{}
	return &ladder.Pair{
		A: peers["a"], Z: peers["z"],
		Describe: func(from string, packet []byte) string { return peers[from].describe(packet) },
		Command: func(now time.Time, verb, peer string, args []string) error {
			switch verb {
			case "connect", "connect-plain": // offer, answer, both applied at once; a has no SNAP
				a.plain = verb == "connect-plain"
				d, err := a.pc.CreateDataChannel("chat", nil)
				if err != nil {
					return err
				}
				a.exchange(t, now, z, nil, addresses[:1], addresses[1:])
				return a.pc.core.send(now, d, Text, []byte("hello"))
			case "close":
				peers[peer].pc.core.close(now)
				return nil
			}
			return fmt.Errorf("%w: unknown verb %q", ladder.ErrUsage, verb)
		},
		Events: func(now time.Time, peer string) (lines []string) {
			c := &peers[peer].pc.core
			c.pump(now)
			if s := c.state.String(); s != states[peer] {
				states[peer] = s
				lines = append(lines, s)
			}
			for len(c.unaccepted) > 0 {
				d := c.acceptChannel()
				lines = append(lines, fmt.Sprintf("accepted data channel %q", d.label))
			}
			for _, d := range c.channels {
				for len(d.inbox) > d.inboxRead {
					m := d.inbox[d.inboxRead]
					d.take()
					lines = append(lines, fmt.Sprintf("message %q", m.data))
					c.release(now, m)
				}
			}
			return lines
		},
	}
}

// passOn gives what one sink is told to another's tracer.
type passOn struct{ to *trace.Tracer }

func (p passOn) Trace(e *trace.Event) {
	switch e.Kind {
	case trace.KindDrop:
		p.to.Drop(e.Time, e.Layer, e.Text, int(e.Value))
	case trace.KindTimer:
		p.to.Timer(e.Time, e.Layer, string(e.Layer)+" "+e.Name)
	}
}

func TestLadders(t *testing.T) { ladder.Run(t, "testdata/*.ladder", setupStack) }

func TestSetUpSurvivesAnySingleFault(t *testing.T) {
	ladder.Sweep(t, "testdata/sweep/setup.ladder", "connect\nquiet 3s\nrun 4s", setupStack, func(p *ladder.Pair) error {
		a, z := &p.A.(*ladderPeer).pc.core, &p.Z.(*ladderPeer).pc.core
		if a.state != ConnectionConnected || z.state != ConnectionConnected {
			return fmt.Errorf("a is %v, z is %v", a.state, z.state)
		}
		if d := z.channels[1]; d == nil || d.messagesReceived != 1 {
			if d = z.channels[0]; d == nil || d.messagesReceived != 1 {
				return errors.New("the message has not come")
			}
		}
		return nil
	})
}
