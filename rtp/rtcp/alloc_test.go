package rtcp

import (
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/rtp"
)

func TestNothingAllocates(t *testing.T) {
	buffer := make([]byte, 0, 1500)
	var arrivals []Arrival
	for i := range 100 {
		arrivals = append(arrivals, Arrival{uint16(i), true, time.Duration(i) * time.Millisecond, true})
	}
	feedback, _ := TransportFeedback{}.Append(nil, arrivals, 1200)
	lost := []uint16{1, 2, 30}
	everything := full()
	for name, f := range map[string]func(){
		"writing feedback": func() { TransportFeedback{}.Append(buffer, arrivals, 1200) },
		"reading feedback": func() {
			c, _ := Parse(feedback)
			n := 0
			for p := range c.Packets() {
				for a := range p.Arrivals() {
					if a.Received {
						n++
					}
				}
			}
			if n != 100 {
				t.Fatal("arrivals are missing")
			}
		},
		"writing a report": func() {
			b := SenderReport{SSRC: 1}.Append(buffer, ReceptionReport{SSRC: 2})
			b = AppendNACK(b, 1, 2, lost)
			x := NewXRBuilder(b, 1)
			x.AddReferenceTime(rtp.NTPTime(1))
		},
		"reading everything": func() {
			c, _ := Parse(everything)
			for p := range c.Packets() {
				for range p.Reports() {
				}
				for range p.Lost() {
				}
				for range p.PacketReports() {
				}
				for range p.Items() {
				}
			}
		},
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

func BenchmarkWriteTransportFeedback(b *testing.B) {
	buffer := make([]byte, 0, 1500)
	var arrivals []Arrival
	for i := range 100 {
		arrivals = append(arrivals, Arrival{uint16(i), true, time.Duration(i) * time.Millisecond, true})
	}
	b.ReportAllocs()
	for b.Loop() {
		TransportFeedback{}.Append(buffer, arrivals, 1200)
	}
}

func BenchmarkReadTransportFeedback(b *testing.B) {
	var arrivals []Arrival
	for i := range 100 {
		arrivals = append(arrivals, Arrival{uint16(i), true, time.Duration(i) * time.Millisecond, true})
	}
	feedback, _ := TransportFeedback{}.Append(nil, arrivals, 1200)
	b.ReportAllocs()
	for b.Loop() {
		c, _ := Parse(feedback)
		for p := range c.Packets() {
			for range p.Arrivals() {
			}
		}
	}
}

func BenchmarkReadReport(b *testing.B) {
	report := SenderReport{SSRC: 1}.Append(nil, ReceptionReport{SSRC: 2}, ReceptionReport{SSRC: 3})
	b.ReportAllocs()
	for b.Loop() {
		c, _ := Parse(report)
		for p := range c.Packets() {
			p.SenderReport()
			for range p.Reports() {
			}
		}
	}
}
