// SPDX-License-Identifier: Apache-2.0
// The one place that reads untrusted bytes: a cursor that cannot leave its span. A read past the end gives zero,
// sets `failed` and moves nothing, so a decoder may read a whole structure and look once. All lengths are checked
// before any arithmetic with them.
#pragma once

#include "base/defs.h"

struct mp_cursor {
	const uint8_t *pos;
	const uint8_t *end;
	const char *why; // a text that stays, of who knew better than that it ends too early; or NULL
	bool failed;
};

// Borrowed bytes. `data` NULL with `len` 0 is empty; NULL as a CQL value is told apart by `len` < 0 in mp_bytes.
struct mp_str {
	const char *data;
	size_t len;
};

// A CQL [bytes] value: len -1 is null, -2 is "not set" (v4+), otherwise `len` bytes at `data`.
struct mp_bytes {
	const uint8_t *data;
	int32_t len;
};

struct mp_cursor mp_cursor_on(const void *data, size_t len);
size_t mp_cursor_left(const struct mp_cursor *cur);
int mp_cursor_status(const struct mp_cursor *cur) MP_MUST_CHECK; // 0 or MP_EPROTO
void mp_cursor_fail(struct mp_cursor *cur, const char *why);     // `why` stays; the first one counts

uint8_t mp_cursor_u8(struct mp_cursor *cur);
uint16_t mp_cursor_u16(struct mp_cursor *cur);
uint32_t mp_cursor_u32(struct mp_cursor *cur);
int32_t mp_cursor_i32(struct mp_cursor *cur);
int64_t mp_cursor_i64(struct mp_cursor *cur);
// `len` raw bytes, or NULL (failed).
const uint8_t *mp_cursor_take(struct mp_cursor *cur, size_t len);
struct mp_str mp_cursor_string(struct mp_cursor *cur);      // [string]: u16 length
struct mp_str mp_cursor_long_string(struct mp_cursor *cur); // [long string]: i32 length, negative fails
struct mp_bytes mp_cursor_bytes(struct mp_cursor *cur); // [bytes]/[value]: i32 length, any negative is null
struct mp_bytes mp_cursor_short_bytes(struct mp_cursor *cur); // [short bytes]: u16 length
// A count of elements of at least `min_bytes` each (>= 1): fails unless they can all fit in what is left.
uint32_t mp_cursor_count(struct mp_cursor *cur, size_t min_bytes);

struct mp_str mp_str_of(const char *text); // NUL-terminated text
bool mp_str_eq(struct mp_str a, struct mp_str b);
bool mp_str_is(struct mp_str a, const char *text);
bool mp_str_is_nocase(struct mp_str a, const char *text); // ASCII
