package interop

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/sctp"
)

// usrsctpMatrix is what our SCTP and usrsctp do together over UDP, without DTLS.
// Each line is played with each of the two that connects, with I-DATA and without.
var usrsctpMatrix = []usrsctpCase{
	{"messages of every size", 0, 0, "", everySizeBothWays},
	{"a hundred streams at once", 0, 0, "", hundredStreams},
	{"5 % lost", 0.05, 0, "", bulkBothWays},
	{"never sent again, 5 % lost", 0.05, 0, "", neverSentAgain},
	{"a lifetime that ends", 0, 0, "", lifetimeEnds},
	{"stream resets", 0, 0, "", streamResets},
	{"stream resets, 5 % lost", 0.05, 0, "", streamResets},
	{"more streams", 0, 0, "", moreStreams},
	{"every stream and TSN reset", 0, 0, "", associationResets},
	{"we shut down", 0, 0, "", weShutDown},
	{"they shut down", 0, 0, "", theyShutDown},
	{"shutdown, 5 % lost", 0.05, 0, "", weShutDown},
	{"we abort", 0, 0, "", weAbort},
	{"they abort", 0, 0, "", theyAbort},
	{"we restart", 0, 0, "", weRestart},
	{"they restart", 0, 0, "", theyRestart},
	{"we have no partial reliability", 0, sctp.PartialReliability, "", reliableInstead},
	{"they have no partial reliability", 0, 0, "no-partial-reliability", reliableInstead},
	{"we have no reconfiguration", 0, sctp.Reconfiguration, "", withoutReconfiguration},
	{"they have no reconfiguration", 0, 0, "no-reconfiguration", withoutReconfiguration},
}

// A usrsctpCase is one line of the matrix.
type usrsctpCase struct {
	name    string
	loss    float64         // of packets, each way
	without sctp.Extensions // that we do not announce
	theirs  string          // an option of usrsctp's end
	play    func(p *usrsctpPair)
}

// TestUsrsctp plays the matrix.
func TestUsrsctp(t *testing.T) {
	program := buildUsrsctp(t)
	for _, c := range usrsctpMatrix {
		for _, role := range []string{"we connect", "they connect", "both connect"} {
			for _, chunks := range []string{"I-DATA", "DATA"} {
				t.Run(strings.Join([]string{c.name, role, chunks}, "/"), func(t *testing.T) {
					t.Parallel()
					p := newUsrsctpPair(t, program, c, chunks == "I-DATA")
					p.connect(role)
					p.us.setLoss(c.loss)
					c.play(p)
				})
			}
		}
	}
}

func newUsrsctpPair(t *testing.T, program string, c usrsctpCase, interleaving bool) *usrsctpPair {
	t.Helper()
	p := &usrsctpPair{t: t, ctx: testContext(t), program: program, reset: map[string]string{}}
	p.config = sctp.Config{Without: c.without, MTU: 1200, MaxMessageSize: 1 << 20, ReceiveWindow: 4 << 20, OutStreams: 1000, InStreams: 1000}
	p.options = strings.Fields(c.theirs)
	if interleaving {
		p.options = append(p.options, "interleaving")
	}
	p.us, p.socket = newSCTPEnd(t, p.config)
	p.them = startUsrsctp(t, program, p.socket, p.us, p.options...)
	return p
}

// connect sets up the association, and checks what usrsctp knows of it.
func (p *usrsctpPair) connect(role string) {
	p.t.Helper()
	switch role {
	case "we connect":
		p.them.tell(p.t, "listen")
		p.them.expect(p.t, p.ctx, "listening")
		p.us.do(p.us.a.Connect)
	case "they connect":
		p.them.tell(p.t, "connect")
		p.them.expect(p.t, p.ctx, "connecting")
	case "both connect": // INIT collides with INIT: theirs waits in our socket
		p.us.do(func(now time.Time) {
			p.them.tell(p.t, "connect")
			p.them.expect(p.t, p.ctx, "connecting")
			p.us.a.Connect(now)
		})
	}
	p.established()
	up := p.them.expect(p.t, p.ctx, "up ")
	want := "900 1000"
	for _, e := range []struct {
		extension sctp.Extensions
		off, name string
	}{
		{sctp.PartialReliability, "no-partial-reliability", "partial-reliability"},
		{sctp.Interleaving, "", "interleaving"},
		{sctp.Reconfiguration, "no-reconfiguration", "reconfiguration"},
	} {
		theirs := !slices.Contains(p.options, e.off)
		if e.extension == sctp.Interleaving {
			theirs = slices.Contains(p.options, e.name)
		}
		if has := strings.Contains(up, e.name); has != (theirs && p.config.Without&e.extension == 0) {
			p.t.Errorf("usrsctp says %q: %s is %v", up, e.name, has)
		}
	}
	if !strings.HasPrefix(up, want) {
		p.t.Errorf("usrsctp says %q, want %s streams", up, want)
	}
}

