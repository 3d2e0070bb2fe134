//go:build !linux

package main

import "net"

// dontFragment does nothing here: what the path carries whole is perhaps less than what is said.
func dontFragment(net.Conn) {}
