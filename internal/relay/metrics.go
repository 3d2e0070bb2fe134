package relay

import (
	"fmt"
	"io"

	"github.com/plainrtc/plainrtc/turn"
)

// WriteMetrics writes the counters in the text format of Prometheus.
func (s *Server) WriteMetrics(w io.Writer) error {
	s.mu.Lock()
	v, connections := s.core.Stats(), len(s.connections)+len(s.sessions.all)
	s.mu.Unlock()
	m := metrics{w: w}
	m.header("plainrtc_turn_allocations", "gauge", "Allocations that there are.")
	m.sample("plainrtc_turn_allocations", "", uint64(v.Allocations))
	m.header("plainrtc_turn_connections", "gauge", "TCP, TLS and DTLS connections of clients that there are.")
	m.sample("plainrtc_turn_connections", "", uint64(connections))
	m.header("plainrtc_turn_allocations_total", "counter", "Allocations that were made.")
	m.sample("plainrtc_turn_allocations_total", "", v.AllocationsTotal)
	m.header("plainrtc_turn_allocations_expired_total", "counter", "Allocations that nobody refreshed.")
	m.sample("plainrtc_turn_allocations_expired_total", "", v.Expired)
	m.header("plainrtc_turn_allocations_moved_total", "counter", "Allocations that came to another address (RFC 8016).")
	m.sample("plainrtc_turn_allocations_moved_total", "", v.Moved)
	m.header("plainrtc_turn_requests_total", "counter", "Requests whose credentials were right, and Binding requests.")
	for k := range turn.NumRequests {
		m.sample("plainrtc_turn_requests_total", fmt.Sprintf("method=%q", turn.RequestKind(k)), v.Requests[k])
	}
	m.header("plainrtc_turn_requests_refused_total", "counter", "Requests that were refused though their credentials were right.")
	m.sample("plainrtc_turn_requests_refused_total", "", v.Refused)
	m.header("plainrtc_turn_requests_unauthenticated_total", "counter", "Requests that were asked for credentials.")
	m.sample("plainrtc_turn_requests_unauthenticated_total", "", v.Unauthenticated)
	m.header("plainrtc_turn_relayed_packets_total", "counter", "Datagrams that were relayed.")
	m.sample("plainrtc_turn_relayed_packets_total", `to="peer"`, v.ToPeers.Packets)
	m.sample("plainrtc_turn_relayed_packets_total", `to="client"`, v.ToClients.Packets)
	m.header("plainrtc_turn_relayed_bytes_total", "counter", "Bytes of their payload.")
	m.sample("plainrtc_turn_relayed_bytes_total", `to="peer"`, v.ToPeers.Bytes)
	m.sample("plainrtc_turn_relayed_bytes_total", `to="client"`, v.ToClients.Bytes)
	m.header("plainrtc_turn_peer_connections_total", "counter", "Connections with peers that TCP allocations had (RFC 6062).")
	m.sample("plainrtc_turn_peer_connections_total", "", v.PeerConnectionsTotal)
	m.header("plainrtc_turn_stream_bytes_total", "counter", "Bytes that they passed on.")
	m.sample("plainrtc_turn_stream_bytes_total", `to="peer"`, v.StreamBytesToPeers)
	m.sample("plainrtc_turn_stream_bytes_total", `to="client"`, v.StreamBytesToClients)
	m.header("plainrtc_turn_dropped_total", "counter", "What was dropped, by reason.")
	for r := 1; r < turn.NumDropReasons; r++ { // the first is none
		m.sample("plainrtc_turn_dropped_total", fmt.Sprintf("reason=%q", turn.DropReason(r)), v.Drops[r])
	}
	return m.err
}

type metrics struct {
	w   io.Writer
	err error
}

func (m *metrics) header(name, kind, help string) {
	m.printf("# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

func (m *metrics) sample(name, labels string, v uint64) {
	if labels != "" {
		labels = "{" + labels + "}"
	}
	m.printf("%s%s %d\n", name, labels, v)
}

func (m *metrics) printf(format string, args ...any) {
	if m.err == nil {
		_, m.err = fmt.Fprintf(m.w, format, args...)
	}
}
