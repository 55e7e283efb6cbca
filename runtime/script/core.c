// SPDX-License-Identifier: Apache-2.0
// luaopen_moonpool_core: the core table, with what concerns no pool: coroutines, time, constants, places.
#include "script/core.h"

#include <lauxlib.h>
#include <limits.h>
#include <string.h>

#include "base/descriptor.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text/redact.h"
#include "link/tls.h"
#include "policy/installation.h"
#include "script/owner.h"
#include "script/pool/pool.h"
#include "script/runtime.h"
#include "wire/compress.h"

static const char unset = 'u';

bool mp_lua_is_null(lua_State *L, int index)
{
	return lua_type(L, index) == LUA_TLIGHTUSERDATA && lua_touserdata(L, index) == NULL;
}

bool mp_lua_is_unset(lua_State *L, int index)
{
	return lua_type(L, index) == LUA_TLIGHTUSERDATA && lua_touserdata(L, index) == &unset;
}

int mp_core_run(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TFUNCTION);
	struct mp_runtime *runtime = mp_runtime_try(L);
	if (runtime == NULL)
		return mp_lua_fail(L, MP_ELOCAL, MP_RUNTIME_NONE);
	return mp_runtime_run(runtime, L, lua_gettop(L) - 1);
}

// onRun(before, after): called around each run of coroutines.
int mp_core_on_run(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TFUNCTION);
	luaL_checktype(L, 2, LUA_TFUNCTION);
	lua_settop(L, 2);
	mp_runtime_set_around(L);
	return 0;
}

// memoryRefusals(): two equal readings, and nothing failed for lack of memory in between.
int mp_core_memory_refusals(lua_State *L)
{
	lua_pushnumber(L, (double)mp_mem_stats().refused);
	return 1;
}

// isShort(): nothing can be opened now, for lack of descriptors.
int mp_core_is_short(lua_State *L)
{
	lua_pushboolean(L, !mp_descriptor_is_free());
	return 1;
}

// nil: they do, where many write at once.
int mp_core_io_uring(lua_State *L)
{
	lua_pushstring(L, mp_loop_gathers_not());
	return 1;
}

int mp_core_start(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TFUNCTION);
	mp_runtime_start(mp_runtime_of(L), L, lua_gettop(L) - 1);
	return 0;
}

int mp_core_sleep(lua_State *L)
{
	double ms = luaL_checknumber(L, 1);
	luaL_argcheck(L, ms >= 0 && ms <= 1e12, 1, "milliseconds from 0 to 1e12 expected");
	return mp_runtime_sleep(mp_runtime_of(L), L, (uint64_t)ms);
}

int mp_core_now(lua_State *L)
{
	lua_pushnumber(L, (double)mp_loop_clock_ns(mp_runtime_loop(mp_runtime_of(L))) / 1e6);
	return 1;
}

int mp_core_wall_clock(lua_State *L)
{
	lua_pushnumber(L, (double)mp_loop_wall_us(mp_runtime_loop(mp_runtime_of(L))) / 1e3);
	return 1;
}

// fd(): of the loop; readable, level triggered, when a turn has something to read.
int mp_core_fd(lua_State *L)
{
	lua_pushinteger(L, mp_loop_fd(mp_runtime_loop(mp_runtime_of(L))));
	return 1;
}

// timeout(): milliseconds, 0: turn now, or nil: as long as the descriptor is not readable.
int mp_core_timeout(lua_State *L)
{
	int ms = mp_loop_wait_ms(mp_runtime_loop(mp_runtime_of(L)));
	if (ms < 0)
		return 0;
	lua_pushinteger(L, ms);
	return 1;
}

// turn(): whether anything of the application's is left that waits.
int mp_core_turn(lua_State *L)
{
	struct mp_runtime *runtime = mp_runtime_of(L);
	if (mp_loop_is_running(mp_runtime_loop(runtime)))
		return luaL_error(L, "the loop turns already: this is inside of it");
	(void)mp_loop_turn(mp_runtime_loop(runtime), 0);
	lua_pushboolean(L, mp_runtime_waiting(runtime) > 0 || mp_loop_wait_ms(mp_runtime_loop(runtime)) == 0);
	return 1;
}

int mp_core_serve(lua_State *L)
{
	struct mp_runtime *runtime = mp_runtime_of(L);
	if (mp_runtime_check(runtime, L) != 0)
		return mp_lua_raise_no_memory(L);
	mp_runtime_serve(runtime);
	return 0;
}

