package fec

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/plainrtc/plainrtc/rtp"
)

// Ids of header extensions in tests.
const (
	idSendTime = 1 + iota
	idOrientation
	idTiming
)

func testExtensions() *rtp.ExtensionMap {
	m := new(rtp.ExtensionMap)
	m.Set(rtp.ExtAbsSendTime, idSendTime)
	m.Set(rtp.ExtVideoOrientation, idOrientation)
	m.Set(rtp.ExtVideoTiming, idTiming)
	return m
}

// media is a packet of some size, different from all others.
func media(t testing.TB, sequence uint16, size int) rtp.Packet {
	dice := rand.New(rand.NewPCG(uint64(sequence), uint64(size)))
	b := rtp.NewBuilder(nil, rtp.Header{Marker: dice.IntN(3) == 0, PayloadType: uint8(96 + dice.IntN(2)), SequenceNumber: sequence, Timestamp: dice.Uint32(), SSRC: 0x11223344})
	if dice.IntN(2) == 0 {
		b.Add(idSendTime, []byte{byte(dice.Uint32()), 2, 3})
	}
	if dice.IntN(2) == 0 {
		b.Add(idOrientation, []byte{1})
	}
	if dice.IntN(3) == 0 {
		b.Add(idTiming, []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13})
	}
	packet := b.Bytes()
	for range size {
		packet = append(packet, byte(dice.Uint32()))
	}
	p, err := rtp.Parse(packet)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// blanked is what is recovered of a packet.
func blanked(p rtp.Packet) []byte {
	o, _ := rtp.Parse(bytes.Clone(p.Bytes()))
	blank(o, testExtensions())
	return o.Bytes()
}

func newEncoder(f Format) *Encoder { return &Encoder{Format: f, Extensions: testExtensions()} }
func newDecoder(f Format) *Decoder { return &Decoder{Format: f, Extensions: testExtensions()} }

func add(t testing.TB, e *Encoder, p rtp.Packet) {
	t.Helper()
	if !e.Add(p.Bytes()[:p.HeaderSize()], p.Bytes()[p.HeaderSize():]) {
		t.Fatalf("%v was not taken", p)
	}
}

// next are the sequence numbers of what was recovered, which must be as it was sent.
func next(t testing.TB, d *Decoder, sent map[uint16]rtp.Packet) (numbers []uint16) {
	t.Helper()
	for p, ok := d.Next(); ok; p, ok = d.Next() {
		numbers = append(numbers, p.SequenceNumber())
		if want := blanked(sent[p.SequenceNumber()]); !bytes.Equal(p.Bytes(), want) {
			t.Errorf("%d was recovered as\n%x, and was\n%x", p.SequenceNumber(), p.Bytes(), want)
		}
	}
	return numbers
}

// The figures of RFC 5109, Section 10.1: packets A to D, all protected by one.
func TestVectorOfRFC5109(t *testing.T) {
	e := &Encoder{}
	sent := map[uint16]rtp.Packet{}
	for _, v := range []struct {
		sequence uint16
		marker   bool
		pt       uint8
		time     uint32
		size     int
	}{{8, true, 11, 3, 200}, {9, false, 18, 5, 140}, {10, true, 11, 7, 100}, {11, false, 18, 9, 340}} {
		b := rtp.NewBuilder(nil, rtp.Header{Marker: v.marker, PayloadType: v.pt, SequenceNumber: v.sequence, Timestamp: v.time, SSRC: 2})
		p, err := rtp.Parse(append(b.Bytes(), bytes.Repeat([]byte{byte(v.sequence)}, v.size)...))
		if err != nil {
			t.Fatal(err)
		}
		sent[v.sequence] = p
		add(t, e, p)
	}
	got := e.AppendRepair(nil, 0, 1)
	// PT recovery 0, SN base 8, TS recovery 8, length recovery 372; protection length 340, mask 0xf000.
	want, _ := hex.DecodeString("0000" + "0008" + "00000008" + "0174" + "0154" + "f000")
	if !bytes.Equal(got[:len(want)], want) || len(got) != len(want)+340 {
		t.Errorf("the repair packet begins with\n%x, and the RFC has\n%x", got[:len(want)], want)
	}
	for lost := range uint16(4) {
		d := &Decoder{}
		d.Receive(sent[8+(lost+1)%4])
		d.Repair(got) // from now on packets are kept
		for n, p := range sent {
			if n != 8+lost {
				d.Receive(p)
			}
		}
		if p, ok := d.Next(); !ok || !bytes.Equal(p.Bytes(), sent[8+lost].Bytes()) {
			t.Errorf("packet %d is not recovered", 8+lost)
		}
	}
}

