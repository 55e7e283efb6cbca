// SPDX-License-Identifier: Apache-2.0
// Invariants: a set bit has no call; in_use counts the clear bits below `limit`; orphans counts those of them
// without a call. The lowest free id is always the next one, so the few ids that a connection really needs
// stay in few cache lines, however many it may use.
#include "link/streams.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"

#define WORD_BITS 64u

static uint32_t word_count(const struct mp_streams *streams)
{
	return (streams->limit + WORD_BITS - 1) / WORD_BITS;
}

int mp_streams_init(struct mp_streams *streams, uint32_t limit)
{
	mp_assert(limit >= 1 && limit <= MP_STREAMS_MAX);
	*streams = (struct mp_streams){.limit = limit};
	uint32_t words = word_count(streams);
	streams->free_bits = mp_alloc(words * sizeof(streams->free_bits[0]));
	// Zeroed memory of this size comes from the kernel page by page, so ids that are never used cost nothing.
	streams->calls = mp_calloc(limit, sizeof(streams->calls[0]));
	if (streams->free_bits == NULL || streams->calls == NULL) {
		mp_streams_deinit(streams);
		return MP_ENOMEM;
	}
	memset(streams->free_bits, 0xff, words * sizeof(streams->free_bits[0]));
	if (limit % WORD_BITS != 0)
		streams->free_bits[words - 1] = (UINT64_C(1) << (limit % WORD_BITS)) - 1;
	return 0;
}

void mp_streams_deinit(struct mp_streams *streams)
{
	mp_free(streams->free_bits);
	mp_free(streams->calls);
	*streams = (struct mp_streams){0};
}

int mp_streams_take(struct mp_streams *streams, struct mp_call *call)
{
	mp_assert(call != NULL);
	if (streams->in_use == streams->limit)
		return MP_EBUSY;
	uint32_t word = streams->hint;
	while (streams->free_bits[word] == 0)
		word++;
	streams->hint = word;
	uint32_t id = word * WORD_BITS + (uint32_t)__builtin_ctzll(streams->free_bits[word]);
	streams->free_bits[word] &= streams->free_bits[word] - 1;
	mp_assert(id < streams->limit && streams->calls[id] == NULL);
	streams->calls[id] = call;
	streams->in_use++;
	return (int)id;
}

static bool is_free(const struct mp_streams *streams, uint32_t id)
{
	return (streams->free_bits[id / WORD_BITS] >> (id % WORD_BITS) & 1) != 0;
}

int mp_streams_answer(struct mp_streams *streams, int16_t id, struct mp_call **call)
{
	*call = NULL;
	if (id < 0 || (uint32_t)id >= streams->limit || is_free(streams, (uint32_t)id))
		return MP_EPROTO;
	uint32_t at = (uint32_t)id;
	uint32_t word = at / WORD_BITS;
	streams->free_bits[word] |= UINT64_C(1) << (at % WORD_BITS);
	if (word < streams->hint)
		streams->hint = word;
	mp_assert(streams->in_use > 0);
	streams->in_use--;
	*call = streams->calls[at];
	streams->calls[at] = NULL;
	if (*call != NULL)
		return 1;
	mp_assert(streams->orphans > 0);
	streams->orphans--;
	return 0;
}

void mp_streams_orphan(struct mp_streams *streams, int16_t id)
{
	mp_assert(id >= 0 && (uint32_t)id < streams->limit && streams->calls[id] != NULL);
	streams->calls[id] = NULL;
	streams->orphans++;
}
