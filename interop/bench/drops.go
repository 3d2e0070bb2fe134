package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// drops returns how often the kernel threw away what came for a UDP socket that
// this process has, because its receive buffer was full. It counts what the
// kernel does: a run of datagrams that travels in one piece is one.
func drops() (n int64) {
	ours := map[string]bool{}
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, e := range entries {
		target, _ := os.Readlink("/proc/self/fd/" + e.Name())
		if inode, ok := strings.CutPrefix(target, "socket:["); ok {
			ours[strings.TrimSuffix(inode, "]")] = true
		}
	}
	for _, family := range []string{"udp", "udp6"} {
		b, err := os.ReadFile("/proc/self/net/" + family)
		if err != nil {
			continue // a host without IPv6
		}
		for line := range strings.Lines(string(b)) {
			// sl local remote st queues tr:tm retrnsmt uid timeout inode ref pointer drops
			f := strings.Fields(line)
			if len(f) != 13 || !ours[f[9]] {
				continue
			}
			d, err := strconv.ParseInt(f[12], 10, 64)
			if err != nil {
				panic(fmt.Sprintf("BUG: /proc/net/%s has a line %q", family, line))
			}
			n += d
		}
	}
	return n
}
