// SPDX-License-Identifier: Apache-2.0
// Where C and Lua's errors meet. Almost every push may raise for want of memory, and then the rest of a C function does
// not run: what it holds beyond Lua (a buffer, a descriptor) stands in a block of Lua's, whose collection ends it. And
// a function that promises not to raise finds what it calls protected without taking memory.
#include <lauxlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "script/core.h"

#define BUFFER "moonpool.buffer"

void *mp_lua_push_held(lua_State *L, const char *kind, size_t size, lua_CFunction end)
{
	void *held = lua_newuserdata(L, size);
	memset(held, 0, size);
	luaL_getmetatable(L, kind);
	if (lua_isnil(L, -1)) {
		lua_pop(L, 1);
		lua_createtable(L, 0, 1);
		lua_pushcfunction(L, end);
		lua_setfield(L, -2, "__gc");
		lua_pushvalue(L, -1);
		lua_setfield(L, LUA_REGISTRYINDEX, kind); // whole, or not at all
	}
	lua_setmetatable(L, -2);
	return held;
}

static int end_buf(lua_State *L)
{
	mp_buf_deinit(lua_touserdata(L, 1));
	return 0;
}

struct mp_buf *mp_lua_push_buf(lua_State *L)
{
	struct mp_buf *buf = mp_lua_push_held(L, BUFFER, sizeof(*buf), end_buf);
	mp_buf_init(buf);
	return buf;
}

struct making {
	lua_CFunction fn;
	const void *key;
};

static int make_function(lua_State *L)
{
	const struct making *making = lua_touserdata(L, 1);
	lua_pushlightuserdata(L, (void *)(uintptr_t)making->key);
	lua_pushcfunction(L, making->fn);
	lua_rawset(L, LUA_REGISTRYINDEX);
	return 0;
}

int mp_lua_push_function(lua_State *L, lua_CFunction fn, const void *key)
{
	lua_pushlightuserdata(L, (void *)(uintptr_t)key);
	lua_rawget(L, LUA_REGISTRYINDEX);
	if (MP_LIKELY(!lua_isnil(L, -1)))
		return 0;
	lua_pop(L, 1);
	struct making making = {fn, key};
	if (lua_cpcall(L, make_function, &making) != 0) {
		lua_pop(L, 1);
		return MP_ENOMEM;
	}
	lua_pushlightuserdata(L, (void *)(uintptr_t)key);
	lua_rawget(L, LUA_REGISTRYINDEX);
	return 0;
}
