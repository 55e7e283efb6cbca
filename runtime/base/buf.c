// SPDX-License-Identifier: Apache-2.0
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

#define SMALLEST 256

void mp_buf_init(struct mp_buf *buf)
{
	memset(buf, 0, sizeof(*buf));
}

void mp_buf_deinit(struct mp_buf *buf)
{
	mp_free(buf->data);
	mp_buf_init(buf);
}

void mp_buf_clear(struct mp_buf *buf)
{
	buf->len = 0;
	buf->failed = false;
}

static MP_COLD uint8_t *grow(struct mp_buf *buf, size_t more)
{
	if (more > SIZE_MAX / 4 || buf->len > SIZE_MAX / 4) {
		buf->failed = true;
		return NULL;
	}
	size_t want = buf->len + more;
	size_t cap = buf->cap < SMALLEST ? SMALLEST : buf->cap;
	while (cap < want)
		cap *= 2;
	uint8_t *data = mp_realloc(buf->data, cap);
	if (data == NULL) {
		buf->failed = true;
		return NULL;
	}
	buf->data = data;
	buf->cap = cap;
	return data + buf->len;
}

uint8_t *mp_buf_reserve(struct mp_buf *buf, size_t more)
{
	if (MP_UNLIKELY(buf->failed))
		return NULL;
	if (MP_LIKELY(buf->data != NULL && more <= buf->cap - buf->len))
		return buf->data + buf->len;
	return grow(buf, more);
}

int mp_buf_status(const struct mp_buf *buf)
{
	return buf->failed ? MP_ENOMEM : 0;
}

void mp_buf_bytes(struct mp_buf *buf, const void *bytes, size_t len)
{
	if (len == 0)
		return;
	uint8_t *to = mp_buf_reserve(buf, len);
	if (to == NULL)
		return;
	memcpy(to, bytes, len);
	buf->len += len;
}

MP_INLINE void put_be(struct mp_buf *buf, uint64_t value, unsigned bytes)
{
	uint8_t *to = mp_buf_reserve(buf, bytes);
	if (to == NULL)
		return;
	uint64_t swapped = __builtin_bswap64(value << (64 - 8 * bytes));
	memcpy(to, &swapped, bytes);
	buf->len += bytes;
}

void mp_buf_u8(struct mp_buf *buf, uint8_t value)
{
	put_be(buf, value, 1);
}

void mp_buf_u16(struct mp_buf *buf, uint16_t value)
{
	put_be(buf, value, 2);
}

void mp_buf_u32(struct mp_buf *buf, uint32_t value)
{
	put_be(buf, value, 4);
}

void mp_buf_i32(struct mp_buf *buf, int32_t value)
{
	put_be(buf, (uint32_t)value, 4);
}

void mp_buf_u64(struct mp_buf *buf, uint64_t value)
{
	put_be(buf, value, 8);
}

void mp_buf_i64(struct mp_buf *buf, int64_t value)
{
	put_be(buf, (uint64_t)value, 8);
}

void mp_buf_text(struct mp_buf *buf, const char *text)
{
	mp_buf_bytes(buf, text, strlen(text));
}

void mp_buf_printf(struct mp_buf *buf, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	mp_assert(len >= 0);
	// vsnprintf writes its NUL behind the text: room for it, but it is not counted.
	char *to = (char *)mp_buf_reserve(buf, (size_t)len + 1);
	if (to == NULL)
		return;
	va_start(args, format);
	vsnprintf(to, (size_t)len + 1, format, args);
	va_end(args);
	buf->len += (size_t)len;
}

void mp_buf_patch_u32(struct mp_buf *buf, size_t at, uint32_t value)
{
	if (buf->failed)
		return;
	mp_assert(at + 4 <= buf->len);
	uint32_t swapped = __builtin_bswap32(value);
	memcpy(buf->data + at, &swapped, 4);
}

void mp_buf_drop_front(struct mp_buf *buf, size_t count)
{
	mp_assert(count <= buf->len);
	buf->len -= count;
	if (buf->len > 0 && count > 0)
		memmove(buf->data, buf->data + count, buf->len);
}
