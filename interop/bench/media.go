package main

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha1"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	pionsrtp "github.com/pion/srtp/v3"

	"github.com/plainrtc/plainrtc/srtp"
)

// What a media packet costs beside its socket: SRTP, RTP and RTCP by themselves,
// on one goroutine, without a connection.

// A mediaStack is what a stack has of that.
type mediaStack struct {
	srtp func(p srtp.Profile) (protect, unprotect work, err error)
	// What is read and written is the same for all: see wire.go.
	rtpParse, rtpWrite, rtcpParse, rtcpWrite, twccParse, twccWrite func() (work, error)
}

// mediaStacks are by the stacks' names: a stack that is not here has no figures.
var mediaStacks = map[string]mediaStack{
	plainStack.name: {plainSRTP, plainRTPParse, plainRTPWrite, plainRTCPParse, plainRTCPWrite, plainTWCCParse, plainTWCCWrite},
	pionStack.name:  {pionSRTP, pionRTPParse, pionRTPWrite, pionRTCPParse, pionRTCPWrite, pionTWCCParse, pionTWCCWrite},
}

func init() {
	measurements = append(measurements, mediaMeasurements...)
	rows = append(rows, mediaRows...)
}

var mediaMeasurements = []measurement{
	{"srtp-cm-80", func(s stack) (figures, error) { return measureSRTP(s, srtp.AES128_CM_HMAC_SHA1_80) }},
	{"srtp-cm-32", func(s stack) (figures, error) { return measureSRTP(s, srtp.AES128_CM_HMAC_SHA1_32) }},
	{"srtp-gcm-128", func(s stack) (figures, error) { return measureSRTP(s, srtp.AEAD_AES_128_GCM) }},
	{"srtp-gcm-256", func(s stack) (figures, error) { return measureSRTP(s, srtp.AEAD_AES_256_GCM) }},
	{"rtp-parse", func(s stack) (figures, error) { return measureWork(mediaStacks[s.name].rtpParse) }},
	{"rtp-write", func(s stack) (figures, error) { return measureWork(mediaStacks[s.name].rtpWrite) }},
	{"rtcp-parse", func(s stack) (figures, error) { return measureWork(mediaStacks[s.name].rtcpParse) }},
	{"rtcp-write", func(s stack) (figures, error) { return measureWork(mediaStacks[s.name].rtcpWrite) }},
	{"twcc-parse", func(s stack) (figures, error) { return measureWork(mediaStacks[s.name].twccParse) }},
	{"twcc-write", func(s stack) (figures, error) { return measureWork(mediaStacks[s.name].twccWrite) }},
}

var mediaRows = func() (rows []row) {
	for _, p := range []struct{ name, text, bare string }{
		{"srtp-gcm-128", "SRTP, AEAD_AES_128_GCM", "cipher.AEAD"},
		{"srtp-gcm-256", "SRTP, AEAD_AES_256_GCM", "cipher.AEAD"},
		{"srtp-cm-80", "SRTP, AES128_CM_HMAC_SHA1_80", "CTR and HMAC"},
		{"srtp-cm-32", "SRTP, AES128_CM_HMAC_SHA1_32", "CTR and HMAC"},
	} {
		rows = append(rows,
			row{p.name + "/protect", p.text + ", 1,200 bytes: protect, ns", "%.0f"},
			row{p.name + "/protect bare", "… times the bare " + p.bare, "%.2f"},
			row{p.name + "/unprotect", "… unprotect, ns", "%.0f"},
			row{p.name + "/unprotect bare", "… times the bare " + p.bare, "%.2f"},
			row{p.name + "/allocs", "… allocations of both", "%.1f"})
	}
	for _, w := range []struct{ name, text string }{
		{"rtp-parse", "RTP packet, four header extensions: read, ns"},
		{"rtp-write", "RTP packet, four header extensions: write, ns"},
		{"rtcp-parse", "RTCP compound of SR, SDES, NACK, PLI: read, ns"},
		{"rtcp-write", "RTCP compound of SR, SDES, NACK, PLI: write, ns"},
		{"twcc-parse", "Transport-wide feedback on 100 packets: read, ns"},
		{"twcc-write", "Transport-wide feedback on 100 packets: write, ns"},
	} {
		rows = append(rows, row{w.name + "/ns", w.text, "%.0f"}, row{w.name + "/allocs", "… allocations", "%.1f"})
	}
	return rows
}()

// work is something done to packets, a batch at a time. prepare makes the batch's
// packets ready, which is not measured; run does it to one of them.
type work struct {
	prepare func() error
	run     func(i int) error
}

