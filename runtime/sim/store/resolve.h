// SPDX-License-Identifier: Apache-2.0
// What a reader sees: the copies of a row that several replicas hold, resolved to the newest values.
#pragma once

#include "sim/store/store.h"

struct mp_sim_row_view {
	struct mp_bytes *values; // by column index; key columns too
	int64_t *writetimes;     // by column index; 0: none
	int32_t *ttls;           // seconds left; 0: none
};

int mp_sim_row_view_init(struct mp_sim_row_view *view, const struct mp_sim_table *table,
                         struct mp_arena *arena) MP_MUST_CHECK; // MP_ENOMEM

// Resolve one row. `partitions[i]` and `rows[i]` are replica i's (either may be NULL). 1: the row lives and `view` is
// filled (values lie in the storage or in `arena`); 0: there is no such row; MP_ENOMEM.
int mp_sim_row_resolve(const struct mp_sim_table *table, struct mp_sim_partition *const *partitions,
                       struct mp_sim_row *const *rows, size_t count, int64_t now_us, struct mp_arena *arena,
                       struct mp_sim_row_view *view) MP_MUST_CHECK;

// The static columns of a partition, with the other columns null. 1: one of them lives; 0: none; MP_ENOMEM.
int mp_sim_statics_resolve(const struct mp_sim_table *table, struct mp_sim_partition *const *partitions,
                           size_t count, int64_t now_us, struct mp_arena *arena,
                           struct mp_sim_row_view *view) MP_MUST_CHECK;

// Walks the rows of one partition over all its replicas, in order.
struct mp_sim_row_walk {
	const struct mp_sim_table *table;
	struct mp_sim_partition *const *partitions;
	size_t count;
	bool reversed;
	const struct mp_sim_bound *low;
	const struct mp_sim_bound *high;
	struct mp_sim_row *at[MP_SIM_RF_MAX];  // each replica's next row
	struct mp_sim_row *row[MP_SIM_RF_MAX]; // the current row's copies, NULL where a replica has none
};
void mp_sim_row_walk_start(struct mp_sim_row_walk *walk);
bool mp_sim_row_walk_next(struct mp_sim_row_walk *walk); // false: no more; else `row` is filled
struct mp_bytes mp_sim_row_walk_clustering(const struct mp_sim_row_walk *walk);
