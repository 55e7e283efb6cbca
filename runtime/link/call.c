// SPDX-License-Identifier: Apache-2.0
// Requests and answers of one connection. A request is encoded where it will be sent from and waits under a
// stream id; an answer finds it by that id and is handed over where it was read. Neither allocates.
//
// Invariant: call->conn is set exactly while the call stands in the table of streams.
#include <string.h>

#include "link/conn_internal.h"
#include "wire/message.h"

// ---- requests ---------------------------------------------------------------------------------------------

// The position of the end of an envelope within a segment is known; that of the segment's end is not yet. The
// output counts an envelope as taken only with its segment, so the former is enough.
int mp_conn_submit(struct mp_conn *conn, struct mp_call *call, uint32_t limit,
                   int (*encode)(void *arg, struct mp_buf *out, uint8_t version, int16_t stream), void *arg)
{
	mp_assert(call->conn == NULL);
	struct mp_output *out = &conn->out;
	if (MP_UNLIKELY(conn->streams.in_use >= limit))
		return MP_EBUSY;
	int stream = mp_streams_take(&conn->streams, call);
	if (MP_UNLIKELY(stream < 0))
		return stream;
	size_t start = mp_output_begin(out);
	int rc = encode(arg, &out->buf, conn->settings.version, (int16_t)stream);
	if (MP_LIKELY(rc == 0)) {
		if (MP_LIKELY(!out->buf.failed))
			call->opcode = out->buf.data[start + 4];
		rc = mp_output_commit(out, start, &call->start_pos, &call->end_pos);
	} else {
		mp_output_cancel(out, start);
	}
	if (MP_UNLIKELY(rc != 0)) {
		struct mp_call *same;
		int taken = mp_streams_answer(&conn->streams, (int16_t)stream, &same);
		mp_assert(taken == 1 && same == call);
		return rc;
	}
	call->conn = conn;
	call->stream = (int16_t)stream;
	call->sent = MP_SENT_NOTHING;
	mp_conn_queued(conn);
	return 0;
}

static bool below_watermark(const struct mp_conn *conn)
{
	return mp_output_waiting(&conn->out) < conn->settings.write_high_bytes;
}

static bool heartbeat_waits(const struct mp_conn *conn)
{
	return conn->heartbeat.conn != NULL;
}

// The heartbeat's id comes on top of the calls' where the protocol leaves one.
static uint32_t call_limit(const struct mp_conn *conn)
{
	uint32_t limit = conn->call_limit + (heartbeat_waits(conn) ? 1u : 0u);
	return limit < conn->streams.limit ? limit : conn->streams.limit;
}

int mp_conn_call(struct mp_conn *conn, struct mp_call *call,
                 int (*encode)(void *arg, struct mp_buf *out, uint8_t version, int16_t stream), void *arg)
{
	if (MP_UNLIKELY(conn->state != MP_CONN_READY || conn->out.failed))
		return MP_ECLOSED;
	uint32_t limit = call_limit(conn);
	int rc = MP_EBUSY;
	if (MP_LIKELY(below_watermark(conn)))
		rc = mp_conn_submit(conn, call, limit, encode, arg);
	if (MP_UNLIKELY(conn->streams.in_use >= limit || !below_watermark(conn)))
		conn->was_full = true;
	if (MP_LIKELY(rc == 0))
		conn->used_ns = mp_loop_now_ns(conn->loop);
	return rc;
}

enum mp_sent mp_call_sent(const struct mp_call *call)
{
	const struct mp_conn *conn = call->conn;
	if (conn == NULL)
		return call->sent;
	if (mp_output_took_all(&conn->out, call->end_pos))
		return MP_SENT_WHOLE;
	return mp_output_took_any(&conn->out, call->start_pos) ? MP_SENT_PART : MP_SENT_NOTHING;
}

bool mp_call_is_arriving(const struct mp_call *call, uint64_t since_ns)
{
	const struct mp_conn *conn = call->conn;
	if (conn == NULL)
		return false;
	struct mp_decoder_pending pending = mp_decoder_pending(&conn->dec);
	uint64_t ms = (mp_loop_now_ns(conn->loop) - since_ns) / 1000000;
	return pending.known && pending.stream == call->stream && pending.bytes >= ms * MP_LEAST_BYTES_PER_MS;
}

static void detach(struct mp_call *call)
{
	call->sent = mp_call_sent(call);
	call->conn = NULL;
}

void mp_call_abandon(struct mp_call *call)
{
	struct mp_conn *conn = call->conn;
	if (conn == NULL)
		return;
	detach(call);
	mp_streams_orphan(&conn->streams, call->stream);
	if (conn->state == MP_CONN_READY && conn->streams.orphans > conn->settings.max_orphans) {
		mp_conn_log(conn, MP_LOG_WARN, "%u requests were never answered: replaced", conn->streams.orphans);
		mp_conn_drain(conn, MP_CLOSE_ORPHANS);
	} else {
		mp_conn_check_drained(conn);
	}
}

// ---- answers ----------------------------------------------------------------------------------------------

static bool answers(uint8_t request, uint8_t response)
{
	switch (request) {
	case MP_OP_OPTIONS: return response == MP_OP_SUPPORTED;
	case MP_OP_REGISTER: return response == MP_OP_READY;
	default: return response == MP_OP_RESULT;
	}
}

