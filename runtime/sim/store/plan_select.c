// SPDX-License-Identifier: Apache-2.0
// What a SELECT gives: its columns, their names and types, its order.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "sim/cql/parse.h"
#include "sim/store/plan.h"

static int select_all(struct mp_sim_plan *plan, struct mp_sim_error *err)
{
	const struct mp_sim_table *table = plan->table;
	const struct mp_sim_column **columns =
		mp_arena_alloc(&plan->arena, table->column_count * sizeof(*columns));
	plan->selected = mp_arena_alloc(&plan->arena, table->column_count * sizeof(*plan->selected));
	if (columns == NULL || plan->selected == NULL)
		return mp_sim_fail_nomem(err);
	mp_sim_table_order(table, columns);
	for (uint16_t i = 0; i < table->column_count; i++)
		plan->selected[i] = (struct mp_sim_selected){.kind = MP_SIM_SELECT_COLUMN,
		                                             .column = columns[i],
		                                             .type = columns[i]->type,
		                                             .name = columns[i]->name};
	plan->selected_count = table->column_count;
	return 0;
}

static int name_of_call(struct mp_sim_plan *plan, const struct mp_sim_selector *sel, struct mp_str *name)
{
	// Cassandra names functions with their keyspace and without blanks: "system.now()".
	bool native = sel->kind == MP_SIM_SELECT_TOKEN || sel->kind == MP_SIM_SELECT_TERM ||
	              sel->kind == MP_SIM_SELECT_AGGREGATE || sel->kind == MP_SIM_SELECT_CALL;
	char *text = mp_arena_alloc(&plan->arena, sel->raw.len + 16);
	if (text == NULL)
		return MP_ENOMEM;
	size_t len = 0;
	if (native) {
		memcpy(text, "system.", 7);
		len = 7;
	}
	for (size_t i = 0; i < sel->raw.len; i++) {
		char c = sel->raw.data[i];
		if (c == ' ' || c == '\n' || c == '\t')
			continue;
		text[len++] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
		if (c == ',')
			text[len++] = ' ';
	}
	*name = (struct mp_str){text, len};
	return 0;
}

static int select_field(struct mp_sim_plan *plan, const struct mp_sim_selector *sel,
                        struct mp_sim_selected *out, struct mp_sim_error *err)
{
	uint16_t depth = 0;
	for (const struct mp_sim_word *word = sel->fields; word != NULL; word = word->next)
		depth++;
	uint16_t *path = mp_arena_alloc(&plan->arena, depth * sizeof(*path));
	if (path == NULL)
		return mp_sim_fail_nomem(err);
	out->path = path;
	out->type = out->column->type;
	for (const struct mp_sim_word *word = sel->fields; word != NULL; word = word->next) {
		if (out->type->id != MP_TYPE_UDT)
			return mp_sim_fail(err, MP_SE_INVALID,
			                   "Invalid field selection: %.*s of type %s is not a user type",
			                   MP_SIM_S(out->column->name), mp_type_id_name(out->type->id));
		uint16_t i = 0;
		while (i < out->type->child_count && !mp_str_eq(out->type->fields[i], word->name))
			i++;
		if (i == out->type->child_count)
			return mp_sim_fail(err, MP_SE_INVALID, "%.*s of type %.*s has no field %.*s",
			                   MP_SIM_S(out->column->name), MP_SIM_S(out->type->name), MP_SIM_S(word->name));
		path[out->depth++] = i;
		out->type = out->type->children[i];
	}
	return 0;
}

static bool is_number(uint16_t type)
{
	return type == MP_TYPE_TINYINT || type == MP_TYPE_SMALLINT || type == MP_TYPE_INT ||
	       type == MP_TYPE_BIGINT || type == MP_TYPE_COUNTER || type == MP_TYPE_FLOAT ||
	       type == MP_TYPE_DOUBLE || type == MP_TYPE_DECIMAL || type == MP_TYPE_VARINT;
}

