// SPDX-License-Identifier: Apache-2.0
// varint and decimal as decimal text. A varint is a big-endian two's complement of any length; converting
// takes time in the square of its length, so one over MP_VARINT_MAX bytes is refused instead of converted. All
// work is on the stack.
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "wire/value.h"

#define WORDS_MAX   (MP_VARINT_MAX / 4u)
#define DIGITS_MAX  9864u // the most decimal digits that MP_VARINT_MAX bytes can give; text must have fewer
#define BILLION     1000000000u
#define PLAIN_SCALE 1000 // a decimal with more digits behind the point is written with an exponent

// An unsigned number: `count` words of 32 bits, the least significant first.
struct magnitude {
	uint32_t words[WORDS_MAX + 1];
	size_t count;
};

static void trim(struct magnitude *mag)
{
	while (mag->count > 0 && mag->words[mag->count - 1] == 0)
		mag->count--;
}

// The magnitude of a two's complement. True when negative.
static bool load(const uint8_t *bytes, size_t len, struct magnitude *mag)
{
	bool negative = bytes[0] >= 0x80;
	mag->count = (len + 3) / 4;
	uint32_t carry = negative ? 1 : 0;
	for (size_t i = 0; i < mag->count; i++) {
		uint32_t word = 0;
		for (size_t j = 0; j < 4; j++) {
			size_t from_end = 4 * i + j + 1;
			uint32_t byte = from_end <= len ? bytes[len - from_end] : (negative ? 0xffu : 0u);
			word |= byte << (8 * j);
		}
		if (negative) {
			uint64_t sum = (uint64_t)(uint32_t)~word + carry;
			word = (uint32_t)sum;
			carry = (uint32_t)(sum >> 32);
		}
		mag->words[i] = word;
	}
	trim(mag);
	return negative;
}

// Decimal digits, most significant first, without leading zeros; "0" for zero. Destroys the magnitude.
static size_t digits_of(struct magnitude *mag, char digits[DIGITS_MAX + 18])
{
	char *end = digits + DIGITS_MAX + 18;
	char *at = end;
	while (mag->count > 0) {
		uint64_t rest = 0;
		for (size_t i = mag->count; i-- > 0;) {
			uint64_t part = rest << 32 | mag->words[i];
			mag->words[i] = (uint32_t)(part / BILLION);
			rest = part % BILLION;
		}
		trim(mag);
		for (int i = 0; i < 9; i++, rest /= 10)
			*--at = (char)('0' + rest % 10);
	}
	while (at < end && *at == '0')
		at++;
	if (at == end)
		*--at = '0';
	size_t count = (size_t)(end - at);
	memmove(digits, at, count);
	return count;
}

// The sign and digits of a varint's bytes.
static int varint_digits(const uint8_t *bytes, int32_t len, char digits[DIGITS_MAX + 18], size_t *count,
                         bool *negative)
{
	if (len <= 0)
		return MP_ETYPE;
	if ((size_t)len > MP_VARINT_MAX)
		return MP_ETOOBIG;
	struct magnitude mag;
	*negative = load(bytes, (size_t)len, &mag);
	*count = digits_of(&mag, digits);
	return 0;
}

int mp_value_varint_text(struct mp_bytes v, struct mp_buf *out)
{
	char digits[DIGITS_MAX + 18];
	size_t count;
	bool negative;
	int rc = varint_digits(v.data, v.len, digits, &count, &negative);
	if (rc != 0)
		return rc;
	if (negative)
		mp_buf_u8(out, '-');
	mp_buf_bytes(out, digits, count);
	return mp_buf_status(out);
}

static void put_zeros(struct mp_buf *out, size_t count)
{
	for (size_t i = 0; i < count; i++)
		mp_buf_u8(out, '0');
}

int mp_value_decimal_text(struct mp_bytes v, struct mp_buf *out)
{
	if (v.len < 5)
		return MP_ETYPE;
	struct mp_cursor cur = mp_cursor_on(v.data, 4);
	int32_t scale = mp_cursor_i32(&cur);
	char digits[DIGITS_MAX + 18];
	size_t count;
	bool negative;
	int rc = varint_digits(v.data + 4, v.len - 4, digits, &count, &negative);
	if (rc != 0)
		return rc;
	if (negative)
		mp_buf_u8(out, '-');
	if (scale < 0 || scale > PLAIN_SCALE) {
		mp_buf_bytes(out, digits, count);
		mp_buf_printf(out, "E%+lld", -(long long)scale);
		return mp_buf_status(out);
	}
	size_t behind = (size_t)scale;
	if (count > behind) {
		mp_buf_bytes(out, digits, count - behind);
	} else {
		mp_buf_u8(out, '0');
	}
	if (behind > 0)
		mp_buf_u8(out, '.');
	if (count < behind)
		put_zeros(out, behind - count);
	size_t fraction = count < behind ? count : behind;
	mp_buf_bytes(out, digits + count - fraction, fraction);
	return mp_buf_status(out);
}

