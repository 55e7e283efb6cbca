// SPDX-License-Identifier: Apache-2.0
#include "base/rand.h"

static uint64_t rotl(uint64_t x, int by)
{
	return (x << by) | (x >> (64 - by));
}

void mp_rand_seed(struct mp_rand *rand, uint64_t seed)
{
	for (int i = 0; i < 4;
	     i++) { // splitmix64; never gives four zeros, the one state the generator cannot leave
		seed += 0x9e3779b97f4a7c15u;
		uint64_t z = seed;
		z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
		z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
		rand->s[i] = z ^ (z >> 31);
	}
}

uint64_t mp_rand_u64(struct mp_rand *rand)
{
	uint64_t *s = rand->s;
	uint64_t result = rotl(s[1] * 5, 7) * 9;
	uint64_t t = s[1] << 17;
	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotl(s[3], 45);
	return result;
}

uint32_t mp_rand_below(struct mp_rand *rand, uint32_t bound)
{
	if (bound == 0)
		return 0;
	// Lemire's multiplication: the low half tells the few draws that would make some results more likely.
	uint32_t reject_below = (0u - bound) % bound;
	for (;;) {
		uint64_t product = (mp_rand_u64(rand) >> 32) * bound;
		if ((uint32_t)product >= reject_below)
			return (uint32_t)(product >> 32);
	}
}

double mp_rand_unit(struct mp_rand *rand)
{
	return (double)(mp_rand_u64(rand) >> 11) * 0x1.0p-53;
}
