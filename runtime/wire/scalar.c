// SPDX-License-Identifier: Apache-2.0
#include "wire/scalar.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/text/utf8.h"
#include "base/uuid.h"
#include "wire/date.h"
#include "wire/value.h"

#define DAY_NS INT64_C(86400000000000)

static void put_bytes(struct mp_buf *out, const void *bytes, size_t len)
{
	uint8_t *to = mp_buf_reserve(out, 4 + len);
	if (to == NULL)
		return;
	uint32_t size = __builtin_bswap32((uint32_t)len);
	memcpy(to, &size, sizeof(size));
	if (len > 0)
		memcpy(to + 4, bytes, len);
	out->len += 4 + len;
}

// ---- numbers ----------------------------------------------------------------------------------------------

// varint and decimal, from their text.
static const char *put_digits(struct mp_buf *out, uint16_t type, struct mp_str text)
{
	size_t begin = mp_write_value_begin(out);
	bool is_varint = type == MP_TYPE_VARINT;
	int rc = is_varint ? mp_write_varint_text(out, text) : mp_write_decimal_text(out, text);
	if (rc == 0)
		mp_write_value_end(out, begin);
	if (MP_LIKELY(rc == 0) || out->failed)
		return NULL;
	out->len = begin;
	if (rc == MP_ETOOBIG)
		return "a number of more than 9863 digits";
	return is_varint ? "a string that is no varint" : "a string that is no decimal";
}

struct whole {
	int64_t least, most;
	uint8_t bytes; // 0: the type has no whole numbers of one width
};

static const struct whole wholes[] = {
	[MP_TYPE_INT] = {INT32_MIN, INT32_MAX, 4},     [MP_TYPE_BIGINT] = {INT64_MIN, INT64_MAX, 8},
	[MP_TYPE_COUNTER] = {INT64_MIN, INT64_MAX, 8}, [MP_TYPE_TIMESTAMP] = {INT64_MIN, INT64_MAX, 8},
	[MP_TYPE_TIME] = {0, DAY_NS - 1, 8},           [MP_TYPE_SMALLINT] = {INT16_MIN, INT16_MAX, 2},
	[MP_TYPE_TINYINT] = {INT8_MIN, INT8_MAX, 1},
};

const char *mp_scalar_put_whole(struct mp_buf *out, uint16_t type, int64_t value)
{
	if (type == MP_TYPE_VARINT || type == MP_TYPE_DECIMAL) {
		char text[24];
		snprintf(text, sizeof(text), "%lld", (long long)value);
		return put_digits(out, type, mp_str_of(text));
	}
	if (MP_UNLIKELY(type >= sizeof(wholes) / sizeof(wholes[0]) || wholes[type].bytes == 0))
		return "a whole number";
	const struct whole *whole = &wholes[type];
	if (MP_UNLIKELY(value < whole->least || value > whole->most))
		return type == MP_TYPE_TIME ? "a number out of range: a time is 0 to 86399999999999 nanoseconds"
		                            : "a number out of range";
	uint8_t *to = mp_buf_reserve(out, 4 + sizeof(uint64_t)); // so the copies are of one width
	if (MP_UNLIKELY(to == NULL))
		return NULL;
	uint32_t size = __builtin_bswap32(whole->bytes);
	uint64_t bits = __builtin_bswap64((uint64_t)value << (64 - 8 * whole->bytes));
	memcpy(to, &size, sizeof(size));
	memcpy(to + 4, &bits, sizeof(bits));
	out->len += 4u + whole->bytes;
	return NULL;
}

const char *mp_scalar_put_real(struct mp_buf *out, uint16_t type, double value)
{
	if (type == MP_TYPE_DOUBLE) {
		mp_buf_i32(out, 8);
		mp_write_f64(out, value);
		return NULL;
	}
	if (type != MP_TYPE_FLOAT)
		return "a number with a fraction";
	// What becomes an infinity or nothing has lost all; the rest is what a float is.
	if (isfinite(value) && (fabs(value) > (double)FLT_MAX || (value != 0 && (float)value == 0)))
		return "a number out of range";
	mp_buf_i32(out, 4);
	mp_write_f32(out, (float)value);
	return NULL;
}

const char *mp_scalar_put_boolean(struct mp_buf *out, uint16_t type, bool value)
{
	if (type != MP_TYPE_BOOLEAN)
		return "a boolean";
	uint8_t byte = value ? 1 : 0;
	put_bytes(out, &byte, 1);
	return NULL;
}

const char *mp_scalar_put_duration(struct mp_buf *out, int64_t months, int64_t days, int64_t nanos)
{
	if (months < INT32_MIN || months > INT32_MAX)
		return "months out of range";
	if (days < INT32_MIN || days > INT32_MAX)
		return "days out of range";
	if ((months > 0 || days > 0 || nanos > 0) && (months < 0 || days < 0 || nanos < 0))
		return "parts of unlike signs: those of a duration have the same sign";
	size_t begin = mp_write_value_begin(out);
	mp_write_duration(out, (int32_t)months, (int32_t)days, nanos);
	mp_write_value_end(out, begin);
	return NULL;
}

// ---- text -------------------------------------------------------------------------------------------------

const char *mp_scalar_put_uuid(struct mp_buf *out, uint16_t type, const uint8_t uuid[16])
{
	if (type != MP_TYPE_UUID && type != MP_TYPE_TIMEUUID)
		return "a UUID";
	if (type == MP_TYPE_TIMEUUID && uuid[6] >> 4 != 1)
		return "a UUID of another version than 1, the one with a time";
	put_bytes(out, uuid, 16);
	return NULL;
}

static const char *put_inet(struct mp_buf *out, struct mp_str text)
{
	struct mp_addr addr;
	if (mp_addr_parse_ip_text(text.data, text.len, 0, &addr) != 0)
		return "a string that is no IP address";
	put_bytes(out, addr.ip, addr.ip_len);
	return NULL;
}

static const char *put_date(struct mp_buf *out, struct mp_str text)
{
	uint32_t date;
	if (mp_date_parse(text.data, text.len, &date) != 0)
		return "a string that is no date like 2024-02-29";
	mp_buf_i32(out, 4);
	mp_buf_u32(out, date);
	return NULL;
}

const char *mp_scalar_put_text(struct mp_buf *out, uint16_t type, struct mp_str text)
{
	struct mp_uuid uuid;
	if (MP_UNLIKELY(text.len > INT32_MAX))
		return "a string of more than 2 GiB";
	switch (type) {
	case MP_TYPE_VARCHAR:
		if (MP_UNLIKELY(!mp_utf8_is_valid(text.data, text.len)))
			return "a string that is not UTF-8";
		break;
	case MP_TYPE_ASCII:
		if (MP_UNLIKELY(!mp_ascii_is_valid(text.data, text.len)))
			return "a string that is not ASCII";
		break;
	case MP_TYPE_BLOB:
	case MP_TYPE_CUSTOM: break;
	case MP_TYPE_UUID:
	case MP_TYPE_TIMEUUID:
		if (mp_uuid_parse(text.data, text.len, &uuid) != 0)
			return "a string that is no UUID";
		return mp_scalar_put_uuid(out, type, uuid.bytes);
	case MP_TYPE_INET: return put_inet(out, text);
	case MP_TYPE_DATE: return put_date(out, text);
	case MP_TYPE_VARINT:
	case MP_TYPE_DECIMAL: return put_digits(out, type, text);
	default: return "a string";
	}
	put_bytes(out, text.data, text.len);
	return NULL;
}
