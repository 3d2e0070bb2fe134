//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package peerconnection

import "syscall"

const soReusePort = syscall.SO_REUSEPORT
