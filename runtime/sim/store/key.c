// SPDX-License-Identifier: Apache-2.0
#include "sim/store/key.h"

#include <string.h>

#include "base/err.h"
#include "sim/cql/compare.h"
#include "sim/cql/parse.h"
#include "wire/murmur3.h"
#include "wire/value.h"

static int key_value(struct mp_sim_env *env, const struct mp_sim_term *term,
                     const struct mp_sim_column *column, struct mp_bytes *out)
{
	MP_SIM_TRY(mp_sim_eval(env, term, column->type, column->name, out));
	if (out->len == -2)
		return mp_sim_fail(env->err, MP_SE_INVALID, "Invalid unset value for column %.*s",
		                   MP_SIM_S(column->name));
	if (out->len < 0)
		return mp_sim_fail(env->err, MP_SE_INVALID, "Invalid null value in condition for column %.*s",
		                   MP_SIM_S(column->name));
	return 0;
}

int mp_sim_key_join(struct mp_sim_env *env, const struct mp_sim_table *table, const struct mp_bytes *values,
                    struct mp_bytes *key)
{
	size_t len = 0;
	for (uint16_t i = 0; i < table->partition_count; i++)
		len += (size_t)values[i].len + 3;
	if (table->partition_count == 1 && values[0].len == 0)
		return mp_sim_fail(env->err, MP_SE_INVALID, "Key may not be empty");
	if (len > 65535)
		return mp_sim_fail(env->err, MP_SE_INVALID, "Key length of %zu is longer than maximum of 65535", len);
	if (table->partition_count == 1) {
		*key = values[0];
		return 0;
	}
	uint8_t *to = mp_arena_alloc(env->arena, len);
	if (to == NULL)
		return mp_sim_fail_nomem(env->err);
	*key = (struct mp_bytes){to, (int32_t)len};
	for (uint16_t i = 0; i < table->partition_count; i++) {
		*to++ = (uint8_t)(values[i].len >> 8);
		*to++ = (uint8_t)values[i].len;
		if (values[i].len > 0)
			memcpy(to, values[i].data, (size_t)values[i].len);
		to += values[i].len;
		*to++ = 0;
	}
	return 0;
}

int mp_sim_in_values(struct mp_sim_env *env, const struct mp_sim_relation *rel,
                     const struct mp_sim_column *column, struct mp_bytes **values, size_t *count)
{
	*count = 0;
	if (rel->value->kind == MP_SIM_TERM_TUPLE) {
		*values = mp_arena_alloc(env->arena, (rel->value->count + 1) * sizeof(**values));
		if (*values == NULL)
			return mp_sim_fail_nomem(env->err);
		for (const struct mp_sim_term *item = rel->value->items; item != NULL; item = item->next)
			MP_SIM_TRY(key_value(env, item, column, &(*values)[(*count)++]));
		return 0;
	}
	struct mp_cursor elements;
	uint32_t n;
	struct mp_bytes list = env->bound[rel->value->marker];
	if (list.len < 0 || mp_value_elements(list, &elements, &n) < 0)
		return mp_sim_fail(env->err, MP_SE_INVALID, "Invalid null or malformed value for in(%.*s)",
		                   MP_SIM_S(column->name));
	*values = mp_arena_alloc(env->arena, (n + 1) * sizeof(**values));
	if (*values == NULL)
		return mp_sim_fail_nomem(env->err);
	for (uint32_t i = 0; i < n; i++) {
		struct mp_bytes value = mp_cursor_bytes(&elements);
		if (value.len < 0 || mp_sim_check_value(column->type, value) < 0)
			return mp_sim_fail(env->err, MP_SE_INVALID, "Invalid value in in(%.*s)", MP_SIM_S(column->name));
		(*values)[(*count)++] = value;
	}
	return 0;
}

// In order and once each, as Cassandra answers an IN.
static size_t sort_unique(const struct mp_type *type, struct mp_bytes *values, size_t count)
{
	size_t kept = 0;
	for (size_t i = 0; i < count; i++) {
		struct mp_bytes value = values[i];
		size_t at = kept;
		int order = 1;
		while (at > 0 && (order = mp_sim_compare(type, values[at - 1], value)) > 0)
			at--;
		if (at > 0 && order == 0)
			continue;
		memmove(values + at + 1, values + at, (kept - at) * sizeof(*values));
		values[at] = value;
		kept++;
	}
	return kept;
}

