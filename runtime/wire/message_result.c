// SPDX-License-Identifier: Apache-2.0
// What stands before a response's body, and RESULT, as a client reads them. Rows are not walked here: a row
// is checked when it is read. Without column metadata nothing is allocated.
#include "base/err.h"
#include "wire/message.h"
#include "wire/metadata.h"

#define EMPTY_ROWS_MAX 65536u // rows without columns have no bytes that would bound their number

static void skip_strings(struct mp_cursor *cur, uint32_t count)
{
	for (uint32_t i = 0; i < count && !cur->failed; i++)
		mp_cursor_string(cur);
}

static void read_prefix(struct mp_cursor *cur, const struct mp_envelope *envelope,
                        struct mp_response_prefix *out)
{
	if (envelope->flags & MP_FLAG_TRACING) {
		const uint8_t *id = mp_cursor_take(cur, sizeof(out->trace_id.bytes));
		for (size_t i = 0; id != NULL && i < sizeof(out->trace_id.bytes); i++)
			out->trace_id.bytes[i] = id[i];
		out->has_trace_id = id != NULL;
	}
	if (envelope->version < 4) // warnings and payloads came with v4; before it their bits mean nothing
		return;
	if (envelope->flags & MP_FLAG_WARNING) {
		out->warning_count = mp_cursor_u16(cur);
		out->warnings = *cur;
		skip_strings(cur, out->warning_count);
		out->warnings.end = cur->pos;
	}
	if (envelope->flags & MP_FLAG_CUSTOM_PAYLOAD) {
		out->payload_count = mp_cursor_u16(cur);
		out->payload = *cur;
		for (uint32_t i = 0; i < out->payload_count && !cur->failed; i++) {
			mp_cursor_string(cur);
			mp_cursor_bytes(cur);
		}
		out->payload.end = cur->pos;
	}
}

int mp_decode_prefix(const struct mp_envelope *envelope, struct mp_response_prefix *out)
{
	out->has_trace_id = false;
	out->warning_count = out->payload_count = 0;
	out->body = mp_cursor_on(envelope->body, envelope->body_len);
	if (MP_LIKELY((envelope->flags &
	               (MP_FLAG_COMPRESSED | MP_FLAG_TRACING | MP_FLAG_WARNING | MP_FLAG_CUSTOM_PAYLOAD)) == 0))
		return 0;
	if (envelope->flags & MP_FLAG_COMPRESSED)
		return MP_EPROTO;
	read_prefix(&out->body, envelope, out);
	return mp_cursor_status(&out->body);
}

// ---- RESULT
// -----------------------------------------------------------------------------------------------------------

static int read_rows(struct mp_cursor *cur, uint8_t version, struct mp_metadata *known,
                     struct mp_result_body *out)
{
	struct mp_metadata_head head;
	mp_metadata_read_head(cur, version, &head);
	if (MP_UNLIKELY(cur->failed))
		return MP_EPROTO;
	out->column_count = head.column_count;
	out->has_more_pages = (head.flags & MP_META_MORE_PAGES) != 0;
	out->paging_state = head.paging_state;
	out->new_metadata_id = head.new_id;
	bool has_columns = (head.flags & MP_META_NONE) == 0;
	if (has_columns && mp_metadata_take_known(cur, head.flags, head.column_count, known)) {
		out->metadata = mp_metadata_ref(known);
	} else if (has_columns) {
		int rc = mp_metadata_read_columns(cur, head.flags, head.column_count, &out->metadata);
		if (rc != 0)
			return rc;
	}
	int32_t rows = mp_cursor_i32(cur);
	uint64_t most =
		head.column_count > 0 ? mp_cursor_left(cur) / (4u * (uint64_t)head.column_count) : EMPTY_ROWS_MAX;
	if (rows < 0 || (uint64_t)rows > most)
		mp_cursor_fail(cur, "more rows than its bytes could hold");
	if (cur->failed) {
		mp_metadata_unref(out->metadata);
		out->metadata = NULL;
		return MP_EPROTO;
	}
	out->row_count = (uint32_t)rows;
	out->rows = *cur;
	return 0;
}

// The result part of PREPARED: absent columns are a metadata of none.
static int read_result_metadata(struct mp_cursor *cur, uint8_t version, struct mp_metadata **out)
{
	struct mp_metadata_head head;
	mp_metadata_read_head(cur, version, &head);
	bool none = (head.flags & MP_META_NONE) != 0;
	return mp_metadata_read_columns(cur, none ? 0 : head.flags, none ? 0 : head.column_count, out);
}

