// SPDX-License-Identifier: Apache-2.0
// Calls of a pool on their way, for execute.c.
#pragma once

#include "script/pool/options.h"
#include "script/pool/pool.h"

// Second result of a coroutine that waited for a statement (the first): to be called again with it, and with the third,
// the ms that it took.
extern const char mp_lua_prepared_mark;

// Fill a request with the parameters at index 3 and submit it; exactly one of `prepared` and `cql`. The answer settles
// the future at `future`; 0: the running coroutine was registered (mp_runtime_check() has passed), yield. False: `nil,
// err` is pushed.
bool mp_lua_op_submit(lua_State *L, struct mp_lua_pool *pool, struct mp_prepared *prepared, struct mp_str cql,
                      const struct mp_lua_options *options, int future) MP_MUST_CHECK;
// The same in two steps, for what has more to fill. NULL: `nil, err` is pushed.
struct mp_lua_op;
struct mp_lua_op *mp_lua_op_begin(lua_State *L, struct mp_lua_pool *pool) MP_MUST_CHECK;
struct mp_request *mp_lua_op_request(const struct mp_lua_op *op);
struct mp_request *mp_lua_op_member(struct mp_lua_op *op); // another one, which goes with it; NULL: no memory
// Texts and options into the request; what it borrows is copied. 0 or MP_E*, and then *why may say more.
int mp_lua_op_fill(struct mp_lua_op *op, struct mp_str cql, const struct mp_lua_options *options,
                   const char **why) MP_MUST_CHECK;
// `rc` is how filling it went. Like mp_lua_op_submit().
bool mp_lua_op_send(lua_State *L, struct mp_lua_op *op, int rc, const char *why, int future) MP_MUST_CHECK;
// 0: *prepared is there. 1: the running coroutine was registered, yield. Otherwise MP_E*.
int mp_lua_op_prepare(struct mp_lua_pool *pool, struct mp_str cql, struct mp_str keyspace,
                      uint32_t timeout_ms, struct mp_prepared **prepared) MP_MUST_CHECK;
// What is to be said of MP_E* for a request of that text.
const char *mp_lua_op_why(int rc, struct mp_str cql);
void mp_lua_op_give(struct mp_lua_op *op); // it is over, with its request
