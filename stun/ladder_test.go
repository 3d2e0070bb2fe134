package stun

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/internal/ladder"
	"github.com/plainrtc/plainrtc/internal/trace"
)

// A client is a Transaction as the ladder's A: there is none before "call".
type client struct {
	*Transaction
	trace *trace.Tracer
}

func (c *client) Receive(now time.Time, packet []byte) {
	if c.Transaction != nil {
		c.Transaction.Receive(now, packet)
	}
}

func (c *client) Advance(now time.Time) {
	if c.Transaction != nil {
		c.Transaction.Advance(now)
	}
}

func (c *client) AppendPacket(now time.Time, b []byte) []byte {
	if c.Transaction == nil {
		return b
	}
	return c.Transaction.AppendPacket(now, b)
}

func (c *client) NextTimeout() time.Time {
	if c.Transaction == nil {
		return time.Time{}
	}
	return c.Transaction.NextTimeout()
}

// A responder is a Server as the ladder's Z.
type responder struct{ *Server }

var clientAddr = netip.MustParseAddrPort("192.0.2.1:32853")

func (r responder) Receive(now time.Time, packet []byte) { r.Server.Receive(now, clientAddr, packet) }
func (r responder) Advance(time.Time)                    {}
func (r responder) NextTimeout() time.Time               { return time.Time{} }
func (r responder) AppendPacket(now time.Time, b []byte) []byte {
	b, _ = r.Server.AppendPacket(now, b)
	return b
}

func setupLadder(t testing.TB, traceA, traceZ *trace.Tracer) *ladder.Pair {
	random := seeded(1)
	a := &client{trace: traceA}
	pair := &ladder.Pair{A: a, Z: responder{NewServer(ServerConfig{Trace: traceZ})}}

	pair.Describe = func(from string, packet []byte) string {
		m, err := Parse(packet)
		if err != nil {
			return err.Error()
		}
		name := m.Type().String()
		return name + "\t" + strings.TrimPrefix(m.String()[len(name):], " ")
	}
	pair.Events = func(now time.Time, peer string) []string {
		if peer != "a" || a.Transaction == nil {
			return nil
		}
		e, ok := a.NextEvent()
		if !ok {
			return nil
		}
		finished := e.(Finished)
		if finished.Err != nil {
			return []string{fmt.Sprintf("finished: %v", finished.Err)}
		}
		mapped, _ := finished.Response.XORMappedAddress()
		return []string{fmt.Sprintf("finished: mapped address %v, rtt %v", mapped, finished.RTT)}
	}
	pair.Command = func(now time.Time, verb, peer string, args []string) error {
		options := strings.Join(args, " ")
		has := func(option string) bool { return strings.Contains(options, option) }
		switch verb + " " + peer {
		case "call a":
			config := TransactionConfig{Trace: a.trace}
			b := NewBuilder(nil, BindingRequest, NewTransactionID(random))
			password := "right"
			if has("wrong-password") {
				password = "wrong"
			}
			key := NewKey([]byte(password))
			if has("username") {
				b.AddString(AttrUsername, "alice")
			}
			if has("stranger") {
				b.AddString(AttrUsername, "mallory")
			}
			if has("challenge") {
				b.AddString(AttrUsername, "alice")
				b.AddString(AttrNonce, "nonce")
			}
			if has("unknown") {
				b.AddUint32(0x7001, 1)
			}
			if has("password") {
				config.Key = key
				b.AddIntegrity(key)
			}
			if has("sha256") {
				config.Key = key
				b.AddIntegritySHA256(key, FullSHA256)
			}
			if has("fingerprint") {
				b.AddFingerprint()
			}
			if has("fast") {
				config.RTO, config.Rc, config.Rm = 100*time.Millisecond, 3, 2
			}
			a.Transaction = NewTransaction(b.Bytes(), config)
			a.Start(now)
			return nil
		case "serve z":
			config := ServerConfig{Trace: pair.Z.(responder).config.Trace}
			if has("software") {
				config.Software = "plainrtc"
			}
			if has("password") || has("mallory") {
				key := NewKey([]byte("right"))
				config.Key = func(username []byte) *Key {
					if string(username) != "alice" {
						return nil
					}
					return key
				}
			}
			pair.Z = responder{NewServer(config)}
			return nil
		}
		return fmt.Errorf("%w: call a OPTIONS, serve z OPTIONS", ladder.ErrUsage)
	}
	return pair
}

func TestLadders(t *testing.T) { ladder.Run(t, "testdata/binding.ladder", setupLadder) }

// Whichever single datagram is lost, comes twice or comes late: the
// transaction succeeds, once.
func TestSingleFaults(t *testing.T) {
	ladder.Sweep(t, "testdata/faults.ladder", "serve z password\ncall a username password fingerprint\nrun", setupLadder,
		func(p *ladder.Pair) error {
			c := p.A.(*client)
			if c.state != stateDone || c.Err() != nil {
				return fmt.Errorf("the transaction is %v with %v, want done without an error", c.state, c.Err())
			}
			return nil
		})
}
