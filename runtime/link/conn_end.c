// SPDX-License-Identifier: Apache-2.0
// The states of a connection and their one writer, and how it ends: with a reason, a sentence, and an answer to
// each call that waits, told from a task of its own.
//
// Invariant: once CLOSED, close_task is posted or has run, and nothing but it calls the owner. So whoever closes
// a connection, from whatever callback, finds it and its calls untouched until that callback has returned.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "link/conn_internal.h"
#include "link/handshake_internal.h"

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
	case MP_CLOSE_TLS: return MP_ECONNECT;
	case MP_CLOSE_VERSION: return MP_EUNSUPPORTED;
	case MP_CLOSE_AUTH: return MP_EAUTH;
	case MP_CLOSE_HANDSHAKE:
	case MP_CLOSE_KEYSPACE: return MP_ESERVER;
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
	const struct mp_log *log = conn->settings.log != NULL ? conn->settings.log : mp_loop_log(conn->loop);
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

static const struct mp_log *log_of(const struct mp_conn *conn)
{
	return conn->settings.log != NULL ? conn->settings.log : mp_loop_log(conn->loop);
}

static void log_ready(const struct mp_conn *conn)
{
	const struct mp_log *log = log_of(conn);
	if (!mp_log_wants(log, MP_LOG_DEBUG, MP_LOG_CONNECTIONS))
		return;
	char addr[MP_ADDR_TEXT];
	mp_addr_format(&conn->addr, addr);
	const struct mp_log_field fields[] = {
		{.name = "host", .text = addr},
		{.name = "connection", .number = (double)conn->id},
		{.name = "ms", .number = (double)conn->open_us / 1000},
		{.name = "protocol", .number = conn->settings.version},
	};
	bool asked = (log->wanted & MP_LOG_CONNECTIONS) != 0;
	mp_log_fact(log, asked ? MP_LOG_INFO : MP_LOG_DEBUG, "connectionOpened", fields, MP_ARRAY_LEN(fields),
	            "%s#%llu: open after %.1f ms, protocol v%u", addr, (unsigned long long)conn->id,
	            (double)conn->open_us / 1000, conn->settings.version);
}

// ---- state ------------------------------------------------------------------------------------------------

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
	conn->state = state;
	if (state == MP_CONN_READY)
		log_ready(conn);
	else if (state == MP_CONN_DRAINING)
		mp_conn_log(conn, MP_LOG_DEBUG, "draining: %s", mp_close_reason_text(conn->drain_reason));
}

// ---- the end ----------------------------------------------------------------------------------------------

static void log_end(struct mp_conn *conn)
{
	const struct mp_conn_end *end = &conn->end;
	bool asked =
		end->reason == MP_CLOSE_ASKED || end->reason == MP_CLOSE_IDLE || end->reason == MP_CLOSE_DRAINED;
	// A host that is down fails again and again: its owner says so once, the single tries are for debugging.
	enum mp_log_level level = !end->was_ready ? MP_LOG_DEBUG : asked ? MP_LOG_INFO : MP_LOG_WARN;
	const struct mp_log *log = log_of(conn);
	if (!mp_log_wants(log, level, MP_LOG_CONNECTIONS))
		return;
	const char *reason = mp_close_reason_text(end->reason);
	bool more = strcmp(end->message, reason) != 0;
	char addr[MP_ADDR_TEXT];
	mp_addr_format(&conn->addr, addr);
	const struct mp_log_field fields[] = {
		{.name = "host", .text = addr},
		{.name = "connection", .number = (double)conn->id},
		{.name = "reason", .text = reason},
		{.name = "why", .text = more ? end->message : ""},
		{.name = "inFlight", .number = mp_conn_in_flight(conn)},
		{.name = "ageMs", .number = (double)((mp_loop_now_ns(conn->loop) - conn->created_ns) / 1000000)},
	};
	mp_log_fact(log, level, end->was_ready ? "connectionClosed" : "connectFailed", fields,
	            MP_ARRAY_LEN(fields), "%s#%llu: %s%s%s (%u in flight)", addr, (unsigned long long)conn->id,
	            reason, more ? ": " : "", more ? end->message : "", mp_conn_in_flight(conn));
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
	mp_timer_release(&conn->timer);
	mp_login_end(conn);
	mp_task_cancel(conn->loop, &conn->flush_task);
	mp_task_cancel(conn->loop, &conn->room_task);
	// The last record says that all was said. Best effort: the socket is closed either way.
	if (conn->tls != NULL && !conn->out.failed && !wants_reset(reason))
		mp_output_end_tls(&conn->out, conn->sock);
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

void mp_conn_on_close_task(void *data)
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
