// SPDX-License-Identifier: Apache-2.0
#include "sim/store/change.h"

#include <string.h>

#include "base/err.h"
#include "sim/cql/compare.h"
#include "sim/cql/parse.h"
#include "sim/store/counter.h"
#include "wire/murmur3.h"
#include "wire/value.h"

struct row_build {
	struct mp_sim_change_env *change;
	const struct mp_sim_mutation *mutation;
	struct mp_sim_row_change *row;
	struct mp_sim_edit **tail;
	int64_t ts;
	int64_t expires;
	int32_t ttl;
};

static struct mp_sim_edit *add_edit(struct row_build *build, const struct mp_sim_column *column, int kind,
                                    int64_t ts)
{
	struct mp_sim_edit *edit = mp_arena_alloc(build->change->env->arena, sizeof(*edit));
	if (edit == NULL) {
		mp_sim_fail_nomem(build->change->env->err);
		return NULL;
	}
	edit->slot = MP_SIM_SLOT(build->change->plan->table, column);
	edit->kind = kind;
	edit->ts = ts;
	edit->expires = build->expires;
	edit->ttl = build->ttl;
	*build->tail = edit;
	build->tail = &edit->next;
	return edit;
}

static int set_cell(struct row_build *build, const struct mp_sim_column *column, struct mp_bytes value)
{
	struct mp_sim_edit *edit = add_edit(build, column, MP_SIM_OP_CELL, build->ts);
	if (edit == NULL)
		return MP_ESERVER;
	edit->value = value;
	if (value.len < 0)
		edit->expires = 0;
	return 0;
}

static int set_element(struct row_build *build, const struct mp_sim_column *column, struct mp_bytes path,
                       struct mp_bytes value)
{
	struct mp_sim_edit *edit = add_edit(build, column, MP_SIM_OP_ELEMENT, build->ts);
	if (edit == NULL)
		return MP_ESERVER;
	edit->path = path;
	edit->value = value;
	if (value.len < 0)
		edit->expires = 0;
	return 0;
}

// A place in a list: behind all that have been appended, or before all that have been prepended.
static int list_path(struct row_build *build, bool prepend, struct mp_bytes *path)
{
	uint8_t *bytes = mp_arena_alloc(build->change->env->arena, 16);
	if (bytes == NULL)
		return mp_sim_fail_nomem(build->change->env->err);
	uint64_t middle = UINT64_C(1) << 63, step = ++*build->change->list_clock;
	uint64_t place = __builtin_bswap64(prepend ? middle - step : middle + step);
	memcpy(bytes, &place, 8);
	*path = (struct mp_bytes){bytes, 16};
	return 0;
}

// All elements of an encoded collection, in their order; for prepending a list backwards.
static int add_elements(struct row_build *build, const struct mp_sim_column *column, struct mp_bytes value,
                        bool prepend)
{
	struct mp_cursor cur;
	uint32_t count;
	if (mp_value_elements(value, &cur, &count) < 0)
		return mp_sim_fail(build->change->env->err, MP_SE_INVALID, "malformed collection for %.*s",
		                   MP_SIM_S(column->name));
	bool map = column->type->id == MP_TYPE_MAP, list = column->type->id == MP_TYPE_LIST;
	struct mp_bytes *items = mp_arena_alloc(build->change->env->arena, (count + 1) * 2 * sizeof(*items));
	if (items == NULL)
		return mp_sim_fail_nomem(build->change->env->err);
	for (uint32_t i = 0; i < count; i++) {
		items[i * 2] = mp_cursor_bytes(&cur);
		items[i * 2 + 1] = map ? mp_cursor_bytes(&cur) : (struct mp_bytes){(const uint8_t *)"", 0};
	}
	for (uint32_t i = 0; i < count; i++) {
		uint32_t at = prepend ? count - 1 - i : i;
		struct mp_bytes path = items[at * 2], content = items[at * 2 + 1];
		if (list) {
			content = path;
			MP_SIM_TRY(list_path(build, prepend, &path));
		}
		MP_SIM_TRY(set_element(build, column, path, content));
	}
	return 0;
}

