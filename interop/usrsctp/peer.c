// One end of an SCTP association: usrsctp, which Firefox can still use and
// Chromium used for long. Its packets are the payloads of datagrams on a UDP socket
// that is open already, as descriptor 3, to and from the port of the first
// argument; more are options of SCTP. What to do comes on standard input, what
// happened goes to standard output, a line each; usrsctp_peer_test.go knows them.
// One thread does it all, and polls: usrsctp_init_nothreads starts none.
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <netinet/in.h>
#include <usrsctp.h>

// The library has it, and Debian's header does not tell.
#ifndef SCTP_INTERLEAVING_SUPPORTED
#define SCTP_INTERLEAVING_SUPPORTED 0x00001206
#endif

enum { udp = 3, port = 5000, out_streams = 900, streams = 1024, path_mtu = 1200, most = 1 << 21 };

static struct socket *listener, *sock;
static char buffer[most];

static void fail(const char *what) {
	printf("error %s: %s\n", what, strerror(errno));
	exit(1);
}

static int output(void *addr, void *packet, size_t size, uint8_t tos, uint8_t set_df) {
	(void)addr, (void)tos, (void)set_df;
	// What does not fit is lost, as on any path.
	return send(udp, packet, size, 0) < 0 && errno != EAGAIN && errno != ECONNREFUSED ? errno : 0;
}

// The bytes of a message follow from its seed; the other end knows them, too.
static void fill(char *b, size_t n, uint64_t seed) {
	uint64_t x = seed;
	for (size_t i = 0; i < n; i++) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17; // xorshift64
		b[i] = (char)(x >> 24);
	}
}

// FNV-1a.
static uint64_t hash(const char *b, size_t n) {
	uint64_t h = 14695981039346656037u;
	for (size_t i = 0; i < n; i++) h = (h ^ (uint8_t)b[i]) * 1099511628211u;
	return h;
}

static void set(struct socket *s, int option, const void *value, socklen_t size, const char *what) {
	if (usrsctp_setsockopt(s, IPPROTO_SCTP, option, value, size) < 0) fail(what);
}

static struct sockaddr_conn address(void) {
	struct sockaddr_conn a = {.sconn_family = AF_CONN, .sconn_port = htons(port), .sconn_addr = &listener};
	return a;
}

// Opens a socket with the options that the program was given.
static struct socket *open_socket(int argc, char **argv) {
	struct socket *s = usrsctp_socket(AF_CONN, SOCK_STREAM, IPPROTO_SCTP, NULL, NULL, 0, NULL);
	if (s == NULL) fail("usrsctp_socket");
	usrsctp_set_non_blocking(s, 1);
	int size = 2 * most, on = 1;
	if (usrsctp_setsockopt(s, SOL_SOCKET, SO_SNDBUF, &size, sizeof size) < 0) fail("SO_SNDBUF");
	if (usrsctp_setsockopt(s, SOL_SOCKET, SO_RCVBUF, &size, sizeof size) < 0) fail("SO_RCVBUF");
	set(s, SCTP_NODELAY, &on, sizeof on, "SCTP_NODELAY");
	set(s, SCTP_RECVRCVINFO, &on, sizeof on, "SCTP_RECVRCVINFO");
	// Messages are delivered whole.
	uint32_t whole = most;
	set(s, SCTP_PARTIAL_DELIVERY_POINT, &whole, sizeof whole, "SCTP_PARTIAL_DELIVERY_POINT");
	struct sctp_initmsg init = {.sinit_num_ostreams = out_streams, .sinit_max_instreams = streams};
	set(s, SCTP_INITMSG, &init, sizeof init, "SCTP_INITMSG");
	struct sctp_paddrparams path = {.spp_flags = SPP_PMTUD_DISABLE, .spp_pathmtu = path_mtu};
	struct sockaddr_conn a = address();
	memcpy(&path.spp_address, &a, sizeof a);
	set(s, SCTP_PEER_ADDR_PARAMS, &path, sizeof path, "SCTP_PEER_ADDR_PARAMS");
	struct sctp_assoc_value value = {.assoc_id = SCTP_FUTURE_ASSOC};
	value.assoc_value = SCTP_ENABLE_VALUE_MASK; // every request of RFC 6525
	set(s, SCTP_ENABLE_STREAM_RESET, &value, sizeof value, "SCTP_ENABLE_STREAM_RESET");
	for (int i = 2; i < argc; i++) {
		if (strcmp(argv[i], "interleaving") == 0) {
			int level = 2;
			set(s, SCTP_FRAGMENT_INTERLEAVE, &level, sizeof level, "SCTP_FRAGMENT_INTERLEAVE");
			value.assoc_value = 1;
			set(s, SCTP_INTERLEAVING_SUPPORTED, &value, sizeof value, "SCTP_INTERLEAVING_SUPPORTED");
		} else if (strcmp(argv[i], "no-partial-reliability") == 0) {
			value.assoc_value = 0;
			set(s, SCTP_PR_SUPPORTED, &value, sizeof value, "SCTP_PR_SUPPORTED");
		} else if (strcmp(argv[i], "no-reconfiguration") == 0) {
			value.assoc_value = 0;
			set(s, SCTP_RECONFIG_SUPPORTED, &value, sizeof value, "SCTP_RECONFIG_SUPPORTED");
		} else {
			errno = EINVAL;
			fail(argv[i]);
		}
	}
	uint16_t events[] = {SCTP_ASSOC_CHANGE, SCTP_SHUTDOWN_EVENT, SCTP_STREAM_RESET_EVENT, SCTP_ASSOC_RESET_EVENT, SCTP_STREAM_CHANGE_EVENT};
	for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
		struct sctp_event e = {.se_assoc_id = SCTP_ALL_ASSOC, .se_type = events[i], .se_on = 1};
		set(s, SCTP_EVENT, &e, sizeof e, "SCTP_EVENT");
	}
	if (usrsctp_bind(s, (struct sockaddr *)&a, sizeof a) < 0) fail("usrsctp_bind");
	return s;
}

