// SPDX-License-Identifier: Apache-2.0
// Objects are cut from chunks that are never given back before deinit. A free object's first word is the link
// of the free list; everything behind it stays as its last user left it.
#include "base/slab.h"

#include "base/mem.h"

#ifdef MP_HARD
#define FIRST_CHUNK   1u
#define LARGEST_CHUNK 1u
#else
#define FIRST_CHUNK   16u
#define LARGEST_CHUNK 1024u
#endif

struct chunk {
	struct chunk *next;
	size_t count;
};

#define ALIGNMENT ((size_t)16) // as malloc does; objects of several cache lines touch none that is another's

struct free_object {
	struct free_object *next;
};

void mp_slab_init(struct mp_slab *slab, size_t object_size, void (*construct)(void *),
                  void (*destruct)(void *))
{
	mp_assert(object_size >= sizeof(struct free_object));
	size_t alignment = object_size > 2 * MP_CACHE_LINE ? MP_CACHE_LINE : ALIGNMENT;
	*slab = (struct mp_slab){
		.object_size = (object_size + alignment - 1) & ~(alignment - 1),
		.alignment = alignment,
		.construct = construct,
		.destruct = destruct,
	};
}

static void *object_at(const struct mp_slab *slab, struct chunk *chunk, size_t index)
{
	uintptr_t first = ((uintptr_t)(chunk + 1) + slab->alignment - 1) & ~(uintptr_t)(slab->alignment - 1);
	return (uint8_t *)first + index * slab->object_size;
}

void mp_slab_deinit(struct mp_slab *slab)
{
	mp_assert(slab->in_use == 0);
	struct chunk *chunk = slab->chunks;
	while (chunk != NULL) {
		struct chunk *next = chunk->next;
		for (size_t i = 0; slab->destruct != NULL && i < chunk->count; i++)
			slab->destruct(object_at(slab, chunk, i));
		mp_free(chunk);
		chunk = next;
	}
	slab->chunks = NULL;
	slab->free_list = NULL;
	slab->total = 0;
}

static bool add_chunk(struct mp_slab *slab)
{
	size_t count = slab->total < FIRST_CHUNK ? FIRST_CHUNK : slab->total;
	if (count > LARGEST_CHUNK)
		count = LARGEST_CHUNK;
	struct chunk *chunk = mp_calloc(1, sizeof(*chunk) + slab->alignment + count * slab->object_size);
	if (chunk == NULL)
		return false;
	chunk->next = slab->chunks;
	chunk->count = count;
	slab->chunks = chunk;
	slab->total += count;
	// Backwards, so that objects are taken in the order of their addresses.
	for (size_t i = count; i-- > 0;) {
		struct free_object *object = object_at(slab, chunk, i);
		if (slab->construct != NULL)
			slab->construct(object);
		object->next = slab->free_list;
		slab->free_list = object;
	}
	return true;
}

void *mp_slab_take(struct mp_slab *slab)
{
	if (MP_UNLIKELY(slab->free_list == NULL) && !add_chunk(slab))
		return NULL;
	struct free_object *object = slab->free_list;
	slab->free_list = object->next;
	object->next = NULL;
	slab->in_use++;
	return object;
}

void mp_slab_give(struct mp_slab *slab, void *object)
{
	mp_assert(slab->in_use > 0);
	struct free_object *freed = object;
	freed->next = slab->free_list;
	slab->free_list = freed;
	slab->in_use--;
}
