// SPDX-License-Identifier: Apache-2.0
// SELECT: partitions by key or the whole ring in token order, each from as many replicas as the level asks, page by
// page. A paging state names the last row that was given, so a page may be asked from any node.
#include "sim/coord.h"
#include "sim/cql/parse.h"
#include "sim/reading.h"
#include "sim/store/key.h"
#include "sim/store/resolve.h"

#include <string.h>

#include "base/err.h"
#include "wire/murmur3.h"

// ---- one partition ----------------------------------------------------------------------------------------

static bool is_resume_key(const struct mp_sim_reading *s, struct mp_bytes key)
{
	return s->resumed && s->from.key.len == key.len &&
	       (key.len == 0 || memcmp(s->from.key.data, key.data, (size_t)key.len) == 0);
}

// A partition without rows shows its static columns, if it is asked for as a whole.
static int read_statics(struct mp_sim_reading *s, struct mp_sim_partition *const *partitions, size_t count,
                        struct mp_bytes key)
{
	const struct mp_sim_where *where = &s->plan->where;
	if (!s->plan->table->statics || where->equal_count > 0 || where->low != NULL || where->high != NULL)
		return 0;
	int rc =
		mp_sim_statics_resolve(s->plan->table, partitions, count, s->env->now_us, s->env->arena, &s->view);
	return rc > 0 ? mp_sim_reading_row(s, s->view.values, key, (struct mp_bytes){NULL, 0}) : rc;
}

static int read_partition(struct mp_sim_reading *s, struct mp_sim_partition *const *partitions, size_t count,
                          struct mp_bytes key)
{
	struct mp_sim_bound low = s->low, high = s->high;
	s->partition_left = s->plan->stmt->distinct ? 1 : s->partition_limit;
	if (is_resume_key(s, key)) {
		struct mp_sim_bound *from = s->plan->reversed ? &high : &low;
		if (s->from.clustering.len <= 0)
			return 0;
		*from = (struct mp_sim_bound){s->from.clustering, true};
		s->partition_left = s->from.partition_left;
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
			rc = mp_sim_reading_row(s, s->view.values, key, mp_sim_row_walk_clustering(&walk));
		if (rc != 0)
			return rc;
	}
	if (!any) {
		int rc = read_statics(s, partitions, count, key);
		if (rc != 0)
			return rc;
	}
	return s->plan->groups ? mp_sim_reading_end_group(s) : 0;
}

static int partition_retry(struct mp_sim_reading *s, const struct mp_sim_replica_set *set)
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
	return rc < 0 ? rc : MP_SIM_PAGE_FULL;
}

static int read_keys(struct mp_sim_reading *s)
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

static int token_bounds(struct mp_sim_reading *s, struct range *range)
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

static struct mp_sim_partition *first_in_range(const struct mp_sim_reading *s, uint16_t node,
                                               const struct range *range)
{
	const struct mp_sim_store *store = &s->req->conn->owner->cluster->nodes[node]->store;
	struct mp_bytes empty = {(const uint8_t *)"", 0};
	int64_t token = range->from_start ? INT64_MIN : range->low;
	bool resume = false;
	if (s->resumed) {
		int64_t from = mp_murmur3_token(s->from.key.data, (size_t)s->from.key.len);
		resume = from > token || (from == token && range->from_start);
		token = resume ? from : token;
	}
	if (resume)
		return mp_sim_store_seek(store, s->plan->table, token, s->from.key, false);
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
static int scan_range(struct mp_sim_reading *s, const struct mp_sim_replica_set *from,
                      const struct range *range)
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

static int scan(struct mp_sim_reading *s)
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
	struct mp_sim_reading *s = data;
	for (const struct mp_sim_relation *rel = s->plan->stmt->where; rel != NULL; rel = rel->next) {
		int rc = mp_sim_reading_takes(s, rel, values);
		if (rc <= 0)
			return rc;
	}
	return mp_sim_reading_row(s, values, (struct mp_bytes){NULL, 0}, (struct mp_bytes){NULL, 0});
}

static int read_virtual(struct mp_sim_reading *s)
{
	s->page_left = -1; // never paged: they are small
	s->partition_left = -1;
	return mp_sim_system_rows(s->req->conn->owner, s->plan->table, s->env->arena, virtual_row, s);
}

// ---- all --------------------------------------------------------------------------------------------------

static void answer_rows(struct mp_sim_reading *s)
{
	struct mp_sim_request *req = s->req;
	const struct mp_query_params *params = &req->body.params;
	struct mp_rows_head head = {.metadata = s->plan->result, .skip_metadata = params->skip_metadata};
	struct mp_buf state;
	mp_buf_init(&state);
	if (s->more) {
		mp_sim_reading_put_state(s, &state);
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
	mp_buf_bytes(buf, s->rows.data, s->rows.len);
	mp_encode_rows_end(buf, mark, s->row_count);
	mp_sim_answer_end(req);
	mp_buf_deinit(&state);
	req->executed = true;
}

static int read_all(struct mp_sim_reading *s)
{
	const struct mp_sim_table *table = s->plan->table;
	uint16_t level = s->req->body.params.consistency;
	if (level == MP_CL_ANY)
		return mp_sim_fail(&s->req->err, MP_SE_INVALID, "ANY ConsistencyLevel is only supported for writes");
	if (level > MP_CL_LOCAL_ONE)
		return mp_sim_fail(&s->req->err, MP_SE_PROTOCOL_ERROR, "Unknown code %u for a consistency level",
		                   level);
	MP_SIM_TRY(mp_sim_reading_begin(s));
	if (table->source != NULL)
		return read_virtual(s);
	if (mp_sim_row_view_init(&s->view, table, s->env->arena) < 0)
		return mp_sim_fail_nomem(&s->req->err);
	return s->plan->where.full_key ? read_keys(s) : scan(s);
}

int mp_sim_select(struct mp_sim_request *req, struct mp_sim_plan *plan, struct mp_sim_env *env)
{
	struct mp_sim_reading s = {.req = req, .plan = plan, .env = env};
	mp_buf_init(&s.rows);
	int rc = read_all(&s);
	if (rc >= 0 && !req->answered)
		rc = mp_sim_reading_end(&s);
	if (rc >= 0 && s.rows.failed)
		rc = mp_sim_fail_nomem(&req->err);
	if (rc >= 0 && !req->answered)
		answer_rows(&s);
	mp_buf_deinit(&s.rows);
	return rc < 0 ? rc : 0;
}