static const char *outcome(int flags, int denied, int failed) {
	return flags & denied ? " denied" : flags & failed ? " failed" : "";
}

static void notification(const union sctp_notification *n) {
	switch (n->sn_header.sn_type) {
	case SCTP_ASSOC_CHANGE: {
		const struct sctp_assoc_change *c = &n->sn_assoc_change;
		switch (c->sac_state) {
		case SCTP_COMM_UP: {
			printf("up %u %u", c->sac_outbound_streams, c->sac_inbound_streams);
			for (size_t i = 0; i < c->sac_length - sizeof *c; i++) {
				if (c->sac_info[i] == SCTP_ASSOC_SUPPORTS_PR) printf(" partial-reliability");
				if (c->sac_info[i] == SCTP_ASSOC_SUPPORTS_RE_CONFIG) printf(" reconfiguration");
				if (c->sac_info[i] == SCTP_ASSOC_SUPPORTS_INTERLEAVING) printf(" interleaving");
			}
			printf("\n");
			break;
		}
		case SCTP_RESTART: printf("restart\n"); break;
		case SCTP_SHUTDOWN_COMP: printf("down\n"); break;
		case SCTP_COMM_LOST: printf("lost\n"); break;
		case SCTP_CANT_STR_ASSOC: printf("refused\n"); break;
		}
		break;
	}
	case SCTP_SHUTDOWN_EVENT:
		printf("peer-shutdown\n");
		break;
	case SCTP_STREAM_RESET_EVENT: {
		const struct sctp_stream_reset_event *r = &n->sn_strreset_event;
		printf("reset%s%s%s", r->strreset_flags & SCTP_STREAM_RESET_INCOMING_SSN ? " incoming" : "",
			r->strreset_flags & SCTP_STREAM_RESET_OUTGOING_SSN ? " outgoing" : "",
			outcome(r->strreset_flags, SCTP_STREAM_RESET_DENIED, SCTP_STREAM_RESET_FAILED));
		for (size_t i = 0; i < (r->strreset_length - sizeof *r) / 2; i++) printf(" %u", r->strreset_stream_list[i]);
		printf("\n");
		break;
	}
	case SCTP_ASSOC_RESET_EVENT:
		printf("association-reset%s\n", outcome(n->sn_assocreset_event.assocreset_flags, SCTP_ASSOC_RESET_DENIED, SCTP_ASSOC_RESET_FAILED));
		break;
	case SCTP_STREAM_CHANGE_EVENT: {
		const struct sctp_stream_change_event *c = &n->sn_strchange_event;
		printf("streams%s %u %u\n", outcome(c->strchange_flags, SCTP_STREAM_CHANGE_DENIED, SCTP_STREAM_CHANGE_FAILED),
			c->strchange_outstrms, c->strchange_instrms);
		break;
	}
	}
}

