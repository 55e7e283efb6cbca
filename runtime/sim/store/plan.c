// SPDX-License-Identifier: Apache-2.0
#include "sim/store/plan.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "sim/cql/parse.h"
#include "wire/murmur3.h"

void mp_sim_hash_id(uint8_t id[16], const void *a, size_t a_len, const void *b, size_t b_len)
{
	int64_t halves[2] = {mp_murmur3_token(a, a_len), mp_murmur3_token(b, b_len)};
	halves[0] ^= (int64_t)((uint64_t)halves[1] << 1 | (uint64_t)halves[1] >> 63);
	halves[1] = mp_murmur3_token(halves, sizeof(halves));
	memcpy(id, halves, 16);
}

struct mp_sim_plan *mp_sim_plan_ref(struct mp_sim_plan *plan)
{
	plan->refs++;
	return plan;
}

void mp_sim_plan_unref(struct mp_sim_plan *plan)
{
	if (plan == NULL || --plan->refs > 0)
		return;
	mp_sim_table_unref(plan->table);
	mp_metadata_unref(plan->params);
	mp_metadata_unref(plan->result);
	mp_arena_deinit(&plan->arena);
	mp_free(plan);
}

const struct mp_sim_column *mp_sim_plan_column(const struct mp_sim_plan *plan, struct mp_str name,
                                               struct mp_sim_error *err)
{
	const struct mp_sim_column *column = mp_sim_table_column(plan->table, name);
	if (column == NULL)
		mp_sim_fail(err, MP_SE_INVALID, "Undefined column name %.*s in table %.*s.%.*s", MP_SIM_S(name),
		            MP_SIM_S(plan->table->keyspace), MP_SIM_S(plan->table->name));
	return column;
}

static struct mp_type *copy_type(const struct mp_type *type)
{
	// Metadata only reads its types; the table that owns this one is held by the plan.
	return (struct mp_type *)(uintptr_t)type;
}

const struct mp_type *mp_sim_plan_list_of(struct mp_sim_plan *plan, const struct mp_type *type,
                                          struct mp_sim_error *err)
{
	struct mp_type *list = mp_arena_alloc(&plan->arena, sizeof(*list));
	struct mp_type **children = mp_arena_alloc(&plan->arena, sizeof(struct mp_type *));
	if (list == NULL || children == NULL) {
		mp_sim_fail_nomem(err);
		return NULL;
	}
	list->id = MP_TYPE_LIST;
	list->child_count = 1;
	list->children = children;
	children[0] = copy_type(type);
	return list;
}

static int set_marker(struct mp_sim_plan *plan, const struct mp_sim_term *term, struct mp_str name,
                      const struct mp_type *type, struct mp_sim_error *err)
{
	struct mp_column *column = &plan->params->columns[term->marker];
	column->name = mp_arena_str(&plan->params->arena, term->text.len > 0 ? term->text : name);
	column->keyspace = plan->table != NULL ? plan->table->keyspace : plan->keyspace;
	column->table = plan->table != NULL ? plan->table->name : (struct mp_str){"", 0};
	column->type = copy_type(type);
	return column->name.data == NULL ? mp_sim_fail_nomem(err) : 0;
}

static int inner_marker(struct mp_sim_plan *plan, const struct mp_sim_term *term, const char *what,
                        struct mp_str column, const struct mp_type *type, struct mp_sim_error *err)
{
	char text[MP_SIM_NAME_MAX + 16];
	snprintf(text, sizeof(text), "%s(%.*s)", what, MP_SIM_S(column));
	struct mp_str name = mp_arena_str(&plan->arena, mp_str_of(text));
	return name.data == NULL ? mp_sim_fail_nomem(err) : mp_sim_plan_marker(plan, term, name, type, err);
}

