package main

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"

	piondtls "github.com/pion/dtls/v3"
	dtlsnet "github.com/pion/dtls/v3/pkg/net"
	"github.com/pion/transport/v5/dpipe"
	"github.com/plainrtc/plainrtc/dtls"
)

// A dtlsKind is what a handshake is held to, with AES-128-GCM and mutual
// authentication by ECDSA on P-256 always.
type dtlsKind struct {
	version dtls.Version
	group   dtls.Group
}

var (
	dtls12      = dtlsKind{dtls.DTLS12, dtls.X25519}
	dtls13      = dtlsKind{dtls.DTLS13, dtls.X25519}
	dtls13MLKEM = dtlsKind{dtls.DTLS13, dtls.X25519MLKEM768}
)

// A dtlsPair is two ends of DTLS alone, connected in memory.
type dtlsPair struct {
	carry func(data []byte) error // from one to the other, as a record
	close func()
}

// errNotSpoken says that a stack does not have that kind; it has no figure then.
var errNotSpoken = errors.New("this stack does not speak that")

// dtlsHandshakes are counted, after dtlsWarm that are not.
const (
	dtlsHandshakes = 400
	dtlsWarm       = 40
)

// measureHandshake measures handshakes, both ends, certificates made before.
func measureHandshake(s stack, kind dtlsKind) (figures, error) {
	connect, err := s.dtls(kind)
	if errors.Is(err, errNotSpoken) {
		return figures{}, nil
	}
	if err != nil {
		return nil, err
	}
	var cpu time.Duration
	var allocs, bytes uint64
	var before, after runtime.MemStats
	for i := range dtlsWarm + dtlsHandshakes {
		runtime.ReadMemStats(&before)
		start := cpuTime()
		p, err := connect()
		if err != nil {
			return nil, err
		}
		if i >= dtlsWarm {
			cpu += cpuTime() - start
			runtime.ReadMemStats(&after)
			allocs += after.Mallocs - before.Mallocs
			bytes += after.TotalAlloc - before.TotalAlloc
		}
		p.close()
	}
	return figures{
		"a CPU second": dtlsHandshakes / cpu.Seconds(),
		"allocs":       float64(allocs) / dtlsHandshakes,
		"kB":           float64(bytes) / 1e3 / dtlsHandshakes,
	}, nil
}

// Records are of recordSize bytes, a packet of the path's MTU. So many at a time
// are measured, and that often.
const (
	recordSize   = 1200
	records      = 4_000
	recordRounds = 25
)

// measureRecord measures a record sealed at one end and opened at the other, and
// the bare cipher.AEAD at the same bytes in the same process.
func measureRecord(s stack, kind dtlsKind) (figures, error) {
	connect, err := s.dtls(kind)
	if errors.Is(err, errNotSpoken) {
		return figures{}, nil
	}
	if err != nil {
		return nil, err
	}
	p, err := connect()
	if err != nil {
		return nil, err
	}
	defer p.close()
	data := make([]byte, recordSize)
	block, err := aes.NewCipher(make([]byte, 16))
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	nonce, header, buf := make([]byte, 12), make([]byte, 13), make([]byte, recordSize, 2048)
	// In turn, and the least of each, for what else the machine does comes and goes.
	ns, bare, allocs := math.Inf(1), math.Inf(1), math.Inf(1)
	for range recordRounds {
		t, n, err := perRecord(func() error { return p.carry(data) })
		if err != nil {
			return nil, err
		}
		ns, allocs = min(ns, t), min(allocs, n)
		t, _, err = perRecord(func() error {
			sealed := aead.Seal(buf[:0], nonce, buf[:recordSize], header)
			_, err := aead.Open(buf[:0], nonce, sealed, header)
			return err
		})
		if err != nil {
			return nil, err
		}
		bare = min(bare, t)
	}
	return figures{"ns": ns, "allocs": allocs, "bare": ns / bare}, nil
}

// perRecord returns the CPU time and the allocations of one call among many.
func perRecord(f func() error) (ns, allocs float64, err error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := cpuTime()
	for range records {
		if err := f(); err != nil {
			return 0, 0, err
		}
	}
	cpu := cpuTime() - start
	runtime.ReadMemStats(&after)
	return float64(cpu.Nanoseconds()) / records, float64(after.Mallocs-before.Mallocs) / records, nil
}

