package rtcp

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// full is a compound packet with one of everything.
func full() []byte {
	b := SenderReport{SSRC: 1, NTPTimestamp: 2 << 32, RTPTimestamp: 3, PacketCount: 4, OctetCount: 5}.Append(nil,
		ReceptionReport{SSRC: 6, FractionLost: 7, CumulativeLost: -8, HighestSequence: 9, Jitter: 10, LastSR: 11, DelaySinceSR: 12})
	b = AppendReceiverReport(b, 1, ReceptionReport{SSRC: 2, CumulativeLost: 1<<23 - 1}, ReceptionReport{SSRC: 3})
	b = AppendDescription(b, Item{1, CNAME, []byte("me@here")}, Item{1, TOOL, []byte("plainrtc")}, Item{2, CNAME, nil})
	b = AppendBye(b, "camera off", 1, 2)
	b = AppendBye(b, "", 3)
	b = Application{Subtype: 31, SSRC: 1, Name: [4]byte{'t', 'e', 's', 't'}, Data: []byte("data")}.Append(b)
	b = AppendNACK(b, 1, 2, []uint16{65534, 65535, 0, 14, 15, 100})
	b = AppendPLI(b, 1, 2)
	b = AppendFIR(b, 1, FullIntraRequest{2, 3}, FullIntraRequest{4, 5})
	b = AppendREMB(b, 1, 1<<20, 2, 3)
	b = AppendTMMBR(b, 1, BitrateLimit{2, 350000, 40})
	b = AppendTMMBN(b, 1, BitrateLimit{2, 0x1ffff << 3, 511})
	b, _ = TransportFeedback{Sender: 1, Media: 2, Base: 10, Feedback: 3}.Append(b, []Arrival{
		{11, true, 100 * time.Millisecond, true}, {12, true, 99 * time.Millisecond, true}, {20, true, 300 * time.Millisecond, true}}, 1200)
	b = AppendCCFB(b, 1, 1<<16, []PacketReport{{2, 65535, true, 1, 1024}, {2, 0, false, 0, 0}, {2, 1, true, 0, OffsetUnknown}, {3, 7, true, 3, 5}})
	x := NewXRBuilder(b, 1)
	x.AddReferenceTime(1 << 32)
	x.AddDelays(DelaySinceRR{2, 3, 4}, DelaySinceRR{5, 6, 7})
	x.AddRuns(LossRLE, 2, 65530, []bool{true, true, false, true})
	x.AddStatistics(Statistics{SSRC: 2, Begin: 1, End: 9, HasLost: true, Lost: 3, HasJitter: true, MinJitter: 1, MaxJitter: 2, MeanJitter: 3, DevJitter: 4, TTL: 1, MinTTL: 63, MaxTTL: 64})
	x.AddVoIPReport(VoIPReport{SSRC: 2, LossRate: 1, BurstDuration: 2, SignalLevel: -3, MOSCQ: 41, JBAbsMax: 500})
	x.Add(PacketReceiptTimes, 0, []byte{0, 0, 0, 2, 0, 5, 0, 7, 0, 0, 0, 1, 0, 0, 0, 2})
	return x.Bytes()
}

