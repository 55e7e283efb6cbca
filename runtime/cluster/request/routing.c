// SPDX-License-Identifier: Apache-2.0
// What the session reads off statements and values: the answer to PREPARE, the routing token of encoded values, and
// whether a text is a USE.
#include "cluster/request/prepare.h"
#include "wire/murmur3.h"

#define COMPONENTS_MAX 64 // of a partition key

int mp_prepare_read(const struct mp_envelope *answer, struct mp_result_body *result,
                    struct mp_error_body *error)
{
	struct mp_response_prefix prefix;
	int rc = mp_decode_prefix(answer, &prefix);
	if (rc != 0)
		return rc;
	if (answer->opcode == MP_OP_ERROR) {
		rc = mp_decode_error(prefix.body, answer->version, error);
		return rc == 0 ? MP_ESERVER : rc;
	}
	if (answer->opcode != MP_OP_RESULT)
		return MP_EPROTO;
	rc = mp_decode_result(prefix.body, answer->version, result);
	if (rc != 0)
		return rc;
	if (result->kind == MP_RESULT_PREPARED && result->params != NULL && result->prepared_id.len > 0)
		return 0;
	mp_result_drop(result);
	return MP_EPROTO;
}

// ---- routing ----------------------------------------------------------------------------------------------

// The first `count` values as they stand in the buffer. False: they are not all there.
static bool locate(const struct mp_buf *values, struct mp_bytes *found, uint16_t count)
{
	struct mp_cursor cur = mp_cursor_on(values->data, values->len);
	for (uint16_t i = 0; i < count; i++)
		found[i] = mp_cursor_bytes(&cur);
	return !cur.failed;
}

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

bool mp_routing_token(const struct mp_prepared *prepared, const struct mp_buf *values, uint32_t value_count,
                      struct mp_buf *scratch, int64_t *token)
{
	const struct mp_metadata *params = prepared->params;
	uint16_t count = params->pk_count;
	if (count == 0 || count > COMPONENTS_MAX)
		return false;
	uint16_t last = 0;
	for (uint16_t i = 0; i < count; i++)
		if (params->pk_indexes[i] > last)
			last = params->pk_indexes[i];
	struct mp_bytes found[COMPONENTS_MAX];
	if (last >= value_count || last >= COMPONENTS_MAX || !locate(values, found, (uint16_t)(last + 1)))
		return false;
	if (MP_LIKELY(count == 1)) {
		const struct mp_bytes *key = &found[params->pk_indexes[0]];
		if (key->len < 0)
			return false;
		*token = mp_murmur3_token(key->data, (size_t)key->len);
		return true;
	}
	if (!join(scratch, found, params->pk_indexes, count))
		return false;
	*token = mp_murmur3_token(scratch->data, scratch->len);
	return true;
}
