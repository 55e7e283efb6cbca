// SPDX-License-Identifier: Apache-2.0
// A CQL server that does as little as a server can, so that what a client costs can be seen: one thread, one epoll, N
// nodes on 127.0.0.1 upwards, and ready-made rows for every EXECUTE. A read of many envelopes is answered by one
// write.
//
// With --cert and --key it speaks TLS.
//
// While requests come it does not sleep, because a client is to be measured and not the time that a core needs to wake.
// It ends with its parent, on SIGTERM, or after --seconds, whatever happens.
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "null_answers.h"
#include "sim/tls.h"
#include "wire/decoder.h"
#include "wire/query_flags.h"
#include "wire/segment.h"

#define READ_BYTES   (256u << 10)
#define EVENTS_MAX   64
#define BODY_MAX     (1u << 20) // of a request
#define SEGMENT_FULL (100u << 10)
#define NO_SEGMENT   SIZE_MAX
#define SPINS_MAX    20000 // looks in vain, of a few hundred nanoseconds each, before it sleeps

struct server {
	struct null_cluster cluster;
	struct mp_sim_tls_context *tls; // NULL: none
	int epoll;
	uint8_t *read_buf;
	// What EXECUTE gets, to be copied: by kind, version and "skip metadata".
	struct mp_buf rows[NULL_ROWS_KINDS][MP_PROTOCOL_MAX + 1][2];
};

// A listening socket (`is_listener`) or a connection.
struct peer {
	struct server *server;
	int fd;
	uint32_t node;
	bool is_listener;
	bool segmented;
	bool blocked; // the kernel took less than was offered: nothing is read until it took the rest
	struct mp_decoder dec;
	struct mp_sim_tls *tls; // NULL: none
	struct mp_buf plain;    // of a read, out of its records
	struct mp_buf out;      // answers
	struct mp_buf wire;     // their records
	size_t taken;           // of what is sent
	size_t segment;         // offset of the open segment in `out`
};

static void die(const char *what)
{
	fprintf(stderr, "null_server: %s: %s\n", what, strerror(errno));
	exit(1);
}

// ---- answers
// --------------------------------------------------------------------------------------------------------

static void make_rows(struct server *server)
{
	for (int kind = 0; kind < NULL_ROWS_KINDS; kind++) {
		for (uint8_t version = MP_PROTOCOL_MIN; version <= MP_PROTOCOL_MAX; version++) {
			for (int skip = 0; skip < 2; skip++) {
				struct mp_buf *rows = &server->rows[kind][version][skip];
				mp_buf_init(rows);
				null_rows(rows, (enum null_rows_kind)kind, version, skip != 0);
				mp_assert(mp_buf_status(rows) == 0);
			}
		}
	}
}

// The rows that this EXECUTE wants, with or without metadata. NULL: it is cut off.
static const struct mp_buf *wanted_rows(struct server *server, const struct mp_envelope *envelope)
{
	const uint8_t *body = envelope->body;
	size_t at = 0;
	struct mp_str id = {NULL, 0};
	for (int ids = envelope->version >= 5 ? 2 : 1; ids > 0; ids--) {
		if (at + 2 > envelope->body_len)
			return NULL;
		size_t len = (size_t)(body[at] << 8 | body[at + 1]);
		if (id.data == NULL && at + 2 + len <= envelope->body_len)
			id = (struct mp_str){(const char *)body + at + 2, len};
		at += 2 + len;
	}
	size_t flags = at + 2 + (envelope->version >= 5 ? 3 : 0); // the lowest byte
	if (flags >= envelope->body_len)
		return NULL;
	int skip = (body[flags] & MP_QUERY_SKIP_METADATA) != 0;
	return &server->rows[null_rows_of(id)][envelope->version][skip];
}

static int answer_execute(struct peer *peer, const struct mp_envelope *envelope)
{
	const struct mp_buf *rows = wanted_rows(peer->server, envelope);
	if (rows == NULL)
		return MP_EPROTO;
	uint8_t *to = mp_buf_reserve(&peer->out, rows->len);
	if (to == NULL)
		return MP_ENOMEM;
	memcpy(to, rows->data, rows->len);
	to[2] = (uint8_t)((uint16_t)envelope->stream >> 8);
	to[3] = (uint8_t)envelope->stream;
	peer->out.len += rows->len;
	return 0;
}

