package netns

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/plainrtc/plainrtc/interop/browser"
)

func TestMain(m *testing.M) {
	if os.Getenv(beAPeer) != "" {
		peerMain()
		return
	}
	flag.Parse()
	flag.Set("test.parallel", "8") // what runs here waits, most of the time
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if missing := Missing(); missing != nil {
		fmt.Fprintf(os.Stderr, `NOT RUN: calls through NATs and firewalls, and over links and servers that fail, in network namespaces:
	%v
They want root, or CAP_SYS_ADMIN and CAP_NET_ADMIN. Of this package nothing else was tested.
`, missing)
		return 0
	}
	dir, err := os.MkdirTemp("", "netns-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	plainrtc = filepath.Join(dir, "plainrtc")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", plainrtc, "github.com/plainrtc/plainrtc/cmd/plainrtc").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building plainrtc: %v\n%s", err, out)
		return 1
	}
	return browser.Main(m)
}

// plainrtc is the command of that name, built for these tests.
var plainrtc string
