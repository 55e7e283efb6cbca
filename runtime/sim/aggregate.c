// SPDX-License-Identifier: Apache-2.0
#include "sim/aggregate.h"

#include "sim/cql/compare.h"
#include "wire/value.h"

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

static void add(struct mp_sim_aggregate *at, const struct mp_sim_selected *sel, struct mp_bytes value)
{
	const struct mp_type *type = sel->column->type;
	if (value.len < 0)
		return;
	at->count++;
	if (sel->aggregate == MP_SIM_SUM || sel->aggregate == MP_SIM_AVG)
		add_number(at, type->id, value);
	int order = at->count == 1 ? 0 : mp_sim_compare(type, value, at->best);
	if (at->count == 1 || (sel->aggregate == MP_SIM_MIN && order < 0) ||
	    (sel->aggregate == MP_SIM_MAX && order > 0))
		at->best = value;
}

void mp_sim_aggregate_add(const struct mp_sim_plan *plan, struct mp_sim_aggregate *all,
                          const struct mp_bytes *values)
{
	for (uint32_t i = 0; i < plan->selected_count; i++) {
		const struct mp_sim_selected *sel = &plan->selected[i];
		if (sel->kind == MP_SIM_SELECT_COUNT)
			all[i].count++;
		else if (sel->kind == MP_SIM_SELECT_AGGREGATE)
			add(&all[i], sel, values[sel->column->index]);
	}
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

void mp_sim_put_value(struct mp_buf *row, struct mp_bytes value)
{
	mp_buf_i32(row, value.len < 0 ? -1 : value.len);
	mp_buf_bytes(row, value.data, value.len > 0 ? (size_t)value.len : 0);
}

void mp_sim_aggregate_put(const struct mp_sim_plan *plan, const struct mp_sim_aggregate *all,
                          struct mp_buf *row)
{
	for (uint32_t i = 0; i < plan->selected_count; i++) {
		const struct mp_sim_selected *sel = &plan->selected[i];
		bool plain = sel->kind != MP_SIM_SELECT_COUNT && sel->kind != MP_SIM_SELECT_AGGREGATE;
		if (plain) {
			mp_sim_put_value(row, all[i].best);
		} else if (sel->kind == MP_SIM_SELECT_COUNT || sel->aggregate == MP_SIM_COUNT_OF) {
			put_whole(row, all[i].count, 8);
		} else if (sel->aggregate == MP_SIM_SUM || sel->aggregate == MP_SIM_AVG) {
			put_number(row, &all[i], sel);
		} else {
			mp_sim_put_value(row, all[i].count > 0 ? all[i].best : (struct mp_bytes){NULL, -1});
		}
	}
}
