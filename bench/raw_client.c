// SPDX-License-Identifier: Apache-2.0
// The least that a client can do, as the measure of all others: a connection to each of three nodes, a fixed number of
// EXECUTEs in flight, and for each answer the same request again under the same stream id. No routing, no decoding of
// rows, no allocation, no deadline, no time stamp. What a read brings leaves as one write. It never sleeps: it looks at
// its sockets in turn, or, of more than a few (--nodes), at those that epoll names, so its figures are those of a core
// that does nothing else.
//
// It sends what moonpool sends: the same statement and parameters, on v5 in segments with valid checksums.
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "client.h"
#include "wire/message.h"
#include "wire/segment.h"

#define LOOKED_AT   8 // connections that are looked at without epoll
#define EVENTS_MAX  64
#define READ_BYTES  (256u << 10)
#define ANSWER_MAX  (1u << 20)
#define BUFFER      (READ_BYTES + ANSWER_MAX)
#define REQUEST_MAX 128
#define LOOK_EVERY  256 // rounds between two looks at the clock

struct conn {
	int fd;
	uint32_t first; // how many requests it begins with
	uint8_t *bytes; // received and not used
	size_t len;
	size_t missing;  // v5: of an answer that takes several segments
	uint16_t stream; // of that one
	struct mp_buf out;
};

struct raw {
	struct bench_options options;
	struct conn *conns;           // one to each of options.nodes
	int epoll;                    // -1: all are looked at
	uint8_t request[REQUEST_MAX]; // the EXECUTE, for stream 0
	size_t request_len;
	size_t key_at;
	uint64_t answered;
	uint64_t next_key;
	bool over; // answers are no longer followed by requests
};

static void die(const char *what)
{
	fprintf(stderr, "raw_client: %s: %s\n", what, errno != 0 ? strerror(errno) : "unexpected answer");
	exit(1);
}

static uint32_t load_u32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint32_t load_u24_le(const uint8_t *at)
{
	return (uint32_t)at[2] << 16 | (uint32_t)at[1] << 8 | at[0];
}

static uint16_t stream_of(const uint8_t *header)
{
	return (uint16_t)(header[2] << 8 | header[3]);
}

// ---- sending
// --------------------------------------------------------------------------------------------------------

static void append_request(struct raw *raw, struct conn *conn, uint16_t stream)
{
	uint8_t *to = conn->out.data + conn->out.len;
	memcpy(to, raw->request, raw->request_len);
	to[2] = (uint8_t)(stream >> 8);
	to[3] = (uint8_t)stream;
	uint64_t key = __builtin_bswap64(raw->next_key++);
	memcpy(to + raw->key_at, &key, sizeof(key));
	conn->out.len += raw->request_len;
}

static void send_all(int fd, const uint8_t *bytes, size_t len)
{
	while (len > 0) {
		ssize_t took = send(fd, bytes, len, MSG_NOSIGNAL);
		if (took < 0 && errno != EINTR)
			die("send");
		if (took > 0) {
			bytes += took;
			len -= (size_t)took;
		}
	}
}

static void flush(struct conn *conn)
{
	send_all(conn->fd, conn->out.data, conn->out.len);
	mp_buf_clear(&conn->out);
}

// ---- receiving
// ------------------------------------------------------------------------------------------------------

static void answer(struct raw *raw, struct conn *conn, uint16_t stream)
{
	raw->answered++;
	if (!raw->over)
		append_request(raw, conn, stream);
}

// Answers to whole envelopes; returns the bytes that were used.
static size_t take_envelopes(struct raw *raw, struct conn *conn, const uint8_t *bytes, size_t len)
{
	size_t at = 0;
	while (len - at >= MP_ENVELOPE_HEADER) {
		const uint8_t *header = bytes + at;
		size_t size = MP_ENVELOPE_HEADER + load_u32(header + 5);
		if (size > len - at)
			break;
		if (header[4] != MP_OP_RESULT) {
			errno = 0;
			die("EXECUTE");
		}
		at += size;
		answer(raw, conn, stream_of(header));
	}
	return at;
}

static void drop(struct conn *conn, size_t used)
{
	if (used > 0)
		memmove(conn->bytes, conn->bytes + used, conn->len - used);
	conn->len -= used;
	if (conn->out.len > 0)
		flush(conn);
}

static void take_legacy(struct raw *raw, struct conn *conn)
{
	drop(conn, take_envelopes(raw, conn, conn->bytes, conn->len));
}

