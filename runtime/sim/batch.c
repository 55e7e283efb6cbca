// SPDX-License-Identifier: Apache-2.0
// BATCH: several INSERT, UPDATE and DELETE as one. All of them are found, judged and bound before the first one is
// stored. A LOGGED batch is as atomic as an UNLOGGED one here, because nothing of this node's dies in between; only
// its errors call it otherwise.
#include "sim/write.h"

#include "base/err.h"
#include "sim/coord.h"
#include "sim/cql/parse.h"

struct batch {
	struct mp_sim_write *writes;
	struct mp_sim_plan **plans; // references
	size_t count;
	bool counts, sets; // has statements that do
	bool conditional;
};

struct mp_str mp_sim_batch_text(const struct mp_sim_request *req)
{
	struct mp_str run = req->body.batch.statements;
	struct mp_cursor cur = mp_cursor_on(run.data, run.len);
	struct mp_batch_statement first;
	if (!mp_batch_next(&cur, &first))
		return (struct mp_str){"", 0};
	if (first.cql.data != NULL)
		return first.cql;
	const struct mp_sim_plan *plan = mp_sim_prepared_find(req->conn->owner, first.id);
	return plan == NULL ? (struct mp_str){"", 0} : plan->cql;
}

// ---- what the statements are ------------------------------------------------------------------------------

static int find(struct mp_sim_request *req, const struct mp_batch_statement *statement, struct batch *batch)
{
	struct mp_sim_plan *plan = statement->cql.data != NULL ? mp_sim_serve_plan(req, statement->cql)
	                                                       : mp_sim_serve_prepared(req, statement->id);
	if (plan == NULL)
		return MP_ESERVER;
	batch->plans[batch->count++] = plan;
	if (plan->stmt->kind != MP_SIM_INSERT && plan->stmt->kind != MP_SIM_UPDATE &&
	    plan->stmt->kind != MP_SIM_DELETE)
		return mp_sim_fail(
			&req->err, MP_SE_INVALID,
			"Invalid statement in batch: only UPDATE, INSERT and DELETE statements are allowed.");
	if (plan->stmt->marker_count != statement->value_count)
		return mp_sim_fail(&req->err, MP_SE_INVALID, "There were %u markers(?) in CQL but %u bound variables",
		                   plan->stmt->marker_count, statement->value_count);
	batch->counts = batch->counts || plan->table->counters;
	batch->sets = batch->sets || !plan->table->counters;
	batch->conditional = batch->conditional || plan->conditional;
	return 0;
}

static int judge(struct mp_sim_request *req, const struct batch *batch)
{
	uint8_t type = req->body.batch.type;
	const char *wrong = NULL;
	if (type == MP_BATCH_COUNTER && batch->sets)
		wrong = "Cannot include non-counter statement in a counter batch";
	else if (type == MP_BATCH_LOGGED && batch->counts)
		wrong = "Cannot include a counter statement in a logged batch";
	else if (batch->counts && batch->sets)
		wrong = "Counter and non-counter mutations cannot exist in the same batch";
	return wrong == NULL ? 0 : mp_sim_fail(&req->err, MP_SE_INVALID, "%s", wrong);
}

// ---- running it -------------------------------------------------------------------------------------------

static int bind(struct mp_sim_request *req, struct batch *batch)
{
	struct mp_str run = req->body.batch.statements;
	struct mp_cursor cur = mp_cursor_on(run.data, run.len);
	struct mp_batch_statement statement;
	int64_t timestamp = mp_sim_write_time(req, batch->counts || batch->conditional);
	for (size_t i = 0; mp_batch_next(&cur, &statement); i++) {
		struct mp_sim_env env = mp_sim_exec_env(req);
		req->body.params.values = statement.values;
		req->body.params.value_count = statement.value_count;
		MP_SIM_TRY(mp_sim_bind(req, batch->plans[i], &env));
		MP_SIM_TRY(mp_sim_write_init(req, batch->plans[i], &env, timestamp, &batch->writes[i]));
	}
	req->body.params.values = (struct mp_str){NULL, 0};
	req->body.params.value_count = 0;
	return 0;
}

static int run(struct mp_sim_request *req, struct batch *batch)
{
	struct mp_str run = req->body.batch.statements;
	struct mp_cursor cur = mp_cursor_on(run.data, run.len);
	struct mp_batch_statement statement;
	while (mp_batch_next(&cur, &statement))
		MP_SIM_TRY(find(req, &statement, batch));
	for (size_t i = 0; i < batch->count; i++)
		MP_SIM_TRY(mp_sim_authorize(req, batch->plans[i]));
	MP_SIM_TRY(judge(req, batch));
	MP_SIM_TRY(bind(req, batch));
	if (batch->conditional)
		return mp_sim_write_if(req, batch->writes, batch->count, true);
	static const enum mp_write_type types[MP_BATCH_TYPES] = {
		[MP_BATCH_LOGGED] = MP_WRITE_BATCH,
		[MP_BATCH_UNLOGGED] = MP_WRITE_UNLOGGED_BATCH,
		[MP_BATCH_COUNTER] = MP_WRITE_COUNTER,
	};
	return mp_sim_write(req, batch->writes, batch->count,
	                    batch->counts ? MP_WRITE_COUNTER : types[req->body.batch.type]);
}

int mp_sim_batch(struct mp_sim_request *req)
{
	size_t count = req->body.batch.count + 1;
	struct batch batch = {
		.writes = mp_arena_alloc(&req->arena, count * sizeof(*batch.writes)),
		.plans = mp_arena_alloc(&req->arena, count * sizeof(struct mp_sim_plan *)),
	};
	if (batch.writes == NULL || batch.plans == NULL)
		return mp_sim_fail_nomem(&req->err);
	int rc = run(req, &batch);
	for (size_t i = 0; i < batch.count; i++)
		mp_sim_plan_unref(batch.plans[i]);
	if (rc < 0 && !req->err.set)
		return mp_sim_fail_nomem(&req->err);
	return rc;
}
