package rtcp

import (
	"bytes"
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"github.com/plainrtc/plainrtc/internal/ladder"
)

const captureFile = "../testdata/chromium-rtcp.hex"

// captures returns the datagrams that Chromium sent.
func captures(t testing.TB) (all [][]byte) {
	t.Helper()
	text, err := os.ReadFile(captureFile)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		b, err := hex.DecodeString(strings.TrimSpace(line))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b)
	}
	if len(all) < 30 {
		t.Fatalf("found %d datagrams", len(all))
	}
	return all
}

func mustParse(t testing.TB, b []byte) Compound {
	t.Helper()
	c, err := Parse(b)
	if err != nil {
		t.Fatalf("%v: %x", err, b)
	}
	return c
}

// one returns the only packet of b.
func one(t testing.TB, b []byte) (only Packet) {
	t.Helper()
	n := 0
	for p := range mustParse(t, b).Packets() {
		only = p
		n++
	}
	if n != 1 {
		t.Fatalf("%d packets, want one", n)
	}
	return only
}

// rebuild makes a packet again from what was read of it. ok is false for what has
// no reader, or is malformed.
func rebuild(p Packet) (b []byte, ok bool) {
	var reports []ReceptionReport
	for r := range p.Reports() {
		reports = append(reports, r)
	}
	switch k := p.Kind(); k {
	case SR:
		s, ok := p.SenderReport()
		return s.Append(nil, reports...), ok
	case RR:
		ssrc, ok := p.ReceiverReport()
		return AppendReceiverReport(nil, ssrc, reports...), ok
	case SDES:
		var items []Item
		for item := range p.Items() {
			items = append(items, item)
		}
		return AppendDescription(nil, items...), len(items) > 0
	case BYE:
		var sources []uint32
		for ssrc := range p.Leaving() {
			sources = append(sources, ssrc)
		}
		return AppendBye(nil, string(p.LeavingReason()), sources...), len(sources) > 0
	case APP:
		a, ok := p.Application()
		return a.Append(nil), ok
	case NACK:
		var lost []uint16
		for seq := range p.Lost() {
			lost = append(lost, seq)
		}
		return AppendNACK(nil, p.SSRC(), p.MediaSSRC(), lost), len(lost) > 0
	case PLI:
		return AppendPLI(nil, p.SSRC(), p.MediaSSRC()), len(p.Body()) >= 8
	case FIR:
		var requests []FullIntraRequest
		for f := range p.FullIntraRequests() {
			requests = append(requests, f)
		}
		return AppendFIR(nil, p.SSRC(), requests...), len(requests) > 0
	case REMB:
		var sources []uint32
		for ssrc := range p.EstimateSources() {
			sources = append(sources, ssrc)
		}
		bitrate, ok := p.Estimate()
		return AppendREMB(nil, p.SSRC(), bitrate, sources...), ok
	case TMMBR, TMMBN:
		var limits []BitrateLimit
		for l := range p.BitrateLimits() {
			limits = append(limits, l)
		}
		return appendLimits(nil, k, p.SSRC(), limits), len(limits) > 0
	case TWCC:
		f, ok := p.TransportFeedback()
		var arrivals []Arrival
		for a := range p.Arrivals() {
			if a.Received && !a.HasTime {
				return nil, false
			}
			arrivals = append(arrivals, a)
		}
		b, n := f.Append(nil, arrivals, 1<<17)
		return b, ok && n == len(arrivals) && arrivals[n-1].Received
	case CCFB:
		stamp, ok := p.ReportTimestamp()
		var reports []PacketReport
		for r := range p.PacketReports() {
			reports = append(reports, r)
		}
		return AppendCCFB(nil, p.SSRC(), stamp, reports), ok && len(reports) > 0
	case XR:
		x := NewXRBuilder(nil, p.SSRC())
		ok := len(p.Body()) >= 4
		for block := range p.Blocks() {
			if t, ok := block.ReferenceTime(); ok {
				x.AddReferenceTime(t)
				continue
			}
			if s, ok := block.Statistics(); ok {
				x.AddStatistics(s)
				continue
			}
			if v, ok := block.VoIPReport(); ok {
				x.AddVoIPReport(v)
				continue
			}
			var delays []DelaySinceRR
			for d := range block.DelaysSinceRR() {
				delays = append(delays, d)
			}
			if len(delays) > 0 {
				x.AddDelays(delays...)
				continue
			}
			x.Add(block.Type, block.Specific, block.Contents)
		}
		return x.Bytes(), ok
	}
	return nil, false
}

// What Chromium writes is read, and written again byte for byte: its choice of
// chunks included.
func TestCapturedPacketsComeBackByteForByte(t *testing.T) {
	kinds := map[Kind]int{}
	for i, b := range captures(t) {
		for p := range mustParse(t, b).Packets() {
			kinds[p.Kind()]++
			want := bytes.Clone(p.Bytes())
			if p.Kind() == TWCC && want[0]&0x20 != 0 { // ours fills up with zeros
				want[0] &^= 0x20
				want[len(want)-1] = 0
			}
			if got, ok := rebuild(p); !ok || !bytes.Equal(got, want) {
				t.Errorf("datagram %d, %v comes back as\n%x\nwant\n%x", i, p, got, want)
			}
		}
	}
	for _, k := range []Kind{SR, RR, SDES, XR, TWCC, CCFB, PLI} {
		if kinds[k] == 0 {
			t.Errorf("no %v among the captures", k)
		}
	}
}

// What is read of each captured datagram stands in a golden file, for a person to
// review.
func TestCapturedPacketsMeanWhatTheGoldenFileSays(t *testing.T) {
	var s strings.Builder
	for _, b := range captures(t) {
		c := mustParse(t, b)
		s.WriteString(c.String())
		if err := c.CheckFull(); err == nil {
			s.WriteString(" (full)")
		}
		s.WriteByte('\n')
	}
	golden := strings.TrimSuffix(captureFile, ".hex") + ".golden"
	if ladder.Updating() { // make golden
		if err := os.WriteFile(golden, []byte(s.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if s.String() != string(want) {
		t.Errorf("reads as\n%s\nand the golden file says\n%s", s.String(), want)
	}
}
