// SPDX-License-Identifier: Apache-2.0
// Memory for a lua_State of our own: small blocks by size class, from chunks that live as long as the state. A request in
// Lua makes and drops some eight small objects; LuaJIT's own allocator, which must find sizes and neighbours, takes a
// tenth of the request's time for that.
#pragma once

#include "base/defs.h"

#define MP_LUA_SMALL   512u // the largest block of a size class
#define MP_LUA_CLASSES (MP_LUA_SMALL / 16u)

struct mp_lua_memory {
	void *free_lists[MP_LUA_CLASSES]; // class i: blocks of 16 * (i + 1) bytes
	void *chunks;
	uint8_t *pos, *end; // what is left of the newest chunk
};

void mp_lua_memory_init(struct mp_lua_memory *memory);
void mp_lua_memory_deinit(struct mp_lua_memory *memory); // after lua_close()
// A lua_Alloc with the struct as its `data`.
void *mp_lua_memory_alloc(void *data, void *ptr, size_t old_size, size_t size);
