// SPDX-License-Identifier: Apache-2.0
// The spec host: a LuaJIT with all of moonpool's C code inside, so that busted specs call it through FFI
// under the sanitizers. usage: moonpool-spec [--results FILE] [--filter PATTERN] [--fail-fast] PATH...   (run from
// anywhere)
#include <lauxlib.h>
#include <libgen.h>
#include <lua.h>
#include <lualib.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint64_t lua_fail_in; // 0: none does
static bool lua_spared;

// The n-th block that Lua takes, or makes larger, from now on is refused once; 0: none.
void spec_lua_fail_at(uint64_t nth);
void spec_lua_fail_at(uint64_t nth)
{
	lua_fail_in = nth;
}

// How many are left until then; 0: it was refused.
double spec_lua_fail_left(void); // a number, which takes Lua no memory
double spec_lua_fail_left(void)
{
	return (double)lua_fail_in;
}

// What is taken between true and false is not refused, nor counted.
void spec_lua_spare(bool on);
void spec_lua_spare(bool on)
{
	lua_spared = on;
}

// LuaJIT's own allocator hides its memory from the leak checker; this one does not.
static void *host_alloc(void *data, void *ptr, size_t old_size, size_t size)
{
	(void)data;
	if (size == 0) {
		free(ptr);
		return NULL;
	}
	if (lua_fail_in > 0 && !lua_spared && (ptr == NULL || size > old_size) && --lua_fail_in == 0)
		return NULL;
	return realloc(ptr, size);
}

static int traceback(lua_State *L)
{
	luaL_traceback(L, L, lua_tostring(L, 1), 1);
	return 1;
}

int main(int argc, char **argv)
{
	char exe[4096];
	ssize_t len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	if (len <= 0)
		return 1;
	exe[len] = '\0';
	const char *dir = dirname(exe);

	lua_State *L = lua_newstate(host_alloc, NULL);
	if (L == NULL)
		return 1;
	luaL_openlibs(L);
	lua_createtable(L, argc, 0);
	for (int i = 1; i < argc; i++) {
		lua_pushstring(L, argv[i]);
		lua_rawseti(L, -2, i);
	}
	lua_setglobal(L, "arg");
	lua_pushstring(L, dir);
	lua_setglobal(L, "MOONPOOL_BUILD_DIR");
	lua_pushcfunction(L, traceback);
	char runner[4200];
	snprintf(runner, sizeof(runner), "%s/../../spec/support/runner.lua", dir);
	int rc = luaL_loadfile(L, runner);
	if (rc == 0)
		rc = lua_pcall(L, 0, 1, -2);
	int status = 1;
	if (rc != 0)
		fprintf(stderr, "moonpool-spec: %s\n", lua_tostring(L, -1));
	else
		status = (int)lua_tointeger(L, -1);
	lua_close(L);
	return status;
}
