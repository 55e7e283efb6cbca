// SPDX-License-Identifier: Apache-2.0
// INSERT, UPDATE, DELETE: to all replicas at once, acknowledged as the level asks. All statements of a batch are
// looked at before the first one is stored, so either all of them are or none.
#include "sim/write.h"

#include "base/err.h"
#include "sim/cql/parse.h"

static const struct mp_sim_row *leader_row(void *data, const struct mp_sim_mutation *mutation,
                                           const struct mp_sim_row_change *row)
{
	const struct mp_sim_write *write = data;
	if (write->leader == NULL)
		return NULL;
	const struct mp_sim_partition *partition =
		mp_sim_store_find(&write->leader->store, mutation->table, mutation->token, mutation->key);
	if (partition == NULL)
		return NULL;
	return row->is_static ? mp_sim_row_statics(partition) : mp_sim_row_find(partition, row->clustering);
}

int64_t mp_sim_write_time(struct mp_sim_request *req, bool own)
{
	const struct mp_query_params *params = &req->body.params;
	return params->has_timestamp && !own ? params->timestamp : mp_sim_timestamp(req->conn->owner->cluster);
}

int mp_sim_write_init(struct mp_sim_request *req, struct mp_sim_plan *plan, const struct mp_sim_env *env,
                      int64_t timestamp, struct mp_sim_write *write)
{
	*write = (struct mp_sim_write){.plan = plan, .env = *env};
	write->change = (struct mp_sim_change_env){.env = &write->env,
	                                           .plan = plan,
	                                           .timestamp = timestamp,
	                                           .list_clock = &req->conn->owner->cluster->list_clock,
	                                           .current = leader_row,
	                                           .current_data = write};
	return mp_sim_change_keys(&write->change, &write->changes);
}

static const struct mp_sim_node *first_that_answers(const struct mp_sim_request *req,
                                                    const struct mp_sim_replica_set *set)
{
	const struct mp_sim_cluster *cluster = req->conn->owner->cluster;
	for (size_t i = 0; i < set->count; i++) {
		if (cluster->nodes[set->nodes[i]] == req->conn->owner)
			return req->conn->owner;
	}
	for (size_t i = 0; i < set->count; i++) {
		if (mp_sim_node_answers(cluster->nodes[set->nodes[i]]))
			return cluster->nodes[set->nodes[i]];
	}
	return NULL;
}

int mp_sim_write_level(struct mp_sim_request *req, bool conditional)
{
	uint16_t level = req->body.params.consistency;
	if (conditional && level == MP_CL_ANY)
		return 0;
	if (level == MP_CL_SERIAL || level == MP_CL_LOCAL_SERIAL)
		return mp_sim_fail(
			&req->err, MP_SE_INVALID,
			"%s is not supported as conditional update commit consistency. Use ANY if you mean \"make sure "
			"it is accepted but I don't care how many replicas commit it for non-SERIAL reads\"",
			mp_consistency_name(level));
	if (level > MP_CL_LOCAL_ONE)
		return mp_sim_fail(&req->err, MP_SE_PROTOCOL_ERROR, "Unknown code %u for a consistency level", level);
	return 0;
}

struct mp_sim_wait_spec mp_sim_write_wait(const struct mp_sim_request *req, uint16_t level,
                                          enum mp_write_type type, const struct mp_sim_replica_set *set)
{
	return (struct mp_sim_wait_spec){.timeout_ms = req->conn->owner->cluster->options.write_timeout_ms,
	                                 .level = level,
	                                 .strategy = set->strategy,
	                                 .code = MP_SE_WRITE_TIMEOUT,
	                                 .write_type = type};
}

// ---- to all replicas --------------------------------------------------------------------------------------