static int select_aggregate(struct mp_sim_plan *plan, const struct mp_sim_selector *sel,
                            struct mp_sim_selected *out, struct mp_sim_error *err)
{
	const struct mp_type *type = out->column->type;
	bool sums = sel->aggregate == MP_SIM_SUM || sel->aggregate == MP_SIM_AVG;
	if (sums && !is_number(type->id))
		return mp_sim_fail(err, MP_SE_INVALID,
		                   "Invalid call to function %s, none of its type signatures match",
		                   sel->aggregate == MP_SIM_SUM ? "sum" : "avg");
	plan->aggregates = true;
	out->aggregate = sel->aggregate;
	out->type = sel->aggregate == MP_SIM_COUNT_OF ? mp_sim_scalar_type(MP_TYPE_BIGINT) : type;
	return 0;
}

static int select_one(struct mp_sim_plan *plan, const struct mp_sim_selector *sel,
                      struct mp_sim_selected *out, struct mp_sim_error *err)
{
	out->kind = sel->kind;
	out->term = sel->term;
	if (sel->column.len > 0) {
		out->column = mp_sim_plan_column(plan, sel->column, err);
		if (out->column == NULL)
			return MP_ESERVER;
	}
	switch (sel->kind) {
	case MP_SIM_SELECT_COLUMN: out->type = out->column->type; break;
	case MP_SIM_SELECT_FIELD: MP_SIM_TRY(select_field(plan, sel, out, err)); break;
	case MP_SIM_SELECT_COUNT:
		plan->aggregates = true;
		out->type = mp_sim_scalar_type(MP_TYPE_BIGINT);
		break;
	case MP_SIM_SELECT_AGGREGATE: MP_SIM_TRY(select_aggregate(plan, sel, out, err)); break;
	case MP_SIM_SELECT_TOKEN: out->type = mp_sim_scalar_type(MP_TYPE_BIGINT); break;
	case MP_SIM_SELECT_WRITETIME:
	case MP_SIM_SELECT_TTL:
		if (mp_sim_is_key(out->column) || out->column->multi)
			return mp_sim_fail(err, MP_SE_INVALID, "Cannot use selection function %s on %s %.*s",
			                   sel->kind == MP_SIM_SELECT_TTL ? "ttl" : "writetime",
			                   out->column->multi ? "non-frozen collection" : "PRIMARY KEY part",
			                   MP_SIM_S(sel->column));
		out->type = mp_sim_scalar_type(sel->kind == MP_SIM_SELECT_TTL ? MP_TYPE_INT : MP_TYPE_BIGINT);
		break;
	case MP_SIM_SELECT_TERM:
		out->type = mp_sim_scalar_type(mp_sim_function_type(sel->term->text));
		if (out->type == NULL)
			return mp_sim_fail(err, MP_SE_INVALID, "Unknown function '%.*s'", MP_SIM_S(sel->term->text));
		break;
	case MP_SIM_SELECT_CALL:
		out->type = mp_sim_scalar_type(mp_sim_function_type(sel->term->text));
		if (!mp_sim_function_takes(sel->term->text, out->column->type->id))
			return mp_sim_fail(err, MP_SE_INVALID,
			                   "Invalid call to function %.*s, none of its type signatures match",
			                   MP_SIM_S(sel->term->text));
		break;
	}
	if (sel->alias.len > 0)
		out->name = sel->alias;
	else if (sel->kind == MP_SIM_SELECT_COLUMN)
		out->name = out->column->name;
	else if (sel->kind == MP_SIM_SELECT_COUNT)
		out->name = mp_str_of("count");
	else if (name_of_call(plan, sel, &out->name) < 0)
		return mp_sim_fail_nomem(err);
	return 0;
}

static int select_list(struct mp_sim_plan *plan, struct mp_sim_error *err)
{
	uint32_t count = 0;
	for (const struct mp_sim_selector *sel = plan->stmt->selectors; sel != NULL; sel = sel->next)
		count++;
	plan->selected = mp_arena_alloc(&plan->arena, count * sizeof(*plan->selected));
	if (plan->selected == NULL)
		return mp_sim_fail_nomem(err);
	for (const struct mp_sim_selector *sel = plan->stmt->selectors; sel != NULL; sel = sel->next)
		MP_SIM_TRY(select_one(plan, sel, &plan->selected[plan->selected_count++], err));
	return 0;
}

