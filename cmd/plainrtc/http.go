package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/plainrtc/plainrtc/internal/udp"
	"github.com/plainrtc/plainrtc/peerconnection"
)

// maxOffer is how many bytes of a request with an offer are read. A browser's
// offer for data channels alone has about a thousand, one with much media ten
// thousand.
const maxOffer = 64 << 10

// listen opens a TCP listener at the address that a flag gave, and says what to do if it can't.
func listen(flag, addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err == nil {
		return l, nil
	}
	host, port, splitErr := net.SplitHostPort(addr)
	if splitErr != nil {
		return nil, usageError(fmt.Sprintf("%s %s is not an address with a port, such as 127.0.0.1:8080", flag, addr))
	}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("another program listens on %s already; choose another port, such as %s %s, or %[2]s %[4]s for any that is free",
			addr, flag, net.JoinHostPort(host, nextPort(port)), net.JoinHostPort(host, "0"))
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("this user may not listen on %s; ports from 1024 up are for everybody, such as %s %s", addr, flag, net.JoinHostPort(host, "8080"))
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, fmt.Errorf("%s is not an address of this machine; %s :%s listens on all that it has", host, flag, port)
	}
	return nil, fmt.Errorf("it cannot listen on %s: %w", addr, err)
}

func nextPort(port string) string {
	n, err := strconv.Atoi(port)
	if err != nil || n >= 65535 {
		return "8081"
	}
	return strconv.Itoa(n + 1)
}

// urls are where l is reached: first for this machine, then for others.
func urls(l net.Listener) (here string, lan []string) {
	bound := l.Addr().(*net.TCPAddr).AddrPort()
	url := func(a netip.Addr) string {
		return "http://" + netip.AddrPortFrom(a.Unmap(), bound.Port()).String() + "/"
	}
	if !bound.Addr().IsUnspecified() {
		return url(bound.Addr()), nil
	}
	for _, a := range udp.HostAddresses() {
		if !a.IsLoopback() {
			lan = append(lan, url(a))
		}
	}
	return url(netip.AddrFrom4([4]byte{127, 0, 0, 1})), lan
}

// udpAddresses are the UDP addresses to offer to those who reach us by l: the
// one they reached, and for somebody on this machine all the others too, for a
// browser does not send to the loopback interface from every socket.
func udpAddresses(l net.Listener) []netip.AddrPort {
	any4, any6 := netip.AddrPortFrom(netip.IPv4Unspecified(), 0), netip.AddrPortFrom(netip.IPv6Unspecified(), 0)
	bound := l.Addr().(*net.TCPAddr).AddrPort().Addr().Unmap().WithZone("")
	switch {
	case bound.IsUnspecified():
		return []netip.AddrPort{any4, any6}
	case bound.IsLoopback():
		return []netip.AddrPort{netip.AddrPortFrom(bound, 0), any4, any6}
	}
	return []netip.AddrPort{netip.AddrPortFrom(bound, 0)}
}

// serveHTTP serves until ctx ends.
func serveHTTP(ctx context.Context, l net.Listener, h http.Handler) error {
	s := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		// Requests are short; whoever takes longer has lost interest.
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if s.Shutdown(grace) != nil {
			s.Close()
		}
	})
	err := s.Serve(l)
	if !stop() {
		<-ended
		return nil
	}
	return fmt.Errorf("serving HTTP failed: %w", err)
}

// readOffer reads an offer, as JSON, from a request's body. It answers a bad
// one itself, and returns false.
func readOffer(w http.ResponseWriter, r *http.Request) (offer peerconnection.SessionDescription, ok bool) {
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxOffer)).Decode(&offer)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		http.Error(w, fmt.Sprintf("The offer is larger than %d bytes.", maxOffer), http.StatusRequestEntityTooLarge)
	case err != nil:
		http.Error(w, fmt.Sprintf(`The body is not JSON of the form {"type":"offer","sdp":"…"}: %v.`, err), http.StatusBadRequest)
	case offer.Type != peerconnection.SDPTypeOffer:
		http.Error(w, fmt.Sprintf(`The description's type is %q; this address takes "offer".`, offer.Type), http.StatusBadRequest)
	default:
		return offer, true
	}
	return offer, false
}

// refuse tells the client why its offer was not answered.
func refuse(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	var bad badOfferError
	switch {
	case errors.As(err, &bad):
		status = http.StatusBadRequest
	case errors.Is(err, errBusy):
		status = http.StatusServiceUnavailable
	}
	http.Error(w, fmt.Sprintf("The offer was not answered: %v.", err), status)
}

// sentence makes one of an error.
func sentence(text string) string {
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	json.NewEncoder(w).Encode(v) // fails when the client has left
}

// An announcement is what a server prints of its URLs: of the one on this
// machine, and of those that others reach it at.
type announcement struct {
	here, lan string
	also      []string // what else there is to say
}

// serveOffers answers offers over HTTP at addr, the way that handler has it,
// until ctx ends.
func serveOffers(ctx context.Context, out output, addr string, overTCP bool, capture *capture, words announcement, handler func(*answerer) http.Handler) error {
	l, err := listen("--addr", addr)
	if err != nil {
		return err
	}
	defer l.Close()
	a, err := newAnswerer(udpAddresses(l), overTCP, capture.sink(), out.stderr)
	if err != nil {
		return err
	}
	defer a.close()
	here, lan := urls(l)
	say(out.stdout, words.here, here)
	for _, u := range lan {
		say(out.stdout, words.lan, u)
	}
	for _, line := range words.also {
		say(out.stdout, "%s", line)
	}
	return serveHTTP(ctx, l, handler(a))
}