const (
	// mediaBatch packets fit the cache, and take long enough to look at a clock.
	mediaBatch   = 16
	mediaBatches = 4000
)

// measureAgainst measures work, and what it is to be compared with, in turns; the
// figures are of the median batch, per packet. What another process takes away
// between two batches is in neither.
func measureAgainst(works ...work) (ns []float64, err error) {
	times := make([][]time.Duration, len(works))
	for round := range mediaBatches + mediaBatches/10 {
		for i, w := range works {
			if err := w.prepare(); err != nil {
				return nil, err
			}
			start := time.Now()
			for j := range mediaBatch {
				if err := w.run(j); err != nil {
					return nil, err
				}
			}
			if took := time.Since(start); round >= mediaBatches/10 {
				times[i] = append(times[i], took)
			}
		}
	}
	for _, t := range times {
		slices.Sort(t)
		ns = append(ns, float64(t[len(t)/2].Nanoseconds())/mediaBatch)
	}
	return ns, nil
}

// allocations is how many one run makes.
func (w work) allocations() (float64, error) {
	var before, after runtime.MemStats
	total := uint64(0)
	const batches = 100
	for range batches {
		if err := w.prepare(); err != nil {
			return 0, err
		}
		runtime.ReadMemStats(&before)
		for i := range mediaBatch {
			if err := w.run(i); err != nil {
				return 0, err
			}
		}
		runtime.ReadMemStats(&after)
		total += after.Mallocs - before.Mallocs
	}
	return float64(total) / (batches * mediaBatch), nil
}

func measureWork(of func() (work, error)) (figures, error) {
	if of == nil {
		return figures{}, nil
	}
	w, err := of()
	if err != nil {
		return nil, err
	}
	ns, err := measureAgainst(w)
	if err != nil {
		return nil, err
	}
	allocs, err := w.allocations()
	return figures{"ns": ns[0], "allocs": allocs}, err
}

// measureSRTP measures packets of 1,200 bytes beside what their cipher and
// authentication take of the standard library alone, over the same bytes.
func measureSRTP(s stack, profile srtp.Profile) (figures, error) {
	of := mediaStacks[s.name].srtp
	if of == nil {
		return figures{}, nil
	}
	protect, unprotect, err := of(profile)
	if err != nil {
		return nil, err
	}
	bareProtect, bareUnprotect, err := bareSRTP(profile)
	if err != nil {
		return nil, err
	}
	ns, err := measureAgainst(protect, bareProtect, unprotect, bareUnprotect)
	if err != nil {
		return nil, err
	}
	a, err := protect.allocations()
	if err != nil {
		return nil, err
	}
	b, err := unprotect.allocations()
	return figures{
		"protect": ns[0], "protect bare": ns[0] / ns[1],
		"unprotect": ns[2], "unprotect bare": ns[2] / ns[3],
		"allocs": a + b,
	}, err
}

const (
	mediaPacket = 1200 // bytes of RTP
	mediaHeader = 12
	mediaSSRC   = 0xcafebabe
)

// mediaBuffers are a batch of packets, each with room for a tag.
type mediaBuffers [mediaBatch][mediaPacket + 64]byte

// number makes an RTP packet of b, with the next sequence number.
func number(b []byte, seq *uint16) {
	copy(b, []byte{0x80, 96, byte(*seq >> 8), byte(*seq), 0, 0, 0, 0, mediaSSRC >> 24, mediaSSRC >> 16 & 0xff, mediaSSRC >> 8 & 0xff, mediaSSRC & 0xff})
	*seq++
}

