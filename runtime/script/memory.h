// SPDX-License-Identifier: Apache-2.0
// Memory for a lua_State of our own: small blocks from pages of one size each. A request in Lua makes and drops
// some eight small objects. LuaJIT's own allocator, which must find sizes and neighbours, takes a tenth of the
// request's time for that; and objects that were made together stay together here, which is how the collector
// visits them.
#pragma once

#include "base/defs.h"

#define MP_LUA_SMALL   512u // the largest small block
#define MP_LUA_CLASSES (MP_LUA_SMALL / 16u)

struct mp_lua_page;

struct mp_lua_memory {
	// Class i: blocks of 16 * (i + 1) bytes.
	struct mp_lua_class {
		struct mp_lua_page *current; // blocks are taken from it until it has none
		struct mp_lua_page *freed;   // other pages with free blocks, the last one to get any in front
	} classes[MP_LUA_CLASSES];
	void *chunks;
	uint8_t *pos, *end; // pages of the newest chunk that are not used yet
};

void mp_lua_memory_init(struct mp_lua_memory *memory);
void mp_lua_memory_deinit(struct mp_lua_memory *memory); // after lua_close()
// A lua_Alloc with the struct as its `data`.
void *mp_lua_memory_alloc(void *data, void *ptr, size_t old_size, size_t size);
