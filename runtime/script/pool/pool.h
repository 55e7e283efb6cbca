// SPDX-License-Identifier: Apache-2.0
// A pool as Lua holds it, shared by the lua_*.c files of its methods: an engine, what waits for it, and its events.
//
//   NEW --connect--> CONNECTING --> OPEN --close--> CLOSING --> CLOSED
//    ^                   |
//    +----- failed ------+            close is allowed in every state
#pragma once

#include "base/fork.h"
#include "base/slab.h"
#include "script/engine.h"
#include "script/pool/options.h"
#include "script/runtime.h"
#include "script/values/value.h"

enum mp_lua_pool_state { MP_POOL_NEW, MP_POOL_CONNECTING, MP_POOL_OPEN, MP_POOL_CLOSING, MP_POOL_CLOSED };

struct mp_lua_op;

struct mp_lua_pool {
	uint32_t process; // mp_fork_generation() of the one that made it
	struct mp_runtime *runtime;
	struct mp_engine engine; // gone when CLOSED
	enum mp_lua_pool_state state;
	bool has_defaults; // the configuration has options that every request has
	struct mp_runtime_guest guest;
	bool collected;            // no Lua value names it any more: freed when CLOSED and not held
	uint32_t held;             // by C that lets Lua run and goes on with it afterwards
	struct mp_list connecting; // waiters of connect
	struct mp_list closing;    // waiters of close
	struct mp_list statements; // mp_lua_statement, until CLOSED
	struct mp_list lookups;    // names that are looked up (nodes.c)
	// op.c
	struct mp_slab ops;
	struct mp_lua_op *filling; // a stack: taken, not submitted yet
	struct mp_task sweep;      // gives back what an error left there
	// direct.c
	size_t direct; // requests that are under way
	// answers
	struct mp_codec codec;
	struct mp_task reap;          // after the session is closed
	struct mp_session_stats last; // what getStats() gives after the end
	// events.c
	struct mp_list events;        // to be handled
	uint32_t events_missed;       // that were dropped behind the last of them
	uint32_t wanted;              // kinds that somebody handles
	struct mp_waiter *dispatcher; // the coroutine that hands them out, while it waits
	// reload.c
	struct mp_list watches; // of files
};

// What Lua holds of it.
struct mp_lua_pool_value {
	const void *mark;
	struct mp_lua_pool *pool; // NULL: it was collected
};

struct mp_lua_statement {
	const void *mark;
	struct mp_lua_pool *pool;
	struct mp_prepared *prepared; // NULL: the pool is closed
	struct mp_lua_options defaults;
	struct mp_list_node node;
};

#define MP_LUA_POOL      "moonpool.pool"
#define MP_LUA_STATEMENT "moonpool.statement"

// The userdata of ours at `index`, told by its length and the mark that it begins with, which is faster than by its
// metatable. NULL: something else.
static inline void *mp_lua_marked(lua_State *L, int index, size_t size, const void *mark)
{
	const void **value = lua_touserdata(L, index);
	return value != NULL && lua_objlen(L, index) == size && *value == mark ? value : NULL;
}

// The pool at `index`; raises when it is something else.
struct mp_lua_pool *mp_lua_pool_at(lua_State *L, int index);
// The same for what has no `nil, err`: raises also when it was made before fork().
struct mp_lua_pool *mp_lua_check_pool(lua_State *L, int index);
// Pushes nil and the error of a pool that was made before fork(): 2.
int mp_lua_forked(lua_State *L);
// It was made before fork(). Not asked of its loop, which a closed pool may outlive.
static inline bool mp_lua_pool_is_forked(const struct mp_lua_pool *pool)
{
	return MP_UNLIKELY(pool->process != mp_fork_generation());
}
// Where its level counts; NULL once it is closed.
const struct mp_log *mp_lua_pool_log(const struct mp_lua_pool *pool);
// Whatever runs Lua (a resumed coroutine, any allocation) may collect the pool: C that goes on with it holds it.
void mp_lua_pool_hold(struct mp_lua_pool *pool);
void mp_lua_pool_release(struct mp_lua_pool *pool);
// mp_runtime_check() for the methods that wait. A closed pool, whose runtime may be gone, waits for nothing.
int mp_lua_pool_check_wait(const struct mp_lua_pool *pool, lua_State *L) MP_MUST_CHECK;

// ---- statement.c ------------------------------------------------------------------------------------------
struct mp_lua_statement *mp_lua_test_statement(lua_State *L, int index); // NULL: something else
void mp_lua_push_statement(lua_State *L, struct mp_lua_pool *pool, struct mp_prepared *prepared);

// ---- nodes.c ----------------------------------------------------------------------------------------------
void mp_lua_pool_end_lookups(struct mp_lua_pool *pool); // whoever waits is told that the pool closes

// ---- op.c -------------------------------------------------------------------------------------------------
void mp_lua_pool_init_ops(struct mp_lua_pool *pool);
void mp_lua_pool_end_ops(struct mp_lua_pool *pool); // before the session is freed

// ---- hosts.c ----------------------------------------------------------------------------------------------
// The host that the argument names, or NULL with nil and an error pushed.
const struct mp_host *mp_lua_host_at(lua_State *L, struct mp_lua_pool *pool, int index);

// ---- events.c ---------------------------------------------------------------------------------------------
void mp_lua_pool_listen(struct mp_lua_pool *pool);
void mp_lua_pool_events_end(
	struct mp_lua_pool *pool); // no more will come: the dispatcher hands out the rest and ends
void mp_lua_pool_events_free(struct mp_lua_pool *pool);

// ---- stats.c, metrics.c -----------------------------------------------------------------------------------
void mp_lua_pool_stats(const struct mp_lua_pool *pool,
                       struct mp_session_stats *stats);                 // also when it is CLOSED
void mp_lua_push_metrics(lua_State *L, const struct mp_lua_pool *pool); // what getMetrics() gives

// ---- shadow.c ---------------------------------------------------------------------------------------------
bool mp_lua_push_shadow(lua_State *L,
                        struct mp_session *session); // its agreement; false, and nothing: none is asked
void mp_lua_push_shadow_examples(lua_State *L, struct mp_session *session);

// ---- reload.c ---------------------------------------------------------------------------------------------
// The userdata at `index` is found again by its pool while Lua knows it.
void mp_lua_pool_remember(lua_State *L, int index, struct mp_lua_pool *pool);
void mp_lua_pool_push(lua_State *L, const struct mp_lua_pool *pool); // nil: Lua knows it no more
void mp_lua_pool_unwatch(struct mp_lua_pool *pool);
int mp_lua_policy_kind(lua_State *L, int index); // the kind that is named there; raises when it is none

// ---- canary.c ---------------------------------------------------------------------------------------------
void mp_lua_push_canary(lua_State *L, const char *kind, const struct mp_canary_info *info);