static int describe_result(struct mp_sim_plan *plan, struct mp_sim_error *err)
{
	plan->result = mp_metadata_new(plan->selected_count);
	if (plan->result == NULL)
		return mp_sim_fail_nomem(err);
	struct mp_buf text;
	mp_buf_init(&text);
	for (uint32_t i = 0; i < plan->selected_count; i++) {
		struct mp_column *column = &plan->result->columns[i];
		column->keyspace = plan->table->keyspace;
		column->table = plan->table->name;
		column->name = plan->selected[i].name;
		column->type = (struct mp_type *)(uintptr_t)plan->selected[i].type;
		mp_buf_bytes(&text, column->name.data, column->name.len);
		mp_buf_u8(&text, 0);
		mp_type_format_class(&text, column->type); // with the fields of users' types
		mp_buf_u8(&text, 0);
	}
	int rc = text.failed ? mp_sim_fail_nomem(err) : 0;
	if (rc == 0)
		mp_sim_hash_id(plan->result_id, text.data, text.len, plan->table->id.bytes, 16);
	mp_buf_deinit(&text);
	return rc;
}

static int check_order(struct mp_sim_plan *plan, struct mp_sim_error *err)
{
	if (plan->stmt->order == NULL)
		return 0;
	if (!plan->where.full_key)
		return mp_sim_fail(err, MP_SE_INVALID,
		                   "ORDER BY is only supported when the partition key is restricted by an EQ or "
		                   "an IN.");
	bool first = true;
	uint16_t position = 0;
	for (const struct mp_sim_order *order = plan->stmt->order; order != NULL; order = order->next) {
		const struct mp_sim_column *column = mp_sim_plan_column(plan, order->column, err);
		if (column == NULL)
			return MP_ESERVER;
		if (column->kind != MP_SIM_CLUSTERING)
			return mp_sim_fail(err, MP_SE_INVALID,
			                   "Order by is currently only supported on the clustered columns of the "
			                   "PRIMARY KEY, got %.*s",
			                   MP_SIM_S(column->name));
		while (position < column->position && position < plan->where.equal_count)
			position++;
		bool reversed = order->descending != column->descending;
		if (column->position != position++ || (!first && reversed != plan->reversed))
			return mp_sim_fail(err, MP_SE_INVALID, "Unsupported order by relation");
		plan->reversed = reversed;
		first = false;
	}
	return 0;
}

static bool asks_for(const struct mp_sim_plan *plan, const struct mp_sim_column *column)
{
	for (uint32_t i = 0; i < plan->selected_count; i++) {
		if (plan->selected[i].kind == MP_SIM_SELECT_COLUMN && plan->selected[i].column == column)
			return true;
	}
	return false;
}

static int check_distinct(const struct mp_sim_plan *plan, struct mp_sim_error *err)
{
	const struct mp_sim_stmt *stmt = plan->stmt;
	if (stmt->partition_limit != NULL && (stmt->distinct || (plan->aggregates && !plan->groups)))
		return mp_sim_fail(err, MP_SE_INVALID, "PER PARTITION LIMIT is not allowed with %s",
		                   stmt->distinct ? "SELECT DISTINCT queries" : "aggregate queries.");
	for (uint32_t i = 0; stmt->distinct && i < plan->selected_count; i++) {
		const struct mp_sim_column *column = plan->selected[i].column;
		if (column != NULL && column->kind != MP_SIM_PARTITION_KEY && column->kind != MP_SIM_STATIC)
			return mp_sim_fail(
				err, MP_SE_INVALID,
				"SELECT DISTINCT queries must only request partition key columns and/or static columns (not "
				"%.*s)",
				MP_SIM_S(column->name));
	}
	for (uint16_t i = 0; stmt->distinct && i < plan->table->partition_count; i++) {
		if (!asks_for(plan, plan->table->columns[i]))
			return mp_sim_fail(err, MP_SE_INVALID,
			                   "SELECT DISTINCT queries must request all the partition key columns (missing "
			                   "%.*s)",
			                   MP_SIM_S(plan->table->columns[i]->name));
	}
	return 0;
}

static bool is_equal(const struct mp_sim_stmt *stmt, const struct mp_sim_column *column)
{
	for (const struct mp_sim_relation *rel = stmt->where; rel != NULL; rel = rel->next) {
		if (rel->token == NULL && rel->op == MP_SIM_EQ && mp_str_eq(rel->column, column->name))
			return true;
	}
	return false;
}