// The header of flexfec-03 with each length of mask.
func TestMasksOfFlex(t *testing.T) {
	for _, test := range []struct {
		span int
		want string // from SN base on
	}{
		{14, "0007" + "c001"},
		{15, "0007" + "4000" + "c0000000"},
		{45, "0007" + "4000" + "80000001"},
		{46, "0007" + "4000" + "00000000" + "c000000000000000"},
		{108, "0007" + "4000" + "00000000" + "8000000000000001"},
	} {
		h := header{ssrc: 1, base: 7}
		h.mask.set(0)
		h.mask.set(test.span)
		b := Flex.appendHeader(nil, &h, 0)
		if got := hex.EncodeToString(b[16:]); got != test.want {
			t.Errorf("mask to %d: %s, want %s", test.span, got, test.want)
		}
		back, _, ok := parseFlex(b)
		if !ok || back.mask != h.mask || back.base != 7 || back.ssrc != 1 {
			t.Errorf("mask to %d is read as %+v, %t", test.span, back, ok)
		}
		for n := range b {
			if _, _, ok := parseFlex(b[:n]); ok {
				t.Errorf("mask to %d: %d of %d bytes are taken", test.span, n, len(b))
			}
		}
	}
}

// Each strict prefix of a repair packet of ULP is refused, for it says how long it is.
func TestPrefixesOfULP(t *testing.T) {
	for _, size := range []int{5, 20, 40} {
		e := newEncoder(ULP)
		for i := range size {
			add(t, e, media(t, uint16(i), 50))
		}
		b := e.AppendRepair(nil, 0, 1)
		for n := range b {
			if _, _, ok := parseULP(b[:n]); ok {
				t.Errorf("%d of %d bytes are taken", n, len(b))
			}
		}
		if h, _, ok := parseULP(b); !ok || h.mask.count() != size {
			t.Errorf("%d packets are protected by a mask of %d", size, h.mask.count())
		}
		b[0] |= 0x80
		if h, _, ok := parseULP(b); !ok || h.mask.count() != size {
			t.Error("the extension flag is not ignored")
		}
	}
}

// Whatever is lost of a group, what parity can bring back is brought back, in whatever order
// packets come, and over the end of the sequence numbers.
func TestRecovery(t *testing.T) {
	for _, f := range []Format{ULP, Flex} {
		dice := rand.New(rand.NewPCG(1, uint64(f)))
		recovered := 0
		d := newDecoder(f)
		for round := range 500 {
			size, n := 1+dice.IntN(MaxGroup), 1+dice.IntN(4)
			first := uint16(round * 64)
			if round == 0 {
				d.Receive(media(t, first-1, 100))
				e := newEncoder(f)
				add(t, e, media(t, first-1, 100))
				d.Repair(e.AppendRepair(nil, 0, 1)) // now it listens
			}
			e := newEncoder(f)
			sent := map[uint16]rtp.Packet{}
			var arrive []func()
			gone := map[uint16]bool{}
			for i := range size {
				p := media(t, first+uint16(i), dice.IntN(1200))
				sent[p.SequenceNumber()] = p
				add(t, e, p)
				if dice.Float64() < 0.05 {
					gone[p.SequenceNumber()] = true
					continue
				}
				arrive = append(arrive, func() { d.Receive(p) })
			}
			for i := range n {
				if b := e.AppendRepair(nil, i, n); len(b) > 0 {
					if len(b) > 1212+12+20+Overhead {
						t.Fatalf("a repair packet of %d bytes", len(b))
					}
					arrive = append(arrive, func() { d.Repair(b) })
				}
			}
			dice.Shuffle(len(arrive), func(i, j int) { arrive[i], arrive[j] = arrive[j], arrive[i] })
			var got []uint16
			for _, a := range arrive {
				a()
				for _, n := range next(t, d, sent) {
					if gone[n] { // others were only late
						got = append(got, n)
					}
				}
			}
			if want := solvable(size, n, func(i int) bool { return gone[first+uint16(i)] }); len(got) != want {
				t.Fatalf("%v: round %d: %d recovered of %d that can be", f, round, len(got), want)
			}
			recovered += len(got)
		}
		t.Logf("%v: %d packets recovered", f, recovered)
	}
}

// solvable counts how many of those lost can be recovered, each where it is the only one left of
// a repair packet.
func solvable(size, n int, lost func(i int) bool) (count int) {
	left := map[int]bool{}
	for j := range size {
		if lost(j) {
			left[j] = true
		}
	}
	for again := true; again; {
		again = false
		for i := range n {
			var missing []int
			for j := range size {
				if left[j] && protects(i, n, j) {
					missing = append(missing, j)
				}
			}
			if len(missing) == 1 {
				delete(left, missing[0])
				count, again = count+1, true
			}
		}
	}
	return count
}

