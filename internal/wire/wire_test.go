package wire

import (
	"bytes"
	"math"
	"math/big"
	"testing"
)

// fixed names every read that takes a fixed number of bytes.
var fixed = []struct {
	name string
	size int
	read func(r *Reader) uint64
}{
	{"Uint8", 1, func(r *Reader) uint64 { return uint64(r.Uint8()) }},
	{"Uint16", 2, func(r *Reader) uint64 { return uint64(r.Uint16()) }},
	{"Uint24", 3, func(r *Reader) uint64 { return uint64(r.Uint24()) }},
	{"Uint32", 4, func(r *Reader) uint64 { return uint64(r.Uint32()) }},
	{"Uint48", 6, func(r *Reader) uint64 { return r.Uint48() }},
	{"Uint64", 8, func(r *Reader) uint64 { return r.Uint64() }},
}

// vectors names every read of a length and that many bytes.
var vectors = []struct {
	name   string
	prefix int
	read   func(r *Reader) []byte
}{
	{"Vector8", 1, (*Reader).Vector8},
	{"Vector16", 2, (*Reader).Vector16},
	{"Vector24", 3, (*Reader).Vector24},
}

var input = []byte{0x81, 0x02, 0x83, 0x04, 0x85, 0x06, 0x87, 0x08, 0x99}

// A fixed read takes its bytes in network order, exactly as many as it says,
// and fails for good on every strict prefix.
func TestFixedReads(t *testing.T) {
	for _, f := range fixed {
		r := NewReader(input)
		want := new(big.Int).SetBytes(input[:f.size]).Uint64()
		if got := f.read(&r); got != want || !r.OK() || r.Len() != len(input)-f.size {
			t.Errorf("%s = %#x with %d bytes left, want %#x with %d", f.name, got, r.Len(), want, len(input)-f.size)
		}
		r = NewReader(input[:f.size])
		if f.read(&r); !r.Done() {
			t.Errorf("%s of exactly its bytes does not leave the reader done", f.name)
		}
		for n := range f.size {
			r := NewReader(input[:n])
			if got := f.read(&r); got != 0 {
				t.Errorf("%s of %d bytes = %#x, want zero", f.name, n, got)
			}
			wantFailed(t, f.name, &r)
		}
	}
}

func TestVectors(t *testing.T) {
	for _, v := range vectors {
		b := append(make([]byte, v.prefix-1), 3, 'a', 'b', 'c', 'd')
		r := NewReader(b)
		if got := v.read(&r); string(got) != "abc" || !r.OK() || r.Len() != 1 {
			t.Errorf("%s = %q with %d bytes left, want abc with 1", v.name, got, r.Len())
		}
		r = NewReader(make([]byte, v.prefix))
		if got := v.read(&r); len(got) != 0 || !r.Done() {
			t.Errorf("%s of length zero = %q, done %v", v.name, got, r.Done())
		}
		for n := range len(b) - 1 {
			r := NewReader(b[:n])
			if got := v.read(&r); got != nil {
				t.Errorf("%s of a %d-byte prefix = %q, want nil", v.name, n, got)
			}
			wantFailed(t, v.name, &r)
		}
	}
}

// wantFailed checks that the failure sticks: nothing can be read any more.
func wantFailed(t *testing.T, after string, r *Reader) {
	t.Helper()
	if r.OK() || r.Done() || r.Len() != 0 {
		t.Errorf("after a short %s: OK %v, Done %v, Len %d", after, r.OK(), r.Done(), r.Len())
	}
	for _, f := range fixed {
		if got := f.read(r); got != 0 || r.OK() {
			t.Errorf("%s after a short %s = %#x, OK %v", f.name, after, got, r.OK())
		}
	}
	for _, v := range vectors {
		if got := v.read(r); len(got) != 0 || r.OK() {
			t.Errorf("%s after a short %s = %q, OK %v", v.name, after, got, r.OK())
		}
	}
	if got := r.Rest(); len(got) != 0 || r.OK() {
		t.Errorf("Rest after a short %s = %q, OK %v", after, got, r.OK())
	}
	if sub := r.Sub(0); sub.OK() || r.OK() {
		t.Errorf("Sub after a short %s is OK", after)
	}
}

func TestBytes(t *testing.T) {
	r := NewReader([]byte("abcdef"))
	got := r.Bytes(2)
	if string(got) != "ab" || cap(got) != 2 {
		t.Errorf("Bytes(2) = %q with capacity %d; appending to it must not write over the input", got, cap(got))
	}
	r.Skip(1)
	if got := r.Bytes(0); got == nil || len(got) != 0 || !r.OK() {
		t.Errorf("Bytes(0) = %v, want empty and not nil", got)
	}
	if got := r.Rest(); string(got) != "def" || !r.Done() {
		t.Errorf("Rest = %q, done %v", got, r.Done())
	}
	for _, n := range []int{-1, 7, math.MaxInt} {
		r := NewReader([]byte("abcdef"))
		if got := r.Bytes(n); got != nil {
			t.Errorf("Bytes(%d) of six bytes = %q", n, got)
		}
		wantFailed(t, "Bytes", &r)
	}
}

