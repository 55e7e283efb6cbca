// SPDX-License-Identifier: Apache-2.0
// Keys and bounds out of WHERE and VALUES: the bytes of partition keys, clustering keys and ranges of rows.
#pragma once

#include "sim/store/plan.h"
#include "sim/store/store.h"

#define MP_SIM_KEYS_MAX 1000 // partitions that one IN may name

struct mp_sim_key_list {
	struct mp_bytes *keys; // as routing keys, in the order of their values
	int64_t *tokens;
	size_t count;
};

// The bytes of a partition key from its components' values.
int mp_sim_key_join(struct mp_sim_env *env, const struct mp_sim_table *table, const struct mp_bytes *values,
                    struct mp_bytes *key) MP_MUST_CHECK;
// All partitions that WHERE names; it has a full key.
int mp_sim_keys(struct mp_sim_env *env, const struct mp_sim_plan *plan,
                struct mp_sim_key_list *out) MP_MUST_CHECK;
int mp_sim_clustering_join(struct mp_sim_env *env, const struct mp_bytes *values, size_t count,
                           struct mp_bytes *out) MP_MUST_CHECK;
// The clustering prefix that WHERE gives with "=".
int mp_sim_clustering_equal(struct mp_sim_env *env, const struct mp_sim_plan *plan,
                            struct mp_bytes *out) MP_MUST_CHECK;
int mp_sim_bounds(struct mp_sim_env *env, const struct mp_sim_plan *plan, struct mp_sim_bound *low,
                  struct mp_sim_bound *high) MP_MUST_CHECK;
// 1 when the values of a row fit a relation, 0 when not, negative on an error.
int mp_sim_matches(struct mp_sim_env *env, const struct mp_sim_relation *rel,
                   const struct mp_sim_column *column, struct mp_bytes value) MP_MUST_CHECK;
// The values of an IN, and how many.
int mp_sim_in_values(struct mp_sim_env *env, const struct mp_sim_relation *rel,
                     const struct mp_sim_column *column, struct mp_bytes **values,
                     size_t *count) MP_MUST_CHECK;
