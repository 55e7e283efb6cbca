// SPDX-License-Identifier: Apache-2.0
// count, min, max, sum and avg: one row out of a group of those that a SELECT finds.
#pragma once

#include "sim/store/plan.h"

struct mp_sim_aggregate {
	int64_t count; // of values that are not null
	int64_t whole; // their sum, which may wrap, as in Cassandra
	double real;
	struct mp_bytes best; // min, max, or what is no aggregate: lies where the row does
};

// One for each selected column, of a row. `values` are by column.
void mp_sim_aggregate_add(const struct mp_sim_plan *plan, struct mp_sim_aggregate *all,
                          const struct mp_bytes *values);
void mp_sim_put_value(struct mp_buf *row, struct mp_bytes value); // with its length
void mp_sim_aggregate_put(const struct mp_sim_plan *plan, const struct mp_sim_aggregate *all,
                          struct mp_buf *row);
