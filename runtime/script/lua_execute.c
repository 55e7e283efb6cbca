// SPDX-License-Identifier: Apache-2.0
// Requests of a pool. Each function registers its coroutine, submits, and yields; the answer resumes the coroutine,
// which makes Lua values of it by answer() before anything else, so all this is inside of the answer's own
// callback.
//
// A call lives in a slab of its pool from submit to the answer. Text that the core borrows is copied into it: what Lua
// holds of it may be collected meanwhile.
#include <lauxlib.h>

#include "script/lua_bind.h"
#include "script/lua_core.h"
#include "script/lua_options.h"
#include "script/lua_pool.h"
#include "script/lua_result.h"

struct op {
	struct mp_lua_pool *pool; // first word: not kept by the slab
	struct mp_waiter *waiter; // NULL: a future waits
	int future_ref;
	struct mp_buf text; // statement, keyspace, paging state
	// during the answer
	struct mp_request *request;
	const struct mp_outcome *outcome;
	struct mp_prepared *prepared;
	const struct mp_error *error;
	uint64_t began_ns; // of prepare
};

// Second result of submit(): the first is a statement; call again with it, and with the third, the ms that it took.
static const char prepared_mark = 'p';

static void free_op(void *op)
{
	mp_buf_deinit(&((struct op *)op)->text);
}

void mp_lua_pool_init_ops(struct mp_lua_pool *pool)
{
	mp_slab_init(&pool->ops, sizeof(struct op), NULL, free_op);
}

static struct op *take_op(struct mp_lua_pool *pool)
{
	struct op *op = mp_slab_take(&pool->ops);
	if (op == NULL)
		return NULL;
	op->pool = pool;
	op->waiter = NULL;
	op->future_ref = LUA_NOREF;
	mp_buf_clear(&op->text);
	return op;
}

static void give_op(struct op *op)
{
	mp_slab_give(&op->pool->ops, op);
}

// Three results, or none when there was no memory for them, to the coroutine; the call is over.
static void finish(struct op *op, lua_State *from)
{
	struct mp_waiter *waiter = op->waiter;
	lua_State *co = mp_waiter_state(waiter);
	give_op(op);
	if (MP_LIKELY(from != NULL)) {
		lua_xmove(from, co, 3);
	} else {
		lua_pushnil(co);
		mp_lua_push_no_memory(co);
		lua_pushnil(co);
	}
	mp_waiter_resume(waiter, 3);
}

// ---- prepare ----------------------------------------------------------------------------------------------------

static int push_prepared(lua_State *L)
{
	struct op *op = lua_touserdata(L, 1);
	if (op->error != NULL) {
		lua_pushnil(L);
		mp_lua_push_error(L, op->error);
	} else {
		mp_lua_push_statement(L, op->pool, op->prepared);
		lua_pushlightuserdata(L, (void *)(uintptr_t)&prepared_mark);
	}
	uint64_t spent_ns = mp_loop_now_ns(op->pool->engine.loop) - op->began_ns;
	lua_pushnumber(L, (double)(spent_ns / 1000000));
	return 3;
}

static void on_prepared(void *data, struct mp_prepared *prepared, const struct mp_error *error)
{
	struct op *op = data;
	op->prepared = prepared;
	op->error = error;
	finish(op, mp_runtime_protect(op->pool->runtime, push_prepared, op, 3));
}

// 0: *prepared is there. 1: the coroutine waits, yield. Otherwise MP_E*.
static int prepare(struct mp_lua_pool *pool, struct mp_str cql, struct mp_str keyspace, uint32_t timeout_ms,
                   struct mp_prepared **prepared)
{
	struct op *op = take_op(pool);
	if (op == NULL)
		return MP_ENOMEM;
	*prepared = NULL;
	op->began_ns = mp_loop_now_ns(pool->engine.loop);
	int rc = mp_session_prepare(pool->engine.session, cql, keyspace, timeout_ms, prepared, on_prepared, op);
	if (rc != 0 || *prepared != NULL) {
		give_op(op);
		return rc;
	}
	op->waiter = mp_runtime_register(pool->runtime);
	return 1;
}

// ---- execute ----------------------------------------------------------------------------------------------------

static int settle_future(lua_State *L)
{
	struct op *op = lua_touserdata(L, 1);
	lua_rawgeti(L, LUA_REGISTRYINDEX, op->future_ref);
	luaL_unref(L, LUA_REGISTRYINDEX, op->future_ref);
	mp_lua_push_outcome(L, &op->pool->codec, op->request->prepared, op->outcome);
	mp_lua_future_settle(L, 2, 2);
	return 0;
}

