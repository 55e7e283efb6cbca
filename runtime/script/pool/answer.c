// SPDX-License-Identifier: Apache-2.0
#include "script/pool/answer.h"

#include "script/core.h"
#include "script/pool/op.h"
#include "script/values/result.h"

// What was just brought to the coroutine that runs. It lies on the stack of whoever resumed it.
static _Thread_local struct mp_lua_answer *here;

// It was read, or nobody will: the request is over.
static void end(struct mp_lua_answer *answer)
{
	struct mp_request *request = answer->request;
	answer->request = NULL;
	if (MP_UNLIKELY(answer->op != NULL)) {
		mp_lua_op_give(answer->op);
		return;
	}
	answer->pool->direct--;
	mp_request_give(request);
}

// A result that was traced knows whom to ask for its trace.
void mp_lua_answer_push(lua_State *L, const struct mp_lua_answer *answer)
{
	const struct mp_outcome *outcome = answer->outcome;
	mp_lua_push_outcome(L, &answer->pool->codec, answer->request->prepared, outcome);
	if (MP_LIKELY(outcome->error != NULL || !outcome->prefix->has_trace_id || !lua_istable(L, -2)))
		return;
	mp_lua_pool_push(L, answer->pool);
	lua_setfield(L, -3, "_pool");
}

static int push(lua_State *L, const struct mp_lua_answer *answer)
{
	int count = mp_lua_push_parts(L, &answer->pool->codec, answer->request->prepared, answer->outcome);
	if (MP_LIKELY(count > 0))
		return count;
	mp_lua_answer_push(L, answer);
	return 2;
}

// answer(): result, nil | nil, err | what makes the result, its arguments (mp_lua_push_parts). What a coroutine asks
// first when it goes on after submit().
int mp_core_answer(lua_State *L)
{
	struct mp_lua_answer *answer = here;
	if (MP_UNLIKELY(answer == NULL || answer->request == NULL))
		mp_lua_raise(L, "the coroutine was resumed while it waited for an answer");
	mp_runtime_collect(L);
	int count = push(L, answer);
	end(answer);
	return count;
}

static int push_all(lua_State *L)
{
	struct mp_lua_answer *answer = lua_touserdata(L, 1);
	answer->parts = push(L, answer);
	return answer->parts;
}

// A coroutine of the host's goes on later: the answer is read now.
static void leave_at_seat(struct mp_lua_answer *answer, struct mp_waiter *visitor)
{
	const int most = 2 + MP_RESULT_PARTS;
	lua_State *from = mp_runtime_protect(answer->pool->runtime, push_all, answer, most);
	lua_State *co = mp_waiter_state(visitor);
	end(answer);
	if (MP_LIKELY(from != NULL)) {
		lua_pop(from, most - answer->parts);
		lua_xmove(from, co, answer->parts);
		mp_waiter_resume(visitor, answer->parts);
		return;
	}
	lua_pushnil(co);
	mp_lua_push_no_memory(co);
	mp_waiter_resume(visitor, 2);
}

void mp_lua_answer_bring(struct mp_lua_answer answer, struct mp_waiter *waiter)
{
	if (MP_UNLIKELY(mp_waiter_is_visitor(waiter))) {
		leave_at_seat(&answer, waiter);
		return;
	}
	struct mp_lua_answer *outer = here;
	here = &answer;
	mp_waiter_resume(waiter, 0);
	here = outer;
	// A coroutine that somebody else has resumed meanwhile did not ask for it.
	if (MP_UNLIKELY(answer.request != NULL))
		end(&answer);
}
