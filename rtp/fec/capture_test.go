package fec

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/payload"
)

// captured reads packets that Chromium sent: the media, without RED, and the payloads of
// the repair packets.
func captured(t testing.TB, file string) (packets []rtp.Packet, repairs [][]byte, ids *rtp.ExtensionMap) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	ids = new(rtp.ExtensionMap)
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if extmap, ok := strings.CutPrefix(line, "#a=extmap:"); ok {
			var id uint8
			var uri string
			fmt.Sscan(extmap, &id, &uri)
			if e, ok := rtp.ExtensionByURI(uri); ok {
				ids.Set(e, id)
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
		switch p.PayloadType() {
		case 49: // FlexFEC
			repairs = append(repairs, p.Payload())
		case 118: // RED
			block, ok := payload.ParseRED(p.Payload())
			if !ok {
				t.Fatalf("%v is no RED", p)
			}
			if block.PayloadType == 120 {
				repairs = append(repairs, block.Data)
				continue
			}
			p, err = rtp.Parse(append(bytes.Clone(b[:p.HeaderSize()]), block.Data...))
			if err != nil {
				t.Fatal(err)
			}
			p.SetPayloadType(block.PayloadType)
			packets = append(packets, p)
		default:
			packets = append(packets, p)
		}
	}
	return packets, repairs, ids
}

// Any packet that Chromium has protected comes back from its repair packet as it was, but for what
// is written as packets leave.
func TestCapturedRepairs(t *testing.T) {
	for _, f := range []Format{ULP, Flex} {
		packets, repairs, ids := captured(t, map[Format]string{ULP: "testdata/chromium-ulpfec.hex", Flex: "testdata/chromium-flexfec.hex"}[f])
		recovered := 0
		for _, repair := range repairs {
			h, parity, ok := f.parse(repair)
			if !ok {
				t.Fatalf("%v: a repair packet is not understood: %x", f, repair)
			}
			var group []rtp.Packet
			for _, p := range packets {
				if h.mask.has(int64(p.SequenceNumber() - h.base)) {
					group = append(group, p)
				}
			}
			for i, lost := range group {
				d := Decoder{Format: f, Extensions: ids}
				d.Receive(group[(i+1)%len(group)])
				d.Repair(repair) // which wakes it
				for j, p := range group {
					if j != i {
						d.Receive(p)
					}
				}
				got, ok := d.Next()
				want, _ := rtp.Parse(bytes.Clone(lost.Bytes()))
				blank(want, ids)
				if !ok || !bytes.Equal(got.Bytes(), want.Bytes()) {
					t.Errorf("%v: %v is not recovered as it was", f, lost)
					continue
				}
				recovered++
			}
			// And what we would send for the same packets is the same, but that our masks begin with
			// the first of them.
			e := Encoder{Format: f, Extensions: ids}
			for _, p := range group {
				add(t, &e, p)
			}
			ours, same, ok := f.parse(e.AppendRepair(nil, 0, 1))
			if !ok || !bytes.Equal(same, parity) || ours.flags != h.flags || ours.time != h.time || ours.length != h.length || ours.ssrc != h.ssrc ||
				ours.base != h.base+uint16(h.mask.first()) || ours.mask.count() != h.mask.count() {
				t.Errorf("%v: we would send %+v, and Chromium has sent %+v", f, ours, h)
			}
		}
		if recovered < 2*len(repairs) {
			t.Errorf("%v: only %d of %d packets are recovered by %d repair packets", f, recovered, len(packets), len(repairs))
		}
	}
}