// A field's place as a path, as Cassandra has it: two bytes.
static int field_path(struct row_build *build, uint16_t field, struct mp_bytes *path)
{
	uint8_t *bytes = mp_arena_alloc(build->change->env->arena, 2);
	if (bytes == NULL)
		return mp_sim_fail_nomem(build->change->env->err);
	bytes[0] = (uint8_t)(field >> 8);
	bytes[1] = (uint8_t)field;
	*path = (struct mp_bytes){bytes, 2};
	return 0;
}

// All fields of an encoded user's type that are not null.
static int add_fields(struct row_build *build, const struct mp_sim_column *column, struct mp_bytes value)
{
	struct mp_cursor parts = mp_cursor_on(value.data, (size_t)value.len);
	for (uint16_t i = 0; i < column->type->child_count && mp_cursor_left(&parts) > 0; i++) {
		struct mp_bytes field = mp_cursor_bytes(&parts), path;
		if (field.len < 0)
			continue;
		MP_SIM_TRY(field_path(build, i, &path));
		MP_SIM_TRY(set_element(build, column, path, field));
	}
	return 0;
}

static int clear_collection(struct row_build *build, const struct mp_sim_column *column, int64_t ts)
{
	return add_edit(build, column, MP_SIM_OP_CLEAR, ts) == NULL ? MP_ESERVER : 0;
}

// ---- lists by index and by value need to see the row ------------------------------------------------------

static const struct mp_sim_slot *current_slot(struct row_build *build, const struct mp_sim_column *column)
{
	const struct mp_sim_row *row =
		build->change->current == NULL
			? NULL
			: build->change->current(build->change->current_data, build->mutation, build->row);
	uint16_t slot = MP_SIM_SLOT(build->change->plan->table, column);
	return row == NULL || slot >= row->slot_count ? NULL : &row->slots[slot];
}

static bool element_lives(const struct row_build *build, const struct mp_sim_slot *slot, uint32_t index)
{
	const struct mp_sim_cell *cell = &slot->elements[index].cell;
	return cell->len >= 0 && cell->ts > slot->deleted &&
	       (cell->expires == 0 || cell->expires > build->change->env->now_us);
}

static int list_set_index(struct row_build *build, const struct mp_sim_column *column, struct mp_bytes index,
                          struct mp_bytes value)
{
	const struct mp_sim_slot *slot = current_slot(build, column);
	int32_t wanted, size = 0;
	if (mp_value_i32(index, &wanted) < 0)
		return mp_sim_fail(build->change->env->err, MP_SE_INVALID, "Invalid null value for list index");
	for (uint32_t i = 0; slot != NULL && i < slot->count; i++) {
		if (!element_lives(build, slot, i))
			continue;
		if (size++ == wanted) {
			const struct mp_sim_element *element = &slot->elements[i];
			return set_element(build, column, (struct mp_bytes){element->path, element->path_len}, value);
		}
	}
	return mp_sim_fail(build->change->env->err, MP_SE_INVALID, "List index %d out of bound, list has size %d",
	                   wanted, size);
}

static int list_remove_values(struct row_build *build, const struct mp_sim_column *column,
                              struct mp_bytes values)
{
	const struct mp_sim_slot *slot = current_slot(build, column);
	for (uint32_t i = 0; slot != NULL && i < slot->count; i++) {
		struct mp_cursor cur;
		uint32_t count;
		const struct mp_sim_element *element = &slot->elements[i];
		if (!element_lives(build, slot, i) || mp_value_elements(values, &cur, &count) < 0)
			continue;
		struct mp_bytes content = {element->cell.data, element->cell.len},
						path = {element->path, element->path_len};
		bool hit = false;
		for (uint32_t k = 0; k < count && !hit; k++)
			hit = mp_sim_compare(column->type->children[0], content, mp_cursor_bytes(&cur)) == 0;
		if (hit)
			MP_SIM_TRY(set_element(build, column, path, (struct mp_bytes){NULL, -1}));
	}
	return 0;
}

// ---- one assignment ---------------------------------------------------------------------------------------

static int remove_keys(struct row_build *build, const struct mp_sim_column *column, struct mp_bytes keys)
{
	struct mp_cursor cur;
	uint32_t count;
	if (mp_value_elements(keys, &cur, &count) < 0)
		return mp_sim_fail(build->change->env->err, MP_SE_INVALID, "malformed collection for %.*s",
		                   MP_SIM_S(column->name));
	for (uint32_t i = 0; i < count; i++)
		MP_SIM_TRY(set_element(build, column, mp_cursor_bytes(&cur), (struct mp_bytes){NULL, -1}));
	return 0;
}

