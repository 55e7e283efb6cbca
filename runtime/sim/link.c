// SPDX-License-Identifier: Apache-2.0
// The bytes of one connection. Answers of one loop turn are collected in `out` and leave in one write; on v5 they share
// segments. A connection that is closed inside a call lives on, dead, until that call is over.
#include "sim/coord.h"
#include "sim/world.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "sim/tls.h"
#include "wire/segment.h"

static void on_read(void *data, const uint8_t *bytes, size_t len);
static void on_end(void *data, int rc);
static void on_writable(void *data);
static const struct mp_sock_events events = {
	.on_read = on_read, .on_end = on_end, .on_writable = on_writable};

void mp_sim_link_reap(struct mp_sim_link *conn)
{
	mp_assert(conn->dead && !conn->in_call);
	mp_decoder_deinit(&conn->decoder);
	mp_buf_deinit(&conn->out);
	mp_buf_deinit(&conn->scratch);
	mp_buf_deinit(&conn->wire);
	mp_buf_deinit(&conn->records);
	mp_buf_deinit(&conn->owed);
	mp_sim_tls_free(conn->tls);
	mp_free(conn);
}

void mp_sim_link_close(struct mp_sim_link *conn, bool reset)
{
	if (conn->dead)
		return;
	conn->dead = true;
	struct mp_loop *loop = conn->owner->cluster->loop;
	mp_sock_close(conn->sock, reset);
	mp_task_cancel(loop, &conn->flush);
	mp_sim_held_free_all(conn);
	mp_sim_wait_free_all(conn);
	mp_list_remove(&conn->owner->conns, &conn->node);
	if (!conn->in_call)
		mp_sim_link_reap(conn);
}

// Ends a call into a connection: frees it if it died in there.
static void leave(struct mp_sim_link *conn)
{
	conn->in_call = false;
	if (conn->dead)
		mp_sim_link_reap(conn);
}

void mp_sim_link_seal(struct mp_sim_link *conn)
{
	if (!conn->segment_open)
		return;
	conn->segment_open = false;
	if (conn->decoder.compression == MP_COMPRESSION_NONE) {
		mp_segment_end(&conn->out, conn->segment);
		return;
	}
	size_t payload = conn->segment + MP_SEGMENT_HEADER;
	if (conn->out.failed || conn->out.len < payload)
		return;
	struct mp_buf packed;
	mp_buf_init(&packed);
	bool fails = conn->out.len > payload &&
	             mp_segment_append_lz4(&packed, conn->out.data + payload, conn->out.len - payload) != 0;
	conn->out.len = conn->segment;
	mp_buf_bytes(&conn->out, packed.data, packed.len);
	conn->out.failed = conn->out.failed || fails;
	mp_buf_deinit(&packed);
}

static bool drained(const struct mp_sim_link *conn)
{
	return conn->sent == conn->out.len && conn->records_sent == conn->records.len;
}

// What waits becomes records; before the last of them, at the end, that nothing more comes. False: it cannot.
static bool encrypt(struct mp_sim_link *conn)
{
	if (!mp_sim_tls_is_open(conn->tls))
		return true;
	bool ends = conn->closing && !conn->closing_reset && !conn->told_end;
	int rc =
		mp_sim_tls_write(conn->tls, conn->out.data + conn->sent, conn->out.len - conn->sent, &conn->records);
	conn->sent = conn->out.len;
	if (rc == 0 && ends)
		rc = mp_sim_tls_end(conn->tls, &conn->records);
	conn->told_end = conn->told_end || ends;
	return rc == 0;
}

// Offers what is waiting to the system. False: the connection died of it.
static bool offer(struct mp_sim_link *conn)
{
	if (conn->tls != NULL && !encrypt(conn)) {
		mp_sim_link_close(conn, true);
		return false;
	}
	if (conn->write_blocked || drained(conn))
		return true;
	struct mp_buf *from = conn->tls != NULL ? &conn->records : &conn->out;
	size_t *sent = conn->tls != NULL ? &conn->records_sent : &conn->sent;
	struct mp_span span = {from->data + *sent, from->len - *sent};
	if (span.len == 0)
		return true; // until the handshake is over
	ptrdiff_t taken = mp_sock_writev(conn->sock, &span, 1);
	if (taken < 0) {
		mp_sim_link_close(conn, false);
		return false;
	}
	*sent += (size_t)taken;
	conn->owner->bytes_out += (uint64_t)taken;
	conn->write_blocked = *sent < from->len;
	return true;
}

static void press_back(struct mp_sim_link *conn)
{
	size_t limit = conn->owner->cluster->options.output_limit, waiting = conn->out.len - conn->sent;
	waiting += conn->records.len - conn->records_sent;
	if (!conn->read_stopped && waiting > limit) {
		conn->read_stopped = true;
		mp_sock_read_stop(conn->sock);
	} else if (conn->read_stopped && !conn->deaf && waiting < limit / 2) {
		conn->read_stopped = false;
		mp_sock_read_start(conn->sock);
	}
}

