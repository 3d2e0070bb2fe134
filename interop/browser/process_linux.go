package browser

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A process is a browser's main process. Those that it starts are in its
// process group, but for a crash handler that leaves it; see adoptOrphans.
type process struct {
	cmd    *exec.Cmd
	done   chan struct{} // closed when it has ended
	err    error         // why, once done is closed
	stderr tail
}

func startProcess(program string, args []string, home string, place Place) (*process, error) {
	p := &process{cmd: exec.Command(program, args...), done: make(chan struct{})}
	p.cmd.Stdout = &p.stderr
	p.cmd.Stderr = &p.stderr
	// Nothing of the user's: no configuration is read from home or left there.
	p.cmd.Env = append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME=", "XDG_CACHE_HOME=", "MOZ_CRASHREPORTER_DISABLE=1")
	p.cmd.WaitDelay = time.Second // the browser's children hold the pipe open too
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() {
		// The parent-death signal is sent when the *thread* that forked ends. This
		// one ends with the browser, or with us.
		runtime.LockOSThread()
		var err error
		if place.Enter == nil {
			defer runtime.UnlockOSThread()
		} else {
			err = place.Enter() // the thread is of no other use from now on
		}
		if err == nil {
			err = p.cmd.Start()
		}
		started <- err
		if err != nil {
			return
		}
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("browser: %w", err)
	}
	return p, nil
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// end asks the process to end, insists after a while, and ends its group.
func (p *process) end() {
	if !p.ended() {
		p.cmd.Process.Signal(syscall.SIGTERM)
	}
	select {
	case <-p.done:
	case <-time.After(5 * time.Second):
	}
	syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.done
}

// littleSharedMemory reports whether tabs may crash for want of shared memory: containers often
// have 64 MB of it.
func littleSharedMemory() bool {
	var shm unix.Statfs_t
	return unix.Statfs("/dev/shm", &shm) != nil || shm.Bavail*uint64(shm.Bsize) < 1<<30
}

// adoptOrphans makes this process the parent of its descendants that lose
// theirs, as a browser's crash handler does, so that they can be ended and
// waited for wherever the first process of the system does not do so.
func adoptOrphans() {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		fmt.Fprintln(os.Stderr, "browser: can not adopt orphans:", err)
	}
}

// endOrphans ends the children of this process that are left, and returns a
// description of those that can not be ended.
func endOrphans() string {
	var left string
	for range 300 { // half a minute
		left = ""
		for _, pid := range children() {
			var status syscall.WaitStatus
			if reaped, _ := syscall.Wait4(pid, &status, syscall.WNOHANG, nil); reaped == pid {
				continue
			}
			cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
			left += fmt.Sprintf("%d %s\n", pid, bytes.ReplaceAll(cmdline, []byte{0}, []byte{' '}))
			syscall.Kill(pid, syscall.SIGKILL)
		}
		if left == "" && len(children()) == 0 {
			return ""
		}
		time.Sleep(100 * time.Millisecond)
	}
	return left
}

// children returns the ids of this process's children, zombies included.
func children() []int {
	var pids []int
	self := strconv.Itoa(os.Getpid())
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range stats {
		b, _ := os.ReadFile(file)
		// "pid (name) state ppid …", where the name may hold anything.
		_, rest, ok := bytes.Cut(b, []byte(") "))
		if f := strings.Fields(string(rest)); !ok || len(f) < 2 || f[1] != self {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// A tail keeps the end of what is written to it.
type tail struct {
	mu    sync.Mutex
	b     []byte
	start int // how many bytes before b are gone
}

// tailSize is how much of a browser's standard error is worth reading.
const tailSize = 8 << 10

// noise is what browsers say on their standard error on any headless machine.
var noise = [][]byte{[]byte("dbus/"), []byte("unexpected operator"), []byte("glxtest"), []byte("RenderCompositorSWGL"), []byte("No GPUs detected")}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for line := range bytes.Lines(p) {
		if !containsAny(line, noise) {
			t.b = append(t.b, line...)
		}
	}
	if extra := len(t.b) - tailSize; extra > 0 {
		t.b = append(t.b[:0], t.b[extra:]...)
		t.start += extra
	}
	return len(p), nil
}

// end returns where what is written next will start.
func (t *tail) end() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.start + len(t.b)
}

// since returns what is kept of what was written from start on.
func (t *tail) since(start int) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.b[max(start-t.start, 0):])
}

func containsAny(line []byte, parts [][]byte) bool {
	for _, part := range parts {
		if bytes.Contains(line, part) {
			return true
		}
	}
	return false
}