int mp_sim_keys(struct mp_sim_env *env, const struct mp_sim_plan *plan, struct mp_sim_key_list *out)
{
	const struct mp_sim_table *table = plan->table;
	struct mp_bytes *choices[MP_SIM_KEY_MAX], one[MP_SIM_KEY_MAX];
	size_t counts[MP_SIM_KEY_MAX], total = 1, at[MP_SIM_KEY_MAX] = {0};
	for (uint16_t i = 0; i < table->partition_count; i++) {
		const struct mp_sim_relation *rel = plan->where.keys[i];
		choices[i] = &one[i];
		counts[i] = 1;
		if (rel->op == MP_SIM_IN) {
			MP_SIM_TRY(mp_sim_in_values(env, rel, table->columns[i], &choices[i], &counts[i]));
			counts[i] = sort_unique(table->columns[i]->type, choices[i], counts[i]);
		} else {
			MP_SIM_TRY(key_value(env, rel->value, table->columns[i], &one[i]));
		}
		total *= counts[i];
		if (total > MP_SIM_KEYS_MAX)
			return mp_sim_fail(env->err, MP_SE_INVALID, "IN names more than %d partitions", MP_SIM_KEYS_MAX);
	}
	out->count = total;
	out->keys = mp_arena_alloc(env->arena, (total + 1) * sizeof(*out->keys));
	out->tokens = mp_arena_alloc(env->arena, (total + 1) * sizeof(*out->tokens));
	if (out->keys == NULL || out->tokens == NULL)
		return mp_sim_fail_nomem(env->err);
	for (size_t n = 0; n < total; n++) {
		struct mp_bytes values[MP_SIM_KEY_MAX];
		for (uint16_t i = 0; i < table->partition_count; i++)
			values[i] = choices[i][at[i]];
		MP_SIM_TRY(mp_sim_key_join(env, table, values, &out->keys[n]));
		out->tokens[n] = mp_murmur3_token(out->keys[n].data, (size_t)out->keys[n].len);
		for (uint16_t i = table->partition_count; i > 0 && ++at[i - 1] == counts[i - 1]; i--)
			at[i - 1] = 0;
	}
	return 0;
}

int mp_sim_clustering_join(struct mp_sim_env *env, const struct mp_bytes *values, size_t count,
                           struct mp_bytes *out)
{
	size_t len = 0;
	for (size_t i = 0; i < count; i++)
		len += 4 + (size_t)values[i].len;
	uint8_t *to = mp_arena_alloc(env->arena, len + 1);
	if (to == NULL)
		return mp_sim_fail_nomem(env->err);
	*out = (struct mp_bytes){to, (int32_t)len};
	for (size_t i = 0; i < count; i++) {
		uint32_t swapped = __builtin_bswap32((uint32_t)values[i].len);
		memcpy(to, &swapped, 4);
		if (values[i].len > 0)
			memcpy(to + 4, values[i].data, (size_t)values[i].len);
		to += 4 + values[i].len;
	}
	return 0;
}

static int equal_values(struct mp_sim_env *env, const struct mp_sim_plan *plan, struct mp_bytes *values)
{
	for (uint16_t i = 0; i < plan->where.equal_count; i++)
		MP_SIM_TRY(key_value(env, plan->where.equal[i]->value,
		                     plan->table->columns[plan->table->partition_count + i], &values[i]));
	return 0;
}

int mp_sim_clustering_equal(struct mp_sim_env *env, const struct mp_sim_plan *plan, struct mp_bytes *out)
{
	struct mp_bytes values[MP_SIM_KEY_MAX];
	MP_SIM_TRY(equal_values(env, plan, values));
	return mp_sim_clustering_join(env, values, plan->where.equal_count, out);
}

int mp_sim_bounds(struct mp_sim_env *env, const struct mp_sim_plan *plan, struct mp_sim_bound *low,
                  struct mp_sim_bound *high)
{
	const struct mp_sim_where *where = &plan->where;
	struct mp_bytes values[MP_SIM_KEY_MAX + 1];
	*low = *high = (struct mp_sim_bound){{NULL, 0}, false};
	MP_SIM_TRY(equal_values(env, plan, values));
	size_t count = where->equal_count;
	MP_SIM_TRY(mp_sim_clustering_join(env, values, count, &low->prefix));
	high->prefix = low->prefix;
	if (where->low == NULL && where->high == NULL)
		return 0;
	const struct mp_sim_column *column = plan->table->columns[plan->table->partition_count + count];
	struct mp_sim_bound *lower = column->descending ? high : low, *upper = column->descending ? low : high;
	if (where->low != NULL) {
		MP_SIM_TRY(key_value(env, where->low->value, column, &values[count]));
		MP_SIM_TRY(mp_sim_clustering_join(env, values, count + 1, &lower->prefix));
		lower->exclusive = where->low->op == MP_SIM_GT;
	}
	if (where->high != NULL) {
		MP_SIM_TRY(key_value(env, where->high->value, column, &values[count]));
		MP_SIM_TRY(mp_sim_clustering_join(env, values, count + 1, &upper->prefix));
		upper->exclusive = where->high->op == MP_SIM_LT;
	}
	return 0;
}

