// SPDX-License-Identifier: Apache-2.0
// One bound statement with its values, run to an answer or to a wait.
#include "sim/coord.h"

#include <string.h>

#include "base/err.h"
#include "sim/cql/parse.h"
#include "sim/write.h"

int64_t mp_sim_timestamp(struct mp_sim_cluster *cluster)
{
	int64_t now = (int64_t)mp_loop_wall_us(cluster->loop);
	cluster->last_timestamp = now > cluster->last_timestamp ? now : cluster->last_timestamp + 1;
	return cluster->last_timestamp;
}

struct mp_sim_env mp_sim_exec_env(struct mp_sim_request *req)
{
	struct mp_sim_cluster *cluster = req->conn->owner->cluster;
	return (struct mp_sim_env){.arena = &req->arena,
	                           .err = &req->err,
	                           .now_us = (int64_t)mp_loop_wall_us(cluster->loop),
	                           .rand = &cluster->rand,
	                           .last_uuid_time = &cluster->last_uuid_time};
}

int mp_sim_bind(struct mp_sim_request *req, const struct mp_sim_plan *plan, struct mp_sim_env *env)
{
	uint32_t wanted = plan->stmt->marker_count;
	const struct mp_query_params *params = &req->body.params;
	if (params->value_count != wanted && !(params->named_values && params->value_count > wanted))
		return mp_sim_fail(&req->err, MP_SE_INVALID, "Invalid amount of bind variables: expected %u, got %u",
		                   wanted, params->value_count);
	if (wanted == 0)
		return 0;
	struct mp_bytes *bound = mp_arena_alloc(&req->arena, wanted * sizeof(*bound));
	if (bound == NULL)
		return mp_sim_fail_nomem(&req->err);
	struct mp_cursor cur = mp_cursor_on(params->values.data, params->values.len);
	for (uint32_t i = 0; i < wanted; i++)
		bound[i] = (struct mp_bytes){NULL, -2};
	for (uint32_t i = 0; i < params->value_count; i++) {
		struct mp_str name = {"", 0};
		if (params->named_values)
			name = mp_cursor_string(&cur);
		struct mp_bytes value = mp_cursor_bytes(&cur);
		if (req->envelope.version < 4 && value.len == -2)
			value.len = -1; // there, each negative length is null
		for (uint32_t m = 0; params->named_values && m < wanted; m++) {
			if (mp_str_eq(plan->params->columns[m].name, name))
				bound[m] = value;
		}
		if (!params->named_values)
			bound[i] = value;
	}
	env->bound = bound;
	return cur.failed ? mp_sim_fail(&req->err, MP_SE_PROTOCOL_ERROR, "malformed values") : 0;
}

// ---- statements without rows ------------------------------------------------------------------------------

static int run_use(struct mp_sim_request *req, const struct mp_sim_plan *plan)
{
	struct mp_sim_link *conn = req->conn;
	struct mp_str name = plan->stmt->keyspace;
	if (mp_sim_schema_keyspace(&conn->owner->cluster->schema, name) == NULL)
		return mp_sim_fail(&req->err, MP_SE_INVALID, "Keyspace '%.*s' does not exist", MP_SIM_S(name));
	memcpy(conn->keyspace, name.data, name.len);
	conn->keyspace[name.len] = '\0';
	struct mp_buf *buf = mp_sim_answer_begin(req);
	mp_encode_result_keyspace(buf, req->envelope.version, req->envelope.stream, name);
	mp_sim_answer_end(req);
	return 0;
}

static int run_truncate(struct mp_sim_request *req, const struct mp_sim_plan *plan)
{
	struct mp_sim_cluster *cluster = req->conn->owner->cluster;
	if (plan->table->source != NULL || mp_sim_is_system(plan->table->keyspace))
		return mp_sim_fail(&req->err, MP_SE_UNAUTHORIZED, "%.*s is not user-modifiable.",
		                   MP_SIM_S(plan->table->keyspace));
	for (size_t i = 0; i < cluster->node_count; i++) {
		if (cluster->nodes[i]->member && !mp_sim_node_answers(cluster->nodes[i]))
			return mp_sim_fail(&req->err, MP_SE_TRUNCATE_ERROR,
			                   "Error during truncate: Cannot achieve consistency level ALL");
	}
	req->executed = true;
	for (size_t i = 0; i < cluster->node_count; i++)
		mp_sim_store_truncate(&cluster->nodes[i]->store, plan->table);
	mp_sim_answer_void(req);
	return 0;
}

// A type that has changed is in the metadata of every statement about a table that uses it.
static void forget_statements(struct mp_sim_cluster *cluster, struct mp_str keyspace)
{
	const struct mp_sim_keyspace *ks = mp_sim_schema_keyspace(&cluster->schema, keyspace);
	for (const struct mp_sim_table *table = ks->tables; table != NULL; table = table->next) {
		for (size_t i = 0; i < cluster->node_count; i++)
			mp_sim_prepared_drop_table(cluster->nodes[i], table);
	}
}