// A segment that is a part of one envelope. It is answered once its last byte is here.
static void take_part(struct raw *raw, struct conn *conn, const uint8_t *payload, size_t len)
{
	if (conn->missing == 0) {
		if (len < MP_ENVELOPE_HEADER || payload[4] != MP_OP_RESULT)
			die("a part of an answer");
		conn->missing = MP_ENVELOPE_HEADER + load_u32(payload + 5);
		conn->stream = stream_of(payload);
	}
	if (len > conn->missing)
		die("the end of an answer");
	conn->missing -= len;
	if (conn->missing == 0)
		answer(raw, conn, conn->stream);
}

static void take_segments(struct raw *raw, struct conn *conn)
{
	size_t at = 0;
	while (conn->len - at >= MP_SEGMENT_HEADER) {
		const uint8_t *header = conn->bytes + at;
		if (mp_crc24(header, 3) != load_u24_le(header + 3))
			die("a segment's header");
		size_t len = load_u24_le(header) & MP_SEGMENT_PAYLOAD_MAX;
		bool self_contained = (header[2] & 2) != 0;
		size_t size = MP_SEGMENT_HEADER + len + MP_SEGMENT_TRAILER;
		if (size > conn->len - at)
			break;
		const uint8_t *payload = header + MP_SEGMENT_HEADER;
		if (mp_crc32_segment(payload, len) != (load_u24_le(payload + len) | (uint32_t)payload[len + 3] << 24))
			die("a segment's checksum");
		size_t segment = mp_segment_begin(&conn->out);
		if (!self_contained)
			take_part(raw, conn, payload, len);
		else if (take_envelopes(raw, conn, payload, len) != len)
			die("a segment's end");
		mp_segment_end(&conn->out, segment);
		at += size;
	}
	drop(conn, at);
}

static void read_some(struct raw *raw, struct conn *conn)
{
	ssize_t got = recv(conn->fd, conn->bytes + conn->len, READ_BYTES, MSG_DONTWAIT);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0)
		die("recv");
	conn->len += (size_t)got;
	if (raw->options.version >= 5)
		take_segments(raw, conn);
	else
		take_legacy(raw, conn);
}

// ---- the handshake, which waits for each answer
// ---------------------------------------------------------------------

static void receive(struct conn *conn, size_t want)
{
	while (conn->len < want) {
		ssize_t got = recv(conn->fd, conn->bytes + conn->len, BUFFER - conn->len, 0);
		if (got <= 0)
			die("recv");
		conn->len += (size_t)got;
	}
}

// Sends what stands in conn->out and gives the one envelope that answers it; valid until the next one.
static const uint8_t *ask(struct conn *conn, bool segmented, uint8_t opcode)
{
	size_t skip = segmented ? MP_SEGMENT_HEADER : 0;
	conn->len = 0;
	flush(conn);
	receive(conn, skip + MP_ENVELOPE_HEADER);
	size_t body = load_u32(conn->bytes + skip + 5);
	receive(conn, skip + MP_ENVELOPE_HEADER + body + (segmented ? MP_SEGMENT_TRAILER : 0));
	if (conn->bytes[skip + 4] != opcode) {
		errno = 0;
		die(mp_opcode_name(opcode));
	}
	conn->len = 0;
	return conn->bytes + skip;
}

static void make_request(struct raw *raw, const uint8_t *prepared)
{
	uint8_t version = (uint8_t)raw->options.version;
	struct mp_result_body result;
	struct mp_cursor body = mp_cursor_on(prepared + MP_ENVELOPE_HEADER, load_u32(prepared + 5));
	if (mp_decode_result(body, version, &result) != 0 || result.kind != MP_RESULT_PREPARED)
		die("PREPARE");
	const char value[] = {0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0};
	struct mp_query_params params = {
		.consistency = MP_CL_LOCAL_ONE,
		.skip_metadata = version >= 5,
		.value_count = 1,
		.values = {value, sizeof(value)},
	};
	struct mp_buf buf;
	mp_buf_init(&buf);
	mp_encode_execute(&buf, version, 0, 0, result.prepared_id, result.result_metadata_id, &params);
	if (mp_buf_status(&buf) != 0 || buf.len > sizeof(raw->request))
		die("EXECUTE");
	memcpy(raw->request, buf.data, buf.len);
	raw->request_len = buf.len;
	raw->key_at = buf.len - 8; // the value is the last parameter
	mp_buf_deinit(&buf);
	mp_metadata_unref(result.params);
	mp_metadata_unref(result.result);
}

