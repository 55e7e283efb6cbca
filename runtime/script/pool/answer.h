// SPDX-License-Identifier: Apache-2.0
// Answers on their way to the coroutines that wait for them. A coroutine is resumed with nothing, from inside of the
// answer's own callback, and asks for it before anything else (core.answer): so all is read where it was received, and
// a lack of memory is raised where it can be.
#pragma once

#include "script/pool/pool.h"

struct mp_lua_answer {
	struct mp_lua_pool *pool;
	struct mp_request *request; // NULL: it was taken
	const struct mp_outcome *outcome;
	struct mp_lua_op *op; // NULL: there is nothing but the request (direct.c)
	int parts;            // how many values were pushed for it
};

// Brings it to the coroutine that waits. The request is over afterwards.
void mp_lua_answer_bring(struct mp_lua_answer answer, struct mp_waiter *waiter);
// Pushes `result, nil` or `nil, err`.
void mp_lua_answer_push(lua_State *L, const struct mp_lua_answer *answer);
