package dtls_test

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/plainrtc/plainrtc/dtls"
)

// Two ends in one process: what one has to send the other receives.
func Example() {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	random := rand.NewChaCha8([32]byte{}) // crypto/rand.Reader, outside of examples
	certA, _ := dtls.GenerateCertificate(random, now)
	certB, _ := dtls.GenerateCertificate(random, now)

	client, err := dtls.NewClient(dtls.Config{
		Certificate:   certA,
		Rand:          random,
		Fingerprints:  []dtls.Fingerprint{certB.Fingerprint()}, // from the peer's SDP
		SRTPProfiles:  []dtls.SRTPProfile{dtls.SRTP_AEAD_AES_128_GCM},
		PathValidated: true, // there is no path
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	server, err := dtls.NewServer(dtls.Config{
		Certificate:   certB,
		Rand:          random,
		Fingerprints:  []dtls.Fingerprint{certA.Fingerprint()},
		SRTPProfiles:  []dtls.SRTPProfile{dtls.SRTP_AEAD_AES_128_GCM},
		PathValidated: true, // there is no path
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	client.Connect(now)
	for !client.Established() || !server.Established() {
		server.Receive(now, client.AppendPacket(now, nil))
		client.Receive(now, server.AppendPacket(now, nil))
	}
	s := client.ConnectionState()
	fmt.Println(s.Version, s.CipherSuite, s.Group, s.SRTPProfile)

	server.Receive(now, client.Seal(nil, []byte("hello")))
	data, _ := server.NextData()
	fmt.Printf("the server got %q\n", data)

	client.Close(now)
	server.Receive(now, client.AppendPacket(now, nil))
	fmt.Println(server.Err())
	// Output:
	// DTLS 1.3 TLS_AES_128_GCM_SHA256 X25519MLKEM768 SRTP_AEAD_AES_128_GCM
	// the server got "hello"
	// dtls: the peer closed the connection
}
