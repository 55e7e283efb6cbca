// SPDX-License-Identifier: Apache-2.0
// INSERT, UPDATE, DELETE with IF, alone or in a batch: the rows are read at the serial level, compared, and set if
// all of them are as they should be.
#include <string.h>

#include "base/err.h"
#include "sim/cql/parse.h"
#include "sim/store/resolve.h"
#include "sim/write.h"

struct compare {
	struct mp_sim_row_view view;
	struct mp_bytes clustering;
	bool exists;
	bool applies;
};

// ---- may it be asked? -------------------------------------------------------------------------------------

static int check_where(struct mp_sim_request *req, const struct mp_sim_plan *plan)
{
	bool whole = plan->stmt->kind == MP_SIM_INSERT || !plan->conditional || plan->only_static ||
	             plan->where.equal_count == plan->table->clustering_count;
	return whole ? 0
	             : mp_sim_fail(&req->err, MP_SE_INVALID,
	                           "DELETE statements must restrict all PRIMARY KEY columns with equality "
	                           "relations in order to use IF conditions");
}

static int check_scope(struct mp_sim_request *req, const struct mp_sim_write *writes, size_t count)
{
	const struct mp_sim_mutation *first = writes->changes.mutations;
	for (size_t i = 0; i < count; i++) {
		const struct mp_sim_mutation *mutation = writes[i].changes.mutations;
		MP_SIM_TRY(check_where(req, writes[i].plan));
		if (writes[i].changes.count > 1)
			return mp_sim_fail(&req->err, MP_SE_INVALID,
			                   "IN on the partition key is not supported with conditional updates");
		if (mutation->table != first->table)
			return mp_sim_fail(&req->err, MP_SE_INVALID, "Batch with conditions cannot span multiple tables");
		if (mutation->key.len != first->key.len ||
		    memcmp(mutation->key.data, first->key.data, (size_t)first->key.len) != 0)
			return mp_sim_fail(&req->err, MP_SE_INVALID,
			                   "Batch with conditions cannot span multiple partitions");
	}
	return 0;
}

// ---- comparing --------------------------------------------------------------------------------------------

static int read_row(struct mp_sim_request *req, const struct mp_sim_write *write,
                    const struct mp_sim_replica_set *from, struct compare *out)
{
	const struct mp_sim_mutation *mutation = write->changes.mutations;
	int64_t now_us = (int64_t)mp_loop_wall_us(req->conn->owner->cluster->loop);
	struct mp_sim_partition *partitions[MP_SIM_RF_MAX];
	struct mp_sim_row *rows[MP_SIM_RF_MAX];
	bool any = false;
	for (size_t i = 0; i < from->count; i++) {
		const struct mp_sim_node *node = req->conn->owner->cluster->nodes[from->nodes[i]];
		partitions[i] = mp_sim_store_find(&node->store, mutation->table, mutation->token, mutation->key);
		rows[i] = partitions[i] == NULL ? NULL : mp_sim_row_find(partitions[i], out->clustering);
		any = any || rows[i] != NULL;
	}
	MP_SIM_TRY(mp_sim_row_view_init(&out->view, mutation->table, &req->arena));
	for (uint16_t i = 0; i < mutation->table->column_count; i++)
		out->view.values[i] = (struct mp_bytes){NULL, -1};
	bool statics = write->plan->only_static || !any;
	int rc = statics ? mp_sim_statics_resolve(mutation->table, partitions, from->count, now_us, &req->arena,
	                                          &out->view)
	                 : mp_sim_row_resolve(mutation->table, partitions, rows, from->count, now_us, &req->arena,
	                                      &out->view);
	out->exists = rc > 0 && (write->plan->only_static || !statics);
	return rc < 0 ? rc : 0;
}

static int compare_row(struct mp_sim_write *write, struct compare *compare)
{
	const struct mp_sim_plan *plan = write->plan;
	const struct mp_sim_stmt *stmt = plan->stmt;
	compare->applies = stmt->if_not_exists ? !compare->exists : !stmt->if_exists || compare->exists;
	for (const struct mp_sim_relation *c = stmt->conditions; compare->applies && c != NULL; c = c->next) {
		const struct mp_sim_column *column = mp_sim_table_column(plan->table, c->column);
		int rc = mp_sim_matches(&write->env, c, column, compare->view.values[column->index]);
		MP_SIM_TRY(rc);
		compare->applies = rc > 0;
	}
	return 0;
}