// The userdata at `index` if its metatable is the upvalue; faster than luaL_testudata().
static void *test_fast(lua_State *L, int index, int upvalue)
{
	void *data = lua_touserdata(L, index);
	if (data == NULL || !lua_getmetatable(L, index))
		return NULL;
	if (!lua_rawequal(L, -1, lua_upvalueindex(upvalue)))
		data = NULL;
	lua_pop(L, 1);
	return data;
}

// The answer was read, or nobody will: the request is over.
static void drop_answer(struct mp_lua_pool *pool)
{
	struct op *op = pool->answer;
	pool->answer = NULL;
	mp_request_give(op->request);
	give_op(op);
}

// answer(pool): result | nil, err. What the coroutine asks first when it goes on after submit().
static int answer_call(lua_State *L)
{
	struct mp_lua_pool **holder = test_fast(L, 1, 1);
	struct mp_lua_pool *pool = MP_LIKELY(holder != NULL) ? *holder : mp_lua_check_pool(L, 1);
	struct op *op = pool->answer;
	if (op == NULL)
		mp_lua_raise(L, "the coroutine was resumed while it waited for an answer");
	mp_lua_push_outcome(L, &pool->codec, op->request->prepared, op->outcome);
	drop_answer(pool);
	return 2;
}

static void on_done(struct mp_request *request, const struct mp_outcome *outcome)
{
	struct op *op = request->data[0];
	op->request = request;
	op->outcome = outcome;
	if (op->waiter == NULL) {
		mp_runtime_protect(op->pool->runtime, settle_future, op, 0);
		mp_request_give(request);
		give_op(op);
		return;
	}
	struct mp_lua_pool *pool = op->pool;
	pool->answer = op;
	mp_waiter_resume(op->waiter, 0);
	// A coroutine that somebody else has resumed meanwhile did not ask for it.
	if (MP_UNLIKELY(pool->answer != NULL))
		drop_answer(pool);
}

// Copies what the request borrows. 0 or MP_ENOMEM.
static int own(struct op *op, struct mp_request *request, struct mp_str cql,
               const struct mp_lua_options *options)
{
	struct mp_buf *text = &op->text;
	size_t state_len = options->page_state.data != NULL ? (size_t)options->page_state.len : 0;
	if (cql.len + options->keyspace.len + state_len == 0)
		return 0;
	mp_buf_bytes(text, cql.data, cql.len);
	mp_buf_bytes(text, options->keyspace.data, options->keyspace.len);
	mp_buf_bytes(text, options->page_state.data, state_len);
	int rc = mp_buf_status(text);
	if (rc != 0)
		return rc;
	const char *at = (const char *)text->data;
	request->cql = (struct mp_str){at, cql.len};
	request->keyspace = (struct mp_str){at + cql.len, options->keyspace.len};
	if (state_len > 0)
		request->paging_state =
			(struct mp_bytes){(const uint8_t *)at + cql.len + options->keyspace.len, (int32_t)state_len};
	return 0;
}

// A request to fill. One that was left by a raised error is given back first.
static struct mp_request *take_request(struct mp_lua_pool *pool)
{
	if (MP_UNLIKELY(pool->filling != NULL))
		mp_request_give(pool->filling);
	pool->filling = mp_request_take(pool->engine.session);
	return pool->filling;
}

static struct op *refuse(lua_State *L, struct mp_lua_pool *pool, int rc, const char *why)
{
	if (pool->filling != NULL)
		mp_request_give(pool->filling);
	pool->filling = NULL;
	mp_lua_fail(L, rc, "%s", why);
	return NULL;
}

// Everything is known: fill and submit. The call, or NULL with `nil, err` on the stack.
static struct op *submit(lua_State *L, struct mp_lua_pool *pool, struct mp_prepared *prepared,
                         struct mp_str cql, const struct mp_lua_options *options)
{
	struct mp_codec *codec = &pool->codec;
	struct mp_request *request = take_request(pool);
	if (request == NULL)
		return refuse(L, pool, MP_ENOMEM, "out of memory");
	if (prepared != NULL)
		request->prepared = mp_prepared_ref(prepared);
	int rc = mp_lua_options_apply(options, pool->engine.session, request);
	if (rc != 0)
		return refuse(L, pool, rc, "option 'host': the cluster has no such host");
	codec->why[0] = '\0';
	rc =
		prepared != NULL ? mp_lua_bind(L, 3, codec, request) : mp_lua_bind_untyped(L, 3, cql, codec, request);
	if (rc == 0)
		rc = mp_buf_status(&request->values);
	if (MP_UNLIKELY(rc != 0))
		return refuse(L, pool, rc, codec->why[0] != '\0' ? codec->why : mp_err_text(rc));
	struct op *op = take_op(pool);
	rc = op == NULL ? MP_ENOMEM : own(op, request, cql, options);
	if (rc == 0) {
		request->data[0] = op;
		request->on_done = on_done;
		rc = mp_request_submit(request);
	}
	if (MP_UNLIKELY(rc != 0)) {
		if (op != NULL)
			give_op(op);
		return refuse(L, pool, rc, mp_err_text(rc));
	}
	pool->filling = NULL;
	return op;
}