// In a literal of a user's type or a tuple; what does not fit is told when it is evaluated.
static int part_markers(struct mp_sim_plan *plan, const struct mp_sim_term *term, struct mp_str column,
                        const struct mp_type *type, struct mp_sim_error *err)
{
	uint16_t i = 0;
	for (const struct mp_sim_term *at = term->items; at != NULL; at = at->next, i++) {
		uint16_t part = i;
		char text[2 * MP_SIM_NAME_MAX + 8];
		if (at->kind == MP_SIM_TERM_FIELD && type->fields == NULL)
			return 0;
		if (at->kind == MP_SIM_TERM_FIELD) {
			for (part = 0; part < type->child_count && !mp_str_eq(type->fields[part], at->text);)
				part++;
			snprintf(text, sizeof(text), "%.*s.%.*s", MP_SIM_S(column), MP_SIM_S(at->text));
			at = at->next;
		} else {
			snprintf(text, sizeof(text), "%.*s[%u]", MP_SIM_S(column), i);
		}
		if (part >= type->child_count)
			return 0;
		struct mp_str name = mp_arena_str(&plan->arena, mp_str_of(text));
		if (name.data == NULL)
			return mp_sim_fail_nomem(err);
		MP_SIM_TRY(mp_sim_plan_marker(plan, at, name, type->children[part], err));
	}
	return 0;
}

int mp_sim_plan_marker(struct mp_sim_plan *plan, const struct mp_sim_term *term, struct mp_str name,
                       const struct mp_type *type, struct mp_sim_error *err)
{
	if (term == NULL || plan->stmt->marker_count == 0)
		return 0;
	if (term->kind == MP_SIM_TERM_MARKER)
		return set_marker(plan, term, name, type, err);
	if (term->kind == MP_SIM_TERM_CALL) {
		for (const struct mp_sim_term *at = term->items; at != NULL; at = at->next)
			MP_SIM_TRY(mp_sim_plan_marker(plan, at, term->text,
			                              mp_sim_scalar_type(mp_sim_argument_type(term->text)), err));
		return 0;
	}
	if (type->id == MP_TYPE_UDT || type->id == MP_TYPE_TUPLE)
		return part_markers(plan, term, name, type, err);
	bool map = term->kind == MP_SIM_TERM_MAP && type->child_count == 2, key = true;
	for (const struct mp_sim_term *at = term->items; at != NULL; at = at->next, key = !key) {
		if (type->child_count == 0)
			return mp_sim_fail(err, MP_SE_INVALID, "Invalid collection literal for %.*s of type %s",
			                   MP_SIM_S(name), mp_type_id_name(type->id));
		const struct mp_type *inner = type->children[map && !key ? 1 : 0];
		MP_SIM_TRY(inner_marker(plan, at, map && key ? "key" : "value", name, inner, err));
	}
	return 0;
}

// ---- INSERT, UPDATE, DELETE -------------------------------------------------------------------------------

static int plan_element(struct mp_sim_plan *plan, const struct mp_sim_assign *assign,
                        const struct mp_sim_column *column, struct mp_sim_error *err)
{
	bool list = column->type->id == MP_TYPE_LIST;
	bool deletes_set = column->type->id == MP_TYPE_SET && plan->stmt->kind == MP_SIM_DELETE;
	if (!column->multi || column->type->id == MP_TYPE_UDT ||
	    (column->type->id == MP_TYPE_SET && !deletes_set))
		return mp_sim_fail(err, MP_SE_INVALID, "Invalid operation (%.*s[...]) for %scolumn %.*s",
		                   MP_SIM_S(column->name), column->multi ? "" : "non collection ",
		                   MP_SIM_S(column->name));
	const struct mp_type *key = list ? mp_sim_scalar_type(MP_TYPE_INT) : column->type->children[0];
	MP_SIM_TRY(inner_marker(plan, assign->element, list ? "idx" : "key", column->name, key, err));
	const struct mp_type *value = column->type->children[column->type->id == MP_TYPE_MAP ? 1 : 0];
	return inner_marker(plan, assign->value, "value", column->name, value, err);
}

static int plan_field(struct mp_sim_plan *plan, const struct mp_sim_assign *assign,
                      const struct mp_sim_column *column, struct mp_sim_error *err)
{
	const struct mp_type *type = column->type;
	if (type->id != MP_TYPE_UDT || !column->multi)
		return mp_sim_fail(err, MP_SE_INVALID, "Invalid operation (%.*s.%.*s = ...) for %s column %.*s",
		                   MP_SIM_S(column->name), MP_SIM_S(assign->field),
		                   type->id == MP_TYPE_UDT ? "frozen UDT" : "non-UDT", MP_SIM_S(column->name));
	for (uint16_t i = 0; i < type->child_count; i++) {
		if (mp_str_eq(type->fields[i], assign->field))
			return mp_sim_plan_marker(plan, assign->value, assign->field, type->children[i], err);
	}
	return mp_sim_fail(err, MP_SE_INVALID, "UDT column %.*s does not have a field named %.*s",
	                   MP_SIM_S(column->name), MP_SIM_S(assign->field));
}