// Columns of the primary key in its order; what is left out is one value anyhow.
static int check_groups(struct mp_sim_plan *plan, struct mp_sim_error *err)
{
	const struct mp_sim_stmt *stmt = plan->stmt;
	const struct mp_sim_table *table = plan->table;
	uint16_t at = 0, keys = (uint16_t)(table->partition_count + table->clustering_count);
	plan->groups = stmt->groups != NULL;
	for (const struct mp_sim_word *word = stmt->groups; word != NULL; word = word->next, at++) {
		const struct mp_sim_column *column = mp_sim_plan_column(plan, word->name, err);
		if (column == NULL)
			return MP_ESERVER;
		if (!mp_sim_is_key(column))
			return mp_sim_fail(err, MP_SE_INVALID,
			                   "Group by is currently only supported on the columns of the PRIMARY KEY, got "
			                   "%.*s",
			                   MP_SIM_S(word->name));
		while (at < keys && table->columns[at] != column && is_equal(stmt, table->columns[at]))
			at++;
		if (at == keys || table->columns[at] != column)
			return mp_sim_fail(err, MP_SE_INVALID,
			                   "Group by currently only support groups of columns following their declared "
			                   "order in the PRIMARY KEY");
	}
	if (plan->groups && at < table->partition_count)
		return mp_sim_fail(err, MP_SE_INVALID,
		                   "Group by is not supported on only a part of the partition key");
	if (at > table->partition_count && stmt->distinct)
		return mp_sim_fail(err, MP_SE_INVALID,
		                   "Grouping on clustering columns is not allowed for SELECT DISTINCT queries");
	plan->group_columns = at;
	return 0;
}

// By an index, and one that is taken beside others.
static bool is_served(const struct mp_sim_plan *plan, const struct mp_sim_relation *rel, bool *beside)
{
	bool served = false;
	for (const struct mp_sim_index *index = plan->table->indexes; index != NULL; index = index->next) {
		if (!mp_sim_index_serves(index, rel))
			continue;
		served = true;
		*beside = *beside || index->ranges;
	}
	return served;
}

static int check_filters(const struct mp_sim_plan *plan, struct mp_sim_error *err)
{
	const struct mp_sim_where *where = &plan->where;
	uint16_t served = 0, beside = 0;
	for (uint16_t i = 0; i < where->filter_count; i++) {
		bool with_others = false;
		served += is_served(plan, where->filters[i], &with_others);
		beside += with_others;
	}
	if (served > 0 && plan->stmt->order != NULL)
		return mp_sim_fail(err, MP_SE_INVALID,
		                   "ORDER BY with 2ndary indexes is not supported, except for ANN queries.");
	for (uint16_t i = 0; served > 0 && where->full_key && i < plan->table->partition_count; i++) {
		if (where->keys[i]->op == MP_SIM_IN)
			return mp_sim_fail(err, MP_SE_INVALID,
			                   "Select on indexed columns and with IN clause for the PRIMARY KEY are not "
			                   "supported");
	}
	uint16_t count = where->filter_count;
	bool by_index = served == count && (count == 1 || beside == count);
	if (count == 0 || by_index || where->filters_by_key || plan->stmt->allow_filtering ||
	    plan->table->source != NULL)
		return 0;
	return mp_sim_fail(
		err, MP_SE_INVALID,
		"Cannot execute this query as it might involve data filtering and thus may have unpredictable "
		"performance. If you want to execute this query despite the performance unpredictability, use "
		"ALLOW FILTERING");
}

int mp_sim_plan_select(struct mp_sim_plan *plan, struct mp_sim_error *err)
{
	const struct mp_sim_stmt *stmt = plan->stmt;
	MP_SIM_TRY(stmt->select_all ? select_all(plan, err) : select_list(plan, err));
	MP_SIM_TRY(mp_sim_plan_where(plan, err));
	MP_SIM_TRY(check_groups(plan, err));
	MP_SIM_TRY(check_filters(plan, err));
	MP_SIM_TRY(check_order(plan, err));
	MP_SIM_TRY(check_distinct(plan, err));
	const struct mp_type *integer = mp_sim_scalar_type(MP_TYPE_INT);
	MP_SIM_TRY(
		mp_sim_plan_marker(plan, stmt->partition_limit, mp_str_of("[per_partition_limit]"), integer, err));
	MP_SIM_TRY(mp_sim_plan_marker(plan, stmt->limit, mp_str_of("[limit]"), integer, err));
	return describe_result(plan, err);
}
