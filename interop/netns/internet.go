package netns

import (
	"errors"
	"fmt"
	"net/netip"
)

// An Internet is a router to which hosts and NATs are connected.
type Internet struct {
	router   *Namespace
	networks int
	closers  []func()
}

// A Host is a namespace with an address, where programs run.
type Host struct {
	*Namespace
	Addr netip.Addr
}

// A Site is a host behind a router of its own.
type Site struct {
	Host
	Router   *Namespace
	Outside  netip.Addr // of the router, on the internet
	internet *Internet
	number   int
	follows  Router
}

// NewInternet makes one to which nobody is connected yet.
func NewInternet() (*Internet, error) {
	router, err := New("the internet")
	if err != nil {
		return nil, err
	}
	i := &Internet{router: router}
	if err := router.Set("net/ipv4/ip_forward", "1"); err != nil {
		i.Close()
		return nil, err
	}
	return i, nil
}

// Close takes it apart, hosts and all. What runs in them has ended before.
func (i *Internet) Close() {
	for _, f := range i.closers {
		f()
	}
	i.router.Close()
}

func (i *Internet) namespace(name string) (*Namespace, error) {
	n, err := New(name)
	if err == nil {
		i.closers = append(i.closers, func() { n.Close() })
	}
	return n, err
}

// connect gives a namespace a network of its own, 198.18.N.0/24, and a device in it.
func (i *Internet) connect(n *Namespace, device string, w Wire) (addr netip.Addr, number int, err error) {
	i.networks++
	number = i.networks
	port := fmt.Sprintf("port%d", number)
	stop, err := join(end{i.router, port}, end{n, device}, w)
	if err != nil {
		return addr, number, err
	}
	i.closers = append(i.closers, stop)
	return outside(number, 2), number, errors.Join(
		i.router.IP(fmt.Sprintf("addr add %v/24 dev %s", outside(number, 1), port), "link set dev "+port+" up"),
		n.IP(fmt.Sprintf("addr add %v/24 dev %s", outside(number, 2), device), "link set dev "+device+" up",
			fmt.Sprintf("route add default via %v", outside(number, 1))),
	)
}

// outside and inside are addresses of the networks before and behind the router N. Those
// before it are set aside for measurements of networks (RFC 2544).
func outside(number, host int) netip.Addr {
	return netip.AddrFrom4([4]byte{198, 18, byte(number), byte(host)})
}

func inside(number, host int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, 0, byte(number), byte(host)})
}

// Host connects a host, without a NAT.
func (i *Internet) Host() (*Host, error) {
	n, err := i.namespace(fmt.Sprintf("host %d", i.networks+1))
	if err != nil {
		return nil, err
	}
	addr, _, err := i.connect(n, "eth0", Wire{})
	return &Host{n, addr}, err
}

// Behind connects a host by way of a router.
func (i *Internet) Behind(r Router) (*Site, error) {
	router, err := i.namespace(fmt.Sprintf("router %d", i.networks+1))
	if err != nil {
		return nil, err
	}
	addr, number, err := i.connect(router, outer, r.Outside)
	if err != nil {
		return nil, err
	}
	host, err := i.namespace(fmt.Sprintf("host behind router %d", number))
	if err != nil {
		return nil, err
	}
	s := &Site{Host: Host{host, inside(number, 2)}, Router: router, Outside: addr, internet: i, number: number, follows: r}
	if _, err := join(end{router, inner}, end{host, "eth0"}, Wire{}); err != nil {
		return nil, err
	}
	return s, errors.Join(
		router.Set("net/ipv4/ip_forward", "1"),
		router.IP(fmt.Sprintf("addr add %v/24 dev %s", inside(number, 1), inner), "link set dev "+inner+" up"),
		router.Run(r.rules(), "nft", "-f", "-"),
		host.IP(fmt.Sprintf("addr add %v/24 dev eth0", s.Addr), "link set dev eth0 up", fmt.Sprintf("route add default via %v", inside(number, 1))),
	)
}

// Change has the router follow other rules from now on. Flows that it knows, it goes on translating.
func (s *Site) Change(nat NAT, firewall Firewall) error {
	s.follows.NAT, s.follows.Firewall = nat, firewall
	return s.Router.Run(s.follows.rules(), "nft", "-f", "-")
}

// Rebind has the router forget every flow, and give each another port from now on: what
// a NAT does that starts anew.
func (s *Site) Rebind() error {
	// The kernel forgets the flows that were given an address which goes.
	return errors.Join(s.Change(Symmetric, s.follows.Firewall), s.move(s.Outside))
}

// Move gives the router another address on the internet, too, as providers do that assign them each night.
func (s *Site) Move() error {
	return errors.Join(s.Change(Symmetric, s.follows.Firewall), s.move(outside(s.number, int(s.Outside.As4()[3])+1)))
}

func (s *Site) move(to netip.Addr) error {
	from := s.Outside
	s.Outside = to
	return s.Router.IP(
		fmt.Sprintf("addr del %v/24 dev %s", from, outer),
		fmt.Sprintf("addr add %v/24 dev %s", to, outer),
		fmt.Sprintf("route add default via %v", outside(s.number, 1)),
	)
}

// SecondInterface gives the host another interface, eth1, with an address of its own and
// another way to the same router. What is sent from an address leaves by its interface.
func (s *Site) SecondInterface() (netip.Addr, error) {
	number := 100 + s.number
	if _, err := join(end{s.Router, "inner1"}, end{s.Namespace, "eth1"}, Wire{}); err != nil {
		return netip.Addr{}, err
	}
	addr := inside(number, 2)
	return addr, errors.Join(
		s.Router.IP(fmt.Sprintf("addr add %v/24 dev inner1", inside(number, 1)), "link set dev inner1 up"),
		s.IP(fmt.Sprintf("addr add %v/24 dev eth1", addr), "link set dev eth1 up",
			fmt.Sprintf("route add default via %v dev eth1 metric 10", inside(number, 1)),
			fmt.Sprintf("rule add from %v lookup 101", addr),
			fmt.Sprintf("route add default via %v dev eth1 table 101", inside(number, 1))),
	)
}

// InterfaceDown takes an interface of the host away.
func (s *Site) InterfaceDown(device string) error { return s.IP("link set dev " + device + " down") }

// Impair has the link to the site lose a share of packets, in percent each way, and carry no
// more than that many kbit/s; 0 is no limit.
func (s *Site) Impair(lossPercent, kilobits int) error {
	port := fmt.Sprintf("port%d", s.number)
	rules := "table ip link\ndelete table ip link\n"
	if lossPercent > 0 {
		rules += fmt.Sprintf(`table ip link {
	chain lossy {
		type filter hook forward priority filter;
		iifname %[1]s numgen random mod 100 < %[2]d drop
		oifname %[1]s numgen random mod 100 < %[2]d drop
	}
}
`, port, lossPercent)
	}
	err := s.internet.router.Run(rules, "nft", "-f", "-")
	if kilobits > 0 {
		args := []string{"root", "tbf", "rate", fmt.Sprintf("%dkbit", kilobits), "burst", "8k", "latency", "100ms"}
		err = errors.Join(err,
			s.internet.router.Run("", "tc", append([]string{"qdisc", "replace", "dev", port}, args...)...),
			s.Router.Run("", "tc", append([]string{"qdisc", "replace", "dev", outer}, args...)...))
	}
	return err
}
