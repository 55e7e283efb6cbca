// SPDX-License-Identifier: Apache-2.0
// Invariants: there is room for ids below `capacity`, a multiple of 64 or the limit; those beyond are free. A set bit
// has no call; in_use counts the clear bits; orphans counts those of them without a call. The lowest free id is always
// the next one, so the few ids that a connection really needs stay in few cache lines, however many it may use; bits
// beyond the limit are set, and no search comes to them while one below is. Behind the bits stands a word that is not
// 0: where a search for a free id ends, if not before.
#include "link/streams.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"

#define WORD_BITS 64u

static uint32_t words_of(uint32_t ids)
{
	return (ids + WORD_BITS - 1) / WORD_BITS;
}

// Room for twice as many ids. MP_ENOMEM: it is as it was.
static MP_COLD int grow(struct mp_streams *streams)
{
	uint32_t capacity = streams->capacity == 0 ? WORD_BITS : streams->capacity * 2;
	capacity = capacity < streams->limit ? capacity : streams->limit;
	uint32_t old_words = words_of(streams->capacity), words = words_of(capacity);
	uint64_t *bits = mp_realloc(streams->free_bits, (words + 1) * sizeof(bits[0]));
	if (bits == NULL)
		return MP_ENOMEM;
	streams->free_bits = bits;
	struct mp_call **calls = mp_realloc(streams->calls, capacity * sizeof(calls[0]));
	if (calls == NULL)
		return MP_ENOMEM;
	streams->calls = calls;
	memset(bits + old_words, 0xff, (words + 1 - old_words) * sizeof(bits[0]));
	memset(calls + streams->capacity, 0, (capacity - streams->capacity) * sizeof(calls[0]));
	streams->capacity = capacity;
	return 0;
}

int mp_streams_init(struct mp_streams *streams, uint32_t limit)
{
	mp_assert(limit >= 1 && limit <= MP_STREAMS_MAX);
	*streams = (struct mp_streams){.limit = limit};
	int rc = grow(streams);
	if (rc != 0)
		mp_streams_deinit(streams);
	return rc;
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
	if (MP_UNLIKELY(word * WORD_BITS >= streams->capacity) && grow(streams) != 0)
		return MP_ENOMEM;
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
	if (id < 0 || (uint32_t)id >= streams->capacity || is_free(streams, (uint32_t)id))
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
	mp_assert(id >= 0 && (uint32_t)id < streams->capacity && streams->calls[id] != NULL);
	streams->calls[id] = NULL;
	streams->orphans++;
}
