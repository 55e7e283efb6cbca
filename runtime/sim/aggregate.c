// SPDX-License-Identifier: Apache-2.0
#include "sim/aggregate.h"

#include "base/err.h"
#include "sim/cql/compare.h"
#include "sim/cql/parse.h"
#include "wire/value.h"

static bool is_exact(const struct mp_sim_selected *sel)
{
	uint16_t type = sel->column->type->id;
	bool sums = sel->aggregate == MP_SIM_SUM || sel->aggregate == MP_SIM_AVG,
		 avg = sel->aggregate == MP_SIM_AVG;
	return (sums && (type == MP_TYPE_VARINT || type == MP_TYPE_DECIMAL)) ||
	       (avg && (type == MP_TYPE_BIGINT || type == MP_TYPE_COUNTER));
}

static int failed(struct mp_sim_env *env, int rc)
{
	return rc == 0 ? 0
	       : rc == MP_ENOMEM
	           ? mp_sim_fail_nomem(env->err)
	           : mp_sim_fail(env->err, MP_SE_INVALID,
	                         "sums with more than 9000 digits are not supported by the simulated "
	                         "cluster");
}

// The mean of decimals is found as Cassandra finds it, one number at a time and rounded each time.
static int add_exact(struct mp_sim_env *env, struct mp_sim_aggregate *at, const struct mp_sim_selected *sel,
                     struct mp_bytes value)
{
	struct mp_sim_decimal number, minus = at->exact;
	bool decimal = sel->column->type->id == MP_TYPE_DECIMAL;
	minus.negative = !minus.negative;
	int rc = mp_sim_decimal_read(env->arena, !decimal, value, &number);
	if (rc == 0 && decimal && sel->aggregate == MP_SIM_AVG) {
		rc = mp_sim_decimal_add(env->arena, &number, &minus, &number);
		if (rc == 0)
			rc = mp_sim_decimal_divide(env->arena, &number, at->count, true, &number);
	}
	if (rc == 0)
		rc = mp_sim_decimal_add(env->arena, &at->exact, &number, &at->exact);
	return failed(env, rc);
}

static void add_number(struct mp_sim_aggregate *at, uint16_t type, struct mp_bytes value)
{
	uint64_t bits = 0;
	float single = 0;
	double real = 0;
	for (int32_t i = 0; i < value.len; i++)
		bits = bits << 8 | value.data[i];
	if (type == MP_TYPE_FLOAT && mp_value_f32(value, &single) == 0)
		at->real += (double)single;
	else if (type == MP_TYPE_DOUBLE && mp_value_f64(value, &real) == 0)
		at->real += real;
	else if (value.len > 0 && value.len <= 8) // of any width, with its sign
		at->whole = (int64_t)((uint64_t)at->whole +
		                      (uint64_t)((int64_t)(bits << (64 - 8 * value.len)) >> (64 - 8 * value.len)));
}

static int add(struct mp_sim_env *env, struct mp_sim_aggregate *at, const struct mp_sim_selected *sel,
               struct mp_bytes value)
{
	const struct mp_type *type = sel->column->type;
	if (value.len < 0)
		return 0;
	at->count++;
	if (is_exact(sel))
		MP_SIM_TRY(add_exact(env, at, sel, value));
	else if (sel->aggregate == MP_SIM_SUM || sel->aggregate == MP_SIM_AVG)
		add_number(at, type->id, value);
	int order = at->count == 1 ? 0 : mp_sim_compare(type, value, at->best);
	if (at->count == 1 || (sel->aggregate == MP_SIM_MIN && order < 0) ||
	    (sel->aggregate == MP_SIM_MAX && order > 0))
		at->best = value;
	return 0;
}

int mp_sim_aggregate_add(struct mp_sim_env *env, const struct mp_sim_plan *plan, struct mp_sim_aggregate *all,
                         const struct mp_bytes *values)
{
	for (uint32_t i = 0; i < plan->selected_count; i++) {
		const struct mp_sim_selected *sel = &plan->selected[i];
		if (sel->kind == MP_SIM_SELECT_COUNT)
			all[i].count++;
		else if (sel->kind == MP_SIM_SELECT_AGGREGATE)
			MP_SIM_TRY(add(env, &all[i], sel, values[sel->column->index]));
	}
	return 0;
}