static int change_counter(struct row_build *build, const struct mp_sim_column *column, struct mp_bytes value,
                          bool minus)
{
	int64_t delta;
	if (mp_value_i64(value, &delta) < 0)
		return mp_sim_fail(build->change->env->err, MP_SE_INVALID,
		                   "Invalid null value for counter increment");
	if (minus)
		delta = (int64_t)(0 - (uint64_t)delta);
	const struct mp_sim_slot *slot = current_slot(build, column);
	struct mp_bytes state = {NULL, 0};
	if (slot != NULL && slot->cell.len > 0)
		state = (struct mp_bytes){slot->cell.data, slot->cell.len};
	struct mp_sim_shard *next =
		mp_arena_alloc(build->change->env->arena, (size_t)state.len + sizeof(struct mp_sim_shard));
	struct mp_sim_edit *edit = add_edit(build, column, MP_SIM_OP_COUNTER, build->ts);
	if (next == NULL || edit == NULL)
		return mp_sim_fail_nomem(build->change->env->err);
	edit->value.len = mp_sim_counter_add(state, build->change->leader, delta, next);
	edit->value.data = (const uint8_t *)next;
	return 0;
}

static int change_element(struct row_build *build, const struct mp_sim_assign *assign,
                          const struct mp_sim_column *column)
{
	struct mp_sim_env *env = build->change->env;
	bool list = column->type->id == MP_TYPE_LIST, map = column->type->id == MP_TYPE_MAP;
	struct mp_bytes key, value;
	const struct mp_type *key_type = list ? mp_sim_scalar_type(MP_TYPE_INT) : column->type->children[0];
	MP_SIM_TRY(mp_sim_eval(env, assign->element, key_type, column->name, &key));
	MP_SIM_TRY(mp_sim_eval(env, assign->value, column->type->children[map ? 1 : 0], column->name, &value));
	if (value.len == -2)
		return 0;
	if (list)
		return list_set_index(build, column, key, value);
	if (key.len < 0)
		return mp_sim_fail(env->err, MP_SE_INVALID, "Invalid null map key");
	return set_element(build, column, key, value);
}

static int change_field(struct row_build *build, const struct mp_sim_assign *assign,
                        const struct mp_sim_column *column)
{
	struct mp_bytes path, value;
	uint16_t i = 0;
	while (!mp_str_eq(column->type->fields[i], assign->field)) // the plan has looked for it
		i++;
	MP_SIM_TRY(
		mp_sim_eval(build->change->env, assign->value, column->type->children[i], assign->field, &value));
	if (value.len == -2)
		return 0;
	MP_SIM_TRY(field_path(build, i, &path));
	return set_element(build, column, path, value);
}

static int change_column(struct row_build *build, const struct mp_sim_assign *assign,
                         const struct mp_sim_column *column)
{
	struct mp_sim_env *env = build->change->env;
	if (assign->kind == MP_SIM_ASSIGN_ELEMENT)
		return change_element(build, assign, column);
	if (assign->kind == MP_SIM_ASSIGN_FIELD)
		return change_field(build, assign, column);
	const struct mp_type *type = column->type;
	struct mp_type keys = {.id = MP_TYPE_SET, .child_count = 1, .children = type->children};
	bool minus = assign->kind == MP_SIM_ASSIGN_SUB;
	if (minus && type->id == MP_TYPE_MAP)
		type = &keys;
	struct mp_bytes value;
	MP_SIM_TRY(mp_sim_eval(env, assign->value, type, column->name, &value));
	if (value.len == -2)
		return 0;
	if (column->counter && assign->kind != MP_SIM_ASSIGN_SET)
		return change_counter(build, column, value, minus);
	if (!column->multi)
		return set_cell(build, column, value);
	if (assign->kind == MP_SIM_ASSIGN_SET)
		MP_SIM_TRY(clear_collection(build, column, value.len < 0 ? build->ts : build->ts - 1));
	if (value.len < 0)
		return 0;
	if (column->type->id == MP_TYPE_UDT)
		return add_fields(build, column, value);
	if (minus)
		return column->type->id == MP_TYPE_LIST ? list_remove_values(build, column, value)
		                                        : remove_keys(build, column, value);
	return add_elements(build, column, value, assign->kind == MP_SIM_ASSIGN_PREPEND);
}

