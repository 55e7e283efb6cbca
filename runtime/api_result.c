// SPDX-License-Identifier: Apache-2.0
// The C API: results, read in place.
#include <string.h>

#include "api_internal.h"
#include "wire/message.h"
#include "wire/value.h"

static const struct mp_column *column_of(const struct moonpool_result *result, uint32_t column)
{
	const struct mp_metadata *metadata = result->outcome->metadata;
	return metadata != NULL && column < metadata->column_count ? &metadata->columns[column] : NULL;
}

uint32_t moonpool_result_columns(const struct moonpool_result *result)
{
	const struct mp_metadata *metadata = result->outcome->metadata;
	return metadata != NULL ? metadata->column_count : 0;
}

const char *moonpool_result_column_name(const struct moonpool_result *result, uint32_t column)
{
	const struct mp_column *found = column_of(result, column);
	return found != NULL ? found->name.data : NULL; // in an arena, NUL-terminated
}

int moonpool_result_column(const struct moonpool_result *result, const char *name)
{
	const struct mp_metadata *metadata = result->outcome->metadata;
	return metadata != NULL ? mp_metadata_find(metadata, mp_str_of(name)) : MOONPOOL_NOT_FOUND;
}

uint16_t moonpool_result_column_type(const struct moonpool_result *result, uint32_t column)
{
	const struct mp_column *found = column_of(result, column);
	return found != NULL ? found->type->id : 0;
}

uint32_t moonpool_result_rows(const struct moonpool_result *result)
{
	return result->outcome->result->kind == MP_RESULT_ROWS ? result->outcome->result->row_count : 0;
}

bool moonpool_result_paging_state(const struct moonpool_result *result, const void **bytes, size_t *len)
{
	const struct mp_result_body *body = result->outcome->result;
	if (body->kind != MP_RESULT_ROWS || !body->has_more_pages || body->paging_state.data == NULL)
		return false;
	*bytes = body->paging_state.data;
	*len = (size_t)body->paging_state.len;
	return true;
}

const char *moonpool_result_host(const struct moonpool_result *result)
{
	return result->outcome->host != NULL ? result->outcome->host->addr_text : "";
}

uint64_t moonpool_result_latency_ns(const struct moonpool_result *result)
{
	return result->outcome->latency_ns;
}

int moonpool_result_next(const struct moonpool_result *result)
{
	struct moonpool_session *session = result->session;
	session->has_row = false;
	if (session->rows_left == 0)
		return 0;
	session->rows_left--;
	int rc = mp_row_read(&session->rows, session->values, result->outcome->result->column_count);
	if (rc != 0) {
		session->rows_left = 0;
		return rc;
	}
	session->has_row = true;
	return 1;
}

// The value and its type. 0, or MOONPOOL_INVALID_ARGUMENT, MOONPOOL_NOT_FOUND.
static int value_at(const struct moonpool_result *result, uint32_t column, struct mp_bytes *value,
                    uint16_t *type)
{
	const struct mp_column *found = column_of(result, column);
	if (found == NULL || !result->session->has_row || column >= result->outcome->result->column_count)
		return MOONPOOL_INVALID_ARGUMENT;
	*value = result->session->values[column];
	*type = found->type->id;
	return value->len < 0 ? MOONPOOL_NOT_FOUND : 0;
}

int moonpool_get_int64(const struct moonpool_result *result, uint32_t column, int64_t *value)
{
	struct mp_bytes bytes;
	uint16_t type;
	int8_t tiny = 0;
	int16_t small = 0;
	int32_t normal = 0;
	int rc = value_at(result, column, &bytes, &type);
	if (rc != 0)
		return rc;
	switch (type) {
	case MP_TYPE_TINYINT:
		rc = mp_value_i8(bytes, &tiny);
		*value = tiny;
		return rc;
	case MP_TYPE_SMALLINT:
		rc = mp_value_i16(bytes, &small);
		*value = small;
		return rc;
	case MP_TYPE_INT:
		rc = mp_value_i32(bytes, &normal);
		*value = normal;
		return rc;
	case MP_TYPE_BIGINT:
	case MP_TYPE_COUNTER:
	case MP_TYPE_TIMESTAMP:
	case MP_TYPE_TIME: return mp_value_i64(bytes, value);
	default: return MOONPOOL_TYPE_MISMATCH;
	}
}

int moonpool_get_int32(const struct moonpool_result *result, uint32_t column, int32_t *value)
{
	int64_t wide;
	int rc = moonpool_get_int64(result, column, &wide);
	if (rc != 0)
		return rc;
	if (wide < INT32_MIN || wide > INT32_MAX)
		return MOONPOOL_TYPE_MISMATCH;
	*value = (int32_t)wide;
	return 0;
}

int moonpool_get_double(const struct moonpool_result *result, uint32_t column, double *value)
{
	struct mp_bytes bytes;
	uint16_t type;
	float single;
	int rc = value_at(result, column, &bytes, &type);
	if (rc != 0)
		return rc;
	if (type == MP_TYPE_DOUBLE)
		return mp_value_f64(bytes, value);
	if (type != MP_TYPE_FLOAT)
		return MOONPOOL_TYPE_MISMATCH;
	rc = mp_value_f32(bytes, &single);
	if (rc == 0)
		*value = (double)single;
	return rc;
}

int moonpool_get_bool(const struct moonpool_result *result, uint32_t column, bool *value)
{
	struct mp_bytes bytes;
	uint16_t type;
	int rc = value_at(result, column, &bytes, &type);
	if (rc != 0)
		return rc;
	return type == MP_TYPE_BOOLEAN ? mp_value_bool(bytes, value) : MOONPOOL_TYPE_MISMATCH;
}

int moonpool_get_uuid(const struct moonpool_result *result, uint32_t column, uint8_t value[16])
{
	struct mp_bytes bytes;
	uint16_t type;
	int rc = value_at(result, column, &bytes, &type);
	if (rc != 0)
		return rc;
	if ((type != MP_TYPE_UUID && type != MP_TYPE_TIMEUUID) || bytes.len != 16)
		return MOONPOOL_TYPE_MISMATCH;
	memcpy(value, bytes.data, 16);
	return 0;
}

int moonpool_get_text(const struct moonpool_result *result, uint32_t column, const char **text, size_t *len)
{
	struct mp_bytes bytes;
	uint16_t type;
	int rc = value_at(result, column, &bytes, &type);
	if (rc != 0)
		return rc;
	if (type != MP_TYPE_ASCII && type != MP_TYPE_VARCHAR)
		return MOONPOOL_TYPE_MISMATCH;
	*text = (const char *)bytes.data;
	*len = (size_t)bytes.len;
	return 0;
}

int moonpool_get_bytes(const struct moonpool_result *result, uint32_t column, const void **bytes, size_t *len)
{
	struct mp_bytes value;
	uint16_t type;
	int rc = value_at(result, column, &value, &type);
	if (rc != 0)
		return rc;
	*bytes = value.data;
	*len = (size_t)value.len;
	return 0;
}
