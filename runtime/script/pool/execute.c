// SPDX-License-Identifier: Apache-2.0
// Requests of a pool as lua/moonpool/pool.lua asks for them: arguments are checked, options read, and the call is left
// to op.c. Whether it can wait here is asked before anything else is done.
#include "script/pool/execute.h"

#include <lauxlib.h>

#include "script/core.h"
#include "script/pool/direct.h"
#include "script/pool/op.h"
#include "script/pool/options.h"
#include "script/values/bind.h"

// Whether there are options.
static bool check_arguments(lua_State *L, const char *method)
{
	int parameters = lua_type(L, 3), options = lua_type(L, 4);
	if (parameters != LUA_TTABLE && parameters > LUA_TNIL)
		mp_lua_bad_argument(L, method, 3, "parameters", "a table");
	if (options != LUA_TTABLE && options > LUA_TNIL)
		mp_lua_bad_argument(L, method, 4, "options", "a table");
	return options == LUA_TTABLE;
}

// A text with parameters is prepared, unless the option says otherwise.
static bool is_prepared_first(lua_State *L, struct mp_str cql, const struct mp_lua_options *options)
{
	return options->prepare >= 0 ? options->prepare > 0 : mp_lua_has_parameters(L, 3, cql);
}

// NULL: a text.
static struct mp_lua_statement *statement_argument(lua_State *L, struct mp_lua_pool *pool, const char *method)
{
	struct mp_lua_statement *statement = mp_lua_test_statement(L, 2);
	if (MP_UNLIKELY(statement == NULL) && lua_type(L, 2) != LUA_TSTRING)
		mp_lua_bad_argument(L, method, 2, "statement", "a string or a prepared statement");
	if (statement != NULL && MP_UNLIKELY(statement->pool != pool) && pool->state != MP_POOL_CLOSED)
		mp_lua_raise(L, "the statement was prepared by another pool");
	return statement;
}

void mp_lua_pool_shorten(const struct mp_lua_pool *pool, struct mp_request_options *options, double spent_ms)
{
	uint32_t whole_ms =
		options->timeout_ms != 0 ? options->timeout_ms : mp_session_timeout_ms(pool->engine.session);
	options->timeout_ms = spent_ms < whole_ms ? whole_ms - (uint32_t)spent_ms : 1;
}

int mp_lua_pool_not_open(lua_State *L, const struct mp_lua_pool *pool)
{
	bool closed = pool->state >= MP_POOL_CLOSING;
	return mp_lua_fail(L, MP_ECLOSED, closed ? "the pool is closed" : "the pool is not connected");
}

static int execute(lua_State *L, struct mp_lua_pool *pool, struct mp_prepared *prepared, struct mp_str cql,
                   const struct mp_lua_options *options)
{
	if (MP_LIKELY(mp_lua_op_submit(L, pool, prepared, cql, options, 0)))
		return mp_runtime_yield(pool->runtime);
	return 2;
}

// The values are bound by what the server says about the statement now.
static int prepare_first(lua_State *L, struct mp_lua_pool *pool, struct mp_str cql, struct mp_str keyspace,
                         const struct mp_lua_options *options)
{
	struct mp_prepared *prepared;
	int rc = mp_lua_op_prepare(pool, cql, keyspace, options->request.timeout_ms, &prepared);
	if (rc == 0)
		return execute(L, pool, prepared, (struct mp_str){NULL, 0}, options);
	return rc == 1 ? mp_runtime_yield(pool->runtime) : mp_lua_fail(L, rc, "%s", mp_lua_op_why(rc, cql));
}

// Whether its requests can be direct ones now.
static bool is_ready(const struct mp_lua_pool *pool, const struct mp_lua_statement *statement)
{
	return pool->state == MP_POOL_OPEN && !pool->has_defaults && statement->prepared != NULL &&
	       !mp_prepared_is_doubted(statement->prepared);
}

// What mp_core_submit() gives. `has_options`: at 4; `spent`: at 5, it was prepared for this request.
static int submit_statement(lua_State *L, struct mp_lua_pool *pool, const struct mp_lua_statement *statement,
                            bool has_options, bool spent)
{
	if (MP_LIKELY(!spent && !has_options && is_ready(pool, statement))) {
		enum mp_lua_direct how = mp_lua_direct_submit(L, pool, statement, 3, -1);
		if (MP_LIKELY(how != MP_LUA_DIRECT_NOT))
			return how == MP_LUA_DIRECT_SENT ? mp_runtime_yield(pool->runtime) : 2;
	}
	struct mp_lua_options options = statement->defaults;
	if (has_options || pool->has_defaults)
		mp_lua_options_read(L, 4, spent ? MP_LUA_CALL_TEXT : MP_LUA_CALL_STATEMENT, pool->engine.session,
		                    &options);
	struct mp_prepared *known = statement->prepared;
	if (MP_UNLIKELY(pool->state != MP_POOL_OPEN || known == NULL))
		return mp_lua_pool_not_open(L, pool);
	if (spent)
		mp_lua_pool_shorten(pool, &options.request, lua_tonumber(L, 5));
	else if (MP_UNLIKELY(mp_prepared_is_doubted(known)))
		return prepare_first(L, pool, known->cql, known->keyspace, &options);
	return execute(L, pool, known, (struct mp_str){NULL, 0}, &options);
}

