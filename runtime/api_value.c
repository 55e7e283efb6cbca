// SPDX-License-Identifier: Apache-2.0
// The C API: C values as parameters.
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "api_internal.h"
#include "base/addr.h"
#include "script/date.h"
#include "wire/message.h"
#include "wire/value.h"

static int failed(struct moonpool_request *request, int rc)
{
	if (request->rc == 0)
		request->rc = rc;
	return rc;
}

// The type of the next parameter, or NULL when there is none.
static const struct mp_type *next_type(struct moonpool_request *request)
{
	const struct mp_prepared *prepared = request->request->prepared;
	if (prepared == NULL || prepared->params == NULL || request->next >= prepared->params->column_count)
		return NULL;
	return prepared->params->columns[request->next++].type;
}

static struct mp_buf *values_of(struct moonpool_request *request)
{
	return &request->request->values;
}

static int bind_raw(struct moonpool_request *request, const void *bytes, size_t len)
{
	mp_buf_i32(values_of(request), (int32_t)len);
	mp_buf_bytes(values_of(request), bytes, len);
	return 0;
}

static int bind_digits(struct moonpool_request *request, const struct mp_type *type, struct mp_str text)
{
	struct mp_buf *out = values_of(request);
	size_t begin = mp_write_value_begin(out);
	int rc = type->id == MP_TYPE_VARINT ? mp_write_varint_text(out, text) : mp_write_decimal_text(out, text);
	if (rc != 0)
		return failed(request, rc);
	mp_write_value_end(out, begin);
	return 0;
}

// Bytes of an integer type that holds the value; 0: the value does not fit or the type is another one.
static int integer_width(const struct mp_type *type, int64_t value)
{
	switch (type->id) {
	case MP_TYPE_TINYINT: return value >= INT8_MIN && value <= INT8_MAX ? 1 : 0;
	case MP_TYPE_SMALLINT: return value >= INT16_MIN && value <= INT16_MAX ? 2 : 0;
	case MP_TYPE_INT: return value >= INT32_MIN && value <= INT32_MAX ? 4 : 0;
	case MP_TYPE_BIGINT:
	case MP_TYPE_COUNTER:
	case MP_TYPE_TIMESTAMP:
	case MP_TYPE_TIME: return 8;
	default: return 0;
	}
}

int moonpool_bind_int64(struct moonpool_request *request, int64_t value)
{
	const struct mp_type *type = next_type(request);
	struct mp_buf *out = values_of(request);
	if (type == NULL)
		return failed(request, MOONPOOL_INVALID_ARGUMENT);
	if (type->id == MP_TYPE_VARINT || type->id == MP_TYPE_DECIMAL) {
		char text[24];
		snprintf(text, sizeof(text), "%lld", (long long)value);
		return bind_digits(request, type, mp_str_of(text));
	}
	int width = integer_width(type, value);
	if (width == 0)
		return failed(request, MOONPOOL_TYPE_MISMATCH);
	mp_buf_i32(out, width);
	switch (width) {
	case 1: mp_buf_u8(out, (uint8_t)value); break;
	case 2: mp_buf_u16(out, (uint16_t)value); break;
	case 4: mp_buf_i32(out, (int32_t)value); break;
	default: mp_buf_i64(out, value); break;
	}
	return 0;
}

int moonpool_bind_int32(struct moonpool_request *request, int32_t value)
{
	return moonpool_bind_int64(request, value);
}

int moonpool_bind_double(struct moonpool_request *request, double value)
{
	const struct mp_type *type = next_type(request);
	struct mp_buf *out = values_of(request);
	if (type == NULL)
		return failed(request, MOONPOOL_INVALID_ARGUMENT);
	if (type->id == MP_TYPE_DOUBLE) {
		mp_buf_i32(out, 8);
		mp_write_f64(out, value);
		return 0;
	}
	if (type->id != MP_TYPE_FLOAT || (isfinite(value) && fabs(value) > (double)FLT_MAX))
		return failed(request, MOONPOOL_TYPE_MISMATCH);
	mp_buf_i32(out, 4);
	mp_write_f32(out, (float)value);
	return 0;
}

