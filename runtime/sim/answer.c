// SPDX-License-Identifier: Apache-2.0
// Answers on their way out. The plain one is encoded straight into the connection's buffer; one that a rule spoils,
// or that carries a trace id or warnings, takes the way round by `scratch` (the envelope) and `wire` (its bytes).
#include "sim/world.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "sim/damage.h"
#include "wire/segment.h"

struct held { // an answer that leaves later
	struct mp_list_node node;
	struct mp_sim_link *conn;
	struct mp_timer timer;
	int16_t stream;
	bool close;
	struct mp_buf bytes;
};

static bool segmented(const struct mp_sim_link *conn)
{
	return conn->decoder.segmented;
}

static void open_segment(struct mp_sim_link *conn)
{
	if (!segmented(conn) || conn->segment_open)
		return;
	conn->segment = mp_segment_begin(&conn->out);
	conn->segment_open = true;
}

// Up to v4 every body is compressed, as Cassandra does it, also where that makes it larger.
static void compress_body(const struct mp_sim_link *conn, struct mp_buf *buf, size_t at)
{
	size_t body = at + MP_ENVELOPE_HEADER;
	if (segmented(conn) || conn->decoder.compression == MP_COMPRESSION_NONE || buf->failed || buf->len < body)
		return;
	struct mp_buf packed;
	mp_buf_init(&packed);
	bool fails = mp_compress_body(conn->decoder.compression, buf->data + body, buf->len - body, &packed) != 0;
	buf->len = body;
	buf->data[at + 1] |= MP_FLAG_COMPRESSED;
	mp_buf_bytes(buf, packed.data, packed.len);
	buf->failed = buf->failed || fails;
	mp_envelope_end(buf, at);
	mp_buf_deinit(&packed);
}

// An envelope was appended to the open segment at `at`. If both do not fit, it moves into a segment of its own.
static void close_envelope(struct mp_sim_link *conn, size_t at)
{
	compress_body(conn, &conn->out, at);
	if (!conn->segment_open || conn->out.failed)
		return;
	size_t payload = conn->segment + MP_SEGMENT_HEADER, len = conn->out.len - at;
	if (conn->out.len - payload <= MP_SEGMENT_PAYLOAD_MAX)
		return;
	if (at > payload) {
		mp_buf_clear(&conn->wire);
		mp_buf_bytes(&conn->wire, conn->out.data + at, len);
		conn->out.len = at;
		mp_sim_link_seal(conn);
		open_segment(conn);
		mp_buf_bytes(&conn->out, conn->wire.data, len);
		conn->out.failed = conn->out.failed || conn->wire.failed;
	}
	if (len > MP_SEGMENT_PAYLOAD_MAX)
		mp_sim_link_seal(conn);
}

void mp_sim_link_send(struct mp_sim_link *conn, const void *envelope, size_t len)
{
	if (conn->dead || conn->closing)
		return;
	open_segment(conn);
	size_t at = conn->out.len;
	mp_buf_bytes(&conn->out, envelope, len);
	close_envelope(conn, at);
	mp_sim_link_post(conn);
}

struct mp_buf *mp_sim_answer_begin(struct mp_sim_request *req)
{
	struct mp_sim_link *conn = req->conn;
	req->direct = req->rule == NULL && !req->tracing && req->body.payload.len == 0;
	if (!req->direct) {
		mp_buf_clear(&conn->scratch);
		return &conn->scratch;
	}
	open_segment(conn);
	req->answer_at = conn->out.len;
	return &conn->out;
}

// ---- trace id, warnings, payload: between the header and the body -----------------------------------------

static void put_string(struct mp_buf *buf, const char *text, size_t len)
{
	mp_buf_u16(buf, (uint16_t)len);
	mp_buf_bytes(buf, text, len);
}