// 1: all of them apply.
static int compare_all(struct mp_sim_request *req, struct mp_sim_write *writes, size_t count,
                       const struct mp_sim_replica_set *from, struct compare *compares)
{
	bool applies = true;
	for (size_t i = 0; i < count; i++) {
		struct compare *compare = &compares[i];
		compare->applies = true;
		if (!writes[i].plan->conditional)
			continue;
		MP_SIM_TRY(mp_sim_change_clustering(&writes[i].change, &compare->clustering));
		MP_SIM_TRY(read_row(req, &writes[i], from, compare));
		MP_SIM_TRY(compare_row(&writes[i], compare));
		applies = applies && compare->applies;
	}
	return applies;
}

// ---- the answer -------------------------------------------------------------------------------------------

// Columns that a refusal shows, in their order, each once.
struct shown {
	const struct mp_sim_column **columns;
	uint32_t count;
};

static void show(struct shown *shown, const struct mp_sim_column *column)
{
	for (uint32_t i = 0; i < shown->count; i++)
		if (shown->columns[i] == column)
			return;
	shown->columns[shown->count++] = column;
}

// Those that were compared, and the keys in front of them in a batch; all of them where existence was.
static void choose_columns(const struct mp_sim_write *writes, size_t count, bool is_batch,
                           struct shown *shown)
{
	const struct mp_sim_table *table = writes->plan->table;
	bool whole = false;
	for (size_t i = 0; i < count; i++)
		whole = whole || writes[i].plan->stmt->if_not_exists || (is_batch && writes[i].plan->stmt->if_exists);
	if (whole) {
		mp_sim_table_order(table, shown->columns);
		shown->count = table->column_count;
		return;
	}
	for (uint16_t i = 0; is_batch && i < table->partition_count + table->clustering_count; i++)
		show(shown, table->columns[i]);
	for (size_t i = 0; i < count; i++)
		for (const struct mp_sim_relation *c = writes[i].plan->stmt->conditions; c != NULL; c = c->next)
			show(shown, mp_sim_table_column(table, c->column));
}

static struct mp_metadata *make_metadata(const struct mp_sim_table *table, const struct shown *shown)
{
	struct mp_metadata *metadata = mp_metadata_new(shown->count + 1);
	for (uint32_t i = 0; metadata != NULL && i <= shown->count; i++) {
		struct mp_column *column = &metadata->columns[i];
		column->keyspace = table->keyspace;
		column->table = table->name;
		column->name = i == 0 ? mp_str_of("[applied]") : shown->columns[i - 1]->name;
		column->type = (struct mp_type *)(uintptr_t)(i == 0 ? mp_sim_scalar_type(MP_TYPE_BOOLEAN)
		                                                    : shown->columns[i - 1]->type);
	}
	return metadata;
}

static void put_row(struct mp_buf *buf, bool applied, const struct shown *shown,
                    const struct mp_sim_row_view *view)
{
	mp_buf_i32(buf, 1);
	mp_buf_u8(buf, applied);
	for (uint32_t i = 0; i < shown->count; i++) {
		struct mp_bytes value = view->values[shown->columns[i]->index];
		mp_buf_i32(buf, value.len < 0 ? -1 : value.len);
		mp_buf_bytes(buf, value.data, value.len > 0 ? (size_t)value.len : 0);
	}
}

// The row was compared by a statement before.
static bool seen(const struct mp_sim_write *writes, const struct compare *compares, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (writes[k].plan->conditional && compares[k].clustering.len == compares[i].clustering.len &&
		    memcmp(compares[k].clustering.data, compares[i].clustering.data,
		           (size_t)compares[i].clustering.len) == 0)
			return true;
	return false;
}

