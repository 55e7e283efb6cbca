// SPDX-License-Identifier: Apache-2.0
// Values of fixed width, durations and collections. Numbers of any length are in value_number.c.
#include "wire/value.h"

#include <string.h>

#include "base/err.h"

// Of 1, 2, 4 or 8 bytes. Inline: the width is known where it is called, and nothing of the choice is left.
MP_INLINE int fixed(struct mp_bytes v, int32_t width, uint64_t *out)
{
	uint64_t wide;
	uint32_t narrow;
	if (v.len != width)
		return MP_ETYPE;
	if (width == 8) {
		memcpy(&wide, v.data, sizeof(wide));
		*out = __builtin_bswap64(wide);
	} else if (width == 4) {
		memcpy(&narrow, v.data, sizeof(narrow));
		*out = __builtin_bswap32(narrow);
	} else {
		*out = width == 2 ? (uint64_t)v.data[0] << 8 | v.data[1] : v.data[0];
	}
	return 0;
}

int mp_value_i8(struct mp_bytes v, int8_t *out)
{
	uint64_t bits;
	int rc = fixed(v, 1, &bits);
	if (rc == 0)
		*out = (int8_t)(uint8_t)bits;
	return rc;
}

int mp_value_i16(struct mp_bytes v, int16_t *out)
{
	uint64_t bits;
	int rc = fixed(v, 2, &bits);
	if (rc == 0)
		*out = (int16_t)(uint16_t)bits;
	return rc;
}

int mp_value_i32(struct mp_bytes v, int32_t *out)
{
	uint64_t bits;
	int rc = fixed(v, 4, &bits);
	if (rc == 0)
		*out = (int32_t)(uint32_t)bits;
	return rc;
}

int mp_value_i64(struct mp_bytes v, int64_t *out)
{
	uint64_t bits;
	int rc = fixed(v, 8, &bits);
	if (rc == 0)
		*out = (int64_t)bits;
	return rc;
}

int mp_value_f32(struct mp_bytes v, float *out)
{
	uint64_t bits;
	int rc = fixed(v, 4, &bits);
	if (rc != 0)
		return rc;
	uint32_t narrow = (uint32_t)bits;
	memcpy(out, &narrow, sizeof(*out));
	return 0;
}

int mp_value_f64(struct mp_bytes v, double *out)
{
	uint64_t bits;
	int rc = fixed(v, 8, &bits);
	if (rc == 0)
		memcpy(out, &bits, sizeof(*out));
	return rc;
}

int mp_value_bool(struct mp_bytes v, bool *out)
{
	uint64_t bits;
	int rc = fixed(v, 1, &bits);
	if (rc == 0)
		*out = bits != 0;
	return rc;
}

int mp_value_date(struct mp_bytes v, uint32_t *out)
{
	uint64_t bits;
	int rc = fixed(v, 4, &bits);
	if (rc == 0)
		*out = (uint32_t)bits;
	return rc;
}

int mp_value_inet(struct mp_bytes v, uint8_t ip[16], size_t *ip_len)
{
	if (v.len != 4 && v.len != 16)
		return MP_ETYPE;
	memset(ip, 0, 16);
	memcpy(ip, v.data, (size_t)v.len);
	*ip_len = (size_t)v.len;
	return 0;
}

// ---- durations: three [vint]s
// -----------------------------------------------------------------------------------

// As many leading one bits as bytes follow, then the number.
uint64_t mp_value_uvint(struct mp_cursor *cur)
{
	uint8_t first = mp_cursor_u8(cur);
	unsigned extra = first == 0xff ? 8u : (unsigned)__builtin_clz((uint32_t)(uint8_t)~first) - 24u;
	uint64_t value = first & (0xffu >> extra);
	for (unsigned i = 0; i < extra; i++)
		value = value << 8 | mp_cursor_u8(cur);
	return value;
}

size_t mp_uvint_bytes(uint64_t value, uint8_t bytes[9])
{
	unsigned extra = 0;
	while (extra < 8 && value >> (7 * (extra + 1)) != 0)
		extra++;
	bytes[0] = 0;
	for (unsigned i = extra == 8 ? 1 : 0; i <= extra; i++) // the first of nine bytes is length only
		bytes[i] = (uint8_t)(value >> (8 * (extra - i)));
	bytes[0] = (uint8_t)(bytes[0] | 0xff00u >> extra);
	return extra + 1;
}

// [vint]: the same of a number in zig-zag order.
static int64_t read_vint(struct mp_cursor *cur)
{
	uint64_t value = mp_value_uvint(cur);
	return (int64_t)((value >> 1) ^ (0 - (value & 1)));
}

static void write_vint(struct mp_buf *buf, int64_t value)
{
	uint8_t bytes[9];
	uint64_t zigzag = (uint64_t)value << 1 ^ (value < 0 ? UINT64_MAX : 0);
	mp_buf_bytes(buf, bytes, mp_uvint_bytes(zigzag, bytes));
}

int mp_value_duration(struct mp_bytes v, int32_t *months, int32_t *days, int64_t *nanos)
{
	if (v.len < 3)
		return MP_ETYPE;
	struct mp_cursor cur = mp_cursor_on(v.data, (size_t)v.len);
	int64_t m = read_vint(&cur);
	int64_t d = read_vint(&cur);
	int64_t n = read_vint(&cur);
	if (cur.failed || mp_cursor_left(&cur) > 0 || m < INT32_MIN || m > INT32_MAX || d < INT32_MIN ||
	    d > INT32_MAX)
		return MP_ETYPE;
	*months = (int32_t)m;
	*days = (int32_t)d;
	*nanos = n;
	return 0;
}

void mp_write_duration(struct mp_buf *buf, int32_t months, int32_t days, int64_t nanos)
{
	write_vint(buf, months);
	write_vint(buf, days);
	write_vint(buf, nanos);
}

void mp_write_f32(struct mp_buf *buf, float value)
{
	uint32_t bits;
	memcpy(&bits, &value, sizeof(bits));
	mp_buf_u32(buf, bits);
}

void mp_write_f64(struct mp_buf *buf, double value)
{
	uint64_t bits;
	memcpy(&bits, &value, sizeof(bits));
	mp_buf_u64(buf, bits);
}

// ---- [value] around bytes, collections
// ----------------------------------------------------------------------------

size_t mp_write_value_begin(struct mp_buf *buf)
{
	size_t begin = buf->len;
	mp_buf_u32(buf, 0);
	return begin;
}

void mp_write_value_end(struct mp_buf *buf, size_t begin)
{
	if (buf->failed)
		return;
	size_t len = buf->len - begin - 4;
	if (len > INT32_MAX)
		buf->failed = true;
	else
		mp_buf_patch_u32(buf, begin, (uint32_t)len);
}

void mp_write_null(struct mp_buf *buf)
{
	mp_buf_i32(buf, -1);
}

void mp_write_unset(struct mp_buf *buf)
{
	mp_buf_i32(buf, -2);
}

int mp_value_elements(struct mp_bytes v, struct mp_cursor *elements, uint32_t *count)
{
	if (v.len < 4)
		return MP_ETYPE;
	struct mp_cursor cur = mp_cursor_on(v.data, (size_t)v.len);
	uint32_t n = mp_cursor_count(&cur, 4);
	if (cur.failed)
		return MP_ETYPE;
	*elements = cur;
	*count = n;
	return 0;
}
