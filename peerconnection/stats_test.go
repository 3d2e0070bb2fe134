package peerconnection

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"
)

// As JSON, statistics read as W3C's dictionaries do: what refers to another
// part finds it, lists are lists even when empty, and the ids last.
func TestStatsAsJSON(t *testing.T) {
	ctx := within(t, 60*time.Second)
	a, z := newPeer(t, Config{}), newPeer(t, Config{})
	read := func(pc *PeerConnection) map[string]any {
		text, err := json.Marshal(pc.Stats())
		if err != nil {
			t.Fatal(err)
		}
		var out map[string]any
		if err := json.Unmarshal(text, &out); err != nil {
			t.Fatal(err)
		}
		for _, list := range []string{"candidate-pair", "local-candidate", "remote-candidate", "certificate", "data-channel"} {
			if _, ok := out[list].([]any); !ok {
				t.Errorf("%s is %v, not a list", list, out[list])
			}
		}
		return out
	}
	read(a) // before anything has happened
	da, dz := connect(t, ctx, a, z)
	for range 3 {
		if err := da.SendText("12345"); err != nil {
			t.Fatal(err)
		}
		if _, err := dz.ReadMessage(ctx); err != nil {
			t.Fatal(err)
		}
	}
	find := func(s map[string]any, list string, id any) map[string]any {
		for _, e := range s[list].([]any) {
			if e := e.(map[string]any); e["id"] == id && id != "" {
				return e
			}
		}
		t.Errorf("no %s has the id %v", list, id)
		return map[string]any{}
	}
	sa, sz := read(a), read(z)
	for _, s := range []map[string]any{sa, sz} {
		transport := s["transport"].(map[string]any)
		pair := find(s, "candidate-pair", transport["selectedCandidatePairId"])
		if pair["state"] != "succeeded" || pair["selected"] != true {
			t.Errorf("the selected pair is %v", pair)
		}
		if rtt, ok := pair["currentRoundTripTime"].(float64); !ok || rtt <= 0 || rtt > 5 {
			t.Errorf("a round-trip time of %v seconds on loopback", pair["currentRoundTripTime"])
		}
		if sum := pair["totalRoundTripTime"].(float64); sum < pair["currentRoundTripTime"].(float64) {
			t.Errorf("round-trip times sum up to %v seconds, and the last took %v", sum, pair["currentRoundTripTime"])
		}
		for _, count := range []string{"packetsSent", "packetsReceived", "bytesSent", "bytesReceived"} {
			// The transport counts checks and their answers, too.
			if n := pair[count].(float64); n <= 0 || n >= transport[count].(float64) {
				t.Errorf("%s is %v of the pair, %v of the transport", count, n, transport[count])
			}
		}
		if local := find(s, "local-candidate", pair["localCandidateId"]); local["address"] != "127.0.0.1" || local["candidateType"] != "host" {
			t.Errorf("local candidate %v", local)
		}
		find(s, "remote-candidate", pair["remoteCandidateId"])
		find(s, "certificate", transport["localCertificateId"])
		find(s, "certificate", transport["remoteCertificateId"])
		if transport["dtlsState"] != "connected" || transport["tlsVersion"] == nil || transport["dtlsCipher"] == nil || transport["dtlsGroup"] == nil {
			t.Errorf("transport %v", transport)
		}
	}
	ta, tz := sa["transport"].(map[string]any), sz["transport"].(map[string]any)
	if ta["iceRole"] == tz["iceRole"] || ta["dtlsRole"] == tz["dtlsRole"] {
		t.Errorf("ICE roles %v and %v, DTLS roles %v and %v", ta["iceRole"], tz["iceRole"], ta["dtlsRole"], tz["dtlsRole"])
	}
	id, _ := da.ID()
	for _, c := range []struct {
		stats map[string]any
		what  string
	}{{sa, "Sent"}, {sz, "Received"}} {
		d := find(c.stats, "data-channel", fmt.Sprint("D", id))
		if d["label"] != "test" || d["state"] != "open" || d["messages"+c.what] != 3.0 || d["bytes"+c.what] != 15.0 {
			t.Errorf("data channel %v", d)
		}
	}
	// Another candidate, of a higher priority than all others, leaves the ids as they are.
	before := ta["selectedCandidatePairId"]
	if err := a.AddICECandidate(ICECandidate{Candidate: "candidate:9 1 udp 4294967295 127.0.0.1 9 typ host"}); err != nil {
		t.Fatal(err)
	}
	sa = read(a)
	pair := find(sa, "candidate-pair", before)
	if remote := find(sa, "remote-candidate", pair["remoteCandidateId"]); pair["selected"] != true || remote["port"] == 9.0 {
		t.Errorf("the id %v is another pair's now: %v to %v", before, pair, remote)
	}
}
