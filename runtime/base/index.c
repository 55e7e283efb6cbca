// SPDX-License-Identifier: Apache-2.0
// Twice as many chains as numbers, so a chain has one number at most on average.
#include "base/index.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"

int mp_index_init(struct mp_index *index, uint32_t limit)
{
	uint32_t heads = 2;
	while (heads < 2 * limit)
		heads *= 2;
	*index = (struct mp_index){.mask = heads - 1, .limit = limit};
	index->heads = mp_calloc(heads, sizeof(*index->heads));
	index->next = mp_calloc((size_t)limit + 1, sizeof(*index->next));
	index->seed = (uint64_t)(uintptr_t)index->heads ^ (uint64_t)(uintptr_t)index->next << 20;
	if (index->heads != NULL && index->next != NULL)
		return 0;
	mp_index_deinit(index);
	return MP_ENOMEM;
}

void mp_index_deinit(struct mp_index *index)
{
	mp_free(index->heads);
	mp_free(index->next);
	*index = (struct mp_index){.heads = NULL};
}

static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 32;
}

uint64_t mp_index_hash(uint64_t seed, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;
	uint64_t hash = mix(seed, len);
	for (; len >= 8; len -= 8, at += 8) {
		uint64_t word;
		memcpy(&word, at, 8);
		hash = mix(hash, word);
	}
	uint64_t rest = 0;
	if (len > 0)
		memcpy(&rest, at, len);
	return mix(mix(hash, rest), seed);
}

void mp_index_add(struct mp_index *index, uint64_t hash, uint32_t number)
{
	mp_assert(number < index->limit);
	uint32_t *head = &index->heads[hash & index->mask];
	index->next[number] = *head;
	*head = number + 1;
}

void mp_index_remove(struct mp_index *index, uint64_t hash, uint32_t number)
{
	uint32_t *link = &index->heads[hash & index->mask];
	while (*link != number + 1) {
		mp_assert(*link != 0);
		link = &index->next[*link - 1];
	}
	*link = index->next[number];
	index->next[number] = 0;
}

uint32_t mp_index_first(struct mp_index *index, uint64_t hash)
{
	uint32_t found = index->heads[hash & index->mask];
	index->steps += found != 0 ? 1 : 0;
	return found == 0 ? MP_INDEX_END : found - 1;
}

uint32_t mp_index_next(struct mp_index *index, uint32_t number)
{
	uint32_t found = index->next[number];
	index->steps += found != 0 ? 1 : 0;
	return found == 0 ? MP_INDEX_END : found - 1;
}
