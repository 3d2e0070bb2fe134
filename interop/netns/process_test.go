package netns

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/plainrtc/plainrtc/internal/trace"
	"github.com/plainrtc/plainrtc/peerconnection"
)

// The inside of a peer: this test binary, run once more in a namespace, holds one
// connection and does what it is told in lines of JSON. Both ends of a call have two channels: what
// comes on them is sent back by one end, and made up and compared by the other.

// beAPeer, in the environment, makes a peer of the test binary.
const beAPeer = "PLAINRTC_NETNS_PEER"

// A request is a line to a peer, and a reply one from it.
type request struct {
	ID   int             `json:"id"`
	Verb string          `json:"verb"`
	Args json.RawMessage `json:"args"`
}

type reply struct {
	ID     int             `json:"id"`
	Result json.RawMessage `json:"result"`
	Error  string          `json:"error"`
}

// What the verbs take and return.
type (
	settings struct {
		Servers []peerconnection.ICEServer
		Policy  peerconnection.ICETransportPolicy
		Open    bool // TCP from both ends at once, where that is needed
		Echo    bool // sends back what comes; the other end compares
	}
	transfer struct {
		Size int // bytes
		Rate int // bytes a second; 0: as fast as it goes
	}
	// A film is what has come of video.
	film struct {
		Frames, KeyFrames   int
		Lost, Again, Wanted int // packets: lost, sent again, and how often that was asked for
	}
	transferred struct {
		Sent, Returned string // hashes
		Took           time.Duration
	}
	// A pulse is what small messages show, one every 20 ms, sent back, none sent again.
	pulse struct {
		Sent, Returned int
		Silence        time.Duration // the longest time in which none returned
	}
)

// A process is the connection of a peer.
type process struct {
	pc         *peerconnection.PeerConnection
	record     trace.Recorder
	born       time.Time
	beat, bulk *peerconnection.DataChannel

	mu     sync.Mutex
	number uint64    // of the last pulse sent
	since  uint64    // fresh are those after that
	fresh  int       // how many of them have come back
	last   time.Time // when one came back
	told   pulse     // what there is to tell
	film   film
}

// peerMain is the main function of a peer: it ends with its input.
func peerMain() {
	var writing sync.Mutex
	out := json.NewEncoder(os.Stdout)
	p := new(process)
	for in := json.NewDecoder(os.Stdin); ; {
		var r request
		if in.Decode(&r) != nil {
			return
		}
		do := func() {
			v, err := p.do(context.Background(), r)
			answer := reply{ID: r.ID}
			if err != nil {
				answer.Error = err.Error()
			} else if answer.Result, err = json.Marshal(v); err != nil {
				answer.Error = err.Error()
			}
			writing.Lock()
			out.Encode(answer)
			writing.Unlock()
		}
		if r.Verb == "new" {
			do() // nothing can be done before
		} else {
			go do()
		}
	}
}