// Stream -1 is the server's own: events, and an error that belongs to no request.
static int server_stream(struct mp_conn *conn, const struct mp_envelope *envelope)
{
	if (envelope->opcode != MP_OP_ERROR) {
		mp_conn_fail(conn, MP_CLOSE_PROTOCOL, "%s on stream %d", mp_opcode_name(envelope->opcode),
		             envelope->stream);
		return MP_EPROTO;
	}
	struct mp_response_prefix prefix;
	struct mp_error_body error;
	if (mp_decode_prefix(envelope, &prefix) != 0 ||
	    mp_decode_error(prefix.body, envelope->version, &error) != 0) {
		mp_conn_fail(conn, MP_CLOSE_PROTOCOL, "an unreadable ERROR on stream %d", envelope->stream);
		return MP_EPROTO;
	}
	conn->end.server_code = error.code;
	mp_conn_fail(conn, MP_CLOSE_PROTOCOL, "%s: %.*s", mp_server_error_name(error.code),
	             (int)(error.message.len < 120 ? error.message.len : 120), error.message.data);
	return MP_EPROTO;
}

static int event(struct mp_conn *conn, const struct mp_envelope *envelope)
{
	bool wanted = conn->handshake.wants_events && envelope->stream == -1 && conn->state == MP_CONN_READY;
	if (!wanted || conn->events->on_event == NULL) {
		conn->events_ignored++;
		return 0;
	}
	conn->events->on_event(conn->owner, conn, envelope);
	return conn->state == MP_CONN_CLOSED ? MP_ECLOSED : 0;
}

static int wrong_kind(struct mp_conn *conn, const struct mp_call *call, const struct mp_envelope *envelope)
{
	mp_conn_fail(conn, MP_CLOSE_PROTOCOL, "%s as the answer to %s", mp_opcode_name(envelope->opcode),
	             mp_opcode_name(call->opcode));
	return MP_EPROTO;
}

static int unknown_stream(struct mp_conn *conn, const struct mp_envelope *envelope)
{
	mp_conn_fail(conn, MP_CLOSE_PROTOCOL, "%s for stream %d, which waits for nothing",
	             mp_opcode_name(envelope->opcode), envelope->stream);
	return MP_EPROTO;
}

int mp_conn_answer(struct mp_conn *conn, const struct mp_envelope *envelope)
{
	if (MP_UNLIKELY(envelope->opcode == MP_OP_EVENT))
		return event(conn, envelope);
	int16_t id = envelope->stream;
	if (MP_UNLIKELY(id < 0))
		return server_stream(conn, envelope);
	struct mp_call *waiting = (uint32_t)id < conn->streams.capacity ? conn->streams.calls[id] : NULL;
	if (waiting != NULL &&
	    MP_UNLIKELY(envelope->opcode != MP_OP_ERROR && !answers(waiting->opcode, envelope->opcode)))
		return wrong_kind(conn, waiting, envelope); // it is still in the table, and ends with the others
	struct mp_call *call;
	int rc = mp_streams_answer(&conn->streams, id, &call);
	if (MP_UNLIKELY(rc < 0))
		return unknown_stream(conn, envelope);
	conn->answered = true;
	conn->probing = false;
	if (call != NULL) {
		detach(call);
		call->on_answer(call, 0, envelope);
	} else if (conn->settings.late_answers != NULL) {
		++*conn->settings.late_answers;
	}
	return MP_LIKELY(conn->state != MP_CONN_CLOSED) ? 0 : MP_ECLOSED;
}

// A callback may abandon calls that are still to come: each is looked up anew.
void mp_conn_answer_all(struct mp_conn *conn)
{
	for (uint32_t id = 0; id < conn->streams.capacity && conn->streams.in_use > 0; id++) {
		if (conn->streams.calls[id] == NULL)
			continue;
		struct mp_call *call;
		int rc = mp_streams_answer(&conn->streams, (int16_t)id, &call);
		mp_assert(rc == 1);
		detach(call);
		call->on_answer(call, conn->end.err, NULL);
	}
}

// ---- room -------------------------------------------------------------------------------------------------

uint32_t mp_conn_in_flight(const struct mp_conn *conn)
{
	return conn->streams.in_use - (heartbeat_waits(conn) ? 1u : 0u);
}

uint32_t mp_conn_orphans(const struct mp_conn *conn)
{
	return conn->streams.orphans;
}

uint32_t mp_conn_room(const struct mp_conn *conn)
{
	if (conn->state != MP_CONN_READY || conn->out.failed || !below_watermark(conn))
		return 0;
	uint32_t limit = call_limit(conn);
	return conn->streams.in_use < limit ? limit - conn->streams.in_use : 0;
}

// Half of the watermark: whoever waits for room finds enough of it for a batch.
void mp_conn_check_room(struct mp_conn *conn)
{
	if (MP_LIKELY(!conn->was_full) || mp_output_waiting(&conn->out) > conn->settings.write_high_bytes / 2 ||
	    mp_conn_room(conn) == 0)
		return;
	conn->was_full = false;
	mp_task_post(conn->loop, &conn->room_task, MP_PHASE_RUN);
}

// Orphans are nobody's: a connection does not wait for them.
void mp_conn_check_drained(struct mp_conn *conn)
{
	if (conn->state != MP_CONN_DRAINING || mp_conn_in_flight(conn) > conn->streams.orphans)
		return;
	mp_conn_fail(conn, conn->drain_reason, "%s", mp_close_reason_text(conn->drain_reason));
}