static void seal(struct peer *peer)
{
	if (peer->segment == NO_SEGMENT)
		return;
	mp_segment_end(&peer->out, peer->segment);
	peer->segment = NO_SEGMENT;
}

static int on_envelope(void *data, const struct mp_envelope *envelope)
{
	struct peer *peer = data;
	bool is_execute = envelope->opcode == MP_OP_EXECUTE;
	if (MP_UNLIKELY(!is_execute))
		seal(peer); // what is larger than a segment must be alone
	if (peer->segmented && peer->segment == NO_SEGMENT)
		peer->segment = mp_segment_begin(&peer->out);
	int rc;
	if (MP_LIKELY(is_execute))
		rc = answer_execute(peer, envelope);
	else
		rc = null_answer(&peer->server->cluster, peer->node, envelope, &peer->out);
	if (rc != 0)
		return rc;
	if (peer->segmented) {
		if (!is_execute || peer->out.len - peer->segment >= SEGMENT_FULL)
			seal(peer);
	} else if (envelope->opcode == MP_OP_STARTUP) {
		peer->dec.version = envelope->version;
		peer->segmented = envelope->version >= 5;
		if (peer->segmented)
			mp_decoder_use_segments(&peer->dec);
	}
	return 0;
}

// ---- connections
// ----------------------------------------------------------------------------------------------------

static void watch(struct peer *peer, int op, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = peer};
	if (epoll_ctl(peer->server->epoll, op, peer->fd, &event) != 0)
		die("epoll_ctl");
}

static struct peer *peer_new(struct server *server, int fd, uint32_t node, bool is_listener)
{
	struct peer *peer = mp_calloc(1, sizeof(*peer));
	if (peer == NULL)
		die("a connection");
	peer->server = server;
	peer->fd = fd;
	peer->node = node;
	peer->is_listener = is_listener;
	peer->segment = NO_SEGMENT;
	mp_decoder_init(&peer->dec, false, BODY_MAX);
	mp_buf_init(&peer->out);
	mp_buf_init(&peer->plain);
	mp_buf_init(&peer->wire);
	if (server->tls != NULL && !is_listener && (peer->tls = mp_sim_tls_new(server->tls)) == NULL)
		die("a connection");
	watch(peer, EPOLL_CTL_ADD, EPOLLIN);
	return peer;
}

static void peer_close(struct peer *peer)
{
	close(peer->fd);
	mp_decoder_deinit(&peer->dec);
	mp_sim_tls_free(peer->tls);
	mp_buf_deinit(&peer->plain);
	mp_buf_deinit(&peer->out);
	mp_buf_deinit(&peer->wire);
	mp_free(peer);
}

// What is to be sent; NULL: the connection is gone.
static struct mp_buf *sealed(struct peer *peer)
{
	seal(peer);
	struct mp_buf *out = &peer->out, *wire = &peer->wire;
	if (mp_buf_status(out) != 0)
		return NULL;
	if (peer->tls == NULL)
		return out;
	if (out->len > 0 && mp_sim_tls_write(peer->tls, out->data, out->len, wire) != 0)
		return NULL;
	mp_buf_clear(out);
	return mp_buf_status(wire) == 0 ? wire : NULL;
}

// False: the connection is gone.
static bool flush(struct peer *peer)
{
	struct mp_buf *sent = sealed(peer);
	if (sent == NULL)
		return false;
	if (sent->len == peer->taken)
		return true;
	ssize_t took = send(peer->fd, sent->data + peer->taken, sent->len - peer->taken, MSG_NOSIGNAL);
	if (took < 0 && errno != EAGAIN && errno != EINTR)
		return false;
	peer->taken += took > 0 ? (size_t)took : 0;
	bool blocked = peer->taken < sent->len;
	if (!blocked) {
		mp_buf_clear(sent);
		peer->taken = 0;
	}
	if (blocked != peer->blocked)
		watch(peer, EPOLL_CTL_MOD, blocked ? EPOLLOUT : EPOLLIN);
	peer->blocked = blocked;
	return true;
}

static bool take(struct peer *peer, const uint8_t *bytes, size_t len)
{
	if (peer->tls == NULL)
		return mp_decoder_feed(&peer->dec, bytes, len, on_envelope, peer) == 0;
	mp_buf_clear(&peer->plain);
	return mp_sim_tls_feed(peer->tls, bytes, len, &peer->plain, &peer->wire) == 0 &&
	       mp_decoder_feed(&peer->dec, peer->plain.data, peer->plain.len, on_envelope, peer) == 0;
}