// ---- one mutation -----------------------------------------------------------------------------------------

static int insert_values(struct mp_sim_change_env *change, enum mp_sim_column_kind kind,
                         struct mp_bytes *values)
{
	const struct mp_sim_table *table = change->plan->table;
	uint16_t count = kind == MP_SIM_PARTITION_KEY ? table->partition_count : table->clustering_count;
	uint16_t first = kind == MP_SIM_PARTITION_KEY ? 0 : table->partition_count;
	for (uint16_t i = 0; i < count; i++) {
		const struct mp_sim_column *column = table->columns[first + i];
		const struct mp_sim_assign *assign = change->plan->stmt->assigns;
		for (size_t at = 0; assign != NULL && change->plan->assigned[at] != column; at++)
			assign = assign->next;
		if (assign == NULL)
			return mp_sim_fail(change->env->err, MP_SE_INVALID,
			                   kind == MP_SIM_PARTITION_KEY ? "Some partition key parts are missing: %.*s"
			                                                : "Some clustering keys are missing: %.*s",
			                   MP_SIM_S(column->name));
		MP_SIM_TRY(mp_sim_eval(change->env, assign->value, column->type, column->name, &values[i]));
		if (values[i].len < 0)
			return mp_sim_fail(change->env->err, MP_SE_INVALID,
			                   values[i].len == -1 ? "Invalid null value in condition for column %.*s"
			                                       : "Invalid unset value for column %.*s",
			                   MP_SIM_S(column->name));
	}
	return 0;
}

int mp_sim_change_keys(struct mp_sim_change_env *change, struct mp_sim_changes *out)
{
	struct mp_sim_env *env = change->env;
	struct mp_sim_key_list list;
	struct mp_bytes key, values[MP_SIM_KEY_MAX];
	int64_t token;
	if (change->plan->stmt->kind == MP_SIM_INSERT) {
		MP_SIM_TRY(insert_values(change, MP_SIM_PARTITION_KEY, values));
		MP_SIM_TRY(mp_sim_key_join(env, change->plan->table, values, &key));
		token = mp_murmur3_token(key.data, (size_t)key.len);
		list = (struct mp_sim_key_list){&key, &token, 1};
	} else {
		MP_SIM_TRY(mp_sim_keys(env, change->plan, &list));
	}
	if (list.count > 1 && change->plan->conditional)
		return mp_sim_fail(env->err, MP_SE_INVALID,
		                   "IN on the partition key is not supported with conditional updates");
	out->count = list.count;
	out->mutations = mp_arena_alloc(env->arena, (list.count + 1) * sizeof(*out->mutations));
	if (out->mutations == NULL)
		return mp_sim_fail_nomem(env->err);
	for (size_t i = 0; i < list.count; i++) {
		out->mutations[i].table = change->plan->table;
		out->mutations[i].key = list.keys[i];
		out->mutations[i].token = list.tokens[i];
		out->mutations[i].deleted = MP_SIM_NEVER;
	}
	return 0;
}

int mp_sim_change_clustering(struct mp_sim_change_env *change, struct mp_bytes *clustering)
{
	struct mp_bytes values[MP_SIM_KEY_MAX];
	*clustering = (struct mp_bytes){(const uint8_t *)"", 0};
	if (change->plan->only_static)
		return 0;
	if (change->plan->stmt->kind != MP_SIM_INSERT)
		return mp_sim_clustering_equal(change->env, change->plan, clustering);
	MP_SIM_TRY(insert_values(change, MP_SIM_CLUSTERING, values));
	return mp_sim_clustering_join(change->env, values, change->plan->table->clustering_count, clustering);
}

