// SPDX-License-Identifier: Apache-2.0
// A SELECT under way: the rows that are found become those that it gives, one by one or a group at a time, up to its
// limits and the end of the page. read.c finds them.
#pragma once

#include "sim/aggregate.h"
#include "sim/store/resolve.h"
#include "sim/world.h"

#define MP_SIM_PAGE_FULL 1 // returned through the walk: the page is full, or the limit is reached

// Where the last row lies that was given, for the paging state.
struct mp_sim_mark {
	struct mp_bytes key;
	struct mp_bytes clustering;
	int64_t partition_left;
};

struct mp_sim_reading {
	struct mp_sim_request *req;
	const struct mp_sim_plan *plan;
	struct mp_sim_env *env;
	struct mp_sim_row_view view;
	struct mp_buf rows; // encoded rows of this page
	uint32_t row_count;
	struct mp_sim_aggregate
		*group; // of the rows that become one; one for each selected column. NULL: each is given
	struct mp_bytes *group_key; // what they have in common
	bool group_open;
	int64_t limit_left;
	int64_t page_left;
	int64_t partition_limit;
	int64_t partition_left;
	bool more;
	struct mp_sim_mark last;
	// where the asked page begins
	bool resumed;
	struct mp_sim_mark from;
	struct mp_sim_bound low;
	struct mp_sim_bound high;
};

int mp_sim_reading_begin(struct mp_sim_reading *s) MP_MUST_CHECK; // limits, and where the page begins
// One row that lives and lies in range. Negative: error; MP_SIM_PAGE_FULL: stop.
int mp_sim_reading_row(struct mp_sim_reading *s, const struct mp_bytes *values, struct mp_bytes key,
                       struct mp_bytes clustering) MP_MUST_CHECK;
int mp_sim_reading_takes(struct mp_sim_reading *s, const struct mp_sim_relation *rel,
                         const struct mp_bytes *values) MP_MUST_CHECK; // 1, 0; negative: error
int mp_sim_reading_end_group(struct mp_sim_reading *s) MP_MUST_CHECK;  // no row of it comes any more
int mp_sim_reading_end(struct mp_sim_reading *s) MP_MUST_CHECK;        // nor any other
void mp_sim_reading_put_state(const struct mp_sim_reading *s, struct mp_buf *buf);
