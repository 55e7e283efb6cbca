// SPDX-License-Identifier: Apache-2.0
// A future: values that will be there, and the coroutines that wait for them. moonpool.spawn makes one for each
// coroutine, pool:executeAsync for a request; lua/moonpool/async.lua holds the rest of its methods. A future that
// failed while nobody waited for it is logged, so that no error is lost.
//
// The values stand in the userdata's environment table: [1] .. [n], n. It is there from the beginning, with room for
// what a request gives: the end of a request takes no memory, so whoever waits for it is told in any case.
#include <lauxlib.h>
#include <string.h>

#include "base/err.h"
#include "base/fork.h"
#include "base/log.h"
#include "script/core.h"
#include "script/runtime_internal.h"

#define FUTURE "moonpool.future"
#define ROOM   2 // values that have their place from the beginning

struct future {
	struct mp_runtime *runtime; // may be gone when it is not the current one
	uint32_t process;           // of fork()
	struct mp_list waiters;
	bool done;
	bool watched; // somebody has waited or will: an error is not logged
	bool is_of_request;
	struct mp_lua_canceller
		canceller; // of a request that is under way; none: its statement is still prepared
};

static struct future *check(lua_State *L, int index)
{
	struct future *future = luaL_testudata(L, index, FUTURE);
	if (future == NULL)
		mp_lua_raise(L, "a future of moonpool.spawn or pool:executeAsync expected, got %s",
		             luaL_typename(L, index));
	return future;
}

static void push_values(lua_State *L, int room, int count)
{
	lua_createtable(L, room, 1);
	lua_pushinteger(L, count);
	lua_setfield(L, -2, "n");
}

// future(isOfRequest)
int mp_core_future(lua_State *L)
{
	bool is_of_request = lua_toboolean(L, 1);
	struct future *future = lua_newuserdata(L, sizeof(*future));
	memset(future, 0, sizeof(*future));
	future->is_of_request = is_of_request;
	future->runtime = mp_runtime_of(L);
	future->process = mp_fork_generation();
	mp_list_init(&future->waiters);
	luaL_getmetatable(L, FUTURE);
	lua_setmetatable(L, -2);
	push_values(L, ROOM, 0);
	lua_setfenv(L, -2);
	return 1;
}

int mp_core_future_done(lua_State *L)
{
	lua_pushboolean(L, check(L, 1)->done);
	return 1;
}

int mp_core_future_watch(lua_State *L)
{
	check(L, 1)->watched = true;
	return 0;
}

// The runtime of a future that is not done.
static struct mp_runtime *runtime_of(lua_State *L, const struct future *future, const char *what)
{
	struct mp_runtime *runtime = mp_runtime_of(L);
	if (future->process != mp_fork_generation())
		mp_runtime_raise_forked(L);
	if (future->runtime != runtime) // which may be gone
		mp_lua_raise(L, "the future belongs to another world: %s it where it was made", what);
	return runtime;
}

// Returns (nothing) as soon as the values are there; an error at once when there is no memory to wait with.
int mp_core_future_park(lua_State *L)
{
	struct future *future = check(L, 1);
	future->watched = true;
	if (future->done)
		return 0;
	struct mp_runtime *runtime = runtime_of(L, future, "wait for");
	if (MP_UNLIKELY(mp_runtime_check(runtime, L) != 0)) {
		mp_lua_push_no_memory(L);
		return 1;
	}
	mp_runtime_queue(runtime, &future->waiters);
	return mp_runtime_yield(runtime);
}

struct mp_lua_canceller *mp_lua_future_canceller(lua_State *L, int index)
{
	return &check(L, index)->canceller;
}

// futureCancel(future): whether CANCELLED is what it ends with.
int mp_core_future_cancel(lua_State *L)
{
	struct future *future = check(L, 1);
	const struct mp_lua_canceller *canceller = &future->canceller;
	if (future->done) {
		lua_pushboolean(L, false);
		return 1;
	}
	(void)runtime_of(L, future, "cancel");
	if (!future->is_of_request)
		mp_lua_raise(L, "a coroutine is not cancelled, a request is: cancel the futures that it waits for");
	if (canceller->cancel != NULL) {
		lua_pushboolean(L, canceller->cancel(canceller->data));
		return 1;
	}
	mp_lua_fail(L, MP_ECANCELLED, "%s", mp_err_text(MP_ECANCELLED));
	mp_lua_future_settle(L, 1, 2);
	lua_pushboolean(L, true);
	return 1;
}

int mp_core_future_values(lua_State *L)
{
	check(L, 1);
	lua_getfenv(L, 1);
	lua_getfield(L, -1, "n");
	int count = (int)lua_tointeger(L, -1);
	lua_pop(L, 1);
	luaL_checkstack(L, count, "too many results");
	for (int i = 1; i <= count; i++)
		lua_rawgeti(L, 2, i);
	return count;
}

static void log_lost(lua_State *L, struct future *future, int error)
{
	const struct mp_waiter *current = future->runtime->current;
	bool is_over = current != NULL && mp_owner_is_over(current->owner); // it was to end
	const char *text = mp_lua_push_error_text(L, error);
	mp_log_write(mp_loop_log(mp_runtime_loop(future->runtime)), is_over ? MP_LOG_DEBUG : MP_LOG_ERROR,
	             "a spawned coroutine failed and nobody waits for it: %s", text);
	lua_pop(L, 1);
}

void mp_lua_future_settle(lua_State *L, int index, int count)
{
	struct future *future = check(L, index);
	mp_runtime_collect(L);
	int first = lua_gettop(L) - count + 1;
	if (MP_LIKELY(count <= ROOM)) {
		lua_getfenv(L, index);
		lua_pushinteger(L, count);
		lua_setfield(L, -2, "n");
	} else {
		push_values(L, count, count);
	}
	for (int i = 0; i < count; i++) {
		lua_pushvalue(L, first + i);
		lua_rawseti(L, -2, i + 1);
	}
	lua_setfenv(L, index);
	lua_settop(L, first - 1);
	future->done = true;
	struct mp_waiter *waiter;
	while ((waiter = mp_runtime_unqueue(&future->waiters)) != NULL)
		mp_waiter_wake(waiter);
}

// Nothing in here takes memory, so it needs no protection.
void mp_lua_future_starve(struct mp_runtime *runtime, int ref)
{
	lua_State *L = mp_runtime_state(runtime);
	int top = lua_gettop(L);
	lua_rawgeti(L, LUA_REGISTRYINDEX, ref);
	if (!check(L, top + 1)->done) {
		lua_pushnil(L);
		mp_lua_push_no_memory(L);
		mp_lua_future_settle(L, top + 1, 2);
	}
	lua_settop(L, top);
}

// finish(future, true, values...) or finish(future, false, error): the results of xpcall.
int mp_core_future_finish(lua_State *L)
{
	struct future *future = check(L, 1);
	if (lua_toboolean(L, 2)) {
		mp_lua_future_settle(L, 1, lua_gettop(L) - 2);
		return 0;
	}
	lua_settop(L, 3);
	if (!future->watched)
		log_lost(L, future, 3);
	lua_pushnil(L); // future:wait() gives nil, error
	lua_replace(L, 2);
	mp_lua_future_settle(L, 1, 2);
	return 0;
}

void mp_lua_add_future(lua_State *L)
{
	luaL_newmetatable(L, FUTURE);
	lua_createtable(L, 0, 4);
	lua_pushvalue(L, -1);
	lua_setfield(L, -3, "__index");
	lua_setfield(L, -3, "futureMethods"); // filled by lua/moonpool/async.lua
	lua_pop(L, 1);
}
