// SPDX-License-Identifier: Apache-2.0
// The life of a connection: opening, the socket's callbacks, the one writer of its state, and its end.
//
// Invariants: `sock` is open exactly while the state is not CLOSED; once CLOSED, close_task is posted or has
// run, and nothing but it calls the owner. So whoever closes a connection, from whatever callback, finds it
// and its calls untouched until that callback has returned.
#include "link/conn.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "link/conn_internal.h"

#define LAST_WORDS_MS 100u

static const char *const state_names[] = {"opening", "ready", "draining", "closed"};

const char *mp_conn_state_name(enum mp_conn_state state)
{
	return (size_t)state < MP_ARRAY_LEN(state_names) ? state_names[state] : "?";
}

const char *mp_close_reason_text(enum mp_close_reason reason)
{
	static const char *const texts[] = {
#define X(name, text) text,
		MP_CLOSE_REASONS(X)
#undef X
	};
	return (size_t)reason < MP_ARRAY_LEN(texts) ? texts[reason] : "?";
}

// What the calls of a connection get that ends for this reason. Whether they may have been applied is another
// question: mp_call.sent answers it.
static int reason_err(enum mp_close_reason reason)
{
	switch (reason) {
	case MP_CLOSE_ASKED:
	case MP_CLOSE_IDLE:
	case MP_CLOSE_DRAINED: return MP_ECLOSED;
	case MP_CLOSE_CONNECT: return MP_ECONNECT;
	case MP_CLOSE_HANDSHAKE_TIMEOUT: return MP_ETIMEOUT;
	case MP_CLOSE_VERSION: return MP_EUNSUPPORTED;
	case MP_CLOSE_AUTH: return MP_EAUTH;
	case MP_CLOSE_HANDSHAKE: return MP_ESERVER;
	case MP_CLOSE_IDENTITY: return MP_ECLUSTER;
	case MP_CLOSE_PEER:
	case MP_CLOSE_LOST:
	case MP_CLOSE_HEARTBEAT:
	case MP_CLOSE_ORPHANS: return MP_ELOST;
	case MP_CLOSE_PROTOCOL: return MP_EPROTO;
	case MP_CLOSE_LOCAL: return MP_ELOCAL;
	}
	return MP_ELOST;
}

void mp_conn_log(struct mp_conn *conn, enum mp_log_level level, const char *format, ...)
{
	const struct mp_log *log = mp_loop_log(conn->loop);
	if (!mp_log_on(log, level))
		return;
	char text[320], addr[MP_ADDR_TEXT];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	mp_addr_format(&conn->addr, addr);
	mp_log_write(log, level, "%s#%llu: %s", addr, (unsigned long long)conn->id, text);
}

// ---- state
// ----------------------------------------------------------------------------------------------------------

static bool may_follow(enum mp_conn_state from, enum mp_conn_state to)
{
	static const uint8_t allowed[] = {
		[MP_CONN_OPENING] = 1u << MP_CONN_READY | 1u << MP_CONN_CLOSED,
		[MP_CONN_READY] = 1u << MP_CONN_DRAINING | 1u << MP_CONN_CLOSED,
		[MP_CONN_DRAINING] = 1u << MP_CONN_CLOSED,
		[MP_CONN_CLOSED] = 0,
	};
	return (allowed[from] >> to & 1u) != 0;
}

void mp_conn_set_state(struct mp_conn *conn, enum mp_conn_state state)
{
	mp_assert(may_follow(conn->state, state));
	mp_conn_log(conn, MP_LOG_DEBUG, "%s -> %s", mp_conn_state_name(conn->state), mp_conn_state_name(state));
	conn->state = state;
}

// ---- the end
// --------------------------------------------------------------------------------------------------------

static void log_end(struct mp_conn *conn)
{
	const struct mp_conn_end *end = &conn->end;
	bool asked =
		end->reason == MP_CLOSE_ASKED || end->reason == MP_CLOSE_IDLE || end->reason == MP_CLOSE_DRAINED;
	// A host that is down fails again and again: its owner says so once, the single tries are for debugging.
	enum mp_log_level level = !end->was_ready ? MP_LOG_DEBUG : asked ? MP_LOG_INFO : MP_LOG_WARN;
	const char *reason = mp_close_reason_text(end->reason);
	bool more = strcmp(end->message, reason) != 0;
	mp_conn_log(conn, level, "%s%s%s (%u in flight)", reason, more ? ": " : "", more ? end->message : "",
	            mp_conn_in_flight(conn));
}

