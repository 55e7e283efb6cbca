// SPDX-License-Identifier: Apache-2.0
// Numbers of any length, as varint and decimal have them, to be added up and shared out: decimal digits in an arena,
// with a sign and a scale, as Java's BigDecimal has them.
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/cursor.h"

struct mp_sim_decimal {
	struct mp_str digits; // without leading zeros: none is 0
	int32_t scale;        // so many of them are behind the point; of a varint 0
	bool negative;
};

// MP_ETOOBIG: more digits than are reckoned with. MP_ETYPE: no number. `out` may be one of the operands.
int mp_sim_decimal_read(struct mp_arena *arena, bool varint, struct mp_bytes value,
                        struct mp_sim_decimal *out) MP_MUST_CHECK;
// With the larger of the two scales.
int mp_sim_decimal_add(struct mp_arena *arena, const struct mp_sim_decimal *a, const struct mp_sim_decimal *b,
                       struct mp_sim_decimal *out) MP_MUST_CHECK;
// Of the same scale: the rest is dropped, or rounded half to even. `by` is positive and below 2^59.
int mp_sim_decimal_divide(struct mp_arena *arena, const struct mp_sim_decimal *of, int64_t by, bool rounded,
                          struct mp_sim_decimal *out) MP_MUST_CHECK;
// The bytes of a value.
int mp_sim_decimal_write(struct mp_buf *buf, bool varint, const struct mp_sim_decimal *number) MP_MUST_CHECK;