// [applied], and when it was not: the rows that were compared and exist.
static int answer_applied(struct mp_sim_request *req, const struct mp_sim_write *writes, size_t count,
                          bool is_batch, bool applied, const struct compare *compares)
{
	const struct mp_sim_table *table = writes->plan->table;
	struct shown shown = {mp_arena_alloc(&req->arena, table->column_count * sizeof(void *)), 0};
	if (shown.columns == NULL)
		return mp_sim_fail_nomem(&req->err);
	bool exists = false;
	for (size_t i = 0; i < count; i++)
		exists = exists || compares[i].exists;
	if (!applied && exists)
		choose_columns(writes, count, is_batch, &shown);
	struct mp_metadata *metadata = make_metadata(table, &shown);
	if (metadata == NULL)
		return mp_sim_fail_nomem(&req->err);
	struct mp_rows_head head = {.metadata = metadata};
	struct mp_buf *buf = mp_sim_answer_begin(req);
	struct mp_rows_mark mark = mp_encode_rows_begin(buf, req->envelope.version, req->envelope.stream, &head);
	uint32_t rows = 0;
	for (size_t i = 0; i < count && !applied; i++) {
		if (!compares[i].exists || seen(writes, compares, i))
			continue;
		put_row(buf, false, &shown, &compares[i].view);
		rows++;
	}
	if (rows == 0)
		put_row(buf, applied, &shown, NULL);
	mp_encode_rows_end(buf, mark, rows > 0 ? rows : 1);
	mp_sim_answer_end(req);
	mp_metadata_unref(metadata);
	return 0;
}

// ---- setting ----------------------------------------------------------------------------------------------

// True: not all that the level asks for have it now, which *late waits for.
static int set_all(struct mp_sim_request *req, struct mp_sim_write *writes, size_t count,
                   const struct mp_sim_replica_set *set, uint16_t first, struct mp_sim_wait_spec *late)
{
	const struct mp_sim_node *owner = req->conn->owner;
	bool is_late = false;
	for (size_t i = 0; i < count; i++) {
		struct mp_sim_write *write = &writes[i];
		int32_t required, have;
		write->leader = owner->cluster->nodes[first];
		MP_SIM_TRY(mp_sim_change_build(&write->change, &write->changes));
		struct mp_sim_wait_spec wait =
			mp_sim_write_wait(req, req->body.params.consistency, MP_WRITE_SIMPLE, set);
		MP_SIM_TRY(mp_sim_coord_deliver(req, set, write->changes.mutations, 0, &wait.acks));
		if (mp_sim_level_reached(owner->cluster, set->strategy, wait.level, owner->dc, &wait.acks, &required,
		                         &have))
			continue;
		*late = wait;
		is_late = true;
	}
	return is_late;
}

int mp_sim_write_if(struct mp_sim_request *req, struct mp_sim_write *writes, size_t count, bool is_batch)
{
	struct mp_sim_replica_set set, from;
	uint16_t serial = req->body.params.serial_consistency;
	serial = serial == 0 ? MP_CL_SERIAL : serial;
	struct compare *compares = mp_arena_alloc(&req->arena, count * sizeof(*compares));
	if (compares == NULL)
		return mp_sim_fail_nomem(&req->err);
	MP_SIM_TRY(mp_sim_write_level(req, true));
	MP_SIM_TRY(check_scope(req, writes, count));
	MP_SIM_TRY(mp_sim_coord_replicas(req, writes->plan->table, writes->changes.mutations[0].token, &set));
	MP_SIM_TRY(mp_sim_coord_available(req, &set, req->body.params.consistency));
	int rc = mp_sim_coord_pick(req, &set, serial, &from);
	struct mp_sim_wait_spec wait = mp_sim_write_wait(req, serial, MP_WRITE_CAS, &set);
	if (rc == MP_EAGAIN) {
		wait.retry = true;
		return mp_sim_wait_begin(req, &wait);
	}
	MP_SIM_TRY(rc);
	int applies = compare_all(req, writes, count, &from, compares);
	MP_SIM_TRY(applies);
	if (applies > 0) {
		rc = set_all(req, writes, count, &set, from.nodes[0], &wait);
		MP_SIM_TRY(rc);
		if (rc > 0)
			return mp_sim_wait_begin(req, &wait);
	}
	return answer_applied(req, writes, count, is_batch, applies > 0, compares);
}