// ---- from text
// ------------------------------------------------------------------------------------------------------

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static void multiply_add(struct magnitude *mag, uint32_t factor, uint32_t add)
{
	uint64_t carry = add;
	for (size_t i = 0; i < mag->count; i++) {
		carry += (uint64_t)mag->words[i] * factor;
		mag->words[i] = (uint32_t)carry;
		carry >>= 32;
	}
	if (carry != 0)
		mag->words[mag->count++] = (uint32_t)carry;
}

// Append a magnitude as the shortest two's complement.
static void put_varint(struct mp_buf *out, const struct magnitude *mag, bool negative)
{
	uint8_t *to = mp_buf_reserve(out, 4 * mag->count + 1);
	if (to == NULL)
		return;
	uint8_t bytes[4 * (WORDS_MAX + 1) + 1];
	size_t len = 4 * mag->count + 1;
	bytes[0] = 0;
	for (size_t i = 0; i < len - 1; i++)
		bytes[len - 1 - i] = (uint8_t)(mag->words[i / 4] >> (8 * (i % 4)));
	if (negative) {
		unsigned carry = 1;
		for (size_t i = len; i-- > 0;) {
			unsigned sum = (uint8_t)~bytes[i] + carry;
			bytes[i] = (uint8_t)sum;
			carry = sum >> 8;
		}
	}
	size_t skip = 0;
	while (skip + 1 < len && (bytes[skip] == 0x00 || bytes[skip] == 0xff) &&
	       (bytes[skip] & 0x80) == (bytes[skip + 1] & 0x80))
		skip++;
	memcpy(to, bytes + skip, len - skip);
	out->len += len - skip;
}

// [+-] digits [. digits]: the number without its point; `behind` counts the digits behind it. Stops at
// another character; MP_ETYPE without any digit.
static int scan_number(struct mp_cursor *text, bool with_point, struct magnitude *mag, bool *negative,
                       int32_t *behind)
{
	const char *at = (const char *)text->pos;
	const char *end = (const char *)text->end;
	*negative = at < end && *at == '-';
	if (at < end && (*at == '-' || *at == '+'))
		at++;
	uint32_t group = 0;
	uint32_t factor = 1;
	size_t digits = 0;
	size_t significant = 0;
	bool point = false;
	mag->count = 0;
	*behind = 0;
	for (; at < end && (is_digit(*at) || (with_point && !point && *at == '.')); at++) {
		if (*at == '.') {
			point = true;
			continue;
		}
		digits++;
		*behind += point ? 1 : 0;
		if (significant > 0 || *at != '0')
			significant++;
		if (significant >= DIGITS_MAX || digits > INT32_MAX / 2)
			return MP_ETOOBIG;
		group = group * 10 + (uint32_t)(*at - '0');
		factor *= 10;
		if (factor == BILLION) {
			multiply_add(mag, BILLION, group);
			group = 0;
			factor = 1;
		}
	}
	multiply_add(mag, factor, group);
	text->pos = (const uint8_t *)at;
	return digits > 0 ? 0 : MP_ETYPE;
}

int mp_write_varint_text(struct mp_buf *buf, struct mp_str text)
{
	struct mp_cursor cur = mp_cursor_on(text.data, text.len);
	struct magnitude mag;
	bool negative;
	int32_t behind;
	int rc = scan_number(&cur, false, &mag, &negative, &behind);
	if (rc != 0)
		return rc;
	if (mp_cursor_left(&cur) > 0)
		return MP_ETYPE;
	put_varint(buf, &mag, negative);
	return mp_buf_status(buf);
}

// What follows the digits: nothing, or e and a power of ten.
static int scan_exponent(struct mp_cursor *text, int64_t *exponent)
{
	*exponent = 0;
	if (mp_cursor_left(text) == 0)
		return 0;
	uint8_t e = mp_cursor_u8(text);
	if ((e != 'e' && e != 'E') || mp_cursor_left(text) == 0)
		return MP_ETYPE;
	bool negative = *text->pos == '-';
	if (*text->pos == '-' || *text->pos == '+')
		text->pos++;
	if (mp_cursor_left(text) == 0)
		return MP_ETYPE;
	while (mp_cursor_left(text) > 0) {
		char c = (char)mp_cursor_u8(text);
		if (!is_digit(c) || *exponent > INT32_MAX)
			return MP_ETYPE;
		*exponent = *exponent * 10 + (c - '0');
	}
	if (negative)
		*exponent = -*exponent;
	return 0;
}

int mp_write_decimal_text(struct mp_buf *buf, struct mp_str text)
{
	struct mp_cursor cur = mp_cursor_on(text.data, text.len);
	struct magnitude mag;
	bool negative;
	int32_t behind;
	int rc = scan_number(&cur, true, &mag, &negative, &behind);
	if (rc != 0)
		return rc;
	int64_t exponent;
	rc = scan_exponent(&cur, &exponent);
	if (rc != 0)
		return rc;
	int64_t scale = behind - exponent;
	if (scale < INT32_MIN || scale > INT32_MAX)
		return MP_ETYPE;
	mp_buf_i32(buf, (int32_t)scale);
	put_varint(buf, &mag, negative);
	return mp_buf_status(buf);
}
