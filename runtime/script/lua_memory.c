// SPDX-License-Identifier: Apache-2.0
// LuaJIT tells the size of what it gives back, so blocks have no header and a class is a list of free blocks. Freed small
// blocks stay in their class: what a state needed once it can have again. Large blocks come from and go to malloc.
#include "script/lua_memory.h"

#include <string.h>

#include "base/mem.h"

#define CHUNK_BYTES (64u << 10)
#define STEP        16u

struct block {
	struct block *next;
};

void mp_lua_memory_init(struct mp_lua_memory *memory)
{
	memset(memory, 0, sizeof(*memory));
}

void mp_lua_memory_deinit(struct mp_lua_memory *memory)
{
	struct block *chunk = memory->chunks;
	while (chunk != NULL) {
		struct block *next = chunk->next;
		mp_free(chunk);
		chunk = next;
	}
	mp_lua_memory_init(memory);
}

static size_t class_of(size_t size)
{
	return (size - 1) / STEP;
}

static void give(struct mp_lua_memory *memory, void *ptr, size_t size)
{
	if (MP_UNLIKELY(size > MP_LUA_SMALL)) {
		mp_free(ptr);
		return;
	}
	struct block *block = ptr;
	void **list = &memory->free_lists[class_of(size)];
	block->next = *list;
	*list = block;
}

// The rest of the chunk before goes to the class that it fits.
static void *take_from_new_chunk(struct mp_lua_memory *memory, size_t bytes)
{
	size_t left = (size_t)(memory->end - memory->pos);
	if (left > 0)
		give(memory, memory->pos, left);
	struct block *chunk = mp_alloc(CHUNK_BYTES);
	if (chunk == NULL) {
		memory->pos = memory->end = NULL;
		return NULL;
	}
	chunk->next = memory->chunks;
	memory->chunks = chunk;
	memory->pos = (uint8_t *)chunk + STEP + bytes;
	memory->end = (uint8_t *)chunk + CHUNK_BYTES;
	return (uint8_t *)chunk + STEP;
}

static void *take(struct mp_lua_memory *memory, size_t size)
{
	if (MP_UNLIKELY(size > MP_LUA_SMALL))
		return mp_alloc(size);
	size_t class = class_of(size);
	struct block *block = memory->free_lists[class];
	if (MP_LIKELY(block != NULL)) {
		memory->free_lists[class] = block->next;
		return block;
	}
	size_t bytes = (class + 1) * STEP;
	if ((size_t)(memory->end - memory->pos) < bytes)
		return take_from_new_chunk(memory, bytes);
	void *fresh = memory->pos;
	memory->pos += bytes;
	return fresh;
}

static void *resize(struct mp_lua_memory *memory, void *ptr, size_t old_size, size_t size)
{
	bool small = old_size <= MP_LUA_SMALL && size <= MP_LUA_SMALL;
	if (small && class_of(old_size) == class_of(size))
		return ptr;
	if (old_size > MP_LUA_SMALL && size > MP_LUA_SMALL) {
		void *moved = mp_realloc(ptr, size);
		return moved != NULL || size > old_size ? moved : ptr;
	}
	void *fresh = take(memory, size);
	if (fresh == NULL)
		return size < old_size ? ptr : NULL; // LuaJIT demands that shrinking succeeds
	memcpy(fresh, ptr, old_size < size ? old_size : size);
	give(memory, ptr, old_size);
	return fresh;
}

void *mp_lua_memory_alloc(void *data, void *ptr, size_t old_size, size_t size)
{
	struct mp_lua_memory *memory = data;
	if (size == 0) {
		if (ptr != NULL)
			give(memory, ptr, old_size);
		return NULL;
	}
	return ptr == NULL ? take(memory, size) : resize(memory, ptr, old_size, size);
}
