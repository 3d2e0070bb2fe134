package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/plainrtc/plainrtc/dtls"
)

// newDTLSCommand returns the command that speaks DTLS alone. Its lines come
// from stdin.
func newDTLSCommand(stdin io.Reader) command {
	return command{
		name: "dtls",
		synopsis: "--listen ADDRESS | --connect ADDRESS [--version VERSION] [--cipher NAMES] [--group NAMES] [--srtp NAMES]\n" +
			"       [--cert FILE --key FILE] [--fingerprint FINGERPRINT] [--export LABEL] [--keylog FILE] [--json] [--linger DURATION]",
		summary: "DTLS alone over UDP, client or server: line in, line out",
		about: `
Speaks DTLS over UDP, without the rest of WebRTC: to try a peer, a cipher suite, a
network. Each line of the input becomes a record; each record that arrives
becomes a line of the output. News go to standard error.

With --listen it waits for one client, shows it a cookie first, serves it to its
end, and exits; what goes wrong with others meanwhile is told and forgotten. With
--connect it is the client, which exits once its input has ended and the server
has been silent for --linger.

Both ends show certificates, as in WebRTC. The peer's is accepted whatever it is,
and its fingerprint printed, unless --fingerprint says what it must be.`,
		example: "plainrtc dtls --listen :4444\n" +
			"plainrtc dtls --connect localhost:4444\n" +
			"echo hello | plainrtc dtls --connect localhost:4444 --json --group secp256r1\n" +
			"openssl s_client -dtls1_2 -connect localhost:4444 -cert cert.pem -key key.pem",
		define: func(flags *flag.FlagSet) func(context.Context, output) error {
			s := &dtlsShell{ready: make(chan struct{}), ended: make(chan struct{})}
			listen := flags.String("listen", "", "be the server at this UDP `address`, such as :4444")
			connect := flags.String("connect", "", "be the client of the server at this UDP `address`, such as localhost:4444")
			var f dtlsFlags
			flags.StringVar(&f.version, "version", "", "speak this `version` only: "+names(dtlsVersions)+" (default: the newest that both ends have)")
			flags.StringVar(&f.ciphers, "cipher", "", "take only these cipher suites, best first: `names` with commas between them, of\n        "+names(dtlsSuites))
			flags.StringVar(&f.groups, "group", "", "take only these groups for the key exchange, best first: `names`, of\n        "+names(dtlsGroups))
			flags.StringVar(&f.srtp, "srtp", "", "negotiate one of these SRTP profiles, best first: `names`, of\n        "+names(dtlsProfiles))
			flags.StringVar(&f.cert, "cert", "", "show the certificate in this PEM `file` (default: one made for the occasion)")
			flags.StringVar(&f.key, "key", "", "the PEM `file` with the certificate's key: ECDSA on P-256, or RSA")
			flags.StringVar(&f.fingerprint, "fingerprint", "", "accept only the certificate with this `fingerprint`: \"sha-256 4A:AD:…\", or the bytes alone for sha-256")
			flags.StringVar(&s.export, "export", "", "derive 32 bytes of keying material with this `label`, and print them too: EXTRACTOR-dtls_srtp is SRTP's")
			flags.StringVar(&f.keylog, "keylog", "", "append the keys to this `file`, in NSS format, which Wireshark reads")
			flags.BoolVar(&s.json, "json", false, "print what was negotiated, or why not, as a line of JSON before the first line of output")
			flags.DurationVar(&s.linger, "linger", time.Second, "with --connect: after the end of the input, wait for a silence of this `duration`")
			return func(ctx context.Context, out output) error {
				if (*listen == "") == (*connect == "") {
					return usageError("it needs one of --listen ADDRESS and --connect ADDRESS")
				}
				config, err := f.config()
				if err != nil {
					return err
				}
				if f.keylog != "" {
					log, err := openKeyLog(f.keylog)
					if err != nil {
						return err
					}
					defer log.close(out)
					s.sink = log
				}
				s.config, s.out = config, out
				if *connect != "" {
					return s.connect(ctx, *connect, stdin)
				}
				return s.listen(ctx, *listen, stdin)
			}
		},
	}
}

// dtlsFlags are the flags that a dtls.Config is made of.
type dtlsFlags struct {
	version, ciphers, groups, srtp, cert, key, fingerprint, keylog string
}

