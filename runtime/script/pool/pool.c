// SPDX-License-Identifier: Apache-2.0
// The life of a pool: new, connect, close, collected. The userdata holds a pointer, because the session outlives it
// until its last connection is closed. The pool is freed when it is CLOSED, collected, and held by nobody.
#include "script/pool/pool.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "base/fork.h"
#include "base/mem.h"
#include "cluster/profile.h"
#include "script/core.h"
#include "script/values/result.h"

static const char mark[] = MP_LUA_POOL;

static struct mp_lua_pool_value *test_pool(lua_State *L, int index)
{
	return mp_lua_marked(L, index, sizeof(struct mp_lua_pool_value), mark);
}

struct mp_lua_pool *mp_lua_pool_at(lua_State *L, int index)
{
	struct mp_lua_pool_value *value = test_pool(L, index);
	if (MP_UNLIKELY(value == NULL))
		mp_lua_raise(L, "a pool expected, got %s: call pool:method(), not pool.method()",
		             luaL_typename(L, index));
	// Finalizers run in any order, and tables with weak keys keep what was finalized for another cycle.
	if (MP_UNLIKELY(value->pool == NULL))
		mp_lua_raise(L, "the pool was collected already");
	return value->pool;
}

int mp_lua_forked(lua_State *L)
{
	return mp_lua_fail(L, MP_EFORKED, "the pool was made before fork(): this process has to make its own");
}

struct mp_lua_pool *mp_lua_check_pool(lua_State *L, int index)
{
	struct mp_lua_pool *pool = mp_lua_pool_at(L, index);
	if (MP_UNLIKELY(mp_lua_pool_is_forked(pool))) {
		mp_lua_forked(L);
		lua_error(L);
	}
	return pool;
}

const struct mp_log *mp_lua_pool_log(const struct mp_lua_pool *pool)
{
	return pool->engine.session != NULL ? mp_session_log(pool->engine.session) : NULL;
}

// ---- waiters ----------------------------------------------------------------------------------------------

static int push_error_of(lua_State *L)
{
	lua_pushnil(L);
	mp_lua_push_error(L, lua_touserdata(L, 1));
	return 2;
}

// Resume them all: with true, or with nil and the error.
static void answer(struct mp_list *waiters, const struct mp_error *error)
{
	// Those that begin to wait meanwhile are not meant.
	for (size_t left = waiters->count; left > 0 && waiters->count > 0; left--) {
		struct mp_waiter *waiter = mp_runtime_unqueue(waiters);
		if (error == NULL) {
			lua_pushboolean(mp_waiter_state(waiter), 1);
			mp_waiter_resume(waiter, 1);
			continue;
		}
		mp_waiter_hand(waiter, push_error_of, (void *)(uintptr_t)error);
		mp_waiter_resume(waiter, 2);
	}
}

static int wait_in(struct mp_lua_pool *pool, struct mp_list *waiters)
{
	mp_runtime_queue(pool->runtime, waiters);
	return mp_runtime_yield(pool->runtime);
}

int mp_lua_pool_check_wait(const struct mp_lua_pool *pool, lua_State *L)
{
	return MP_LIKELY(pool->state != MP_POOL_CLOSED) ? mp_runtime_check(pool->runtime, L) : 0;
}

// ---- the end ----------------------------------------------------------------------------------------------

static void free_unused(struct mp_lua_pool *pool)
{
	if (pool->state != MP_POOL_CLOSED || !pool->collected || pool->held > 0)
		return;
	mp_lua_pool_events_free(pool);
	mp_slab_deinit(&pool->ops);
	mp_lua_codec_deinit(&pool->codec);
	mp_free(pool);
}

void mp_lua_pool_hold(struct mp_lua_pool *pool)
{
	pool->held++;
}

void mp_lua_pool_release(struct mp_lua_pool *pool)
{
	pool->held--;
	free_unused(pool);
}

