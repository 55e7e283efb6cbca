// SPDX-License-Identifier: Apache-2.0
// SELECT: partitions by key or the whole ring in token order, each from as many replicas as the level asks, page by
// page. A paging state names the last row that was given, so a page may be asked from any node.
#include "sim/aggregate.h"
#include "sim/coord.h"
#include "sim/cql/compare.h"
#include "sim/cql/parse.h"
#include "sim/store/key.h"
#include "sim/store/resolve.h"

#include <string.h>

#include "base/err.h"
#include "wire/murmur3.h"

#define PAGE_FULL 1 // returned through the walk: the page is full, or the limit is reached

struct select {
	struct mp_sim_request *req;
	const struct mp_sim_plan *plan;
	struct mp_sim_env *env;
	struct mp_sim_row_view view;
	struct mp_buf rows; // encoded rows of this page
	uint32_t row_count;
	struct mp_sim_aggregate *aggregates; // one for each selected column, or none
	int64_t limit_left;
	int64_t page_left;
	int64_t partition_limit;
	int64_t partition_left;
	bool more;
	// the last row given, for the paging state
	struct mp_bytes last_key;
	struct mp_bytes last_clustering;
	int64_t last_partition_left;
	// where the asked page begins
	bool resumed;
	struct mp_bytes from_key;
	struct mp_bytes from_clustering;
	int64_t from_partition_left;
	struct mp_sim_bound low;
	struct mp_sim_bound high;
};

static int put_i64_value(struct mp_buf *buf, int64_t value, bool narrow)
{
	mp_buf_i32(buf, narrow ? 4 : 8);
	if (narrow)
		mp_buf_i32(buf, (int32_t)value);
	else
		mp_buf_i64(buf, value);
	return 0;
}

static void put_value(struct mp_buf *buf, struct mp_bytes value)
{
	mp_buf_i32(buf, value.len < 0 ? -1 : value.len);
	mp_buf_bytes(buf, value.data, value.len > 0 ? (size_t)value.len : 0);
}

static int put_selected(struct select *s, const struct mp_sim_selected *sel, const struct mp_bytes *values,
                        int64_t token)
{
	struct mp_bytes value;
	switch (sel->kind) {
	case MP_SIM_SELECT_COLUMN: put_value(&s->rows, values[sel->column->index]); return 0;
	case MP_SIM_SELECT_FIELD:
		put_value(&s->rows, mp_sim_field(values[sel->column->index], sel->path, sel->depth));
		return 0;
	case MP_SIM_SELECT_TOKEN: return put_i64_value(&s->rows, token, false);
	case MP_SIM_SELECT_WRITETIME:
	case MP_SIM_SELECT_TTL: {
		bool ttl = sel->kind == MP_SIM_SELECT_TTL;
		int64_t number = s->view.writetimes == NULL ? 0
		                 : ttl                      ? s->view.ttls[sel->column->index]
		                                            : s->view.writetimes[sel->column->index];
		if (values[sel->column->index].len < 0 || number == 0)
			mp_buf_i32(&s->rows, -1);
		else
			put_i64_value(&s->rows, number, ttl);
		return 0;
	}
	case MP_SIM_SELECT_TERM:
		MP_SIM_TRY(mp_sim_eval(s->env, sel->term, sel->type, sel->name, &value));
		put_value(&s->rows, value);
		return 0;
	case MP_SIM_SELECT_AGGREGATE:
	case MP_SIM_SELECT_COUNT: return 0;
	}
	return 0;
}

static int filtered(struct select *s, const struct mp_sim_relation *rel, const struct mp_bytes *values)
{
	if (rel->token != NULL)
		return 1;
	const struct mp_sim_column *column = mp_sim_table_column(s->plan->table, rel->column);
	return mp_sim_matches(s->env, rel, column, values[column->index]);
}