// Takes what has come for the association.
static void receive(void) {
	if (sock == NULL && listener != NULL) {
		if ((sock = usrsctp_accept(listener, NULL, NULL)) != NULL) usrsctp_set_non_blocking(sock, 1);
	}
	while (sock != NULL) {
		struct sctp_rcvinfo info = {0};
		socklen_t size = sizeof info;
		unsigned int type = 0;
		int flags = 0;
		ssize_t n = usrsctp_recvv(sock, buffer, sizeof buffer, NULL, NULL, &info, &size, &type, &flags);
		if (n <= 0) break;
		if (flags & MSG_NOTIFICATION) {
			notification((union sctp_notification *)buffer);
		} else if (!(flags & MSG_EOR)) {
			printf("error a message was delivered in part\n");
		} else {
			printf("message %u %u %s %zd %016llx\n", info.rcv_sid, ntohl(info.rcv_ppid),
				info.rcv_flags & SCTP_UNORDERED ? "unordered" : "ordered", n, (unsigned long long)hash(buffer, (size_t)n));
		}
	}
}

// What is to be sent waits here when usrsctp has no room.
static struct message {
	struct sctp_sendv_spa info;
	size_t size;
	uint64_t seed;
	struct message *next;
} *first, **last = &first;

static void flush_messages(void) {
	for (struct message *m; sock != NULL && (m = first) != NULL;) {
		fill(buffer, m->size, m->seed);
		if (usrsctp_sendv(sock, buffer, m->size, NULL, 0, &m->info, sizeof m->info, SCTP_SENDV_SPA, 0) < 0) {
			if (errno == EAGAIN || errno == EWOULDBLOCK) return;
			fail("usrsctp_sendv");
		}
		if ((first = m->next) == NULL) last = &first;
		free(m);
	}
}

static void request_reset(char *rest) {
	struct sctp_reset_streams *r = calloc(1, sizeof *r + 2 * streams);
	r->srs_assoc_id = SCTP_FUTURE_ASSOC;
	r->srs_flags = strncmp(rest, "in", 2) == 0 ? SCTP_STREAM_RESET_INCOMING : SCTP_STREAM_RESET_OUTGOING;
	strtok(rest, " ");
	for (char *id; (id = strtok(NULL, " ")) != NULL;) r->srs_stream_list[r->srs_number_streams++] = (uint16_t)atoi(id);
	set(sock, SCTP_RESET_STREAMS, r, (socklen_t)(sizeof *r + 2 * r->srs_number_streams), "SCTP_RESET_STREAMS");
	free(r);
}

// Set until usrsctp has taken the request: not while data is outstanding.
static int reset_association;

static void request_association_reset(void) {
	sctp_assoc_t id = SCTP_FUTURE_ASSOC;
	if (!reset_association) return;
	if (usrsctp_setsockopt(sock, IPPROTO_SCTP, SCTP_RESET_ASSOC, &id, sizeof id) == 0) reset_association = 0;
	else if (errno != EBUSY) fail("SCTP_RESET_ASSOC");
}

