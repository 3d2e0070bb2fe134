package natlab

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/internal/ladder"
	"github.com/plainrtc/plainrtc/internal/netsim"
)

// Every pair of topologies connects, seed after seed: directly wherever theory has
// a direct path, and over the relay otherwise. Ordinary checks keep their pace.
func TestEveryPairConnects(t *testing.T) {
	paced := 0
	for seed := range uint64(2) {
		for _, from := range Topologies {
			for _, to := range Topologies {
				r, err := Connect(Experiment{From: from, To: to, Seed: seed})
				if err != nil {
					t.Fatal(err)
				}
				if !r.As() {
					t.Errorf("seed %d: %v; theory says direct %v, over %v", seed, &r, r.Direct, r.Over)
				}
				// RFC 8445, Section 14.2: "ICE agents SHOULD use a default Ta value, 50 ms".
				const ta = 50 * time.Millisecond
				if r.Pace > 0 {
					paced++
				}
				if r.Pace > 0 && r.Pace < ta {
					t.Errorf("seed %d: %v: two ordinary checks of one agent are %v apart", seed, &r, r.Pace)
				}
			}
		}
	}
	if paced < len(Topologies)*len(Topologies) {
		t.Errorf("of only %d experiments the pace was measured", paced)
	}
}

// matrix is the table, which takes a while to make.
func matrix(t *testing.T) Matrix {
	once.Do(func() { table, tableErr = All(Topologies, Experiment{Seed: 1}) })
	if tableErr != nil {
		t.Fatal(tableErr)
	}
	return table
}

var (
	once     sync.Once
	table    Matrix
	tableErr error
)

// The table in README.md is the one that `plainrtc lab nat --markdown` prints.
func TestREADME(t *testing.T) {
	const (
		file  = "../../../README.md"
		begin = "<!-- The output of plainrtc lab nat --markdown; make golden renews it. -->\n"
		end   = "<!-- End of the output. -->\n"
	)
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(b), begin)
	is, tail, ended := strings.Cut(rest, end)
	if !ok || !ended {
		t.Fatalf("%s has not the lines %q and %q", file, begin, end)
	}
	m := matrix(t)
	want := m.Markdown()
	switch {
	case is == want:
	case ladder.Updating():
		if err := os.WriteFile(file, []byte(head+begin+want+end+tail), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("the table in README.md is not what the command prints; make golden renews it. It prints:\n%s", want)
	}
}

// What theory says, brute force finds: and no more. No agent is faster than that, and
// ours is nowhere slower than browsers' schedule would be, but for the 2 ms by which Ta is
// longer than their interval.
func TestNoSlowerThanBrowsers(t *testing.T) {
	m := matrix(t)
	for _, row := range m.Cells {
		for _, c := range row {
			if !c.Compared {
				continue
			}
			if _, theory := Direct(c.From, c.To); c.Least.Possible != theory {
				t.Errorf("%s → %s: theory says direct %v, brute force %v", c.From.Name, c.To.Name, theory, c.Least.Possible)
			}
			if c.Connected < c.Least.Connected {
				t.Errorf("%v: but nobody can be faster than %.2f", &c.Result, c.Least.Connected)
			}
			const twice = 2 * (50 - 48) / 100. // round trips: of two checks, one behind the other
			if c.Connected > c.Browser.Connected+twice+1e-9 {
				t.Errorf("%v: slower than browsers' schedule, %.2f", &c.Result, c.Browser.Connected)
			}
			if c.Connected > c.Least.Connected+1.5 {
				t.Errorf("%v: more than one and a half round trips longer than need be, %.2f", &c.Result, c.Least.Connected)
			}
		}
	}
	s := m.Summary()
	if s.Connected != s.Pairs || s.AsTheory != s.Pairs {
		t.Errorf("of %d pairs %d connect, %d as theory says", s.Pairs, s.Connected, s.AsTheory)
	}
}

