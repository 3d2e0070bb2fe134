package interop

import (
	"bufio"
	"bytes"
	"cmp"
	network "encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/srtp"
)

// A libsrtpPeer is one end of an SRTP session, the program libsrtp/peer.c.
type libsrtpPeer struct {
	in  io.Writer
	out *bufio.Reader
}

// What libsrtp says of packets.
const (
	libsrtpOK         = 0
	libsrtpAuthFail   = 7
	libsrtpReplayFail = 9
	libsrtpBadMKI     = 25
)

// compiler is that of C, which .ci/deps looks for.
func compiler() string { return cmp.Or(os.Getenv("CC"), "gcc") }

// buildLibsrtpPeer compiles it.
func buildLibsrtpPeer(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "peer")
	out, err := exec.Command(compiler(), "-Wall", "-Wextra", "-Werror", "-O1", "-o", program, "libsrtp/peer.c", "-lsrtp2").CombinedOutput()
	if err != nil {
		t.Fatalf("libsrtp's peer does not compile, and this test is worth nothing without it (apt-get install gcc libsrtp2-dev): %v\n%s", err, out)
	}
	return program
}

func startLibsrtp(t *testing.T, program string, profile srtp.Profile, send, receive srtp.MasterKey, mki []byte) *libsrtpPeer {
	t.Helper()
	key := func(k srtp.MasterKey) string { return hex.EncodeToString(append(bytes.Clone(k.Key), k.Salt...)) }
	args := []string{strconv.Itoa(int(profile)), key(send), key(receive)}
	if len(mki) > 0 {
		args = append(args, hex.EncodeToString(mki))
	}
	cmd := exec.Command(program, args...) // ends with its input
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("libsrtp's peer: %v", err)
		}
	})
	return &libsrtpPeer{in, bufio.NewReader(out)}
}

// do asks for one thing to be done to a packet: p, u, P or U.
func (p *libsrtpPeer) do(t *testing.T, what byte, packet []byte) (result []byte, status byte) {
	t.Helper()
	request := network.BigEndian.AppendUint16([]byte{what}, uint16(len(packet)))
	if _, err := p.in.Write(append(request, packet...)); err != nil {
		t.Fatal(err)
	}
	var head [3]byte
	if _, err := io.ReadFull(p.out, head[:]); err != nil {
		t.Fatalf("libsrtp's peer does not answer: %v", err)
	}
	result = make([]byte, network.BigEndian.Uint16(head[1:]))
	if _, err := io.ReadFull(p.out, result); err != nil {
		t.Fatal(err)
	}
	return result, head[0]
}

// srtpPackets are RTP packets of two sources, with all that a header can have, whose
// sequence numbers come over their end twice, the first time out of order.
func srtpPackets(random *rand.ChaCha8) (packets [][]byte) {
	dice := rand.New(random)
	for _, seq := range []uint16{
		0x7f00, 0xfff0, 0xfffd, 0x0001, 0xfffe, 0x0000, 0xffff, 0x0002, 0x0003, 0x6000, 0xb000, 0xffff, 0x0000, 0x0001, 0x7fff,
	} {
		for ssrc := range uint32(2) {
			h := rtp.Header{PayloadType: 96, SequenceNumber: seq, Timestamp: dice.Uint32(), SSRC: 0xcafe0000 + ssrc, Marker: seq&1 == 1}
			for range dice.IntN(4) * dice.IntN(6) {
				h.CSRCs = append(h.CSRCs, dice.Uint32())
			}
			b := rtp.NewBuilder(nil, h)
			switch dice.IntN(3) {
			case 1:
				b.Add(1, []byte("mid"))
				b.Add(2, []byte{1, 2, 3})
			case 2:
				b.Add(1, bytes.Repeat([]byte{9}, 40)) // two-byte form
			}
			payload := make([]byte, dice.IntN(1100))
			if dice.IntN(4) == 0 {
				payload = payload[:dice.IntN(min(len(payload), 20)+1)]
			}
			random.Read(payload)
			packet := append(b.Bytes(), payload...)
			if dice.IntN(4) == 0 {
				packet = rtp.AppendPadding(packet, 0, 1+dice.IntN(30))
			}
			packets = append(packets, packet)
		}
	}
	return packets
}

// srtcpPackets are receiver reports, picture loss indications and descriptions.
func srtcpPackets(random *rand.ChaCha8) (packets [][]byte) {
	for i := range 10 {
		for ssrc := range byte(2) {
			body := make([]byte, 4*(i*i))
			random.Read(body)
			b := []byte{0x80, 201, 0, byte(1 + len(body)/4), 0xca, 0xfe, 0, ssrc}
			packets = append(packets, append(b, body...))
		}
	}
	return packets
}

