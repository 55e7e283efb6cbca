// SPDX-License-Identifier: Apache-2.0
// Terms with parts: collections, tuples, users' types, vectors.
#include <string.h>

#include "base/err.h"
#include "sim/cql/compare.h"
#include "sim/cql/parse.h"
#include "sim/cql/term.h"
#include "wire/value.h"
#include "wire/vector.h"

// ---- collections ------------------------------------------------------------------------------------------

struct item {
	struct mp_bytes key;
	struct mp_bytes value;
};

static int insert_sorted(struct item *items, uint32_t *count, const struct mp_type *type, struct item item)
{
	uint32_t low = 0, high = *count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		int order = mp_sim_compare(type->children[0], items[middle].key, item.key);
		if (order == 0) {
			items[middle] = item;
			return 0;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	memmove(items + low + 1, items + low, (*count - low) * sizeof(*items));
	items[low] = item;
	(*count)++;
	return 0;
}

static int eval_item(struct mp_sim_env *env, const struct mp_sim_term *term, const struct mp_type *type,
                     struct mp_str column, struct mp_bytes *out)
{
	MP_SIM_TRY(mp_sim_eval(env, term, type, column, out));
	if (out->len == -2)
		return mp_sim_fail(env->err, MP_SE_INVALID, "unset value is not supported inside collections");
	if (out->len < 0)
		return mp_sim_fail(env->err, MP_SE_INVALID, "null is not supported inside collections");
	return 0;
}

static int write_items(struct mp_sim_env *env, const struct item *items, uint32_t count, bool map,
                       struct mp_bytes *out)
{
	struct mp_buf buf;
	mp_buf_init(&buf);
	mp_buf_u32(&buf, count);
	for (uint32_t i = 0; i < count; i++) {
		mp_buf_i32(&buf, items[i].key.len);
		mp_buf_bytes(&buf, items[i].key.data, (size_t)items[i].key.len);
		if (map) {
			mp_buf_i32(&buf, items[i].value.len);
			mp_buf_bytes(&buf, items[i].value.data, (size_t)items[i].value.len);
		}
	}
	int rc = buf.failed ? mp_sim_fail_nomem(env->err) : mp_sim_keep(env, buf.data, buf.len, out);
	mp_buf_deinit(&buf);
	return rc;
}

static int wrong_literal(struct mp_sim_env *env, const struct mp_sim_term *term, const struct mp_type *type,
                         struct mp_str column)
{
	return mp_sim_fail(env->err, MP_SE_INVALID, "Invalid %s literal for %.*s of type %s",
	                   term->kind == MP_SIM_TERM_LIST  ? "list"
	                   : term->kind == MP_SIM_TERM_SET ? "set"
	                   : term->kind == MP_SIM_TERM_MAP ? "map"
	                                                   : "tuple",
	                   MP_SIM_S(column), mp_type_id_name(type->id));
}

static int eval_collection(struct mp_sim_env *env, const struct mp_sim_term *term, const struct mp_type *type,
                           struct mp_str column, struct mp_bytes *out)
{
	bool empty = term->kind == MP_SIM_TERM_SET && term->count == 0;
	bool fits = type->id == MP_TYPE_LIST  ? term->kind == MP_SIM_TERM_LIST
	            : type->id == MP_TYPE_SET ? term->kind == MP_SIM_TERM_SET
	            : type->id == MP_TYPE_MAP ? term->kind == MP_SIM_TERM_MAP || empty
	                                      : false;
	if (!fits)
		return wrong_literal(env, term, type, column);
	struct item *items = mp_arena_alloc(env->arena, (term->count + 1) * sizeof(*items));
	if (items == NULL)
		return mp_sim_fail_nomem(env->err);
	uint32_t count = 0;
	bool map = type->id == MP_TYPE_MAP;
	for (const struct mp_sim_term *at = term->items; at != NULL; at = at->next) {
		struct item item = {0};
		MP_SIM_TRY(eval_item(env, at, type->children[0], column, &item.key));
		if (map) {
			at = at->next;
			MP_SIM_TRY(eval_item(env, at, type->children[1], column, &item.value));
		}
		if (type->id == MP_TYPE_LIST)
			items[count++] = item;
		else
			MP_SIM_TRY(insert_sorted(items, &count, type, item));
	}
	return write_items(env, items, count, map, out);
}

// ---- what has a number of parts by its type ---------------------------------------------------------------

static void put_value(struct mp_buf *buf, struct mp_bytes value)
{
	mp_buf_i32(buf, value.len < 0 ? -1 : value.len);
	mp_buf_bytes(buf, value.data, value.len > 0 ? (size_t)value.len : 0);
}

static int eval_tuple(struct mp_sim_env *env, const struct mp_sim_term *term, const struct mp_type *type,
                      struct mp_str column, struct mp_buf *out)
{
	if (term->kind != MP_SIM_TERM_TUPLE)
		return wrong_literal(env, term, type, column);
	if (term->count > type->child_count)
		return mp_sim_fail(
			env->err, MP_SE_INVALID,
			"Invalid tuple literal for %.*s: too many elements. Type tuple expects %u but got %u",
			MP_SIM_S(column), type->child_count, term->count);
	uint16_t i = 0;
	for (const struct mp_sim_term *at = term->items; at != NULL; at = at->next, i++) {
		struct mp_bytes value;
		MP_SIM_TRY(mp_sim_eval(env, at, type->children[i], column, &value));
		put_value(out, value);
	}
	return 0;
}

static bool has_field(const struct mp_type *type, struct mp_str name)
{
	for (uint16_t i = 0; i < type->child_count; i++) {
		if (mp_str_eq(type->fields[i], name))
			return true;
	}
	return false;
}

// {a: 1, b: 2}; a field that is not there is null.
static int eval_udt(struct mp_sim_env *env, const struct mp_sim_term *term, const struct mp_type *type,
                    struct mp_str column, struct mp_buf *out)
{
	if (term->kind != MP_SIM_TERM_MAP) // {} is a set
		return wrong_literal(env, term, type, column);
	for (const struct mp_sim_term *at = term->items; at != NULL; at = at->next->next) {
		if (at->kind != MP_SIM_TERM_FIELD)
			return wrong_literal(env, term, type, column);
		if (!has_field(type, at->text))
			return mp_sim_fail(env->err, MP_SE_INVALID,
			                   "Unknown field '%.*s' in value of user defined type %.*s", MP_SIM_S(at->text),
			                   MP_SIM_S(type->name));
	}
	for (uint16_t i = 0; i < type->child_count; i++) {
		struct mp_bytes value = {NULL, -1};
		for (const struct mp_sim_term *at = term->items; at != NULL; at = at->next->next) {
			if (mp_str_eq(at->text, type->fields[i]))
				MP_SIM_TRY(mp_sim_eval(env, at->next, type->children[i], type->fields[i], &value));
		}
		put_value(out, value);
	}
	return 0;
}

static int eval_vector(struct mp_sim_env *env, const struct mp_sim_term *term, const struct mp_type *type,
                       struct mp_str column, struct mp_buf *out)
{
	if (term->kind != MP_SIM_TERM_LIST)
		return wrong_literal(env, term, type, column);
	if (term->count != (uint32_t)type->dimension)
		return mp_sim_fail(
			env->err, MP_SE_INVALID,
			"Invalid vector literal for %.*s of type vector; expected %d elements, but given %u",
			MP_SIM_S(column), (int)type->dimension, term->count);
	for (const struct mp_sim_term *at = term->items; at != NULL; at = at->next) {
		struct mp_bytes value;
		size_t begin = out->len;
		MP_SIM_TRY(eval_item(env, at, type->children[0], column, &value));
		put_value(out, value);
		if (mp_vector_close(out, begin, type) != 0)
			return mp_sim_fail(env->err, MP_SE_INVALID, "Invalid null value in vector for %.*s",
			                   MP_SIM_S(column));
	}
	return 0;
}

int mp_sim_eval_parts(struct mp_sim_env *env, const struct mp_sim_term *term, const struct mp_type *type,
                      struct mp_str column, struct mp_bytes *out)
{
	if (type->id != MP_TYPE_TUPLE && type->id != MP_TYPE_UDT && type->id != MP_TYPE_VECTOR)
		return eval_collection(env, term, type, column, out);
	struct mp_buf buf;
	mp_buf_init(&buf);
	int rc = type->id == MP_TYPE_TUPLE ? eval_tuple(env, term, type, column, &buf)
	         : type->id == MP_TYPE_UDT ? eval_udt(env, term, type, column, &buf)
	                                   : eval_vector(env, term, type, column, &buf);
	if (rc == 0)
		rc = buf.failed ? mp_sim_fail_nomem(env->err) : mp_sim_keep(env, buf.data, buf.len, out);
	mp_buf_deinit(&buf);
	return rc;
}
