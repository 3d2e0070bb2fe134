//go:build !386 && !portable

package udp

import (
	"os"
	"runtime"
	"sync"
	"syscall"
)

// maxReaders bounds the pool: beyond a few, readers only take processors from
// those who work on what they read.
const maxReaders = 4

// maxSlabs is how much of one socket is read in its turn. A socket that many share has more to
// be read than the thousands that may be beside it, and would lose it if it had no more of the reader.
const maxSlabs = 8

// A pool is the process's readers.
type pool struct {
	mu      sync.Mutex
	readers [maxReaders]*reader // nil where a reader has no sockets, and so is none
	slabs   sync.Pool           // of *slab, for readers that come and go
}

var readers = pool{slabs: sync.Pool{New: func() any { return newSlab() }}}

// A reader reads what arrives at its sockets.
type reader struct {
	epoll   *os.File // of the epoll set, in Go's network poller
	epollFD int

	mu      sync.Mutex
	sockets map[int32]*Socket // by id, which is what the epoll set knows of them
	lastID  int32
}

// add gives the socket to the reader that has the fewest: to each in turn, as
// long as none is closed.
func (p *pool) add(s *Socket) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	least := 0
	for i := range min(runtime.GOMAXPROCS(0), maxReaders) {
		if p.readers[i].len() < p.readers[least].len() {
			least = i
		}
	}
	if p.readers[least] == nil {
		r, err := newReader()
		if err != nil {
			return err
		}
		p.readers[least] = r
		slab := p.slabs.Get().(*slab)
		go func() {
			r.run(slab)
			p.slabs.Put(slab)
		}()
	}
	r := p.readers[least]
	err := r.add(s)
	p.endIfIdle(least)
	return err
}

func (p *pool) remove(s *Socket) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.reader.remove(s)
	for i := range p.readers {
		p.endIfIdle(i)
	}
}

// endIfIdle ends reader i if it has no sockets.
func (p *pool) endIfIdle(i int) {
	if r := p.readers[i]; r != nil && r.len() == 0 {
		p.readers[i] = nil
		r.epoll.Close() // ends run
	}
}

func newReader() (*reader, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	// NewFile puts a descriptor into the poller that does not block.
	if err := syscall.SetNonblock(fd, true); err != nil {
		syscall.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	return &reader{epoll: os.NewFile(uintptr(fd), "epoll"), epollFD: fd, sockets: make(map[int32]*Socket)}, nil
}

// len counts the reader's sockets; a nil reader has none.
func (r *reader) len() int {
	if r == nil {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.sockets)
}

func (r *reader) add(s *Socket) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	// An id that is never used again keeps apart what the set reports of a socket
	// that was closed meanwhile.
	r.lastID++
	s.reader, s.id = r, r.lastID
	event := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: s.id}
	if err := syscall.EpollCtl(r.epollFD, syscall.EPOLL_CTL_ADD, s.fd, &event); err != nil {
		return os.NewSyscallError("epoll_ctl", err)
	}
	r.sockets[s.id] = s
	return nil
}

func (r *reader) remove(s *Socket) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.sockets, s.id)
	syscall.EpollCtl(r.epollFD, syscall.EPOLL_CTL_DEL, s.fd, nil)
}

func (r *reader) socket(id int32) *Socket {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sockets[id]
}

// run reads until the epoll set is closed.
func (r *reader) run(slab *slab) {
	conn, err := r.epoll.SyscallConn()
	if err != nil {
		return // closed before it began
	}
	var events [64]syscall.EpollEvent
	ready := 0
	// Read calls it until it returns true; after false the goroutine sleeps in
	// the poller until the set has something to report.
	poll := func(fd uintptr) bool {
		for {
			n, err := syscall.EpollWait(int(fd), events[:], 0)
			if err == syscall.EINTR {
				continue
			}
			ready = n
			return n != 0
		}
	}
	for {
		if conn.Read(poll) != nil {
			return
		}
		for _, e := range events[:max(ready, 0)] {
			s := r.socket(e.Fd)
			// Some slabs of it, and then the next socket's turn: what is left over the set
			// reports again.
			for range maxSlabs {
				if s == nil || !s.enter() {
					break
				}
				batch := slab.read(s.fd)
				s.leave()
				if len(batch) > 0 {
					s.receive(s, batch)
				}
				if !slab.full {
					break
				}
			}
		}
	}
}
