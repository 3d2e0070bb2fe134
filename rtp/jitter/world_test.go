package jitter

import (
	"encoding/hex"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/internal/trace"
	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/payload"
)

// epoch is when every test begins.
var epoch = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

var (
	opus = Codec{Format: payload.Opus, ClockRate: 48000}
	pcmu = Codec{Format: payload.G711, ClockRate: 8000}
	vp8  = Codec{Format: payload.VP8, ClockRate: 90000}
	h264 = Codec{Format: payload.H264, ClockRate: 90000}
)

func seeded(seed uint64) *rand.Rand {
	var key [32]byte
	key[0], key[1] = byte(seed), byte(seed>>8)
	return rand.New(rand.NewChaCha8(key))
}

const ms = time.Millisecond

// A world is a buffer and what comes out of it, on virtual time.
type world struct {
	t      testing.TB
	b      *Buffer
	now    time.Time
	drops  trace.Recorder
	frames []taken
}

// A taken frame is a copy that stays.
type taken struct {
	Frame
	at   time.Duration // since epoch
	data string
}

func newWorld(t testing.TB, config Config) *world {
	w := &world{t: t, now: epoch}
	config.Trace = trace.New(&w.drops, "w")
	w.b = New(config)
	return w
}

// sleep lets time pass, and takes frames when they are due.
func (w *world) sleep(d time.Duration) *world {
	until := w.now.Add(d)
	for at := w.b.NextTimeout(); !at.IsZero() && !at.After(until); at = w.b.NextTimeout() {
		if at.After(w.now) {
			w.now = at
		}
		w.take()
	}
	w.now = until
	return w
}

func (w *world) sleepUntil(d time.Duration) *world { return w.sleep(epoch.Add(d).Sub(w.now)) }

func (w *world) take() {
	for range 10000 {
		f, ok := w.b.NextFrame(w.now)
		if !ok {
			if at := w.b.NextTimeout(); !at.IsZero() && !at.After(w.now) {
				w.t.Fatalf("nothing is due, and NextTimeout is %v ago", w.now.Sub(at))
			}
			return
		}
		w.frames = append(w.frames, taken{f, w.now.Sub(epoch), string(f.Data)})
	}
	w.t.Fatal("frames without end")
}

// send brings a packet, and takes what is due.
func (w *world) send(p rtp.Packet, c Codec) *world {
	w.b.Receive(w.now, p, c)
	w.take()
	return w
}

// resend brings a packet that was asked for.
func (w *world) resend(p rtp.Packet, c Codec) *world {
	w.b.Recover(w.now, p, c)
	w.take()
	return w
}

func packet(t testing.TB, h rtp.Header, data ...byte) rtp.Packet {
	b := rtp.NewBuilder(nil, h)
	p, err := rtp.Parse(append(b.Bytes(), data...))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// voice is the nth packet of 20 ms of Opus: its data is n.
func voice(t testing.TB, n int) rtp.Packet {
	return packet(t, rtp.Header{PayloadType: 111, SequenceNumber: uint16(n), Timestamp: uint32(n) * 960, SSRC: 1}, 0xf8, byte(n>>8), byte(n))
}

// number is which packet of voice a frame was; -1 when it was made up.
func (f *taken) number() int {
	if f.Concealed || len(f.data) < 3 {
		return -1
	}
	return int(f.data[1])<<8 | int(f.data[2])
}

// numbers are those of all frames taken.
func (w *world) numbers() (all []int) {
	for i := range w.frames {
		all = append(all, w.frames[i].number())
	}
	return all
}

// captured returns the packets that Chromium sent of one codec, the first of its
// streams.
func captured(t testing.TB, name string) (all []rtp.Packet, ids *rtp.ExtensionMap) {
	t.Helper()
	text, err := os.ReadFile("../testdata/chromium-" + name + ".hex")
	if err != nil {
		t.Fatal(err)
	}
	ids = new(rtp.ExtensionMap)
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if _, sdp, ok := strings.Cut(line, "a=extmap:"); ok {
			id, uri, _ := strings.Cut(sdp, " ")
			e, ok := rtp.ExtensionByURI(uri)
			n := 0
			for _, c := range id {
				n = 10*n + int(c-'0')
			}
			if ok {
				ids.Set(e, uint8(n))
			}
		}
		if strings.HasPrefix(line, "#") {
			continue
		}
		b, err := hex.DecodeString(line)
		if err != nil {
			t.Fatal(err)
		}
		p, err := rtp.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		if len(all) == 0 || p.SSRC() == all[0].SSRC() {
			all = append(all, p)
		}
	}
	if len(all) < 3 {
		t.Fatalf("%s has %d packets", name, len(all))
	}
	return all, ids
}
