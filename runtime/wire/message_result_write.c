// SPDX-License-Identifier: Apache-2.0
// RESULT as a simulated node writes it.
#include "wire/message.h"
#include "wire/metadata.h"
#include "wire/notation.h"

static size_t begin_result(struct mp_buf *buf, uint8_t version, int16_t stream, enum mp_result_kind kind)
{
	size_t begin = mp_envelope_begin(buf, version, true, 0, stream, MP_OP_RESULT);
	mp_buf_u32(buf, (uint32_t)kind);
	return begin;
}

void mp_encode_result_void(struct mp_buf *buf, uint8_t version, int16_t stream)
{
	mp_envelope_end(buf, begin_result(buf, version, stream, MP_RESULT_VOID));
}

void mp_encode_result_keyspace(struct mp_buf *buf, uint8_t version, int16_t stream, struct mp_str keyspace)
{
	size_t begin = begin_result(buf, version, stream, MP_RESULT_SET_KEYSPACE);
	mp_put_string(buf, keyspace);
	mp_envelope_end(buf, begin);
}

void mp_encode_result_schema(struct mp_buf *buf, uint8_t version, int16_t stream, const char *change,
                             const char *target, struct mp_str keyspace, struct mp_str name)
{
	size_t begin = begin_result(buf, version, stream, MP_RESULT_SCHEMA);
	mp_put_schema_change(buf, change, target, keyspace, name);
	mp_envelope_end(buf, begin);
}

struct mp_rows_mark mp_encode_rows_begin(struct mp_buf *buf, uint8_t version, int16_t stream,
                                         const struct mp_rows_head *head)
{
	struct mp_rows_mark mark;
	mark.envelope = begin_result(buf, version, stream, MP_RESULT_ROWS);
	mp_metadata_write(buf, version, head);
	mark.count = buf->len;
	mp_buf_u32(buf, 0);
	return mark;
}

void mp_encode_rows_end(struct mp_buf *buf, struct mp_rows_mark mark, uint32_t row_count)
{
	mp_buf_patch_u32(buf, mark.count, row_count);
	mp_envelope_end(buf, mark.envelope);
}

void mp_encode_result_prepared(struct mp_buf *buf, uint8_t version, int16_t stream, struct mp_str id,
                               struct mp_str result_metadata_id, const struct mp_metadata *params,
                               const struct mp_metadata *result)
{
	size_t begin = begin_result(buf, version, stream, MP_RESULT_PREPARED);
	mp_put_string(buf, id);
	if (version >= 5)
		mp_put_string(buf, result_metadata_id);
	mp_metadata_write_params(buf, version, params);
	// A statement that yields no rows says so by the flag, as a server does.
	struct mp_rows_head head = {.metadata = result, .skip_metadata = result->column_count == 0};
	mp_metadata_write(buf, version, &head);
	mp_envelope_end(buf, begin);
}
