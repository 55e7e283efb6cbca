// SPDX-License-Identifier: Apache-2.0
// Quantiles of what a histogram gained lately. The histogram only grows, so lately is the difference to what it was:
// to a copy that is between one and two spans old. Who records pays nothing; who asks pays once a second.
#pragma once

#include "base/hist.h"

#define MP_RECENT_SPAN_MS    10000u
#define MP_RECENT_REFRESH_MS 1000u
#define MP_RECENT_ANSWERS    4 // different quantiles that are remembered

struct mp_recent {
	struct mp_hist from[2]; // as it was when the last span and the current one began
	bool has_begun;
	uint64_t since_ms; // of the current span
	uint32_t next;     // answer to be forgotten
	struct mp_recent_answer {
		double quantile;
		uint64_t at_ms;
		uint64_t count; // values it is of, 0: never asked
		uint64_t value;
	} answers[MP_RECENT_ANSWERS];
};

// Zeroed memory is an empty one: at first lately is everything. The quantile 0 < q <= 1 as it was less than a second
// ago; false: fewer than `least` values were added lately (or none).
bool mp_recent_quantile(struct mp_recent *recent, const struct mp_hist *hist, uint64_t now_ms, double q,
                        uint64_t least, uint64_t *value);
