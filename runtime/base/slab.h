// SPDX-License-Identifier: Apache-2.0
// One kind of object, taken and given back without malloc in steady state. Memory is kept until deinit. An object's
// content survives give and take (so it may keep its own buffers), except its first pointer-sized word.
#pragma once

#include "base/defs.h"

struct mp_slab {
	size_t object_size;
	size_t alignment;
	size_t in_use;
	size_t total;
	void *free_list;
	void *chunks;
	void (*construct)(void *object); // called once for each object's memory, may be NULL
	void (*destruct)(void *object);  // called once for each object at deinit, may be NULL
};

void mp_slab_init(struct mp_slab *slab, size_t object_size, void (*construct)(void *),
                  void (*destruct)(void *));
void mp_slab_deinit(struct mp_slab *slab);              // asserts that nothing is in use
void *mp_slab_take(struct mp_slab *slab) MP_MUST_CHECK; // NULL when out of memory; fresh memory is zeroed
void mp_slab_give(struct mp_slab *slab, void *object);
