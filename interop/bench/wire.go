package main

import (
	"errors"
	"time"

	"github.com/pion/interceptor/pkg/twcc"
	pionrtcp "github.com/pion/rtcp"
	pionrtp "github.com/pion/rtp"

	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/rtcp"
)

type pionHeader = pionrtp.Header

// The header extensions that browsers put into each packet of video, by their ids.
const (
	midID      = 1
	sendTimeID = 2
	sequenceID = 3
	levelID    = 4

	wirePayload = 1100
)

var errWire = errors.New("what was written is not what was read")

// sink keeps what is read from being left out by the compiler.
var sink uint64

func wireWork(run func(i int) error) (work, error) {
	return work{func() error { return nil }, run}, run(0)
}

// An RTP packet is read: the header, and two of its four extensions.

func plainRTPParse() (work, error) {
	packet := plainRTP(make([]byte, 0, 1500), 1, make([]byte, wirePayload))
	return wireWork(func(int) error {
		p, err := rtp.Parse(packet)
		if err != nil {
			return err
		}
		sendTime, _ := p.Extension(sendTimeID)
		sequence, ok := p.Extension(sequenceID)
		if !ok || len(p.Payload()) != wirePayload {
			return errWire
		}
		sink += uint64(p.SSRC()) + uint64(p.SequenceNumber()) + uint64(p.Timestamp()) + uint64(sendTime[0]) + uint64(sequence[1])
		return nil
	})
}

func pionRTPParse() (work, error) {
	packet := plainRTP(make([]byte, 0, 1500), 1, make([]byte, wirePayload))
	var p pionrtp.Packet
	return wireWork(func(int) error {
		if err := p.Unmarshal(packet); err != nil {
			return err
		}
		sendTime, sequence := p.GetExtension(sendTimeID), p.GetExtension(sequenceID)
		if len(sequence) == 0 || len(p.Payload) != wirePayload {
			return errWire
		}
		sink += uint64(p.SSRC) + uint64(p.SequenceNumber) + uint64(p.Timestamp) + uint64(sendTime[0]) + uint64(sequence[1])
		return nil
	})
}

// plainRTP writes a packet from nothing.
func plainRTP(b []byte, seq uint16, payload []byte) []byte {
	p := rtp.NewBuilder(b, rtp.Header{PayloadType: 96, SequenceNumber: seq, Timestamp: 12345, SSRC: mediaSSRC, Marker: true})
	p.Add(midID, mid)
	rtp.AbsSendTime(seq).Put(p.Reserve(sendTimeID, 3))
	value := p.Reserve(sequenceID, 2)
	value[0], value[1] = byte(seq>>8), byte(seq)
	p.Reserve(levelID, 1)[0] = 0x80
	return append(p.Bytes(), payload...)
}

var mid = []byte("0")

func plainRTPWrite() (work, error) {
	buffer, payload := make([]byte, 0, 1500), make([]byte, wirePayload)
	seq := uint16(0)
	return wireWork(func(int) error {
		seq++
		if b := plainRTP(buffer, seq, payload); len(b) < wirePayload {
			return errWire
		}
		return nil
	})
}

// pionRTPWrite does the same, as Pion's packetizer and interceptors do.
func pionRTPWrite() (work, error) {
	buffer, payload := make([]byte, 1500), make([]byte, wirePayload)
	sendTime, sequence, level := make([]byte, 3), make([]byte, 2), []byte{0x80}
	seq := uint16(0)
	return wireWork(func(int) error {
		seq++
		p := pionrtp.Packet{
			Header:  pionrtp.Header{Version: 2, PayloadType: 96, SequenceNumber: seq, Timestamp: 12345, SSRC: mediaSSRC, Marker: true},
			Payload: payload,
		}
		sendTime[1], sendTime[2] = byte(seq>>8), byte(seq)
		sequence[0], sequence[1] = byte(seq>>8), byte(seq)
		for _, e := range []struct {
			id    uint8
			value []byte
		}{{midID, mid}, {sendTimeID, sendTime}, {sequenceID, sequence}, {levelID, level}} {
			if err := p.SetExtension(e.id, e.value); err != nil {
				return err
			}
		}
		n, err := p.MarshalTo(buffer)
		if err == nil && n < wirePayload {
			err = errWire
		}
		return err
	})
}

// A compound RTCP packet has a sender report with a reception report, a CNAME, a
// request for three packets and one for a picture.

func plainRTCP(b []byte) []byte {
	b = rtcp.SenderReport{SSRC: 1, RTPTimestamp: 3, PacketCount: 4, OctetCount: 5}.Append(b, rtcp.ReceptionReport{SSRC: 2, HighestSequence: 6, Jitter: 7})
	b = rtcp.AppendDescription(b, rtcp.Item{SSRC: 1, Type: rtcp.CNAME, Text: cname})
	b = rtcp.AppendNACK(b, 1, 2, lost)
	return rtcp.AppendPLI(b, 1, 2)
}

var (
	cname = []byte("somebody@example")
	lost  = []uint16{100, 102, 200}
)

