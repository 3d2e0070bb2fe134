package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// A row of the table.
type row struct {
	figure string // measurement/name
	text   string
	format string
}

var rows = []row{
	{"setup/CPU ms", "Set-up of a connected pair: CPU, ms", "%.2f"},
	{"setup/wall ms", "… until both have the channel open, ms", "%.1f"},
	{"setup/allocs", "… allocations", "%.0f"},
	{"setup/kB", "… allocated, kB", "%.0f"},
	{"setup-1.2/CPU ms", "Set-up with DTLS 1.2 in both: CPU, ms", "%.2f"},
	{"setup-1.2/allocs", "… allocations", "%.0f"},
	{"idle/goroutines", "Idle peer connection with one channel: goroutines", "%.2f"},
	{"idle/heap kB", "… heap, kB", "%.1f"},
	{"idle/stack kB", "… stack, kB", "%.1f"},
	{"idle/CPU µs/s", "… CPU, µs a second", "%.1f"},
	{"many/CPU ms", "10,000 connections on one UDP port (Pion: 1,000): set-up of each, with its peer, CPU, ms", "%.2f"},
	{"many/wall ms", "… until both have the channel open, ms", "%.1f"},
	{"many/heap kB", "… heap of each end, kB", "%.1f"},
	{"many/echo CPU µs", "… a message there and back on each, sent on all at once: CPU of each, µs", "%.0f"},
	{"throughput-1KiB/MB/s", "Data channel, messages of 1 KiB: MB/s", "%.1f"},
	{"throughput-1KiB/CPU s/GB", "… CPU, s a GB", "%.1f"},
	{"throughput-1KiB/allocs", "… allocations a message", "%.1f"},
	{"throughput-16KiB/MB/s", "Data channel, messages of 16 KiB: MB/s", "%.1f"},
	{"throughput-16KiB/CPU s/GB", "… CPU, s a GB", "%.1f"},
	{"throughput-16KiB/allocs", "… allocations a message", "%.1f"},
	{"throughput-64KiB/MB/s", "Data channel, messages of 64 KiB: MB/s", "%.1f"},
	{"throughput-64KiB/CPU s/GB", "… CPU, s a GB", "%.1f"},
	{"throughput-64KiB/allocs", "… allocations a message", "%.1f"},
	{"throughput-64KiB/allocs a MB", "… allocations a MB", "%.1f"},
	{"throughput-64KiB/drops", "… times that a socket's buffer was full", "%.0f"},
	{"processes-16KiB/MB/s", "Between two processes, messages of 16 KiB: MB/s", "%.1f"},
	{"processes-16KiB/CPU s/GB", "… CPU of both, s a GB", "%.1f"},
	{"processes-16KiB/drops", "… times that a socket's buffer was full", "%.0f"},
	{"held-11MB/s/CPU s/GB", "Sender held to 11 MB/s: CPU, s a GB", "%.1f"},
	{"held-11MB/s/MB/s", "… what arrives, MB/s", "%.1f"},
	{"echo-100B/µs", "100 bytes there and back: µs", "%.1f"},
	{"echo-100B/CPU µs", "… CPU, µs", "%.1f"},
	{"echo-100B/allocs", "… allocations", "%.1f"},
	{"sctp-64KiB/MB a CPU second", "SCTP alone, in memory: MB a CPU second", "%.0f"},
	{"roundtrips/round trips", "First packet to open channel: round trips of 100 ms", "%.2f"},
	{"roundtrips/packets", "… packets", "%.0f"},
	{"roundtrips-1.2/round trips", "… with DTLS 1.2 in both", "%.2f"},
	{"dtls-1.2/a CPU second", "DTLS 1.2 handshake, X25519, both ends: a CPU second", "%.0f"},
	{"dtls-1.2/allocs", "… allocations", "%.0f"},
	{"dtls-1.2/kB", "… allocated, kB", "%.0f"},
	{"dtls-1.3/a CPU second", "DTLS 1.3 handshake, X25519, both ends: a CPU second", "%.0f"},
	{"dtls-1.3/allocs", "… allocations", "%.0f"},
	{"dtls-1.3/kB", "… allocated, kB", "%.0f"},
	{"dtls-1.3-mlkem/a CPU second", "DTLS 1.3 handshake, X25519MLKEM768, both ends: a CPU second", "%.0f"},
	{"dtls-1.3-mlkem/allocs", "… allocations", "%.0f"},
	{"dtls-1.3-mlkem/kB", "… allocated, kB", "%.0f"},
	{"dtls-record-1.2/ns", "DTLS 1.2 record of 1,200 bytes, sealed and opened: CPU, ns", "%.0f"},
	{"dtls-record-1.2/bare", "… times the bare cipher.AEAD", "%.2f"},
	{"dtls-record-1.2/allocs", "… allocations", "%.1f"},
	{"dtls-record-1.3/ns", "DTLS 1.3 record of 1,200 bytes, sealed and opened: CPU, ns", "%.0f"},
	{"dtls-record-1.3/bare", "… times the bare cipher.AEAD", "%.2f"},
	{"dtls-record-1.3/allocs", "… allocations", "%.1f"},
}

// report returns the table in Markdown, and what it was measured on.
func report(all results, runs int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s, %d CPUs, %s, %s/%s; median of %d.\n\n",
		time.Now().UTC().Format("2 January 2006"), cpuModel(), runtime.NumCPU(), runtime.Version(), runtime.GOOS, kernel(), runs)
	b.WriteString("| |")
	for _, s := range stacks {
		fmt.Fprintf(&b, " %s %s |", s.name, version(s.module))
	}
	if len(stacks) == 2 {
		b.WriteString(" ratio |")
	}
	b.WriteString("\n| :--- |" + strings.Repeat(" ---: |", len(stacks)+len(stacks)/2) + "\n")
	for _, r := range rows {
		if _, measured := all.median(r.figure, stacks[0].name); !measured {
			continue
		}
		fmt.Fprintf(&b, "| %s |", r.text)
		var v []float64
		for _, s := range stacks {
			m, measured := all.median(r.figure, s.name)
			if !measured { // it does not have that
				b.WriteString(" — |")
				continue
			}
			v = append(v, m)
			fmt.Fprintf(&b, " "+r.format+" |", m)
		}
		switch {
		case len(v) == 2 && v[1] != 0:
			fmt.Fprintf(&b, " %.2g × |", v[0]/v[1])
		case len(stacks) == 2:
			b.WriteString(" — |")
		}
		b.WriteString("\n")
	}
	return b.String()
}

// version returns the version of a module that this program was built with.
func version(module string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, d := range info.Deps {
		if d.Path != module {
			continue
		}
		if d.Replace != nil && strings.HasPrefix(d.Replace.Path, ".") { // this repository
			if out, err := exec.Command("git", "describe", "--always", "--dirty").Output(); err == nil {
				return strings.TrimSpace(string(out))
			}
			return ""
		}
		return d.Version
	}
	return ""
}

func cpuModel() string {
	b, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(b)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown CPU"
}

func kernel() string {
	b, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return strings.TrimSpace(string(b))
}

// The table stands between these lines of a file.
const (
	startMark = "<!-- measured: what follows is written by make bench -->\n"
	endMark   = "<!-- end of what make bench writes -->\n"
)

func replaceBetweenMarks(file, text string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(b), startMark)
	_, after, ok2 := strings.Cut(rest, endMark)
	if !ok || !ok2 {
		return fmt.Errorf("%s has no marks to put the table between", file)
	}
	return os.WriteFile(file, []byte(before+startMark+"\n"+text+"\n"+endMark+after), 0o644)
}