static void shake_hands(struct raw *raw, struct conn *conn)
{
	uint8_t version = (uint8_t)raw->options.version;
	const struct mp_pair options[] = {{mp_str_of("CQL_VERSION"), mp_str_of("3.0.0")}};
	mp_encode_startup(&conn->out, version, 0, options, MP_ARRAY_LEN(options));
	(void)ask(conn, false, MP_OP_READY);
	size_t segment = version >= 5 ? mp_segment_begin(&conn->out) : 0;
	mp_encode_prepare(&conn->out, version, 0, 0, mp_str_of(raw->options.rows->cql), (struct mp_str){NULL, 0});
	if (version >= 5)
		mp_segment_end(&conn->out, segment);
	make_request(raw, ask(conn, version >= 5, MP_OP_RESULT));
}

// Addresses as null_server has them.
static void connect_to(struct raw *raw, struct conn *conn, uint32_t node)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)raw->options.port)};
	to.sin_addr.s_addr = htonl(0x7f000001u + node / 250 * 256 + node % 250);
	conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int on = 1;
	if (conn->fd < 0 || connect(conn->fd, (struct sockaddr *)&to, sizeof(to)) != 0 ||
	    setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0)
		die("connect");
	conn->bytes = malloc(BUFFER);
	mp_buf_init(&conn->out);
	if (conn->bytes == NULL || mp_buf_reserve(&conn->out, READ_BYTES) == NULL)
		die("memory");
	shake_hands(raw, conn);
	struct epoll_event wanted = {.events = EPOLLIN, .data.ptr = conn};
	if (raw->epoll >= 0 && epoll_ctl(raw->epoll, EPOLL_CTL_ADD, conn->fd, &wanted) != 0)
		die("epoll_ctl");
}

static void connect_all(struct raw *raw)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	raw->conns = calloc(raw->options.nodes, sizeof(*raw->conns));
	raw->epoll = raw->options.nodes > LOOKED_AT ? epoll_create1(EPOLL_CLOEXEC) : -1;
	if (raw->conns == NULL || (raw->options.nodes > LOOKED_AT && raw->epoll < 0))
		die("start");
	for (uint32_t i = 0; i < raw->options.nodes; i++)
		connect_to(raw, &raw->conns[i], i);
}

// ---- the loop
// -------------------------------------------------------------------------------------------------------

static void begin(struct raw *raw)
{
	uint32_t nodes = raw->options.nodes;
	for (uint32_t i = 0; i < nodes; i++) {
		struct conn *conn = &raw->conns[i];
		uint32_t count = raw->options.outstanding / nodes + (i < raw->options.outstanding % nodes);
		if (count == 0)
			continue;
		size_t segment = raw->options.version >= 5 ? mp_segment_begin(&conn->out) : 0;
		for (uint32_t stream = 0; stream < count; stream++)
			append_request(raw, conn, (uint16_t)stream);
		if (raw->options.version >= 5)
			mp_segment_end(&conn->out, segment);
		flush(conn);
	}
}

static void turn(struct raw *raw)
{
	if (raw->epoll < 0) {
		for (uint32_t i = 0; i < raw->options.nodes; i++)
			read_some(raw, &raw->conns[i]);
		return;
	}
	struct epoll_event events[EVENTS_MAX];
	int count = epoll_wait(raw->epoll, events, EVENTS_MAX, 0);
	for (int i = 0; i < count; i++)
		read_some(raw, events[i].data.ptr);
}

static void drain(struct raw *raw, uint64_t sent)
{
	raw->over = true;
	while (raw->answered < sent)
		turn(raw);
}

int main(int argc, char **argv)
{
	struct raw raw = {0};
	bench_options_read(&raw.options, argc, argv);
	if (raw.options.outstanding > raw.options.nodes * 800)
		raw.options.outstanding = raw.options.nodes * 800; // what fits a buffer at once
	connect_all(&raw);
	struct bench_window window;
	bench_window_init(&window, &raw.options);
	begin(&raw);
	for (uint32_t round = 0; window.phase != BENCH_OVER; round++) {
		turn(&raw);
		if (round % LOOK_EVERY == 0 && bench_window_is_due(&window)) {
			struct bench_counts counts = {.requests = raw.answered};
			bench_window_next(&window, &counts);
		}
	}
	drain(&raw, raw.next_key);
	bench_report("raw", &raw.options, &window, NULL, false);
	return 0;
}
