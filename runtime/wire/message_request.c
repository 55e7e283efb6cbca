// SPDX-License-Identifier: Apache-2.0
// Requests as a client writes them. QUERY and EXECUTE are the request path: their size is known beforehand,
// so they reserve once and write through a plain pointer.
#include <string.h>

#include "wire/message.h"
#include "wire/notation.h"
#include "wire/query_flags.h"

void mp_encode_startup(struct mp_buf *buf, uint8_t version, int16_t stream, const struct mp_pair *options,
                       size_t count)
{
	size_t begin = mp_envelope_begin(buf, version, false, 0, stream, MP_OP_STARTUP);
	mp_assert(count <= UINT16_MAX);
	mp_buf_u16(buf, (uint16_t)count);
	for (size_t i = 0; i < count; i++) {
		mp_put_string(buf, options[i].key);
		mp_put_string(buf, options[i].value);
	}
	mp_envelope_end(buf, begin);
}

void mp_encode_options(struct mp_buf *buf, uint8_t version, int16_t stream)
{
	mp_envelope_end(buf, mp_envelope_begin(buf, version, false, 0, stream, MP_OP_OPTIONS));
}

void mp_encode_auth_response(struct mp_buf *buf, uint8_t version, int16_t stream, const void *token,
                             size_t len)
{
	size_t begin = mp_envelope_begin(buf, version, false, 0, stream, MP_OP_AUTH_RESPONSE);
	mp_put_bytes(buf, token, len);
	mp_envelope_end(buf, begin);
}

void mp_encode_register(struct mp_buf *buf, uint8_t version, int16_t stream, const struct mp_str *types,
                        size_t count)
{
	size_t begin = mp_envelope_begin(buf, version, false, 0, stream, MP_OP_REGISTER);
	mp_assert(count <= UINT16_MAX);
	mp_buf_u16(buf, (uint16_t)count);
	for (size_t i = 0; i < count; i++)
		mp_put_string(buf, types[i]);
	mp_envelope_end(buf, begin);
}

void mp_encode_prepare(struct mp_buf *buf, uint8_t version, uint8_t flags, int16_t stream, struct mp_str cql,
                       struct mp_str keyspace)
{
	size_t begin = mp_envelope_begin(buf, version, false, flags, stream, MP_OP_PREPARE);
	mp_put_long_string(buf, cql);
	if (version >= 5) {
		mp_buf_u32(buf, keyspace.len > 0 ? MP_PREPARE_KEYSPACE : 0);
		if (keyspace.len > 0)
			mp_put_string(buf, keyspace);
	}
	mp_envelope_end(buf, begin);
}

// ---- QUERY and EXECUTE ------------------------------------------------------------------------------------
// All of it is inline, so that the parameters, which are gathered from the request, are read where they lie.

MP_INLINE uint8_t *put_u16(uint8_t *to, uint16_t value)
{
	to[0] = (uint8_t)(value >> 8);
	to[1] = (uint8_t)value;
	return to + 2;
}

MP_INLINE uint8_t *put_u32(uint8_t *to, uint32_t value)
{
	value = __builtin_bswap32(value);
	memcpy(to, &value, sizeof(value));
	return to + sizeof(value);
}

MP_INLINE uint8_t *put_u64(uint8_t *to, uint64_t value)
{
	value = __builtin_bswap64(value);
	memcpy(to, &value, sizeof(value));
	return to + sizeof(value);
}

MP_INLINE uint8_t *put_raw(uint8_t *to, const void *bytes, size_t len)
{
	if (len > 0)
		memcpy(to, bytes, len);
	return to + len;
}

MP_INLINE uint8_t *put_short(uint8_t *to, struct mp_str text)
{
	return put_raw(put_u16(to, (uint16_t)text.len), text.data, text.len);
}

MP_INLINE size_t paging_len(const struct mp_query_params *params)
{
	return params->paging_state.data != NULL && params->paging_state.len > 0
	           ? (size_t)params->paging_state.len
	           : 0;
}

// All fixed parts of the parameters at their longest: consistency 2, flags 4, count 2, page size 4, length of
// the paging state 4, serial consistency 2, timestamp 8, length of the keyspace 2.
#define PARAMS_FIXED 28u

MP_INLINE size_t params_room(const struct mp_query_params *params)
{
	return PARAMS_FIXED + params->values.len + paging_len(params) + params->keyspace.len;
}

MP_INLINE uint32_t params_flags(uint8_t version, const struct mp_query_params *params)
{
	uint32_t flags = 0;
	if (params->value_count > 0)
		flags |= params->named_values ? MP_QUERY_VALUES | MP_QUERY_NAMES : MP_QUERY_VALUES;
	if (params->skip_metadata)
		flags |= MP_QUERY_SKIP_METADATA;
	if (params->page_size > 0)
		flags |= MP_QUERY_PAGE_SIZE;
	if (params->paging_state.data != NULL)
		flags |= MP_QUERY_PAGING_STATE;
	if (params->serial_consistency != 0)
		flags |= MP_QUERY_SERIAL_CONSISTENCY;
	if (params->has_timestamp)
		flags |= MP_QUERY_TIMESTAMP;
	if (version >= 5 && params->keyspace.len > 0)
		flags |= MP_QUERY_KEYSPACE;
	return flags;
}

