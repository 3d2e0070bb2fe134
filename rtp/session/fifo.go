package session

import "iter"

// A fifo is a queue in a ring that grows to what it had to hold at most.
type fifo[T any] struct {
	ring []T // a power of two
	head int // of the first
	n    int
}

func (f *fifo[T]) len() int { return f.n }

func (f *fifo[T]) push(v T) {
	if f.n == len(f.ring) {
		grown := make([]T, max(8, 2*len(f.ring)))
		for i := range f.n {
			grown[i] = f.ring[(f.head+i)&(len(f.ring)-1)]
		}
		f.ring, f.head = grown, 0
	}
	f.ring[(f.head+f.n)&(len(f.ring)-1)] = v
	f.n++
}

func (f *fifo[T]) pop() (v T, ok bool) {
	if f.n == 0 {
		return v, false
	}
	var none T
	v, f.ring[f.head] = f.ring[f.head], none
	f.head = (f.head + 1) & (len(f.ring) - 1)
	f.n--
	return v, true
}

// first returns the first, and leaves it there.
func (f *fifo[T]) first() (v T, ok bool) {
	if f.n == 0 {
		return v, false
	}
	return f.ring[f.head], true
}

// all yields what is in the queue, the first first.
func (f *fifo[T]) all() iter.Seq[T] {
	return func(yield func(T) bool) {
		for i := range f.n {
			if !yield(f.ring[(f.head+i)&(len(f.ring)-1)]) {
				return
			}
		}
	}
}