// Any one and any two that are lost of a group are recovered, and mostly one less than there are
// repair packets, when they follow on each other.
func TestWhatIsRecovered(t *testing.T) {
	for n := 1; n <= 8; n++ {
		size := min(n*(n+1)/2, MaxGroup)
		for a := range size {
			for b := range a {
				if solvable(size, n, func(j int) bool { return j == a || j == b }) != 2 {
					t.Errorf("%d repair packets: %d and %d are lost and not recovered", n, a, b)
				}
			}
		}
		whole, burst := 0, max(n-1, 1)
		for a := range size - burst + 1 {
			if solvable(size, n, func(j int) bool { return j >= a && j < a+burst }) == burst {
				whole++
			}
		}
		t.Logf("%d repair packets for %d: %d of %d bursts of %d are recovered", n, size, whole, size-burst+1, burst)
		if whole*10 < 6*(size-burst+1) {
			t.Error("that is less than six of ten")
		}
	}
}

// Two repair packets over different packets recover two, one with the help of the other.
func TestOneHelpsTheOther(t *testing.T) {
	sent := map[uint16]rtp.Packet{}
	for i := range uint16(3) {
		sent[i] = media(t, i, 100+int(i))
	}
	repair := func(numbers ...uint16) []byte {
		e := newEncoder(Flex)
		for _, n := range numbers {
			add(t, e, sent[n])
		}
		return e.AppendRepair(nil, 0, 1)
	}
	d := newDecoder(Flex)
	d.Receive(media(t, 0xffff, 10))
	d.Repair(repair(0, 1, 2))
	d.Receive(sent[2])
	if got := next(t, d, sent); len(got) != 0 {
		t.Fatalf("recovered %v of one repair packet, with two packets missing", got)
	}
	d.Repair(repair(1, 2))
	if got := next(t, d, sent); !slices.Equal(got, []uint16{1, 0}) {
		t.Errorf("recovered %v, want 1 and then 0", got)
	}
	d.Receive(sent[0]) // late: it was recovered
	if got := next(t, d, sent); len(got) != 0 || d.Discarded != 0 {
		t.Errorf("recovered %v afterwards, %d discarded", got, d.Discarded)
	}
}

// What is of no use is counted, and holds no memory for long.
func TestUseless(t *testing.T) {
	d := newDecoder(Flex)
	e := newEncoder(Flex)
	add(t, e, media(t, 10, 10))
	add(t, e, media(t, 11, 10))
	repair := e.AppendRepair(nil, 0, 1)
	wants := func(why string, n uint64) {
		t.Helper()
		if _, ok := d.Next(); ok || d.Discarded != n {
			t.Errorf("%s: %d are discarded, want %d", why, d.Discarded, n)
		}
	}
	d.Repair(repair)
	wants("before any media", 1)
	d.Receive(media(t, 10, 10))
	d.Repair(repair[:10])
	wants("cut off", 2)
	d.Repair(repair)
	if p, ok := d.Next(); !ok || p.SequenceNumber() != 11 {
		t.Error("the packet that did not come is not recovered")
	}
	d.Receive(media(t, 11, 10))
	wants("it came after all", 2)
	d.Repair(repair)
	wants("all is there", 3)
	other := bytes.Clone(repair)
	other[12]++
	d.Repair(other)
	wants("of another SSRC", 4)
	for i := range uint16(heldRepairs + 8) {
		e.Reset()
		add(t, e, media(t, 20+i, 10))
		add(t, e, media(t, 21+i, 10))
		d.Repair(e.AppendRepair(nil, 0, 1))
	}
	wants("too many: the oldest make room", 4+8)
	d.Receive(media(t, 500, 10))
	wants("overtaken", 4+8+heldRepairs)
	for i := range idleAfter + 1 {
		d.Receive(media(t, 500+uint16(i), 10))
	}
	if d.held != nil {
		t.Error("memory is held though no repair packets come any more")
	}
	d.Receive(media(t, 40000, 10)) // the source started over
	d.Repair(repair)
	wants("from before the source started over", 4+8+heldRepairs+1)
}

// A group does not take what it has no place for.
func TestGroupIsBounded(t *testing.T) {
	e := newEncoder(ULP)
	for i := range MaxGroup {
		add(t, e, media(t, uint16(i), 10))
	}
	for _, n := range []uint16{MaxGroup, 3, 1000, 0xffff} {
		if p := media(t, n, 10); e.Add(p.Bytes()[:p.HeaderSize()], p.Payload()) {
			t.Errorf("a full group takes %d", n)
		}
	}
	if got := e.AppendRepair(nil, MaxGroup, MaxGroup+1); len(got) != 0 {
		t.Errorf("a repair packet of nothing has %d bytes", len(got))
	}
	e.Reset()
	if e.Len() != 0 {
		t.Error("the group goes on after Reset")
	}
}

