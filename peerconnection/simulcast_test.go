package peerconnection

import (
	"slices"
	"strings"
	"testing"
)

// Layers (RFC 8853), offered by either side, to be sent or to be received.

func layerLines(d SessionDescription) (lines []string) {
	for line := range strings.Lines(d.SDP) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "a=rid:") || strings.HasPrefix(line, "a=simulcast:") || strings.HasPrefix(line, "a=ssrc") {
			lines = append(lines, strings.TrimPrefix(line, "a="))
		}
	}
	return lines
}

func wantLayers(t *testing.T, d SessionDescription, want ...string) {
	t.Helper()
	if got := layerLines(d); !slices.Equal(got, want) {
		t.Errorf("the %s has the layers %q, want %q", d.Type, got, want)
	}
}

var threeLayers = []EncodingParameters{{RID: "q"}, {RID: "h"}, {RID: "f", MaxBitrate: 2_000_000}}

// We offer three layers; the peer takes what it wants.
func TestSimulcastOffered(t *testing.T) {
	for name, c := range map[string]struct {
		from, to string // in the answer
		want     string // what is left
		active   []bool
	}{
		"all":          {"", "", "q h f", []bool{true, true, true}},
		"two":          {"a=simulcast:recv q;h;f", "a=simulcast:recv q;f", "q f", []bool{true, true}},
		"one rests":    {"a=simulcast:recv q;h;f", "a=simulcast:recv q;~h;f", "q h f", []bool{true, false, true}},
		"alternatives": {"a=simulcast:recv q;h;f", "a=simulcast:recv q,h;f", "q f", []bool{true, true}},
		"none":         {"a=simulcast:recv q;h;f", "a=x", "", []bool{true}},
		"no header":    {"a=extmap:10 ", "a=extmap:10/x ", "", []bool{true}},
		"others":       {"a=simulcast:recv q;h;f", "a=simulcast:recv a;b", "", []bool{true}},
	} {
		a, z := quietPeer(t, 1), quietPeer(t, 2)
		x := mustAdd(t, a, KindVideo, &TransceiverInit{SendEncodings: threeLayers, Direction: DirectionSendOnly})
		offer := offerOf(t, a)
		wantLayers(t, offer, "rid:q send", "rid:h send", "rid:f send", "simulcast:send q;h;f")
		a.mustSet(t, true, offer)
		z.mustSet(t, false, offer)
		answer := answerOf(t, z)
		wantLayers(t, answer, "rid:q recv", "rid:h recv", "rid:f recv", "simulcast:recv q;h;f")
		z.mustSet(t, true, answer)
		answer.SDP = strings.Replace(answer.SDP, c.from, c.to, 1)
		if name == "no header" {
			answer.SDP = strings.Replace(answer.SDP, "a=extmap:10/x ", "a=x:", 1)
		}
		a.mustSet(t, false, answer)
		var left []string
		var active []bool
		p := x.Sender().Parameters()
		for _, e := range p.Encodings {
			if e.RID != "" {
				left = append(left, e.RID)
			}
			active = append(active, !e.Inactive)
		}
		if strings.Join(left, " ") != c.want || !slices.Equal(active, c.active) {
			t.Errorf("%s: the layers are %q, active %v", name, left, active)
		}
		if got := z.Transceivers()[0].Receiver().Parameters().RIDs; name == "all" && !slices.Equal(got, []string{"q", "h", "f"}) {
			t.Errorf("the receiver has the layers %q", got)
		}
	}
}

// A server asks for layers: the sender of the answer has them, each half the size of the next.
func TestSimulcastAskedFor(t *testing.T) {
	server, z := quietPeer(t, 1), quietPeer(t, 2)
	x, err := server.AddTransceiverOf(KindVideo, &TransceiverInit{Direction: DirectionRecvOnly, ReceiveRIDs: []string{"q", "h", "f"}})
	if err != nil {
		t.Fatal(err)
	}
	offer := offerOf(t, server)
	wantLayers(t, offer, "rid:q recv", "rid:h recv", "rid:f recv", "simulcast:recv q;h;f")
	server.mustSet(t, true, offer)
	z.mustSet(t, false, offer)
	y := z.Transceivers()[0]
	y.SetDirection(DirectionSendOnly)
	if len(y.encodings) != 3 || y.encodings[0].ScaleResolutionDownBy != 4 || y.encodings[2].ScaleResolutionDownBy != 1 || y.encodings[1].SSRC == y.encodings[0].SSRC {
		t.Errorf("the sender's encodings are %+v", y.encodings)
	}
	// Taken back, it has one layer again, and three the second time.
	z.AddTrack(NewTrack(KindVideo, "camera"))
	z.mustSet(t, false, SessionDescription{Type: SDPTypeRollback})
	if len(z.Transceivers()) != 1 || len(y.encodings) != 3 {
		t.Errorf("after the rollback: %d transceivers, the encodings %+v", len(z.Transceivers()), y.encodings)
	}
	z.mustSet(t, false, offer)
	z.Transceivers()[0].SetDirection(DirectionSendOnly)
	answer := answerOf(t, z)
	wantLayers(t, answer, "rid:q send", "rid:h send", "rid:f send", "simulcast:send q;h;f")
	z.mustSet(t, true, answer)
	server.mustSet(t, false, answer)
	if got := server.core.sectionOf(x).settled().RIDs; !slices.Equal(got, []string{"q", "h", "f"}) {
		t.Errorf("the server receives the layers %q", got)
	}
	// Another exchange, from the other side, keeps them.
	offer, answer = exchange(t, z, server)
	wantLayers(t, offer, "rid:q send", "rid:h send", "rid:f send", "simulcast:send q;h;f")
	wantLayers(t, answer, "rid:q recv", "rid:h recv", "rid:f recv", "simulcast:recv q;h;f")
	// Held, and taken up again.
	z.Transceivers()[0].SetDirection(DirectionInactive)
	offer, _ = exchange(t, z, server)
	wantLayers(t, offer)
	z.Transceivers()[0].SetDirection(DirectionSendOnly)
	offer, answer = exchange(t, z, server)
	wantLayers(t, offer, "rid:q send", "rid:h send", "rid:f send", "simulcast:send q;h;f")
	wantLayers(t, answer, "rid:q recv", "rid:h recv", "rid:f recv", "simulcast:recv q;h;f")
}

