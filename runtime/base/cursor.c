// SPDX-License-Identifier: Apache-2.0
#include "base/cursor.h"

#include <string.h>

#include "base/err.h"

struct mp_cursor mp_cursor_on(const void *data, size_t len)
{
	const uint8_t *pos = data;
	return (struct mp_cursor){.pos = pos, .end = len > 0 ? pos + len : pos};
}

size_t mp_cursor_left(const struct mp_cursor *cur)
{
	return (size_t)(cur->end - cur->pos);
}

int mp_cursor_status(const struct mp_cursor *cur)
{
	return cur->failed ? MP_EPROTO : 0;
}

void mp_cursor_fail(struct mp_cursor *cur, const char *why)
{
	if (!cur->failed)
		cur->why = why;
	cur->failed = true;
}

MP_INLINE const uint8_t *take(struct mp_cursor *cur, size_t len)
{
	if (MP_UNLIKELY(cur->failed || len > (size_t)(cur->end - cur->pos))) {
		cur->failed = true;
		return NULL;
	}
	const uint8_t *at = cur->pos;
	if (len > 0)
		cur->pos += len;
	return at;
}

const uint8_t *mp_cursor_take(struct mp_cursor *cur, size_t len)
{
	return take(cur, len);
}

// A big-endian number of `bytes` bytes, 0 when there are not so many.
MP_INLINE uint64_t take_be(struct mp_cursor *cur, unsigned bytes)
{
	const uint8_t *at = take(cur, bytes);
	if (MP_UNLIKELY(at == NULL))
		return 0;
	uint64_t value = 0;
	memcpy(&value, at, bytes);
	return __builtin_bswap64(value) >> (64 - 8 * bytes);
}

uint8_t mp_cursor_u8(struct mp_cursor *cur)
{
	return (uint8_t)take_be(cur, 1);
}

uint16_t mp_cursor_u16(struct mp_cursor *cur)
{
	return (uint16_t)take_be(cur, 2);
}

uint32_t mp_cursor_u32(struct mp_cursor *cur)
{
	return (uint32_t)take_be(cur, 4);
}

int32_t mp_cursor_i32(struct mp_cursor *cur)
{
	return (int32_t)(uint32_t)take_be(cur, 4);
}

int64_t mp_cursor_i64(struct mp_cursor *cur)
{
	return (int64_t)take_be(cur, 8);
}

static struct mp_str take_str(struct mp_cursor *cur, size_t len)
{
	const uint8_t *at = mp_cursor_take(cur, len);
	return at == NULL ? (struct mp_str){"", 0} : (struct mp_str){(const char *)at, len};
}

struct mp_str mp_cursor_string(struct mp_cursor *cur)
{
	return take_str(cur, mp_cursor_u16(cur));
}

struct mp_str mp_cursor_long_string(struct mp_cursor *cur)
{
	int32_t len = mp_cursor_i32(cur);
	if (len < 0)
		cur->failed = true;
	return take_str(cur, len < 0 ? 0 : (size_t)len);
}

struct mp_bytes mp_cursor_bytes(struct mp_cursor *cur)
{
	int32_t len = mp_cursor_i32(cur);
	if (len < 0)
		return (struct mp_bytes){NULL, len == -2 ? -2 : -1};
	const uint8_t *at = mp_cursor_take(cur, (size_t)len);
	return at == NULL ? (struct mp_bytes){NULL, -1} : (struct mp_bytes){at, len};
}

struct mp_bytes mp_cursor_short_bytes(struct mp_cursor *cur)
{
	uint16_t len = mp_cursor_u16(cur);
	const uint8_t *at = mp_cursor_take(cur, len);
	return at == NULL ? (struct mp_bytes){NULL, -1} : (struct mp_bytes){at, len};
}

uint32_t mp_cursor_count(struct mp_cursor *cur, size_t min_bytes)
{
	mp_assert(min_bytes > 0);
	int32_t count = mp_cursor_i32(cur);
	if (count < 0 || (size_t)count > mp_cursor_left(cur) / min_bytes)
		cur->failed = true;
	return cur->failed ? 0 : (uint32_t)count;
}

struct mp_str mp_str_of(const char *text)
{
	return (struct mp_str){text, strlen(text)};
}

bool mp_str_eq(struct mp_str a, struct mp_str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool mp_str_is(struct mp_str a, const char *text)
{
	return mp_str_eq(a, mp_str_of(text));
}

// Not tolower(): what that does depends on the process's locale.
static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool mp_str_is_nocase(struct mp_str a, const char *text)
{
	for (size_t i = 0; i < a.len; i++)
		if (text[i] == '\0' || lower(a.data[i]) != lower(text[i]))
			return false;
	return text[a.len] == '\0';
}
