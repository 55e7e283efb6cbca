// SPDX-License-Identifier: Apache-2.0
// INSERT, UPDATE and DELETE as mutations: everything decided here, so that a replica only has to store.
#pragma once

#include "sim/store/key.h"

struct mp_sim_change_env {
	struct mp_sim_env *env;
	const struct mp_sim_plan *plan;
	int64_t timestamp;
	uint64_t *list_clock; // gives appended and prepended list elements their places
	// The newest copy of the row that is about to change, for `l[i] = v`, `l - [x]` and counters. May give NULL.
	const struct mp_sim_row *(*current)(void *data, const struct mp_sim_mutation *mutation,
	                                    const struct mp_sim_row_change *row);
	void *current_data;
	uint64_t leader; // of counters
};

// How many mutations a statement makes (one for each partition), and the i-th of them.
struct mp_sim_changes {
	struct mp_sim_mutation *mutations;
	size_t count;
};
int mp_sim_change_build(struct mp_sim_change_env *change, struct mp_sim_changes *out) MP_MUST_CHECK;
// Only the keys: to know the replicas before reading from them.
int mp_sim_change_keys(struct mp_sim_change_env *change, struct mp_sim_changes *out) MP_MUST_CHECK;
int mp_sim_change_clustering(struct mp_sim_change_env *change, struct mp_bytes *clustering) MP_MUST_CHECK;
