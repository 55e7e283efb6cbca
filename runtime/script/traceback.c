// SPDX-License-Identifier: Apache-2.0
// Where an error was raised. What lua/moonpool/modules.lua catches and raises again, because others wait for the
// module, has lost its place on the way: it is noted where it is still known, for whoever meets the same error in that
// coroutine.
#include <lauxlib.h>

#include "script/core.h"

#define NOTED \
	"moonpool.noted" // { the error, its traceback, the coroutine }, which does not keep the coroutine

enum { NOTED_ERROR = 1, NOTED_TEXT, NOTED_IN };

// Whether the text at the absolute index is the noted error of `co`; pushes the table.
static bool is_noted(lua_State *L, int index, lua_State *co)
{
	lua_getfield(L, LUA_REGISTRYINDEX, NOTED);
	lua_rawgeti(L, -1, NOTED_ERROR);
	lua_rawgeti(L, -2, NOTED_IN);
	bool noted = lua_rawequal(L, -2, index) && lua_tothread(L, -1) == co;
	lua_pop(L, 2);
	return noted;
}

// noteFailure(error, traceback): the first one of an error that passes several modules counts.
int mp_core_note_failure(lua_State *L)
{
	lua_settop(L, 2);
	if (lua_type(L, 1) != LUA_TSTRING || is_noted(L, 1, L))
		return 0;
	lua_pushvalue(L, 1);
	lua_rawseti(L, 3, NOTED_ERROR);
	lua_pushvalue(L, 2);
	lua_rawseti(L, 3, NOTED_TEXT);
	lua_pushthread(L);
	lua_rawseti(L, 3, NOTED_IN);
	return 0;
}

void mp_lua_push_traceback(lua_State *L, lua_State *co)
{
	int text = lua_gettop(L);
	if (is_noted(L, text, co))
		lua_rawgeti(L, -1, NOTED_TEXT);
	else
		luaL_traceback(L, co, lua_tostring(L, text), co == L ? 1 : 0);
	lua_replace(L, text);
	lua_settop(L, text);
}

// traceback(error): for xpcall. A text gets its place, anything else stays what it is.
int mp_core_traceback(lua_State *L)
{
	lua_settop(L, 1);
	if (lua_type(L, 1) == LUA_TSTRING)
		mp_lua_push_traceback(L, L);
	return 1;
}

void mp_lua_add_traceback(lua_State *L)
{
	lua_createtable(L, NOTED_IN, 0);
	lua_createtable(L, 0, 1);
	lua_pushliteral(L, "v");
	lua_setfield(L, -2, "__mode");
	lua_setmetatable(L, -2);
	lua_setfield(L, LUA_REGISTRYINDEX, NOTED);
}
