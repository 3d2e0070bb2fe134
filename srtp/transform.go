package srtp

// A transform encrypts and authenticates (RFC 3711, Section 4): aesCM or
// aesGCM. It works in place on a packet p of n bytes, its tail behind it at
// p[n:], with the MKI and the SRTCP index filled in. It writes, or checks, the
// tag. After an open function failed p holds garbage.
type transform interface {
	sealRTP(p []byte, n int, h header, index uint64)
	openRTP(p []byte, n int, h header, index uint64) bool
	sealRTCP(p []byte, n int, ssrc, trailer uint32)
	openRTCP(p []byte, n int, ssrc, trailer uint32) bool
}

// The trailer of an SRTCP packet is its index of 31 bits behind the E flag, which
// says that the packet is encrypted (RFC 3711, Section 3.4).
const (
	trailerSize   = 4
	encryptedFlag = 1 << 31
	maxRTCPIndex  = 1<<31 - 1
)

// A tail is what protection adds behind a packet: places are counted from its
// end. The two families of transforms do not agree on the order (RFC 3711,
// Sections 3.1 and 3.4; RFC 7714, Sections 8.2 and 9.2).
//
//	         SRTP                SRTCP
//	AES-CM   MKI || tag          E || index || MKI || tag
//	AES-GCM  tag || MKI          tag || E || index || MKI
type tail struct {
	size    int
	mki     int // where the MKI begins, that many bytes before the end
	trailer int // where E and index begin; of SRTCP only
}

// newTransform makes the transform of one direction and its tails.
func newTransform(c Config, k MasterKey) (t transform, rtp, rtcp tail, err error) {
	params, err := k.check(c.Profile)
	if err != nil {
		return nil, tail{}, tail{}, err
	}
	mki := len(c.MKI)
	if mki > maxMKI {
		return nil, tail{}, tail{}, errMKI
	}
	rtp.size = params.rtpTag + mki
	rtcp.size = params.rtcpTag + mki + trailerSize
	if params.auth == 0 {
		rtp.mki, rtcp.mki = mki, mki
		rtcp.trailer = trailerSize + mki
		return newAESGCM(params, k), rtp, rtcp, nil
	}
	rtp.mki, rtcp.mki = rtp.size, params.rtcpTag+mki
	rtcp.trailer = rtcp.size
	return newAESCM(params, k), rtp, rtcp, nil
}
