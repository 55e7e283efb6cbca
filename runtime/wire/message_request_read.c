// SPDX-License-Identifier: Apache-2.0
// Requests as a node reads them. Everything borrowed; every list is walked once here, so whoever reads it
// again need not doubt its shape.
#include "base/err.h"
#include "wire/message.h"
#include "wire/query_flags.h"

static struct mp_str str_between(const uint8_t *from, const uint8_t *to)
{
	return (struct mp_str){(const char *)from, (size_t)(to - from)};
}

static struct mp_str read_short_bytes(struct mp_cursor *cur)
{
	struct mp_bytes bytes = mp_cursor_short_bytes(cur);
	return (struct mp_str){(const char *)bytes.data, bytes.len > 0 ? (size_t)bytes.len : 0};
}

// A [value]: unlike in [bytes], a length below -2 is an error.
static void skip_value(struct mp_cursor *cur)
{
	int32_t len = mp_cursor_i32(cur);
	if (len < -2)
		cur->failed = true;
	else if (len > 0)
		mp_cursor_take(cur, (size_t)len);
}

static void read_values(struct mp_cursor *cur, bool named, struct mp_query_params *params)
{
	params->named_values = named;
	params->value_count = mp_cursor_u16(cur);
	const uint8_t *start = cur->pos;
	for (uint32_t i = 0; i < params->value_count && !cur->failed; i++) {
		if (named)
			mp_cursor_string(cur);
		skip_value(cur);
	}
	params->values = str_between(start, cur->pos);
}

// What QUERY and EXECUTE have behind their own, and BATCH.
static void read_common(struct mp_cursor *cur, uint8_t version, uint32_t flags,
                        struct mp_query_params *params)
{
	if (flags & MP_QUERY_SERIAL_CONSISTENCY)
		params->serial_consistency = mp_cursor_u16(cur);
	if (flags & MP_QUERY_TIMESTAMP) {
		params->has_timestamp = true;
		params->timestamp = mp_cursor_i64(cur);
	}
	if (version < 5)
		return;
	if (flags & MP_QUERY_KEYSPACE)
		params->keyspace = mp_cursor_string(cur);
	if (flags & MP_QUERY_NOW_IN_SECONDS) // for tests of the server's; no use to a simulated node
		mp_cursor_i32(cur);
}

static void read_params(struct mp_cursor *cur, uint8_t version, struct mp_query_params *params)
{
	params->consistency = mp_cursor_u16(cur);
	uint32_t flags = version >= 5 ? mp_cursor_u32(cur) : mp_cursor_u8(cur);
	params->skip_metadata = (flags & MP_QUERY_SKIP_METADATA) != 0;
	params->paging_state = (struct mp_bytes){NULL, -1};
	if (flags & MP_QUERY_VALUES)
		read_values(cur, (flags & MP_QUERY_NAMES) != 0, params);
	if (flags & MP_QUERY_PAGE_SIZE)
		params->page_size = mp_cursor_i32(cur);
	if (flags & MP_QUERY_PAGING_STATE)
		params->paging_state = mp_cursor_bytes(cur);
	read_common(cur, version, flags, params);
}

// ---- BATCH ------------------------------------------------------------------------------------------------

static void read_statement(struct mp_cursor *cur, struct mp_batch_statement *out)
{
	*out = (struct mp_batch_statement){.cql = {NULL, 0}};
	uint8_t kind = mp_cursor_u8(cur);
	if (kind == 0)
		out->cql = mp_cursor_long_string(cur);
	else if (kind == 1)
		out->id = read_short_bytes(cur);
	else
		cur->failed = true;
	struct mp_query_params params = {.value_count = 0};
	read_values(cur, false, &params);
	out->value_count = params.value_count;
	out->values = params.values;
}

bool mp_batch_next(struct mp_cursor *statements, struct mp_batch_statement *out)
{
	if (statements->failed || mp_cursor_left(statements) == 0)
		return false;
	read_statement(statements, out);
	return !statements->failed;
}

