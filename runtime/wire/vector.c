// SPDX-License-Identifier: Apache-2.0
#include "wire/vector.h"

#include <string.h>

#include "base/err.h"
#include "wire/value.h"

int mp_vector_elements(const struct mp_type *type, struct mp_bytes value, struct mp_cursor *elements)
{
	int32_t width = mp_type_width(type->children[0]);
	if (width > 0 ? value.len != width * type->dimension : value.len < type->dimension)
		return MP_ETYPE;
	*elements = mp_cursor_on(value.data, (size_t)value.len);
	return 0;
}

struct mp_bytes mp_vector_next(struct mp_cursor *elements, const struct mp_type *type)
{
	int32_t width = mp_type_width(type->children[0]);
	uint64_t len = width > 0 ? (uint64_t)width : mp_value_uvint(elements);
	if (len > INT32_MAX) // mp_cursor_take() asks for what is left, and no value is longer
		elements->failed = true;
	const uint8_t *data = elements->failed ? NULL : mp_cursor_take(elements, (size_t)len);
	return (struct mp_bytes){data, data != NULL ? (int32_t)len : -1};
}

int mp_vector_close(struct mp_buf *buf, size_t begin, const struct mp_type *type)
{
	if (buf->failed)
		return 0; // as every append, until somebody looks
	struct mp_cursor cur = mp_cursor_on(buf->data + begin, buf->len - begin);
	int32_t len = mp_cursor_i32(&cur);
	int32_t width = mp_type_width(type->children[0]);
	if (len < 0 || (width > 0 && len != width))
		return MP_ETYPE;
	uint8_t head[9];
	size_t head_len = width > 0 ? 0 : mp_uvint_bytes((uint64_t)len, head);
	if (head_len > 4 && mp_buf_reserve(buf, head_len - 4) == NULL)
		return 0;
	uint8_t *at = buf->data + begin;
	memmove(at + head_len, at + 4, (size_t)len);
	memcpy(at, head, head_len);
	buf->len = begin + head_len + (size_t)len;
	return 0;
}