// plainDTLS is ours. Datagrams are handed over as they are.
func plainDTLS(kind dtlsKind) (func() (*dtlsPair, error), error) {
	now := time.Now()
	random := rand.NewChaCha8([32]byte{1})
	client, server, err := certificates(random, now)
	if err != nil {
		return nil, err
	}
	config := func(our, their *dtls.Certificate) dtls.Config {
		return dtls.Config{
			Certificate: our, Rand: random, Fingerprints: []dtls.Fingerprint{their.Fingerprint()}, PathValidated: true,
			MinVersion: kind.version, MaxVersion: kind.version, Groups: []dtls.Group{kind.group},
			CipherSuites: []dtls.CipherSuite{dtls.TLS_AES_128_GCM_SHA256, dtls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
		}
	}
	clientConfig, serverConfig := config(client, server), config(server, client)
	return func() (*dtlsPair, error) {
		a, err := dtls.NewClient(clientConfig)
		if err != nil {
			return nil, err
		}
		z, err := dtls.NewServer(serverConfig)
		if err != nil {
			return nil, err
		}
		z.Connect(now)
		a.Connect(now)
		buf := make([]byte, 0, 2048)
		for progress := true; progress; {
			progress = false
			for _, way := range [][2]*dtls.Conn{{a, z}, {z, a}} {
				for b := way[0].AppendPacket(now, buf[:0]); len(b) > 0; b = way[0].AppendPacket(now, buf[:0]) {
					way[1].Receive(now, b)
					progress = true
				}
			}
		}
		if !a.Established() || !z.Established() {
			return nil, fmt.Errorf("no handshake: %v, %v", a.Err(), z.Err())
		}
		carry := func(data []byte) error {
			// The plaintext is built where it is sealed, as SCTP's packets are.
			b := a.AppendRecordHeader(buf[:0])
			z.Receive(now, a.SealRecord(b[:len(b)+len(data)], 0))
			if got, ok := z.NextData(); !ok || len(got) != len(data) {
				return errors.New("the record did not arrive")
			}
			return nil
		}
		return &dtlsPair{carry, func() {}}, nil
	}, nil
}

func certificates(random *rand.ChaCha8, now time.Time) (client, server *dtls.Certificate, err error) {
	if client, err = dtls.GenerateCertificate(random, now); err == nil {
		server, err = dtls.GenerateCertificate(random, now)
	}
	return client, server, err
}

// pionDTLS is Pion's, over the pipe that its own benchmarks use.
func pionDTLS(kind dtlsKind) (func() (*dtlsPair, error), error) {
	if kind != dtls12 { // X25519 is its first choice
		return nil, errNotSpoken
	}
	client, server, err := certificates(rand.NewChaCha8([32]byte{1}), time.Now())
	if err != nil {
		return nil, err
	}
	config := func(our, their *dtls.Certificate) *piondtls.Config {
		return &piondtls.Config{
			Certificates:         []tls.Certificate{{Certificate: [][]byte{our.DER}, PrivateKey: our.Key}},
			CipherSuites:         []piondtls.CipherSuiteID{piondtls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
			ExtendedMasterSecret: piondtls.RequireExtendedMasterSecret,
			InsecureSkipVerify:   true,
			// As ours does, it sends no cookie, and knows the other by its fingerprint.
			InsecureSkipVerifyHello: true,
			ClientAuth:              piondtls.RequireAnyClientCert,
			VerifyConnection: func(s *piondtls.State) error {
				if len(s.PeerCertificates) != 1 || !slices.Equal(s.PeerCertificates[0], their.DER) {
					return errors.New("another certificate")
				}
				return nil
			},
		}
	}
	clientConfig, serverConfig := config(client, server), config(server, client)
	return func() (*dtlsPair, error) {
		x, y := dpipe.Pipe()
		a, err := piondtls.Client(dtlsnet.PacketConnFromConn(x), x.RemoteAddr(), clientConfig)
		if err != nil {
			return nil, err
		}
		z, err := piondtls.Server(dtlsnet.PacketConnFromConn(y), y.RemoteAddr(), serverConfig)
		if err != nil {
			return nil, err
		}
		done := make(chan error, 1)
		go func() { done <- z.Handshake() }()
		if err := errors.Join(a.Handshake(), <-done); err != nil {
			return nil, err
		}
		buf := make([]byte, 2048)
		carry := func(data []byte) error {
			if _, err := a.Write(data); err != nil {
				return err
			}
			n, err := z.Read(buf)
			if err == nil && n != len(data) {
				err = errors.New("the record did not arrive")
			}
			return err
		}
		return &dtlsPair{carry, func() { a.Close(); z.Close() }}, nil
	}, nil
}
