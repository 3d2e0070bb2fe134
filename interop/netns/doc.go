// Package netns builds small internets of Linux network namespaces, with NATs,
// firewalls and bad links, for calls that are real in everything but the distance:
// real sockets, the kernel's NAT, real processes.
//
//	internet, err := netns.NewInternet()
//	defer internet.Close()
//	server, err := internet.Host()
//	alice, err := internet.Behind(netns.Router{NAT: netns.Cone})
//	bob, err := internet.Behind(netns.Router{NAT: netns.Symmetric, Firewall: netns.NoUDP})
//	process, err := alice.Host.Start(exec.Command("plainrtc", "stun", server.Addr.String()))
//
// What comes out of it:
//
//	server 198.18.1.2 ──┐
//	                    ├── router ──┬── 198.18.2.2 NAT 10.0.2.1 ── 10.0.2.2 alice
//	                                 └── 198.18.3.2 NAT 10.0.3.1 ── 10.0.3.2 bob
//
// Every host, NAT and router is a namespace of its own (namespace.go), and links are
// pairs of virtual Ethernet devices, or of TUN devices between which this process carries packets,
// where they take time (wire.go): not every kernel has netem. NATs and firewalls are
// rules of nftables (router.go). No namespace has a way out: nothing leaves the machine.
//
// # Nothing is left behind
//
// The namespaces have no names. Each lives for as long as this process has it open, or
// something runs in it; the devices and rules in it go with it. So a run that was killed
// leaves nothing that would have to be found and removed, and runs do not meet. To look
// into one: nsenter --net=/proc/PID/fd/N, where [Namespace.Path] says what to write.
//
// # What is needed
//
// Root, or at least CAP_SYS_ADMIN and CAP_NET_ADMIN, and the programs ip and tc (iproute2) and nft
// (nftables). [Missing] says what keeps a machine from it. The tests here say on their
// standard error what they did not run there, and run nothing. A program that is missing, and any other
// fault, fails them.
//
// Out of scope: IPv6, which the namespaces have switched off, and other NATs than Linux's, whose
// filtering is always by address and port; internal/netsim has every kind there is.
package netns
