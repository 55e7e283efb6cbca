// SPDX-License-Identifier: Apache-2.0
#include "sim/cql/compare.h"

#include <math.h>
#include <string.h>

#include "base/err.h"
#include "base/uuid.h"
#include "wire/value.h"
#include "wire/vector.h"

static int sign_of(int64_t value)
{
	return (value > 0) - (value < 0);
}

static int compare_bytes(struct mp_bytes a, struct mp_bytes b)
{
	size_t common = (size_t)(a.len < b.len ? a.len : b.len);
	int order = common > 0 ? memcmp(a.data, b.data, common) : 0;
	return order != 0 ? sign_of(order) : sign_of((int64_t)a.len - b.len);
}

// Big-endian two's complement of equal length.
static int compare_signed(struct mp_bytes a, struct mp_bytes b)
{
	if (a.len != b.len || a.len == 0)
		return compare_bytes(a, b);
	int high_a = (int8_t)a.data[0], high_b = (int8_t)b.data[0];
	return high_a != high_b ? sign_of(high_a - high_b) : compare_bytes(a, b);
}

static struct mp_bytes trim_varint(struct mp_bytes v)
{
	while (v.len > 1 &&
	       ((v.data[0] == 0x00 && !(v.data[1] & 0x80)) || (v.data[0] == 0xff && (v.data[1] & 0x80)))) {
		v.data++;
		v.len--;
	}
	return v;
}

static int compare_varint(struct mp_bytes a, struct mp_bytes b)
{
	if (a.len == 0 || b.len == 0)
		return compare_bytes(a, b);
	a = trim_varint(a);
	b = trim_varint(b);
	int negative_a = a.data[0] >> 7, negative_b = b.data[0] >> 7;
	if (negative_a != negative_b)
		return negative_b - negative_a;
	if (a.len != b.len)
		return negative_a ? sign_of(b.len - a.len) : sign_of(a.len - b.len);
	return compare_bytes(a, b);
}

// "-12.50" or "15E+3" as sign, digits without leading and trailing zeros, and the power of ten of 0.DIGITS.
struct decimal {
	int sign;
	const uint8_t *digits;
	size_t count;
	int64_t exponent;
};

static struct decimal read_decimal(struct mp_buf *text)
{
	struct decimal out = {.sign = 1};
	uint8_t *from = text->data, *end = from + text->len, *to = from;
	int64_t point = -1, shift = 0, seen = 0;
	for (uint8_t *at = from; at < end; at++) {
		if (*at == '-') {
			out.sign = -1;
		} else if (*at == '.') {
			point = seen;
		} else if (*at == 'E') {
			bool negative = at + 1 < end && at[1] == '-';
			for (at++; at < end; at++) {
				if (*at >= '0' && *at <= '9' && shift < INT32_MAX)
					shift = shift * 10 + (*at - '0');
			}
			shift = negative ? -shift : shift;
			break;
		} else {
			*to++ = *at;
			seen++;
		}
	}
	out.exponent = (point >= 0 ? point : seen) + shift;
	out.digits = from;
	while (out.digits < to && *out.digits == '0') {
		out.digits++;
		out.exponent--;
	}
	while (to > out.digits && to[-1] == '0')
		to--;
	out.count = (size_t)(to - out.digits);
	if (out.count == 0)
		out.sign = 0;
	return out;
}

static int compare_magnitude(const struct decimal *a, const struct decimal *b)
{
	if (a->exponent != b->exponent)
		return sign_of(a->exponent - b->exponent);
	size_t common = a->count < b->count ? a->count : b->count;
	int order = common > 0 ? memcmp(a->digits, b->digits, common) : 0;
	return order != 0 ? sign_of(order) : sign_of((int64_t)a->count - (int64_t)b->count);
}

static int compare_decimal(struct mp_bytes a, struct mp_bytes b)
{
	struct mp_buf text_a, text_b;
	mp_buf_init(&text_a);
	mp_buf_init(&text_b);
	int order;
	if (mp_value_decimal_text(a, &text_a) < 0 || mp_value_decimal_text(b, &text_b) < 0 || text_a.failed ||
	    text_b.failed) {
		order = compare_bytes(a, b);
	} else {
		struct decimal da = read_decimal(&text_a), db = read_decimal(&text_b);
		if (da.sign != db.sign)
			order = sign_of(da.sign - db.sign);
		else
			order = da.sign * compare_magnitude(&da, &db);
	}
	mp_buf_deinit(&text_a);
	mp_buf_deinit(&text_b);
	return order;
}

// As Java's Double.compare() does it: -0 is before 0, NaN is behind all.
static int compare_doubles(double a, double b)
{
	if (isnan(a) || isnan(b))
		return (isnan(a) != 0) - (isnan(b) != 0);
	return a != b ? (a > b) - (a < b) : (signbit(b) != 0) - (signbit(a) != 0);
}

