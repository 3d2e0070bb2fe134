/* peer is one end of an SRTP session, made of libsrtp: what the tests of package
 * srtp against it talk to.
 *
 *	peer PROFILE SENDKEY RECEIVEKEY [MKI]
 *
 * PROFILE is the number that the profile has in DTLS; the keys are master key and
 * salt, in hexadecimal, as is the MKI. On standard input stand requests, on
 * standard output one answer to each:
 *
 *	request  what to do: 1 byte, length: 2 bytes in network order, packet
 *	answer   libsrtp's status: 1 byte, length, packet
 *
 * What to do is 'p' to protect an RTP packet and 'u' to unprotect one, 'P' and 'U'
 * the same for RTCP. */

#include <srtp2/srtp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { max_packet = 2048 };

static void die(const char *what, int status)
{
	fprintf(stderr, "peer: %s: libsrtp says %d\n", what, status);
	exit(1);
}

static unsigned unhex(const char *text, unsigned char *out, unsigned room)
{
	unsigned n = 0, byte;
	while (n < room && sscanf(text + 2 * n, "%2x", &byte) == 1)
		out[n++] = byte;
	if (text[2 * n] != 0)
		die("that is not hexadecimal, or too long", 0);
	return n;
}

static srtp_t session(int profile, const char *key_text, const char *mki_text, srtp_ssrc_type_t direction)
{
	/* libsrtp copies what the policy points to. */
	unsigned char key[SRTP_MAX_KEY_LEN], mki[SRTP_MAX_MKI_LEN];
	srtp_policy_t policy;
	srtp_master_key_t master;
	srtp_master_key_t *masters[1] = { &master };
	srtp_t s;
	int status;

	memset(&policy, 0, sizeof policy);
	status = srtp_crypto_policy_set_from_profile_for_rtp(&policy.rtp, profile);
	if (!status)
		status = srtp_crypto_policy_set_from_profile_for_rtcp(&policy.rtcp, profile);
	if (status)
		die("unknown profile", status);
	if (unhex(key_text, key, sizeof key) != (unsigned)policy.rtp.cipher_key_len)
		die("a key of another length", 0);
	policy.ssrc.type = direction;
	policy.window_size = 1024;
	policy.key = key;
	if (mki_text) {
		master.key = key;
		master.mki_id = mki;
		master.mki_size = unhex(mki_text, mki, sizeof mki);
		policy.key = NULL;
		policy.keys = masters;
		policy.num_master_keys = 1;
	}
	status = srtp_create(&s, &policy);
	if (status)
		die("no session", status);
	return s;
}

int main(int argc, char **argv)
{
	static _Alignas(8) unsigned char packet[max_packet + SRTP_MAX_TRAILER_LEN + 4];
	unsigned char head[3];
	const char *mki = argc == 5 ? argv[4] : NULL;
	srtp_t out, in;
	int status;

	if (argc != 4 && argc != 5) {
		fprintf(stderr, "usage: peer PROFILE SENDKEY RECEIVEKEY [MKI]\n");
		return 2;
	}
	status = srtp_init();
	if (status)
		die("no library", status);
	out = session(atoi(argv[1]), argv[2], mki, ssrc_any_outbound);
	in = session(atoi(argv[1]), argv[3], mki, ssrc_any_inbound);

	while (fread(head, 1, 3, stdin) == 3) {
		int length = head[1] << 8 | head[2];
		if (length > max_packet || fread(packet, 1, length, stdin) != (size_t)length)
			die("a packet that is too long, or cut off", length);
		switch (head[0]) {
		case 'p':
			status = srtp_protect_mki(out, packet, &length, mki != NULL, 0);
			break;
		case 'u':
			status = srtp_unprotect_mki(in, packet, &length, mki != NULL);
			break;
		case 'P':
			status = srtp_protect_rtcp_mki(out, packet, &length, mki != NULL, 0);
			break;
		case 'U':
			status = srtp_unprotect_rtcp_mki(in, packet, &length, mki != NULL);
			break;
		default:
			die("an unknown request", head[0]);
		}
		if (status)
			length = 0;
		head[0] = status;
		head[1] = length >> 8;
		head[2] = length;
		fwrite(head, 1, 3, stdout);
		fwrite(packet, 1, length, stdout);
		fflush(stdout);
	}
	return 0;
}
