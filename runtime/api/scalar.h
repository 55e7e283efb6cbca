// SPDX-License-Identifier: Apache-2.0
// Scalars out of the bytes of a value, for what has a column's number and for parts of values. Each takes the type's
// number and returns 0, MOONPOOL_TYPE_MISMATCH (the type is another one, or the bytes do not fit it), or what the
// reader of the bytes says.
#pragma once

#include <string.h>

#include "api/internal.h"
#include "wire/value.h"

MP_INLINE int mp_api_read_whole(uint16_t type, struct mp_bytes bytes, int64_t *value)
{
	int8_t tiny = 0;
	int16_t small = 0;
	int32_t normal = 0;
	int rc;
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

MP_INLINE int mp_api_read_int32(uint16_t type, struct mp_bytes bytes, int32_t *value)
{
	int64_t wide = 0;
	int rc = mp_api_read_whole(type, bytes, &wide);
	if (rc != 0)
		return rc;
	if (wide < INT32_MIN || wide > INT32_MAX)
		return MOONPOOL_TYPE_MISMATCH;
	*value = (int32_t)wide;
	return 0;
}

MP_INLINE int mp_api_read_bool(uint16_t type, struct mp_bytes bytes, bool *value)
{
	return type == MP_TYPE_BOOLEAN ? mp_value_bool(bytes, value) : MOONPOOL_TYPE_MISMATCH;
}

MP_INLINE int mp_api_read_real(uint16_t type, struct mp_bytes bytes, double *value)
{
	float single;
	if (type == MP_TYPE_DOUBLE)
		return mp_value_f64(bytes, value);
	if (type != MP_TYPE_FLOAT)
		return MOONPOOL_TYPE_MISMATCH;
	int rc = mp_value_f32(bytes, &single);
	if (rc == 0)
		*value = (double)single;
	return rc;
}

MP_INLINE int mp_api_read_uuid(uint16_t type, struct mp_bytes bytes, uint8_t value[16])
{
	if ((type != MP_TYPE_UUID && type != MP_TYPE_TIMEUUID) || bytes.len != 16)
		return MOONPOOL_TYPE_MISMATCH;
	memcpy(value, bytes.data, 16);
	return 0;
}