// ---- filters ----------------------------------------------------------------------------------------------

static int contains(const struct mp_sim_column *column, struct mp_bytes value, struct mp_bytes wanted,
                    bool key)
{
	struct mp_cursor elements;
	uint32_t count;
	if (value.len < 0 || mp_value_elements(value, &elements, &count) < 0)
		return 0;
	bool map = column->type->id == MP_TYPE_MAP;
	const struct mp_type *type = column->type->children[map && !key ? 1 : 0];
	for (uint32_t i = 0; i < count; i++) {
		struct mp_bytes element = mp_cursor_bytes(&elements);
		if (map) {
			struct mp_bytes second = mp_cursor_bytes(&elements);
			element = key ? element : second;
		}
		if (mp_sim_compare(type, element, wanted) == 0)
			return 1;
	}
	return 0;
}

// The value of a map's key; null: it has none.
static int entry_of(struct mp_sim_env *env, const struct mp_sim_relation *rel,
                    const struct mp_sim_column *column, struct mp_bytes map, struct mp_bytes *out)
{
	const struct mp_type *type = column->type->children[0];
	struct mp_bytes wanted;
	struct mp_cursor elements;
	uint32_t count;
	*out = (struct mp_bytes){NULL, -1};
	MP_SIM_TRY(mp_sim_eval(env, rel->element, type, column->name, &wanted));
	if (map.len < 0 || wanted.len < 0 || mp_value_elements(map, &elements, &count) < 0)
		return 0;
	for (uint32_t i = 0; i < count; i++) {
		struct mp_bytes key = mp_cursor_bytes(&elements), value = mp_cursor_bytes(&elements);
		if (mp_sim_compare(type, key, wanted) == 0)
			*out = value;
	}
	return 0;
}

int mp_sim_matches(struct mp_sim_env *env, const struct mp_sim_relation *rel,
                   const struct mp_sim_column *column, struct mp_bytes value)
{
	struct mp_bytes wanted, *values;
	size_t count;
	if (rel->op == MP_SIM_IN) {
		MP_SIM_TRY(mp_sim_in_values(env, rel, column, &values, &count));
		for (size_t i = 0; i < count; i++) {
			if (value.len >= 0 && mp_sim_compare(column->type, value, values[i]) == 0)
				return 1;
		}
		return 0;
	}
	const struct mp_type *type = column->type;
	if (rel->element != NULL) {
		MP_SIM_TRY(entry_of(env, rel, column, value, &value));
		type = type->children[1];
	}
	if (rel->op == MP_SIM_CONTAINS || rel->op == MP_SIM_CONTAINS_KEY)
		type = type->children[rel->op == MP_SIM_CONTAINS && type->id == MP_TYPE_MAP ? 1 : 0];
	MP_SIM_TRY(mp_sim_eval(env, rel->value, type, column->name, &wanted));
	if (wanted.len < 0 || value.len < 0) {
		// Only IF compares with null.
		bool both = wanted.len < 0 && value.len < 0;
		return rel->op == MP_SIM_EQ ? both : rel->op == MP_SIM_NE ? !both : 0;
	}
	if (rel->op == MP_SIM_CONTAINS || rel->op == MP_SIM_CONTAINS_KEY)
		return contains(column, value, wanted, rel->op == MP_SIM_CONTAINS_KEY);
	int order = mp_sim_compare(type, value, wanted);
	switch (rel->op) {
	case MP_SIM_EQ: return order == 0;
	case MP_SIM_NE: return order != 0;
	case MP_SIM_LT: return order < 0;
	case MP_SIM_LE: return order <= 0;
	case MP_SIM_GT: return order > 0;
	case MP_SIM_GE: return order >= 0;
	default: return 0;
	}
}
