// SPDX-License-Identifier: Apache-2.0
// Calls of a pool on their way: a request that is filled and submitted, or a text that is prepared.
//
// A call lives in a slab of its pool from submit to the answer. Text that the core borrows is copied into it at once:
// what Lua holds of it may be collected at the next allocation.
//
// While a call is filled it is on the pool's stack `filling`. An allocation meanwhile may run a finalizer that makes a
// call of its own, which stands above; and an error may leave both there. What stands above a call that goes on was
// left, and so was everything once the loop has its turn again (`sweep`).
#include "script/pool/op.h"

#include <stdio.h>

#include <lauxlib.h>

#include "script/core.h"
#include "script/pool/answer.h"
#include "script/values/bind.h"

struct mp_lua_op {
	struct mp_lua_pool *pool; // first word: not kept by the slab
	struct mp_waiter *waiter; // NULL: a future waits
	int future_ref;
	struct mp_lua_canceller *canceller; // of the future
	struct mp_buf text;                 // statement, keyspace, paging state
	struct mp_request *request;
	struct mp_request *member; // of a batch that is filled
	struct mp_lua_op *below;   // while it is filled
	// during the answer
	const struct mp_outcome *outcome;
	struct mp_prepared *prepared;
	const struct mp_error *error;
	uint64_t began_ns; // of prepare
};

const char mp_lua_prepared_mark = 'p';

static void free_op(void *op)
{
	mp_buf_deinit(&((struct mp_lua_op *)op)->text);
}

static struct mp_lua_op *take_op(struct mp_lua_pool *pool)
{
	struct mp_lua_op *op = mp_slab_take(&pool->ops);
	if (op == NULL)
		return NULL;
	op->pool = pool;
	op->waiter = NULL;
	op->future_ref = LUA_NOREF;
	op->request = NULL;
	op->member = NULL;
	mp_buf_clear(&op->text);
	return op;
}

void mp_lua_op_give(struct mp_lua_op *op)
{
	if (op->request != NULL)
		mp_request_give(op->request);
	if (MP_UNLIKELY(op->member != NULL))
		mp_request_give(op->member);
	mp_slab_give(&op->pool->ops, op);
}

// Three results, or none when there was no memory for them, to the coroutine; the call is over.
static void finish(struct mp_lua_op *op, lua_State *from)
{
	struct mp_waiter *waiter = op->waiter;
	lua_State *co = mp_waiter_state(waiter);
	mp_lua_op_give(op);
	if (MP_LIKELY(from != NULL)) {
		lua_xmove(from, co, 3);
	} else {
		lua_pushnil(co);
		mp_lua_push_no_memory(co);
		lua_pushnil(co);
	}
	mp_waiter_resume(waiter, 3);
}

// ---- prepare ----------------------------------------------------------------------------------------------

static int push_prepared(lua_State *L)
{
	struct mp_lua_op *op = lua_touserdata(L, 1);
	if (op->error != NULL) {
		lua_pushnil(L);
		mp_lua_push_error(L, op->error);
	} else {
		mp_lua_push_statement(L, op->pool, op->prepared);
		lua_pushlightuserdata(L, (void *)(uintptr_t)&mp_lua_prepared_mark);
	}
	uint64_t spent_ns = mp_loop_now_ns(op->pool->engine.loop) - op->began_ns;
	lua_pushnumber(L, (double)(spent_ns / 1000000));
	return 3;
}

static void on_prepared(void *data, struct mp_prepared *prepared, const struct mp_error *error)
{
	struct mp_lua_op *op = data;
	op->prepared = prepared;
	op->error = error;
	finish(op, mp_runtime_protect(op->pool->runtime, push_prepared, op, 3));
}

