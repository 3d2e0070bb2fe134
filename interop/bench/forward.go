package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"os/exec"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/webrtc/v4"

	"github.com/plainrtc/plainrtc/peerconnection"
)

// What it costs to forward one stream of video to many receivers, as a selective
// forwarding unit does. The forwarder is a process of its own, of either stack as it comes; who sends
// and who receives is ours in both cases, in the process that measures.
const (
	forwardReceivers = 50
	forwardRate      = 25 // frames a second
	forwardPackets   = 20 // packets a frame
	forwardPayload   = 1150
	forwardWarm      = time.Second
	forwardTime      = 2500 * time.Millisecond
	forwardTry       = 600 * time.Millisecond
	forwardSettle    = 300 * time.Millisecond
)

// A forwarder is one side's offer after the other answered: the first is of who sends,
// the others of who receives.
type forwarder interface {
	publish(ctx context.Context, offer string) (answer string, err error)
	subscribe(ctx context.Context, offer string) (answer string, err error)
}

// measureForward measures the forwarder's CPU time and allocations a packet forwarded.
func measureForward(s stack) (figures, error) {
	call, err := newForwardedCall(s)
	if err != nil {
		return nil, err
	}
	defer call.close()
	go call.send(forwardRate)
	time.Sleep(forwardWarm)
	before, err := call.process.tell(order{Do: "count"})
	if err != nil {
		return nil, err
	}
	r0 := call.counts().received
	time.Sleep(forwardTime)
	after, err := call.process.tell(order{Do: "count"})
	if err != nil {
		return nil, err
	}
	n := float64(call.counts().received - r0)
	if n < forwardRate*forwardPackets*forwardReceivers*forwardTime.Seconds()*0.9 {
		return nil, fmt.Errorf("only %.0f packets arrived", n)
	}
	return figures{
		"CPU µs": (after.CPU - before.CPU) * 1e6 / n,
		"allocs": float64(after.Allocs-before.Allocs) / n,
	}, nil
}

// measureForwardMost finds the highest rate, to a tenth or so, at which all arrives: it raises
// the rate until something is lost, and then looks between.
func measureForwardMost(s stack) (figures, error) {
	call, err := newForwardedCall(s)
	if err != nil {
		return nil, err
	}
	defer call.close()
	var most, packets, tooMuch float64
	for rate := 50.0; tooMuch == 0 || tooMuch > 1.15*most; { // frames a second
		n, whole := call.try(rate)
		for tries := 1; !whole && (tries < 2 || most == 0 && tries < 5); tries++ {
			n, whole = call.try(rate) // once more: this machine may have had something else to do
		}
		if whole {
			most, packets = rate, n
		} else {
			tooMuch = rate
		}
		switch {
		case tooMuch == 0:
			rate *= 1.6
		case most == 0:
			return nil, errors.New("packets are lost at the lowest rate")
		default:
			rate = math.Sqrt(most * tooMuch)
		}
	}
	return figures{"packets a second": packets}, nil
}

// try forwards at a rate. It returns how many packets a second reached the receivers, and
// whether those were all: sent at that rate, and none but a hundredth of a percent lost on either
// way, even if it was sent again then, or more than forwardSettle late.
//
// What all do together takes two processors. That it is the forwarder that is measured, and
// not the receivers, is seen by their sockets: they lose nothing.
func (c *forwardedCall) try(rate float64) (packets float64, whole bool) {
	before, _ := c.settle(10 * forwardSettle) // what an earlier try has left comes first
	dropped, start := drops(), time.Now()
	frames := c.sendFor(rate, forwardTry)
	after, end := c.settle(forwardSettle)
	sent := forwardReceivers * (after.sent - before.sent)
	got := after.received - before.received
	again := forwardReceivers*(after.sentAgain-before.sentAgain) + after.receivedAgain - before.receivedAgain
	if n := drops() - dropped; n > 0 {
		fmt.Fprintf(os.Stderr, "\nthe receivers lost packets %d times at %.0f frames a second: it is their limit, not the forwarder's\n", n, rate)
	}
	whole = float64(frames) > 0.95*rate*forwardTry.Seconds() && sent >= uint64(frames*forwardPackets*forwardReceivers) &&
		sent-min(got, sent)+again <= sent/10000
	return float64(got) / end.Sub(start).Seconds(), whole
}

// settle waits until nothing is on its way any more, but not for long, and counts. It returns
// since when that has been so: a queue that was still full when the sender stopped does
// not make the rate higher.
func (c *forwardedCall) settle(most time.Duration) (last forwardCounts, since time.Time) {
	sending.Add(1) // who sends stops
	last, since = c.counts(), time.Now()
	for end := since.Add(most); ; {
		time.Sleep(forwardSettle / 10)
		n, now := c.counts(), time.Now()
		if n == last || now.After(end) {
			return n, since
		}
		last, since = n, now
	}
}

// A forwardedCall is a sender and its receivers, connected by a forwarder.
type forwardedCall struct {
	process *end
	source  *peerconnection.Track
	all     []*peerconnection.PeerConnection
	frame   []byte
	key     atomic.Bool
}