func TestSub(t *testing.T) {
	r := NewReader([]byte("abcdef"))
	sub := r.Sub(2)
	if got := sub.Bytes(2); string(got) != "ab" || !sub.Done() {
		t.Errorf("the part reads %q, done %v", got, sub.Done())
	}
	if sub.Uint8(); sub.OK() {
		t.Error("the part reads on into what follows it")
	}
	if got := r.Rest(); string(got) != "cdef" || !r.OK() {
		t.Errorf("a failed part leaves its parent with %q, OK %v", got, r.OK())
	}
	r = NewReader([]byte("abc"))
	sub = r.Sub(4)
	wantFailed(t, "Sub (the part)", &sub)
	wantFailed(t, "Sub (the whole)", &r)
}

func TestFail(t *testing.T) {
	r := NewReader(input)
	r.Uint16()
	r.Fail()
	wantFailed(t, "Fail", &r)
}

func TestZeroReaderIsEmpty(t *testing.T) {
	var r Reader
	if !r.OK() || !r.Done() || r.Len() != 0 {
		t.Error("the zero Reader is not simply empty")
	}
}

func TestWriters(t *testing.T) {
	b := AppendUint24([]byte{9}, 0xff010203)
	b = AppendUint48(b, 0xffff_0102_0304_0506)
	if want := []byte{9, 1, 2, 3, 1, 2, 3, 4, 5, 6}; !bytes.Equal(b, want) {
		t.Errorf("wrote %x, want %x: the low bits and no more", b, want)
	}
	b = make([]byte, 6)
	PutUint16At(b, 1, 0xffff)
	PutUint24At(b, 3, 0x010203)
	if want := []byte{0, 0xff, 0xff, 1, 2, 3}; !bytes.Equal(b, want) {
		t.Errorf("filled in %x, want %x", b, want)
	}
	for _, test := range []struct {
		name string
		put  func()
	}{
		{"PutUint16At(65536)", func() { PutUint16At(b, 0, 1<<16) }},
		{"PutUint16At(-1)", func() { PutUint16At(b, 0, -1) }},
		{"PutUint24At(2^24)", func() { PutUint24At(b, 0, 1<<24) }},
		{"PutUint24At(-1)", func() { PutUint24At(b, 0, -1) }},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s writes a wrong length and does not panic", test.name)
				}
			}()
			test.put()
		}()
	}
}

func TestReadingDoesNotAllocate(t *testing.T) {
	n := testing.AllocsPerRun(100, func() {
		r := NewReader(input)
		r.Uint8()
		sub := r.Sub(3)
		sub.Vector8()
		r.Rest()
	})
	if n != 0 {
		t.Errorf("reading allocates %v times", n)
	}
}

// FuzzReader drives a Reader by a program of reads and compares it with a
// model: the input and a position.
func FuzzReader(f *testing.F) {
	f.Add([]byte{0, 1, 6, 2, 9}, []byte("some input, read in every way there is"))
	f.Add([]byte{6, 7, 8}, []byte{2, 'a', 'b', 0, 1, 'c', 0, 0, 1, 'd'})
	f.Fuzz(func(t *testing.T, program, input []byte) {
		pristine := bytes.Clone(input)
		r := NewReader(input)
		left, failed := pristine, false
		take := func(n int) []byte {
			if n > len(left) {
				left, failed = nil, true
				return nil
			}
			b := left[:n]
			left = left[n:]
			return b
		}
		for _, op := range program {
			switch op := int(op) % 10; {
			case op < len(fixed):
				want := new(big.Int).SetBytes(take(fixed[op].size)).Uint64()
				if got := fixed[op].read(&r); got != want {
					t.Fatalf("%s = %#x, want %#x", fixed[op].name, got, want)
				}
			case op < len(fixed)+len(vectors):
				v := vectors[op-len(fixed)]
				n := new(big.Int).SetBytes(take(v.prefix)).Int64()
				want := take(int(n))
				if got := v.read(&r); !bytes.Equal(got, want) {
					t.Fatalf("%s = %x, want %x", v.name, got, want)
				}
			default:
				sub := r.Sub(2)
				if want := take(2); !bytes.Equal(sub.Rest(), want) || sub.OK() != !failed {
					t.Fatalf("Sub(2) is not %x", want)
				}
			}
			if r.OK() == failed || r.Len() != len(left) {
				t.Fatalf("OK %v with %d bytes left, want %v with %d", r.OK(), r.Len(), !failed, len(left))
			}
		}
		if !bytes.Equal(r.Rest(), left) || !bytes.Equal(input, pristine) {
			t.Fatal("the rest is wrong, or the input was written to")
		}
	})
}
