// SPDX-License-Identifier: Apache-2.0
// count, min, max, sum and avg: one row out of a group of those that a SELECT finds.
#pragma once

#include "sim/cql/decimal.h"
#include "sim/store/plan.h"

struct mp_sim_aggregate {
	int64_t count; // of values that are not null
	int64_t whole; // their sum, which may wrap, as in Cassandra
	double real;
	struct mp_sim_decimal
		exact;            // of varint and decimal, and for the mean of bigint; of decimal that mean itself
	struct mp_bytes best; // min, max, or what is no aggregate: lies where the row does
};

// One for each selected column, of a row. `values` are by column.
int mp_sim_aggregate_add(struct mp_sim_env *env, const struct mp_sim_plan *plan, struct mp_sim_aggregate *all,
                         const struct mp_bytes *values) MP_MUST_CHECK;
void mp_sim_put_value(struct mp_buf *row, struct mp_bytes value); // with its length
int mp_sim_aggregate_put(struct mp_sim_env *env, const struct mp_sim_plan *plan,
                         const struct mp_sim_aggregate *all, struct mp_buf *row) MP_MUST_CHECK;