func everySizeBothWays(p *usrsctpPair) {
	var messages []sctpMessage
	for i, size := range []int{1, 1200, 65_536, 262_144, 1 << 20} {
		messages = append(messages,
			sctpMessage{stream: 1, size: size, seed: uint64(i + 1)},
			sctpMessage{stream: 2, size: size, seed: uint64(i + 100), unordered: true})
	}
	p.carry(messages, messages)
}

func hundredStreams(p *usrsctpPair) {
	var messages []sctpMessage
	for i := range 300 {
		messages = append(messages, sctpMessage{stream: uint16(i % 100), size: 1 + 100*i, seed: uint64(i + 1)})
	}
	p.carry(messages, messages)
}

func bulkBothWays(p *usrsctpPair) {
	var messages []sctpMessage
	for i := range 40 {
		messages = append(messages, sctpMessage{stream: uint16(i % 4), size: 20_000 + i, seed: uint64(i + 1), unordered: i%4 == 3})
	}
	p.carry(messages, messages)
}

// What is never sent again is lost with its packet, and nothing waits for it.
func neverSentAgain(p *usrsctpPair) {
	const n = 300
	var messages []sctpMessage
	for i := range n {
		messages = append(messages, sctpMessage{stream: uint16(1 + i%2), size: 3000, seed: uint64(i + 1), unordered: i%2 == 0, policy: limited})
	}
	// The end of the ordered stream is reliable. The other has nothing ordered to
	// say: usrsctp takes I-FORWARD-TSN for unordered messages to be about ordered
	// ones, too.
	end := sctpMessage{stream: 2, size: 9, seed: n + 1}
	for _, way := range []struct {
		name string
		send func(...sctpMessage)
		next func() string
	}{
		{"to usrsctp", p.sendOurs, p.nextTheirs},
		{"from usrsctp", p.sendTheirs, p.nextOurs},
	} {
		index := map[string]int{}
		for i, m := range messages {
			index[m.String()] = i
		}
		way.send(messages...)
		way.send(end)
		arrived, last := 0, -1
		for got := way.next(); got != end.String(); got = way.next() {
			i, known := index[got]
			if !known {
				p.t.Fatalf("%s: %q arrived, which was not sent, or twice", way.name, got)
			}
			delete(index, got)
			arrived++
			if messages[i].unordered {
				continue
			}
			if i < last {
				p.t.Fatalf("%s: ordered message %d arrived after %d", way.name, i, last)
			}
			last = i
		}
		if arrived == 0 || arrived == n {
			p.t.Errorf("%s: %d of %d messages arrived before the end, want some to be lost", way.name, arrived, n)
		}
	}
}

// A message whose lifetime ends while the path is cut does not arrive later. (Of
// those that usrsctp had not begun to send, it does not ask how old they are.)
func lifetimeEnds(p *usrsctpPair) {
	p.hello(1)
	p.us.setLoss(1)
	var messages []sctpMessage
	for i := range 50 {
		messages = append(messages, sctpMessage{stream: 1, size: 3000, seed: uint64(i + 1), policy: lifetime, value: 100})
	}
	p.sendOurs(messages...)
	p.sendTheirs(messages...)
	for begun := false; !begun; time.Sleep(5 * time.Millisecond) {
		p.us.do(func(time.Time) { begun = p.us.gone > 0 })
		if p.ctx.Err() != nil {
			p.t.Fatal("usrsctp does not begin to send")
		}
	}
	time.Sleep(300 * time.Millisecond)
	p.us.setLoss(0)
	end := sctpMessage{stream: 1, size: 9, seed: 9}
	p.sendOurs(end)
	p.sendTheirs(end)
	if got := p.nextTheirs(); got != end.String() {
		p.t.Errorf("%q arrived at usrsctp, and was too old", got)
	}
	for got := p.nextOurs(); got != end.String(); got = p.nextOurs() {
		if got == messages[0].String() {
			p.t.Errorf("%q arrived from usrsctp, and was too old", got)
		}
	}
}

