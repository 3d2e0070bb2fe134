package sctp

import "math/bits"

// buffers are the byte slices of one association's messages, kept for reuse:
// what is acknowledged or released serves the next message, so that a steady
// flow allocates nothing. Capacities come in classes, four to a doubling, so
// at most a fifth of one is waste.
type buffers struct {
	free [][][]byte // by class; allocated with the first buffer that comes back
	size int        // bytes kept
}

const (
	minBuffer     = 64
	bufferClasses = 4*14 + 1 // up to 1 MiB; larger ones are left to the garbage collector
	maxFree       = 2 << 20  // bytes kept at most
)

// bufferClass is the class whose buffers hold n bytes.
func bufferClass(n int) int {
	if n <= minBuffer {
		return 0
	}
	// With 2^k < n <= 2^(k+1), the step is 2^k/4.
	k := bits.Len(uint(n-1)) - 1
	step := 1 << (k - 2)
	return 4*(k-6) + (n-1<<k+step-1)/step
}

// classSize is the capacity of a class's buffers.
func classSize(class int) int {
	k := class/4 + 6
	return 1<<k + class%4<<(k-2)
}

// bufferSize is the capacity of the buffer that get returns for n bytes.
func bufferSize(n int) int {
	if c := bufferClass(n); c < bufferClasses {
		return classSize(c)
	}
	return n
}

// get returns an empty buffer with room for n bytes.
func (p *buffers) get(n int) []byte {
	c := bufferClass(n)
	if c >= bufferClasses {
		return make([]byte, 0, n)
	}
	if p.free != nil {
		if list := p.free[c]; len(list) > 0 {
			b := list[len(list)-1]
			list[len(list)-1] = nil
			p.free[c] = list[:len(list)-1]
			p.size -= cap(b)
			return b
		}
	}
	return make([]byte, 0, classSize(c))
}

// put takes back a buffer that get returned.
func (p *buffers) put(b []byte) {
	c := bufferClass(cap(b))
	if cap(b) == 0 || c >= bufferClasses || classSize(c) != cap(b) || p.size+cap(b) > maxFree {
		return
	}
	if p.free == nil {
		p.free = make([][][]byte, bufferClasses)
	}
	p.free[c] = append(p.free[c], b[:0])
	p.size += cap(b)
}

// drop gives everything kept back to the garbage collector.
func (p *buffers) drop() { *p = buffers{} }
