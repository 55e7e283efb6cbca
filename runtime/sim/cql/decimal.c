// SPDX-License-Identifier: Apache-2.0
#include "sim/cql/decimal.h"

#include <string.h>

#include "base/err.h"
#include "wire/value.h"

#define DIGITS_MAX 9000 // a varint of as many is converted (wire/value_number.c)

static void trim(struct mp_sim_decimal *number)
{
	while (number->digits.len > 0 && number->digits.data[0] == '0') {
		number->digits.data++;
		number->digits.len--;
	}
}

int mp_sim_decimal_read(struct mp_arena *arena, bool varint, struct mp_bytes value,
                        struct mp_sim_decimal *out)
{
	struct mp_cursor cur = mp_cursor_on(value.data, value.len > 0 ? (size_t)value.len : 0);
	struct mp_buf text;
	int32_t scale = varint ? 0 : mp_cursor_i32(&cur);
	if (cur.failed || mp_cursor_left(&cur) == 0)
		return MP_ETYPE;
	mp_buf_init(&text);
	int rc = mp_value_varint_text((struct mp_bytes){cur.pos, (int32_t)mp_cursor_left(&cur)}, &text);
	bool negative = text.len > 0 && text.data[0] == '-';
	if (rc == 0) {
		*out = (struct mp_sim_decimal){.scale = scale, .negative = negative};
		out->digits =
			mp_arena_str(arena, (struct mp_str){(const char *)text.data + negative, text.len - negative});
		rc = out->digits.data == NULL ? MP_ENOMEM : out->digits.len > DIGITS_MAX ? MP_ETOOBIG : 0;
		trim(out);
	}
	mp_buf_deinit(&text);
	return rc;
}

// With `zeros` behind its digits, and so many more before them that there are `len`.
static char *widened(struct mp_arena *arena, const struct mp_sim_decimal *number, size_t zeros, size_t len)
{
	char *digits = mp_arena_alloc(arena, len + 1);
	if (digits == NULL)
		return NULL;
	memset(digits, '0', len);
	if (number->digits.len > 0)
		memcpy(digits + len - zeros - number->digits.len, number->digits.data, number->digits.len);
	return digits;
}

static void add_digits(char *a, const char *b, size_t len)
{
	int carry = 0;
	for (size_t i = len; i-- > 0; carry /= 10) {
		carry += (a[i] - '0') + (b[i] - '0');
		a[i] = (char)('0' + carry % 10);
	}
}

// a is not less than b.
static void subtract_digits(char *a, const char *b, size_t len)
{
	int borrow = 0;
	for (size_t i = len; i-- > 0;) {
		int digit = (a[i] - '0') - (b[i] - '0') - borrow;
		borrow = digit < 0;
		a[i] = (char)('0' + (digit < 0 ? digit + 10 : digit));
	}
}

int mp_sim_decimal_add(struct mp_arena *arena, const struct mp_sim_decimal *a, const struct mp_sim_decimal *b,
                       struct mp_sim_decimal *out)
{
	int32_t scale = a->scale > b->scale ? a->scale : b->scale;
	int64_t more_a = (int64_t)scale - a->scale, more_b = (int64_t)scale - b->scale;
	more_a = a->digits.len > 0 ? more_a : 0;
	more_b = b->digits.len > 0 ? more_b : 0;
	if (more_a > DIGITS_MAX || more_b > DIGITS_MAX)
		return MP_ETOOBIG;
	size_t len_a = a->digits.len + (size_t)more_a, len_b = b->digits.len + (size_t)more_b;
	size_t len = (len_a > len_b ? len_a : len_b) + 1;
	char *left = widened(arena, a, (size_t)more_a, len), *right = widened(arena, b, (size_t)more_b, len);
	if (left == NULL || right == NULL)
		return MP_ENOMEM;
	bool negative = a->negative;
	if (a->negative == b->negative) {
		add_digits(left, right, len);
	} else if (memcmp(left, right, len) >= 0) {
		subtract_digits(left, right, len);
	} else {
		subtract_digits(right, left, len);
		negative = b->negative;
		left = right;
	}
	*out = (struct mp_sim_decimal){.digits = {left, len}, .scale = scale, .negative = negative};
	trim(out);
	return out->digits.len > DIGITS_MAX ? MP_ETOOBIG : 0;
}

int mp_sim_decimal_divide(struct mp_arena *arena, const struct mp_sim_decimal *of, int64_t by, bool rounded,
                          struct mp_sim_decimal *out)
{
	size_t len = of->digits.len + 1; // one in which rounding may end
	char *digits = widened(arena, of, 0, len), *one = mp_arena_alloc(arena, len + 1);
	if (digits == NULL || one == NULL)
		return MP_ENOMEM;
	int64_t rest = 0;
	for (size_t i = 0; i < len; i++) {
		rest = rest * 10 + (digits[i] - '0');
		digits[i] = (char)('0' + rest / by);
		rest %= by;
	}
	bool odd = (digits[len - 1] - '0') % 2 == 1;
	memset(one, '0', len);
	one[len - 1] = '1';
	if (rounded && (rest * 2 > by || (rest * 2 == by && odd)))
		add_digits(digits, one, len);
	*out = (struct mp_sim_decimal){.digits = {digits, len}, .scale = of->scale, .negative = of->negative};
	trim(out);
	return 0;
}

int mp_sim_decimal_write(struct mp_buf *buf, bool varint, const struct mp_sim_decimal *number)
{
	struct mp_buf text;
	mp_buf_init(&text);
	if (number->negative)
		mp_buf_u8(&text, '-');
	mp_buf_bytes(&text, number->digits.data, number->digits.len);
	if (number->digits.len == 0)
		mp_buf_u8(&text, '0');
	if (!varint)
		mp_buf_i32(buf, number->scale);
	int rc = mp_buf_status(&text);
	if (rc == 0)
		rc = mp_write_varint_text(buf, (struct mp_str){(const char *)text.data, text.len});
	mp_buf_deinit(&text);
	return rc;
}
