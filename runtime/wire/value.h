// SPDX-License-Identifier: Apache-2.0
// The bytes of CQL values (section 6): fixed-width numbers, varint and decimal as decimal text, durations as three
// numbers, collections as counted elements. Every reader checks the length; MP_ETYPE when it does not fit.
#pragma once

#include "base/buf.h"
#include "base/cursor.h"

int mp_value_i8(struct mp_bytes v, int8_t *out) MP_MUST_CHECK;
int mp_value_i16(struct mp_bytes v, int16_t *out) MP_MUST_CHECK;
int mp_value_i32(struct mp_bytes v, int32_t *out) MP_MUST_CHECK;
int mp_value_i64(struct mp_bytes v, int64_t *out) MP_MUST_CHECK;
int mp_value_f32(struct mp_bytes v, float *out) MP_MUST_CHECK;
int mp_value_f64(struct mp_bytes v, double *out) MP_MUST_CHECK;
int mp_value_bool(struct mp_bytes v, bool *out) MP_MUST_CHECK;
// date: days with 2^31 at 1970-01-01
int mp_value_date(struct mp_bytes v, uint32_t *out) MP_MUST_CHECK;
int mp_value_inet(struct mp_bytes v, uint8_t ip[16], size_t *ip_len) MP_MUST_CHECK; // ip_len 4 or 16
int mp_value_duration(struct mp_bytes v, int32_t *months, int32_t *days, int64_t *nanos) MP_MUST_CHECK;
#define MP_VARINT_MAX 4096 // bytes of a number that is converted
// Decimal text, appended to `out`: varint "-12345678901234567890"; decimal "-1.50" (plain notation, scale kept;
// scales below 0 or above 1000 as "15E+3"). A number over MP_VARINT_MAX bytes is not converted: MP_ETOOBIG.
int mp_value_varint_text(struct mp_bytes v, struct mp_buf *out) MP_MUST_CHECK;
int mp_value_decimal_text(struct mp_bytes v, struct mp_buf *out) MP_MUST_CHECK;

// Writers append the value's bytes without a length.
void mp_write_f32(struct mp_buf *buf, float value);
void mp_write_f64(struct mp_buf *buf, double value);
void mp_write_duration(struct mp_buf *buf, int32_t months, int32_t days, int64_t nanos);
int mp_write_varint_text(struct mp_buf *buf, struct mp_str text) MP_MUST_CHECK;  // MP_ETYPE: not an integer
int mp_write_decimal_text(struct mp_buf *buf, struct mp_str text) MP_MUST_CHECK; // MP_ETYPE: not a decimal
// Both: MP_ETOOBIG beyond 9,863 digits, MP_ENOMEM; then nothing usable was appended.

// A [value] around what is appended between begin and end: the i32 length is patched in. Null: mp_write_null().
size_t mp_write_value_begin(struct mp_buf *buf);
void mp_write_value_end(struct mp_buf *buf, size_t begin);
void mp_write_null(struct mp_buf *buf);  // length -1
void mp_write_unset(struct mp_buf *buf); // length -2 (v4 and up)

// An unsigned [vint], as it stands before an element of a vector.
uint64_t mp_value_uvint(struct mp_cursor *cur);
size_t mp_uvint_bytes(uint64_t value, uint8_t bytes[9]); // how many they are

// Collections: i32 count, then elements as [bytes]; maps have 2 * count of them. The count is checked against the
// bytes that are left.
int mp_value_elements(struct mp_bytes v, struct mp_cursor *elements, uint32_t *count) MP_MUST_CHECK;
