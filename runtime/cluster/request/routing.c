// SPDX-License-Identifier: Apache-2.0
// Where a request's rows are: the token of its partition key, from its encoded values.
#include "cluster/request/request.h"
#include "wire/murmur3.h"

#define COMPONENTS_MAX 64 // of a partition key

static bool join(struct mp_buf *out, const struct mp_bytes *found, const uint16_t *indexes, uint16_t count)
{
	mp_buf_clear(out);
	for (uint16_t i = 0; i < count; i++) {
		const struct mp_bytes *value = &found[indexes[i]];
		if (value->len < 0 || value->len > UINT16_MAX)
			return false;
		mp_buf_u16(out, (uint16_t)value->len);
		mp_buf_bytes(out, value->data, (size_t)value->len);
		mp_buf_u8(out, 0);
	}
	return mp_buf_status(out) == 0;
}

static uint16_t last_of(const uint16_t *indexes, uint16_t count)
{
	uint16_t last = indexes[0];
	for (uint16_t i = 1; i < count; i++)
		if (indexes[i] > last)
			last = indexes[i];
	return last;
}

bool mp_routing_token(const struct mp_prepared *prepared, const struct mp_buf *values, uint32_t value_count,
                      struct mp_buf *scratch, int64_t *token)
{
	const struct mp_metadata *params = prepared->params;
	const uint16_t *indexes = params->pk_indexes;
	uint16_t count = params->pk_count;
	if (count == 0 || count > COMPONENTS_MAX)
		return false;
	uint32_t needed = last_of(indexes, count) + 1u; // values, from the first
	struct mp_bytes found[COMPONENTS_MAX];
	struct mp_cursor cur = mp_cursor_on(values->data, values->len);
	if (needed > value_count || needed > COMPONENTS_MAX || mp_row_read(&cur, found, needed) != 0)
		return false;
	if (MP_LIKELY(count == 1)) { // most keys are one value
		const struct mp_bytes *key = &found[indexes[0]];
		if (key->len >= 0)
			*token = mp_murmur3_token(key->data, (size_t)key->len);
		return key->len >= 0;
	}
	if (!join(scratch, found, indexes, count))
		return false;
	*token = mp_murmur3_token(scratch->data, scratch->len);
	return true;
}

void mp_request_options_route(struct mp_request_options *options, struct mp_str key)
{
	options->has_token = true;
	options->token = mp_murmur3_token(key.data, key.len);
}
