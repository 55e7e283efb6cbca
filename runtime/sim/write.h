// SPDX-License-Identifier: Apache-2.0
// Statements that write, bound and with their keys: one of a QUERY or EXECUTE, or all of a BATCH.
#pragma once

#include "sim/coord.h"
#include "sim/store/change.h"

struct mp_sim_write {
	struct mp_sim_plan *plan;
	struct mp_sim_env env;
	struct mp_sim_change_env change;
	const struct mp_sim_node *leader; // whose copy a read before the write sees
	struct mp_sim_changes changes;
};

// The time of a request's writes. Counters and conditions have one of Cassandra's own.
int64_t mp_sim_write_time(struct mp_sim_request *req, bool own);
// It stays where it is: its parts point to each other.
int mp_sim_write_init(struct mp_sim_request *req, struct mp_sim_plan *plan, const struct mp_sim_env *env,
                      int64_t timestamp, struct mp_sim_write *write) MP_MUST_CHECK;
int mp_sim_write(struct mp_sim_request *req, struct mp_sim_write *writes, size_t count,
                 enum mp_write_type type) MP_MUST_CHECK;
// With IF somewhere: all of one partition, which is compared and set in one step that no other request can come
// between, because the whole cluster runs in one thread.
int mp_sim_write_if(struct mp_sim_request *req, struct mp_sim_write *writes, size_t count,
                    bool is_batch) MP_MUST_CHECK;

// ---- for the files of writing -----------------------------------------------------------------------------
int mp_sim_write_level(struct mp_sim_request *req, bool conditional) MP_MUST_CHECK; // may it write so at all?
struct mp_sim_wait_spec mp_sim_write_wait(const struct mp_sim_request *req, uint16_t level,
                                          enum mp_write_type type, const struct mp_sim_replica_set *set);
