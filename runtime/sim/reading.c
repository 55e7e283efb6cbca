// SPDX-License-Identifier: Apache-2.0
#include "sim/reading.h"

#include <string.h>

#include "base/err.h"
#include "sim/cql/compare.h"
#include "sim/cql/parse.h"
#include "sim/store/key.h"
#include "wire/murmur3.h"

// ---- one row ----------------------------------------------------------------------------------------------

static int number_value(struct mp_sim_reading *s, int64_t number, bool narrow, struct mp_bytes *out)
{
	uint64_t wide = __builtin_bswap64((uint64_t)number);
	uint32_t less = __builtin_bswap32((uint32_t)number);
	return narrow ? mp_sim_keep(s->env, &less, 4, out) : mp_sim_keep(s->env, &wide, 8, out);
}

static int written_value(struct mp_sim_reading *s, const struct mp_sim_selected *sel,
                         const struct mp_bytes *values, struct mp_bytes *out)
{
	bool ttl = sel->kind == MP_SIM_SELECT_TTL;
	uint16_t at = sel->column->index;
	int64_t number = s->view.writetimes == NULL ? 0 : ttl ? s->view.ttls[at] : s->view.writetimes[at];
	*out = (struct mp_bytes){NULL, -1};
	return values[at].len < 0 || number == 0 ? 0 : number_value(s, number, ttl, out);
}

static int selected_value(struct mp_sim_reading *s, const struct mp_sim_selected *sel,
                          const struct mp_bytes *values, struct mp_bytes key, struct mp_bytes *out)
{
	switch (sel->kind) {
	case MP_SIM_SELECT_COLUMN: *out = values[sel->column->index]; return 0;
	case MP_SIM_SELECT_FIELD:
		*out = mp_sim_field(values[sel->column->index], sel->path, sel->depth);
		return 0;
	case MP_SIM_SELECT_TOKEN:
		return number_value(s, mp_murmur3_token(key.data, key.len > 0 ? (size_t)key.len : 0), false, out);
	case MP_SIM_SELECT_WRITETIME:
	case MP_SIM_SELECT_TTL: return written_value(s, sel, values, out);
	case MP_SIM_SELECT_TERM: return mp_sim_eval(s->env, sel->term, sel->type, sel->name, out);
	case MP_SIM_SELECT_CALL:
		return mp_sim_call(s->env, sel->term->text, sel->column->type->id, values[sel->column->index], out);
	case MP_SIM_SELECT_AGGREGATE:
	case MP_SIM_SELECT_COUNT: *out = (struct mp_bytes){NULL, -1}; break;
	}
	return 0;
}

int mp_sim_reading_takes(struct mp_sim_reading *s, const struct mp_sim_relation *rel,
                         const struct mp_bytes *values)
{
	if (rel->token != NULL)
		return 1;
	const struct mp_sim_column *column = mp_sim_table_column(s->plan->table, rel->column);
	return mp_sim_matches(s->env, rel, column, values[column->index]);
}

enum room { ROOM, NONE_IN_PARTITION, PAGE_FULL };

// For one more row, or group.
static enum room room_of(struct mp_sim_reading *s)
{
	if (s->partition_left == 0)
		return NONE_IN_PARTITION;
	if (s->limit_left != 0 && s->page_left != 0)
		return ROOM;
	s->more = s->limit_left != 0;
	return PAGE_FULL;
}

static void given(struct mp_sim_reading *s)
{
	s->row_count++;
	s->limit_left -= s->limit_left > 0;
	s->page_left -= s->page_left > 0;
	s->partition_left -= s->partition_left > 0;
	s->last.partition_left = s->partition_left;
}

// ---- groups -----------------------------------------------------------------------------------------------

static bool is_of_group(const struct mp_sim_reading *s, const struct mp_bytes *values)
{
	for (uint16_t i = 0; i < s->plan->group_columns; i++) {
		const struct mp_bytes *a = &s->group_key[i], *b = &values[i];
		if (a->len != b->len || (a->len > 0 && memcmp(a->data, b->data, (size_t)a->len) != 0))
			return false;
	}
	return true;
}

int mp_sim_reading_end_group(struct mp_sim_reading *s)
{
	if (!s->group_open)
		return 0;
	s->group_open = false;
	MP_SIM_TRY(mp_sim_aggregate_put(s->env, s->plan, s->group, &s->rows));
	given(s);
	return 0;
}

// What is no aggregate is of the first row.
static int begin_group(struct mp_sim_reading *s, const struct mp_bytes *values, struct mp_bytes key)
{
	memset(s->group, 0, s->plan->selected_count * sizeof(*s->group));
	for (uint16_t i = 0; i < s->plan->group_columns; i++)
		s->group_key[i] = values[i];
	for (uint32_t i = 0; i < s->plan->selected_count; i++)
		MP_SIM_TRY(selected_value(s, &s->plan->selected[i], values, key, &s->group[i].best));
	s->group_open = true;
	return 0;
}

static int add_to_group(struct mp_sim_reading *s, const struct mp_bytes *values, struct mp_bytes key,
                        struct mp_bytes clustering)
{
	if (s->group_open && !is_of_group(s, values))
		MP_SIM_TRY(mp_sim_reading_end_group(s));
	if (!s->group_open) {
		enum room room = room_of(s);
		if (room != ROOM)
			return room == PAGE_FULL ? MP_SIM_PAGE_FULL : 0;
		MP_SIM_TRY(begin_group(s, values, key));
	}
	MP_SIM_TRY(mp_sim_aggregate_add(s->env, s->plan, s->group, values));
	s->last.key = key;
	s->last.clustering = clustering;
	if (s->plan->stmt->distinct)
		s->partition_left = 0;
	return 0;
}