// On shorter and longer paths the pace matters more, and less. On average ours is the faster
// schedule everywhere; a pair may be slower by less than one step of the pace.
func TestOtherRoundTrips(t *testing.T) {
	var some []Topology
	for _, name := range []string{"open", "port-restricted", "symmetric", "cgn", "dual-stack", "udp-3478", "tcp-443"} {
		at, _ := Named(name)
		some = append(some, at)
	}
	for _, rtt := range []time.Duration{20 * time.Millisecond, 40 * time.Millisecond, 400 * time.Millisecond} {
		m, err := All(some, Experiment{RTT: rtt, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range m.Cells {
			for _, c := range row {
				if !c.As() {
					t.Errorf("%v: %v; theory says direct %v", rtt, &c.Result, c.Direct)
				}
				if slower := (c.Connected - c.Browser.Connected) * float64(rtt); c.Compared && slower > float64(50*time.Millisecond) {
					t.Errorf("%v: %v; slower than browsers' schedule by %v", rtt, &c.Result, time.Duration(slower))
				}
			}
		}
		if s := m.Summary(); s.Ours > s.Browser {
			t.Errorf("%v: %.2f round trips on average, and browsers' schedule takes %.2f", rtt, s.Ours, s.Browser)
		}
	}
}

// Every mapping of RFC 4787 with every filtering, and two ways to choose ports: nine NATs of
// each, which meet each other. Theory, brute force and the agents agree on all of them.
func TestEveryBehaviour(t *testing.T) {
	behaviours := []netsim.Behaviour{netsim.EndpointIndependent, netsim.AddressDependent, netsim.AddressAndPortDependent}
	var all []Topology
	for _, mapping := range behaviours {
		for _, filtering := range behaviours {
			for _, ports := range []netsim.Ports{netsim.PreservePorts, netsim.RandomPorts} {
				all = append(all, Topology{
					Name: fmt.Sprintf("%v mapping, %v filtering, ports %d", mapping, filtering, ports), IPv4: true,
					Boxes: nat(mapping, filtering, ports),
				})
			}
		}
	}
	direct := 0
	for i, from := range all {
		for j, to := range all {
			if i%2 != j%2 {
				continue // ports are chosen in the same way
			}
			r, err := Connect(Experiment{From: from, To: to, Seed: uint64(i*len(all) + j)})
			if err != nil {
				t.Fatal(err)
			}
			least, err := Least(Experiment{From: from, To: to})
			if err != nil {
				t.Fatal(err)
			}
			if !r.As() || least.Possible != r.Direct {
				t.Errorf("%v; theory says direct %v, brute force %v", &r, r.Direct, least.Possible)
			}
			if r.Direct {
				direct++
			}
		}
	}
	if direct == 0 || direct == 2*81 {
		t.Errorf("theory has a direct path for %d of %d", direct, 2*81)
	}
}

// Behind one NAT: neighbours use their own addresses; two homes of a carrier's NAT
// meet by hairpinning, and need the relay without. Where there is one, theory is asked.
func TestBehindOneNAT(t *testing.T) {
	for _, test := range []struct {
		name    string
		relayed bool
		pair    string
	}{
		{"lan", false, "host host"},
		{"cgn", false, "srflx srflx"},
		{"cgn-no-hairpin", true, ""},
		{"cgn-symmetric", true, ""},
	} {
		at, ok := Named(test.name)
		if !ok {
			t.Fatalf("there is no topology %s", test.name)
		}
		r, err := Connect(Experiment{From: at, To: at, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		if !r.OK || r.Relayed != test.relayed || test.pair != "" && r.Local+" "+r.Remote != test.pair {
			t.Errorf("%v; want %s, relayed %v", &r, test.pair, test.relayed)
		}
	}
}

// The same experiment gives the same log, with another seed another one.
func TestLog(t *testing.T) {
	run := func(seed uint64) string {
		from, _ := Named("port-restricted")
		to, _ := Named("tcp-443")
		r, err := Connect(Experiment{From: from, To: to, Seed: seed, Log: true})
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(r.Log, "\n")
	}
	log := run(1)
	if log != run(1) || log == run(2) {
		t.Error("the log does not depend on the seed and on nothing else")
	}
	for _, want := range []string{
		"the firewall does not let it out", "dials", "CreatePermission success response",
		"Binding request USE-CANDIDATE", "typ relay", "nominated",
	} {
		if !strings.Contains(log, want) {
			t.Errorf("the log does not say %q", want)
		}
	}
}
