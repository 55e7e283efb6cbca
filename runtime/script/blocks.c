// SPDX-License-Identifier: Apache-2.0
#include "script/blocks.h"

#include <stdio.h>
#include <string.h>

#define NS_PER_MS UINT64_C(1000000)

static struct mp_block *place_of(struct mp_blocks *blocks, const char *what)
{
	struct mp_block *oldest = &blocks->list[0];
	for (size_t i = 0; i < MP_BLOCKS; i++) {
		struct mp_block *block = &blocks->list[i];
		if (strncmp(block->what, what, sizeof(block->what) - 1) == 0)
			return block;
		oldest = block->at_ms < oldest->at_ms ? block : oldest;
	}
	*oldest = (struct mp_block){.times = 0};
	snprintf(oldest->what, sizeof(oldest->what), "%s", what);
	return oldest;
}

void mp_blocks_note(struct mp_blocks *blocks, struct mp_loop *loop, const char *what, uint64_t since_ns)
{
	uint64_t ms = (mp_loop_clock_ns(loop) - since_ns) / NS_PER_MS;
	if (MP_LIKELY(ms < MP_BLOCK_MS))
		return;
	struct mp_block *block = place_of(blocks, what);
	block->at_ms = mp_loop_now_ms(loop) + ms;
	if (block->times++ == 0)
		mp_log_write(mp_loop_log(loop), MP_LOG_WARN,
		             "%s held everything up for %llu ms: what computes or waits for long does so elsewhere",
		             what, (unsigned long long)ms);
	if (ms > block->longest_ms)
		block->longest_ms = (uint32_t)ms;
}
