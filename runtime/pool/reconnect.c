// SPDX-License-Identifier: Apache-2.0
// Full jitter, but never below half of the base: a hundred clients of a node that came back spread over the
// whole window, and none of them spins.
#include "pool/reconnect.h"

uint32_t mp_reconnect_next_ms(struct mp_reconnect *reconnect, struct mp_rand *rand)
{
	uint64_t high = reconnect->base_ms;
	// 32 doublings of at least 1 ms are beyond every uint32_t.
	high <<= reconnect->attempt < 32 ? reconnect->attempt : 32;
	if (high > reconnect->max_ms)
		high = reconnect->max_ms;
	uint64_t low = reconnect->base_ms / 2;
	if (reconnect->attempt < UINT32_MAX)
		reconnect->attempt++;
	if (high <= low)
		return (uint32_t)low;
	uint64_t width = high - low + 1;
	return (uint32_t)(low + (width <= UINT32_MAX ? mp_rand_below(rand, (uint32_t)width)
	                                             : mp_rand_u64(rand) % width));
}

void mp_reconnect_reset(struct mp_reconnect *reconnect)
{
	reconnect->attempt = 0;
}