// In a turn after the session said that it is closed: nothing of it is on the stack.
static void reap(void *data)
{
	struct mp_lua_pool *pool = data;
	mp_lua_pool_hold(pool);
	mp_lua_pool_end_lookups(pool);
	mp_lua_pool_end_ops(pool);
	while (pool->statements.count > 0) {
		struct mp_lua_statement *statement =
			MP_CONTAINER_OF(mp_list_pop_front(&pool->statements), struct mp_lua_statement, node);
		mp_prepared_unref(statement->prepared);
		statement->prepared = NULL;
	}
	mp_session_stats(pool->engine.session, &pool->last);
	pool->last.connections_total = pool->last.connections_active = pool->last.connections_idle = 0;
	mp_engine_free(&pool->engine);
	pool->state = MP_POOL_CLOSED;
	mp_runtime_remove_guest(pool->runtime, &pool->guest);
	mp_lua_pool_events_end(pool);
	answer(&pool->closing, NULL);
	mp_lua_pool_release(pool);
}

static void on_closed(void *data)
{
	struct mp_lua_pool *pool = data;
	mp_task_post(pool->engine.loop, &pool->reap, MP_PHASE_RUN);
}

static void begin_close(struct mp_lua_pool *pool, uint32_t drain_ms)
{
	if (pool->state >= MP_POOL_CLOSING)
		return;
	pool->state = MP_POOL_CLOSING;
	mp_lua_pool_unwatch(pool);
	mp_session_close(pool->engine.session, drain_ms, on_closed, pool);
}

static void end_guest(struct mp_runtime_guest *guest)
{
	begin_close(MP_CONTAINER_OF(guest, struct mp_lua_pool, guest), 0);
}

// The process ends: the policies' states are closed, because nobody would find their memory.
static void leave_guest(struct mp_runtime_guest *guest)
{
	struct mp_lua_pool *pool = MP_CONTAINER_OF(guest, struct mp_lua_pool, guest);
	pool->state = MP_POOL_CLOSED;
	mp_lua_pool_hold(pool); // for good
	mp_policies_free(pool->engine.policies);
	pool->engine.policies = NULL;
}

static size_t requests_of_guest(struct mp_runtime_guest *guest)
{
	const struct mp_lua_pool *pool = MP_CONTAINER_OF(guest, struct mp_lua_pool, guest);
	return pool->ops.in_use + pool->direct;
}

static int pool_gc(lua_State *L)
{
	struct mp_lua_pool_value *value = test_pool(L, 1);
	struct mp_lua_pool *pool = value != NULL ? value->pool : NULL;
	if (pool == NULL)
		return 0;
	value->pool = NULL;
	if (mp_lua_pool_is_forked(pool) && pool->state != MP_POOL_CLOSED) {
		mp_engine_leave(&pool->engine);
		return 0;
	}
	pool->collected = true;
	begin_close(pool, 0);
	free_unused(pool);
	return 0;
}

// ---- methods ----------------------------------------------------------------------------------------------

// newPool(checked configuration): a pool, or nil and a message or core.noMemory.
int mp_core_new_pool(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	struct mp_runtime *runtime = mp_runtime_try(L);
	if (runtime == NULL) {
		lua_pushnil(L);
		lua_pushliteral(L, MP_RUNTIME_NONE);
		return 2;
	}
	struct mp_lua_pool_value *value = lua_newuserdata(L, sizeof(*value));
	*value = (struct mp_lua_pool_value){.mark = mark};
	lua_newtable(L); // its environment: lua/moonpool/pool.lua keeps the handlers there
	lua_setfenv(L, -2);
	luaL_getmetatable(L, MP_LUA_POOL);
	lua_setmetatable(L, -2);
	struct mp_lua_pool *pool = mp_calloc(1, sizeof(*pool));
	if (pool == NULL)
		return mp_lua_fail_no_memory(L);
	char message[512] = "";
	int rc = mp_engine_open(&pool->engine, L, 1, mp_runtime_loop(runtime), message, sizeof(message));
	if (rc != 0) {
		mp_engine_free(&pool->engine);
		mp_free(pool);
		if (rc == MP_ENOMEM)
			return mp_lua_fail_no_memory(L);
		lua_pushnil(L);
		mp_lua_push_redacted(L, message, strlen(message));
		return 2;
	}
	pool->process = mp_fork_generation();
	pool->has_defaults = mp_session_defaults(pool->engine.session) != NULL;
	pool->runtime = runtime;
	pool->codec.L = mp_runtime_state(runtime);
	mp_list_init(&pool->connecting);
	mp_list_init(&pool->closing);
	mp_list_init(&pool->statements);
	mp_list_init(&pool->lookups);
	mp_list_init(&pool->events);
	mp_list_init(&pool->watches);
	mp_task_init(&pool->reap, reap, pool);
	mp_lua_pool_init_ops(pool);
	pool->guest.end = end_guest;
	pool->guest.leave = leave_guest;
	pool->guest.requests = requests_of_guest;
	mp_runtime_add_guest(runtime, &pool->guest);
	mp_lua_pool_listen(pool);
	value->pool = pool;
	mp_lua_pool_remember(L, lua_gettop(L), pool);
	return 1;
}

