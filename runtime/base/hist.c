// SPDX-License-Identifier: Apache-2.0
// Values below 16 have a bucket each. A larger one, with its highest bit at e, falls in one of the 16 equal
// steps between 2^e and 2^(e+1).
#include "base/hist.h"

#include <string.h>

void mp_hist_reset(struct mp_hist *hist)
{
	memset(hist, 0, sizeof(*hist));
}

extern inline size_t mp_hist_bucket(uint64_t value);

uint64_t mp_hist_edge(size_t bucket)
{
	if (bucket < 16)
		return bucket;
	unsigned shift = (unsigned)(bucket - 16) / 16u;
	uint64_t step = (bucket - 16) % 16;
	return ((16 + step) << shift) + (((uint64_t)1 << shift) - 1);
}

void mp_hist_add(struct mp_hist *hist, uint64_t value)
{
	hist->count++;
	hist->sum += value;
	if (value > hist->max)
		hist->max = value;
	hist->buckets[mp_hist_bucket(value)]++;
}

uint64_t mp_hist_quantile(const struct mp_hist *hist, double q)
{
	if (hist->count == 0)
		return 0;
	double exact = q * (double)hist->count;
	uint64_t rank = exact < 1 ? 1 : (uint64_t)exact;
	if ((double)rank < exact)
		rank++;
	uint64_t seen = 0;
	for (size_t i = 0; i < MP_HIST_BUCKETS; i++) {
		seen += hist->buckets[i];
		if (seen >= rank)
			return mp_hist_edge(i) < hist->max ? mp_hist_edge(i) : hist->max;
	}
	return hist->max;
}

double mp_hist_mean(const struct mp_hist *hist)
{
	return hist->count == 0 ? 0 : (double)hist->sum / (double)hist->count;
}
