package peerconnection

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/plainrtc/plainrtc/ice"
	"github.com/plainrtc/plainrtc/internal/mdns"
)

// Names in the place of addresses (draft-ietf-mmusic-mdns-ice-candidates): ours, and
// the peer's. The shell asks and answers for them (mdns.go).

// A hiddenAddress is an address of ours, and the name that the peer is told: "an mDNS
// name is used to replace only one IP address".
type hiddenAddress struct {
	addr netip.Addr
	name string
}

// A hiding is what there is of names.
type hiding struct {
	ours     []hiddenAddress
	answered int      // how many of ours the shell answers for
	lookups  []string // names of the peer's candidates, which the shell is to resolve
}

func (c *core) hide() *hiding {
	if c.hiding == nil {
		c.hiding = &hiding{}
	}
	return c.hiding
}

// nameFor is the name for an address, or "" if it need not be hidden.
func (c *core) nameFor(addr netip.Addr) string {
	if !c.cfg.HideHostAddresses {
		return ""
	}
	hiding := c.hide()
	for _, h := range hiding.ours {
		if h.addr == addr {
			return h.name
		}
	}
	name := mdns.NewName([16]byte(c.random(16)))
	hiding.ours = append(hiding.ours, hiddenAddress{addr, name})
	return name
}

// maxNameLookups bounds how many names of the peer's are resolved at once.
const maxNameLookups = 64

// lookUp has the name of a remote candidate resolved, if it is one that hides an
// address. If we send to servers alone nobody would use it.
func (c *core) lookUp(candidate ice.Candidate) {
	name := strings.ToLower(candidate.Host)
	if !mdns.IsName(name) || c.cfg.ICETransportPolicy == ICETransportRelay {
		return
	}
	if hiding := c.hide(); len(hiding.lookups) < maxNameLookups && !slices.Contains(hiding.lookups, name) {
		hiding.lookups = append(hiding.lookups, name)
	}
}

// takeLookups takes the names that the shell is to resolve.
func (c *core) takeLookups() (names []string) {
	if c.hiding != nil {
		names, c.hiding.lookups = c.hiding.lookups, nil
	}
	return names
}

// nameResolved tells what address a name of the peer's has; none, if it is not valid.
func (c *core) nameResolved(now time.Time, name string, addr netip.Addr) {
	c.ice.RemoteResolved(now, name, addr)
	c.measure(now)
	c.pump(now)
}
