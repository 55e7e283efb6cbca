// SPDX-License-Identifier: Apache-2.0
// Which runtime is the current one of a Lua state, the one that is made on demand, and its UUIDs.
//
// The registry holds, under the address of `key`, a userdata with the stack of entered runtimes; at its bottom
// stands the one over a libuv loop, made when first asked for. The userdata's finaliser ends it with the state.
#include <errno.h>
#include <lauxlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/err.h"
#include "base/mem.h"
#include "script/core.h"
#include "script/runtime_internal.h"

static const char key = 'r';

struct nest {
	struct mp_runtime *own;     // over libuv, made on demand
	bool closed;                // the Lua state ends: only finalizers run
	const struct mp_home *home; // NULL: moonpool.run() turns the loop
	struct mp_runtime **entered;
	size_t count;
	size_t capacity;
};

static struct mp_runtime *left; // by children of fork(): what points to them is not freed

bool mp_runtime_left(lua_State *co)
{
	for (struct mp_runtime *runtime = left; runtime != NULL; runtime = runtime->next_left)
		if (mp_runtime_is_current(runtime, co))
			return true;
	return false;
}

// A child of fork() begins anew: the loop and the coroutines of before are the parent's.
static void leave(struct nest *nest)
{
	nest->own->next_left = left;
	left = nest->own;
	mp_loop_free(nest->own->loop);
	nest->own = NULL;
}

static void close_nest(struct nest *nest)
{
	mp_free(nest->entered);
	nest->entered = NULL;
	nest->count = nest->capacity = 0;
	if (nest->own != NULL && mp_loop_is_forked(nest->own->loop))
		leave(nest);
	struct mp_runtime *own = nest->own;
	nest->own = NULL;
	nest->closed = true;
	if (own != NULL &&
	    mp_runtime_end(own)) // otherwise leaking is safer than pulling the loop away from under it
		mp_runtime_free(own);
}

static int finish(lua_State *L)
{
	close_nest(lua_touserdata(L, 1));
	return 0;
}

static struct nest *nest_of(lua_State *L)
{
	lua_pushlightuserdata(L, (void *)(uintptr_t)&key);
	lua_rawget(L, LUA_REGISTRYINDEX);
	struct nest *nest = lua_touserdata(L, -1);
	lua_pop(L, 1);
	if (MP_LIKELY(nest != NULL))
		return nest;
	lua_pushlightuserdata(L, (void *)(uintptr_t)&key);
	nest = lua_newuserdata(L, sizeof(*nest));
	memset(nest, 0, sizeof(*nest));
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, finish);
	lua_setfield(L, -2, "__gc");
	lua_setmetatable(L, -2);
	lua_rawset(L, LUA_REGISTRYINDEX);
	return nest;
}

static uint64_t fresh_seed(void)
{
	uint64_t seed;
	while (getrandom(&seed, sizeof(seed), 0) < 0)
		mp_assert(errno == EINTR);
	return seed;
}

struct mp_runtime *mp_runtime_peek(lua_State *L)
{
	const struct nest *nest = nest_of(L);
	return nest->count > 0 ? nest->entered[nest->count - 1] : nest->own;
}

struct mp_runtime *mp_runtime_of(lua_State *L)
{
	struct mp_runtime *runtime = mp_runtime_try(L);
	if (MP_UNLIKELY(runtime == NULL))
		luaL_error(L, "%s", MP_RUNTIME_NONE);
	return runtime;
}

struct mp_runtime *mp_runtime_try(lua_State *L)
{
	struct nest *nest = nest_of(L);
	if (nest->count > 0)
		return nest->entered[nest->count - 1];
	if (MP_LIKELY(nest->own != NULL && !mp_loop_is_forked(nest->own->loop)))
		return nest->own;
	if (nest->own != NULL)
		leave(nest);
	if (nest->closed)
		luaL_error(L, "the Lua state is closing: there is no event loop any more");
	if (nest->home != NULL)
		nest->home->check(L);
	struct mp_loop *loop = mp_loop_uv_new(NULL, fresh_seed());
	if (loop == NULL)
		return NULL;
	mp_loop_log(loop)->level = MP_LOG_WARN;
	nest->own = mp_runtime_new(L, loop, true);
	if (nest->own == NULL) {
		mp_loop_free(loop);
		mp_lua_raise_no_memory(L);
	}
	if (nest->home != NULL && nest->home->made(L, nest->own) != 0) {
		mp_runtime_free(nest->own);
		nest->own = NULL;
	}
	return nest->own;
}

void mp_runtime_set_home(lua_State *L, const struct mp_home *home)
{
	nest_of(L)->home = home;
}

void mp_runtime_close(lua_State *L)
{
	close_nest(nest_of(L));
}

void mp_runtime_enter(struct mp_runtime *runtime)
{
	struct nest *nest = nest_of(runtime->scratch);
	if (nest->count == nest->capacity) {
		size_t capacity = nest->capacity == 0 ? 8 : nest->capacity * 2;
		struct mp_runtime **entered = mp_realloc(nest->entered, capacity * sizeof(*entered));
		mp_assert(entered != NULL);
		nest->entered = entered;
		nest->capacity = capacity;
	}
	nest->entered[nest->count++] = runtime;
}

void mp_runtime_leave(struct mp_runtime *runtime)
{
	struct nest *nest = nest_of(runtime->scratch);
	mp_assert(nest->count > 0 && nest->entered[nest->count - 1] == runtime);
	nest->count--;
}

void mp_runtime_uuid(struct mp_runtime *runtime, struct mp_uuid *uuid)
{
	mp_uuid_v4(mp_loop_rand(runtime->loop), uuid);
}

void mp_runtime_timeuuid(struct mp_runtime *runtime, struct mp_uuid *uuid)
{
	mp_uuid_clock_next(&runtime->uuids, mp_loop_wall_us(runtime->loop) * 10, uuid);
}