static int read_using(struct mp_sim_change_env *change, struct row_build *build)
{
	int64_t ttl = change->plan->table->default_ttl;
	bool present;
	MP_SIM_TRY(mp_sim_eval_i64(change->env, change->plan->stmt->ttl, MP_TYPE_INT, "[ttl]", &ttl, &present));
	if (ttl < 0 || ttl > 630720000)
		return mp_sim_fail(change->env->err, MP_SE_INVALID,
		                   ttl < 0 ? "A TTL must be greater or equal to 0, but was %lld"
		                           : "ttl is too large. requested (%lld) maximum (630720000)",
		                   (long long)ttl);
	build->ts = change->timestamp;
	MP_SIM_TRY(mp_sim_eval_i64(change->env, change->plan->stmt->timestamp, MP_TYPE_BIGINT, "[timestamp]",
	                           &build->ts, &present));
	build->ttl = (int32_t)ttl;
	build->expires = ttl == 0 ? 0 : change->env->now_us + ttl * 1000000;
	return 0;
}

static int build_delete(struct mp_sim_change_env *change, struct row_build *build,
                        struct mp_sim_mutation *mutation)
{
	const struct mp_sim_plan *plan = change->plan;
	if (plan->table->clustering_count > 0 && plan->where.equal_count == plan->table->clustering_count) {
		build->row->deleted = build->ts;
		return 0;
	}
	mutation->rows = NULL;
	if (plan->table->clustering_count == 0 ||
	    (plan->where.equal_count == 0 && plan->where.low == NULL && plan->where.high == NULL)) {
		mutation->deleted = build->ts;
		return 0;
	}
	struct mp_sim_range_delete *range = mp_arena_alloc(change->env->arena, sizeof(*range));
	if (range == NULL)
		return mp_sim_fail_nomem(change->env->err);
	range->ts = build->ts;
	mutation->range = range;
	return mp_sim_bounds(change->env, plan, &range->low, &range->high);
}

static int change_columns(struct row_build *build, enum mp_sim_column_kind kind)
{
	const struct mp_sim_plan *plan = build->change->plan;
	size_t at = 0;
	for (const struct mp_sim_assign *assign = plan->stmt->assigns; assign != NULL;
	     assign = assign->next, at++) {
		if (plan->assigned[at]->kind == kind)
			MP_SIM_TRY(change_column(build, assign, plan->assigned[at]));
	}
	return 0;
}

static int build_one(struct mp_sim_change_env *change, struct mp_sim_mutation *mutation)
{
	const struct mp_sim_plan *plan = change->plan;
	struct row_build build = {.change = change, .mutation = mutation};
	MP_SIM_TRY(read_using(change, &build));
	build.row = mp_arena_alloc(change->env->arena, sizeof(*build.row));
	if (build.row == NULL)
		return mp_sim_fail_nomem(change->env->err);
	build.row->deleted = MP_SIM_NEVER;
	build.tail = &build.row->ops;
	mutation->rows = build.row;
	if (plan->stmt->kind == MP_SIM_DELETE && plan->stmt->assigns == NULL) {
		if (plan->where.equal_count == plan->table->clustering_count)
			MP_SIM_TRY(mp_sim_change_clustering(change, &build.row->clustering));
		return build_delete(change, &build, mutation);
	}
	MP_SIM_TRY(mp_sim_change_clustering(change, &build.row->clustering));
	if (plan->stmt->kind == MP_SIM_INSERT) {
		build.row->marker = !plan->only_static;
		build.row->ts = build.ts;
		build.row->expires = build.expires;
		build.row->ttl = build.ttl;
	}
	MP_SIM_TRY(change_columns(&build, MP_SIM_REGULAR));
	if (!plan->table->statics)
		return 0;
	struct mp_sim_row_change *statics = mp_arena_alloc(change->env->arena, sizeof(*statics));
	if (statics == NULL)
		return mp_sim_fail_nomem(change->env->err);
	*statics = (struct mp_sim_row_change){.is_static = true, .deleted = MP_SIM_NEVER};
	statics->next = plan->only_static ? NULL : build.row;
	build.row = statics;
	build.tail = &statics->ops;
	MP_SIM_TRY(change_columns(&build, MP_SIM_STATIC));
	if (statics->ops != NULL || plan->only_static)
		mutation->rows = statics;
	return 0;
}

int mp_sim_change_build(struct mp_sim_change_env *change, struct mp_sim_changes *out)
{
	for (size_t i = 0; i < out->count; i++)
		MP_SIM_TRY(build_one(change, &out->mutations[i]));
	return 0;
}
