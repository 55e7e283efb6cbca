// SPDX-License-Identifier: Apache-2.0
// Many small things with one end: bump allocation from chunks, all freed at once. Objects never move.
#pragma once

#include "base/cursor.h"
#include "base/defs.h"

struct mp_arena {
	struct mp_arena_chunk *chunks;
	uint8_t *pos;
	uint8_t *end;
	size_t total_bytes; // asked from mp_alloc so far
	size_t used_bytes;  // of objects, each of a size that is a multiple of 8
	uint32_t limit;     // of total_bytes, for what somebody else decides the size of; 0: none
	bool full;          // an object was refused for it
};

void mp_arena_init(struct mp_arena *arena);
void mp_arena_deinit(struct mp_arena *arena);
void mp_arena_wipe(struct mp_arena *arena); // of secrets, before deinit
// Room for so many bytes of objects, and no more. MP_ENOMEM.
int mp_arena_reserve(struct mp_arena *arena, size_t bytes) MP_MUST_CHECK;
void *mp_arena_alloc(struct mp_arena *arena,
                     size_t size) MP_MUST_CHECK; // zeroed, aligned to 8; NULL: no memory
// A NUL-terminated copy; data is NULL when out of memory.
struct mp_str mp_arena_str(struct mp_arena *arena, struct mp_str text) MP_MUST_CHECK;
