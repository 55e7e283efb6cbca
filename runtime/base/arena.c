// SPDX-License-Identifier: Apache-2.0
// Bump allocation: `pos` .. `end` is what is left of the newest chunk. Chunks double up to a limit; a larger
// object gets a chunk of its own size. The hostile build gives each object its own chunk, so that a sanitizer
// sees its edges.
#include "base/arena.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"

#define CHUNK_FIRST   256u // the metadata of a statement with a column or two
#define CHUNK_LARGEST 65536u

struct mp_arena_chunk {
	struct mp_arena_chunk *next;
	size_t size; // of the whole chunk
};

void mp_arena_init(struct mp_arena *arena)
{
	*arena = (struct mp_arena){0};
}

void mp_arena_deinit(struct mp_arena *arena)
{
	struct mp_arena_chunk *chunk = arena->chunks;
	while (chunk != NULL) {
		struct mp_arena_chunk *next = chunk->next;
		mp_free(chunk);
		chunk = next;
	}
	mp_arena_init(arena);
}

void mp_arena_wipe(struct mp_arena *arena)
{
	for (struct mp_arena_chunk *chunk = arena->chunks; chunk != NULL; chunk = chunk->next)
		explicit_bzero(chunk + 1, chunk->size - sizeof(*chunk));
}

static bool add_chunk(struct mp_arena *arena, size_t size)
{
	if (arena->limit > 0 && size > arena->limit - arena->total_bytes) {
		arena->full = true;
		return false;
	}
	struct mp_arena_chunk *chunk = mp_calloc(1, size);
	if (chunk == NULL)
		return false;
	chunk->next = arena->chunks;
	chunk->size = size;
	arena->chunks = chunk;
	arena->pos = (uint8_t *)(chunk + 1);
	arena->end = (uint8_t *)chunk + size;
	arena->total_bytes += size;
	return true;
}

static size_t next_size(const struct mp_arena *arena, size_t need)
{
	need += sizeof(struct mp_arena_chunk);
#ifdef MP_HARD
	(void)arena;
	return need;
#else
	size_t size = CHUNK_FIRST;
	if (arena->chunks != NULL)
		size = arena->chunks->size * 2 < CHUNK_LARGEST ? arena->chunks->size * 2 : CHUNK_LARGEST;
	return size > need ? size : need;
#endif
}

int mp_arena_reserve(struct mp_arena *arena, size_t bytes)
{
#ifdef MP_HARD
	(void)arena;
	return bytes > SIZE_MAX / 4 ? MP_ENOMEM : 0;
#else
	if (bytes > SIZE_MAX / 4)
		return MP_ENOMEM;
	return add_chunk(arena, sizeof(struct mp_arena_chunk) + bytes) ? 0 : MP_ENOMEM;
#endif
}

void *mp_arena_alloc(struct mp_arena *arena, size_t size)
{
	if (size > SIZE_MAX / 4)
		return NULL;
	size_t need = size > 0 ? (size + 7) & ~(size_t)7 : 8;
	if ((arena->pos == NULL || need > (size_t)(arena->end - arena->pos)) &&
	    !add_chunk(arena, next_size(arena, need)))
		return NULL;
	void *object = arena->pos;
	arena->pos += need;
	arena->used_bytes += need;
	return object;
}

struct mp_str mp_arena_str(struct mp_arena *arena, struct mp_str text)
{
	char *copy = text.len < SIZE_MAX / 4 ? mp_arena_alloc(arena, text.len + 1) : NULL;
	if (copy == NULL)
		return (struct mp_str){NULL, 0};
	if (text.len > 0)
		memcpy(copy, text.data, text.len);
	return (struct mp_str){copy, text.len};
}