static int wait_for(lua_State *L, struct op *op)
{
	if (MP_UNLIKELY(op == NULL))
		return 2;
	op->waiter = mp_runtime_register(op->pool->runtime);
	return lua_yield(L, 0);
}

static void check_arguments(lua_State *L, const char *method)
{
	int parameters = lua_type(L, 3), options = lua_type(L, 4);
	if (parameters != LUA_TTABLE && parameters > LUA_TNIL)
		mp_lua_bad_argument(L, method, 3, "parameters", "a table");
	if (options != LUA_TTABLE && options > LUA_TNIL)
		mp_lua_bad_argument(L, method, 4, "options", "a table");
}

// A text with parameters is prepared, unless the option says otherwise.
static bool is_prepared_first(lua_State *L, struct mp_str cql, const struct mp_lua_options *options)
{
	return options->prepare >= 0 ? options->prepare > 0 : mp_lua_has_parameters(L, 3, cql);
}

static struct mp_lua_statement *statement_argument(lua_State *L, struct mp_lua_pool *pool, const char *method)
{
	struct mp_lua_statement *statement = mp_lua_test_statement(L, 2);
	if (statement == NULL)
		mp_lua_bad_argument(L, method, 2, "statement", "a string or a prepared statement");
	if (statement->pool != pool)
		mp_lua_raise(L, "the statement was prepared by another pool");
	return statement;
}

// A text that had to be prepared first has one deadline over both.
static void shorten(const struct mp_lua_pool *pool, struct mp_request_options *options, double spent_ms)
{
	uint32_t whole_ms =
		options->timeout_ms != 0 ? options->timeout_ms : mp_session_timeout_ms(pool->engine.session);
	options->timeout_ms = spent_ms < whole_ms ? whole_ms - (uint32_t)spent_ms : 1;
}

static int not_open(lua_State *L, const struct mp_lua_pool *pool)
{
	bool closed = pool->state >= MP_POOL_CLOSING;
	return mp_lua_fail(L, MP_ECLOSED, closed ? "the pool is closed" : "the pool is not connected");
}

// submit(pool, statement, parameters, options, spent): nothing, then answer() has it | nil, err |
// statement, prepared, spent
static int submit_call(lua_State *L)
{
	lua_settop(L, 5);
	struct mp_lua_pool **holder = test_fast(L, 1, 1);
	struct mp_lua_pool *pool = MP_LIKELY(holder != NULL) ? *holder : mp_lua_pool_at(L, 1);
	check_arguments(L, "execute");
	if (MP_UNLIKELY(mp_lua_pool_is_forked(pool)))
		return mp_lua_forked(L);
	mp_runtime_check(pool->runtime, L);
	struct mp_lua_options options;
	if (lua_type(L, 2) != LUA_TSTRING) {
		struct mp_lua_statement *statement = test_fast(L, 2, 2);
		if (MP_UNLIKELY(statement == NULL || statement->pool != pool))
			statement = statement_argument(L, pool, "execute");
		bool was_text = lua_type(L, 5) == LUA_TNUMBER;
		options = statement->defaults;
		mp_lua_options_read(L, 4, was_text ? MP_LUA_CALL_TEXT : MP_LUA_CALL_STATEMENT, &options);
		if (MP_UNLIKELY(pool->state != MP_POOL_OPEN || statement->prepared == NULL))
			return not_open(L, pool);
		if (MP_UNLIKELY(was_text))
			shorten(pool, &options.request, lua_tonumber(L, 5));
		return wait_for(L, submit(L, pool, statement->prepared, (struct mp_str){NULL, 0}, &options));
	}
	options = mp_lua_options_none;
	mp_lua_options_read(L, 4, MP_LUA_CALL_TEXT, &options);
	struct mp_str cql;
	cql.data = lua_tolstring(L, 2, &cql.len);
	if (MP_UNLIKELY(pool->state != MP_POOL_OPEN))
		return not_open(L, pool);
	if (!is_prepared_first(L, cql, &options))
		return wait_for(L, submit(L, pool, NULL, cql, &options));
	struct mp_prepared *prepared;
	int rc = prepare(pool, cql, options.keyspace, options.request.timeout_ms, &prepared);
	if (rc == 0)
		return wait_for(L, submit(L, pool, prepared, (struct mp_str){NULL, 0}, &options));
	return rc == 1 ? lua_yield(L, 0) : mp_lua_fail(L, rc, "%s", mp_err_text(rc));
}