// Runs the statement, and tells everybody. The change's table is given back by the caller.
static int change_schema(struct mp_sim_cluster *cluster, const struct mp_sim_plan *plan,
                         struct mp_sim_change *change, struct mp_sim_error *err)
{
	MP_SIM_TRY(mp_sim_schema_execute(&cluster->schema, plan->stmt, plan->keyspace, change, err));
	if (change->change == NULL)
		return 0;
	bool dropped = strcmp(change->change, "DROPPED") == 0;
	for (size_t i = 0; i < cluster->node_count; i++) {
		if (change->table != NULL || dropped)
			mp_sim_prepared_drop_table(cluster->nodes[i], change->table);
		if (dropped)
			mp_sim_store_sweep(&cluster->nodes[i]->store);
	}
	if (dropped)
		mp_sim_authorize_dropped(cluster, change);
	if (strcmp(change->target, "TYPE") == 0)
		forget_statements(cluster, change->keyspace);
	mp_sim_event_schema(cluster, change);
	return 0;
}

static int run_ddl(struct mp_sim_request *req, const struct mp_sim_plan *plan)
{
	struct mp_sim_change change;
	MP_SIM_TRY(change_schema(req->conn->owner->cluster, plan, &change, &req->err));
	req->executed = true;
	if (mp_sim_authorize_made(req, &change) < 0) {
		mp_sim_table_unref(change.table);
		return MP_ESERVER;
	}
	if (change.change == NULL) {
		mp_sim_answer_void(req);
		return 0;
	}
	struct mp_buf *buf = mp_sim_answer_begin(req);
	mp_encode_result_schema(buf, req->envelope.version, req->envelope.stream, change.change, change.target,
	                        change.keyspace, change.name);
	mp_sim_answer_end(req);
	mp_sim_table_unref(change.table);
	return 0;
}

int mp_sim_schema_change(struct mp_sim_cluster *cluster, struct mp_str cql, char text[512])
{
	struct mp_sim_error err = {.set = false};
	struct mp_sim_change change = {.change = NULL};
	struct mp_sim_plan *plan = mp_sim_plan_new(&cluster->schema, cql, (struct mp_str){"", 0}, &err);
	int rc = MP_ESERVER;
	if (plan != NULL && plan->stmt->kind >= MP_SIM_CREATE_KEYSPACE)
		rc = change_schema(cluster, plan, &change, &err);
	else if (plan != NULL)
		rc = mp_sim_fail(&err, MP_SE_INVALID, "not a schema statement");
	mp_sim_table_unref(change.table);
	mp_sim_plan_unref(plan);
	memcpy(text, err.text, sizeof(err.text));
	return rc;
}

static int run_change(struct mp_sim_request *req, struct mp_sim_plan *plan, struct mp_sim_env *env)
{
	struct mp_sim_write write;
	bool counts = plan->table->counters;
	MP_SIM_TRY(mp_sim_bind(req, plan, env));
	MP_SIM_TRY(mp_sim_authorize(req, plan));
	MP_SIM_TRY(
		mp_sim_write_init(req, plan, env, mp_sim_write_time(req, counts || plan->conditional), &write));
	if (plan->conditional)
		return mp_sim_write_if(req, &write, 1, false);
	return mp_sim_write(req, &write, 1,
	                    counts                    ? MP_WRITE_COUNTER
	                    : write.changes.count > 1 ? MP_WRITE_UNLOGGED_BATCH
	                                              : MP_WRITE_SIMPLE);
}

static int run(struct mp_sim_request *req, struct mp_sim_plan *plan)
{
	struct mp_sim_env env = mp_sim_exec_env(req);
	switch (plan->stmt->kind) {
	case MP_SIM_SELECT:
		MP_SIM_TRY(mp_sim_bind(req, plan, &env));
		MP_SIM_TRY(mp_sim_authorize(req, plan));
		return mp_sim_select(req, plan, &env);
	case MP_SIM_INSERT:
	case MP_SIM_UPDATE:
	case MP_SIM_DELETE: return run_change(req, plan, &env);
	case MP_SIM_USE: return run_use(req, plan);
	case MP_SIM_DESCRIBE: return mp_sim_describe(req, plan);
	case MP_SIM_CREATE_ROLE:
	case MP_SIM_ALTER_ROLE:
	case MP_SIM_DROP_ROLE:
	case MP_SIM_GRANT_ROLE:
	case MP_SIM_REVOKE_ROLE:
	case MP_SIM_LIST_ROLES:
	case MP_SIM_GRANT:
	case MP_SIM_REVOKE:
	case MP_SIM_LIST_PERMISSIONS: return mp_sim_serve_role(req, plan);
	case MP_SIM_TRUNCATE: MP_SIM_TRY(mp_sim_authorize(req, plan)); return run_truncate(req, plan);
	default: MP_SIM_TRY(mp_sim_authorize(req, plan)); return run_ddl(req, plan);
	}
}

void mp_sim_exec(struct mp_sim_request *req, struct mp_sim_plan *plan)
{
	int rc = run(req, plan);
	if (rc < 0 && !req->err.set)
		mp_sim_fail_nomem(&req->err);
	if (rc < 0)
		mp_sim_answer_error(req);
}