// Whatever we seal libsrtp opens, and the other way round, in every profile, with and
// without a master key identifier. Neither takes a packet twice, or one that
// was changed on its way.
func TestSRTPWithLibsrtp(t *testing.T) {
	program := buildLibsrtpPeer(t)
	for _, profile := range []srtp.Profile{
		srtp.AES128_CM_HMAC_SHA1_80, srtp.AES128_CM_HMAC_SHA1_32, srtp.AEAD_AES_128_GCM, srtp.AEAD_AES_256_GCM,
	} {
		for _, mki := range [][]byte{nil, {0xaa, 0xbb, 0xcc, 0xdd}} {
			t.Run(fmt.Sprintf("%v/MKI %x", profile, mki), func(t *testing.T) {
				random := rand.NewChaCha8([32]byte{byte(profile), byte(len(mki))})
				exported := make([]byte, profile.KeyingMaterialLen())
				random.Read(exported)
				// It is the DTLS client, and we the server.
				send, receive, err := srtp.SplitKeyingMaterial(profile, exported, srtp.Client)
				if err != nil {
					t.Fatal(err)
				}
				peer := startLibsrtp(t, program, profile, send, receive, mki)
				out, in, err := srtp.New(srtp.Config{Profile: profile, MKI: mki}, exported, srtp.Server)
				if err != nil {
					t.Fatal(err)
				}
				s := session{out, in, peer}
				for i, p := range srtpPackets(random) {
					s.toThem(t, i, p, 'u', out.SealRTP)
					s.toUs(t, i, p, 'p', in.OpenRTP)
				}
				for i, p := range srtcpPackets(random) {
					// libsrtp 2.5 looks for the identifier of an SRTCP packet where the
					// tag of an SRTP packet would leave it: it opens not even its own
					// in the one profile whose tags differ.
					if profile != srtp.AES128_CM_HMAC_SHA1_32 || mki == nil {
						s.toThem(t, i, p, 'U', out.SealRTCP)
					}
					s.toUs(t, i, p, 'P', in.OpenRTCP)
				}
			})
		}
	}
}

type session struct {
	out  *srtp.Outbound
	in   *srtp.Inbound
	peer *libsrtpPeer
}

func (s session) toThem(t *testing.T, i int, packet []byte, what byte, seal func([]byte, int) ([]byte, error)) {
	t.Helper()
	sealed, err := seal(bytes.Clone(packet), 0)
	if err != nil {
		t.Fatalf("packet %d: %v", i, err)
	}
	// The last byte of what is in it: another sequence number could make it look
	// like a replay.
	damaged := bytes.Clone(sealed)
	damaged[len(packet)-1] ^= 4
	if _, status := s.peer.do(t, what, damaged); status != libsrtpAuthFail {
		t.Errorf("packet %d, damaged: libsrtp says %d, want authentication to fail", i, status)
	}
	opened, status := s.peer.do(t, what, sealed)
	if status != libsrtpOK || !bytes.Equal(opened, packet) {
		t.Fatalf("packet %d, %x: libsrtp says %d and opens %x, want %x", i, sealed, status, opened, packet)
	}
	if _, status := s.peer.do(t, what, sealed); status != libsrtpReplayFail {
		t.Errorf("packet %d again: libsrtp says %d, want a replay", i, status)
	}
}

func (s session) toUs(t *testing.T, i int, packet []byte, what byte, open func([]byte) ([]byte, error)) {
	t.Helper()
	sealed, status := s.peer.do(t, what, packet)
	if status != libsrtpOK {
		t.Fatalf("packet %d: libsrtp says %d", i, status)
	}
	damaged := bytes.Clone(sealed)
	damaged[len(packet)-1] ^= 4
	if _, err := open(damaged); err != srtp.DropNotAuthentic {
		t.Errorf("packet %d, damaged: %v", i, err)
	}
	again := bytes.Clone(sealed)
	opened, err := open(sealed)
	if err != nil || !bytes.Equal(opened, packet) {
		t.Fatalf("packet %d: %v, and %x, want %x", i, err, opened, packet)
	}
	if _, err := open(again); err != srtp.DropReplayed {
		t.Errorf("packet %d again: %v", i, err)
	}
}

// A packet that carries another master key identifier is not for this session: both
// say so before they look at it.
func TestForeignMKIWithLibsrtp(t *testing.T) {
	const profile = srtp.AEAD_AES_128_GCM
	exported := make([]byte, profile.KeyingMaterialLen())
	send, receive, err := srtp.SplitKeyingMaterial(profile, exported, srtp.Client)
	if err != nil {
		t.Fatal(err)
	}
	peer := startLibsrtp(t, buildLibsrtpPeer(t), profile, send, receive, []byte{1})
	out, in, err := srtp.New(srtp.Config{Profile: profile, MKI: []byte{2}}, exported, srtp.Server)
	if err != nil {
		t.Fatal(err)
	}
	packet := srtpPackets(rand.NewChaCha8([32]byte{}))[0]
	sealed, err := out.SealRTP(bytes.Clone(packet), 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, status := peer.do(t, 'u', sealed); status != libsrtpBadMKI {
		t.Errorf("libsrtp says %d of another identifier, want %d", status, libsrtpBadMKI)
	}
	sealed, _ = peer.do(t, 'p', packet)
	if _, err := in.OpenRTP(sealed); err != srtp.DropMKI {
		t.Errorf("we say %v of another identifier", err)
	}
}
