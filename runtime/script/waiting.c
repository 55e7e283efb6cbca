// SPDX-License-Identifier: Apache-2.0
// Coroutines as Lua sees them: why a call cannot wait where it was made, in words (which function of C stands between
// the call and its coroutine, and where the user's file called that), and who got hold of one with coroutine.running.
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "script/core.h"
#include "script/runtime.h"

#define THROUGH "moonpool.waitsThrough" // { [function] = true }: of C, but a coroutine can yield through it
#define REFUSED "moonpool.refused"      // { [coroutine] = why nothing can wait there }
#define OWN     "lua/moonpool/"         // in the names of the runtime's own Lua files
#define PLACE   80
#define IN_VAIN "this call waits, and Lua cannot wait inside of "
#define CURE    "begin there with moonpool.spawn what waits"
#define OUTSIDE                                                                                           \
	"this call waits, so it works only in a coroutine of moonpool: moonpool.run(function() ... end), or " \
	"'moonpool run FILE'"
#define STRANGER                                                                                       \
	"this call waits, but it was made in a coroutine that moonpool did not start: use moonpool.spawn " \
	"instead of coroutine.create"

// "FILE:LINE" of the innermost function at `level` or above that is the user's; "" without one.
static void place(lua_State *L, int level, char to[PLACE])
{
	lua_Debug ar;
	to[0] = '\0';
	for (; lua_getstack(L, level, &ar) != 0; level++) {
		lua_getinfo(L, "Sl", &ar);
		if (ar.currentline <= 0 || strstr(ar.source, OWN) != NULL)
			continue;
		snprintf(to, PLACE, "%s:%d", ar.short_src, ar.currentline);
		return;
	}
}

static bool is_waited_through(lua_State *L, lua_Debug *ar)
{
	lua_getfield(L, LUA_REGISTRYINDEX, THROUGH);
	lua_getinfo(L, "f", ar);
	lua_rawget(L, -2);
	bool through = lua_toboolean(L, -1);
	lua_pop(L, 2);
	return through;
}

// The level of the innermost function of C that cannot be yielded through, or 0; level 0 is the call that waits.
static int find_culprit(lua_State *L, lua_Debug *ar)
{
	for (int level = 1; lua_getstack(L, level, ar) != 0; level++) {
		lua_getinfo(L, "Sn", ar);
		if (strcmp(ar->what, "C") == 0 && !is_waited_through(L, ar))
			return level;
	}
	return 0;
}

// Pushes the words. A finalizer, a hook and a callback have no function of C that could be named.
static void explain(lua_State *L)
{
	lua_Debug ar;
	char called[PLACE];
	int level = find_culprit(L, &ar);
	if (level == 0) {
		lua_pushliteral(L, IN_VAIN "a finalizer, a debug hook, an error handler or a callback: " CURE);
		return;
	}
	place(L, level + 1, called);
	if (ar.name != NULL)
		lua_pushfstring(L, IN_VAIN "'%s'", ar.name);
	else
		lua_pushliteral(L, IN_VAIN "a function of C");
	if (called[0] != '\0')
		lua_pushfstring(L, " (called at %s)", called);
	else
		lua_pushliteral(L, "");
	lua_pushliteral(L, ": wait before or after it, or " CURE);
	lua_concat(L, 3);
}

// Pushes what whoever made the coroutine L has said about it, or nil.
static void push_said(lua_State *L)
{
	lua_getfield(L, LUA_REGISTRYINDEX, REFUSED);
	lua_pushthread(L);
	lua_rawget(L, -2);
	lua_remove(L, -2);
}

static _Thread_local lua_State *last_refused;

bool mp_lua_is_refused(lua_State *L)
{
	if (MP_LIKELY(L != last_refused)) // one ends before the next begins
		return false;
	push_said(L);
	bool said = !lua_isnil(L, -1);
	lua_pop(L, 1);
	return said;
}

// refuseWaiting(coroutine, text): why nothing can wait in that coroutine.
int mp_core_refuse_waiting(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTHREAD);
	luaL_checkstring(L, 2);
	lua_settop(L, 2);
	last_refused = lua_tothread(L, 1);
	lua_getfield(L, LUA_REGISTRYINDEX, REFUSED);
	lua_insert(L, 1);
	lua_rawset(L, 1);
	return 0;
}

int mp_lua_refuse_visit(lua_State *L, const char *why)
{
	char here[PLACE];
	luaL_checkstack(L, 8, "nested too deep");
	place(L, 1, here);
	lua_pushfstring(L, "%s%s", here, here[0] != '\0' ? ": " : "");
	push_said(L);
	if (lua_isnil(L, -1)) {
		lua_pop(L, 1);
		if (why[0] == '\0')
			explain(L);
		else
			lua_pushstring(L, why);
	}
	lua_concat(L, 2);
	return lua_error(L);
}

int mp_lua_refuse_waiting(lua_State *L, lua_State *running)
{
	const char *why = running == NULL ? OUTSIDE : STRANGER;
	return mp_lua_refuse_visit(L, running == L ? "" : why);
}

// coroutine.running(), which is the upvalue.
static int running(lua_State *L)
{
	struct mp_runtime *runtime = mp_runtime_peek(L);
	if (runtime != NULL)
		mp_runtime_know(runtime, L);
	lua_settop(L, 0);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_call(L, 0, LUA_MULTRET);
	return lua_gettop(L);
}

static void watch_running(lua_State *L)
{
	lua_getglobal(L, "coroutine");
	lua_getfield(L, -1, "running");
	lua_pushcclosure(L, running, 1);
	lua_setfield(L, -2, "running");
	lua_pop(L, 1);
}

void mp_lua_add_waiting(lua_State *L)
{
	watch_running(L);
	static const char *const through[] = {"pcall", "xpcall"};
	lua_createtable(L, 0, MP_ARRAY_LEN(through));
	for (size_t i = 0; i < MP_ARRAY_LEN(through); i++) {
		lua_getglobal(L, through[i]);
		lua_pushboolean(L, 1);
		lua_rawset(L, -3);
	}
	lua_setfield(L, LUA_REGISTRYINDEX, THROUGH);
	lua_newtable(L);
	lua_createtable(L, 0, 1);
	lua_pushliteral(L, "k");
	lua_setfield(L, -2, "__mode");
	lua_setmetatable(L, -2);
	lua_setfield(L, LUA_REGISTRYINDEX, REFUSED);
}