// What the flags can name.
var (
	dtlsVersions = []dtls.Version{dtls.DTLS13, dtls.DTLS12}
	dtlsSuites   = []dtls.CipherSuite{
		dtls.TLS_AES_128_GCM_SHA256, dtls.TLS_CHACHA20_POLY1305_SHA256, dtls.TLS_AES_256_GCM_SHA384,
		dtls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
		dtls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, dtls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
		dtls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
		dtls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, dtls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	}
	dtlsGroups   = []dtls.Group{dtls.X25519MLKEM768, dtls.X25519, dtls.Secp256r1, dtls.Secp384r1}
	dtlsProfiles = []dtls.SRTPProfile{
		dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AEAD_AES_256_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80, dtls.SRTP_AES128_CM_HMAC_SHA1_32,
	}
)

// names lists what a flag can name.
func names[T fmt.Stringer](all []T) string {
	var b strings.Builder
	for i, v := range all {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(shortName(v))
	}
	return b.String()
}

// shortName is a value's name, without what all versions of DTLS have in theirs.
func shortName(v fmt.Stringer) string { return strings.TrimPrefix(v.String(), "DTLS ") }

// pick returns the values that a flag names; none if it is empty.
func pick[T fmt.Stringer](flag, list string, all []T) (picked []T, err error) {
	if list == "" {
		return nil, nil
	}
next:
	for name := range strings.SplitSeq(list, ",") {
		name = strings.TrimSpace(name)
		for _, v := range all {
			if strings.EqualFold(name, shortName(v)) {
				picked = append(picked, v)
				continue next
			}
		}
		return nil, usageError(fmt.Sprintf("--%s %q is not one of %s", flag, name, names(all)))
	}
	return picked, nil
}

// config makes a dtls.Config of the flags.
func (f *dtlsFlags) config() (c dtls.Config, err error) {
	c = dtls.Config{
		Rand:       rand.Reader,
		VerifyPeer: func([]byte) error { return nil },
		MinVersion: dtls.DTLS12,
		MaxVersion: dtls.DTLS13,
		Cookie:     true,
	}
	versions, err := pick("version", f.version, dtlsVersions)
	switch {
	case err != nil:
		return c, err
	case len(versions) > 1:
		return c, usageError("--version takes one version; without it, the newest that both ends have is spoken")
	case len(versions) == 1:
		c.MinVersion, c.MaxVersion = versions[0], versions[0]
	}
	if c.CipherSuites, err = pick("cipher", f.ciphers, dtlsSuites); err != nil {
		return c, err
	}
	if c.Groups, err = pick("group", f.groups, dtlsGroups); err != nil {
		return c, err
	}
	if c.SRTPProfiles, err = pick("srtp", f.srtp, dtlsProfiles); err != nil {
		return c, err
	}
	if f.fingerprint != "" {
		s := f.fingerprint
		if !strings.Contains(s, " ") {
			s = "sha-256 " + s
		}
		fingerprint, err := dtls.ParseFingerprint(s)
		if err != nil {
			return c, usageError("--fingerprint: " + strings.TrimPrefix(err.Error(), "dtls: "))
		}
		c.Fingerprints = []dtls.Fingerprint{fingerprint}
	}
	if (f.cert == "") != (f.key == "") {
		return c, usageError("--cert and --key go together")
	}
	if f.cert == "" {
		c.Certificate, err = dtls.GenerateCertificate(c.Rand, time.Now())
	} else {
		c.Certificate, err = loadCertificate(f.cert, f.key)
	}
	return c, err
}

// loadCertificate reads a certificate and its key.
func loadCertificate(certFile, keyFile string) (*dtls.Certificate, error) {
	certPEM, err := os.ReadFile(certFile)
	if err != nil {
		return nil, fmt.Errorf("the certificate cannot be read: %w", err)
	}
	keyPEM, err := os.ReadFile(keyFile)
	if err != nil {
		return nil, fmt.Errorf("the certificate's key cannot be read: %w", err)
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, fmt.Errorf("%s and %s are no certificate and its key: %w", certFile, keyFile, err)
	}
	switch pair.PrivateKey.(type) {
	case *ecdsa.PrivateKey, *rsa.PrivateKey:
		return &dtls.Certificate{DER: pair.Certificate[0], Key: pair.PrivateKey.(crypto.Signer)}, nil
	}
	return nil, fmt.Errorf("the key in %s is neither an ECDSA key on P-256 nor an RSA key, one of which this side needs; "+
		"openssl ecparam -name prime256v1 -genkey makes one", keyFile)
}
