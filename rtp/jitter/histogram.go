package jitter

import "time"

// A histogram is of times, in which old ones count less and less: after memory more
// of them, one has lost all but a third of its weight. Up to then all count the
// same, so that the first ones are not too sure of themselves.
//
// Where packets differ by little it looks closely: its bins begin narrow, and are
// made as wide as what they have to hold.
type histogram struct {
	bins   []float32     // as many as were needed, up to bins
	top    int           // the highest bin that is not empty
	origin time.Duration // of the first bin
	width  time.Duration // of a bin
	count  int           // of times added, up to memory
	total  float64       // the sum of bins
	weight float64       // of the next time added: not the bins shrink, the weight grows
}

const (
	bins      = 2048
	firstBins = 512
	widest    = time.Millisecond // bins, of two seconds in all
	finest    = widest / 8
	margin    = 256 // bins left free below the lowest time, for those to come
	memory    = 2000
)

// forget is what makes the weight of an old time shrink from one to the next.
const forget = 1 + 1.0/memory

// add counts a time.
func (h *histogram) add(t time.Duration) {
	if h.total == 0 {
		if h.bins == nil {
			h.bins = make([]float32, firstBins)
		}
		h.width, h.weight = finest, 1
		h.origin = t - margin*finest
	}
	i := h.bin(t)
	for ; (i < 0 || i >= len(h.bins)) && len(h.bins) < bins; i = h.bin(t) {
		h.bins = append(h.bins, make([]float32, len(h.bins))...)
	}
	for ; (i < 0 || i >= bins) && h.width < widest; i = h.bin(t) {
		h.widen()
	}
	if i < 0 || i >= bins {
		h.recentre(t)
		i = min(max(h.bin(t), 0), bins-1)
	}
	h.bins[i] += float32(h.weight)
	h.top = max(h.top, i)
	h.total += h.weight
	if h.count < memory {
		h.count++
	} else {
		h.weight *= forget
	}
	if h.weight > 1e6 {
		h.scale()
	}
}

func (h *histogram) bin(t time.Duration) int {
	d := t - h.origin
	if d < 0 {
		return -1
	}
	return int(min(d/h.width, bins))
}

// widen makes one bin of two, and leaves room below.
func (h *histogram) widen() {
	h.origin -= margin * h.width
	h.width *= 2
	old, top := [bins]float32(h.bins), 0 // there are all of them by now
	clear(h.bins)
	for i, w := range old {
		if w != 0 {
			top = (i + margin) / 2
			h.bins[top] += w
		}
	}
	h.top = top
}

// fade makes all times added so far count half as much.
func (h *histogram) fade() { h.weight *= 2 }

// drift moves what is in the histogram, as the clock does against which its times
// are.
func (h *histogram) drift(d time.Duration) { h.origin += d }

// scale makes the weight one again, in proportion.
func (h *histogram) scale() {
	f := float32(1 / h.weight)
	h.total = 0
	for i := range h.bins {
		h.bins[i] *= f
		h.total += float64(h.bins[i])
	}
	h.weight = 1
}

// recentre moves the bins so that t has one, if that can be. What leaves at an end
// is counted in its last bin.
func (h *histogram) recentre(t time.Duration) {
	lowest := 0
	for below := 0.0; lowest < bins-1; lowest++ {
		if below += float64(h.bins[lowest]); below > h.total/100 {
			break
		}
	}
	from := min(h.origin+time.Duration(lowest)*h.width, t)
	by := int((from - h.origin) / h.width) // the bin that becomes the one at margin
	by = min(max(by-margin, -bins), bins)
	h.origin += time.Duration(by) * h.width
	old := [bins]float32(h.bins)
	clear(h.bins)
	for i, w := range old {
		h.bins[min(max(i-by, 0), bins-1)] += w
	}
	h.top = min(max(h.top-by, 0), bins-1)
}

// above returns the time that the given share of the weight lies above.
func (h *histogram) above(share float64) time.Duration {
	left := share * h.total
	for i := h.top; i > 0; i-- {
		w := float64(h.bins[i])
		if left < w {
			return h.origin + time.Duration(i+1)*h.width - time.Duration(left/w*float64(h.width))
		}
		left -= w
	}
	return h.origin
}
