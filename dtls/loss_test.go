package dtls

import (
	"bytes"
	"container/heap"
	"math/rand/v2"
	"testing"
	"time"
)

// A parcel is a datagram on its way.
type parcel struct {
	at       time.Time
	n        int // breaks ties: the order of sending
	toServer bool
	datagram []byte
}

type parcels []parcel

func (p parcels) Len() int { return len(p) }
func (p parcels) Less(i, j int) bool {
	return p[i].at.Before(p[j].at) || p[i].at.Equal(p[j].at) && p[i].n < p[j].n
}
func (p parcels) Swap(i, j int) { p[i], p[j] = p[j], p[i] }
func (p *parcels) Push(x any)   { *p = append(*p, x.(parcel)) }
func (p *parcels) Pop() any {
	last := (*p)[len(*p)-1]
	*p = (*p)[:len(*p)-1]
	return last
}

// TestHandshakeOnBadPaths runs handshakes over paths that lose three datagrams
// of ten, copy some and let others wait: all must come about, and a few
// seconds must do for nearly all.
func TestHandshakeOnBadPaths(t *testing.T) {
	t.Run("DTLS 1.2", func(t *testing.T) { badPaths(t, false) })
	t.Run("DTLS 1.3", func(t *testing.T) { badPaths(t, true) })
}

func badPaths(t *testing.T, newer bool) {
	seeds := uint64(400)
	if testing.Short() {
		seeds = 50
	}
	var slow, datagrams int
	for seed := range seeds {
		random := rand.New(rand.NewPCG(seed, 0))
		client, server := configs()
		if newer {
			client, server = configs13()
			client.Groups = [][]Group{nil, {X25519}, {Secp384r1, X25519}}[seed%3]
		}
		server.Cookie = seed%2 == 0
		if seed%3 == 0 {
			client.MTU, server.MTU = 300, 300
		}
		delay := time.Duration(random.IntN(200)) * time.Millisecond
		p := newPair(t, client, server)
		var wire parcels
		send := func() {
			for _, toServer := range []bool{true, false} {
				from := p.server
				if toServer {
					from = p.client
				}
				for b := from.AppendPacket(p.now, nil); len(b) > 0; b = from.AppendPacket(p.now, nil) {
					datagrams++
					for copies := 1 + random.IntN(10)/9; copies > 0; copies-- {
						if random.IntN(10) >= 3 {
							late := time.Duration(random.IntN(60)*random.IntN(2)) * time.Millisecond
							heap.Push(&wire, parcel{p.now.Add(delay + late), datagrams, toServer, bytes.Clone(b)})
						}
					}
				}
			}
		}
		send()
		for !p.client.Established() || !p.server.Established() {
			next := earliest(p.client.NextTimeout(), p.server.NextTimeout())
			if len(wire) > 0 {
				next = earliest(next, wire[0].at)
			}
			if next.IsZero() || p.client.Err() != nil || p.server.Err() != nil {
				t.Fatalf("seed %d: stuck: client %v (%v), server %v (%v)", seed, p.client.State(), p.client.Err(), p.server.State(), p.server.Err())
			}
			p.now = next
			for len(wire) > 0 && !wire[0].at.After(p.now) {
				d := heap.Pop(&wire).(parcel)
				if d.toServer {
					p.deliver(p.server, d.datagram)
				} else {
					p.deliver(p.client, d.datagram)
				}
			}
			p.client.Advance(p.now)
			p.server.Advance(p.now)
			send()
		}
		if took := p.now.Sub(start); took > 8*time.Second {
			slow++
		}
		a, _ := p.client.ExportKeyingMaterial("EXPORTER", nil, 32)
		z, _ := p.server.ExportKeyingMaterial("EXPORTER", nil, 32)
		if !bytes.Equal(a, z) {
			t.Fatalf("seed %d: the ends have different secrets", seed)
		}
	}
	t.Logf("%d handshakes took %d datagrams; %d took longer than 8 s", seeds, datagrams, slow)
	if slow > int(seeds)/20 {
		t.Errorf("%d of %d handshakes took longer than 8 s", slow, seeds)
	}
}

// TestPostQuantumHandshakeSurvivesAnySingleFault loses, doubles and delays each
// datagram of a handshake with X25519MLKEM768 in turn, whose hellos take two
// datagrams each way. Its transcripts are not golden, since one end does not
// follow from a seed; see the ladders for the other groups.
func TestPostQuantumHandshakeSurvivesAnySingleFault(t *testing.T) {
	for _, retry := range []bool{false, true} {
		for _, fault := range []string{"lost", "doubled", "late"} {
			for faulty, struck := 0, true; struck; faulty++ {
				client, server := configs13()
				server.Groups = []Group{X25519MLKEM768}
				if retry { // the client sends its share when it is asked to
					client.Groups = []Group{X25519, X25519MLKEM768}
				}
				p := newPair(t, client, server)
				n := 0
				struck = false
				var late [][]byte
				p.tap = func(_ bool, b []byte) (arrives [][]byte) {
					n++
					if n-1 != faulty {
						arrives = append([][]byte{b}, late...)
						late = nil
						return arrives
					}
					struck = true
					switch fault {
					case "doubled":
						arrives = [][]byte{b, bytes.Clone(b)}
					case "late":
						late = [][]byte{b}
					}
					return arrives
				}
				p.connect()
				if p.client.ConnectionState().Group != X25519MLKEM768 {
					t.Fatalf("retry %v, datagram %d %s: client %v, server %v", retry, faulty, fault, p.client.Err(), p.server.Err())
				}
				// The client's last flight may have gone again, and be late.
				p.tap = nil
				p.established()
				if took := p.now.Sub(start); took > 2*time.Second {
					t.Errorf("retry %v, datagram %d %s: it took %v", retry, faulty, fault, took)
				}
			}
		}
	}
}
