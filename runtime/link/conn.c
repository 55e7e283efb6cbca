// SPDX-License-Identifier: Apache-2.0
// The beginning of a connection and its socket's callbacks: bytes in, to the decoder and on to handshake or
// answers; bytes out, once per turn.
//
// Invariant: `sock` is open exactly while the state is not CLOSED.
#include "link/conn.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "link/conn_internal.h"

#define LAST_WORDS_MS 100u

// ---- the socket -------------------------------------------------------------------------------------------

static void take_records(struct mp_conn *conn, const uint8_t *bytes, size_t len);
static void flush(struct mp_conn *conn);

static void on_connect(void *data, int rc)
{
	struct mp_conn *conn = data;
	if (rc == 0 && conn->tls != NULL) {
		conn->handshake.step = MP_STEP_TLS;
		take_records(conn, NULL, 0);
		return;
	}
	if (rc == 0) {
		mp_handshake_start(conn);
		return;
	}
	mp_conn_fail(conn, rc == MP_ELOCAL ? MP_CLOSE_LOCAL : MP_CLOSE_CONNECT, "%s", mp_err_text(rc));
	conn->end.err = rc;
}

static int on_envelope(void *data, const struct mp_envelope *envelope)
{
	struct mp_conn *conn = data;
	conn->spoke = true;
	if (MP_UNLIKELY(conn->state == MP_CONN_OPENING))
		return mp_handshake_answer(conn, envelope);
	return mp_conn_answer(conn, envelope);
}

static void keep_first_bytes(struct mp_conn *conn, const uint8_t *bytes, size_t len)
{
	size_t room = sizeof(conn->first_bytes) - conn->first_len;
	size_t count = len < room ? len : room;
	memcpy(conn->first_bytes + conn->first_len, bytes, count);
	conn->first_len += (uint32_t)count;
}

static void refuse_bytes(struct mp_conn *conn, int rc)
{
	if (rc == MP_ENOMEM)
		mp_conn_fail(conn, MP_CLOSE_LOCAL, "out of memory for an answer");
	else if (conn->state == MP_CONN_OPENING)
		mp_handshake_refuse_bytes(conn, rc);
	else
		mp_conn_fail(conn, MP_CLOSE_PROTOCOL, "%s", conn->dec.why);
}

static void take_plain(struct mp_conn *conn, const uint8_t *bytes, size_t len)
{
	if (MP_UNLIKELY(!conn->spoke))
		keep_first_bytes(conn, bytes, len);
	int rc = mp_decoder_feed(&conn->dec, bytes, len, on_envelope, conn);
	if (conn->state == MP_CONN_CLOSED)
		return;
	if (MP_UNLIKELY(rc != 0)) {
		refuse_bytes(conn, rc);
		return;
	}
	if (conn->state == MP_CONN_OPENING)
		return;
	if (conn->answered) {
		conn->answered = false;
		conn->answered_ns = mp_loop_now_ns(conn->loop);
	}
	mp_conn_check_room(conn);
	mp_conn_check_drained(conn);
}

// ---- TLS --------------------------------------------------------------------------------------------------

static bool on_plain(void *data, const uint8_t *bytes, size_t len)
{
	struct mp_conn *conn = data;
	take_plain(conn, bytes, len);
	return conn->state != MP_CONN_CLOSED;
}

static void refuse_records(struct mp_conn *conn, int rc)
{
	flush(conn); // the alert that tells the node why
	enum mp_close_reason reason = mp_tls_is_open(conn->tls) ? MP_CLOSE_PROTOCOL : MP_CLOSE_TLS;
	mp_conn_fail(conn, rc == MP_ENOMEM ? MP_CLOSE_LOCAL : reason, "%s", mp_tls_why(conn->tls));
}

static void count_handshake(struct mp_conn *conn)
{
	if (conn->settings.tls_handshakes != NULL)
		++*conn->settings.tls_handshakes;
	if (conn->settings.tls_resumed != NULL && mp_tls_resumed(conn->tls))
		++*conn->settings.tls_resumed;
}

static void on_end(void *data, int rc);

// Not trusted yet is nobody: the first byte of ours leaves after the handshake of TLS.
static void take_records(struct mp_conn *conn, const uint8_t *bytes, size_t len)
{
	bool was_open = mp_tls_is_open(conn->tls);
	int rc = mp_tls_feed(conn->tls, bytes, len, on_plain, conn);
	if (conn->state == MP_CONN_CLOSED)
		return;
	if (rc != 0) {
		refuse_records(conn, rc);
		return;
	}
	if (!was_open && mp_tls_is_open(conn->tls)) {
		count_handshake(conn);
		mp_handshake_start(conn);
	}
	if (conn->state != MP_CONN_CLOSED && mp_pack_waiting(mp_tls_records(conn->tls)) > 0)
		mp_conn_queued(conn);
	if (mp_tls_is_ended(conn->tls))
		on_end(conn, MP_EEOF);
}