func TestEverythingReadsAsItWasWritten(t *testing.T) {
	want := []string{
		`SR ssrc=00000001 ntp=00000002.00000000 rtp=3 packets=4 octets=5 [ssrc=00000006 fraction=7 lost=-8 highest=9 jitter=10 lsr=0000000b dlsr=12]`,
		`RR ssrc=00000001 [ssrc=00000002 fraction=0 lost=8388607 highest=0 jitter=0 lsr=00000000 dlsr=0] [ssrc=00000003 fraction=0 lost=0 highest=0 jitter=0 lsr=00000000 dlsr=0]`,
		`SDES 00000001 1="me@here" 00000001 6="plainrtc" 00000002 1=""`,
		`BYE 00000001 00000002 "camera off"`,
		`BYE 00000003`,
		`APP ssrc=00000001 "test" subtype=31 data[4]`,
		`NACK ssrc=00000001 media=00000002 lost=65534,65535,0,14,15,100`,
		`PLI ssrc=00000001 media=00000002`,
		`FIR ssrc=00000001 [media=00000002 seq=3] [media=00000004 seq=5]`,
		`REMB ssrc=00000001 bitrate=1048576 media=00000002 media=00000003`,
		`TMMBR ssrc=00000001 [media=00000002 bitrate=350000 overhead=40]`,
		`TMMBN ssrc=00000001 [media=00000002 bitrate=1048568 overhead=511]`,
		`TWCC ssrc=00000001 media=00000002 base=10 count=11 reference=1 feedback=3 11=100ms 12=99ms 20=300ms`,
		`CCFB ssrc=00000001 timestamp=00010000 00000002/65535=-1024/1024s ecn=1 00000002/0 lost 00000002/1=-8191/1024s 00000003/7=-5/1024s ecn=3`,
		`XR ssrc=00000001 RRT=00000001.00000000 block 5[24] [ssrc=00000002 lrr=00000003 dlrr=4] [ssrc=00000005 lrr=00000006 dlrr=7] block 1[12] block 6[36] block 7[32] block 3[16]`,
	}
	i := 0
	for p := range mustParse(t, full()).Packets() {
		if p.String() != want[i] {
			t.Errorf("it reads as\n%v\nwant\n%s", p, want[i])
		}
		if got, ok := rebuild(p); !ok || !bytes.Equal(got, p.Bytes()) {
			t.Errorf("%v comes back as\n%x\nwant\n%x", p, got, p.Bytes())
		}
		i++
	}
	if i != len(want) {
		t.Errorf("%d packets, want %d", i, len(want))
	}
}

