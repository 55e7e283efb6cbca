// SPDX-License-Identifier: Apache-2.0
#include "cluster/decisions/sampler.h"

#include <math.h>

void mp_sampler_stop(struct mp_sampler *sampler)
{
	sampler->wait = UINT64_MAX;
}

static double draw(struct mp_sampler *sampler)
{
	sampler->chance = sampler->chance * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (double)(sampler->chance >> 11) / 9007199254740992.0;
}

// What is cut off a wait is owed to the next.
void mp_sampler_next(struct mp_sampler *sampler, double share)
{
	double mean = 1 / share - 1;
	double wait = 2 * mean * draw(sampler) + sampler->owed;
	sampler->wait = wait < 1e15 ? (uint64_t)wait : (uint64_t)1e15;
	sampler->owed = wait - floor(wait);
}
