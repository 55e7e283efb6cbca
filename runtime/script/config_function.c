// SPDX-License-Identifier: Apache-2.0
#include "script/config_function.h"

#include <lauxlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "script/core.h"

struct reading {
	const char *key;
	size_t size;
	struct mp_config_function *known;
	struct mp_config_function *out;
	bool no_memory;
};

static bool is_known(const struct mp_config_function *known, const char *shown)
{
	return known != NULL && shown != NULL && strcmp(known->shown, shown) == 0;
}

// Protected: the configuration at 1, the reading at 2.
static int read(lua_State *L)
{
	struct reading *reading = lua_touserdata(L, 2);
	lua_pushfstring(L, "%sShown", reading->key);
	lua_gettable(L, 1);
	const char *shown = lua_tostring(L, -1);
	lua_getfield(L, 1, reading->key);
	if (lua_type(L, -1) != LUA_TFUNCTION)
		return 0;
	if (is_known(reading->known, shown)) {
		reading->out = reading->known;
		return 0;
	}
	struct mp_config_function *function = mp_calloc(1, reading->size);
	reading->no_memory = function == NULL;
	if (function == NULL)
		return 0;
	reading->out = function;
	function->thread = function->function = LUA_NOREF;
	function->L = lua_newthread(L);
	function->thread = luaL_ref(L, LUA_REGISTRYINDEX);
	function->function = luaL_ref(L, LUA_REGISTRYINDEX);
	function->shown = mp_strdup(shown != NULL ? shown : "");
	reading->no_memory = function->shown == NULL;
	return 0;
}

int mp_config_function_read(lua_State *L, int index, const char *key, size_t size, void *known, void **out)
{
	struct reading reading = {.key = key, .size = size, .known = known};
	*out = NULL;
	if (!lua_checkstack(L, 4))
		return MP_ENOMEM;
	static const char function_key = 'f';
	lua_pushvalue(L, index);
	if (mp_lua_push_function(L, read, &function_key) != 0) {
		lua_pop(L, 1);
		return MP_ENOMEM;
	}
	lua_insert(L, -2);
	lua_pushlightuserdata(L, &reading);
	bool failed = lua_pcall(L, 2, 0, 0) != 0;
	if (failed)
		lua_pop(L, 1);
	if (!failed && !reading.no_memory) {
		*out = reading.out;
		return 0;
	}
	if (reading.out != known)
		mp_config_function_free(reading.out);
	return MP_ENOMEM;
}

void mp_config_function_free(void *of)
{
	struct mp_config_function *function = of;
	if (function == NULL)
		return;
	function->is_done = true;
	if (function->holders > 0)
		return;
	lua_State *L = function->L;
	if (function->thread != LUA_NOREF) {
		luaL_unref(L, LUA_REGISTRYINDEX, function->function);
		luaL_unref(L, LUA_REGISTRYINDEX, function->thread);
	}
	mp_free(function->shown);
	mp_free(function);
}

void mp_config_function_hold(struct mp_config_function *function)
{
	function->holders++;
}

void mp_config_function_release(struct mp_config_function *function)
{
	function->holders--;
	if (function->is_done)
		mp_config_function_free(function);
}
