package udp

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Two look at the addresses, as the second change comes while the first is still looked at. What
// the second saw is newer, and stays.
func TestLaterLookStays(t *testing.T) {
	older := []listed{{HostAddress: HostAddress{Addr: netip.MustParseAddr("192.0.2.1")}}}
	newer := []listed{{HostAddress: HostAddress{Addr: netip.MustParseAddr("192.0.2.2")}}}
	begun, goOn := make(chan bool), make(chan bool)
	var looks atomic.Int32
	w := &watch{source: nopCloser{}, watchers: []*Watcher{{changed: func() {}}}}
	w.list = func() []listed {
		if looks.Add(1) > 1 {
			return newer
		}
		close(begun)
		<-goOn // a busy machine lets others have the processor
		return older
	}
	var all sync.WaitGroup
	all.Go(w.look)
	<-begun
	second := make(chan bool)
	all.Go(func() {
		w.look()
		close(second)
	})
	select {
	case <-second:
	case <-time.After(100 * time.Millisecond): // it waits for the first
	}
	close(goOn)
	all.Wait()
	if got := w.current(); len(got) != 1 || got[0] != newer[0] {
		t.Errorf("the addresses are %v, and were looked at last when they were %v", got, newer)
	}
}

type nopCloser struct{}

func (nopCloser) Close() error { return nil }