// submit(pool, statement, parameters, options, spent): nothing, then answer() has it | nil, err |
// statement, prepared, spent
int mp_core_submit(lua_State *L)
{
	lua_settop(L, 5);
	struct mp_lua_pool *pool = mp_lua_pool_at(L, 1);
	bool has_options = check_arguments(L, "execute");
	if (MP_UNLIKELY(mp_lua_pool_is_forked(pool)))
		return mp_lua_forked(L);
	if (MP_UNLIKELY(mp_lua_pool_check_wait(pool, L) != 0))
		return mp_lua_fail_no_memory(L);
	const struct mp_lua_statement *statement = statement_argument(L, pool, "execute");
	if (MP_LIKELY(statement != NULL))
		return submit_statement(L, pool, statement, has_options, lua_type(L, 5) == LUA_TNUMBER);
	struct mp_lua_options options = mp_lua_options_none;
	mp_lua_options_read(L, 4, MP_LUA_CALL_TEXT, pool->engine.session, &options);
	struct mp_str cql;
	cql.data = lua_tolstring(L, 2, &cql.len);
	if (MP_UNLIKELY(pool->state != MP_POOL_OPEN))
		return mp_lua_pool_not_open(L, pool);
	if (!is_prepared_first(L, cql, &options))
		return execute(L, pool, NULL, cql, &options);
	return prepare_first(L, pool, cql, options.keyspace, &options);
}

// submitValues(pool, statement, count, value, ...), or with the count -1 and a table of values or nil: as submit(); or
// false: submit() it, with the values in a table.
int mp_core_submit_values(lua_State *L)
{
	struct mp_lua_pool *pool = mp_lua_pool_at(L, 1);
	const struct mp_lua_statement *statement = mp_lua_test_statement(L, 2);
	enum mp_lua_direct how = MP_LUA_DIRECT_NOT;
	if (MP_LIKELY(statement != NULL && statement->pool == pool && !mp_lua_pool_is_forked(pool) &&
	              is_ready(pool, statement))) {
		if (MP_UNLIKELY(mp_runtime_check(pool->runtime, L) != 0))
			return mp_lua_fail_no_memory(L);
		how = mp_lua_direct_submit(L, pool, statement, 4, (int)lua_tonumber(L, 3));
	}
	if (MP_LIKELY(how == MP_LUA_DIRECT_SENT))
		return mp_runtime_yield(pool->runtime);
	if (how == MP_LUA_DIRECT_FAILED)
		return 2;
	lua_pushboolean(L, 0);
	return 1;
}

// prepare(pool, cql, options): statement, mark | nil, err
int mp_core_prepare(lua_State *L)
{
	lua_settop(L, 3);
	struct mp_lua_pool *pool = mp_lua_pool_at(L, 1);
	if (lua_type(L, 2) != LUA_TSTRING)
		mp_lua_bad_argument(L, "prepare", 2, "statement", "a string");
	if (lua_type(L, 3) != LUA_TTABLE && !lua_isnil(L, 3))
		mp_lua_bad_argument(L, "prepare", 3, "options", "a table");
	if (mp_lua_pool_is_forked(pool))
		return mp_lua_forked(L);
	if (MP_UNLIKELY(mp_lua_pool_check_wait(pool, L) != 0))
		return mp_lua_fail_no_memory(L);
	struct mp_lua_options options = mp_lua_options_none;
	mp_lua_options_read(L, 3, MP_LUA_CALL_PREPARE, NULL, &options);
	if (pool->state != MP_POOL_OPEN)
		return mp_lua_pool_not_open(L, pool);
	struct mp_str cql;
	cql.data = lua_tolstring(L, 2, &cql.len);
	struct mp_prepared *prepared;
	int rc = mp_lua_op_prepare(pool, cql, options.keyspace, options.request.timeout_ms, &prepared);
	if (rc == 1)
		return mp_runtime_yield(pool->runtime);
	if (rc != 0)
		return mp_lua_fail(L, rc, "%s", mp_lua_op_why(rc, cql));
	mp_lua_push_statement(L, pool, prepared);
	return 1;
}