// Whether it can be stored at all. MP_EAGAIN: nobody can lead the increment of a counter, with *wait for somebody.
static int check_replicas(struct mp_sim_request *req, struct mp_sim_write *write, enum mp_write_type type,
                          struct mp_sim_wait_spec *wait)
{
	struct mp_sim_replica_set set;
	uint16_t level = req->body.params.consistency;
	for (size_t i = 0; i < write->changes.count; i++) {
		MP_SIM_TRY(mp_sim_coord_replicas(req, write->plan->table, write->changes.mutations[i].token, &set));
		MP_SIM_TRY(mp_sim_coord_available(req, &set, level));
		if (write->plan->table->counters && first_that_answers(req, &set) == NULL) {
			*wait = mp_sim_write_wait(req, level, type, &set);
			wait->retry = true;
			return MP_EAGAIN;
		}
	}
	return 0;
}

static int build(struct mp_sim_request *req, struct mp_sim_write *write, size_t i)
{
	struct mp_sim_replica_set set;
	struct mp_sim_changes one = {&write->changes.mutations[i], 1};
	MP_SIM_TRY(mp_sim_coord_replicas(req, write->plan->table, one.mutations->token, &set));
	write->leader = first_that_answers(req, &set);
	write->change.leader = write->leader == NULL ? 0 : (uint64_t)write->leader->index + 1;
	return mp_sim_change_build(&write->change, &one);
}

// True: not all that the level asks for have it now, which *wait waits for.
static int deliver(struct mp_sim_request *req, struct mp_sim_write *write, size_t i, enum mp_write_type type,
                   struct mp_sim_wait_spec *wait)
{
	struct mp_sim_replica_set set;
	const struct mp_sim_node *owner = req->conn->owner;
	const struct mp_sim_mutation *mutation = &write->changes.mutations[i];
	int32_t required, have;
	MP_SIM_TRY(mp_sim_coord_replicas(req, write->plan->table, mutation->token, &set));
	*wait = mp_sim_write_wait(req, req->body.params.consistency, type, &set);
	wait->number = mp_sim_wait_reserve(owner->cluster);
	MP_SIM_TRY(mp_sim_coord_deliver(req, &set, mutation, wait->number, &wait->acks));
	return !mp_sim_level_reached(owner->cluster, set.strategy, wait->level, owner->dc, &wait->acks, &required,
	                             &have);
}

// What is read before it is written is what was there before the batch, but for counters, which add up.
static int store(struct mp_sim_request *req, struct mp_sim_write *writes, size_t count,
                 enum mp_write_type type, struct mp_sim_wait_spec *late)
{
	bool sums = type == MP_WRITE_COUNTER;
	int is_late = 0;
	for (size_t w = 0; w < count && !sums; w++)
		for (size_t i = 0; i < writes[w].changes.count; i++)
			MP_SIM_TRY(build(req, &writes[w], i));
	for (size_t w = 0; w < count; w++) {
		for (size_t i = 0; i < writes[w].changes.count; i++) {
			struct mp_sim_wait_spec wait;
			if (sums)
				MP_SIM_TRY(build(req, &writes[w], i));
			int rc = deliver(req, &writes[w], i, type, &wait);
			MP_SIM_TRY(rc);
			if (rc > 0)
				*late = wait;
			is_late |= rc;
		}
	}
	return is_late;
}

int mp_sim_write(struct mp_sim_request *req, struct mp_sim_write *writes, size_t count,
                 enum mp_write_type type)
{
	struct mp_sim_wait_spec wait;
	MP_SIM_TRY(mp_sim_write_level(req, false));
	for (size_t i = 0; i < count; i++) {
		int rc = check_replicas(req, &writes[i], type, &wait);
		if (rc == MP_EAGAIN)
			return mp_sim_wait_begin(req, &wait);
		MP_SIM_TRY(rc);
	}
	int rc = store(req, writes, count, type, &wait);
	MP_SIM_TRY(rc);
	if (rc > 0)
		return mp_sim_wait_begin(req, &wait);
	mp_sim_answer_void(req);
	return 0;
}
