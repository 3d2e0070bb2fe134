package udp

import (
	"io"
	"slices"
	"sync"
	"time"
)

const (
	// pollEvery is how often addresses are looked at where nobody tells of changes.
	pollEvery = 3 * time.Second

	// settleFor is how long a change may take: it comes in several parts.
	settleFor = 50 * time.Millisecond
)

// A watch is what follows the host's addresses for the whole process.
type watch struct {
	list    func() []listed
	looking sync.Mutex // one looks at a time: who began earlier must not have the last word

	mu       sync.Mutex
	watchers []*Watcher
	known    []listed
	source   io.Closer   // tells of changes, on Linux; else nil
	timer    *time.Timer // when the addresses are looked at next
}

var addresses = watch{list: list}

// A Watcher is somebody who wants to know of changes.
type Watcher struct{ changed func() }

// Watch calls changed after the host's addresses have changed, until the watcher
// is closed: from a goroutine that belongs to nobody, and once for changes that come
// together. All watchers share one socket that the kernel writes to, and a goroutine
// that reads from it; where the kernel does not tell, a timer.
func Watch(changed func()) *Watcher {
	w := &Watcher{changed}
	addresses.mu.Lock()
	defer addresses.mu.Unlock()
	addresses.watchers = append(addresses.watchers, w)
	if len(addresses.watchers) == 1 {
		addresses.source = openSource(addresses.touch)
		addresses.known = addresses.list()
		if addresses.source == nil {
			addresses.lookIn(pollEvery)
		}
	}
	return w
}

// Close ends the watcher. A call that has begun may go on.
func (w *Watcher) Close() {
	if w == nil {
		return
	}
	addresses.mu.Lock()
	defer addresses.mu.Unlock()
	i := slices.Index(addresses.watchers, w)
	if i < 0 {
		return
	}
	last := len(addresses.watchers) - 1
	addresses.watchers[i] = addresses.watchers[last]
	addresses.watchers[last] = nil
	addresses.watchers = addresses.watchers[:last]
	if last > 0 {
		return
	}
	if addresses.source != nil {
		addresses.source.Close()
	}
	if addresses.timer != nil {
		addresses.timer.Stop()
	}
	addresses.watchers, addresses.known, addresses.source, addresses.timer = nil, nil, nil, nil
}

// touch is called when there may have been a change.
func (a *watch) touch() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.watchers) > 0 && a.timer == nil {
		a.lookIn(settleFor)
	}
}

// lookIn has the addresses looked at in d. Called with the lock held.
func (a *watch) lookIn(d time.Duration) {
	if a.timer != nil {
		a.timer.Stop()
	}
	var t *time.Timer
	t = time.AfterFunc(d, func() {
		a.mu.Lock()
		mine := a.timer == t
		a.mu.Unlock()
		if mine {
			a.look()
		}
	})
	a.timer = t
}

// current are the host's addresses: what the watch knows of them, if the kernel tells it of
// changes and has told of none since. Who needs to know of later ones is a Watcher.
func (a *watch) current() []listed {
	a.mu.Lock()
	known, told := a.known, a.source != nil && a.timer == nil
	a.mu.Unlock()
	if told {
		return known
	}
	return a.list()
}

// look looks at the addresses, and tells if they are not the ones that were.
func (a *watch) look() {
	for _, w := range a.relist() {
		w.changed()
	}
}

// relist lists the addresses anew, and returns who is to be told that they are others.
func (a *watch) relist() []*Watcher {
	a.looking.Lock()
	defer a.looking.Unlock()
	a.mu.Lock()
	a.timer = nil // what changes from here on is looked at again
	source := a.source
	a.mu.Unlock()
	now := a.list()
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.watchers) == 0 || a.source != source { // the last watcher has gone; another may have come, and looked
		return nil
	}
	if a.source == nil {
		a.lookIn(pollEvery)
	}
	if slices.Equal(now, a.known) {
		return nil
	}
	a.known = now
	return slices.Clone(a.watchers)
}
