// SPDX-License-Identifier: Apache-2.0
// Small numbers found by what they stand for: chains over two arrays of fixed size. Adding never fails and moves
// nothing, and several numbers may stand for equal things. The hash depends on where the arrays lie, so that who
// chooses the things cannot choose which of them meet in one chain.
#pragma once

#include "base/defs.h"

#define MP_INDEX_END UINT32_MAX

struct mp_index {
	uint32_t *heads; // number + 1, by hash; 0: none
	uint32_t *next;  // number + 1, by number
	uint32_t mask;   // of the hash
	uint32_t limit;  // numbers are below it
	uint64_t seed;
	uint64_t steps; // numbers that were met on the way, since the beginning
};

int mp_index_init(struct mp_index *index, uint32_t limit) MP_MUST_CHECK;
void mp_index_deinit(struct mp_index *index); // a zeroed one is fine
uint64_t mp_index_hash(uint64_t seed, const void *bytes, size_t len);
void mp_index_add(struct mp_index *index, uint64_t hash, uint32_t number); // at most once each
void mp_index_remove(struct mp_index *index, uint64_t hash, uint32_t number);
// The numbers that may be meant, latest first: for (n = first(...); n != MP_INDEX_END; n = next(...)).
uint32_t mp_index_first(struct mp_index *index, uint64_t hash);
uint32_t mp_index_next(struct mp_index *index, uint32_t number);
