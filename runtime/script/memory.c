// SPDX-License-Identifier: Apache-2.0
// LuaJIT tells the size of what it gives back, so blocks have no header; a block's page begins at the multiple of PAGE
// below it. Pages stay in their class and chunks with the state: what it needed once it can have again. Large
// blocks come from and go to malloc.
//
// Invariant: a page with free blocks is `current`, or linked in its class's stack; one without is neither linked
// nor found but by its blocks. The page that was linked last is the next to be used: what the sweep has just
// looked at is in the processor's caches still, and what it looked at first has left them.
#include "script/memory.h"

#include <string.h>

#include "base/mem.h"

#define STEP        16u
#define PAGE        ((size_t)16 << 10)
#define CHUNK_PAGES 16u

struct block {
	struct block *next;
};

struct mp_lua_page {
	struct block *free;
	uint8_t *pos; // blocks from here on were never used
	struct mp_lua_page *next;
	uint32_t block_bytes;
	bool stacked;
};

struct chunk {
	struct chunk *next;
};

#define PAGE_HEADER ((sizeof(struct mp_lua_page) + STEP - 1) / STEP * STEP)

void mp_lua_memory_init(struct mp_lua_memory *memory)
{
	memset(memory, 0, sizeof(*memory));
}

void mp_lua_memory_deinit(struct mp_lua_memory *memory)
{
	struct chunk *chunk = memory->chunks;
	while (chunk != NULL) {
		struct chunk *next = chunk->next;
		mp_free(chunk);
		chunk = next;
	}
	mp_lua_memory_init(memory);
}

static struct mp_lua_class *class_of(struct mp_lua_memory *memory, size_t size)
{
	return &memory->classes[(size - 1) / STEP];
}

// ---- pages ------------------------------------------------------------------------------------------------

static struct mp_lua_page *page_of(void *ptr)
{
	return (struct mp_lua_page *)(void *)((uint8_t *)ptr - ((uintptr_t)ptr & (PAGE - 1)));
}

static bool add_chunk(struct mp_lua_memory *memory)
{
	// One page more than are used: the pages begin at a multiple of their size.
	struct chunk *chunk = mp_alloc((CHUNK_PAGES + 1) * PAGE);
	if (chunk == NULL)
		return false;
	chunk->next = memory->chunks;
	memory->chunks = chunk;
	uint8_t *end = (uint8_t *)chunk + (CHUNK_PAGES + 1) * PAGE;
	memory->pos = (uint8_t *)chunk + PAGE - ((uintptr_t)chunk & (PAGE - 1));
	memory->end = end - ((uintptr_t)end & (PAGE - 1));
	return true;
}

static struct mp_lua_page *new_page(struct mp_lua_memory *memory, uint32_t block_bytes)
{
	if (memory->pos == memory->end && !add_chunk(memory))
		return NULL;
	struct mp_lua_page *page = (struct mp_lua_page *)(void *)memory->pos;
	memory->pos += PAGE;
	*page = (struct mp_lua_page){.pos = (uint8_t *)page + PAGE_HEADER, .block_bytes = block_bytes};
	return page;
}

static void stack_up(struct mp_lua_class *class, struct mp_lua_page *page)
{
	page->stacked = true;
	page->next = class->freed;
	class->freed = page;
}

static struct mp_lua_page *unstack(struct mp_lua_class *class)
{
	struct mp_lua_page *page = class->freed;
	if (page == NULL)
		return NULL;
	class->freed = page->next;
	page->stacked = false;
	return page;
}

// ---- blocks -----------------------------------------------------------------------------------------------

static void *take_from(struct mp_lua_page *page)
{
	struct block *block = page->free;
	if (MP_LIKELY(block != NULL)) {
		page->free = block->next;
		return block;
	}
	uint8_t *fresh = page->pos;
	if (fresh + page->block_bytes > (uint8_t *)page + PAGE)
		return NULL;
	page->pos += page->block_bytes;
	return fresh;
}

static void *take(struct mp_lua_memory *memory, size_t size)
{
	if (MP_UNLIKELY(size > MP_LUA_SMALL))
		return mp_alloc(size);
	struct mp_lua_class *class = class_of(memory, size);
	void *block = class->current != NULL ? take_from(class->current) : NULL;
	if (MP_LIKELY(block != NULL))
		return block;
	struct mp_lua_page *page = unstack(class);
	if (page == NULL)
		page = new_page(memory, (uint32_t)((size + STEP - 1) / STEP * STEP));
	if (page == NULL)
		return NULL;
	class->current = page;
	return take_from(page);
}

static void give(struct mp_lua_memory *memory, void *ptr, size_t size)
{
	if (MP_UNLIKELY(size > MP_LUA_SMALL)) {
		mp_free(ptr);
		return;
	}
	struct mp_lua_page *page = page_of(ptr);
	struct mp_lua_class *class = class_of(memory, page->block_bytes);
	struct block *block = ptr;
	block->next = page->free;
	page->free = block;
	if (MP_UNLIKELY(block->next == NULL && !page->stacked && page != class->current))
		stack_up(class, page);
}

static void *resize(struct mp_lua_memory *memory, void *ptr, size_t old_size, size_t size)
{
	bool small = old_size <= MP_LUA_SMALL && size <= MP_LUA_SMALL;
	if (small && class_of(memory, old_size) == class_of(memory, size))
		return ptr;
	if (old_size > MP_LUA_SMALL && size > MP_LUA_SMALL) {
		void *moved = mp_realloc(ptr, size);
		return moved != NULL || size > old_size ? moved : ptr;
	}
	void *fresh = take(memory, size);
	if (fresh == NULL) // a small block may be larger than its owner knows
		return small && size < old_size ? ptr : NULL;
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
