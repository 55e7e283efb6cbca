// SPDX-License-Identifier: Apache-2.0
// A growable run of bytes: `len` used of `cap`, big-endian appenders for the CQL protocol's primitives.
// An append that fails (out of memory) sets `failed` and every later append does nothing, so a caller may encode a
// whole message and look once.
#pragma once

#include "base/defs.h"

struct mp_buf {
	uint8_t *data;
	size_t len;
	size_t cap;
	bool failed; // an append did not fit: the content is not to be used
};

void mp_buf_init(struct mp_buf *buf);
void mp_buf_deinit(struct mp_buf *buf);
void mp_buf_clear(struct mp_buf *buf); // len = 0, failed = false, memory kept

// Room for `more` bytes behind `len`: a pointer to it, or NULL (then failed is set). Does not change `len`.
uint8_t *mp_buf_reserve(struct mp_buf *buf, size_t more) MP_MUST_CHECK;
int mp_buf_status(const struct mp_buf *buf) MP_MUST_CHECK; // 0 or MP_ENOMEM

void mp_buf_bytes(struct mp_buf *buf, const void *bytes, size_t len);
void mp_buf_u8(struct mp_buf *buf, uint8_t value);
void mp_buf_u16(struct mp_buf *buf, uint16_t value);
void mp_buf_u32(struct mp_buf *buf, uint32_t value);
void mp_buf_i32(struct mp_buf *buf, int32_t value);
void mp_buf_u64(struct mp_buf *buf, uint64_t value);
void mp_buf_i64(struct mp_buf *buf, int64_t value);
void mp_buf_text(struct mp_buf *buf, const char *text); // NUL-terminated text, without its NUL
void mp_buf_printf(struct mp_buf *buf, const char *format, ...) MP_PRINTF(2, 3);
// Overwrite four bytes written before, at `at` (a length that was not known yet).
void mp_buf_patch_u32(struct mp_buf *buf, size_t at, uint32_t value);
// Drop `count` bytes at the front (a memmove: for slow paths).
void mp_buf_drop_front(struct mp_buf *buf, size_t count);
