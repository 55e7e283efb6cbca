// SPDX-License-Identifier: Apache-2.0
#include "wire/notation.h"

#include <string.h>

void mp_put_string(struct mp_buf *buf, struct mp_str text)
{
	if (text.len > UINT16_MAX) {
		buf->failed = true;
		return;
	}
	uint8_t *to = mp_buf_reserve(buf, 2 + text.len);
	if (to == NULL)
		return;
	to[0] = (uint8_t)(text.len >> 8);
	to[1] = (uint8_t)text.len;
	if (text.len > 0)
		memcpy(to + 2, text.data, text.len);
	buf->len += 2 + text.len;
}

void mp_put_bytes(struct mp_buf *buf, const void *bytes, size_t len)
{
	if (len > INT32_MAX) {
		buf->failed = true;
		return;
	}
	mp_buf_u32(buf, (uint32_t)len);
	mp_buf_bytes(buf, bytes, len);
}

void mp_put_long_string(struct mp_buf *buf, struct mp_str text)
{
	mp_put_bytes(buf, text.data, text.len);
}

void mp_put_text(struct mp_buf *buf, const char *text)
{
	mp_put_string(buf, mp_str_of(text));
}

void mp_put_schema_change(struct mp_buf *buf, const char *change, const char *target, struct mp_str keyspace,
                          struct mp_str name)
{
	mp_put_text(buf, change);
	mp_put_text(buf, target);
	mp_put_string(buf, keyspace);
	if (strcmp(target, "KEYSPACE") == 0)
		return;
	mp_put_string(buf, name);
	if (strcmp(target, "FUNCTION") == 0 || strcmp(target, "AGGREGATE") == 0)
		mp_buf_u16(buf, 0); // argument types
}
