package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// libdatachannel is not a stack of the table, for it is not of this process: it
// is measured between two processes only, each a JavaScript program that drives
// it. It is there once its directory has had npm ci.
type libdatachannel struct {
	dir     string
	version string // empty: it is not there
}

const (
	libdatachannelName = "libdatachannel"
	fromOurs, toOurs   = "plainrtc to libdatachannel", "libdatachannel to plainrtc"
)

func findLibdatachannel(dir string) (l libdatachannel, err error) {
	l.dir = dir
	if _, err := os.Stat(filepath.Join(dir, "node_modules")); err != nil {
		return l, nil
	}
	e, err := startEnd(l.end)
	if err != nil {
		return l, err
	}
	defer e.end()
	r, err := e.tell(order{Do: "version"})
	l.version = r.Version
	return l, err
}

func (l libdatachannel) end() (*exec.Cmd, error) {
	return exec.Command("node", filepath.Join(l.dir, "end.mjs")), nil
}

// measure adds a run's figures to all: between two of it, and between it and ours.
func (l libdatachannel) measure(name string, size int, all results) error {
	if l.version == "" {
		return nil
	}
	ours := goEnd(plainStack)
	var failed error
	for _, pair := range []struct {
		name     string
		from, to endCommand
	}{{libdatachannelName, l.end, l.end}, {fromOurs, ours, l.end}, {toOurs, l.end, ours}} {
		f, err := measureProcesses(pair.from, pair.to, size)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s, %s: %w", name, pair.name, err))
		}
		for figure, v := range f {
			all.add(name+"/"+figure, pair.name, v)
		}
	}
	return failed
}

// sentence is what the report says of it.
func (l libdatachannel) sentence(all results) string {
	rate, measured := all.median("processes-16KiB/MB/s", libdatachannelName)
	if !measured {
		return ""
	}
	cpu, _ := all.median("processes-16KiB/CPU s/GB", libdatachannelName)
	drops, _ := all.median("processes-16KiB/drops", libdatachannelName)
	ours, _ := all.median("processes-16KiB/MB/s", plainStack.name)
	text := fmt.Sprintf("\nlibdatachannel %s between two processes, messages of 16 KiB, in the same runs: %.1f MB/s (ours: %.2g ×), %.1f CPU s a GB, %.0f times that a socket's buffer was full.",
		l.version, rate, ours/rate, cpu, drops)
	for _, pair := range []string{fromOurs, toOurs} {
		if rate, measured := all.median("processes-16KiB/MB/s", pair); measured {
			text += fmt.Sprintf(" From %s: %.1f MB/s.", pair, rate)
		}
	}
	return text + "\n"
}
