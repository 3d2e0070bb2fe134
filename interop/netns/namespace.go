package netns

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Namespace is a network of its own: devices, addresses, routes, rules. It lives
// until it is closed and no process is in it.
type Namespace struct {
	Name string // for messages
	file *os.File
}

// New makes a namespace in which nothing is but its loopback device.
func New(name string) (*Namespace, error) {
	n := &Namespace{Name: name}
	err := onThread(func() (err error) {
		if err = unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("netns: a network namespace can't be made: %w", err)
		}
		n.file, err = os.Open("/proc/thread-self/ns/net")
		return err
	})
	if err != nil {
		return nil, err
	}
	err = errors.Join(
		n.Set("net/ipv6/conf/all/disable_ipv6", "1"),
		n.Set("net/ipv6/conf/default/disable_ipv6", "1"),
		n.IP("link set lo up"),
	)
	if err != nil {
		n.Close()
		return nil, err
	}
	return n, nil
}

// Missing returns what keeps this machine from having such networks: rights, or parts of the
// kernel. It builds a small one to find out. Nil: it can have them, or fails for another reason,
// which is a fault and no excuse.
func Missing() error {
	err := try()
	if err == nil {
		return nil
	}
	for _, e := range []error{unix.EPERM, unix.EACCES, unix.EROFS, unix.ENOSYS, unix.EOPNOTSUPP} {
		// Of the programs ip and nft there is only what they say.
		if errors.Is(err, e) || strings.Contains(strings.ToLower(err.Error()), e.Error()) {
			return fmt.Errorf("%w (as user %d)", err, os.Getuid())
		}
	}
	// A kernel without a part says of it that there is no such thing, to programs that are there.
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && (strings.Contains(strings.ToLower(err.Error()), unix.ENOENT.Error()) || strings.Contains(err.Error(), "kind is unknown")) {
		return err
	}
	return nil
}

func try() error {
	internet, err := NewInternet()
	if err != nil {
		return err
	}
	defer internet.Close()
	site, err := internet.Behind(Router{NAT: Symmetric, Outside: Wire{Delay: time.Millisecond}})
	if err != nil {
		return err
	}
	return site.Impair(1, 1000)
}

// Close lets go of the namespace.
func (n *Namespace) Close() error { return n.file.Close() }

// Path is a file that stands for the namespace, while this process lives.
func (n *Namespace) Path() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), n.file.Fd()) }

// onThread calls f on a thread that ends afterwards, so that whatever f does to
// its thread is no one else's.
func onThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // for good
		done <- f()
	}()
	return <-done
}

// Enter moves the calling thread into the namespace. The caller has locked it to its
// goroutine, and does not unlock it.
func (n *Namespace) Enter() error {
	if err := unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("netns: %s can't be entered: %w", n.Name, err)
	}
	return nil
}

// Do calls f in the namespace. The sockets that f opens stay there. Goroutines that f
// starts are not in it.
func (n *Namespace) Do(f func() error) error {
	return onThread(func() error {
		if err := n.Enter(); err != nil {
			return err
		}
		return f()
	})
}

// Listen listens for TCP connections in the namespace, at an address that is not a name.
func (n *Namespace) Listen(address string) (l net.Listener, err error) {
	err = n.Do(func() error {
		l, err = net.Listen("tcp", address)
		return err
	})
	return l, err
}

// Set writes a setting of the namespace, a path below /proc/sys.
func (n *Namespace) Set(name, value string) error {
	return n.Do(func() error {
		if err := os.WriteFile("/proc/sys/"+name, []byte(value), 0o644); err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("netns: %s: %w", n.Name, err)
		}
		return nil
	})
}

// Run runs a program in the namespace to its end, with that as its input.
func (n *Namespace) Run(input string, program string, args ...string) error {
	return n.Do(func() error {
		cmd := exec.Command(find(program), args...)
		cmd.Stdin = strings.NewReader(input)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("netns: in %s: %s %s: %w\n%s%s", n.Name, program, strings.Join(args, " "), err, out, input)
		}
		return nil
	})
}

// find finds a program also where users may not look.
func find(program string) string {
	if path, err := exec.LookPath(program); err == nil {
		return path
	}
	return "/usr/sbin/" + program
}

// IP gives commands to the program ip, and stops at the first that fails.
func (n *Namespace) IP(commands ...string) error {
	return n.Run(strings.Join(commands, "\n")+"\n", "ip", "-batch", "-")
}

// A Process runs in a namespace. It is killed when this process ends, however it does.
type Process struct {
	*os.Process
	done chan struct{}
	err  error
}

// Start starts a command in the namespace.
func (n *Namespace) Start(cmd *exec.Cmd) (*Process, error) {
	p := &Process{done: make(chan struct{})}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() {
		// The parent's death is that of the thread which forked: it must last as
		// long as the process.
		runtime.LockOSThread()
		err := n.Enter()
		if err == nil {
			err = cmd.Start()
		}
		p.Process = cmd.Process
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("netns: in %s: %w", n.Name, err)
	}
	return p, nil
}

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Stop interrupts the process, and kills it if it does not end within seconds.
func (p *Process) Stop() {
	p.Signal(os.Interrupt)
	select {
	case <-p.done:
	case <-time.After(3 * time.Second):
		p.Kill()
		<-p.done
	}
}

// End kills the process.
func (p *Process) End() {
	p.Kill()
	<-p.done
}