static void decorate(struct mp_sim_request *req)
{
	struct mp_buf *answer = &req->conn->scratch, prefix;
	const struct mp_sim_rule_spec *spec =
		req->rule != NULL && req->rule->spec.action == MP_SIM_WARN ? &req->rule->spec : NULL;
	uint8_t flags = 0;
	mp_buf_init(&prefix);
	if (req->tracing) {
		flags |= MP_FLAG_TRACING;
		mp_buf_bytes(&prefix, req->trace_id.bytes, sizeof(req->trace_id.bytes));
	}
	if (spec != NULL && req->envelope.version >= 4) {
		flags |= MP_FLAG_WARNING;
		mp_buf_u16(&prefix, 1);
		put_string(&prefix, spec->raw.data, spec->raw.len);
		if (spec->at != 0) {
			flags |= MP_FLAG_CUSTOM_PAYLOAD;
			mp_buf_u16(&prefix, 1);
			put_string(&prefix, "moonpool", 8);
			mp_buf_u32(&prefix, 2);
			mp_buf_bytes(&prefix, "ok", 2);
		}
	}
	// As Cassandra's CustomPayloadMirroringQueryHandler does.
	if (req->body.payload.len > 0 && (flags & MP_FLAG_CUSTOM_PAYLOAD) == 0) {
		flags |= MP_FLAG_CUSTOM_PAYLOAD;
		mp_buf_bytes(&prefix, req->body.payload.data, req->body.payload.len);
	}
	if (prefix.len > 0 && answer->len >= MP_ENVELOPE_HEADER && !prefix.failed)
		mp_envelope_prepend(answer, 0, flags, (struct mp_str){(const char *)prefix.data, prefix.len});
	mp_buf_deinit(&prefix);
}

// ---- what rules do ----------------------------------------------------------------------------------------

static void held_free(struct held *held)
{
	mp_timer_stop(&held->timer);
	mp_list_remove(&held->conn->held, &held->node);
	mp_buf_deinit(&held->bytes);
	mp_free(held);
}

void mp_sim_held_free_all(struct mp_sim_link *conn)
{
	struct mp_list_node *node;
	while ((node = mp_list_first(&conn->held)) != NULL)
		held_free(MP_CONTAINER_OF(node, struct held, node));
}

// Bytes that are whole on the wire already.
static void send_raw(struct mp_sim_link *conn, const struct mp_buf *bytes, bool close)
{
	if (bytes->failed) {
		mp_sim_link_close(conn, true);
		return;
	}
	if (conn->closing)
		return;
	mp_sim_link_seal(conn);
	mp_buf_bytes(&conn->out, bytes->data, bytes->len);
	mp_sim_link_post(conn);
	if (close)
		mp_sim_link_close_later(conn, false);
}

static void held_fire(void *data)
{
	struct held *held = data;
	struct mp_sim_link *conn = held->conn;
	struct mp_buf bytes = held->bytes;
	bool close = held->close;
	mp_buf_init(&held->bytes);
	mp_sim_has_paid(conn, held->stream);
	held_free(held);
	send_raw(conn, &bytes, close);
	mp_buf_deinit(&bytes);
}

// `wire`, later.
static void hold(const struct mp_sim_request *req, uint32_t delay_ms, bool close)
{
	struct mp_sim_link *conn = req->conn;
	struct held *held = mp_calloc(1, sizeof(*held));
	if (held == NULL) {
		mp_sim_link_close(conn, true);
		return;
	}
	held->conn = conn;
	held->stream = req->envelope.stream;
	held->close = close;
	mp_buf_init(&held->bytes);
	mp_buf_bytes(&held->bytes, conn->wire.data, conn->wire.len);
	mp_list_node_init(&held->node);
	mp_list_push_back(&conn->held, &held->node);
	mp_timer_init(&held->timer, conn->owner->cluster->loop, held_fire, held);
	if (held->bytes.failed || mp_timer_start_ms(&held->timer, delay_ms) < 0)
		mp_sim_link_close(conn, true);
}

// The envelope in `scratch` as wire bytes in `wire`.
static void wrap(struct mp_sim_link *conn)
{
	mp_buf_clear(&conn->wire);
	if (segmented(conn) && conn->decoder.compression != MP_COMPRESSION_NONE) {
		if (mp_segment_append_lz4(&conn->wire, conn->scratch.data, conn->scratch.len) != 0)
			conn->wire.failed = true;
		return;
	}
	size_t begin = segmented(conn) ? mp_segment_begin(&conn->wire) : 0;
	mp_buf_bytes(&conn->wire, conn->scratch.data, conn->scratch.len);
	compress_body(conn, &conn->wire, 0);
	if (segmented(conn))
		mp_segment_end(&conn->wire, begin);
}

