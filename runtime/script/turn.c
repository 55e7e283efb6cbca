// SPDX-License-Identifier: Apache-2.0
// Coroutines that get an error where they are: those that may not hold the loop (spawnLimited), and those whose owner
// is over.
//
// They are looked at every so many instructions, by a hook. What computes for too long gets an error, and when it goes
// on for a little it gets one at each instruction: what it catches does not help it. What belongs to an owner that is
// over gets it at its first instruction, where it waited. A hook is the whole Lua state's, so it stands only while such
// a coroutine runs; compiled code does not meet it, so whoever limits a turn runs code that is not compiled (jit.off),
// and compiled code that would go on behind a wait is thrown away. One thing gets past it: a recursion that catches the
// overflow of its stack for ever, where LuaJIT has no room for a hook any more; the watchdog of the executable names
// that.
#include <lauxlib.h>
#include <luajit.h>
#include <time.h>

#include "script/core.h"
#include "script/runtime_internal.h"

#define LOOK_EVERY 1000     // instructions
#define GRACE_NS   5000000u // of whoever handles the error
#define TIDY_UP    100000   // instructions, when an owner is over

static uint64_t cpu_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void look_at_owner(lua_State *L, lua_Debug *ar)
{
	(void)ar;
	struct mp_runtime *runtime = mp_runtime_peek(L);
	struct mp_waiter *waiter = runtime != NULL ? runtime->current : NULL;
	if (waiter == NULL || !mp_owner_is_over(waiter->owner))
		return;
	lua_sethook(L, look_at_owner, LUA_MASKCOUNT, runtime->turn_errors++ == 0 ? TIDY_UP : 1);
	mp_owner_raise(L, waiter->owner);
}

static void look_at_turn(lua_State *L, lua_Debug *ar)
{
	(void)ar;
	struct mp_runtime *runtime = mp_runtime_peek(L);
	struct mp_waiter *waiter = runtime != NULL ? runtime->current : NULL;
	if (waiter == NULL || waiter->turn_ms == 0)
		return;
	bool ends = runtime->turn_errors > 1;
	if (!ends && cpu_ns() < runtime->turn_until_ns)
		return;
	if (++runtime->turn_errors == 2)
		lua_sethook(L, look_at_turn, LUA_MASKCOUNT, 1);
	runtime->turn_until_ns += GRACE_NS;
	luaL_error(L, "it computes for more than %d ms without waiting", (int)waiter->turn_ms);
}

bool mp_turn_begin(struct mp_waiter *waiter, bool goes_on)
{
	if (MP_UNLIKELY(goes_on && mp_owner_is_over(waiter->owner))) {
		luaJIT_setmode(waiter->co, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_FLUSH);
		waiter->runtime->turn_errors = 0;
		lua_sethook(waiter->co, look_at_owner, LUA_MASKCOUNT, 1);
		return true;
	}
	if (MP_LIKELY(waiter->turn_ms == 0))
		return false;
	waiter->runtime->turn_errors = 0;
	waiter->runtime->turn_until_ns = cpu_ns() + waiter->turn_ms * 1000000ull;
	lua_sethook(waiter->co, look_at_turn, LUA_MASKCOUNT, LOOK_EVERY);
	return true;
}

// spawnLimited(milliseconds, function, ...): a future of what the function returns, or of nil and its error. The
// coroutine and those that it starts get an error once they compute for longer without waiting, whatever they catch,
// until they end. Their code must not be compiled (jit.off).
int mp_core_spawn_limited(lua_State *L)
{
	lua_Integer ms = luaL_checkinteger(L, 1);
	luaL_argcheck(L, ms >= 1 && ms <= 60000, 1, "1 to 60000 ms");
	luaL_checktype(L, 2, LUA_TFUNCTION);
	struct mp_runtime *runtime = mp_runtime_of(L);
	int nargs = lua_gettop(L) - 2;
	mp_core_future(L);
	lua_replace(L, 1);
	lua_pushvalue(L, 1);
	int ref = luaL_ref(L, LUA_REGISTRYINDEX);
	struct mp_waiter *waiter =
		runtime->ending ? NULL : mp_waiter_try(runtime, L, mp_owner_inherited(runtime), nargs);
	if (waiter != NULL) {
		waiter->turn_ms = (uint32_t)ms;
		waiter->future_ref = ref;
		lua_settop(L, 1);
		return 1;
	}
	luaL_unref(L, LUA_REGISTRYINDEX, ref);
	if (!runtime->ending) {
		lua_pushnil(L);
		lua_insert(L, -2);
		mp_lua_future_settle(L, 1, 2);
	}
	lua_settop(L, 1);
	return 1;
}