static void flush(void *data)
{
	struct mp_sim_link *conn = data;
	if (conn->dead || conn->owner->paused)
		return;
	mp_sim_link_seal(conn);
	if (conn->out.failed) {
		mp_sim_link_close(conn, true);
		return;
	}
	if (!offer(conn))
		return;
	if (drained(conn)) {
		mp_buf_clear(&conn->out);
		mp_buf_clear(&conn->records);
		conn->sent = conn->records_sent = 0;
		if (conn->closing) {
			mp_sim_link_close(conn, conn->closing_reset);
			return;
		}
	} else if (conn->sent > 256 * 1024) {
		mp_buf_drop_front(&conn->out, conn->sent);
		conn->sent = 0;
	}
	press_back(conn);
}

void mp_sim_link_post(struct mp_sim_link *conn)
{
	if (!conn->dead)
		mp_task_post(conn->owner->cluster->loop, &conn->flush, MP_PHASE_FLUSH);
}

void mp_sim_link_close_later(struct mp_sim_link *conn, bool reset)
{
	conn->closing = true;
	conn->closing_reset = reset;
	if (!conn->dead)
		mp_sock_read_stop(conn->sock);
	mp_sim_link_post(conn);
}

static int on_envelope(void *data, const struct mp_envelope *envelope)
{
	struct mp_sim_link *conn = data;
	return mp_sim_serve(conn, envelope);
}

// A client that is refused, or has ended, hears what TLS says to it.
static int take_records(struct mp_sim_link *conn, const uint8_t *bytes, size_t len)
{
	struct mp_buf plain;
	mp_buf_init(&plain);
	int rc = mp_sim_tls_feed(conn->tls, bytes, len, &plain, &conn->records);
	int said = plain.len > 0 ? mp_decoder_feed(&conn->decoder, plain.data, plain.len, on_envelope, conn) : 0;
	mp_buf_deinit(&plain);
	if (rc == 0 || conn->dead) {
		mp_sim_link_post(conn);
		return said;
	}
	conn->told_end = rc != MP_EEOF;
	mp_sim_link_close_later(conn, false);
	return 0;
}

static void on_read(void *data, const uint8_t *bytes, size_t len)
{
	struct mp_sim_link *conn = data;
	if (conn->closing || conn->deaf)
		return;
	conn->in_call = true;
	conn->owner->bytes_in += len;
	int rc = 0;
	if (conn->tls != NULL)
		rc = take_records(conn, bytes, len);
	else
		rc = mp_decoder_feed(&conn->decoder, bytes, len, on_envelope, conn);
	if (rc < 0 && !conn->dead && !conn->closing)
		mp_sim_serve_refused(conn);
	leave(conn);
}

static void on_end(void *data, int rc)
{
	(void)rc;
	mp_sim_link_close(data, false);
}

static void on_writable(void *data)
{
	struct mp_sim_link *conn = data;
	conn->write_blocked = false;
	conn->in_call = true;
	flush(conn);
	leave(conn);
}

void mp_sim_link_resume(struct mp_sim_link *conn)
{
	if (!conn->deaf && !conn->read_stopped && !conn->closing)
		mp_sock_read_start(conn->sock);
	mp_sim_link_post(conn);
}

struct mp_str mp_sim_link_keyspace(const struct mp_sim_link *conn)
{
	return mp_str_of(conn->keyspace);
}

void mp_sim_link_accept(struct mp_sim_node *node, struct mp_sock *sock)
{
	struct mp_sim_link *conn = mp_calloc(1, sizeof(*conn));
	if (conn == NULL) {
		mp_sock_close(sock, true);
		return;
	}
	conn->owner = node;
	conn->sock = sock;
	mp_buf_init(&conn->records);
	mp_buf_init(&conn->owed);
	if (node->cluster->tls != NULL) {
		conn->tls = mp_sim_tls_new(node->cluster->tls);
		if (conn->tls == NULL) {
			mp_free(conn);
			mp_sock_close(sock, true);
			return;
		}
	}
	conn->ordinal = ++node->connections_total;
	mp_decoder_init(&conn->decoder, false, MP_BODY_MAX_DEFAULT);
	mp_buf_init(&conn->out);
	mp_buf_init(&conn->scratch);
	mp_buf_init(&conn->wire);
	mp_list_init(&conn->held);
	mp_list_init(&conn->waiting);
	mp_task_init(&conn->flush, flush, conn);
	mp_list_node_init(&conn->node);
	mp_list_push_back(&node->conns, &conn->node);
	mp_sock_adopt(sock, &events, conn);
	if (node->paused)
		mp_sock_read_stop(sock); // its system has accepted, its program does not look
}
