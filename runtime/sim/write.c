// SPDX-License-Identifier: Apache-2.0
// INSERT, UPDATE, DELETE: to all replicas at once, acknowledged as the level asks. With IF: one step of comparing and
// setting that no other request can come between, because the whole cluster runs in one thread.
#include "sim/coord.h"
#include "sim/cql/parse.h"
#include "sim/store/change.h"
#include "sim/store/resolve.h"

#include "base/err.h"
#include "wire/value.h"

struct leader { // the replica whose copy a read-before-write sees
	const struct mp_sim_node *node;
};

static const struct mp_sim_row *leader_row(void *data, const struct mp_sim_mutation *mutation,
                                           struct mp_bytes clustering)
{
	const struct leader *leader = data;
	if (leader->node == NULL)
		return NULL;
	const struct mp_sim_partition *partition =
		mp_sim_store_find(&leader->node->store, mutation->table, mutation->token, mutation->key);
	return partition == NULL ? NULL : mp_sim_row_find(partition, clustering);
}

static struct mp_sim_change_env change_env(struct mp_sim_request *req, const struct mp_sim_plan *plan,
                                           struct mp_sim_env *env, struct leader *leader)
{
	struct mp_sim_cluster *cluster = req->conn->owner->cluster;
	struct mp_sim_change_env change = {.env = env,
	                                   .plan = plan,
	                                   .list_clock = &cluster->list_clock,
	                                   .current = leader_row,
	                                   .current_data = leader};
	bool given = req->body.params.has_timestamp && !plan->table->counters && !plan->conditional;
	change.timestamp = given ? req->body.params.timestamp : mp_sim_timestamp(cluster);
	return change;
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

static int check_level(struct mp_sim_request *req, bool conditional)
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

static struct mp_sim_wait_spec wait_spec(const struct mp_sim_request *req, uint16_t level,
                                         enum mp_write_type type, const struct mp_sim_replica_set *set)
{
	return (struct mp_sim_wait_spec){.timeout_ms = req->conn->owner->cluster->options.write_timeout_ms,
	                                 .level = level,
	                                 .strategy = set->strategy,
	                                 .code = MP_SE_WRITE_TIMEOUT,
	                                 .write_type = type};
}

int mp_sim_write(struct mp_sim_request *req, struct mp_sim_plan *plan, struct mp_sim_env *env)
{
	struct leader leader = {NULL};
	struct mp_sim_change_env change = change_env(req, plan, env, &leader);
	struct mp_sim_changes changes;
	uint16_t level = req->body.params.consistency;
	MP_SIM_TRY(check_level(req, false));
	MP_SIM_TRY(mp_sim_change_keys(&change, &changes));
	enum mp_write_type type = plan->table->counters ? MP_WRITE_COUNTER
	                          : changes.count > 1   ? MP_WRITE_UNLOGGED_BATCH
	                                                : MP_WRITE_SIMPLE;
	struct mp_sim_replica_set set = {.count = 0};
	for (size_t i = 0; i < changes.count; i++) {
		MP_SIM_TRY(mp_sim_coord_replicas(req, plan->table, changes.mutations[i].token, &set));
		MP_SIM_TRY(mp_sim_coord_available(req, &set, level));
	}
	for (size_t i = 0; i < changes.count; i++) {
		struct mp_sim_changes one = {&changes.mutations[i], 1};
		struct mp_sim_wait_spec spec;
		int32_t required, have;
		MP_SIM_TRY(mp_sim_coord_replicas(req, plan->table, one.mutations[0].token, &set));
		leader.node = first_that_answers(req, &set);
		spec = wait_spec(req, level, type, &set);
		if (leader.node == NULL && plan->table->counters) {
			// Nobody can lead the increment: it waits unapplied.
			spec.retry = true;
			return mp_sim_wait_begin(req, &spec);
		}
		change.leader = leader.node == NULL ? 0 : (uint64_t)leader.node->index + 1;
		MP_SIM_TRY(mp_sim_change_build(&change, &one));
		spec.number = mp_sim_wait_reserve(req->conn->owner->cluster);
		MP_SIM_TRY(mp_sim_coord_deliver(req, &set, one.mutations, spec.number, &spec.acks));
		if (mp_sim_level_reached(req->conn->owner->cluster, set.strategy, level, req->conn->owner->dc,
		                         &spec.acks, &required, &have))
			continue;
		return mp_sim_wait_begin(req, &spec);
	}
	mp_sim_answer_void(req);
	return 0;
}

// ---- IF ---------------------------------------------------------------------------------------------------

struct compare {
	struct mp_sim_row_view view;
	bool exists;
	bool applies;
};

static int read_row(struct mp_sim_request *req, const struct mp_sim_mutation *mutation,
                    struct mp_bytes clustering, const struct mp_sim_replica_set *from, struct compare *out)
{
	struct mp_sim_partition *partitions[MP_SIM_RF_MAX];
	struct mp_sim_row *rows[MP_SIM_RF_MAX];
	bool any = false;
	for (size_t i = 0; i < from->count; i++) {
		const struct mp_sim_node *node = req->conn->owner->cluster->nodes[from->nodes[i]];
		partitions[i] = mp_sim_store_find(&node->store, mutation->table, mutation->token, mutation->key);
		rows[i] = partitions[i] == NULL ? NULL : mp_sim_row_find(partitions[i], clustering);
		any = any || rows[i] != NULL;
	}
	MP_SIM_TRY(mp_sim_row_view_init(&out->view, mutation->table, &req->arena));
	for (uint16_t i = 0; i < mutation->table->column_count; i++)
		out->view.values[i] = (struct mp_bytes){NULL, -1};
	if (!any)
		return 0;
	int rc = mp_sim_row_resolve(mutation->table, partitions, rows, from->count,
	                            (int64_t)mp_loop_wall_us(req->conn->owner->cluster->loop), &req->arena,
	                            &out->view);
	out->exists = rc > 0;
	return rc < 0 ? rc : 0;
}

static int compare_row(const struct mp_sim_plan *plan, struct mp_sim_env *env, struct compare *compare)
{
	const struct mp_sim_stmt *stmt = plan->stmt;
	compare->applies = stmt->if_not_exists ? !compare->exists : !stmt->if_exists || compare->exists;
	for (const struct mp_sim_relation *c = stmt->conditions; compare->applies && c != NULL; c = c->next) {
		const struct mp_sim_column *column = mp_sim_table_column(plan->table, c->column);
		int rc = mp_sim_matches(env, c, column, compare->view.values[column->index]);
		MP_SIM_TRY(rc);
		compare->applies = rc > 0;
	}
	return 0;
}

// [applied], and when it was not: the row as it is (IF NOT EXISTS) or the columns that were compared.
static int answer_applied(struct mp_sim_request *req, const struct mp_sim_plan *plan,
                          const struct compare *compare)
{
	const struct mp_sim_table *table = plan->table;
	const struct mp_sim_column **shown = mp_arena_alloc(&req->arena, table->column_count * sizeof(*shown));
	uint32_t count = 0;
	if (shown == NULL)
		return mp_sim_fail_nomem(&req->err);
	bool whole = plan->stmt->if_not_exists;
	if (!compare->applies && compare->exists) {
		if (whole) {
			mp_sim_table_order(table, shown);
			count = table->column_count;
		}
		for (const struct mp_sim_relation *c = plan->stmt->conditions;
		     c != NULL && count < table->column_count; c = c->next)
			shown[count++] = mp_sim_table_column(table, c->column);
	}
	struct mp_metadata *metadata = mp_metadata_new(count + 1);
	if (metadata == NULL)
		return mp_sim_fail_nomem(&req->err);
	for (uint32_t i = 0; i <= count; i++) {
		struct mp_column *column = &metadata->columns[i];
		column->keyspace = table->keyspace;
		column->table = table->name;
		column->name = i == 0 ? mp_str_of("[applied]") : shown[i - 1]->name;
		column->type =
			(struct mp_type *)(uintptr_t)(i == 0 ? mp_sim_scalar_type(MP_TYPE_BOOLEAN) : shown[i - 1]->type);
	}
	struct mp_rows_head head = {.metadata = metadata};
	struct mp_buf *buf = mp_sim_answer_begin(req);
	struct mp_rows_mark mark = mp_encode_rows_begin(buf, req->envelope.version, req->envelope.stream, &head);
	mp_buf_i32(buf, 1);
	mp_buf_u8(buf, compare->applies);
	for (uint32_t i = 0; i < count; i++) {
		struct mp_bytes value = compare->view.values[shown[i]->index];
		mp_buf_i32(buf, value.len < 0 ? -1 : value.len);
		mp_buf_bytes(buf, value.data, value.len > 0 ? (size_t)value.len : 0);
	}
	mp_encode_rows_end(buf, mark, 1);
	mp_sim_answer_end(req);
	mp_metadata_unref(metadata);
	return 0;
}

int mp_sim_write_if(struct mp_sim_request *req, struct mp_sim_plan *plan, struct mp_sim_env *env)
{
	struct mp_sim_cluster *cluster = req->conn->owner->cluster;
	struct leader leader = {NULL};
	struct mp_sim_change_env change = change_env(req, plan, env, &leader);
	struct mp_sim_changes changes;
	struct mp_sim_replica_set set, from;
	struct compare compare = {.exists = false};
	struct mp_bytes clustering;
	uint16_t level = req->body.params.consistency;
	uint16_t serial = req->body.params.serial_consistency;
	serial = serial == 0 ? MP_CL_SERIAL : serial;
	MP_SIM_TRY(check_level(req, true));
	MP_SIM_TRY(mp_sim_change_keys(&change, &changes));
	if (plan->where.equal_count < plan->table->clustering_count && plan->stmt->kind != MP_SIM_INSERT)
		return mp_sim_fail(&req->err, MP_SE_INVALID,
		                   "DELETE statements must restrict all PRIMARY KEY columns with equality "
		                   "relations in order to use IF conditions");
	MP_SIM_TRY(mp_sim_change_clustering(&change, &clustering));
	MP_SIM_TRY(mp_sim_coord_replicas(req, plan->table, changes.mutations[0].token, &set));
	MP_SIM_TRY(mp_sim_coord_available(req, &set, level));
	int rc = mp_sim_coord_pick(req, &set, serial, &from);
	struct mp_sim_wait_spec spec = wait_spec(req, serial, MP_WRITE_CAS, &set);
	if (rc == MP_EAGAIN) {
		spec.retry = true;
		return mp_sim_wait_begin(req, &spec);
	}
	MP_SIM_TRY(rc);
	MP_SIM_TRY(read_row(req, changes.mutations, clustering, &from, &compare));
	MP_SIM_TRY(compare_row(plan, env, &compare));
	if (compare.applies) {
		int32_t required, have;
		leader.node = cluster->nodes[from.nodes[0]];
		MP_SIM_TRY(mp_sim_change_build(&change, &changes));
		spec = wait_spec(req, level, MP_WRITE_SIMPLE, &set);
		MP_SIM_TRY(mp_sim_coord_deliver(req, &set, changes.mutations, 0, &spec.acks));
		if (!mp_sim_level_reached(cluster, set.strategy, level, req->conn->owner->dc, &spec.acks, &required,
		                          &have))
			return mp_sim_wait_begin(req, &spec);
	}
	return answer_applied(req, plan, &compare);
}