static bool serve(struct peer *peer)
{
	if (peer->blocked)
		return flush(peer);
	uint8_t *bytes = peer->server->read_buf;
	ssize_t got = recv(peer->fd, bytes, READ_BYTES, 0);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (got <= 0)
		return false;
	return take(peer, bytes, (size_t)got) && flush(peer);
}

static void accept_one(struct peer *listener)
{
	int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return;
	int on = 1;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)peer_new(listener->server, fd, listener->node, false);
}

static void listen_on(struct server *server, uint32_t node)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1;
	struct mp_addr addr = null_addr(&server->cluster, node);
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(addr.port)};
	memcpy(&to.sin_addr, addr.ip, 4);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
	    bind(fd, (struct sockaddr *)&to, sizeof(to)) != 0 || listen(fd, 128) != 0) {
		char text[MP_ADDR_TEXT];
		mp_addr_format(&addr, text);
		die(text);
	}
	(void)peer_new(server, fd, node, true);
}

static void run(struct server *server)
{
	struct epoll_event events[EVENTS_MAX];
	for (unsigned idle = SPINS_MAX;; idle++) {
		int count = epoll_wait(server->epoll, events, EVENTS_MAX, idle < SPINS_MAX ? 0 : -1);
		if (count < 0 && errno != EINTR)
			die("epoll_wait");
		if (count > 0)
			idle = 0;
		for (int i = 0; i < count; i++) {
			struct peer *peer = events[i].data.ptr;
			if (peer->is_listener)
				accept_one(peer);
			else if (!serve(peer))
				peer_close(peer);
		}
	}
}

// ---- start
// ----------------------------------------------------------------------------------------------------------

// The default action of SIGALRM and SIGTERM ends the process.
static void limit_life(unsigned seconds, pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0)
		die("prctl");
	if (getppid() != parent) // it went before the wish was known
		exit(1);
	alarm(seconds);
}

static void raise_descriptors(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static unsigned number(const char *text, unsigned max)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);
	if (*text == '\0' || *end != '\0' || value == 0 || value > max) {
		fprintf(stderr, "null_server: \"%s\" is not a number from 1 to %u\n", text, max);
		exit(2);
	}
	return (unsigned)value;
}

static struct mp_sim_tls_context *read_certificate(const char *cert, const char *key)
{
	char why[256];
	struct mp_sim_tls_context *tls = mp_sim_tls_context_new(cert, key, NULL, 0, why, sizeof(why));
	if (tls == NULL) {
		fprintf(stderr, "null_server: %s\n", why);
		exit(1);
	}
	return tls;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"port", required_argument, NULL, 'p'},
		{"nodes", required_argument, NULL, 'n'},
		{"seconds", required_argument, NULL, 's'},
		{"cert", required_argument, NULL, 'c'},
		{"key", required_argument, NULL, 'k'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	pid_t parent = getppid();
	static struct server server = {.cluster = {.nodes = 3, .port = 19500}};
	unsigned seconds = 600;
	const char *cert = NULL, *key = NULL;
	int option;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'p': server.cluster.port = (uint16_t)number(optarg, UINT16_MAX); break;
		case 'n': server.cluster.nodes = number(optarg, NULL_NODES_MAX); break;
		case 's': seconds = number(optarg, 7200); break;
		case 'c': cert = optarg; break;
		case 'k': key = optarg; break;
		default:
			printf("usage: null_server [--port 19500] [--nodes 3] [--seconds 600] [--cert FILE [--key "
			       "FILE]]\n"
			       "Nodes of keyspace \"bench\" on 127.0.0.1, 127.0.0.2 ...; prints \"ready\" when they "
			       "listen.\n");
			return option == 'h' ? 0 : 2;
		}
	}
	limit_life(seconds, parent);
	raise_descriptors();
	make_rows(&server);
	server.tls = cert != NULL ? read_certificate(cert, key) : NULL;
	server.read_buf = mp_alloc(READ_BYTES);
	server.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (server.read_buf == NULL || server.epoll < 0)
		die("start");
	for (uint32_t node = 0; node < server.cluster.nodes; node++)
		listen_on(&server, node);
	printf("ready\n");
	fflush(stdout);
	run(&server);
	return 0;
}