func (p *process) do(ctx context.Context, r request) (any, error) {
	var text string
	switch r.Verb {
	case "new":
		var s settings
		if err := json.Unmarshal(r.Args, &s); err != nil {
			return nil, err
		}
		return nil, p.open(ctx, s)
	case "offer":
		offer, err := p.pc.CreateOffer(&peerconnection.OfferOptions{ICERestart: string(r.Args) == "true"})
		if err != nil {
			return nil, err
		}
		return offer.SDP, p.pc.SetLocalDescription(offer)
	case "answer":
		if err := json.Unmarshal(r.Args, &text); err != nil {
			return nil, err
		}
		if err := p.pc.SetRemoteDescription(peerconnection.SessionDescription{Type: peerconnection.SDPTypeOffer, SDP: text}); err != nil {
			return nil, err
		}
		answer, err := p.pc.CreateAnswer()
		if err != nil {
			return nil, err
		}
		return answer.SDP, p.pc.SetLocalDescription(answer)
	case "finish":
		if err := json.Unmarshal(r.Args, &text); err != nil {
			return nil, err
		}
		return nil, p.pc.SetRemoteDescription(peerconnection.SessionDescription{Type: peerconnection.SDPTypeAnswer, SDP: text})
	case "candidate": // the next, whenever it comes: also after a restart
		for {
			c, err := p.pc.NextICECandidate(ctx)
			if !errors.Is(err, io.EOF) {
				return c, err
			}
			time.Sleep(20 * time.Millisecond)
		}
	case "add":
		var c peerconnection.ICECandidate
		if err := json.Unmarshal(r.Args, &c); err != nil {
			return nil, err
		}
		return nil, p.pc.AddICECandidate(c)
	case "opened": // and how long after the birth of the connection
		err := errors.Join(p.beat.Opened(ctx), p.bulk.Opened(ctx))
		return time.Since(p.born), err
	case "state": // waits until it is another
		if err := json.Unmarshal(r.Args, &text); err != nil {
			return nil, err
		}
		for s := p.pc.ConnectionState(); ; {
			if s.String() != text {
				return s.String(), nil
			}
			next, err := p.pc.NextConnectionState(ctx, s)
			if err != nil {
				return nil, err
			}
			s = next
		}
	case "path":
		return p.path(), nil
	case "alive":
		n := 0
		if err := json.Unmarshal(r.Args, &n); err != nil {
			return nil, err
		}
		return p.alive(n), nil
	case "transfer":
		var t transfer
		if err := json.Unmarshal(r.Args, &t); err != nil {
			return nil, err
		}
		return p.transfer(ctx, t)
	case "film": // waits for as many frames
		n := 0
		if err := json.Unmarshal(r.Args, &n); err != nil {
			return nil, err
		}
		return p.watch(n), nil
	case "trace":
		return ends(p.record.String(), 150), nil
	}
	return nil, fmt.Errorf("%q is no verb", r.Verb)
}

// open makes the connection and its channels.
func (p *process) open(ctx context.Context, s settings) (err error) {
	p.born = time.Now()
	p.pc, err = peerconnection.New(peerconnection.Config{
		ICEServers: s.Servers, ICETransportPolicy: s.Policy, TCPSimultaneousOpen: s.Open, Tracer: trace.New(&p.record, "peer"),
	})
	if err != nil {
		return err
	}
	never := uint16(0)
	p.beat, err = p.pc.CreateDataChannel("beat", &peerconnection.DataChannelOptions{Negotiated: true, ID: 1, Unordered: true, MaxRetransmits: &never})
	if err != nil {
		return err
	}
	p.bulk, err = p.pc.CreateDataChannel("bulk", &peerconnection.DataChannelOptions{Negotiated: true, ID: 2})
	if err != nil {
		return err
	}
	go p.readFrames(ctx)
	if s.Echo {
		go echo(ctx, p.beat)
		go echo(ctx, p.bulk)
	} else {
		go p.sendPulses(ctx)
		go p.readPulses(ctx)
	}
	return nil
}

// echo sends back what comes.
func echo(ctx context.Context, c *peerconnection.DataChannel) {
	for {
		m, err := c.ReadMessage(ctx)
		if err == nil {
			err = c.WriteMessage(ctx, m.Kind, m.Data)
		}
		if err != nil {
			return
		}
	}
}

// beatEvery is the time between pulses.
const beatEvery = 20 * time.Millisecond

func (p *process) sendPulses(ctx context.Context) {
	if p.beat.Opened(ctx) != nil {
		return
	}
	for {
		p.mu.Lock()
		p.number++
		n := p.number
		p.told.Sent++
		p.mu.Unlock()
		soon, cancel := context.WithTimeout(ctx, 10*beatEvery) // rather none than a late one
		err := p.beat.WriteMessage(soon, peerconnection.Binary, binary.BigEndian.AppendUint64(nil, n))
		cancel()
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return
		}
		time.Sleep(beatEvery)
	}
}

func (p *process) readPulses(ctx context.Context) {
	for {
		m, err := p.beat.ReadMessage(ctx)
		if err != nil || len(m.Data) != 8 {
			return
		}
		now := time.Now()
		p.mu.Lock()
		p.told.Returned++
		if binary.BigEndian.Uint64(m.Data) > p.since {
			p.fresh++
		}
		if !p.last.IsZero() {
			p.told.Silence = max(p.told.Silence, now.Sub(p.last))
		}
		p.last = now
		p.mu.Unlock()
	}
}