func plainRTCPParse() (work, error) {
	compound := plainRTCP(nil)
	return wireWork(func(int) error {
		c, err := rtcp.Parse(compound)
		if err != nil {
			return err
		}
		seen := 0
		for p := range c.Packets() {
			switch p.Kind() {
			case rtcp.SR:
				s, _ := p.SenderReport()
				sink += uint64(s.PacketCount)
				for r := range p.Reports() {
					sink += uint64(r.Jitter)
					seen++
				}
			case rtcp.SDES:
				for item := range p.Items() {
					sink += uint64(len(item.Text))
					seen++
				}
			case rtcp.NACK:
				for seq := range p.Lost() {
					sink += uint64(seq)
					seen++
				}
			case rtcp.PLI:
				sink += uint64(p.MediaSSRC())
				seen++
			}
		}
		if seen != 6 {
			return errWire
		}
		return nil
	})
}

func pionRTCPParse() (work, error) {
	compound := plainRTCP(nil)
	return wireWork(func(int) error {
		packets, err := pionrtcp.Unmarshal(compound)
		if err != nil {
			return err
		}
		seen := 0
		for _, p := range packets {
			switch p := p.(type) {
			case *pionrtcp.SenderReport:
				sink += uint64(p.PacketCount)
				for _, r := range p.Reports {
					sink += uint64(r.Jitter)
					seen++
				}
			case *pionrtcp.SourceDescription:
				for _, c := range p.Chunks {
					for _, item := range c.Items {
						sink += uint64(len(item.Text))
						seen++
					}
				}
			case *pionrtcp.TransportLayerNack:
				for _, n := range p.Nacks {
					n.Range(func(seq uint16) bool {
						sink += uint64(seq)
						seen++
						return true
					})
				}
			case *pionrtcp.PictureLossIndication:
				sink += uint64(p.MediaSSRC)
				seen++
			}
		}
		if seen != 6 {
			return errWire
		}
		return nil
	})
}

func plainRTCPWrite() (work, error) {
	buffer := make([]byte, 0, 1500)
	return wireWork(func(int) error {
		if len(plainRTCP(buffer)) == 0 {
			return errWire
		}
		return nil
	})
}

func pionRTCPWrite() (work, error) {
	return wireWork(func(int) error {
		b, err := pionrtcp.Marshal([]pionrtcp.Packet{
			&pionrtcp.SenderReport{SSRC: 1, RTPTime: 3, PacketCount: 4, OctetCount: 5, Reports: []pionrtcp.ReceptionReport{{SSRC: 2, LastSequenceNumber: 6, Jitter: 7}}},
			pionrtcp.NewCNAMESourceDescription(1, "somebody@example"),
			&pionrtcp.TransportLayerNack{SenderSSRC: 1, MediaSSRC: 2, Nacks: pionrtcp.NackPairsFromSequenceNumbers(lost)},
			&pionrtcp.PictureLossIndication{SenderSSRC: 1, MediaSSRC: 2},
		})
		if err == nil && len(b) == 0 {
			err = errWire
		}
		return err
	})
}

// Feedback is on a hundred packets of which every tenth is lost. Ours is read to the
// end, packet by packet; Pion's into its structures. Pion's is written from what its
// recorder holds.

const feedbackPackets = 100

func arrivals() (all []rtcp.Arrival) {
	for i := range feedbackPackets {
		if i%10 != 9 {
			all = append(all, rtcp.Arrival{Sequence: uint16(i), Received: true, Time: time.Duration(i) * 1300 * time.Microsecond, HasTime: true})
		}
	}
	return all
}

func plainFeedback(b []byte, from []rtcp.Arrival) []byte {
	b, n := rtcp.TransportFeedback{Sender: 1, Media: 2}.Append(b, from, 1200)
	if n != len(from) {
		return nil
	}
	return b
}

func plainTWCCParse() (work, error) {
	feedback := plainFeedback(nil, arrivals())
	return wireWork(func(int) error {
		c, err := rtcp.Parse(feedback)
		if err != nil {
			return err
		}
		seen := 0
		for p := range c.Packets() {
			for a := range p.Arrivals() {
				sink += uint64(a.Time)
				seen++
			}
		}
		if seen != feedbackPackets-1 { // the last is lost, and not told of
			return errWire
		}
		return nil
	})
}

func pionTWCCParse() (work, error) {
	feedback := plainFeedback(nil, arrivals())
	return wireWork(func(int) error {
		packets, err := pionrtcp.Unmarshal(feedback)
		if err != nil {
			return err
		}
		f, ok := packets[0].(*pionrtcp.TransportLayerCC)
		if !ok || len(f.RecvDeltas) != feedbackPackets*9/10 {
			return errWire
		}
		sink += uint64(f.PacketStatusCount)
		return nil
	})
}

func plainTWCCWrite() (work, error) {
	from, buffer := arrivals(), make([]byte, 0, 1500)
	return wireWork(func(int) error {
		if len(plainFeedback(buffer, from)) == 0 {
			return errWire
		}
		return nil
	})
}

func pionTWCCWrite() (work, error) {
	from := arrivals()
	recorders := make([]*twcc.Recorder, mediaBatch)
	prepare := func() error {
		for i := range recorders {
			recorders[i] = twcc.NewRecorder(1)
			for _, a := range from {
				recorders[i].Record(2, a.Sequence, a.Time.Microseconds())
			}
		}
		return nil
	}
	return work{prepare, func(i int) error {
		packets := recorders[i].BuildFeedbackPacket()
		if len(packets) == 0 {
			return errWire
		}
		b, err := packets[0].Marshal()
		if err == nil && len(b) == 0 {
			err = errWire
		}
		return err
	}}, nil
}
