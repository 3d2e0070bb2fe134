package netsim_test

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/plainrtc/plainrtc/internal/netsim"
)

// A clock is a node that tells the time to whoever asks.
type clock struct{ asked []netip.AddrPort }

func (c *clock) Receive(_ time.Time, _, remote netip.AddrPort, _ []byte) {
	c.asked = append(c.asked, remote)
}
func (c *clock) Advance(time.Time)      {}
func (c *clock) NextTimeout() time.Time { return time.Time{} }
func (c *clock) AppendPacket(now time.Time, b []byte) ([]byte, netip.AddrPort, netip.AddrPort) {
	if len(c.asked) == 0 {
		return b, netip.AddrPort{}, netip.AddrPort{}
	}
	to := c.asked[0]
	c.asked = c.asked[1:]
	return now.AppendFormat(b, "15:04:05.000"), netip.AddrPortFrom(netip.IPv4Unspecified(), 37), to
}

// A guest is a node that asks once.
type guest struct {
	asked  bool
	answer string
}

func (g *guest) Receive(_ time.Time, local, remote netip.AddrPort, packet []byte) {
	g.answer = fmt.Sprintf("at %v from %v: it is %s", local, remote, packet)
}
func (g *guest) Advance(time.Time)      {}
func (g *guest) NextTimeout() time.Time { return time.Time{} }
func (g *guest) AppendPacket(now time.Time, b []byte) ([]byte, netip.AddrPort, netip.AddrPort) {
	if g.asked {
		return b, netip.AddrPort{}, netip.AddrPort{}
	}
	g.asked = true
	return append(b, "what time is it?"...), netip.MustParseAddrPort("10.0.0.2:4000"), netip.MustParseAddrPort("192.0.2.1:37")
}

func Example() {
	n := netsim.New(1, time.Date(2026, time.January, 1, 12, 0, 0, 0, time.UTC))
	n.AddHost(&clock{}, netsim.Profile{Delay: 40 * time.Millisecond}, netip.MustParseAddr("192.0.2.1"))
	home := n.AddNAT(netsim.PortRestrictedCone, netsim.Profile{Delay: 10 * time.Millisecond}, netip.MustParseAddr("198.51.100.7"))
	g := &guest{}
	home.AddHost(g, netsim.Profile{}, netip.MustParseAddr("10.0.0.2"))

	answered := n.Run(func() bool { return g.answer != "" }, time.Second)
	fmt.Println(answered, n.Now().Format("15:04:05.000"))
	fmt.Println(g.answer)
	// Output:
	// true 12:00:00.100
	// at 10.0.0.2:4000 from 192.0.2.1:37: it is 12:00:00.050
}