// prepareFirst(pool, statement, options): statement, ms, or after a wait statement, prepared, ms | nil, err. For a
// request of which submitAsync() says that it needs that.
int mp_core_prepare_first(lua_State *L)
{
	lua_settop(L, 3);
	struct mp_lua_pool *pool = mp_lua_pool_at(L, 1);
	if (MP_UNLIKELY(mp_lua_pool_check_wait(pool, L) != 0))
		return mp_lua_fail_no_memory(L);
	const struct mp_lua_statement *statement = mp_lua_test_statement(L, 2);
	const struct mp_prepared *known = statement != NULL ? statement->prepared : NULL;
	struct mp_lua_options options = statement != NULL ? statement->defaults : mp_lua_options_none;
	mp_lua_options_read(L, 3, statement != NULL ? MP_LUA_CALL_STATEMENT : MP_LUA_CALL_TEXT,
	                    pool->engine.session, &options);
	if (pool->state != MP_POOL_OPEN || (statement != NULL && known == NULL))
		return mp_lua_pool_not_open(L, pool);
	struct mp_str cql = known != NULL ? known->cql : (struct mp_str){NULL, 0};
	if (known == NULL)
		cql.data = lua_tolstring(L, 2, &cql.len);
	struct mp_prepared *prepared;
	int rc = mp_lua_op_prepare(pool, cql, known != NULL ? known->keyspace : options.keyspace,
	                           options.request.timeout_ms, &prepared);
	if (rc == 1)
		return mp_runtime_yield(pool->runtime);
	if (rc != 0)
		return mp_lua_fail(L, rc, "%s", mp_lua_op_why(rc, cql));
	mp_lua_push_statement(L, pool, prepared);
	lua_pushnumber(L, 0);
	return 2;
}

// checkRequest(pool, statement, parameters, options, method): raises what execute would raise, without doing it.
int mp_core_check_request(lua_State *L)
{
	lua_settop(L, 5);
	struct mp_lua_pool *pool = mp_lua_pool_at(L, 1);
	const char *method = luaL_checkstring(L, 5);
	check_arguments(L, method);
	bool is_text = statement_argument(L, pool, method) == NULL;
	struct mp_lua_options options = mp_lua_options_none;
	mp_lua_options_read(L, 4, is_text ? MP_LUA_CALL_TEXT : MP_LUA_CALL_STATEMENT, pool->engine.session,
	                    &options);
	return 0;
}

// submitAsync(pool, statement, parameters, options, future, spent): true, and the future gets the answer; false: the
// statement is to be prepared first, which takes a coroutine. `spent`: that was done, and took so many ms. Arguments
// were checked by checkRequest().
int mp_core_submit_async(lua_State *L)
{
	bool was_prepared = lua_gettop(L) == 6 && lua_type(L, 6) == LUA_TNUMBER;
	lua_settop(L, 6);
	struct mp_lua_pool *pool = mp_lua_pool_at(L, 1);
	struct mp_lua_statement *statement = mp_lua_test_statement(L, 2);
	struct mp_lua_options options = statement != NULL ? statement->defaults : mp_lua_options_none;
	mp_lua_options_read(L, 4, statement != NULL && !was_prepared ? MP_LUA_CALL_STATEMENT : MP_LUA_CALL_TEXT,
	                    pool->engine.session, &options);
	if (was_prepared)
		mp_lua_pool_shorten(pool, &options.request, lua_tonumber(L, 6));
	struct mp_str cql = {NULL, 0};
	if (statement == NULL)
		cql.data = lua_tolstring(L, 2, &cql.len);
	bool forked = mp_lua_pool_is_forked(pool);
	struct mp_prepared *known = statement != NULL ? statement->prepared : NULL;
	bool asks_first = known != NULL && !was_prepared && mp_prepared_is_doubted(known);
	if (statement == NULL)
		asks_first = is_prepared_first(L, cql, &options);
	bool submitted = false;
	lua_pushboolean(L, forked || !asks_first);
	if (!forked && asks_first)
		return 1;
	if (forked)
		mp_lua_forked(L);
	else if (pool->state != MP_POOL_OPEN || (statement != NULL && statement->prepared == NULL))
		mp_lua_pool_not_open(L, pool);
	else
		submitted =
			mp_lua_op_submit(L, pool, statement != NULL ? statement->prepared : NULL, cql, &options, 5);
	if (!submitted)
		mp_lua_future_settle(L, 5, 2);
	return 1;
}

void mp_lua_add_execute(lua_State *L)
{
	lua_pushlightuserdata(L, (void *)(uintptr_t)&mp_lua_prepared_mark);
	lua_setfield(L, -2, "prepared");
}