static int compare_float(const struct mp_type *type, struct mp_bytes a, struct mp_bytes b)
{
	if (type->id == MP_TYPE_FLOAT) {
		float fa, fb;
		if (mp_value_f32(a, &fa) == 0 && mp_value_f32(b, &fb) == 0)
			return compare_doubles((double)fa, (double)fb);
	} else {
		double da, db;
		if (mp_value_f64(a, &da) == 0 && mp_value_f64(b, &db) == 0)
			return compare_doubles(da, db);
	}
	return compare_bytes(a, b);
}

static uint64_t uuid_time(const uint8_t *u)
{
	uint64_t time = 0;
	const uint8_t order[8] = {6, 7, 4, 5, 0, 1, 2, 3};
	for (size_t i = 0; i < 8; i++)
		time = time << 8 | u[order[i]];
	return time & 0x0fffffffffffffffu;
}

// Version first, then the time of time-based ones, then the bytes (of a timeuuid as signed numbers).
static int compare_uuid(const struct mp_type *type, struct mp_bytes a, struct mp_bytes b)
{
	if (a.len != 16 || b.len != 16)
		return compare_bytes(a, b);
	int version_a = a.data[6] >> 4, version_b = b.data[6] >> 4;
	if (version_a != version_b)
		return sign_of(version_a - version_b);
	if (version_a == 1) {
		uint64_t ta = uuid_time(a.data), tb = uuid_time(b.data);
		if (ta != tb)
			return ta < tb ? -1 : 1;
		if (type->id == MP_TYPE_TIMEUUID) {
			for (size_t i = 8; i < 16; i++) {
				if (a.data[i] != b.data[i])
					return (int8_t)a.data[i] < (int8_t)b.data[i] ? -1 : 1;
			}
			return 0;
		}
	}
	return compare_bytes(a, b);
}

static int compare_collections(const struct mp_type *type, struct mp_bytes a, struct mp_bytes b)
{
	struct mp_cursor ca, cb;
	uint32_t na, nb;
	if (mp_value_elements(a, &ca, &na) < 0 || mp_value_elements(b, &cb, &nb) < 0)
		return compare_bytes(a, b);
	uint32_t step = type->id == MP_TYPE_MAP ? 2 : 1, common = (na < nb ? na : nb) * step;
	for (uint32_t i = 0; i < common; i++) {
		int order = mp_sim_compare(type->children[i % step], mp_cursor_bytes(&ca), mp_cursor_bytes(&cb));
		if (order != 0)
			return order;
	}
	return sign_of((int64_t)na - nb);
}

// Part by part; one that is missing is null, and null comes first.
static int compare_tuples(const struct mp_type *type, struct mp_bytes a, struct mp_bytes b)
{
	struct mp_cursor ca = mp_cursor_on(a.data, (size_t)a.len), cb = mp_cursor_on(b.data, (size_t)b.len);
	for (uint16_t i = 0; i < type->child_count; i++) {
		const struct mp_bytes null = {NULL, -1};
		struct mp_bytes pa = mp_cursor_left(&ca) > 0 ? mp_cursor_bytes(&ca) : null;
		struct mp_bytes pb = mp_cursor_left(&cb) > 0 ? mp_cursor_bytes(&cb) : null;
		int order = mp_sim_compare(type->children[i], pa, pb);
		if (order != 0)
			return order;
	}
	return 0;
}

static int compare_vectors(const struct mp_type *type, struct mp_bytes a, struct mp_bytes b)
{
	struct mp_cursor ca, cb;
	if (mp_vector_elements(type, a, &ca) < 0 || mp_vector_elements(type, b, &cb) < 0)
		return compare_bytes(a, b);
	for (int32_t i = 0; i < type->dimension; i++) {
		int order = mp_sim_compare(type->children[0], mp_vector_next(&ca, type), mp_vector_next(&cb, type));
		if (order != 0)
			return order;
	}
	return 0;
}

int mp_sim_compare(const struct mp_type *type, struct mp_bytes a, struct mp_bytes b)
{
	if (a.len < 0 || b.len < 0)
		return (a.len >= 0) - (b.len >= 0);
	switch (type->id) {
	case MP_TYPE_BIGINT:
	case MP_TYPE_COUNTER:
	case MP_TYPE_INT:
	case MP_TYPE_SMALLINT:
	case MP_TYPE_TINYINT:
	case MP_TYPE_TIMESTAMP:
	case MP_TYPE_TIME: return compare_signed(a, b);
	case MP_TYPE_VARINT: return compare_varint(a, b);
	case MP_TYPE_DECIMAL: return compare_decimal(a, b);
	case MP_TYPE_FLOAT:
	case MP_TYPE_DOUBLE: return compare_float(type, a, b);
	case MP_TYPE_UUID:
	case MP_TYPE_TIMEUUID: return compare_uuid(type, a, b);
	case MP_TYPE_LIST:
	case MP_TYPE_SET:
	case MP_TYPE_MAP: return compare_collections(type, a, b);
	case MP_TYPE_TUPLE:
	case MP_TYPE_UDT: return compare_tuples(type, a, b);
	case MP_TYPE_VECTOR: return compare_vectors(type, a, b);
	default: return compare_bytes(a, b);
	}
}