int mp_lua_op_prepare(struct mp_lua_pool *pool, struct mp_str cql, struct mp_str keyspace,
                      uint32_t timeout_ms, struct mp_prepared **prepared)
{
	struct mp_lua_op *op = take_op(pool);
	if (op == NULL)
		return MP_ENOMEM;
	*prepared = NULL;
	op->began_ns = mp_loop_now_ns(pool->engine.loop);
	int rc = mp_session_prepare(pool->engine.session, cql, keyspace, timeout_ms, prepared, on_prepared, op);
	if (rc != 0 || *prepared != NULL) {
		mp_lua_op_give(op);
		return rc;
	}
	op->waiter = mp_runtime_register(pool->runtime);
	return 1;
}

// ---- execute ----------------------------------------------------------------------------------------------

static int settle_future(lua_State *L)
{
	struct mp_lua_op *op = lua_touserdata(L, 1);
	struct mp_lua_answer answer = {op->pool, op->request, op->outcome, op, 0};
	lua_rawgeti(L, LUA_REGISTRYINDEX, op->future_ref);
	mp_lua_answer_push(L, &answer);
	mp_lua_future_settle(L, 2, 2);
	return 0;
}

static void on_done(struct mp_request *request, const struct mp_outcome *outcome)
{
	struct mp_lua_op *op = request->data[0];
	op->outcome = outcome;
	if (op->waiter == NULL) {
		op->canceller->cancel = NULL;
		struct mp_runtime *runtime = op->pool->runtime;
		if (MP_UNLIKELY(mp_runtime_protect(runtime, settle_future, op, 0) == NULL))
			mp_lua_future_starve(runtime, op->future_ref);
		luaL_unref(mp_runtime_state(runtime), LUA_REGISTRYINDEX, op->future_ref);
		mp_lua_op_give(op);
		return;
	}
	struct mp_lua_answer answer = {op->pool, request, outcome, op, 0};
	mp_lua_answer_bring(answer, op->waiter);
}