// Streams are reset by each end and used again from their beginning; and each
// end can be asked to.
func streamResets(p *usrsctpPair) {
	p.hello(1)
	p.hello(2)
	var err error
	p.us.do(func(now time.Time) { err = p.us.a.ResetStreams(now, 1, 2) })
	if err != nil {
		p.t.Fatal(err)
	}
	p.us.expect(p.t, p.ctx, sctp.StreamsResetDone{Streams: []uint16{1, 2}})
	p.expectReset("incoming", "1 2")

	// Usrsctp resets them one by one, each once its data is acknowledged.
	p.them.tell(p.t, "reset out 1 2")
	for reset := ""; reset != " 1 2"; {
		event, err := p.us.events.next(p.ctx)
		r, ok := event.(sctp.StreamsReset)
		if err != nil || !ok {
			p.t.Fatalf("our end says %T%+v (%v), want streams 1 and 2 to be reset, after%s", event, event, err, reset)
		}
		for _, stream := range r.Streams {
			reset += fmt.Sprint(" ", stream)
			p.expectReset("outgoing", fmt.Sprint(stream))
		}
	}
	p.hello(1) // a message with a sequence number that is not the first would wait
	p.hello(2)

	// Incoming resets: we ask, and they reset; they ask, and we do.
	p.us.do(func(time.Time) { err = p.us.a.ResetIncomingStreams(1) })
	if err != nil {
		p.t.Fatal(err)
	}
	p.us.expect(p.t, p.ctx, sctp.StreamsReset{Streams: []uint16{1}})
	p.expectReset("outgoing", "1")
	p.them.tell(p.t, "reset in 2")
	p.us.expect(p.t, p.ctx, sctp.StreamsResetDone{Streams: []uint16{2}})
	p.expectReset("incoming", "2")
	p.hello(1)
	p.hello(2)
}

// expectReset waits until usrsctp has said that these streams were reset.
func (p *usrsctpPair) expectReset(direction, streams string) {
	p.t.Helper()
	for _, stream := range strings.Fields(streams) {
		for !strings.Contains(p.reset[direction], " "+stream+" ") {
			said := p.them.expect(p.t, p.ctx, "reset ")
			which, list, _ := strings.Cut(said, " ")
			if strings.Contains(said, "denied") || strings.Contains(said, "failed") {
				p.t.Fatalf("usrsctp says reset %s", said)
			}
			p.reset[which] += " " + list + " "
		}
		p.reset[direction] = strings.Replace(p.reset[direction], " "+stream+" ", " ", 1)
	}
}

func moreStreams(p *usrsctpPair) {
	var err error
	p.us.do(func(time.Time) { err = p.us.a.AddStreams(10, 0) })
	if err != nil {
		p.t.Fatal(err)
	}
	p.us.expect(p.t, p.ctx, sctp.StreamsAdded{OutStreams: 1010, InStreams: 900})
	p.them.expect(p.t, p.ctx, "streams 900 1010")
	p.them.tell(p.t, "add 20 0")
	p.us.expect(p.t, p.ctx, sctp.StreamsAdded{OutStreams: 1010, InStreams: 920})
	p.them.expect(p.t, p.ctx, "streams 920 1010")
	p.carry([]sctpMessage{{stream: 1009, size: 10, seed: 1}}, []sctpMessage{{stream: 919, size: 10, seed: 2}})

	// The other end is asked to add to its own; both again.
	p.us.do(func(time.Time) { err = p.us.a.AddStreams(0, 5) })
	if err != nil {
		p.t.Fatal(err)
	}
	p.us.expect(p.t, p.ctx, sctp.StreamsAdded{OutStreams: 1010, InStreams: 925})
	p.them.expect(p.t, p.ctx, "streams 925 1010")
	p.them.tell(p.t, "add 0 3")
	p.us.expect(p.t, p.ctx, sctp.StreamsAdded{OutStreams: 1013, InStreams: 925})
	p.them.expect(p.t, p.ctx, "streams 925 1013")
	p.carry([]sctpMessage{{stream: 1012, size: 10, seed: 1}}, []sctpMessage{{stream: 924, size: 10, seed: 2}})
}