// What makes no simulcast: lines that contradict each other are passed over, and layers bounded.
func TestMalformedSimulcast(t *testing.T) {
	text := captured(t, "simulcast-offer.sdp").SDP
	for name, c := range map[string]struct{ lines, want string }{
		"as it is":              {"a=rid:q send\na=rid:h send\na=simulcast:send q;~h\n", "rid:q recv,rid:h recv,simulcast:recv q;h"},
		"one named layer":       {"a=rid:q send\n", "rid:q recv"},
		"rids alone":            {"a=rid:q send\na=rid:h send\n", ""},
		"simulcast alone":       {"a=simulcast:send q;h\n", ""},
		"the wrong way":         {"a=rid:q recv\na=rid:h send\na=simulcast:send q;h\n", "rid:h recv,simulcast:recv h"},
		"one rid twice":         {"a=rid:q send\na=rid:q send\na=rid:h send\na=simulcast:send q;q;h\n", "rid:q recv,rid:h recv,simulcast:recv q;h"},
		"a second simulcast":    {"a=rid:q send\na=rid:h send\na=simulcast:send q;h\na=simulcast:send h\n", "rid:q recv,rid:h recv,simulcast:recv q;h"},
		"no grammar":            {"a=rid:q send\na=rid:h send\na=simulcast:sendrecv q;h\n", ""},
		"a rid that is no word": {"a=rid:q% send\na=rid:h send\na=simulcast:send q%;h\n", "rid:h recv"},
	} {
		z := quietPeer(t, 2)
		before, _, _ := strings.Cut(text, "a=rid")
		z.mustSet(t, false, SessionDescription{SDPTypeOffer, before + c.lines})
		if got := strings.Join(layerLines(answerOf(t, z)), ","); got != c.want {
			t.Errorf("%s is answered with %q", name, got)
		}
	}
	z := quietPeer(t, 2)
	before, _, _ := strings.Cut(text, "a=rid")
	var lines, list strings.Builder
	for i := range 1000 {
		id := "x" + string(rune('a'+i%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i/676))
		lines.WriteString("a=rid:" + id + " send\n")
		list.WriteString(";" + id)
	}
	z.mustSet(t, false, SessionDescription{SDPTypeOffer, before + lines.String() + "a=simulcast:send " + list.String()[1:] + "\n"})
	if n := len(layerLines(answerOf(t, z))); n != maxLayers+1 {
		t.Errorf("a thousand layers are answered with %d lines", n)
	}
}

// What of encodings can't be, and why.
func TestRefusedEncodings(t *testing.T) {
	pc := quietPeer(t, 1)
	for want, init := range map[string]TransceiverInit{
		"needs a RID":             {SendEncodings: []EncodingParameters{{RID: "a"}, {}}},
		"two encodings":           {SendEncodings: []EncodingParameters{{RID: "a"}, {RID: "a"}}},
		"letters and digits":      {SendEncodings: []EncodingParameters{{RID: "a b"}}},
		"at least 1":              {SendEncodings: []EncodingParameters{{ScaleResolutionDownBy: 0.5}}},
		"negative":                {SendEncodings: []EncodingParameters{{MaxBitrate: -1}}},
		"8 layers at most":        {SendEncodings: make([]EncodingParameters, 9)},
		"direction":               {Direction: DirectionStopped},
		"stream's id":             {Streams: []string{"a b"}},
		"streams at most":         {Streams: make([]string, 17)},
		"unique":                  {ReceiveRIDs: []string{"a", "a"}},
		"simulcast has 8 layers":  {ReceiveRIDs: make([]string, 9)},
		"1 to 16 letters and dig": {ReceiveRIDs: []string{""}},
	} {
		if _, err := pc.AddTransceiverOf(KindVideo, &init); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want an error that says %q", init, err, want)
		}
	}
	if _, err := pc.AddTransceiverOf("text", nil); err == nil {
		t.Error("a transceiver of text")
	}
	if _, err := pc.AddTransceiver(nil, nil); err == nil {
		t.Error("a transceiver of nothing")
	}
}
