package netsim

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

var start = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

// a is an address and port of the tests, such as a(1, 5000): 192.0.2.1:5000.
func a(host byte, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, host}), port)
}

// private is an address behind a NAT.
func private(host byte, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, host}), port)
}

// A toy sends what it is told to and remembers what it received.
type toy struct {
	queue  []sent
	echoes bool // answers everything with the same bytes
	got    []arrival
	quiet  bool // does not remember
	split  bool // its packets may be fragmented

	wake   time.Time // sends a packet to target then, and every interval after
	every  time.Duration
	target sent
}

type sent struct {
	local, remote netip.AddrPort
	text          string
}

type arrival struct {
	at            time.Time
	local, remote netip.AddrPort
	text          string
}

func (t *toy) send(local, remote netip.AddrPort, text string) {
	t.queue = append(t.queue, sent{local, remote, text})
}

func (t *toy) Receive(now time.Time, local, remote netip.AddrPort, packet []byte) {
	if t.echoes {
		t.send(local, remote, string(packet))
	}
	if !t.quiet {
		t.got = append(t.got, arrival{now, local, remote, string(packet)})
	}
}

func (t *toy) Advance(now time.Time) {
	for !t.wake.IsZero() && !t.wake.After(now) {
		t.queue = append(t.queue, t.target)
		t.wake = t.wake.Add(t.every)
	}
}

func (t *toy) AppendPacket(now time.Time, b []byte) ([]byte, netip.AddrPort, netip.AddrPort) {
	if len(t.queue) == 0 {
		return b, netip.AddrPort{}, netip.AddrPort{}
	}
	s := t.queue[0]
	copy(t.queue, t.queue[1:])
	t.queue = t.queue[:len(t.queue)-1]
	return append(b, s.text...), s.local, s.remote
}

func (t *toy) MayFragment() bool { return t.split }

func (t *toy) NextTimeout() time.Time { return t.wake }

// texts is what arrived, and when, in milliseconds.
func (t *toy) texts() string {
	var all []string
	for _, g := range t.got {
		all = append(all, fmt.Sprintf("%s@%v", g.text, g.at.Sub(start)))
	}
	return strings.Join(all, " ")
}

// A pair is two toys, 192.0.2.1 and 192.0.2.2, and a link between them: a's
// link up has the profile, everything else is perfect.
type pair struct {
	*Network
	a, z *toy
	link *Link
}

func newPair(seed uint64, p Profile) *pair {
	n := New(seed, start)
	t := &pair{Network: n, a: &toy{}, z: &toy{}}
	t.link = n.AddHost(t.a, Profile{}, a(1, 0).Addr()).Up
	t.link.Profile = p
	n.AddHost(t.z, Profile{}, a(2, 0).Addr())
	return t
}

// sendMany lets a send so many datagrams of that size to z, one every interval.
func (t *pair) sendMany(count, size int, every time.Duration) {
	text := strings.Repeat("x", size)
	for i := range count {
		t.After(time.Duration(i)*every, func() { t.a.send(a(1, 1), a(2, 2), text) })
	}
	t.Run(nil, time.Duration(count)*every+time.Minute)
}

func wantTexts(t *testing.T, node *toy, want string) {
	t.Helper()
	if got := node.texts(); got != want {
		t.Errorf("what arrived is %q, want %q", got, want)
	}
}

func wantDrops(t *testing.T, n *Network, want Drops) {
	t.Helper()
	if got := n.Drops(); got != want {
		t.Errorf("the drops are %+v, want %+v", got, want)
	}
}

// inOrder reports whether arrivals have the order of their texts.
func inOrder(got []arrival) bool {
	return slices.IsSortedFunc(got, func(x, y arrival) int { return strings.Compare(x.text, y.text) })
}