static int check_utf8(struct mp_bytes v)
{
	for (int32_t i = 0; i < v.len;) {
		uint8_t c = v.data[i];
		int32_t more = c < 0x80                ? 0
		               : c >= 0xc2 && c < 0xe0 ? 1
		               : (c & 0xf0) == 0xe0    ? 2
		               : c >= 0xf0 && c < 0xf5 ? 3
		                                       : -1;
		if (more < 0 || more >= v.len - i)
			return MP_ETYPE;
		for (int32_t k = 1; k <= more; k++) {
			if ((v.data[i + k] & 0xc0) != 0x80)
				return MP_ETYPE;
		}
		i += more + 1;
	}
	return 0;
}

static int check_elements(const struct mp_type *type, struct mp_bytes value)
{
	struct mp_cursor elements;
	uint32_t count;
	int rc = mp_value_elements(value, &elements, &count);
	uint32_t step = type->id == MP_TYPE_MAP ? 2 : 1;
	for (uint32_t i = 0; rc == 0 && i < count * step; i++) {
		struct mp_bytes element = mp_cursor_bytes(&elements);
		rc = element.len < 0 ? MP_ETYPE : mp_sim_check_value(type->children[i % step], element);
	}
	return rc < 0 ? rc : elements.failed || mp_cursor_left(&elements) > 0 ? MP_ETYPE : 0;
}

static int check_parts(const struct mp_type *type, struct mp_bytes value)
{
	struct mp_cursor parts = mp_cursor_on(value.data, (size_t)value.len);
	int rc = 0;
	for (uint16_t i = 0; i < type->child_count && rc == 0 && mp_cursor_left(&parts) > 0; i++)
		rc = mp_sim_check_value(type->children[i], mp_cursor_bytes(&parts));
	return rc == 0 && (parts.failed || mp_cursor_left(&parts) > 0) ? MP_ETYPE : rc;
}

static int check_vector(const struct mp_type *type, struct mp_bytes value)
{
	struct mp_cursor elements;
	if (value.len == 0)
		return 0;
	int rc = mp_vector_elements(type, value, &elements);
	for (int32_t i = 0; i < type->dimension && rc == 0; i++) {
		rc = mp_sim_check_value(type->children[0], mp_vector_next(&elements, type));
		rc = elements.failed ? MP_ETYPE : rc;
	}
	return rc == 0 && mp_cursor_left(&elements) > 0 ? MP_ETYPE : rc;
}

static int check_length(struct mp_bytes value, int32_t len)
{
	return value.len == len || value.len == 0 ? 0 : MP_ETYPE;
}

int mp_sim_check_value(const struct mp_type *type, struct mp_bytes value)
{
	if (value.len < 0)
		return 0;
	switch (type->id) {
	case MP_TYPE_VARCHAR: return check_utf8(value);
	case MP_TYPE_ASCII:
		for (int32_t i = 0; i < value.len; i++) {
			if (value.data[i] > 127)
				return MP_ETYPE;
		}
		return 0;
	case MP_TYPE_TINYINT:
	case MP_TYPE_BOOLEAN: return check_length(value, 1);
	case MP_TYPE_SMALLINT: return check_length(value, 2);
	case MP_TYPE_INT:
	case MP_TYPE_FLOAT:
	case MP_TYPE_DATE: return check_length(value, 4);
	case MP_TYPE_BIGINT:
	case MP_TYPE_COUNTER:
	case MP_TYPE_DOUBLE:
	case MP_TYPE_TIMESTAMP:
	case MP_TYPE_TIME: return check_length(value, 8);
	case MP_TYPE_UUID: return check_length(value, 16);
	case MP_TYPE_TIMEUUID:
		return value.len == 16 && value.data[6] >> 4 != 1 ? MP_ETYPE : check_length(value, 16);
	case MP_TYPE_INET: return value.len == 4 ? 0 : check_length(value, 16);
	case MP_TYPE_DECIMAL: return value.len == 0 || value.len > 4 ? 0 : MP_ETYPE;
	case MP_TYPE_DURATION: return value.len >= 3 ? 0 : MP_ETYPE;
	case MP_TYPE_LIST:
	case MP_TYPE_SET:
	case MP_TYPE_MAP: return check_elements(type, value);
	case MP_TYPE_TUPLE:
	case MP_TYPE_UDT: return check_parts(type, value);
	case MP_TYPE_VECTOR: return check_vector(type, value);
	default: return 0;
	}
}

struct mp_bytes mp_sim_field(struct mp_bytes value, const uint16_t *path, uint16_t depth)
{
	for (uint16_t level = 0; level < depth && value.len >= 0; level++) {
		struct mp_cursor parts = mp_cursor_on(value.data, (size_t)value.len);
		value = (struct mp_bytes){NULL, -1};
		for (uint16_t i = 0; i <= path[level] && mp_cursor_left(&parts) > 0; i++) {
			struct mp_bytes part = mp_cursor_bytes(&parts);
			value = i == path[level] ? part : value;
		}
	}
	return value;
}
