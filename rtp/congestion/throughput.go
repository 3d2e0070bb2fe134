package congestion

import (
	"math"
	"time"
)

// A throughput is R_hat, the rate at which packets arrive (Section 5.5): that of short windows, weighed by how
// likely it is given what was known.
type throughput struct {
	begun    bool
	since    time.Duration // when the window began
	bytes    int           // in the window
	bitrate  float64       // bit/s; 0: not known
	variance float64       // of kbit/s
}

const (
	firstRateWindow = 500 * time.Millisecond
	rateWindow      = 150 * time.Millisecond
	firstVariance   = 50
	varianceGrowth  = 5  // of a window
	sampleScale     = 10 // the deviation of a sample that is twice what was known, or nothing of it
	fastChange      = 200
)

// add takes a packet that arrived, in the order of arrival.
func (t *throughput) add(arrived time.Duration, size int) {
	switch {
	case !t.begun || arrived < t.since-time.Second: // the clock was set
		t.begun, t.since, t.bytes = true, arrived, 0
	case arrived-t.since > 2*time.Second+rateWindow: // nothing was sent; or else it is no throughput of the path
		t.since, t.bytes = arrived, 0
	}
	window := rateWindow
	if t.bitrate == 0 {
		window = firstRateWindow
	}
	if passed := arrived - t.since; passed >= window {
		t.sample(8 * float64(t.bytes) / passed.Seconds())
		t.since, t.bytes = arrived, 0
	}
	t.bytes += size
}

// sample weighs what one window had.
func (t *throughput) sample(bitrate float64) {
	if t.bitrate == 0 {
		t.bitrate, t.variance = bitrate, firstVariance
		return
	}
	known, sample := t.bitrate/1000, bitrate/1000
	deviation := sampleScale * math.Abs(known-sample) / max(known+sample, 1e-3)
	sampleVariance := deviation * deviation
	predicted := t.variance + varianceGrowth
	t.bitrate = 1000 * (sampleVariance*known + predicted*sample) / (sampleVariance + predicted)
	t.variance = sampleVariance * predicted / (sampleVariance + predicted)
}

// expectChange makes what comes next count for more.
func (t *throughput) expectChange() { t.variance += fastChange }
