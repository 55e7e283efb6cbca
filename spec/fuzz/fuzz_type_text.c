// SPDX-License-Identifier: Apache-2.0
// The parser of CQL types: what it accepts is written as text and as bytes, and both must give the same type again.
#include <string.h>

#include "base/err.h"
#include "fuzz.h"
#include "wire/type.h"

// Does a type hold one of `id`, and (`in_vector`) that inside of a vector?
static bool holds(const struct mp_type *type, uint16_t id, bool in_vector)
{
	if (type->id == id && !in_vector)
		return true;
	for (uint16_t i = 0; i < type->child_count; i++) {
		if (holds(type->children[i], id, in_vector && type->id != MP_TYPE_VECTOR))
			return true;
	}
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mp_arena arena;
	struct mp_buf buf;
	mp_arena_init(&arena);
	mp_buf_init(&buf);
	struct mp_type *type = mp_type_parse((struct mp_str){(const char *)data, size}, &arena);
	if (type != NULL) {
		mp_type_format(&buf, type);
		struct mp_type *again = mp_type_parse((struct mp_str){(const char *)buf.data, buf.len}, &arena);
		// The name of a user's type is looked up, and that of a class is any text.
		mp_assert(holds(type, MP_TYPE_UDT, false) || (again != NULL && mp_type_eq(type, again)));
		for (uint8_t version = 3; version <= 5 && !holds(type, MP_TYPE_CUSTOM, true); version++) {
			mp_buf_clear(&buf);
			mp_type_write(&buf, type, version);
			int err;
			struct mp_cursor cur = mp_cursor_on(buf.data, buf.len);
			again = buf.failed ? NULL : mp_type_read(&cur, &arena, &err);
			mp_assert(buf.failed || (again != NULL && mp_type_eq(type, again) && mp_cursor_left(&cur) == 0));
		}
	}
	mp_buf_deinit(&buf);
	mp_arena_deinit(&arena);
	return 0;
}
