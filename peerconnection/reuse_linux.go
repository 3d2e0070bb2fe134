//go:build linux && !mips && !mipsle && !mips64 && !mips64le

package peerconnection

// soReusePort is SO_REUSEPORT, which package syscall does not have everywhere.
const soReusePort = 15