// One row that lives and lies in range. Negative: error; PAGE_FULL: stop.
static int emit(struct select *s, const struct mp_bytes *values, struct mp_bytes key,
                struct mp_bytes clustering)
{
	for (uint16_t i = 0; i < s->plan->where.filter_count; i++) {
		int rc = filtered(s, s->plan->where.filters[i], values);
		if (rc <= 0)
			return rc;
	}
	if (s->partition_left == 0)
		return 0;
	if (s->plan->aggregates) {
		mp_sim_aggregate_add(s->plan, s->aggregates, values);
		return 0;
	}
	if (s->limit_left == 0)
		return PAGE_FULL;
	if (s->page_left == 0) {
		s->more = true;
		return PAGE_FULL;
	}
	int64_t token = mp_murmur3_token(key.data, key.len > 0 ? (size_t)key.len : 0);
	for (uint32_t i = 0; i < s->plan->selected_count; i++)
		MP_SIM_TRY(put_selected(s, &s->plan->selected[i], values, token));
	s->row_count++;
	s->limit_left -= s->limit_left > 0;
	s->page_left -= s->page_left > 0;
	s->partition_left -= s->partition_left > 0;
	s->last_key = key;
	s->last_clustering = clustering;
	s->last_partition_left = s->partition_left;
	return 0;
}

// ---- one partition ----------------------------------------------------------------------------------------

static bool is_resume_key(const struct select *s, struct mp_bytes key)
{
	return s->resumed && s->from_key.len == key.len &&
	       (key.len == 0 || memcmp(s->from_key.data, key.data, (size_t)key.len) == 0);
}

// A partition without rows shows its static columns, if it is asked for as a whole.
static int read_statics(struct select *s, struct mp_sim_partition *const *partitions, size_t count,
                        struct mp_bytes key)
{
	const struct mp_sim_where *where = &s->plan->where;
	if (!s->plan->table->statics || where->equal_count > 0 || where->low != NULL || where->high != NULL)
		return 0;
	int rc =
		mp_sim_statics_resolve(s->plan->table, partitions, count, s->env->now_us, s->env->arena, &s->view);
	return rc > 0 ? emit(s, s->view.values, key, (struct mp_bytes){NULL, 0}) : rc;
}

static int read_partition(struct select *s, struct mp_sim_partition *const *partitions, size_t count,
                          struct mp_bytes key)
{
	struct mp_sim_bound low = s->low, high = s->high;
	s->partition_left = s->plan->stmt->distinct ? 1 : s->partition_limit;
	if (is_resume_key(s, key)) {
		struct mp_sim_bound *from = s->plan->reversed ? &high : &low;
		if (s->from_clustering.len <= 0)
			return 0;
		*from = (struct mp_sim_bound){s->from_clustering, true};
		s->partition_left = s->from_partition_left;
	}
	struct mp_sim_row_walk walk = {.table = s->plan->table,
	                               .partitions = partitions,
	                               .count = count,
	                               .reversed = s->plan->reversed,
	                               .low = &low,
	                               .high = &high};
	bool any = is_resume_key(s, key);
	mp_sim_row_walk_start(&walk);
	while (s->partition_left != 0 && mp_sim_row_walk_next(&walk)) {
		int rc = mp_sim_row_resolve(s->plan->table, partitions, walk.row, count, s->env->now_us,
		                            s->env->arena, &s->view);
		any = any || rc > 0;
		if (rc > 0)
			rc = emit(s, s->view.values, key, mp_sim_row_walk_clustering(&walk));
		if (rc != 0)
			return rc;
	}
	return any ? 0 : read_statics(s, partitions, count, key);
}

static int partition_retry(struct select *s, const struct mp_sim_replica_set *set)
{
	struct mp_sim_wait_spec spec = {.timeout_ms = s->req->conn->owner->cluster->options.read_timeout_ms,
	                                .level = s->req->body.params.consistency,
	                                .strategy = set->strategy,
	                                .code = MP_SE_READ_TIMEOUT,
	                                .retry = true};
	const struct mp_sim_cluster *cluster = s->req->conn->owner->cluster;
	for (size_t i = 0; i < set->count; i++) {
		const struct mp_sim_node *node = cluster->nodes[set->nodes[i]];
		if (!mp_sim_node_answers(node))
			continue;
		mp_sim_count_node(&spec.acks, node);
		spec.data_present = true;
	}
	int rc = mp_sim_wait_begin(s->req, &spec);
	return rc < 0 ? rc : PAGE_FULL;
}