// bareSRTP is the limit: AES-GCM as it is; or AES in counter mode, of one stream that
// is made once, though SRTP has another for each packet, and HMAC-SHA1.
func bareSRTP(profile srtp.Profile) (protect, unprotect work, err error) {
	size, gcm := 16, true
	switch profile {
	case srtp.AEAD_AES_256_GCM:
		size = 32
	case srtp.AES128_CM_HMAC_SHA1_80, srtp.AES128_CM_HMAC_SHA1_32:
		gcm = false
	}
	block, err := aes.NewCipher(make([]byte, size))
	if err != nil {
		return work{}, work{}, err
	}
	buffers := new(mediaBuffers)
	nothing := func() error { return nil }
	if !gcm {
		stream := cipher.NewCTR(block, make([]byte, aes.BlockSize))
		mac, sum := hmac.New(sha1.New, make([]byte, sha1.Size)), make([]byte, 0, sha1.Size)
		authenticate := func(b []byte) {
			mac.Reset()
			mac.Write(b) // with the roll-over counter
			mac.Sum(sum)
		}
		return work{nothing, func(i int) error {
				b := buffers[i][:mediaPacket+4]
				stream.XORKeyStream(b[mediaHeader:mediaPacket], b[mediaHeader:mediaPacket])
				authenticate(b)
				return nil
			}}, work{nothing, func(i int) error {
				b := buffers[i][:mediaPacket+4]
				authenticate(b)
				stream.XORKeyStream(b[mediaHeader:mediaPacket], b[mediaHeader:mediaPacket])
				return nil
			}}, nil
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return work{}, work{}, err
	}
	nonce := make([]byte, aead.NonceSize())
	seal := func(i int) error {
		b := buffers[i][:mediaPacket]
		aead.Seal(b[mediaHeader:mediaHeader], nonce, b[mediaHeader:], b[:mediaHeader])
		return nil
	}
	return work{nothing, seal}, work{func() error {
		for i := range buffers {
			seal(i)
		}
		return nil
	}, func(i int) error {
		b := buffers[i][:mediaPacket+aead.Overhead()]
		_, err := aead.Open(b[mediaHeader:mediaHeader], nonce, b[mediaHeader:], b[:mediaHeader])
		return err
	}}, nil
}

var errSRTPLength = errors.New("a packet came out at another length")

// plainSRTP is ours, in place.
func plainSRTP(profile srtp.Profile) (protect, unprotect work, err error) {
	exported := make([]byte, profile.KeyingMaterialLen())
	config := srtp.Config{Profile: profile}
	out, _, err := srtp.New(config, exported, srtp.Client)
	if err != nil {
		return work{}, work{}, err
	}
	there, in, err := srtp.New(config, exported, srtp.Client)
	if err != nil {
		return work{}, work{}, err
	}
	buffers, sealed := new(mediaBuffers), [mediaBatch][]byte{}
	var seq, thereSeq uint16
	protect = work{func() error {
		for i := range buffers {
			number(buffers[i][:], &seq)
		}
		return nil
	}, func(i int) error {
		b, err := out.SealRTP(buffers[i][:mediaPacket], 0)
		if err == nil && len(b) <= mediaPacket {
			err = errSRTPLength
		}
		return err
	}}
	unprotect = work{func() (err error) {
		for i := range buffers {
			number(buffers[i][:], &thereSeq)
			if sealed[i], err = there.SealRTP(buffers[i][:mediaPacket], 0); err != nil {
				return err
			}
		}
		return nil
	}, func(i int) error {
		b, err := in.OpenRTP(sealed[i])
		if err == nil && len(b) != mediaPacket {
			err = errSRTPLength
		}
		return err
	}}
	return protect, unprotect, nil
}

// pionSRTP is Pion's, with the replay window that its sessions have, and buffers
// and headers that are used again.
func pionSRTP(profile srtp.Profile) (protect, unprotect work, err error) {
	key, _, err := srtp.SplitKeyingMaterial(profile, make([]byte, profile.KeyingMaterialLen()), srtp.Client)
	if err != nil {
		return work{}, work{}, err
	}
	context := func() *pionsrtp.Context {
		c, e := pionsrtp.CreateContext(key.Key, key.Salt, pionsrtp.ProtectionProfile(profile), pionsrtp.SRTPReplayProtection(64))
		if e != nil {
			err = e
		}
		return c
	}
	out, there, in := context(), context(), context()
	if err != nil {
		return work{}, work{}, fmt.Errorf("Pion: %w", err)
	}
	buffers, packets, sealed := new(mediaBuffers), new(mediaBuffers), [mediaBatch][]byte{}
	var header pionHeader
	var seq, thereSeq uint16
	protect = work{func() error {
		for i := range packets {
			number(packets[i][:], &seq)
		}
		return nil
	}, func(i int) error {
		b, err := out.EncryptRTP(buffers[i][:0], packets[i][:mediaPacket], &header)
		if err == nil && len(b) <= mediaPacket {
			err = errSRTPLength
		}
		return err
	}}
	unprotect = work{func() (err error) {
		for i := range packets {
			number(packets[i][:], &thereSeq)
			if sealed[i], err = there.EncryptRTP(buffers[i][:0], packets[i][:mediaPacket], &header); err != nil {
				return err
			}
		}
		return nil
	}, func(i int) error {
		b, err := in.DecryptRTP(sealed[i][:0], sealed[i], &header)
		if err == nil && len(b) != mediaPacket {
			err = errSRTPLength
		}
		return err
	}}
	return protect, unprotect, nil
}