// Copies what the request borrows. 0 or MP_ENOMEM.
static int own(struct mp_lua_op *op, struct mp_request *request, struct mp_str cql,
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

// ---- filling ----------------------------------------------------------------------------------------------

// Every call that stands above `last` on the stack.
static void drop_left(struct mp_lua_pool *pool, const struct mp_lua_op *last)
{
	while (pool->filling != last) {
		struct mp_lua_op *left = pool->filling;
		pool->filling = left->below;
		luaL_unref(mp_runtime_state(pool->runtime), LUA_REGISTRYINDEX, left->future_ref);
		mp_lua_op_give(left);
	}
}

static void sweep(void *data)
{
	drop_left(data, NULL);
}

void mp_lua_pool_init_ops(struct mp_lua_pool *pool)
{
	mp_slab_init(&pool->ops, sizeof(struct mp_lua_op), NULL, free_op);
	mp_task_init(&pool->sweep, sweep, pool);
}

void mp_lua_pool_end_ops(struct mp_lua_pool *pool)
{
	mp_task_cancel(pool->engine.loop, &pool->sweep);
	drop_left(pool, NULL);
}

struct mp_lua_op *mp_lua_op_begin(lua_State *L, struct mp_lua_pool *pool)
{
	struct mp_lua_op *op = take_op(pool);
	if (MP_LIKELY(op != NULL))
		op->request = mp_request_take(pool->engine.session);
	if (MP_UNLIKELY(op == NULL || op->request == NULL)) {
		if (op != NULL)
			mp_lua_op_give(op);
		mp_lua_fail(L, MP_ENOMEM, "%s", mp_err_text(MP_ENOMEM));
		return NULL;
	}
	if (MP_UNLIKELY(pool->filling != NULL))
		mp_task_post(pool->engine.loop, &pool->sweep, MP_PHASE_RUN);
	op->below = pool->filling;
	pool->filling = op;
	return op;
}

struct mp_request *mp_lua_op_request(const struct mp_lua_op *op)
{
	return op->request;
}

struct mp_request *mp_lua_op_member(struct mp_lua_op *op)
{
	if (op->member == NULL)
		op->member = mp_request_take(op->pool->engine.session);
	return op->member;
}

int mp_lua_op_fill(struct mp_lua_op *op, struct mp_str cql, const struct mp_lua_options *options,
                   const char **why)
{
	int rc = own(op, op->request, cql, options);
	if (rc != 0)
		return rc;
	rc = mp_lua_options_apply(options, op->pool->engine.session, op->request);
	if (rc == 0)
		return 0;
	struct mp_codec *codec = &op->pool->codec;
	snprintf(codec->why, sizeof(codec->why), "option 'host': the cluster has no host \"%.100s\"",
	         options->host.data);
	*why = codec->why;
	return rc;
}

// The request's values, by the parameters at index 3. 0 or MP_E*, and then *why says more.
static int fill(lua_State *L, struct mp_lua_op *op, struct mp_prepared *prepared, struct mp_str cql,
                const struct mp_lua_options *options, const char **why)
{
	struct mp_request *request = op->request;
	struct mp_codec *codec = &op->pool->codec;
	if (prepared != NULL) {
		mp_request_use(request, prepared);
	} else if (cql.len == 0) {
		*why = mp_lua_op_why(MP_EINVAL, cql);
		return MP_EINVAL;
	}
	int rc = mp_lua_op_fill(op, cql, options, why);
	if (rc == 0 && MP_UNLIKELY(options->payload))
		rc = mp_lua_options_add_payload(L, request);
	if (rc != 0)
		return rc;
	mp_runtime_collect(L);
	codec->why[0] = '\0';
	rc =
		prepared != NULL ? mp_lua_bind(L, 3, codec, request) : mp_lua_bind_untyped(L, 3, cql, codec, request);
	if (rc == 0)
		rc = mp_buf_status(&request->values);
	if (MP_UNLIKELY(rc == MP_ETYPE) && prepared != NULL)
		mp_prepared_misfit(prepared);
	if (rc != 0 && codec->why[0] != '\0')
		*why = codec->why;
	return rc;
}

const char *mp_lua_op_why(int rc, struct mp_str cql)
{
	return rc == MP_EINVAL && cql.len == 0 ? "the statement is an empty text" : mp_err_text(rc);
}

static bool cancel(void *op)
{
	return mp_request_cancel(((struct mp_lua_op *)op)->request);
}

static int submit(struct mp_lua_op *op)
{
	op->request->data[0] = op;
	op->request->on_done = on_done;
	return mp_request_submit(op->request);
}

bool mp_lua_op_submit(lua_State *L, struct mp_lua_pool *pool, struct mp_prepared *prepared, struct mp_str cql,
                      const struct mp_lua_options *options, int future)
{
	struct mp_lua_op *op = mp_lua_op_begin(L, pool);
	if (MP_UNLIKELY(op == NULL))
		return false;
	const char *why = NULL;
	int rc = fill(L, op, prepared, cql, options, &why);
	return mp_lua_op_send(L, op, rc, why, future);
}

bool mp_lua_op_send(lua_State *L, struct mp_lua_op *op, int rc, const char *why, int future)
{
	struct mp_lua_pool *pool = op->pool;
	if (rc == 0 && future != 0) {
		lua_pushvalue(L, future);
		op->future_ref = luaL_ref(L, LUA_REGISTRYINDEX);
	}
	drop_left(pool, op);
	if (rc == 0)
		rc = submit(op);
	if (MP_UNLIKELY(rc != 0)) {
		drop_left(pool, op->below);
		mp_lua_fail(L, rc, "%s", why != NULL ? why : mp_err_text(rc));
		return false;
	}
	pool->filling = op->below;
	if (future == 0) {
		op->waiter = mp_runtime_register(pool->runtime);
		return true;
	}
	op->canceller = mp_lua_future_canceller(L, future);
	*op->canceller = (struct mp_lua_canceller){cancel, op};
	return true;
}