static int plan_assign(struct mp_sim_plan *plan, const struct mp_sim_assign *assign,
                       const struct mp_sim_column *column, struct mp_sim_error *err)
{
	bool update = plan->stmt->kind == MP_SIM_UPDATE;
	if (mp_sim_is_key(column) && plan->stmt->kind != MP_SIM_INSERT)
		return mp_sim_fail(err, MP_SE_INVALID,
		                   update ? "PRIMARY KEY part %.*s found in SET part"
		                          : "Invalid identifier %.*s for deletion (should not be a PRIMARY KEY part)",
		                   MP_SIM_S(column->name));
	if (assign->kind == MP_SIM_ASSIGN_ELEMENT)
		return plan_element(plan, assign, column, err);
	if (assign->kind == MP_SIM_ASSIGN_FIELD)
		return plan_field(plan, assign, column, err);
	bool arithmetic = assign->kind != MP_SIM_ASSIGN_SET;
	if (arithmetic && (!column->multi || column->type->id == MP_TYPE_UDT) && !column->counter)
		return mp_sim_fail(err, MP_SE_INVALID,
		                   "Invalid operation (%.*s = %.*s %c ...) for non counter column %.*s",
		                   MP_SIM_S(column->name), MP_SIM_S(column->name),
		                   assign->kind == MP_SIM_ASSIGN_SUB ? '-' : '+', MP_SIM_S(column->name));
	if (column->counter && !arithmetic && update)
		return mp_sim_fail(err, MP_SE_INVALID,
		                   "Cannot set the value of counter column %.*s (counters can only be "
		                   "incremented/decremented, not set)",
		                   MP_SIM_S(column->name));
	if (column->counter && assign->kind == MP_SIM_ASSIGN_PREPEND)
		return mp_sim_fail(err, MP_SE_INVALID, "Invalid operation for counter column %.*s",
		                   MP_SIM_S(column->name));
	if (assign->kind == MP_SIM_ASSIGN_PREPEND && column->type->id != MP_TYPE_LIST)
		return mp_sim_fail(err, MP_SE_INVALID,
		                   "Invalid operation (%.*s = ... + %.*s) for non list column %.*s",
		                   MP_SIM_S(column->name), MP_SIM_S(column->name), MP_SIM_S(column->name));
	const struct mp_type *type = column->type;
	if (assign->kind == MP_SIM_ASSIGN_SUB && type->id == MP_TYPE_MAP) {
		// m - {keys}: the operand is a set of keys.
		const struct mp_type *keys = mp_sim_plan_list_of(plan, type->children[0], err);
		if (keys == NULL)
			return MP_ESERVER;
		((struct mp_type *)(uintptr_t)keys)->id = MP_TYPE_SET;
		type = keys;
	}
	return mp_sim_plan_marker(plan, assign->value, column->name, type, err);
}

static int plan_assigns(struct mp_sim_plan *plan, struct mp_sim_error *err)
{
	size_t count = 0;
	for (const struct mp_sim_assign *a = plan->stmt->assigns; a != NULL; a = a->next)
		count++;
	plan->assigned = mp_arena_alloc(&plan->arena, (count + 1) * sizeof(struct mp_sim_column *));
	if (plan->assigned == NULL)
		return mp_sim_fail_nomem(err);
	count = 0;
	for (const struct mp_sim_assign *a = plan->stmt->assigns; a != NULL; a = a->next, count++) {
		const struct mp_sim_column *column = mp_sim_plan_column(plan, a->column, err);
		if (column == NULL)
			return MP_ESERVER;
		for (size_t i = 0; plan->stmt->kind == MP_SIM_INSERT && i < count; i++) {
			if (plan->assigned[i] == column)
				return mp_sim_fail(err, MP_SE_INVALID, "Multiple definitions found for column %.*s",
				                   MP_SIM_S(a->column));
		}
		plan->assigned[count] = column;
		MP_SIM_TRY(plan_assign(plan, a, column, err));
	}
	for (size_t i = 0; i < count; i++) {
		enum mp_sim_column_kind kind = plan->assigned[i]->kind;
		if (kind == MP_SIM_REGULAR || kind == MP_SIM_CLUSTERING) {
			plan->only_static = false;
			break;
		}
		plan->only_static = plan->only_static || kind == MP_SIM_STATIC;
	}
	return 0;
}