func newForwardedCall(s stack) (c *forwardedCall, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
	defer cancel()
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c = &forwardedCall{source: peerconnection.NewTrack(peerconnection.KindVideo, "source")}
	c.frame = make([]byte, forwardPackets*forwardPayload)
	c.key.Store(true)
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	if c.process, err = startEnd(func() (*exec.Cmd, error) { return exec.Command(self, "-forward", s.name), nil }); err != nil {
		return nil, err
	}
	go func() {
		for {
			if _, err := c.source.NextKeyframeRequest(context.Background()); err != nil {
				return
			}
			c.key.Store(true)
		}
	}()
	pc, err := newPlain(options{})
	if err != nil {
		return nil, err
	}
	vp8 := func(x *peerconnection.Transceiver, err error) error {
		if err != nil {
			return err
		}
		return x.SetCodecPreferences([]peerconnection.Codec{{MimeType: "video/VP8", ClockRate: 90000}})
	}
	err = vp8(pc.AddTransceiver(c.source, &peerconnection.TransceiverInit{Direction: peerconnection.DirectionSendOnly, Streams: []string{"s"}}))
	if err == nil {
		err = c.connect(ctx, pc, "publish")
	}
	if err != nil {
		return nil, fmt.Errorf("the sender: %w", err)
	}
	go c.send(10) // until all are there: Pion announces a track with its first packet
	for range forwardReceivers {
		pc, err := newPlain(options{})
		if err == nil {
			err = vp8(pc.AddTransceiverOf(peerconnection.KindVideo, &peerconnection.TransceiverInit{Direction: peerconnection.DirectionRecvOnly}))
		}
		if err == nil {
			err = c.connect(ctx, pc, "subscribe")
		}
		if err != nil {
			return nil, fmt.Errorf("a receiver: %w", err)
		}
	}
	return c, nil
}

func (c *forwardedCall) connect(ctx context.Context, pc *peerconnection.PeerConnection, as string) error {
	c.all = append(c.all, pc)
	if err := errors.Join(pc.SetLocalDescription(peerconnection.SessionDescription{}), pc.GatheringComplete(ctx)); err != nil {
		return err
	}
	r, err := c.process.tell(order{Do: as, SDP: pc.LocalDescription().SDP})
	if err != nil {
		return err
	}
	if err := pc.SetRemoteDescription(peerconnection.SessionDescription{Type: peerconnection.SDPTypeAnswer, SDP: r.SDP}); err != nil {
		return err
	}
	return pc.WaitConnected(ctx)
}

// send sends frames at a rate until the connection is closed, or somebody else sends.
func (c *forwardedCall) send(rate float64) { c.sendFor(rate, time.Hour) }

var sending atomic.Int64 // who sends: the newest

func (c *forwardedCall) sendFor(rate float64, d time.Duration) (frames int) {
	me := sending.Add(1)
	for start := time.Now(); ; frames++ {
		at := time.Duration(float64(frames) / rate * float64(time.Second))
		time.Sleep(time.Until(start.Add(at)))
		if at >= d || time.Since(start) >= d || sending.Load() != me {
			return frames
		}
		key := c.key.Swap(false)
		head := []byte{0x11, 0, 0}
		if key {
			head = []byte{0x10, 0, 0, 0x9d, 0x01, 0x2a, 64, 0, 48, 0}
		}
		copy(c.frame, head)
		c.source.WriteFrame(peerconnection.Frame{Data: c.frame, PTS: time.Since(forwardEpoch), KeyFrame: key})
	}
}

var forwardEpoch = time.Now()

// forwardCounts are of packets: that the sender has sent, and that all receivers have; of
// each, those that were sent again.
type forwardCounts struct{ sent, sentAgain, received, receivedAgain uint64 }

func (c *forwardedCall) counts() (n forwardCounts) {
	for _, out := range c.all[0].Stats().OutboundRTP {
		n.sent += out.PacketsSent - out.RetransmittedPacketsSent - out.ProbePacketsSent
		n.sentAgain += out.RetransmittedPacketsSent + out.ProbePacketsSent
	}
	for _, pc := range c.all[1:] {
		for _, in := range pc.Stats().InboundRTP {
			n.received += in.PacketsReceived - in.RetransmittedPacketsReceived
			n.receivedAgain += in.RetransmittedPacketsReceived
		}
	}
	return n
}

func (c *forwardedCall) close() {
	sending.Add(1)
	for _, pc := range c.all {
		pc.Close()
	}
	if c.process != nil {
		c.process.end()
	}
}

// runForwarder is the forwarder's process.
func runForwarder(name string) error {
	var f forwarder
	switch name {
	case plainStack.name:
		f = &plainForwarder{tracks: make(chan *peerconnection.Track, 1)}
	case pionStack.name:
		f = &pionForwarder{tracks: make(chan *webrtc.TrackLocalStaticRTP, 1)}
	default:
		return fmt.Errorf("no such stack: %s", name)
	}
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var do order
		if err := in.Decode(&do); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
		var r endReport
		var err error
		switch do.Do {
		case "publish":
			r.SDP, err = f.publish(ctx, do.SDP)
		case "subscribe":
			r.SDP, err = f.subscribe(ctx, do.SDP)
		case "count":
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			r = endReport{CPU: cpuTime().Seconds(), Allocs: m.Mallocs}
		}
		cancel()
		if err != nil {
			r.Error = err.Error()
		}
		if err := out.Encode(r); err != nil {
			return err
		}
	}
}

