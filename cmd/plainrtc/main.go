package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"
)

// commands are what plainrtc can do, in the order that help lists them.
var commands = []command{serveCommand, echoCommand, turnCommand, stunCommand, doctorCommand, newDTLSCommand(os.Stdin), labCommand}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second Ctrl-C ends the program even if the first one is stuck.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run does what the command line says, until ctx ends, and returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) == 1 && (args[0] == "version" || args[0] == "-version" || args[0] == "--version") {
		say(stdout, "plainrtc %s", version())
		return exitOK
	}
	return choose(ctx, "", commands, writeOverview, args, stdout, stderr)
}

// version says which plainrtc this is, and what it was built with and for.
func version() string {
	version := "of unknown version"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		version = info.Main.Version
	}
	return fmt.Sprintf("%s %s %s/%s", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// choose runs the command that the first argument names, of a list whose names
// begin with prefix.
func choose(ctx context.Context, prefix string, list []command, overview func(io.Writer), args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		overview(stderr)
		return exitUsage
	}
	name, args := args[0], args[1:]
	switch name {
	case "-h", "-help", "--help":
		overview(stdout)
		return exitOK
	case "help":
		if len(args) == 0 {
			overview(stdout)
			return exitOK
		}
		name, args = args[0], append(args[1:], "-h")
	}
	for _, c := range list {
		if c.name == prefix+name {
			return c.main(ctx, args, stdout, stderr)
		}
	}
	say(stderr, "plainrtc: there is no command %q; plainrtc %s-h lists them", prefix+name, prefix)
	return exitUsage
}