static int read_keys(struct select *s)
{
	struct mp_sim_key_list list;
	MP_SIM_TRY(mp_sim_keys(s->env, s->plan, &list));
	MP_SIM_TRY(mp_sim_bounds(s->env, s->plan, &s->low, &s->high));
	size_t at = 0;
	while (s->resumed && at < list.count && !is_resume_key(s, list.keys[at]))
		at++;
	for (; at < list.count; at++) {
		struct mp_sim_replica_set set, from;
		struct mp_sim_partition *partitions[MP_SIM_RF_MAX];
		MP_SIM_TRY(mp_sim_coord_replicas(s->req, s->plan->table, list.tokens[at], &set));
		int rc = mp_sim_coord_pick(s->req, &set, s->req->body.params.consistency, &from);
		if (rc == MP_EAGAIN)
			return partition_retry(s, &set);
		MP_SIM_TRY(rc);
		for (size_t i = 0; i < from.count; i++)
			partitions[i] = mp_sim_store_find(&s->req->conn->owner->cluster->nodes[from.nodes[i]]->store,
			                                  s->plan->table, list.tokens[at], list.keys[at]);
		rc = read_partition(s, partitions, from.count, list.keys[at]);
		if (rc != 0)
			return rc;
	}
	return 0;
}

// ---- the whole ring ---------------------------------------------------------------------------------------

struct range {
	int64_t low; // exclusive, unless it is the first token of all
	bool from_start;
	int64_t high; // inclusive
};

static int token_bounds(struct select *s, struct range *range)
{
	const struct mp_sim_where *where = &s->plan->where;
	bool present;
	int64_t token;
	*range = (struct range){INT64_MIN, true, INT64_MAX};
	if (where->token_equal != NULL) {
		MP_SIM_TRY(
			mp_sim_eval_i64(s->env, where->token_equal->value, MP_TYPE_BIGINT, "token", &token, &present));
		*range = (struct range){token == INT64_MIN ? token : token - 1, token == INT64_MIN, token};
	}
	if (where->token_low != NULL) {
		MP_SIM_TRY(
			mp_sim_eval_i64(s->env, where->token_low->value, MP_TYPE_BIGINT, "token", &token, &present));
		bool inclusive = where->token_low->op == MP_SIM_GE;
		range->from_start = inclusive && token == INT64_MIN;
		range->low = inclusive && token != INT64_MIN ? token - 1 : token;
	}
	if (where->token_high != NULL) {
		MP_SIM_TRY(
			mp_sim_eval_i64(s->env, where->token_high->value, MP_TYPE_BIGINT, "token", &token, &present));
		if (where->token_high->op == MP_SIM_LT && token == INT64_MIN)
			range->high = range->low; // nothing lies below
		else
			range->high = where->token_high->op == MP_SIM_LT ? token - 1 : token;
	}
	return 0;
}

static struct mp_sim_partition *first_in_range(const struct select *s, uint16_t node,
                                               const struct range *range)
{
	const struct mp_sim_store *store = &s->req->conn->owner->cluster->nodes[node]->store;
	struct mp_bytes empty = {(const uint8_t *)"", 0};
	int64_t token = range->from_start ? INT64_MIN : range->low;
	bool resume = false;
	if (s->resumed) {
		int64_t from = mp_murmur3_token(s->from_key.data, (size_t)s->from_key.len);
		resume = from > token || (from == token && range->from_start);
		token = resume ? from : token;
	}
	if (resume)
		return mp_sim_store_seek(store, s->plan->table, token, s->from_key, false);
	struct mp_sim_partition *at = mp_sim_store_seek(store, s->plan->table, token, empty, false);
	while (at != NULL && !range->from_start && at->token <= range->low)
		at = mp_sim_partition_next(at);
	return at;
}