// judgePool(checked configuration): true, or nil and why newPool() would not take it. In a world of its own, which is
// gone afterwards: also where there must be no pool.
int mp_core_judge_pool(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	struct mp_loop *loop = mp_loop_uv_new(NULL, 1);
	if (loop == NULL)
		return mp_lua_fail_no_memory(L);
	mp_loop_log(loop)->level = MP_LOG_OFF;
	struct mp_engine engine;
	char message[512] = "";
	int rc = mp_engine_open(&engine, L, 1, loop, message, sizeof(message));
	mp_engine_free(&engine);
	mp_loop_free(loop);
	if (rc == MP_ENOMEM)
		return mp_lua_fail_no_memory(L);
	if (rc == 0)
		lua_pushboolean(L, 1);
	else
		lua_pushnil(L);
	mp_lua_push_redacted(L, message, strlen(message));
	return 2;
}

static void on_connected(void *data, const struct mp_error *error)
{
	struct mp_lua_pool *pool = data;
	if (pool->state == MP_POOL_CONNECTING)
		pool->state = error == NULL ? MP_POOL_OPEN : MP_POOL_NEW;
	mp_lua_pool_hold(pool);
	answer(&pool->connecting, error);
	mp_lua_pool_release(pool);
}

// connect(pool): true, or nil and err. Several may wait for the same attempt.
int mp_core_connect(lua_State *L)
{
	struct mp_lua_pool *pool = mp_lua_pool_at(L, 1);
	if (mp_lua_pool_is_forked(pool))
		return mp_lua_forked(L);
	if (MP_UNLIKELY(mp_lua_pool_check_wait(pool, L) != 0))
		return mp_lua_fail_no_memory(L);
	if (pool->state >= MP_POOL_CLOSING)
		return mp_lua_fail(L, MP_ECLOSED, "the pool is closed");
	if (pool->state == MP_POOL_OPEN) {
		lua_pushboolean(L, 1);
		return 1;
	}
	if (pool->state == MP_POOL_NEW) {
		pool->state = MP_POOL_CONNECTING;
		mp_session_connect(pool->engine.session, on_connected, pool);
	}
	return wait_in(pool, &pool->connecting);
}

// close(pool): true, when its last connection is closed. Requests in flight may finish, queued ones fail.
int mp_core_close(lua_State *L)
{
	struct mp_lua_pool *pool = mp_lua_pool_at(L, 1);
	if (mp_lua_pool_is_forked(pool))
		return mp_lua_forked(L);
	if (pool->state == MP_POOL_CLOSED) {
		lua_pushboolean(L, 1);
		return 1;
	}
	if (MP_UNLIKELY(mp_lua_pool_check_wait(pool, L) != 0))
		return mp_lua_fail_no_memory(L);
	begin_close(pool, pool->engine.close_drain_ms);
	return wait_in(pool, &pool->closing);
}

// discard(pool): closed without waiting, for one that nobody was given.
int mp_core_discard(lua_State *L)
{
	begin_close(mp_lua_check_pool(L, 1), 0);
	return 0;
}

static int pool_tostring(lua_State *L)
{
	static const char *const names[] = {"new", "connecting", "open", "closing", "closed"};
	const struct mp_lua_pool_value *value = test_pool(L, 1);
	bool is_there = value != NULL && value->pool != NULL;
	lua_pushfstring(L, "moonpool pool (%s)", is_there ? names[mp_lua_pool_at(L, 1)->state] : "collected");
	return 1;
}

void mp_lua_add_pool(lua_State *L)
{
	static const luaL_Reg methods[] = {
		{"__gc", pool_gc},
		{"__tostring", pool_tostring},
		{NULL, NULL},
	};
	luaL_newmetatable(L, MP_LUA_POOL);
	luaL_setfuncs(L, methods, 0);
	lua_newtable(L);
	lua_pushvalue(L, -1);
	lua_setfield(L, -3, "__index");
	lua_setfield(L, -3, "poolMethods"); // filled by lua/moonpool/pool.lua
	lua_pop(L, 1);
}
