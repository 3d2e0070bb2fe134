package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// commands are what plainrtc can do, in the order that help lists them.
var commands = []command{serveCommand, echoCommand, newDTLSCommand(os.Stdin)}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second Ctrl-C ends the program even if the first one is stuck.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run does what the command line says, until ctx ends, and returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		writeOverview(stderr)
		return exitUsage
	}
	name, args := args[0], args[1:]
	switch name {
	case "-h", "-help", "--help":
		writeOverview(stdout)
		return exitOK
	case "help":
		if len(args) == 0 {
			writeOverview(stdout)
			return exitOK
		}
		name, args = args[0], []string{"-h"}
	}
	for _, c := range commands {
		if c.name == name {
			return c.main(ctx, args, stdout, stderr)
		}
	}
	say(stderr, "plainrtc: there is no command %q; plainrtc -h lists them", name)
	return exitUsage
}
