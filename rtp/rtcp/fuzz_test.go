package rtcp

import "testing"

// Whatever Parse accepts can be read in every way; what is written again reads
// the same.
func FuzzParse(f *testing.F) {
	for _, b := range captures(f) {
		f.Add(b)
	}
	f.Add(full())
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Parse(b)
		if err != nil {
			return
		}
		c.CheckFull()
		total := 0
		for p := range c.Packets() {
			total += len(p.Bytes())
			text := p.String()
			for block := range p.Blocks() {
				for range block.Runs() {
				}
				for range block.ReceiptTimes() {
				}
			}
			if k := p.Kind(); k == SDES || k == BYE || k == NACK || k == TWCC {
				text = "" // chunks may be split otherwise, an empty reason is not written, order and reference are our own
			}
			if written, ok := rebuild(p); ok && text != "" {
				if again := one(t, written).String(); again != text {
					t.Fatalf("%s is written as %s", text, again)
				}
			}
		}
		if total != len(b) {
			t.Fatalf("%d bytes in packets, %d in the datagram", total, len(b))
		}
	})
}

func FuzzTransportFeedback(f *testing.F) {
	f.Add([]byte{0, 10, 0, 3, 0, 0, 1, 0, 0x20, 2, 0, 1, 4, 5})
	f.Add([]byte{0, 10, 0, 9, 0, 0, 1, 0, 0xd5, 0x55, 0xa0, 0, 4, 5, 6, 7, 8, 9, 10, 11})
	f.Fuzz(func(t *testing.T, body []byte) {
		b, start := beginFeedback(nil, TWCC, 1, 2)
		b = pad(append(b, body[:min(len(body), 1<<16)]...), start)
		p := one(t, end(b, start))
		h, ok := p.TransportFeedback()
		n := 0
		for range p.Arrivals() {
			n++
		}
		if ok && n != int(h.Count) || !ok && n > 0 {
			t.Fatalf("%+v has %d packets, %v", h, n, ok)
		}
		rebuild(p)
	})
}