static void on_read(void *data, const uint8_t *bytes, size_t len)
{
	struct mp_conn *conn = data;
	if (MP_UNLIKELY(conn->tls != NULL))
		take_records(conn, bytes, len);
	else
		take_plain(conn, bytes, len);
}

// All that could be read was given to on_read before this, so answers that raced with the end have been
// delivered.
static void on_end(void *data, int rc)
{
	struct mp_conn *conn = data;
	bool cut = conn->dec.rest.len > 0 || conn->dec.whole.len > 0;
	const char *what = cut ? ", in the middle of an answer" : "";
	const char *while_doing =
		conn->state == MP_CONN_OPENING ? mp_handshake_step_name(conn->handshake.step) : NULL;
	char waiting[64] = "";
	if (while_doing != NULL)
		snprintf(waiting, sizeof(waiting), " while waiting for %s", while_doing);
	if (rc == MP_EEOF && conn->tls != NULL && mp_tls_is_open(conn->tls) && !mp_tls_is_ended(conn->tls))
		mp_conn_fail(conn, MP_CLOSE_LOST, "the connection was cut: it ended without TLS's close_notify%s%s",
		             waiting, what);
	else if (rc == MP_EEOF)
		mp_conn_fail(conn, MP_CLOSE_PEER, "the node closed the connection%s%s", waiting, what);
	else
		mp_conn_fail(conn, MP_CLOSE_LOST, "%s%s%s", mp_err_text(rc), waiting, what);
}

// A write was refused. What the node sent before is still read, and on_end follows; the timer is for a loop
// that does not say so. Nothing ends in here: other connections may not know yet what has left of theirs.
static void write_refused(struct mp_conn *conn)
{
	int rc = mp_timer_start_ms(&conn->timer, LAST_WORDS_MS);
	mp_assert(rc == 0); // it is reserved
}

static void flush(struct mp_conn *conn)
{
	if (conn->out.failed)
		return;
	if (mp_output_flush(&conn->out, conn->sock) != 0)
		write_refused(conn);
}

static void on_flush_task(void *data)
{
	struct mp_conn *conn = data;
	if (!mp_sock_gather(conn->sock))
		flush(conn);
}

static void on_gather(void *data, struct mp_span *span)
{
	struct mp_conn *conn = data;
	if (!conn->out.failed && mp_output_offer(&conn->out, span) != 0)
		write_refused(conn);
}

static void on_gathered(void *data, ptrdiff_t took)
{
	struct mp_conn *conn = data;
	if (mp_output_took(&conn->out, took) != 0)
		write_refused(conn);
}

static void on_writable(void *data)
{
	struct mp_conn *conn = data;
	conn->out.blocked = false;
	flush(conn);
	if (conn->state == MP_CONN_READY)
		mp_conn_check_room(conn);
}

void mp_conn_queued(struct mp_conn *conn)
{
	if (MP_UNLIKELY(mp_output_is_due(&conn->out)))
		flush(conn);
	else if (!conn->out.blocked)
		mp_task_post(conn->loop, &conn->flush_task, MP_PHASE_FLUSH);
}

static void on_room_task(void *data)
{
	struct mp_conn *conn = data;
	if (conn->state != MP_CONN_READY || conn->events->on_writable == NULL)
		return;
	conn->events->on_writable(conn->owner, conn);
}

static void on_timer(void *data)
{
	struct mp_conn *conn = data;
	if (conn->out.failed)
		mp_conn_fail(conn, MP_CLOSE_LOST, "the connection was lost while writing");
	else if (conn->state == MP_CONN_OPENING)
		mp_conn_fail(conn, MP_CLOSE_HANDSHAKE_TIMEOUT, "no handshake within %u ms: it waits for %s",
		             conn->settings.connect_timeout_ms, mp_handshake_step_name(conn->handshake.step));
	else
		mp_conn_heartbeat_tick(conn);
}

// ---- opening ----------------------------------------------------------------------------------------------

static const struct mp_sock_events sock_events = {
	.on_connect = on_connect,
	.on_read = on_read,
	.on_end = on_end,
	.on_writable = on_writable,
	.on_gather = on_gather,
	.on_gathered = on_gathered,
};

static void free_conn(struct mp_conn *conn)
{
	mp_output_deinit(&conn->out);
	mp_tls_free(conn->tls);
	mp_decoder_deinit(&conn->dec);
	mp_streams_deinit(&conn->streams);
	mp_free((void *)(uintptr_t)conn->settings.keyspace);
	mp_free((void *)(uintptr_t)conn->settings.cluster_name);
	mp_free(conn);
}

static int copy_settings(struct mp_conn *conn, const struct mp_conn_settings *settings)
{
	conn->settings = *settings;
	conn->settings.keyspace = settings->keyspace != NULL ? mp_strdup(settings->keyspace) : NULL;
	conn->settings.cluster_name = settings->cluster_name != NULL ? mp_strdup(settings->cluster_name) : NULL;
	bool lacks = (settings->keyspace != NULL && conn->settings.keyspace == NULL) ||
	             (settings->cluster_name != NULL && conn->settings.cluster_name == NULL);
	return lacks ? MP_ENOMEM : 0;
}