// A plainForwarder is ours: the track that came is given to each receiver's connection.
type plainForwarder struct {
	tracks chan *peerconnection.Track
	track  *peerconnection.Track
}

func (f *plainForwarder) publish(ctx context.Context, offer string) (string, error) {
	pc, err := newPlain(options{})
	if err != nil {
		return "", err
	}
	go func() {
		if e, err := pc.AcceptTrack(context.Background()); err == nil {
			f.tracks <- e.Track
		}
	}()
	return f.answer(ctx, pc, offer, nil)
}

func (f *plainForwarder) subscribe(ctx context.Context, offer string) (string, error) {
	if f.track == nil {
		f.track = <-f.tracks
	}
	pc, err := newPlain(options{})
	if err != nil {
		return "", err
	}
	return f.answer(ctx, pc, offer, f.track)
}

func (f *plainForwarder) answer(ctx context.Context, pc *peerconnection.PeerConnection, offer string, track *peerconnection.Track) (string, error) {
	if err := pc.SetRemoteDescription(peerconnection.SessionDescription{Type: peerconnection.SDPTypeOffer, SDP: offer}); err != nil {
		return "", err
	}
	if track != nil {
		if _, err := pc.AddTrack(track, "s"); err != nil {
			return "", err
		}
	}
	if err := errors.Join(pc.SetLocalDescription(peerconnection.SessionDescription{}), pc.GatheringComplete(ctx)); err != nil {
		return "", err
	}
	return pc.LocalDescription().SDP, nil
}

// A pionForwarder is Pion's, with its default interceptors, as its example broadcast has it.
type pionForwarder struct {
	tracks chan *webrtc.TrackLocalStaticRTP
	track  *webrtc.TrackLocalStaticRTP
}

func (f *pionForwarder) publish(ctx context.Context, offer string) (string, error) {
	pc, err := newPionMedia()
	if err != nil {
		return "", err
	}
	pc.OnTrack(func(remote *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		local, err := webrtc.NewTrackLocalStaticRTP(remote.Codec().RTPCodecCapability, "video", "s")
		if err != nil {
			return
		}
		f.tracks <- local
		b := make([]byte, 1500)
		for {
			n, _, err := remote.Read(b)
			if err != nil {
				return
			}
			if _, err := local.Write(b[:n]); err != nil && !errors.Is(err, io.ErrClosedPipe) {
				return
			}
		}
	})
	return f.answer(ctx, pc, offer)
}

func (f *pionForwarder) subscribe(ctx context.Context, offer string) (string, error) {
	if f.track == nil {
		f.track = <-f.tracks
	}
	pc, err := newPionMedia()
	if err != nil {
		return "", err
	}
	sender, err := pc.AddTrack(f.track)
	if err != nil {
		return "", err
	}
	go func() {
		b := make([]byte, 1500)
		for {
			if _, _, err := sender.Read(b); err != nil {
				return
			}
		}
	}()
	return f.answer(ctx, pc, offer)
}

func (f *pionForwarder) answer(ctx context.Context, pc *webrtc.PeerConnection, offer string) (string, error) {
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}); err != nil {
		return "", err
	}
	answer, err := pc.CreateAnswer(nil)
	if err != nil {
		return "", err
	}
	p, err := describePion(ctx, pc, answer, nil)
	if err != nil {
		return "", err
	}
	return p.description, nil
}

// newPionMedia returns a connection with the codecs and interceptors that Pion has by default.
func newPionMedia() (*webrtc.PeerConnection, error) {
	var e webrtc.SettingEngine
	e.SetIncludeLoopbackCandidate(true)
	e.SetIPFilter(func(ip net.IP) bool { return ip.IsLoopback() })
	e.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	e.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	var m webrtc.MediaEngine
	var r interceptor.Registry
	if err := errors.Join(m.RegisterDefaultCodecs(), webrtc.RegisterDefaultInterceptors(&m, &r)); err != nil {
		return nil, err
	}
	return webrtc.NewAPI(webrtc.WithSettingEngine(e), webrtc.WithMediaEngine(&m), webrtc.WithInterceptorRegistry(&r)).
		NewPeerConnection(webrtc.Configuration{})
}

func init() {
	measurements = append(measurements, measurement{"forward", measureForward}, measurement{"forward-most", measureForwardMost})
	rows = append(rows,
		row{"forward/CPU µs", "Video of 500 packets a second forwarded to 50 receivers: CPU of the forwarder a packet, µs", "%.2f"},
		row{"forward/allocs", "… allocations a packet", "%.2f"},
		row{"forward-most/packets a second", "… the most packets a second without loss, forwarder and all others on this machine", "%.0f"},
	)
}
