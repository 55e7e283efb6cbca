// SPDX-License-Identifier: Apache-2.0
// Bodies of all responses. Whatever is accepted must stay inside of its bounds, be read to its last row, and for
// results with metadata survive being written and read once more.
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "fuzz.h"
#include "wire/message.h"
#include "wire/value.h"

static void touch(const void *bytes, size_t len)
{
	volatile uint8_t sum = 0;
	const uint8_t *at = bytes;
	for (size_t i = 0; i < len; i++)
		sum ^= at[i];
	(void)sum;
}

static void touch_str(struct mp_str text)
{
	touch(text.data, text.len);
}

static void check_metadata(const struct mp_metadata *metadata, size_t body_len)
{
	if (metadata == NULL)
		return;
	mp_assert(metadata->column_count <= body_len);
	// The price of a short body is bounded: each of its bytes costs at most so many.
	mp_assert(metadata->arena.total_bytes <= 131072 + 128 * body_len);
	struct mp_buf text;
	mp_buf_init(&text);
	for (uint32_t i = 0; i < metadata->column_count; i++) {
		const struct mp_column *column = &metadata->columns[i];
		touch_str(column->keyspace);
		touch_str(column->table);
		touch_str(column->name);
		mp_type_format(&text, column->type);
		mp_assert(mp_metadata_find(metadata, column->name) >= 0);
	}
	for (uint16_t i = 0; i < metadata->pk_count; i++)
		mp_assert(metadata->pk_indexes[i] < metadata->column_count);
	mp_buf_deinit(&text);
}

static bool same_columns(const struct mp_metadata *a, const struct mp_metadata *b)
{
	if (a->column_count != b->column_count)
		return false;
	for (uint32_t i = 0; i < a->column_count; i++) {
		const struct mp_column *left = &a->columns[i];
		const struct mp_column *right = &b->columns[i];
		if (!mp_str_eq(left->keyspace, right->keyspace) || !mp_str_eq(left->table, right->table) ||
		    !mp_str_eq(left->name, right->name) || !mp_type_eq(left->type, right->type))
			return false;
	}
	return true;
}

static void write_again(const struct mp_metadata *metadata, uint8_t version)
{
	struct mp_buf buf;
	mp_buf_init(&buf);
	const struct mp_rows_head head = {.metadata = metadata};
	struct mp_rows_mark mark = mp_encode_rows_begin(&buf, version, 1, &head);
	mp_encode_rows_end(&buf, mark, 0);
	mp_assert(!buf.failed);
	struct mp_result_body again;
	struct mp_cursor body = mp_cursor_on(buf.data + MP_ENVELOPE_HEADER, buf.len - MP_ENVELOPE_HEADER);
	mp_assert(mp_decode_result(body, version, &again) == 0);
	mp_assert(same_columns(metadata, again.metadata));
	mp_metadata_unref(again.metadata);
	mp_buf_deinit(&buf);
}

static void read_value(struct mp_bytes value)
{
	struct mp_buf text;
	mp_buf_init(&text);
	struct mp_cursor elements;
	uint32_t count;
	int rc = mp_value_varint_text(value, &text);
	rc = mp_value_decimal_text(value, &text);
	int32_t months;
	int32_t days;
	int64_t nanos;
	rc = mp_value_duration(value, &months, &days, &nanos);
	if (mp_value_elements(value, &elements, &count) == 0)
		for (uint32_t i = 0; i < count && !elements.failed; i++)
			mp_cursor_bytes(&elements);
	(void)rc;
	mp_buf_deinit(&text);
}

static void read_rows(struct mp_result_body *result)
{
	size_t columns = result->column_count > 0 ? result->column_count : 1;
	struct mp_bytes *values = mp_alloc(columns * sizeof(*values));
	mp_assert(values != NULL);
	for (uint32_t row = 0; row < result->row_count; row++) {
		if (mp_row_read(&result->rows, values, result->column_count) != 0)
			break;
		for (uint32_t i = 0; i < result->column_count; i++) {
			if (values[i].len > 0)
				touch(values[i].data, (size_t)values[i].len);
			if (row < 2 && i < 4)
				read_value(values[i]);
		}
	}
	mp_free(values);
}

static void check_result(struct mp_cursor body, uint8_t version)
{
	size_t len = mp_cursor_left(&body);
	struct mp_result_body result;
	struct mp_mem_stats before = mp_mem_stats();
	if (mp_decode_result(body, version, &result) != 0) {
		struct mp_mem_stats after = mp_mem_stats();
		mp_assert(after.allocs - before.allocs == after.frees - before.frees);
		return;
	}
	bool prepared = result.kind == MP_RESULT_PREPARED;
	const struct mp_metadata *all[] = {result.metadata, prepared ? result.params : NULL,
	                                   prepared ? result.result : NULL};
	for (size_t i = 0; i < MP_ARRAY_LEN(all); i++) {
		check_metadata(all[i], len);
		if (all[i] != NULL)
			write_again(all[i], version);
	}
	if (result.kind == MP_RESULT_ROWS) {
		if (result.metadata != NULL)
			mp_assert(mp_result_applied(&result, result.metadata) <= 1);
		read_rows(&result);
	}
	mp_result_drop(&result);
}

static void on_supported(void *data, struct mp_str key, struct mp_str value)
{
	(void)data;
	touch_str(key);
	touch_str(value);
}

static void check_body(uint8_t opcode, uint8_t version, struct mp_cursor body)
{
	struct mp_error_body error;
	struct mp_event_body event;
	struct mp_bytes token;
	struct mp_str name;
	switch (opcode) {
	case MP_OP_RESULT: check_result(body, version); break;
	case MP_OP_ERROR:
		if (mp_decode_error(body, version, &error) == 0) {
			touch_str(error.message);
			touch_str(error.keyspace);
			touch_str(error.table);
			touch_str(error.id);
		}
		break;
	case MP_OP_EVENT:
		if (mp_decode_event(body, version, &event) == 0) {
			char text[MP_ADDR_TEXT];
			mp_addr_format(&event.addr, text);
			touch_str(event.name);
		}
		break;
	case MP_OP_SUPPORTED:
		if (mp_decode_supported(body, on_supported, NULL) != 0)
			return;
		break;
	case MP_OP_AUTHENTICATE:
		if (mp_decode_authenticate(body, &name) == 0)
			touch_str(name);
		break;
	default:
		if (mp_decode_auth_token(body, &token) == 0 && token.len > 0)
			touch(token.data, (size_t)token.len);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t opcodes[] = {MP_OP_RESULT,       MP_OP_ERROR,        MP_OP_EVENT,  MP_OP_SUPPORTED,
	                                  MP_OP_AUTHENTICATE, MP_OP_AUTH_SUCCESS, MP_OP_RESULT, MP_OP_RESULT};
	uint8_t choice = fuzz_choice(&data, &size);
	struct mp_envelope env = {
		.response = true,
		.opcode = opcodes[choice & 7],
		.version = (uint8_t)(3 + (choice >> 3 & 3) % 3),
		.flags = (choice & 0x80) != 0 ? fuzz_choice(&data, &size) : 0,
	};
	env.body = data;
	env.body_len = (uint32_t)size;
	struct mp_response_prefix prefix;
	if (mp_decode_prefix(&env, &prefix) == 0)
		check_body(env.opcode, env.version, prefix.body);
	return 0;
}