static void number(struct mp_conn *conn)
{
	if (conn->settings.last_id != NULL)
		conn->id = ++*conn->settings.last_id;
	else
		conn->id = mp_rand_u64(mp_loop_rand(conn->loop)) >> 32;
}

static int start(struct mp_conn *conn)
{
	uint32_t max = conn->settings.max_streams;
	mp_assert(max >= 1 && max <= MP_STREAMS_MAX);
	mp_assert(conn->settings.version >= MP_PROTOCOL_MIN && conn->settings.version <= MP_PROTOCOL_MAX);
	conn->call_limit = max;
	int rc = mp_streams_init(&conn->streams, max < MP_STREAMS_MAX ? max + 1 : max);
	if (rc != 0)
		return rc;
	if (conn->settings.tls != NULL) {
		const char *name = conn->settings.tls_name;
		if (name == NULL && conn->settings.name_of != NULL)
			name = conn->settings.name_of(conn->settings.name_data, &conn->addr);
		conn->tls = mp_tls_new(conn->settings.tls, name, &conn->addr, &conn->host_id);
		if (conn->tls == NULL)
			return MP_ENOMEM;
		mp_output_use_tls(&conn->out, conn->tls);
		if (!mp_tls_context_verifies(conn->settings.tls))
			mp_conn_log(conn, MP_LOG_WARN, "tls.verify is false: whoever answers there is believed");
	}
	rc = mp_timer_reserve(&conn->timer);
	if (rc == 0)
		rc = mp_timer_start_ms(&conn->timer, conn->settings.connect_timeout_ms);
	if (rc != 0)
		return rc;
	conn->sock = mp_loop_connect(conn->loop, &conn->addr, &conn->settings.tcp, &sock_events, conn, &rc);
	return conn->sock != NULL ? 0 : rc;
}

struct mp_conn *mp_conn_open(struct mp_loop *loop, const struct mp_conn_settings *settings,
                             const struct mp_addr *addr, const struct mp_uuid *host_id, bool register_events,
                             const struct mp_conn_events *events, void *owner, int *err)
{
	struct mp_conn *conn = mp_calloc(1, sizeof(*conn));
	if (conn == NULL) {
		*err = MP_ENOMEM;
		return NULL;
	}
	conn->loop = loop;
	conn->events = events;
	conn->owner = owner;
	conn->addr = *addr;
	if (host_id != NULL)
		conn->host_id = *host_id;
	conn->handshake.wants_events = register_events;
	conn->end.server_code = -1;
	conn->created_ns = mp_loop_now_ns(loop);
	conn->open_clock_ns = mp_loop_clock_ns(loop);
	mp_output_init(&conn->out);
	mp_decoder_init(&conn->dec, true, MP_BODY_MAX_PREAUTH);
	mp_task_init(&conn->flush_task, on_flush_task, conn);
	mp_task_init(&conn->room_task, on_room_task, conn);
	mp_task_init(&conn->close_task, mp_conn_on_close_task, conn);
	mp_timer_init(&conn->timer, loop, on_timer, conn);
	int rc = copy_settings(conn, settings);
	if (rc == 0)
		rc = start(conn);
	if (rc != 0) {
		mp_timer_release(&conn->timer);
		free_conn(conn);
		*err = rc;
		return NULL;
	}
	number(conn);
	return conn;
}

void mp_conn_became_ready(struct mp_conn *conn)
{
	conn->dec.max_body = conn->settings.max_body_bytes;
	mp_output_set_secret(&conn->out, false);
	conn->open_us = (uint32_t)((mp_loop_clock_ns(conn->loop) - conn->open_clock_ns) / 1000);
	mp_conn_set_state(conn, MP_CONN_READY);
	mp_conn_heartbeat_start(conn);
	if (conn->state == MP_CONN_READY)
		conn->events->on_ready(conn->owner, conn);
}

void mp_conn_free(struct mp_conn *conn)
{
	mp_assert(conn->state == MP_CONN_CLOSED && conn->end_told);
	free_conn(conn);
}

// ---- questions --------------------------------------------------------------------------------------------

enum mp_conn_state mp_conn_state(const struct mp_conn *conn)
{
	return conn->state;
}

uint64_t mp_conn_id(const struct mp_conn *conn)
{
	return conn->id;
}

const struct mp_addr *mp_conn_addr(const struct mp_conn *conn)
{
	return &conn->addr;
}

uint8_t mp_conn_version(const struct mp_conn *conn)
{
	return conn->settings.version;
}

uint64_t mp_conn_created_ms(const struct mp_conn *conn)
{
	return conn->created_ns / 1000000;
}

uint64_t mp_conn_last_used_ms(const struct mp_conn *conn)
{
	return conn->used_ns / 1000000;
}

uint32_t mp_conn_open_us(const struct mp_conn *conn)
{
	return conn->open_us;
}