// ---- rows -------------------------------------------------------------------------------------------------

int mp_sim_reading_row(struct mp_sim_reading *s, const struct mp_bytes *values, struct mp_bytes key,
                       struct mp_bytes clustering)
{
	for (uint16_t i = 0; i < s->plan->where.filter_count; i++) {
		int rc = mp_sim_reading_takes(s, s->plan->where.filters[i], values);
		if (rc <= 0)
			return rc;
	}
	if (s->group != NULL)
		return add_to_group(s, values, key, clustering);
	enum room room = room_of(s);
	if (room != ROOM)
		return room == PAGE_FULL ? MP_SIM_PAGE_FULL : 0;
	for (uint32_t i = 0; i < s->plan->selected_count; i++) {
		struct mp_bytes value;
		MP_SIM_TRY(selected_value(s, &s->plan->selected[i], values, key, &value));
		mp_sim_put_value(&s->rows, value);
	}
	s->last.key = key;
	s->last.clustering = clustering;
	given(s);
	return 0;
}

// Without GROUP BY all rows are one group, also when there are none.
int mp_sim_reading_end(struct mp_sim_reading *s)
{
	if (s->group != NULL && !s->plan->groups && !s->group_open) {
		for (uint32_t i = 0; i < s->plan->selected_count; i++)
			s->group[i] = (struct mp_sim_aggregate){.best = {NULL, -1}};
		s->group_open = true;
	}
	return mp_sim_reading_end_group(s);
}

// ---- where it begins and ends -----------------------------------------------------------------------------

void mp_sim_reading_put_state(const struct mp_sim_reading *s, struct mp_buf *buf)
{
	mp_buf_text(buf, "mp");
	mp_buf_i64(buf, s->limit_left);
	mp_buf_i64(buf, s->last.partition_left);
	mp_sim_put_value(buf, s->last.key);
	mp_sim_put_value(buf, s->last.clustering);
}

static int read_state(struct mp_sim_reading *s)
{
	const struct mp_query_params *params = &s->req->body.params;
	if (params->paging_state.data == NULL || params->paging_state.len <= 0)
		return 0;
	struct mp_cursor cur = mp_cursor_on(params->paging_state.data, (size_t)params->paging_state.len);
	const uint8_t *magic = mp_cursor_take(&cur, 2);
	s->limit_left = mp_cursor_i64(&cur);
	s->from.partition_left = mp_cursor_i64(&cur);
	s->from.key = mp_cursor_bytes(&cur);
	s->from.clustering = mp_cursor_bytes(&cur);
	s->resumed = true;
	if (magic == NULL || memcmp(magic, "mp", 2) != 0 || cur.failed || s->from.key.len < 0)
		return mp_sim_fail(&s->req->err, MP_SE_PROTOCOL_ERROR, "Invalid value for the paging state");
	return 0;
}

// Its partition key is given by IN.
static bool names_several(const struct mp_sim_plan *plan)
{
	for (uint16_t i = 0; i < plan->table->partition_count; i++)
		if (plan->where.keys[i] != NULL && plan->where.keys[i]->op == MP_SIM_IN)
			return true;
	return false;
}

static int read_limits(struct mp_sim_reading *s)
{
	const struct mp_sim_stmt *stmt = s->plan->stmt;
	const struct mp_query_params *params = &s->req->body.params;
	bool present;
	s->limit_left = s->partition_limit = s->page_left = -1;
	MP_SIM_TRY(mp_sim_eval_i64(s->env, stmt->limit, MP_TYPE_INT, "[limit]", &s->limit_left, &present));
	if (present && s->limit_left <= 0)
		return mp_sim_fail(&s->req->err, MP_SE_INVALID, "LIMIT must be strictly positive");
	MP_SIM_TRY(mp_sim_eval_i64(s->env, stmt->partition_limit, MP_TYPE_INT, "[per_partition_limit]",
	                           &s->partition_limit, &present));
	if (present && s->partition_limit <= 0)
		return mp_sim_fail(&s->req->err, MP_SE_INVALID, "PER PARTITION LIMIT must be strictly positive");
	if (params->page_size > 0)
		s->page_left = params->page_size;
	bool pages = s->page_left > 0 && (s->limit_left < 0 || s->limit_left > s->page_left);
	if (pages && stmt->order != NULL && names_several(s->plan))
		return mp_sim_fail(
			&s->req->err, MP_SE_INVALID,
			"Cannot page queries with both ORDER BY and a IN restriction on the partition key; "
			"you must either remove the ORDER BY or the IN and sort client side, or disable "
			"paging for this query");
	return read_state(s);
}

int mp_sim_reading_begin(struct mp_sim_reading *s)
{
	const struct mp_sim_plan *plan = s->plan;
	if (plan->aggregates || plan->groups) {
		s->group = mp_arena_alloc(s->env->arena, plan->selected_count * sizeof(*s->group));
		s->group_key = mp_arena_alloc(s->env->arena, (plan->group_columns + 1u) * sizeof(*s->group_key));
		if (s->group == NULL || s->group_key == NULL)
			return mp_sim_fail_nomem(&s->req->err);
	}
	return read_limits(s);
}
