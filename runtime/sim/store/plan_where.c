// SPDX-License-Identifier: Apache-2.0
// WHERE taken apart: partition key, clustering prefix and range, token range, and what must be filtered.
#include "sim/cql/parse.h"
#include "sim/store/plan.h"

#include "base/err.h"

#include <string.h>

static int add_filter(struct mp_sim_plan *plan, const struct mp_sim_relation *rel, bool by_key,
                      struct mp_sim_error *err)
{
	struct mp_sim_where *where = &plan->where;
	if (where->filter_count == MP_SIM_FILTER_MAX)
		return mp_sim_fail(err, MP_SE_INVALID, "too many relations in WHERE (%d allowed)", MP_SIM_FILTER_MAX);
	where->filters_by_key = (where->filter_count == 0 || where->filters_by_key) && by_key;
	where->filters[where->filter_count++] = rel;
	return 0;
}

static int token_relation(struct mp_sim_plan *plan, const struct mp_sim_relation *rel,
                          struct mp_sim_error *err)
{
	const struct mp_sim_word *word = rel->token;
	for (uint16_t i = 0; i < plan->table->partition_count; i++, word = word->next) {
		if (word == NULL || !mp_str_eq(word->name, plan->table->columns[i]->name))
			return mp_sim_fail(err, MP_SE_INVALID,
			                   "The token function arguments must be in the partition key order");
	}
	if (word != NULL)
		return mp_sim_fail(err, MP_SE_INVALID, "The token() function contains the wrong number of arguments");
	const struct mp_sim_relation **place =
		rel->op == MP_SIM_EQ                           ? &plan->where.token_equal
		: rel->op == MP_SIM_GT || rel->op == MP_SIM_GE ? &plan->where.token_low
		: rel->op == MP_SIM_LT || rel->op == MP_SIM_LE ? &plan->where.token_high
													   : NULL;
	if (place == NULL || *place != NULL)
		return mp_sim_fail(err, MP_SE_INVALID, "Unsupported relation on token()");
	*place = rel;
	return mp_sim_plan_marker(plan, rel->value, mp_str_of("partition key token"),
	                          mp_sim_scalar_type(MP_TYPE_BIGINT), err);
}

// m['key'] = value
static int entry_marker(struct mp_sim_plan *plan, const struct mp_sim_relation *rel,
                        const struct mp_sim_column *column, struct mp_sim_error *err)
{
	const struct mp_type *type = column->type;
	if (type->id == MP_TYPE_LIST)
		return mp_sim_fail(err, MP_SE_INVALID,
		                   "Indexes on list entries (%.*s[index] = value) are not currently supported.",
		                   MP_SIM_S(column->name));
	if (type->id != MP_TYPE_MAP)
		return mp_sim_fail(err, MP_SE_INVALID, "Column %.*s cannot be used as a map", MP_SIM_S(column->name));
	if (!column->multi)
		return mp_sim_fail(err, MP_SE_INVALID,
		                   "Map-entry equality predicates on frozen map column %.*s are not supported",
		                   MP_SIM_S(column->name));
	if (rel->op != MP_SIM_EQ)
		return mp_sim_fail(err, MP_SE_INVALID, "Only EQ relations are supported on map entries");
	MP_SIM_TRY(mp_sim_plan_marker(plan, rel->element, column->name, type->children[0], err));
	return mp_sim_plan_marker(plan, rel->value, column->name, type->children[1], err);
}

static int relation_marker(struct mp_sim_plan *plan, const struct mp_sim_relation *rel,
                           const struct mp_sim_column *column, struct mp_sim_error *err)
{
	const struct mp_type *type = column->type;
	struct mp_str name = column->name;
	if (rel->element != NULL)
		return entry_marker(plan, rel, column, err);
	if (rel->op == MP_SIM_IN && rel->value->kind == MP_SIM_TERM_TUPLE) {
		for (const struct mp_sim_term *item = rel->value->items; item != NULL; item = item->next)
			MP_SIM_TRY(mp_sim_plan_marker(plan, item, name, type, err));
		return 0;
	}
	if (rel->op == MP_SIM_IN) {
		type = mp_sim_plan_list_of(plan, type, err);
		if (type == NULL)
			return MP_ESERVER;
	}
	if (rel->op == MP_SIM_CONTAINS || rel->op == MP_SIM_CONTAINS_KEY) {
		bool map = type->id == MP_TYPE_MAP;
		if (type->child_count == 0 || (rel->op == MP_SIM_CONTAINS_KEY && !map))
			return mp_sim_fail(err, MP_SE_INVALID, "Cannot use %s on non-collection column %.*s",
			                   mp_sim_op_name(rel->op), MP_SIM_S(name));
		type = type->children[map && rel->op == MP_SIM_CONTAINS ? 1 : 0];
	}
	return mp_sim_plan_marker(plan, rel->value, name, type, err);
}

static const struct mp_sim_relation *find_relation(const struct mp_sim_stmt *stmt, struct mp_str column,
                                                   enum mp_sim_op first, enum mp_sim_op second)
{
	for (const struct mp_sim_relation *rel = stmt->where; rel != NULL; rel = rel->next) {
		if (rel->token == NULL && rel->element == NULL && mp_str_eq(rel->column, column) &&
		    (rel->op == first || rel->op == second))
			return rel;
	}
	return NULL;
}