MP_INLINE uint8_t *put_params(uint8_t *to, uint8_t version, const struct mp_query_params *params)
{
	uint32_t flags = params_flags(version, params);
	to = put_u16(to, params->consistency);
	if (version >= 5)
		to = put_u32(to, flags);
	else
		*to++ = (uint8_t)flags;
	if (flags & MP_QUERY_VALUES) {
		to = put_u16(to, (uint16_t)params->value_count);
		to = put_raw(to, params->values.data, params->values.len);
	}
	if (MP_LIKELY(flags < MP_QUERY_PAGE_SIZE)) // nothing else is said
		return to;
	if (flags & MP_QUERY_PAGE_SIZE)
		to = put_u32(to, (uint32_t)params->page_size);
	if (flags & MP_QUERY_PAGING_STATE) {
		size_t len = paging_len(params);
		to = put_raw(put_u32(to, (uint32_t)len), params->paging_state.data, len);
	}
	if (flags & MP_QUERY_SERIAL_CONSISTENCY)
		to = put_u16(to, params->serial_consistency);
	if (flags & MP_QUERY_TIMESTAMP)
		to = put_u64(to, (uint64_t)params->timestamp);
	if (flags & MP_QUERY_KEYSPACE)
		to = put_short(to, params->keyspace);
	return to;
}

MP_INLINE uint8_t *put_header(uint8_t *to, uint8_t version, uint8_t flags, int16_t stream, uint8_t opcode)
{
	to[0] = version;
	to[1] = flags;
	put_u16(to + 2, (uint16_t)stream);
	to[4] = opcode;
	return to + MP_ENVELOPE_HEADER;
}

// The envelope from buf->len to `end` is written: fill its length in and count it.
MP_INLINE void finish(struct mp_buf *buf, const uint8_t *end)
{
	uint8_t *start = buf->data + buf->len;
	size_t size = (size_t)(end - start);
	put_u32(start + 5, (uint32_t)(size - MP_ENVELOPE_HEADER));
	buf->len += size;
}

// Room for a header, `more` bytes and the parameters; NULL and failed when a length does not fit its field.
MP_INLINE uint8_t *begin_request(struct mp_buf *buf, size_t more, const struct mp_query_params *params)
{
	if (more > MP_REQUEST_PART_MAX + UINT16_MAX * 2 || params->values.len > MP_REQUEST_PART_MAX ||
	    params->paging_state.len > MP_REQUEST_PART_MAX || params->keyspace.len > UINT16_MAX ||
	    params->value_count > UINT16_MAX) {
		buf->failed = true;
		return NULL;
	}
	return mp_buf_reserve(buf, MP_ENVELOPE_HEADER + more + params_room(params));
}

void mp_encode_query(struct mp_buf *buf, uint8_t version, uint8_t flags, int16_t stream, struct mp_str cql,
                     const struct mp_query_params *params)
{
	uint8_t *to = begin_request(buf, 4 + cql.len, params);
	if (to == NULL)
		return;
	to = put_header(to, version, flags, stream, MP_OP_QUERY);
	to = put_raw(put_u32(to, (uint32_t)cql.len), cql.data, cql.len);
	finish(buf, put_params(to, version, params));
}

void mp_encode_execute(struct mp_buf *buf, uint8_t version, uint8_t flags, int16_t stream, struct mp_str id,
                       struct mp_str result_metadata_id, const struct mp_query_params *params)
{
	if (id.len > UINT16_MAX || result_metadata_id.len > UINT16_MAX) {
		buf->failed = true;
		return;
	}
	uint8_t *to = begin_request(buf, 4 + id.len + result_metadata_id.len, params);
	if (to == NULL)
		return;
	to = put_header(to, version, flags, stream, MP_OP_EXECUTE);
	to = put_short(to, id);
	if (version >= 5)
		to = put_short(to, result_metadata_id);
	finish(buf, put_params(to, version, params));
}

// ---- BATCH ------------------------------------------------------------------------------------------------

void mp_batch_put(struct mp_buf *buf, const struct mp_batch_statement *statement)
{
	bool is_text = statement->cql.data != NULL;
	struct mp_str name = is_text ? statement->cql : statement->id;
	if (name.len > (is_text ? MP_REQUEST_PART_MAX : UINT16_MAX) || statement->value_count > UINT16_MAX ||
	    statement->values.len > MP_REQUEST_PART_MAX) {
		buf->failed = true;
		return;
	}
	uint8_t *start = mp_buf_reserve(buf, 7 + name.len + statement->values.len);
	if (start == NULL)
		return;
	uint8_t *to = start;
	*to++ = is_text ? 0 : 1;
	to = is_text ? put_raw(put_u32(to, (uint32_t)name.len), name.data, name.len) : put_short(to, name);
	to = put_u16(to, (uint16_t)statement->value_count);
	to = put_raw(to, statement->values.data, statement->values.len);
	buf->len += (size_t)(to - start);
}

void mp_encode_batch(struct mp_buf *buf, uint8_t version, uint8_t flags, int16_t stream,
                     const struct mp_batch_body *batch, const struct mp_query_params *params)
{
	if (batch->count > MP_BATCH_STATEMENTS_MAX || batch->statements.len > MP_REQUEST_PART_MAX) {
		buf->failed = true;
		return;
	}
	struct mp_query_params own = {
		.consistency = params->consistency,
		.serial_consistency = params->serial_consistency,
		.has_timestamp = params->has_timestamp,
		.timestamp = params->timestamp,
		.keyspace = params->keyspace,
	};
	uint8_t *to = begin_request(buf, 3 + batch->statements.len, &own);
	if (to == NULL)
		return;
	to = put_header(to, version, flags, stream, MP_OP_BATCH);
	*to++ = batch->type;
	to = put_u16(to, (uint16_t)batch->count);
	to = put_raw(to, batch->statements.data, batch->statements.len);
	finish(buf, put_params(to, version, &own));
}