static void command(char *line, int argc, char **argv) {
	unsigned sid, ppid, policy, value, size, out, in;
	char order[16];
	unsigned long long seed;
	if (strcmp(line, "listen") == 0) {
		listener = open_socket(argc, argv);
		if (usrsctp_listen(listener, 1) < 0) fail("usrsctp_listen");
		printf("listening\n");
	} else if (strcmp(line, "connect") == 0) {
		sock = open_socket(argc, argv);
		struct sockaddr_conn a = address();
		if (usrsctp_connect(sock, (struct sockaddr *)&a, sizeof a) < 0 && errno != EINPROGRESS) fail("usrsctp_connect");
		printf("connecting\n");
	} else if (sscanf(line, "send %u %u %15s %u %u %u %llu", &sid, &ppid, order, &policy, &value, &size, &seed) == 7) {
		struct message *m = calloc(1, sizeof *m);
		m->info.sendv_flags = SCTP_SEND_SNDINFO_VALID | SCTP_SEND_PRINFO_VALID;
		m->info.sendv_sndinfo.snd_sid = (uint16_t)sid;
		m->info.sendv_sndinfo.snd_ppid = htonl(ppid);
		m->info.sendv_sndinfo.snd_flags = strcmp(order, "unordered") == 0 ? SCTP_UNORDERED : 0;
		m->info.sendv_prinfo.pr_policy = (uint16_t)policy;
		m->info.sendv_prinfo.pr_value = value;
		m->size = size, m->seed = seed;
		*last = m, last = &m->next;
	} else if (strncmp(line, "reset ", 6) == 0) {
		request_reset(line + 6);
	} else if (sscanf(line, "add %u %u", &out, &in) == 2) {
		struct sctp_add_streams add = {.sas_assoc_id = SCTP_FUTURE_ASSOC, .sas_outstrms = (uint16_t)out, .sas_instrms = (uint16_t)in};
		set(sock, SCTP_ADD_STREAMS, &add, sizeof add, "SCTP_ADD_STREAMS");
	} else if (strcmp(line, "reset-association") == 0) {
		reset_association = 1;
	} else if (strcmp(line, "shutdown") == 0) {
		if (usrsctp_shutdown(sock, SHUT_WR) < 0) fail("usrsctp_shutdown");
	} else if (strcmp(line, "abort") == 0) {
		struct sctp_sndinfo info = {.snd_flags = SCTP_ABORT};
		usrsctp_sendv(sock, "bye", 3, NULL, 0, &info, sizeof info, SCTP_SENDV_SNDINFO, 0);
	} else {
		printf("error no such command: %s\n", line);
	}
}

static uint32_t milliseconds(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint32_t)(t.tv_sec * 1000 + t.tv_nsec / 1000000);
}

int main(int argc, char **argv) {
	setvbuf(stdout, NULL, _IOLBF, 0);
	usrsctp_init_nothreads(0, output, NULL);
	usrsctp_sysctl_set_sctp_ecn_enable(0);
	// A test does not wait for a second.
	usrsctp_sysctl_set_sctp_rto_initial_default(200);
	usrsctp_sysctl_set_sctp_rto_min_default(100);
	usrsctp_sysctl_set_sctp_rto_max_default(1000);
	usrsctp_sysctl_set_sctp_delayed_sack_time_default(20);
	usrsctp_register_address(&listener);

	if (argc < 2) return 2;
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (connect(udp, (struct sockaddr *)&to, sizeof to) < 0) fail("connect");
	// What came for a process before this one is not for it.
	char nothing;
	while (recv(udp, &nothing, sizeof nothing, MSG_DONTWAIT) >= 0) {}

	static char packet[1 << 16], lines[1 << 16];
	size_t have = 0;
	uint32_t then = milliseconds();
	for (;;) {
		struct pollfd fds[] = {{.fd = 0, .events = POLLIN}, {.fd = udp, .events = POLLIN}};
		poll(fds, 2, 10);
		for (;;) {
			ssize_t n = recv(udp, packet, sizeof packet, MSG_DONTWAIT);
			if (n < 0 && errno == EAGAIN) break;
			if (n > 0) usrsctp_conninput(&listener, packet, (size_t)n, 0);
			receive();
		}
		uint32_t now = milliseconds();
		if (now != then) usrsctp_handle_timers(now - then);
		then = now;
		if (fds[0].revents) {
			ssize_t n = read(0, lines + have, sizeof lines - have);
			if (n <= 0) return 0;
			have += (size_t)n;
			char *line = lines;
			for (char *end; (end = memchr(line, '\n', (size_t)(lines + have - line))) != NULL; line = end + 1) {
				*end = 0;
				command(line, argc, argv);
				flush_messages();
			}
			have -= (size_t)(line - lines);
			memmove(lines, line, have);
		}
		flush_messages();
		request_association_reset();
		receive();
	}
}
