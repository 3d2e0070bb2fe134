package interop

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	be "encoding/binary"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/plainrtc/plainrtc/dtls"
	"github.com/plainrtc/plainrtc/internal/trace"
)

// No Wireshark at hand decrypts DTLS 1.3. So this test does what it would: it
// records a call with Chromium, and opens every protected record of it with
// nothing but the packets and the key log. What it finds must be the handshake
// messages, and the very SCTP packets that stand in clear in the same trace.
func TestKeyLogOpensDTLS13(t *testing.T) {
	for _, weAreClient := range []bool{false, true} {
		t.Run(fmt.Sprintf("client=%t", weAreClient), func(t *testing.T) {
			ctx := testContext(t)
			record, seen := new(callRecord), new(wireDTLS)
			our, their := newPlainPeer(t, byDefault.Config, record, seen), chromium.new(t)
			offerer, answerer := peer(our), their
			if weAreClient { // who answers is
				offerer, answerer = their, our
			}
			near, err := offerer.Create(ctx, "logged", channelOptions{})
			if err != nil {
				t.Fatal(err)
			}
			connect(t, ctx, offerer, answerer, signalling{})
			far := accept(t, ctx, near, answerer)
			words := []byte("these words are in the capture")
			carry(t, ctx, near, far, message{Text: true, Data: words})
			carry(t, ctx, far, near, message{Text: true, Data: words})
			if err := our.Close(ctx); err != nil {
				t.Fatal(err)
			}
			if version, suite, _ := seen.negotiated(); version != dtls.DTLS13 || suite != dtls.TLS_AES_128_GCM_SHA256 {
				t.Fatalf("negotiated %v, %v: this test opens DTLS 1.3 with AES-128-GCM", version, suite)
			}

			record.mu.Lock()
			defer record.mu.Unlock()
			for _, direction := range []trace.Direction{trace.In, trace.Out} {
				whose := "SERVER"
				if (direction == trace.Out) == weAreClient {
					whose = "CLIENT"
				}
				handshake, application := record.open(t, direction, whose)
				// Certificate, CertificateVerify, Finished: what both ends send.
				types := messageTypes(handshake)
				for _, typ := range []byte{11, 15, 20} {
					if !slices.Contains(types, typ) {
						t.Errorf("%s: under its handshake secret stand handshake messages of types %d, and none of type %d", whose, types, typ)
					}
				}
				clear := record.sctp[direction]
				if !slices.ContainsFunc(clear, func(b []byte) bool { return bytes.Contains(b, words) }) {
					t.Errorf("%s: what was said is not in the trace", whose)
				}
				for i, packet := range clear {
					if !slices.ContainsFunc(application, func(b []byte) bool { return bytes.Equal(b, packet) }) {
						t.Errorf("%s: SCTP packet %d in the trace is in no record on the wire", whose, i+1)
					}
				}
				if len(application) < len(clear) {
					t.Errorf("%s: %d records hold %d SCTP packets", whose, len(application), len(clear))
				}
			}
		})
	}
}

// callRecord is a trace.Sink that keeps what a pcapng file would hold.
type callRecord struct {
	mu      sync.Mutex
	packets [2][][]byte // by direction
	sctp    [2][][]byte
	secrets map[string][]byte
}

// Trace implements trace.Sink.
func (r *callRecord) Trace(e *trace.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case e.Kind == trace.KindPacket && e.Layer == trace.UDP:
		r.packets[e.Direction] = append(r.packets[e.Direction], bytes.Clone(e.Bytes))
	case e.Kind == trace.KindPacket && e.Layer == trace.SCTP:
		r.sctp[e.Direction] = append(r.sctp[e.Direction], bytes.Clone(e.Bytes))
	case e.Kind == trace.KindSecret:
		if r.secrets == nil {
			r.secrets = make(map[string][]byte)
		}
		r.secrets[e.Name] = bytes.Clone(e.Secret)
	}
}