static void put_whole(struct mp_buf *row, int64_t value, int32_t width)
{
	mp_buf_i32(row, width);
	for (int32_t i = width; i > 0; i--)
		mp_buf_u8(row, (uint8_t)((uint64_t)value >> (8 * (i - 1))));
}

// Sums and means are of the column's type; those of nothing are 0.
static void put_number(struct mp_buf *row, const struct mp_sim_aggregate *at,
                       const struct mp_sim_selected *sel)
{
	int64_t parts = sel->aggregate == MP_SIM_AVG && at->count > 0 ? at->count : 1;
	switch (sel->type->id) {
	case MP_TYPE_FLOAT:
		mp_buf_i32(row, 4);
		mp_write_f32(row, (float)(at->real / (double)parts));
		break;
	case MP_TYPE_DOUBLE:
		mp_buf_i32(row, 8);
		mp_write_f64(row, at->real / (double)parts);
		break;
	case MP_TYPE_TINYINT: put_whole(row, at->whole / parts, 1); break;
	case MP_TYPE_SMALLINT: put_whole(row, at->whole / parts, 2); break;
	case MP_TYPE_INT: put_whole(row, at->whole / parts, 4); break;
	default: put_whole(row, at->whole / parts, 8); break;
	}
}

// A bigint is a varint of eight bytes.
static int put_exact(struct mp_sim_env *env, struct mp_buf *row, const struct mp_sim_aggregate *at,
                     const struct mp_sim_selected *sel)
{
	uint16_t type = sel->type->id;
	bool varint = type != MP_TYPE_DECIMAL, small = varint && type != MP_TYPE_VARINT;
	struct mp_sim_decimal number = at->exact;
	struct mp_buf bytes;
	int rc = 0;
	if (varint && sel->aggregate == MP_SIM_AVG && at->count > 0)
		rc = mp_sim_decimal_divide(env->arena, &at->exact, at->count, false, &number);
	mp_buf_init(&bytes);
	if (rc == 0)
		rc = mp_sim_decimal_write(&bytes, varint, &number);
	if (rc == 0) {
		size_t more = small && bytes.len < 8 ? 8 - bytes.len : 0;
		mp_buf_i32(row, (int32_t)(bytes.len + more));
		for (size_t i = 0; i < more; i++)
			mp_buf_u8(row, bytes.data[0] >= 0x80 ? 0xff : 0);
		mp_buf_bytes(row, bytes.data, bytes.len);
	}
	mp_buf_deinit(&bytes);
	return failed(env, rc);
}

void mp_sim_put_value(struct mp_buf *row, struct mp_bytes value)
{
	mp_buf_i32(row, value.len < 0 ? -1 : value.len);
	mp_buf_bytes(row, value.data, value.len > 0 ? (size_t)value.len : 0);
}

int mp_sim_aggregate_put(struct mp_sim_env *env, const struct mp_sim_plan *plan,
                         const struct mp_sim_aggregate *all, struct mp_buf *row)
{
	for (uint32_t i = 0; i < plan->selected_count; i++) {
		const struct mp_sim_selected *sel = &plan->selected[i];
		bool plain = sel->kind != MP_SIM_SELECT_COUNT && sel->kind != MP_SIM_SELECT_AGGREGATE;
		if (plain) {
			mp_sim_put_value(row, all[i].best);
		} else if (sel->kind == MP_SIM_SELECT_COUNT || sel->aggregate == MP_SIM_COUNT_OF) {
			put_whole(row, all[i].count, 8);
		} else if (is_exact(sel)) {
			MP_SIM_TRY(put_exact(env, row, &all[i], sel));
		} else if (sel->aggregate == MP_SIM_SUM || sel->aggregate == MP_SIM_AVG) {
			put_number(row, &all[i], sel);
		} else {
			mp_sim_put_value(row, all[i].count > 0 ? all[i].best : (struct mp_bytes){NULL, -1});
		}
	}
	return 0;
}