// A prefix of a datagram is a datagram where a packet ends, and nowhere else.
func TestPrefixes(t *testing.T) {
	b := full()
	var ends []int
	at := 0
	for p := range mustParse(t, b).Packets() {
		at += len(p.Bytes())
		ends = append(ends, at)
	}
	for n := range b {
		if _, err := Parse(b[:n]); (err == nil) != slices.Contains(ends, n) {
			t.Errorf("the first %d bytes: %v", n, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, test := range []struct {
		name string
		b    []byte
		want error
	}{
		{"nothing", nil, ErrShort},
		{"half a header", []byte{0x80, 200, 0}, ErrShort},
		{"version 1", []byte{0x40, 200, 0, 0}, ErrVersion},
		{"RTP", []byte{0x80, 96, 0, 0}, ErrType},
		{"RTP behind RTCP", []byte{0x80, 203, 0, 0, 0x80, 96, 0, 0}, ErrType},
		{"a length beyond the end", []byte{0x80, 203, 0, 1}, ErrLength},
		{"three bytes too many", []byte{0x80, 203, 0, 0, 0x80, 203, 0}, ErrLength},
		{"padding of nothing", []byte{0xa0, 203, 0, 1, 0, 0, 0, 0}, ErrPadding},
		{"padding longer than the body", []byte{0xa0, 203, 0, 1, 0, 0, 0, 5}, ErrPadding},
		{"padding that is all", []byte{0xa0, 203, 0, 1, 0, 0, 0, 4}, nil},
		{"padding without a body", []byte{0xa0, 203, 0, 0}, ErrPadding},
	} {
		if _, err := Parse(test.b); err != test.want {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
		if Is(test.b) && test.want == ErrType && len(test.b) == 4 {
			t.Errorf("%s is taken for RTCP", test.name)
		}
	}
}

func TestCompoundRules(t *testing.T) {
	report := AppendReceiverReport(nil, 1)
	cname := AppendDescription(nil, Item{1, CNAME, []byte("c")})
	tool := AppendDescription(nil, Item{1, TOOL, []byte("c")})
	for _, test := range []struct {
		name string
		b    []byte
		want error
	}{
		{"a report and a CNAME", slices.Concat(report, cname), nil},
		{"feedback behind them", slices.Concat(report, cname, AppendPLI(nil, 1, 2)), nil},
		{"a report alone is reduced-size", report, ErrNoCNAME},
		{"a CNAME that is none", slices.Concat(report, tool), ErrNoCNAME},
		{"feedback alone is reduced-size", AppendPLI(nil, 1, 2), ErrNotReport},
		{"a CNAME before the report", slices.Concat(cname, report), ErrNotReport},
	} {
		if err := mustParse(t, test.b).CheckFull(); err != test.want {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
}

// Bodies that are cut off: nothing is read that is not there.
func TestTruncatedBodies(t *testing.T) {
	for p := range mustParse(t, full()).Packets() {
		for n := headerSize; n < len(p.Bytes()); n += 4 {
			cut := bytes.Clone(p.Bytes()[:n])
			q := one(t, end(cut, 0))
			_ = q.String()
			rebuild(q)
			if k := q.Kind(); n == headerSize && k != SDES && k != BYE && (q.SSRC() != 0 || q.MediaSSRC() != 0) {
				t.Errorf("%v has a source without having a body", k)
			}
			switch p.Kind() {
			case SR:
				if _, ok := q.SenderReport(); ok {
					t.Errorf("the first %d bytes are a sender report", n)
				}
			case RR:
				if _, ok := q.ReceiverReport(); ok {
					t.Errorf("the first %d bytes are a receiver report", n)
				}
			case TWCC:
				if f, ok := q.TransportFeedback(); ok && len(p.Bytes())-n < 4 {
					t.Errorf("the first %d bytes are %+v", n, f)
				}
			}
		}
	}
}

func TestNACKPairs(t *testing.T) {
	b := AppendNACK(nil, 1, 2, []uint16{5, 6, 21, 22})
	// 5 with bits for 6 and 21 (the sixteenth after it); 22 needs a pair of its own.
	if want := []byte{0, 5, 0x80, 1, 0, 22, 0, 0}; !bytes.Equal(b[12:], want) {
		t.Errorf("pairs %x, want %x", b[12:], want)
	}
}

func TestBitratesRoundDown(t *testing.T) {
	for _, bitrate := range []uint64{0, 1, 1<<18 - 1, 1 << 18, 1<<18 + 1, 2_500_000, 1<<63 + 12345, 1<<64 - 1} {
		got, ok := one(t, AppendREMB(nil, 1, bitrate)).Estimate()
		if !ok || got > bitrate || bitrate-got > bitrate>>17 {
			t.Errorf("REMB of %d reads as %d, %v", bitrate, got, ok)
		}
	}
	b := AppendREMB(nil, 1, 1<<18-1)
	b[17] |= 0xfc // exponent 63
	if got, ok := one(t, b).Estimate(); ok {
		t.Errorf("a bit rate that takes 81 bits reads as %d", got)
	}
	b[16] = 1 // a source that is not there
	if _, ok := one(t, b).Estimate(); ok {
		t.Error("a REMB with fewer sources than it says is taken")
	}
}

// Runs and bit vectors, whatever mix of them the packets make.
func TestRunLengths(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 14, 15, 16, 100, 20000} {
		packets := make([]bool, n)
		for i := range packets {
			packets[i] = random.IntN(30) > 0
		}
		x := NewXRBuilder(nil, 1)
		x.AddRuns(DuplicateRLE, 2, 65000, packets)
		for block := range one(t, x.Bytes()).Blocks() {
			g, ok := block.Range()
			if !ok || g.SSRC != 2 || g.Begin != 65000 || g.End != 65000+uint16(n) {
				t.Fatalf("%d packets: %+v, %v", n, g, ok)
			}
			var got []bool
			for seq, p := range block.Runs() {
				if seq != 65000+uint16(len(got)) {
					t.Fatalf("sequence number %d at %d", seq, len(got))
				}
				got = append(got, p)
			}
			if !slices.Equal(got, packets) {
				t.Fatalf("%d packets come back as %d others", n, len(got))
			}
		}
	}
	// Thinned: only every fourth packet is told of, from the first multiple of four.
	block := Block{LossRLE, 2, []byte{0, 0, 0, 1, 0, 2, 0, 14, 0xc0, 0, 0, 0}}
	var got []uint16
	for seq, received := range block.Runs() {
		got = append(got, seq)
		if received != (seq == 4) {
			t.Errorf("packet %d: %v", seq, received)
		}
	}
	if !slices.Equal(got, []uint16{4, 8, 12}) {
		t.Errorf("told of %v", got)
	}
}

func TestReceiptTimes(t *testing.T) {
	block := Block{PacketReceiptTimes, 0, []byte{0, 0, 0, 2, 0xff, 0xff, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2}}
	var got []uint32
	for seq, at := range block.ReceiptTimes() {
		got = append(got, uint32(seq), at)
	}
	if !slices.Equal(got, []uint32{65535, 1, 0, 2}) {
		t.Errorf("%v", got)
	}
}

// Random arrivals come back with their times, whatever mix of chunks they make,
// and in packets no longer than asked for.
func TestTransportFeedbackTellsWhatArrived(t *testing.T) {
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 0))
		loss, jitter := random.IntN(100), 1+random.Int64N(int64(2*time.Second))
		if seed%3 == 0 {
			loss, jitter = 0, int64(time.Millisecond)
		}
		base := uint16(random.Uint32())
		var arrivals []Arrival
		at := time.Hour
		for i := range 500 {
			if seed%7 == 0 && i == 250 {
				base += 20000 // a long gap
			}
			if random.IntN(100) < loss {
				continue
			}
			at += time.Millisecond
			arrivals = append(arrivals, Arrival{base + uint16(i), true, (at + time.Duration(random.Int64N(jitter))).Truncate(deltaUnit), true})
		}
		f := TransportFeedback{Sender: 1, Media: 2}
		limit := 64 + random.IntN(1200)
		left := arrivals
		for len(left) > 0 {
			f.Base = left[0].Sequence
			b, n := f.Append(nil, left, limit)
			if n == 0 || len(b) > limit {
				t.Fatalf("seed %d: %d arrivals in %d bytes of %d", seed, n, len(b), limit)
			}
			p := one(t, b)
			if got, ok := p.TransportFeedback(); !ok || got.Base != f.Base {
				t.Fatalf("seed %d: %+v, %v", seed, got, ok)
			}
			var got []Arrival
			for a := range p.Arrivals() {
				if a.Received {
					got = append(got, a)
				}
			}
			if !slices.Equal(got, left[:n]) {
				t.Fatalf("seed %d: %v comes back as %v", seed, left[:n], got)
			}
			left = left[n:]
			f.Feedback++
		}
	}
}

func TestTransportFeedbackWithoutTiming(t *testing.T) {
	b, start := beginFeedback(nil, TWCC, 1, 2)
	b = append(b, 0, 10, 0, 3, 0, 0, 0, 0, 0x20, 2, 0, 1) // a run of two received, of one not
	var got []Arrival
	for a := range one(t, end(b, start)).Arrivals() {
		got = append(got, a)
	}
	if want := []Arrival{{Sequence: 10, Received: true}, {Sequence: 11, Received: true}, {Sequence: 12}}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	b[len(b)-4] = 0x60 // a run of the reserved symbol
	if _, ok := one(t, b).TransportFeedback(); ok {
		t.Error("a reserved symbol is taken")
	}
}

func TestArrivalOffsets(t *testing.T) {
	for _, test := range []struct {
		r    PacketReport
		want time.Duration
		ok   bool
	}{
		{PacketReport{Received: true, Offset: 1024}, time.Second, true},
		{PacketReport{Received: true, Offset: OffsetTooLong}, 0, false},
		{PacketReport{Received: true, Offset: OffsetUnknown}, 0, false},
		{PacketReport{}, 0, false},
	} {
		if got, ok := test.r.Before(); got != test.want || ok != test.ok {
			t.Errorf("%+v: %v, %v", test.r, got, ok)
		}
	}
}

func TestKindsHaveNames(t *testing.T) {
	for k, want := range map[Kind]string{SR: "SR", REMB: "REMB", 2<<8 | typeRTPFB: "RTPFB/2", 3<<8 | typePSFB: "PSFB/3", 195: "PT195"} {
		if k.String() != want {
			t.Errorf("%d is %v, want %s", k, k, want)
		}
	}
}