// prepare(pool, cql, options): statement, mark | nil, err
static int prepare_call(lua_State *L)
{
	lua_settop(L, 3);
	struct mp_lua_pool *pool = mp_lua_pool_at(L, 1);
	if (lua_type(L, 2) != LUA_TSTRING)
		mp_lua_bad_argument(L, "prepare", 2, "statement", "a string");
	if (lua_type(L, 3) != LUA_TTABLE && !lua_isnil(L, 3))
		mp_lua_bad_argument(L, "prepare", 3, "options", "a table");
	if (mp_lua_pool_is_forked(pool))
		return mp_lua_forked(L);
	mp_runtime_check(pool->runtime, L);
	struct mp_lua_options options = mp_lua_options_none;
	mp_lua_options_read(L, 3, MP_LUA_CALL_PREPARE, &options);
	if (pool->state != MP_POOL_OPEN)
		return not_open(L, pool);
	struct mp_str cql;
	cql.data = lua_tolstring(L, 2, &cql.len);
	struct mp_prepared *prepared;
	int rc = prepare(pool, cql, options.keyspace, options.request.timeout_ms, &prepared);
	if (rc == 1)
		return lua_yield(L, 0);
	if (rc != 0)
		return mp_lua_fail(L, rc, "%s", mp_err_text(rc));
	mp_lua_push_statement(L, pool, prepared);
	return 1;
}

// checkRequest(pool, statement, parameters, options, method): raises what execute would raise, without doing it.
static int check_call(lua_State *L)
{
	lua_settop(L, 5);
	struct mp_lua_pool *pool = mp_lua_pool_at(L, 1);
	const char *method = luaL_checkstring(L, 5);
	check_arguments(L, method);
	bool is_text = lua_type(L, 2) == LUA_TSTRING;
	if (!is_text)
		statement_argument(L, pool, method);
	struct mp_lua_options options = mp_lua_options_none;
	mp_lua_options_read(L, 4, is_text ? MP_LUA_CALL_TEXT : MP_LUA_CALL_STATEMENT, &options);
	return 0;
}

// submitAsync(pool, statement, parameters, options, future): true, and the future gets the answer; false: the
// statement is to be prepared first, which takes a coroutine. Arguments were checked by checkRequest().
static int submit_async(lua_State *L)
{
	lua_settop(L, 5);
	struct mp_lua_pool *pool = mp_lua_pool_at(L, 1);
	struct mp_lua_statement *statement = mp_lua_test_statement(L, 2);
	struct mp_lua_options options = statement != NULL ? statement->defaults : mp_lua_options_none;
	mp_lua_options_read(L, 4, statement != NULL ? MP_LUA_CALL_STATEMENT : MP_LUA_CALL_TEXT, &options);
	struct mp_str cql = {NULL, 0};
	if (statement == NULL)
		cql.data = lua_tolstring(L, 2, &cql.len);
	bool forked = mp_lua_pool_is_forked(pool);
	bool prepare_first = !forked && statement == NULL && is_prepared_first(L, cql, &options);
	struct op *op = NULL;
	lua_pushboolean(L, !prepare_first);
	if (prepare_first)
		return 1;
	if (forked)
		mp_lua_forked(L);
	else if (pool->state != MP_POOL_OPEN || (statement != NULL && statement->prepared == NULL))
		not_open(L, pool);
	else
		op = submit(L, pool, statement != NULL ? statement->prepared : NULL, cql, &options);
	if (op == NULL) {
		mp_lua_future_settle(L, 5, 2);
		return 1;
	}
	lua_pushvalue(L, 5);
	op->future_ref = luaL_ref(L, LUA_REGISTRYINDEX);
	return 1;
}

void mp_lua_add_execute(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"prepare", prepare_call},
		{"checkRequest", check_call},
		{"submitAsync", submit_async},
		{NULL, NULL},
	};
	luaL_setfuncs(L, functions, 0);
	luaL_getmetatable(L, MP_LUA_POOL);
	luaL_getmetatable(L, MP_LUA_STATEMENT);
	lua_pushcclosure(L, submit_call, 2);
	lua_setfield(L, -2, "submit");
	luaL_getmetatable(L, MP_LUA_POOL);
	lua_pushcclosure(L, answer_call, 1);
	lua_setfield(L, -2, "answer");
	lua_pushlightuserdata(L, (void *)(uintptr_t)&prepared_mark);
	lua_setfield(L, -2, "prepared");
}