static int read_prepared(struct mp_cursor *cur, uint8_t version, struct mp_result_body *out)
{
	out->prepared_id = mp_cursor_string(cur);
	if (version >= 5)
		out->result_metadata_id = mp_cursor_string(cur);
	int rc = mp_metadata_read_params(cur, version, &out->params);
	if (rc != 0)
		return rc;
	rc = read_result_metadata(cur, version, &out->result);
	if (rc != 0) {
		mp_metadata_unref(out->params);
		out->params = NULL;
	}
	return rc;
}

static int read_schema(struct mp_cursor *cur, struct mp_result_body *out)
{
	out->change = mp_cursor_string(cur);
	out->target = mp_cursor_string(cur);
	out->change_keyspace = mp_cursor_string(cur);
	if (!mp_str_is(out->target, "KEYSPACE"))
		out->change_name = mp_cursor_string(cur);
	return mp_cursor_status(cur);
}

int mp_decode_result(struct mp_cursor body, uint8_t version, struct mp_result_body *out)
{
	return mp_decode_result_like(body, version, NULL, out);
}

static int read_kind(struct mp_cursor *body, uint8_t version, struct mp_metadata *known,
                     struct mp_result_body *out)
{
	int32_t kind = mp_cursor_i32(body);
	if (MP_UNLIKELY(body->failed))
		return MP_EPROTO;
	out->kind = (enum mp_result_kind)kind;
	switch (kind) {
	case MP_RESULT_VOID: return 0;
	case MP_RESULT_ROWS: return read_rows(body, version, known, out);
	case MP_RESULT_SET_KEYSPACE: out->keyspace = mp_cursor_string(body); return mp_cursor_status(body);
	case MP_RESULT_PREPARED: return read_prepared(body, version, out);
	case MP_RESULT_SCHEMA: return read_schema(body, out);
	default: mp_cursor_fail(body, "a kind that nobody knows"); return MP_EPROTO;
	}
}

int mp_decode_result_like(struct mp_cursor body, uint8_t version, struct mp_metadata *known,
                          struct mp_result_body *out)
{
	*out = (struct mp_result_body){.metadata = NULL};
	int rc = read_kind(&body, version, known, out);
	if (MP_UNLIKELY(rc == MP_EPROTO))
		out->why = body.why != NULL ? body.why : "less than it says";
	return rc;
}

void mp_result_drop(const struct mp_result_body *result)
{
	mp_metadata_unref(result->metadata);
	if (result->kind == MP_RESULT_PREPARED) {
		mp_metadata_unref(result->params);
		mp_metadata_unref(result->result);
	}
}

int mp_row_read(struct mp_cursor *rows, struct mp_bytes *values, uint32_t column_count)
{
	if (MP_UNLIKELY(rows->failed))
		return MP_EPROTO;
	const uint8_t *pos = rows->pos;
	for (uint32_t i = 0; i < column_count; i++) {
		size_t left = (size_t)(rows->end - pos);
		if (MP_UNLIKELY(left < 4))
			goto out;
		int32_t len =
			(int32_t)((uint32_t)pos[0] << 24 | (uint32_t)pos[1] << 16 | (uint32_t)pos[2] << 8 | pos[3]);
		pos += 4;
		if (len < 0) {
			values[i] = (struct mp_bytes){NULL, -1};
			continue;
		}
		if (MP_UNLIKELY((size_t)len > left - 4))
			goto out;
		values[i] = (struct mp_bytes){pos, len};
		pos += len;
	}
	rows->pos = pos;
	return 0;
out:
	rows->failed = true;
	return MP_EPROTO;
}

int mp_result_applied(const struct mp_result_body *result, const struct mp_metadata *metadata)
{
	if (result->kind != MP_RESULT_ROWS || metadata == NULL || metadata->column_count == 0 ||
	    metadata->columns[0].type->id != MP_TYPE_BOOLEAN ||
	    !mp_str_is(metadata->columns[0].name, "[applied]"))
		return -1;
	struct mp_cursor rows = result->rows;
	struct mp_bytes applied;
	if (result->row_count == 0 || mp_row_read(&rows, &applied, 1) != 0 || applied.len != 1)
		return -1;
	return applied.data[0] != 0;
}