static int plan_conditions(struct mp_sim_plan *plan, struct mp_sim_error *err)
{
	struct mp_sim_stmt *stmt = plan->stmt;
	plan->conditional = stmt->if_exists || stmt->if_not_exists || stmt->conditions != NULL;
	if (plan->conditional && plan->table->counters)
		return mp_sim_fail(err, MP_SE_INVALID, "Conditional updates are not supported on counter tables");
	if (plan->conditional && stmt->timestamp != NULL)
		return mp_sim_fail(err, MP_SE_INVALID, "Cannot provide custom timestamp for conditional updates");
	for (const struct mp_sim_relation *c = stmt->conditions; c != NULL; c = c->next) {
		const struct mp_sim_column *column = mp_sim_plan_column(plan, c->column, err);
		if (column == NULL)
			return MP_ESERVER;
		if (mp_sim_is_key(column))
			return mp_sim_fail(err, MP_SE_INVALID, "PRIMARY KEY column '%.*s' cannot have IF conditions",
			                   MP_SIM_S(column->name));
		if (c->op == MP_SIM_CONTAINS || c->op == MP_SIM_CONTAINS_KEY || c->element != NULL)
			return mp_sim_fail(err, MP_SE_INVALID,
			                   "IF on elements of %.*s is not supported by the simulated cluster",
			                   MP_SIM_S(column->name));
		const struct mp_type *type = column->type;
		if (c->op == MP_SIM_IN) {
			type = mp_sim_plan_list_of(plan, type, err);
			if (type == NULL)
				return MP_ESERVER;
		}
		MP_SIM_TRY(mp_sim_plan_marker(plan, c->value, column->name, type, err));
	}
	return 0;
}

static int plan_change(struct mp_sim_plan *plan, struct mp_sim_error *err)
{
	const struct mp_sim_stmt *stmt = plan->stmt;
	if (plan->table->source != NULL || mp_sim_is_system(plan->table->keyspace))
		return mp_sim_fail(err, MP_SE_UNAUTHORIZED, "%.*s is not user-modifiable.",
		                   MP_SIM_S(plan->table->keyspace));
	if (plan->table->counters && stmt->kind == MP_SIM_INSERT)
		return mp_sim_fail(err, MP_SE_INVALID,
		                   "INSERT statements are not allowed on counter tables, use UPDATE instead");
	if (plan->table->counters && (stmt->ttl != NULL || stmt->timestamp != NULL))
		return mp_sim_fail(err, MP_SE_INVALID, "Cannot provide custom TTL or timestamp for counter updates");
	MP_SIM_TRY(plan_assigns(plan, err));
	if (stmt->kind != MP_SIM_INSERT)
		MP_SIM_TRY(mp_sim_plan_where(plan, err));
	MP_SIM_TRY(plan_conditions(plan, err));
	MP_SIM_TRY(mp_sim_plan_marker(plan, stmt->ttl, mp_str_of("[ttl]"), mp_sim_scalar_type(MP_TYPE_INT), err));
	return mp_sim_plan_marker(plan, stmt->timestamp, mp_str_of("[timestamp]"),
	                          mp_sim_scalar_type(MP_TYPE_BIGINT), err);
}

// ---- all --------------------------------------------------------------------------------------------------

static int find_table(struct mp_sim_plan *plan, const struct mp_sim_schema *schema, struct mp_sim_error *err)
{
	if (plan->keyspace.len == 0)
		return mp_sim_fail(err, MP_SE_INVALID,
		                   "No keyspace has been specified. USE a keyspace, or explicitly specify "
		                   "keyspace.tablename");
	struct mp_sim_table *table = mp_sim_schema_table(schema, plan->keyspace, plan->stmt->table);
	if (table != NULL) {
		plan->table = mp_sim_table_ref(table);
		return 0;
	}
	if (mp_sim_schema_keyspace(schema, plan->keyspace) == NULL)
		return mp_sim_fail(err, MP_SE_INVALID, "keyspace %.*s does not exist", MP_SIM_S(plan->keyspace));
	return mp_sim_fail(err, MP_SE_INVALID, "table %.*s does not exist", MP_SIM_S(plan->stmt->table));
}