static void take_keys(struct mp_sim_plan *plan)
{
	struct mp_sim_where *where = &plan->where;
	const struct mp_sim_table *table = plan->table;
	where->full_key = true;
	for (uint16_t i = 0; i < table->partition_count; i++) {
		where->keys[i] = find_relation(plan->stmt, table->columns[i]->name, MP_SIM_EQ, MP_SIM_IN);
		where->full_key = where->full_key && where->keys[i] != NULL;
	}
	for (uint16_t i = 0; i < table->clustering_count; i++) {
		struct mp_str name = table->columns[table->partition_count + i]->name;
		const struct mp_sim_relation *equal = find_relation(plan->stmt, name, MP_SIM_EQ, MP_SIM_EQ);
		if (equal == NULL) {
			where->low = find_relation(plan->stmt, name, MP_SIM_GT, MP_SIM_GE);
			where->high = find_relation(plan->stmt, name, MP_SIM_LT, MP_SIM_LE);
			break;
		}
		where->equal[where->equal_count++] = equal;
	}
}

static bool is_taken(const struct mp_sim_where *where, const struct mp_sim_table *table,
                     const struct mp_sim_relation *rel)
{
	for (uint16_t i = 0; where->full_key && i < table->partition_count; i++) {
		if (where->keys[i] == rel)
			return true;
	}
	for (uint16_t i = 0; where->full_key && i < where->equal_count; i++) {
		if (where->equal[i] == rel)
			return true;
	}
	return where->full_key && (rel == where->low || rel == where->high);
}

static int check_change(const struct mp_sim_plan *plan, struct mp_sim_error *err)
{
	const struct mp_sim_where *where = &plan->where;
	const struct mp_sim_table *table = plan->table;
	bool all = plan->stmt->kind == MP_SIM_UPDATE || plan->stmt->assigns != NULL;
	for (uint16_t i = 0; i < table->partition_count; i++) {
		if (where->keys[i] == NULL)
			return mp_sim_fail(err, MP_SE_INVALID, "Some partition key parts are missing: %.*s",
			                   MP_SIM_S(table->columns[i]->name));
	}
	for (uint16_t i = 0; i < where->filter_count; i++) {
		const struct mp_sim_column *column = mp_sim_table_column(table, where->filters[i]->column);
		if (!mp_sim_is_key(column))
			return mp_sim_fail(err, MP_SE_INVALID, "Non PRIMARY KEY columns found in where clause: %.*s",
			                   MP_SIM_S(column->name));
		return mp_sim_fail(err, MP_SE_INVALID,
		                   "relation %s on %.*s is not supported here by the simulated cluster",
		                   mp_sim_op_name(where->filters[i]->op), MP_SIM_S(column->name));
	}
	if (plan->only_static && where->equal_count > 0)
		return mp_sim_fail(err, MP_SE_INVALID,
		                   "Invalid restrictions on clustering columns since the %s statement modifies only "
		                   "static columns",
		                   plan->stmt->kind == MP_SIM_UPDATE ? "UPDATE" : "DELETE");
	if (all && !plan->only_static && where->equal_count < table->clustering_count)
		return mp_sim_fail(err, MP_SE_INVALID, "Some clustering keys are missing: %.*s",
		                   MP_SIM_S(table->columns[table->partition_count + where->equal_count]->name));
	if (where->token_low != NULL || where->token_high != NULL || where->token_equal != NULL)
		return mp_sim_fail(err, MP_SE_INVALID,
		                   "The token function cannot be used in WHERE clauses for this statement");
	return 0;
}

int mp_sim_plan_where(struct mp_sim_plan *plan, struct mp_sim_error *err)
{
	take_keys(plan);
	for (const struct mp_sim_relation *rel = plan->stmt->where; rel != NULL; rel = rel->next) {
		if (rel->token != NULL) {
			MP_SIM_TRY(token_relation(plan, rel, err));
			continue;
		}
		const struct mp_sim_column *column = mp_sim_plan_column(plan, rel->column, err);
		if (column == NULL)
			return MP_ESERVER;
		MP_SIM_TRY(relation_marker(plan, rel, column, err));
		if (is_taken(&plan->where, plan->table, rel))
			continue;
		for (const struct mp_sim_relation *other = plan->stmt->where; other != NULL; other = other->next) {
			if (other != rel && other->token == NULL && mp_str_eq(other->column, rel->column) &&
			    other->element == NULL && rel->element == NULL &&
			    (other->op == MP_SIM_EQ || rel->op == MP_SIM_EQ))
				return mp_sim_fail(err, MP_SE_INVALID,
				                   "%.*s cannot be restricted by more than one relation if it "
				                   "includes an Equal",
				                   MP_SIM_S(rel->column));
		}
		MP_SIM_TRY(add_filter(plan, rel, column->kind == MP_SIM_CLUSTERING && rel->op == MP_SIM_IN, err));
	}
	return plan->stmt->kind == MP_SIM_SELECT ? 0 : check_change(plan, err);
}