func associationResets(p *usrsctpPair) {
	p.hello(1)
	var err error
	p.us.do(func(time.Time) { err = p.us.a.ResetAssociation() })
	if err != nil {
		p.t.Fatal(err)
	}
	p.us.expect(p.t, p.ctx, sctp.AssociationReset{})
	p.expectAssociationReset()
	p.hello(1)
	// We deny it while data is outstanding, after which usrsctp would ask again
	// until it gives up.
	p.settle()
	p.them.tell(p.t, "reset-association")
	p.us.expect(p.t, p.ctx, sctp.AssociationReset{})
	p.expectAssociationReset()
	p.hello(1)
}

// expectAssociationReset waits until usrsctp has said that each direction was
// reset, and then all of it.
func (p *usrsctpPair) expectAssociationReset() {
	p.t.Helper()
	said := map[string]bool{}
	for range 3 {
		said[p.them.expect(p.t, p.ctx, "")] = true
	}
	if !said["reset incoming"] || !said["reset outgoing"] || !said["association-reset"] {
		p.t.Errorf("usrsctp says %v", said)
	}
}

// What was sent before a shutdown arrives before the end.
func weShutDown(p *usrsctpPair) {
	last := sctpMessage{stream: 1, size: 200_000, seed: 7}
	p.sendOurs(last)
	p.us.do(p.us.a.Shutdown)
	p.expectMessages(p.nextTheirs, []sctpMessage{last})
	p.them.expect(p.t, p.ctx, "peer-shutdown")
	p.us.expect(p.t, p.ctx, sctp.Closed{})
	p.them.expect(p.t, p.ctx, "down")
}

func theyShutDown(p *usrsctpPair) {
	last := sctpMessage{stream: 1, size: 200_000, seed: 7}
	p.sendTheirs(last)
	p.sendOurs(last)
	p.them.tell(p.t, "shutdown")
	p.expectMessages(p.nextOurs, []sctpMessage{last})
	p.expectMessages(p.nextTheirs, []sctpMessage{last})
	p.us.expect(p.t, p.ctx, sctp.Closed{})
	p.them.expect(p.t, p.ctx, "down")
}

func weAbort(p *usrsctpPair) {
	p.us.do(func(now time.Time) { p.us.a.Abort(now, "bye") })
	p.us.expect(p.t, p.ctx, sctp.Closed{Err: &sctp.LocalError{Cause: sctp.UserInitiatedAbort, Reason: "bye"}})
	p.them.expect(p.t, p.ctx, "lost")
}

func theyAbort(p *usrsctpPair) {
	p.them.tell(p.t, "abort")
	p.us.expect(p.t, p.ctx, sctp.Closed{Err: &sctp.PeerError{Cause: sctp.UserInitiatedAbort, Reason: "bye"}})
}

// An end that begins anew, knowing nothing, takes the place of what it was.
func weRestart(p *usrsctpPair) {
	p.hello(1)
	p.config.Rand = rand.Reader
	p.us.do(func(now time.Time) {
		p.us.a = sctp.New(p.config)
		p.us.a.Connect(now)
	})
	p.established()
	p.them.expect(p.t, p.ctx, "restart")
	p.hello(1)
}

func theyRestart(p *usrsctpPair) {
	p.hello(1)
	p.them.kill()
	p.them = startUsrsctp(p.t, p.program, p.socket, p.us, p.options...)
	p.them.tell(p.t, "connect")
	p.them.expect(p.t, p.ctx, "connecting")
	p.us.expect(p.t, p.ctx, sctp.Restarted{})
	p.them.expect(p.t, p.ctx, "up ")
	p.hello(1)
}

// Where one end can not give up messages, both are reliable.
func reliableInstead(p *usrsctpPair) {
	p.us.setLoss(0.05)
	var messages []sctpMessage
	for i := range 100 {
		messages = append(messages, sctpMessage{stream: 1, size: 3000, seed: uint64(i + 1), unordered: true, policy: limited})
	}
	p.carry(messages, nil)
}

func withoutReconfiguration(p *usrsctpPair) {
	p.hello(1)
	var err error
	p.us.do(func(now time.Time) { err = p.us.a.ResetStreams(now, 1) })
	if err == nil {
		p.t.Error("a stream can be reset, and should not")
	}
	p.hello(1)
}
