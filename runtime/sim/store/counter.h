// SPDX-License-Identifier: Apache-2.0
// A counter's state: for each node that ever led an increment, how many it led and their sum. Merging takes the longer
// history of each node, so it may be repeated and done in any order.
#pragma once

#include "base/cursor.h"

struct mp_sim_shard {
	uint64_t node;
	int64_t clock;
	int64_t sum;
};

int64_t mp_sim_counter_total(struct mp_bytes state);
// The state after `node` led one more increment, into `out` (room for the old count + 1). Returns its length.
int32_t mp_sim_counter_add(struct mp_bytes state, uint64_t node, int64_t delta, struct mp_sim_shard *out);
// a and b merged into `out` (room for both); returns its length.
int32_t mp_sim_counter_merge(struct mp_bytes a, struct mp_bytes b, struct mp_sim_shard *out);