static void read_batch(struct mp_cursor *cur, uint8_t version, struct mp_request_body *out)
{
	struct mp_batch_statement statement;
	out->params.paging_state = (struct mp_bytes){NULL, -1};
	out->batch.type = mp_cursor_u8(cur);
	out->batch.count = mp_cursor_u16(cur);
	const uint8_t *start = cur->pos;
	for (uint32_t i = 0; i < out->batch.count && !cur->failed; i++)
		read_statement(cur, &statement);
	out->batch.statements = str_between(start, cur->pos);
	out->params.consistency = mp_cursor_u16(cur);
	uint32_t flags = version >= 5 ? mp_cursor_u32(cur) : mp_cursor_u8(cur);
	cur->failed |= out->batch.type >= MP_BATCH_TYPES || (flags & ~(uint32_t)MP_QUERY_OF_BATCH) != 0;
	read_common(cur, version, flags, &out->params);
}

// ---- the others -------------------------------------------------------------------------------------------

static void read_prepare(struct mp_cursor *cur, uint8_t version, struct mp_request_body *out)
{
	out->cql = mp_cursor_long_string(cur);
	if (version >= 5 && (mp_cursor_u32(cur) & MP_PREPARE_KEYSPACE) != 0)
		out->keyspace = mp_cursor_string(cur);
}

// A [string list], or a [string map] when `per_entry` is 2.
static void read_strings(struct mp_cursor *cur, unsigned per_entry, struct mp_cursor *list)
{
	*list = *cur;
	uint32_t count = per_entry * (uint32_t)mp_cursor_u16(cur);
	for (uint32_t i = 0; i < count && !cur->failed; i++)
		mp_cursor_string(cur);
}

// It is mirrored or ignored as a whole.
static void read_payload(struct mp_cursor *cur, struct mp_str *payload)
{
	const uint8_t *from = cur->pos;
	uint16_t count = mp_cursor_u16(cur);
	for (uint32_t i = 0; i < count && !cur->failed; i++) {
		mp_cursor_string(cur);
		mp_cursor_bytes(cur);
	}
	if (!cur->failed)
		*payload = str_between(from, cur->pos);
}

int mp_decode_request(const struct mp_envelope *envelope, struct mp_request_body *out)
{
	*out = (struct mp_request_body){.opcode = envelope->opcode};
	if (envelope->flags & MP_FLAG_COMPRESSED)
		return MP_EPROTO;
	uint8_t version = envelope->version;
	struct mp_cursor cur = mp_cursor_on(envelope->body, envelope->body_len);
	if (version >= 4 && (envelope->flags & MP_FLAG_CUSTOM_PAYLOAD) != 0)
		read_payload(&cur, &out->payload);
	switch (envelope->opcode) {
	case MP_OP_OPTIONS: break;
	case MP_OP_STARTUP: read_strings(&cur, 2, &out->list); break;
	case MP_OP_REGISTER: read_strings(&cur, 1, &out->list); break;
	case MP_OP_BATCH: read_batch(&cur, version, out); break;
	case MP_OP_AUTH_RESPONSE: {
		struct mp_bytes token = mp_cursor_bytes(&cur);
		if (token.data != NULL)
			out->token = str_between(token.data, token.data + token.len);
		break;
	}
	case MP_OP_PREPARE: read_prepare(&cur, version, out); break;
	case MP_OP_QUERY:
		out->cql = mp_cursor_long_string(&cur);
		read_params(&cur, version, &out->params);
		break;
	case MP_OP_EXECUTE:
		out->id = read_short_bytes(&cur);
		if (version >= 5)
			out->result_metadata_id = read_short_bytes(&cur);
		read_params(&cur, version, &out->params);
		break;
	default: return MP_EPROTO;
	}
	return mp_cursor_status(&cur);
}