// A peer that may still be there is told by a reset that nothing of this connection counts any more.
static bool wants_reset(enum mp_close_reason reason)
{
	return reason == MP_CLOSE_HANDSHAKE_TIMEOUT || reason == MP_CLOSE_HEARTBEAT ||
	       reason == MP_CLOSE_PROTOCOL;
}

static void close_now(struct mp_conn *conn, enum mp_close_reason reason)
{
	conn->end.reason = reason;
	conn->end.err = reason_err(reason);
	conn->end.was_ready = conn->state != MP_CONN_OPENING;
	for (char *at = conn->end.message; *at != '\0'; at++) { // may hold a node's text
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = ' ';
	}
	log_end(conn);
	mp_conn_set_state(conn, MP_CONN_CLOSED);
	mp_timer_stop(&conn->timer);
	mp_task_cancel(conn->loop, &conn->flush_task);
	mp_task_cancel(conn->loop, &conn->room_task);
	mp_sock_close(conn->sock, wants_reset(reason));
	conn->sock = NULL;
	mp_task_post(conn->loop, &conn->close_task, MP_PHASE_RUN);
}

void mp_conn_fail(struct mp_conn *conn, enum mp_close_reason reason, const char *format, ...)
{
	if (conn->state == MP_CONN_CLOSED)
		return;
	va_list args;
	va_start(args, format);
	vsnprintf(conn->end.message, sizeof(conn->end.message), format, args);
	va_end(args);
	close_now(conn, reason);
}

void mp_conn_close(struct mp_conn *conn, enum mp_close_reason reason, const char *message)
{
	mp_conn_fail(conn, reason, "%s", message != NULL ? message : mp_close_reason_text(reason));
}

static void on_close_task(void *data)
{
	struct mp_conn *conn = data;
	mp_conn_answer_all(conn);
	conn->end_told = true;
	conn->events->on_closed(conn->owner, conn, &conn->end);
}

void mp_conn_drain(struct mp_conn *conn, enum mp_close_reason reason)
{
	if (conn->state == MP_CONN_OPENING) {
		mp_conn_close(conn, reason, NULL);
	} else if (conn->state == MP_CONN_READY) {
		conn->drain_reason = reason;
		mp_conn_set_state(conn, MP_CONN_DRAINING);
		mp_conn_check_drained(conn);
	}
}

// ---- the socket
// -----------------------------------------------------------------------------------------------------

static void on_connect(void *data, int rc)
{
	struct mp_conn *conn = data;
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

static void on_read(void *data, const uint8_t *bytes, size_t len)
{
	struct mp_conn *conn = data;
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
	if (rc == MP_EEOF)
		mp_conn_fail(conn, MP_CLOSE_PEER, "the node closed the connection%s%s", waiting, what);
	else
		mp_conn_fail(conn, MP_CLOSE_LOST, "%s%s%s", mp_err_text(rc), waiting, what);
}

// A write was refused. What the node sent before is still read, and on_end follows; the timer is for a loop
// that does not say so.
static void write_refused(struct mp_conn *conn)
{
	if (mp_timer_start_ms(&conn->timer, LAST_WORDS_MS) != 0)
		mp_conn_fail(conn, MP_CLOSE_LOST, "the connection was lost while writing");
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
	flush(data);
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
		mp_conn_fail(conn, MP_CLOSE_HANDSHAKE_TIMEOUT, "nothing but silence for %u ms while waiting for %s",
		             conn->settings.connect_timeout_ms, mp_handshake_step_name(conn->handshake.step));
	else
		mp_conn_heartbeat_tick(conn);
}

// ---- opening
// --------------------------------------------------------------------------------------------------------

static const struct mp_sock_events sock_events = {
	.on_connect = on_connect,
	.on_read = on_read,
	.on_end = on_end,
	.on_writable = on_writable,
};

static void free_conn(struct mp_conn *conn)
{
	mp_output_deinit(&conn->out);
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
	mp_task_init(&conn->close_task, on_close_task, conn);
	mp_timer_init(&conn->timer, loop, on_timer, conn);
	int rc = copy_settings(conn, settings);
	if (rc == 0)
		rc = start(conn);
	if (rc != 0) {
		mp_timer_stop(&conn->timer);
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

// ---- questions
// ------------------------------------------------------------------------------------------------------

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
