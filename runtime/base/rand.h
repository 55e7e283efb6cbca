// SPDX-License-Identifier: Apache-2.0
// The one source of chance (xoshiro256**, Blackman and Vigna 2018, seeded by splitmix64). Everything random in a world
// comes from one of these, so a seed replays a run. Not for secrets.
#pragma once

#include "base/defs.h"

struct mp_rand {
	uint64_t s[4];
};

void mp_rand_seed(struct mp_rand *rand, uint64_t seed);
uint64_t mp_rand_u64(struct mp_rand *rand);
uint32_t mp_rand_below(struct mp_rand *rand, uint32_t bound); // uniform in [0, bound), 0 for bound 0
double mp_rand_unit(struct mp_rand *rand);                    // uniform in [0, 1)
