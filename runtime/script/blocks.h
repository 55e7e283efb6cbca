// SPDX-License-Identifier: Apache-2.0
// Handlers that held the loop up: everything of a process waits for a piece of Lua that computes, or waits in the
// system. Only handlers and what they start are timed, at the price of two looks at the clock each time one runs.
#pragma once

#include "loop/loop.h"

#define MP_BLOCK_MS 10u // shorter is no block

struct mp_block {
	char what[160]; // "a handler of 'hostDown' (handlers.lua:12)"; "": none
	uint64_t at_ms; // of the loop, when the last one ended
	uint32_t longest_ms;
	uint32_t times;
};

#define MP_BLOCKS 8 // handlers that are told apart; the one that is quiet for longest gives its place

struct mp_blocks {
	struct mp_block list[MP_BLOCKS];
};

// What ran since `since_ns` has ended. What took MP_BLOCK_MS is kept, and the first time it is logged.
void mp_blocks_note(struct mp_blocks *blocks, struct mp_loop *loop, const char *what, uint64_t since_ns);
