package mediafile

import "io"

// An output is what a file is written to, and where in it the file begins, so
// that fields in front can be filled in when their values are known.
type output struct {
	w      io.Writer
	seeker io.Seeker // nil if it cannot seek
	start  int64
	err    error // of the first write that failed; none follows
	closed bool
}

func newOutput(w io.Writer) output {
	o := output{w: w}
	if s, ok := w.(io.Seeker); ok {
		// A pipe is an os.File too, and says only here that it cannot.
		if at, err := s.Seek(0, io.SeekCurrent); err == nil {
			o.seeker, o.start = s, at
		}
	}
	return o
}

// write writes b in one piece.
func (o *output) write(b []byte) error {
	if o.closed {
		return ErrClosed
	}
	if o.err == nil {
		_, o.err = o.w.Write(b)
	}
	return o.err
}

// fill overwrites what is at an offset from the file's start, and goes back to
// the end. It does nothing where that is not possible.
func (o *output) fill(at int64, b []byte) error {
	if o.err != nil || o.seeker == nil {
		return o.err
	}
	end, err := o.seeker.Seek(0, io.SeekCurrent)
	if err == nil {
		_, err = o.seeker.Seek(o.start+at, io.SeekStart)
	}
	if err == nil {
		_, err = o.w.Write(b)
	}
	if err == nil {
		_, err = o.seeker.Seek(end, io.SeekStart)
	}
	o.err = err
	return err
}

// close makes write fail from now on. It returns false the second time.
func (o *output) close() bool {
	if o.closed {
		return false
	}
	o.closed = true
	return true
}