int moonpool_bind_bool(struct moonpool_request *request, bool value)
{
	const struct mp_type *type = next_type(request);
	if (type == NULL)
		return failed(request, MOONPOOL_INVALID_ARGUMENT);
	if (type->id != MP_TYPE_BOOLEAN)
		return failed(request, MOONPOOL_TYPE_MISMATCH);
	uint8_t byte = value ? 1 : 0;
	return bind_raw(request, &byte, 1);
}

// inet, from text that need not end in a NUL.
static int bind_inet(struct moonpool_request *request, struct mp_str text)
{
	char ip[MP_ADDR_TEXT];
	struct mp_addr addr;
	if (text.len >= sizeof(ip))
		return failed(request, MOONPOOL_TYPE_MISMATCH);
	memcpy(ip, text.data, text.len);
	ip[text.len] = '\0';
	if (mp_addr_parse_ip(ip, 0, &addr) != 0)
		return failed(request, MOONPOOL_TYPE_MISMATCH);
	return bind_raw(request, addr.ip, addr.ip_len);
}

static int bind_date(struct moonpool_request *request, struct mp_str text)
{
	uint32_t date;
	if (mp_date_parse(text.data, text.len, &date) != 0)
		return failed(request, MOONPOOL_TYPE_MISMATCH);
	mp_buf_i32(values_of(request), 4);
	mp_buf_u32(values_of(request), date);
	return 0;
}

int moonpool_bind_text(struct moonpool_request *request, const char *data, ptrdiff_t len)
{
	const struct mp_type *type = next_type(request);
	struct mp_str text = len < 0 ? mp_str_of(data) : (struct mp_str){data, (size_t)len};
	struct mp_uuid uuid;
	if (type == NULL || text.len > INT32_MAX)
		return failed(request, MOONPOOL_INVALID_ARGUMENT);
	switch (type->id) {
	case MP_TYPE_ASCII:
	case MP_TYPE_VARCHAR: return bind_raw(request, text.data, text.len);
	case MP_TYPE_UUID:
	case MP_TYPE_TIMEUUID:
		if (mp_uuid_parse(text.data, text.len, &uuid) != 0)
			return failed(request, MOONPOOL_TYPE_MISMATCH);
		return bind_raw(request, uuid.bytes, sizeof(uuid.bytes));
	case MP_TYPE_INET: return bind_inet(request, text);
	case MP_TYPE_DATE: return bind_date(request, text);
	case MP_TYPE_VARINT:
	case MP_TYPE_DECIMAL: return bind_digits(request, type, text);
	default: return failed(request, MOONPOOL_TYPE_MISMATCH);
	}
}

int moonpool_bind_bytes(struct moonpool_request *request, const void *bytes, size_t len)
{
	if (next_type(request) == NULL || len > INT32_MAX)
		return failed(request, MOONPOOL_INVALID_ARGUMENT);
	return bind_raw(request, bytes, len);
}

int moonpool_bind_uuid(struct moonpool_request *request, const uint8_t uuid[16])
{
	const struct mp_type *type = next_type(request);
	if (type == NULL)
		return failed(request, MOONPOOL_INVALID_ARGUMENT);
	if (type->id != MP_TYPE_UUID && type->id != MP_TYPE_TIMEUUID)
		return failed(request, MOONPOOL_TYPE_MISMATCH);
	return bind_raw(request, uuid, 16);
}

int moonpool_bind_null(struct moonpool_request *request)
{
	if (next_type(request) == NULL)
		return failed(request, MOONPOOL_INVALID_ARGUMENT);
	mp_write_null(values_of(request));
	return 0;
}

int moonpool_bind_unset(struct moonpool_request *request)
{
	if (next_type(request) == NULL)
		return failed(request, MOONPOOL_INVALID_ARGUMENT);
	mp_write_unset(values_of(request));
	return 0;
}