static int compare_partitions(const struct mp_sim_partition *a, const struct mp_sim_partition *b)
{
	struct mp_sim_partition_key key = {b->token, {b->key, b->key_len}};
	return mp_sim_partition_compare(NULL, &a->node, &key);
}

// All partitions of a range, each merged from the replicas that have it.
static int scan_range(struct select *s, const struct mp_sim_replica_set *from, const struct range *range)
{
	struct mp_sim_partition *at[MP_SIM_RF_MAX], *same[MP_SIM_RF_MAX];
	for (size_t i = 0; i < from->count; i++)
		at[i] = first_in_range(s, from->nodes[i], range);
	for (;;) {
		const struct mp_sim_partition *first = NULL;
		for (size_t i = 0; i < from->count; i++) {
			if (at[i] != NULL && at[i]->token > range->high)
				at[i] = NULL;
			if (at[i] != NULL && (first == NULL || compare_partitions(at[i], first) < 0))
				first = at[i];
		}
		if (first == NULL)
			return 0;
		for (size_t i = 0; i < from->count; i++) {
			same[i] =
				at[i] != NULL && (at[i] == first || compare_partitions(at[i], first) == 0) ? at[i] : NULL;
			if (same[i] != NULL)
				at[i] = mp_sim_partition_next(at[i]);
		}
		int rc = read_partition(s, same, from->count, (struct mp_bytes){first->key, first->key_len});
		if (rc != 0)
			return rc;
	}
}

static int scan(struct select *s)
{
	const struct mp_sim_ring *ring = &s->req->conn->owner->cluster->ring;
	struct range asked;
	MP_SIM_TRY(token_bounds(s, &asked));
	for (size_t piece = 0; piece <= ring->count; piece++) {
		// Piece 0 lies before the first token, the last one behind the last; both belong to the first entry.
		int64_t low = piece == 0 ? INT64_MIN : ring->entries[piece - 1].token;
		int64_t high = piece == ring->count ? INT64_MAX : ring->entries[piece].token;
		struct range range = {low > asked.low ? low : asked.low, piece == 0 && asked.from_start,
		                      high < asked.high ? high : asked.high};
		if (range.low > range.high || (range.low == range.high && !range.from_start))
			continue;
		struct mp_sim_replica_set set, from;
		MP_SIM_TRY(mp_sim_coord_replicas(s->req, s->plan->table, high, &set));
		int rc = mp_sim_coord_pick(s->req, &set, s->req->body.params.consistency, &from);
		if (rc == MP_EAGAIN)
			return partition_retry(s, &set);
		MP_SIM_TRY(rc);
		rc = scan_range(s, &from, &range);
		if (rc != 0)
			return rc;
	}
	return 0;
}

// ---- tables made from the live state ----------------------------------------------------------------------

static int virtual_row(void *data, const struct mp_bytes *values)
{
	struct select *s = data;
	for (const struct mp_sim_relation *rel = s->plan->stmt->where; rel != NULL; rel = rel->next) {
		int rc = filtered(s, rel, values);
		if (rc <= 0)
			return rc;
	}
	return emit(s, values, (struct mp_bytes){NULL, 0}, (struct mp_bytes){NULL, 0});
}

static int read_virtual(struct select *s)
{
	s->page_left = -1; // never paged: they are small
	s->partition_left = -1;
	return mp_sim_system_rows(s->req->conn->owner, s->plan->table, s->env->arena, virtual_row, s);
}

// ---- paging state -----------------------------------------------------------------------------------------

static void put_state(const struct select *s, struct mp_buf *buf)
{
	mp_buf_text(buf, "mp");
	mp_buf_i64(buf, s->limit_left);
	mp_buf_i64(buf, s->last_partition_left);
	put_value(buf, s->last_key);
	put_value(buf, s->last_clustering);
}

