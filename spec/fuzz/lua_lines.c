// SPDX-License-Identifier: Apache-2.0
#include "lua_lines.h"

#include <lauxlib.h>
#include <lua.h>
#include <luajit.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/defs.h"
#include "script/core.h"

// libFuzzer looks for counters in a section of this name; elsewhere it is a section like others.
#define COUNTERS 16384u
__attribute__((section("__libfuzzer_extra_counters"))) static uint8_t ran[COUNTERS];

static lua_State *state; // one for all targets and inputs of the process
static uint32_t last;    // where the line before stood

static void on_line(lua_State *L, lua_Debug *at)
{
	lua_getinfo(L, "S", at);
	uint32_t place = (uint32_t)at->currentline;
	for (const char *name = at->short_src; *name != '\0'; name++)
		place = place * 31 + (uint8_t)*name;
	uint8_t *counter = &ran[(place ^ last >> 1) % COUNTERS];
	if (*counter < UINT8_MAX)
		(*counter)++;
	last = place;
}

// LuaJIT's own allocator hides its memory from the sanitizers.
static void *seen_alloc(void *data, void *ptr, size_t old_size, size_t size)
{
	(void)data, (void)old_size;
	if (size > 0)
		return realloc(ptr, size);
	free(ptr);
	return NULL;
}

static void end(void)
{
	lua_close(state);
}

static void begin(void)
{
	state = lua_newstate(seen_alloc, NULL);
	mp_assert(state != NULL);
	atexit(end);
	luaL_openlibs(state);
	luaJIT_setmode(state, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF); // compiled code tells of no lines
	lua_getglobal(state, "package");
	lua_pushliteral(state, FUZZ_ROOT "/?.lua;" FUZZ_ROOT "/lua/?.lua;" FUZZ_ROOT "/lua/?/init.lua");
	lua_setfield(state, -2, "path");
	lua_getfield(state, -1, "preload");
	lua_pushcfunction(state, luaopen_moonpool_core);
	lua_setfield(state, -2, "moonpool.core");
	lua_settop(state, 0);
}

static int traceback(lua_State *L)
{
	luaL_traceback(L, L, lua_tostring(L, 1), 1);
	return 1;
}

static void call_or_end(int args, int results)
{
	if (lua_pcall(state, args, results, 1) == 0)
		return;
	fprintf(stderr, "%s\n", lua_tostring(state, -1));
	abort();
}

void fuzz_lua(const char *name, const uint8_t *data, size_t size)
{
	if (state == NULL)
		begin();
	lua_pushcfunction(state, traceback);
	lua_getglobal(state, "require");
	lua_pushfstring(state, "spec.fuzz.%s", name);
	call_or_end(1, 1);
	lua_sethook(state, on_line, LUA_MASKLINE, 0);
	last = 0;
	lua_pushlstring(state, (const char *)data, size);
	call_or_end(1, 0);
	lua_sethook(state, NULL, 0, 0);
	lua_settop(state, 0);
}