// alive waits until n pulses that are sent from now on have come back, and tells
// what became of all since it was last asked.
func (p *process) alive(n int) pulse {
	p.mu.Lock()
	p.since, p.fresh = p.number, 0
	for p.fresh < n {
		p.mu.Unlock()
		time.Sleep(beatEvery)
		p.mu.Lock()
	}
	defer p.mu.Unlock()
	v := p.told
	p.told = pulse{}
	return v
}

// readFrames counts the frames of the first track that comes.
func (p *process) readFrames(ctx context.Context) {
	event, err := p.pc.AcceptTrack(ctx)
	for err == nil {
		var f peerconnection.Frame
		if f, err = event.Track.ReadFrame(ctx); err != nil {
			return
		}
		p.mu.Lock()
		p.film.Frames++
		if f.KeyFrame {
			p.film.KeyFrames++
		}
		p.mu.Unlock()
	}
}

// watch waits until n frames have come, and tells how they fared.
func (p *process) watch(n int) film {
	p.mu.Lock()
	for p.film.Frames < n {
		p.mu.Unlock()
		time.Sleep(beatEvery)
		p.mu.Lock()
	}
	v := p.film
	p.mu.Unlock()
	for _, s := range p.pc.Stats().InboundRTP {
		v.Lost += int(s.PacketsLost)
		v.Again += int(s.RetransmittedPacketsReceived)
		v.Wanted += int(s.NACKCount)
	}
	return v
}

// transfer sends what chance makes up, and compares with what comes back.
func (p *process) transfer(ctx context.Context, t transfer) (done transferred, err error) {
	const size = 8 << 10
	start := time.Now()
	sent, returned := sha256.New(), sha256.New()
	failed := make(chan error, 1)
	go func() {
		random := rand.NewChaCha8([32]byte{1})
		b := make([]byte, size)
		for n := 0; n < t.Size; n += size {
			random.Read(b)
			sent.Write(b)
			if err := p.bulk.WriteMessage(ctx, peerconnection.Binary, b); err != nil {
				failed <- err
				return
			}
			if t.Rate > 0 {
				time.Sleep(time.Until(start.Add(time.Duration(n+size) * time.Second / time.Duration(t.Rate))))
			}
		}
		failed <- nil
	}()
	for n := 0; n < t.Size; {
		m, err := p.bulk.ReadMessage(ctx)
		if err != nil {
			return done, err
		}
		returned.Write(m.Data)
		n += len(m.Data)
	}
	err = <-failed
	return transferred{fmt.Sprintf("%x", sent.Sum(nil)), fmt.Sprintf("%x", returned.Sum(nil)), time.Since(start)}, err
}

// path says between which candidates data goes: "srflx ── relay over tcp".
func (p *process) path() string {
	stats := p.pc.Stats()
	for _, pair := range stats.CandidatePairs {
		if !pair.Selected {
			continue
		}
		var b bytes.Buffer
		for _, c := range stats.LocalCandidates {
			if c.ID == pair.LocalCandidateID {
				fmt.Fprintf(&b, "%s %s:%d", c.CandidateType, c.Address, c.Port)
				if c.RelayProtocol != "" {
					fmt.Fprintf(&b, " over %s", c.RelayProtocol)
				}
			}
		}
		for _, c := range stats.RemoteCandidates {
			if c.ID == pair.RemoteCandidateID {
				fmt.Fprintf(&b, " ── %s %s:%d", c.CandidateType, c.Address, c.Port)
			}
		}
		return b.String()
	}
	return "none"
}

// ends are the first and the last n lines.
func ends(s string, n int) string {
	lines := strings.SplitAfter(s, "\n")
	if len(lines) <= 2*n {
		return s
	}
	return strings.Join(lines[:n], "") + fmt.Sprintf("… %d lines …\n", len(lines)-2*n) + strings.Join(lines[len(lines)-n:], "")
}