static void spoil(struct mp_sim_request *req)
{
	struct mp_sim_link *conn = req->conn;
	const struct mp_sim_rule_spec *spec = &req->rule->spec;
	bool close = false;
	if (spec->action == MP_SIM_DROP)
		return;
	if (spec->action == MP_SIM_CLOSE || spec->action == MP_SIM_RESET) {
		mp_sim_link_close_later(conn, spec->action == MP_SIM_RESET);
		return;
	}
	if (spec->action == MP_SIM_ERROR && spec->apply) {
		struct mp_sim_error err = spec->error;
		mp_buf_clear(&conn->scratch);
		mp_encode_error(&conn->scratch, req->envelope.version, req->envelope.stream, mp_sim_error_body(&err));
	}
	if (spec->action == MP_SIM_DAMAGE)
		mp_sim_damage(&conn->scratch, req->envelope.version, spec->at + req->rule->hits * 1000003, spec->raw);
	if (spec->action == MP_SIM_STREAM && conn->scratch.len >= MP_ENVELOPE_HEADER) {
		conn->scratch.data[2] = (uint8_t)((uint16_t)spec->stream >> 8);
		conn->scratch.data[3] = (uint8_t)spec->stream;
	}
	wrap(conn);
	if (spec->action == MP_SIM_RAW) {
		mp_buf_clear(&conn->wire);
		mp_buf_bytes(&conn->wire, spec->raw.data, spec->raw.len);
	} else if (spec->action == MP_SIM_CUT) {
		conn->wire.len = spec->at < conn->wire.len ? (size_t)spec->at : conn->wire.len;
		close = true;
	} else if (spec->action == MP_SIM_CORRUPT && spec->at < conn->wire.len) {
		conn->wire.data[spec->at] ^= 0xff;
	} else if (spec->action == MP_SIM_DUPLICATE) {
		size_t len = conn->wire.len;
		if (mp_buf_reserve(&conn->wire, len) != NULL)
			mp_buf_bytes(&conn->wire, conn->wire.data, len);
	}
	if (spec->delay_ms > 0 && spec->action != MP_SIM_DELAY) {
		hold(req, spec->delay_ms, close);
		return;
	}
	if (spec->action == MP_SIM_RAW)
		mp_buf_clear(&conn->owed); // who knows what these bytes answer
	else if (spec->action != MP_SIM_STREAM)
		mp_sim_has_paid(conn, req->envelope.stream);
	send_raw(conn, &conn->wire, close);
}

void mp_sim_answer_end(struct mp_sim_request *req)
{
	struct mp_sim_link *conn = req->conn;
	mp_assert(!req->answered);
	req->answered = true;
	conn->owner->answers++;
	if (req->rule == NULL)
		mp_sim_has_paid(conn, req->envelope.stream);
	if (req->direct) {
		close_envelope(conn, req->answer_at);
		mp_sim_link_post(conn);
		return;
	}
	decorate(req);
	if (conn->scratch.failed)
		mp_sim_link_close(conn, true);
	else if (req->rule != NULL)
		spoil(req);
	else
		mp_sim_link_send(conn, conn->scratch.data, conn->scratch.len);
}

void mp_sim_answer_error(struct mp_sim_request *req)
{
	struct mp_buf *buf = mp_sim_answer_begin(req);
	mp_encode_error(buf, req->envelope.version, req->envelope.stream, mp_sim_error_body(&req->err));
	mp_sim_answer_end(req);
}

void mp_sim_answer_void(struct mp_sim_request *req)
{
	struct mp_buf *buf = mp_sim_answer_begin(req);
	mp_encode_result_void(buf, req->envelope.version, req->envelope.stream);
	mp_sim_answer_end(req);
}

int mp_sim_answer_list(struct mp_sim_request *req, const char *keyspace, const char *table,
                       const struct mp_sim_listed *columns, uint32_t column_count, const struct mp_buf *rows,
                       uint32_t row_count)
{
	struct mp_metadata *metadata = rows->failed ? NULL : mp_metadata_new(column_count);
	if (metadata == NULL)
		return mp_sim_fail_nomem(&req->err);
	for (uint32_t i = 0; i < column_count; i++)
		metadata->columns[i] = (struct mp_column){.keyspace = mp_str_of(keyspace),
		                                          .table = mp_str_of(table),
		                                          .name = mp_str_of(columns[i].name),
		                                          .type = (struct mp_type *)(uintptr_t)columns[i].type};
	struct mp_rows_head head = {.metadata = metadata};
	struct mp_buf *buf = mp_sim_answer_begin(req);
	struct mp_rows_mark mark = mp_encode_rows_begin(buf, req->envelope.version, req->envelope.stream, &head);
	mp_buf_bytes(buf, rows->data, rows->len);
	mp_encode_rows_end(buf, mark, row_count);
	mp_sim_answer_end(req);
	mp_metadata_unref(metadata);
	return 0;
}