static int read_state(struct select *s)
{
	const struct mp_query_params *params = &s->req->body.params;
	if (params->paging_state.data == NULL || params->paging_state.len <= 0)
		return 0;
	struct mp_cursor cur = mp_cursor_on(params->paging_state.data, (size_t)params->paging_state.len);
	const uint8_t *magic = mp_cursor_take(&cur, 2);
	s->limit_left = mp_cursor_i64(&cur);
	s->from_partition_left = mp_cursor_i64(&cur);
	s->from_key = mp_cursor_bytes(&cur);
	s->from_clustering = mp_cursor_bytes(&cur);
	s->resumed = true;
	if (magic == NULL || memcmp(magic, "mp", 2) != 0 || cur.failed || s->from_key.len < 0)
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

static int read_limits(struct select *s)
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

static void answer_rows(struct select *s)
{
	struct mp_sim_request *req = s->req;
	const struct mp_query_params *params = &req->body.params;
	struct mp_rows_head head = {.metadata = s->plan->result, .skip_metadata = params->skip_metadata};
	struct mp_buf state;
	mp_buf_init(&state);
	if (s->more) {
		put_state(s, &state);
		head.paging_state = (struct mp_bytes){state.data, (int32_t)state.len};
	}
	bool execute = req->envelope.opcode == MP_OP_EXECUTE && req->envelope.version >= 5;
	struct mp_str current = {(const char *)s->plan->result_id, sizeof(s->plan->result_id)};
	if (execute && !mp_str_eq(req->body.result_metadata_id, current)) {
		head.new_metadata_id = current;
		head.skip_metadata = false;
	}
	struct mp_buf *buf = mp_sim_answer_begin(req);
	struct mp_rows_mark mark = mp_encode_rows_begin(buf, req->envelope.version, req->envelope.stream, &head);
	if (s->plan->aggregates) {
		mp_sim_aggregate_put(s->plan, s->aggregates, buf);
		s->row_count = 1;
	} else {
		mp_buf_bytes(buf, s->rows.data, s->rows.len);
	}
	mp_encode_rows_end(buf, mark, s->row_count);
	mp_sim_answer_end(req);
	mp_buf_deinit(&state);
	req->executed = true;
}

static int read_all(struct select *s)
{
	const struct mp_sim_table *table = s->plan->table;
	uint16_t level = s->req->body.params.consistency;
	if (level == MP_CL_ANY)
		return mp_sim_fail(&s->req->err, MP_SE_INVALID, "ANY ConsistencyLevel is only supported for writes");
	if (level > MP_CL_LOCAL_ONE)
		return mp_sim_fail(&s->req->err, MP_SE_PROTOCOL_ERROR, "Unknown code %u for a consistency level",
		                   level);
	MP_SIM_TRY(read_limits(s));
	if (s->plan->aggregates) {
		s->aggregates = mp_arena_alloc(s->env->arena, s->plan->selected_count * sizeof(*s->aggregates));
		if (s->aggregates == NULL)
			return mp_sim_fail_nomem(&s->req->err);
	}
	if (table->source != NULL)
		return read_virtual(s);
	if (mp_sim_row_view_init(&s->view, table, s->env->arena) < 0)
		return mp_sim_fail_nomem(&s->req->err);
	return s->plan->where.full_key ? read_keys(s) : scan(s);
}

int mp_sim_select(struct mp_sim_request *req, struct mp_sim_plan *plan, struct mp_sim_env *env)
{
	struct select s = {.req = req, .plan = plan, .env = env};
	mp_buf_init(&s.rows);
	int rc = read_all(&s);
	if (rc >= 0 && s.rows.failed)
		rc = mp_sim_fail_nomem(&req->err);
	if (rc >= 0 && !req->answered)
		answer_rows(&s);
	mp_buf_deinit(&s.rows);
	return rc < 0 ? rc : 0;
}