// Which markers are the partition key, if each of its components is one.
static int plan_routing(struct mp_sim_plan *plan, struct mp_sim_error *err)
{
	uint16_t indexes[MP_SIM_KEY_MAX], count = plan->table->partition_count;
	for (uint16_t i = 0; i < count; i++) {
		const struct mp_sim_term *term = NULL;
		const struct mp_sim_relation *rel = plan->where.keys[i];
		if (plan->stmt->kind != MP_SIM_INSERT) {
			term = rel != NULL && rel->op == MP_SIM_EQ ? rel->value : NULL;
		} else {
			size_t at = 0;
			for (const struct mp_sim_assign *a = plan->stmt->assigns; a != NULL; a = a->next, at++) {
				if (plan->assigned[at] == plan->table->columns[i])
					term = a->value;
			}
		}
		if (term == NULL || term->kind != MP_SIM_TERM_MARKER)
			return 0;
		indexes[i] = (uint16_t)term->marker;
	}
	plan->params->pk_indexes = mp_arena_alloc(&plan->params->arena, count * sizeof(uint16_t));
	if (plan->params->pk_indexes == NULL)
		return mp_sim_fail_nomem(err);
	memcpy(plan->params->pk_indexes, indexes, count * sizeof(uint16_t));
	plan->params->pk_count = count;
	return 0;
}

static int bind_statement(struct mp_sim_plan *plan, const struct mp_sim_schema *schema,
                          struct mp_sim_error *err)
{
	struct mp_sim_stmt *stmt = plan->stmt;
	if (stmt->keyspace.len > 0)
		plan->keyspace = stmt->keyspace;
	bool table = stmt->kind == MP_SIM_SELECT || stmt->kind == MP_SIM_INSERT || stmt->kind == MP_SIM_UPDATE ||
	             stmt->kind == MP_SIM_DELETE || stmt->kind == MP_SIM_TRUNCATE;
	if (!table)
		return stmt->marker_count == 0
		           ? 0
		           : mp_sim_fail(err, MP_SE_INVALID, "Bind variables cannot be used in this statement");
	MP_SIM_TRY(find_table(plan, schema, err));
	if (stmt->kind == MP_SIM_TRUNCATE)
		return 0;
	if (plan->table->partition_count > MP_SIM_KEY_MAX || plan->table->clustering_count > MP_SIM_KEY_MAX)
		return mp_sim_fail(err, MP_SE_INVALID,
		                   "keys of more than %d columns are not supported by the simulated cluster",
		                   MP_SIM_KEY_MAX);
	MP_SIM_TRY(stmt->kind == MP_SIM_SELECT ? mp_sim_plan_select(plan, err) : plan_change(plan, err));
	return stmt->marker_count > 0 ? plan_routing(plan, err) : 0;
}

static int fill_plan(struct mp_sim_plan *plan, const struct mp_sim_schema *schema, struct mp_str cql,
                     struct mp_str keyspace, struct mp_sim_error *err)
{
	plan->cql = mp_arena_str(&plan->arena, cql);
	plan->keyspace = mp_arena_str(&plan->arena, keyspace);
	if (plan->cql.data == NULL || plan->keyspace.data == NULL)
		return mp_sim_fail_nomem(err);
	mp_sim_hash_id(plan->id, cql.data, cql.len, keyspace.data, keyspace.len);
	plan->stmt = mp_sim_parse(plan->cql, &plan->arena, err);
	if (plan->stmt == NULL)
		return MP_ESERVER;
	plan->params = mp_metadata_new(plan->stmt->marker_count);
	if (plan->params == NULL)
		return mp_sim_fail_nomem(err);
	for (uint32_t i = 0; i < plan->stmt->marker_count; i++)
		plan->params->columns[i].type = copy_type(mp_sim_scalar_type(MP_TYPE_BLOB));
	MP_SIM_TRY(bind_statement(plan, schema, err));
	if (plan->result == NULL)
		plan->result = mp_metadata_new(0);
	return plan->result == NULL ? mp_sim_fail_nomem(err) : 0;
}

struct mp_sim_plan *mp_sim_plan_new(const struct mp_sim_schema *schema, struct mp_str cql,
                                    struct mp_str keyspace, struct mp_sim_error *err)
{
	struct mp_sim_plan *plan = mp_calloc(1, sizeof(*plan));
	if (plan == NULL) {
		mp_sim_fail_nomem(err);
		return NULL;
	}
	plan->refs = 1;
	mp_arena_init(&plan->arena);
	if (fill_plan(plan, schema, cql, keyspace, err) == 0)
		return plan;
	mp_sim_plan_unref(plan);
	return NULL;
}