int mp_core_settle(lua_State *L)
{
	mp_runtime_settle(mp_runtime_of(L));
	return 0;
}

int mp_core_finish(lua_State *L)
{
	(void)mp_runtime_end(mp_runtime_of(L));
	return 0;
}

// log(level, text, pool): by the pool's level, or, without a pool, by the process's.
int mp_core_log(lua_State *L)
{
	int level;
	luaL_argcheck(L, mp_log_level_from(luaL_checkstring(L, 1), &level) == 0 && level >= 0, 1,
	              "not a log level");
	const struct mp_log *log = lua_isnoneornil(L, 3) ? NULL : mp_lua_pool_log(mp_lua_pool_at(L, 3));
	if (log == NULL)
		log = mp_loop_log(mp_runtime_loop(mp_runtime_of(L)));
	mp_log_write(log, (enum mp_log_level)level, "%s", luaL_checkstring(L, 2));
	return 0;
}

void mp_lua_push_redacted(lua_State *L, const char *text, size_t len)
{
	char *copy = lua_newuserdata(L, len + 1);
	memcpy(copy, text, len);
	lua_pushlstring(L, copy, mp_redact(copy, len));
	lua_remove(L, -2);
}

// redact(text): without what has the shape of a secret.
int mp_core_redact(lua_State *L)
{
	size_t len;
	const char *text = luaL_checklstring(L, 1, &len);
	mp_lua_push_redacted(L, text, len);
	return 1;
}

static int push_uuid(lua_State *L, const struct mp_uuid *uuid)
{
	char text[MP_UUID_TEXT];
	mp_uuid_format(uuid, text);
	lua_pushstring(L, text);
	return 1;
}

int mp_core_uuid(lua_State *L)
{
	struct mp_uuid uuid;
	if (lua_isnoneornil(L, 1)) {
		mp_runtime_uuid(mp_runtime_of(L), &uuid);
		return push_uuid(L, &uuid);
	}
	size_t len;
	const char *text = luaL_checklstring(L, 1, &len);
	luaL_argcheck(L, mp_uuid_parse(text, len, &uuid) == 0, 1, "not a UUID");
	return push_uuid(L, &uuid);
}

int mp_core_timeuuid(lua_State *L)
{
	struct mp_uuid uuid;
	mp_runtime_timeuuid(mp_runtime_of(L), &uuid);
	return push_uuid(L, &uuid);
}

int mp_core_home(lua_State *L)
{
	char path[PATH_MAX];
	if (mp_installation_find(path, sizeof(path)) != 0)
		return 0;
	lua_pushstring(L, path);
	return 1;
}

// A list of what this build can compress with.
static void push_compressions(lua_State *L)
{
	lua_newtable(L);
	int count = 0;
	for (int kind = MP_COMPRESSION_NONE + 1; kind < MP_COMPRESSION_COUNT; kind++) {
		if (!mp_compression_is_built((enum mp_compression)kind))
			continue;
		lua_pushstring(L, mp_compression_name((enum mp_compression)kind));
		lua_rawseti(L, -2, ++count);
	}
}

static void add_functions(lua_State *L)
{
#define X(name, function, what) {name, function},
	static const luaL_Reg functions[] = {MP_CORE_FUNCTIONS(X){NULL, NULL}};
#undef X
	luaL_setfuncs(L, functions, 0);
}

int luaopen_moonpool_core(lua_State *L)
{
	lua_newtable(L);
	lua_pushlightuserdata(L, NULL);
	lua_setfield(L, -2, "null");
	lua_pushlightuserdata(L, (void *)(uintptr_t)&unset);
	lua_setfield(L, -2, "unset");
	lua_pushliteral(L, MOONPOOL_VERSION);
	lua_setfield(L, -2, "version");
	push_compressions(L);
	lua_setfield(L, -2, "compressions");
	lua_pushboolean(L, mp_tls_is_built());
	lua_setfield(L, -2, "tls");
	mp_lua_add_future(L);
	mp_lua_add_owner(L);
	mp_lua_add_error(L);
	mp_lua_add_int64(L);
	mp_lua_add_result(L);
	mp_lua_add_pool(L);
	mp_lua_add_statement(L);
	mp_lua_add_execute(L);
	mp_lua_add_reload(L);
	mp_lua_add_control(L);
	mp_lua_add_check(L);
	mp_lua_add_waiting(L);
	mp_lua_add_visitor(L);
	mp_lua_add_traceback(L);
	add_functions(L);
	return 1;
}
