// SPDX-License-Identifier: Apache-2.0
// A latency histogram with fixed memory: 16 linear steps in each power of two, so a quantile is at most 6.25 % off.
// Recording is one increment; quantiles are computed by whoever asks.
#pragma once

#include "base/defs.h"

#define MP_HIST_BUCKETS 976 // 64 - 4 powers of two, 16 steps each, and 16 exact small values

struct mp_hist {
	uint64_t count;
	uint64_t sum;
	uint64_t max;
	uint64_t buckets[MP_HIST_BUCKETS];
};

// Which bucket a value falls in, and the largest value of a bucket.
inline size_t mp_hist_bucket(uint64_t value)
{
	unsigned shift = 59u - (unsigned)__builtin_clzll(value | 16); // the five highest bits are left of it
	return shift * 16u + (size_t)(value >> shift);
}
uint64_t mp_hist_edge(size_t bucket);

void mp_hist_reset(struct mp_hist *hist);
void mp_hist_add(struct mp_hist *hist, uint64_t value);
uint64_t mp_hist_quantile(const struct mp_hist *hist,
                          double q);             // 0 <= q <= 1; 0 when empty; upper edge of the bucket
double mp_hist_mean(const struct mp_hist *hist); // 0 when empty