// open opens all protected records that went in one direction, and returns the
// handshake messages and the application data in them.
func (r *callRecord) open(t *testing.T, direction trace.Direction, whose string) (handshake, application [][]byte) {
	t.Helper()
	keys := map[byte]*trafficKeys{ // by the two bits of the epoch
		2: newTrafficKeys(t, r.secrets[whose+"_HANDSHAKE_TRAFFIC_SECRET"]),
		3: newTrafficKeys(t, r.secrets[whose+"_TRAFFIC_SECRET_0"]),
	}
	for _, b := range r.packets[direction] {
		for len(b) > 0 && (b[0]&0xe0 == 0x20 || 20 <= b[0] && b[0] <= 26) {
			if b[0]&0xe0 != 0x20 { // in clear (RFC 9147, Section 4)
				b = b[min(len(b), 13+int(be.BigEndian.Uint16(b[11:]))):]
				continue
			}
			// 0 0 1 C S L E E: we use no connection ID.
			header := 2
			if b[0]&0x08 != 0 {
				header = 3
			}
			seqEnd, size := header, len(b)-header
			if b[0]&0x04 != 0 {
				size = int(be.BigEndian.Uint16(b[header:]))
				header += 2
			}
			k := keys[b[0]&3]
			if k == nil || len(b) < header+size || size < 16 {
				t.Fatalf("%s: no keys, or no room, for the record % x", whose, b[:min(len(b), 16)])
			}
			content, typ, err := k.open(b[:header], seqEnd, b[header:header+size])
			if err != nil {
				t.Errorf("%s: a record of epoch %d does not open: %v", whose, b[0]&3, err)
			}
			switch typ {
			case 22:
				handshake = append(handshake, content)
			case 23:
				application = append(application, content)
			}
			b = b[header+size:]
		}
	}
	return handshake, application
}

// messageTypes lists the types of the handshake messages, or fragments of them,
// in records.
func messageTypes(records [][]byte) (types []byte) {
	for _, b := range records {
		for len(b) >= 12 {
			types = append(types, b[0])
			b = b[min(len(b), 12+uint24(b[9:])):]
		}
	}
	return types
}

// trafficKeys are what follows from a traffic secret (RFC 9147, Sections 4.2.3
// and 5.9, RFC 8446, Section 7.3), for AES-128-GCM with SHA-256.
type trafficKeys struct {
	aead cipher.AEAD
	iv   []byte
	sn   cipher.Block
	next uint64
}

func newTrafficKeys(t *testing.T, secret []byte) *trafficKeys {
	t.Helper()
	if len(secret) != sha256.Size {
		t.Fatalf("the key log has a secret of %d bytes, want %d", len(secret), sha256.Size)
	}
	expand := func(label string, n int) []byte {
		label = "dtls13" + label
		info := string([]byte{0, byte(n), byte(len(label))}) + label + "\x00"
		b, err := hkdf.Expand(sha256.New, secret, info, n)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	block, err := aes.NewCipher(expand("key", 16))
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	sn, err := aes.NewCipher(expand("sn", 16))
	if err != nil {
		t.Fatal(err)
	}
	return &trafficKeys{aead: aead, iv: expand("iv", 12), sn: sn}
}

// open opens a record whose sequence number ends its header at seqEnd.
func (k *trafficKeys) open(header []byte, seqEnd int, sealed []byte) (content []byte, typ byte, err error) {
	header = bytes.Clone(header)
	var mask [16]byte
	k.sn.Encrypt(mask[:], sealed[:16])
	var seq, window uint64 = 0, 1
	for i := 1; i < seqEnd; i++ {
		header[i] ^= mask[i-1]
		seq, window = seq<<8|uint64(header[i]), window<<8
	}
	// The number nearest to the one expected.
	for seq+window/2 < k.next {
		seq += window
	}
	k.next = max(k.next, seq+1)
	nonce := bytes.Clone(k.iv)
	for i := range 8 {
		nonce[4+i] ^= byte(seq >> (56 - 8*i))
	}
	inner, err := k.aead.Open(nil, nonce, sealed, header)
	if err != nil {
		return nil, 0, err
	}
	inner = bytes.TrimRight(inner, "\x00") // padding
	if len(inner) == 0 {
		return nil, 0, fmt.Errorf("it has no content type")
	}
	return inner[:len(inner)-1], inner[len(inner)-1], nil
}