// steady is a stream of groups of ten with one lost, for allocations and timing.
func steady(t testing.TB, f Format) func() {
	e, d := newEncoder(f), newDecoder(f)
	packets := make([]rtp.Packet, 1<<16)
	for i := range packets {
		if i < 1<<10 {
			packets[i] = media(t, uint16(i), 1100)
			continue
		}
		p, _ := rtp.Parse(bytes.Clone(packets[i&(1<<10-1)].Bytes()))
		p.SetSequenceNumber(uint16(i))
		packets[i] = p
	}
	sequence, repair := uint16(0), make([]byte, 0, 1500)
	return func() {
		e.Reset()
		for i := range 10 {
			p := packets[sequence]
			e.Add(p.Bytes()[:p.HeaderSize()], p.Bytes()[p.HeaderSize():])
			if i != 3 {
				d.Receive(p)
			}
			sequence++
		}
		repair = e.AppendRepair(repair[:0], 0, 1)
		d.Repair(repair)
		d.Next()
	}
}

func TestNothingIsAllocated(t *testing.T) {
	for _, f := range []Format{ULP, Flex} {
		step := steady(t, f)
		for range 100 {
			step()
		}
		if n := testing.AllocsPerRun(100, step); n != 0 {
			t.Errorf("%v: %.1f allocations for ten packets, one repair packet and a recovery", f, n)
		}
	}
}

// BenchmarkGroup protects ten packets of 1,100 bytes by one, and recovers one of them.
func BenchmarkGroup(b *testing.B) {
	step := steady(b, ULP)
	b.ReportAllocs()
	for b.Loop() {
		step()
	}
}

// Whatever comes: no panic, and no more packets than repair packets.
func FuzzDecoder(f *testing.F) {
	for _, format := range []Format{ULP, Flex} {
		e := newEncoder(format)
		var all []byte
		chunk := func(kind byte, b []byte) {
			all = append(append(all, kind, byte(len(b)>>8), byte(len(b))), b...)
		}
		for i := range uint16(5) {
			p := media(f, 65533+i, 40)
			add(f, e, p)
			if i != 2 {
				chunk(0, p.Bytes())
			}
		}
		chunk(1, e.AppendRepair(nil, 0, 1))
		f.Add(byte(format), all)
		all = nil
		packets, repairs, _ := captured(f, map[Format]string{ULP: "testdata/chromium-ulpfec.hex", Flex: "testdata/chromium-flexfec.hex"}[format])
		chunk(0, packets[0].Bytes())
		chunk(1, repairs[0])
		for _, p := range packets[1:] {
			chunk(0, p.Bytes())
		}
		f.Add(byte(format), all)
	}
	f.Fuzz(func(t *testing.T, format byte, b []byte) {
		d := newDecoder(Format(format & 1))
		repairs, recovered := uint64(0), uint64(0)
		for len(b) >= 3 {
			kind, n := b[0], min(int(b[1])<<8|int(b[2]), len(b)-3)
			chunk := b[3 : 3+n]
			b = b[3+n:]
			if kind&1 == 0 {
				if p, err := rtp.Parse(chunk); err == nil {
					d.Receive(p)
				}
			} else {
				repairs++
				d.Repair(chunk)
			}
			for p, ok := d.Next(); ok; p, ok = d.Next() {
				recovered++
				_ = p.String()
			}
		}
		if recovered+d.Discarded > repairs {
			t.Errorf("%d repair packets recovered %d, and %d were discarded", repairs, recovered, d.Discarded)
		}
	})
}

func Example() {
	e := Encoder{Format: ULP}
	var packets []rtp.Packet
	for i := range uint16(4) {
		b := rtp.NewBuilder(nil, rtp.Header{PayloadType: 96, SequenceNumber: 100 + i, SSRC: 7})
		p, _ := rtp.Parse(fmt.Appendf(b.Bytes(), "this is packet %d", i))
		e.Add(p.Bytes()[:p.HeaderSize()], p.Payload())
		packets = append(packets, p)
	}
	repair := e.AppendRepair(nil, 0, 1)

	d := Decoder{Format: ULP}
	d.Receive(packets[0])
	d.Repair(repair)
	for _, p := range packets[:3] { // the fourth is lost
		d.Receive(p)
	}
	p, _ := d.Next()
	fmt.Printf("%s\n", p.Payload())
	// Output: this is packet 3
}
