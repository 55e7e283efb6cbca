// SPDX-License-Identifier: Apache-2.0
// Terms to bytes: a literal, a bound value, a function or a collection as a value of a given type, with Cassandra's
// words for what does not fit.
#pragma once

#include "base/rand.h"
#include "sim/cql/ast.h"
#include "sim/cql/error.h"
#include "wire/type.h"

struct mp_sim_env {
	struct mp_arena *arena; // results lie here, or are borrowed from the statement or the bound values
	struct mp_sim_error *err;
	const struct mp_bytes *bound; // one for each marker
	int64_t now_us;
	struct mp_rand *rand;
	uint64_t *last_uuid_time; // makes now() strictly increasing
	bool *random;             // set when now(), uuid() or their like was used; may be NULL
};

// `column` names the receiver in errors. len -1: null, -2: not set (only from a marker).
int mp_sim_eval(struct mp_sim_env *env, const struct mp_sim_term *term, const struct mp_type *type,
                struct mp_str column, struct mp_bytes *out) MP_MUST_CHECK;
int mp_sim_eval_i64(struct mp_sim_env *env, const struct mp_sim_term *term, uint16_t type_id,
                    const char *what, int64_t *out,
                    bool *present) MP_MUST_CHECK; // LIMIT, TTL, TIMESTAMP; `what` as in "[limit]"
// The type of a function's result; 0: no function of ours.
uint16_t mp_sim_function_type(struct mp_str name);
uint16_t
mp_sim_argument_type(struct mp_str name); // of the function's argument, where that is no function itself
bool mp_sim_function_takes(struct mp_str name, uint16_t type); // as its only argument
// The function of a value of a type that it takes.
int mp_sim_call(struct mp_sim_env *env, struct mp_str name, uint16_t type, struct mp_bytes value,
                struct mp_bytes *out) MP_MUST_CHECK;
const struct mp_type *mp_sim_scalar_type(uint16_t id); // of every scalar; NULL otherwise. Static storage.

// A copy in the environment's arena.
int mp_sim_keep(struct mp_sim_env *env, const void *data, size_t len, struct mp_bytes *out) MP_MUST_CHECK;

// ---- term_parts.c: [a, b], {a, b}, {a: b}, (a, b) ---------------------------------------------------------
int mp_sim_eval_parts(struct mp_sim_env *env, const struct mp_sim_term *term, const struct mp_type *type,
                      struct mp_str column, struct mp_bytes *out) MP_MUST_CHECK;

// ---- literal.c --------------------------------------------------------------------------------------------
// Text as the value of a scalar type, appended. MP_ETYPE: it is not one.
int mp_sim_literal(enum mp_sim_term_kind kind, struct mp_str text, const struct mp_type *type,
                   struct mp_buf *out) MP_MUST_CHECK;
