// SPDX-License-Identifier: Apache-2.0
#include "sim/store/resolve.h"

#include <string.h>

#include "base/err.h"
#include "sim/cql/compare.h"
#include "sim/store/counter.h"

int mp_sim_row_view_init(struct mp_sim_row_view *view, const struct mp_sim_table *table,
                         struct mp_arena *arena)
{
	view->values = mp_arena_alloc(arena, table->column_count * sizeof(*view->values));
	view->writetimes = mp_arena_alloc(arena, table->column_count * sizeof(*view->writetimes));
	view->ttls = mp_arena_alloc(arena, table->column_count * sizeof(*view->ttls));
	return view->values == NULL || view->writetimes == NULL || view->ttls == NULL ? MP_ENOMEM : 0;
}

struct resolve {
	const struct mp_sim_table *table;
	struct mp_sim_row *const *rows;
	size_t count;
	int64_t now_us;
	int64_t deleted; // everything up to this time is gone
	struct mp_arena *arena;
};

static int64_t newest_deletion(const struct mp_sim_table *table, struct mp_sim_partition *const *partitions,
                               struct mp_sim_row *const *rows, size_t count)
{
	int64_t deleted = MP_SIM_NEVER;
	struct mp_bytes clustering = {NULL, 0};
	for (size_t i = 0; i < count; i++) {
		if (rows[i] == NULL)
			continue;
		clustering = mp_sim_row_clustering(rows[i]);
		if (rows[i]->deleted > deleted)
			deleted = rows[i]->deleted;
	}
	for (size_t i = 0; i < count; i++) {
		const struct mp_sim_partition *partition = partitions[i];
		if (partition == NULL)
			continue;
		if (partition->deleted > deleted)
			deleted = partition->deleted;
		for (uint32_t k = 0; k < partition->range_count; k++) {
			const struct mp_sim_range_delete *range = &partition->ranges[k];
			if (range->ts > deleted && mp_sim_bound_allows_low(table, &range->low, clustering) &&
			    mp_sim_bound_allows_high(table, &range->high, clustering))
				deleted = range->ts;
		}
	}
	return deleted;
}

static bool is_live(const struct resolve *r, const struct mp_sim_cell *cell, int64_t deleted)
{
	return cell->len >= 0 && cell->ts > deleted && (cell->expires == 0 || cell->expires > r->now_us);
}

static const struct mp_sim_cell *newer(const struct mp_sim_cell *a, const struct mp_sim_cell *b)
{
	if (a == NULL || a->len == -2)
		return b;
	if (b->len == -2 || a->ts != b->ts)
		return b->len == -2 || a->ts > b->ts ? a : b;
	if (a->len < 0 || b->len < 0)
		return a->len < 0 ? a : b;
	int32_t common = a->len < b->len ? a->len : b->len;
	int order = common > 0 ? memcmp(a->data, b->data, (size_t)common) : 0;
	return order != 0 ? (order > 0 ? a : b) : a->len >= b->len ? a : b;
}

static int32_t ttl_left(const struct resolve *r, const struct mp_sim_cell *cell)
{
	return cell->expires == 0 ? 0 : (int32_t)((cell->expires - r->now_us + 999999) / 1000000);
}

static bool resolve_simple(const struct resolve *r, const struct mp_sim_column *column,
                           struct mp_sim_row_view *view)
{
	uint16_t slot = MP_SIM_SLOT(r->table, column);
	const struct mp_sim_cell *best = NULL;
	for (size_t i = 0; i < r->count; i++) {
		if (r->rows[i] != NULL && slot < r->rows[i]->slot_count)
			best = newer(best, &r->rows[i]->slots[slot].cell);
	}
	if (best == NULL || !is_live(r, best, r->deleted))
		return false;
	view->values[column->index] =
		(struct mp_bytes){best->data != NULL ? best->data : (const uint8_t *)"", best->len};
	view->writetimes[column->index] = best->ts;
	view->ttls[column->index] = ttl_left(r, best);
	return true;
}

// 1 live, 0 not, MP_ENOMEM.
static int resolve_counter(const struct resolve *r, const struct mp_sim_column *column,
                           struct mp_sim_row_view *view)
{
	uint16_t slot = MP_SIM_SLOT(r->table, column);
	struct mp_bytes state = {NULL, 0};
	for (size_t i = 0; i < r->count; i++) {
		if (r->rows[i] == NULL || slot >= r->rows[i]->slot_count)
			continue;
		const struct mp_sim_cell *cell = &r->rows[i]->slots[slot].cell;
		if (!is_live(r, cell, r->deleted))
			continue;
		struct mp_bytes other = {cell->data, cell->len};
		struct mp_sim_shard *merged =
			mp_arena_alloc(r->arena, (size_t)(state.len + other.len) + sizeof(*merged));
		if (merged == NULL)
			return MP_ENOMEM;
		int32_t len = mp_sim_counter_merge(state, other, merged);
		state = (struct mp_bytes){(const uint8_t *)merged, len};
	}
	if (state.len == 0)
		return 0;
	uint8_t *value = mp_arena_alloc(r->arena, 8);
	if (value == NULL)
		return MP_ENOMEM;
	uint64_t total = __builtin_bswap64((uint64_t)mp_sim_counter_total(state));
	memcpy(value, &total, 8);
	view->values[column->index] = (struct mp_bytes){value, 8};
	return 1;
}

static int path_order(const struct mp_type *type, const struct mp_sim_element *a,
                      const struct mp_sim_element *b)
{
	if (type->id == MP_TYPE_LIST || type->id == MP_TYPE_UDT)
		return memcmp(a->path, b->path, (size_t)(a->path_len < b->path_len ? a->path_len : b->path_len));
	return mp_sim_compare(type->children[0], (struct mp_bytes){a->path, a->path_len},
	                      (struct mp_bytes){b->path, b->path_len});
}

// One element behind those that are written; `place` is the next field of a user's type, whose others are null.
static void put_element(const struct mp_type *type, const struct mp_sim_element *element,
                        const struct mp_sim_cell *cell, uint32_t *place, struct mp_buf *out)
{
	if (type->id == MP_TYPE_UDT) {
		for (uint32_t field = (uint32_t)element->path[0] << 8 | element->path[1]; *place < field; (*place)++)
			mp_buf_i32(out, -1);
		(*place)++;
	} else if (type->id != MP_TYPE_LIST) {
		mp_buf_i32(out, element->path_len);
		mp_buf_bytes(out, element->path, (size_t)element->path_len);
	}
	if (type->id != MP_TYPE_SET) {
		mp_buf_i32(out, cell->len);
		mp_buf_bytes(out, cell->data, (size_t)cell->len);
	}
}

// Merges the elements of all replicas, which are in order, and appends the live ones to `out`.
static uint32_t merge_elements(const struct resolve *r, const struct mp_type *type,
                               struct mp_sim_slot *const *slots, int64_t deleted, struct mp_buf *out,
                               int64_t *newest)
{
	uint32_t at[MP_SIM_RF_MAX] = {0}, live = 0, place = 0;
	for (;;) {
		const struct mp_sim_element *first = NULL;
		for (size_t i = 0; i < r->count; i++) {
			if (slots[i] == NULL || at[i] == slots[i]->count)
				continue;
			const struct mp_sim_element *element = &slots[i]->elements[at[i]];
			if (first == NULL || path_order(type, element, first) < 0)
				first = element;
		}
		if (first == NULL)
			break;
		const struct mp_sim_cell *best = NULL;
		for (size_t i = 0; i < r->count; i++) {
			if (slots[i] == NULL || at[i] == slots[i]->count)
				continue;
			const struct mp_sim_element *element = &slots[i]->elements[at[i]];
			if (element != first && path_order(type, element, first) != 0)
				continue;
			best = newer(best, &element->cell);
			at[i]++;
		}
		if (!is_live(r, best, deleted))
			continue;
		live++;
		*newest = best->ts > *newest ? best->ts : *newest;
		put_element(type, first, best, &place, out);
	}
	for (; type->id == MP_TYPE_UDT && place < type->child_count; place++)
		mp_buf_i32(out, -1);
	return live;
}

// 1 live, 0 not, MP_ENOMEM.
static int resolve_multi(const struct resolve *r, const struct mp_sim_column *column,
                         struct mp_sim_row_view *view)
{
	uint16_t index = MP_SIM_SLOT(r->table, column);
	struct mp_sim_slot *slots[MP_SIM_RF_MAX] = {NULL};
	int64_t deleted = r->deleted, newest = 0;
	bool any = false;
	for (size_t i = 0; i < r->count; i++) {
		if (r->rows[i] == NULL || index >= r->rows[i]->slot_count)
			continue;
		slots[i] = &r->rows[i]->slots[index];
		any = any || slots[i]->count > 0;
		if (slots[i]->deleted > deleted)
			deleted = slots[i]->deleted;
	}
	if (!any)
		return 0;
	struct mp_buf out;
	mp_buf_init(&out);
	bool counts = column->type->id != MP_TYPE_UDT;
	if (counts)
		mp_buf_i32(&out, 0);
	uint32_t live = merge_elements(r, column->type, slots, deleted, &out, &newest);
	int rc = 0;
	if (live > 0) {
		if (counts && !out.failed)
			mp_buf_patch_u32(&out, 0, live);
		uint8_t *copy = out.failed ? NULL : mp_arena_alloc(r->arena, out.len);
		if (copy != NULL) {
			memcpy(copy, out.data, out.len);
			view->values[column->index] = (struct mp_bytes){copy, (int32_t)out.len};
			view->writetimes[column->index] = newest;
		}
		rc = copy == NULL ? MP_ENOMEM : 1;
	}
	mp_buf_deinit(&out);
	return rc;
}

static void fill_keys(const struct mp_sim_table *table, struct mp_sim_partition *const *partitions,
                      struct mp_sim_row *const *rows, size_t count, struct mp_sim_row_view *view)
{
	const struct mp_sim_partition *partition = NULL;
	const struct mp_sim_row *row = NULL;
	for (size_t i = 0; i < count; i++) {
		partition = partition == NULL ? partitions[i] : partition;
		row = row == NULL ? rows[i] : row;
	}
	if (table->partition_count == 1) {
		view->values[0] = (struct mp_bytes){partition->key, partition->key_len};
	} else {
		struct mp_cursor cur = mp_cursor_on(partition->key, (size_t)partition->key_len);
		for (uint16_t i = 0; i < table->partition_count; i++) {
			view->values[i] = mp_cursor_short_bytes(&cur);
			mp_cursor_u8(&cur);
		}
	}
	if (row == NULL)
		return; // the static columns alone
	struct mp_cursor cur = mp_cursor_on(row->clustering, (size_t)row->clustering_len);
	for (uint16_t i = 0; i < table->clustering_count; i++)
		view->values[table->partition_count + i] = mp_cursor_bytes(&cur);
}

// 1 live, 0 not, MP_ENOMEM.
static int resolve_column(const struct resolve *r, const struct mp_sim_column *column,
                          struct mp_sim_row_view *view)
{
	view->values[column->index] = (struct mp_bytes){NULL, -1};
	view->writetimes[column->index] = 0;
	view->ttls[column->index] = 0;
	return column->multi     ? resolve_multi(r, column, view)
	       : column->counter ? resolve_counter(r, column, view)
	                         : resolve_simple(r, column, view);
}

// The static columns: a partition's deletion is theirs, those of rows and ranges are not.
static int resolve_statics(const struct mp_sim_table *table, struct mp_sim_partition *const *partitions,
                           size_t count, int64_t now_us, struct mp_arena *arena, struct mp_sim_row_view *view)
{
	struct mp_sim_row *rows[MP_SIM_RF_MAX];
	struct resolve r = {table, rows, count, now_us, MP_SIM_NEVER, arena};
	int live = 0;
	for (size_t i = 0; i < count; i++) {
		rows[i] = partitions[i] == NULL ? NULL : mp_sim_row_statics(partitions[i]);
		if (partitions[i] != NULL && partitions[i]->deleted > r.deleted)
			r.deleted = partitions[i]->deleted;
	}
	for (uint16_t i = 0; i < table->column_count; i++) {
		if (table->columns[i]->kind != MP_SIM_STATIC)
			continue;
		int rc = resolve_column(&r, table->columns[i], view);
		if (rc < 0)
			return rc;
		live = live > 0 || rc > 0;
	}
	return live;
}

int mp_sim_statics_resolve(const struct mp_sim_table *table, struct mp_sim_partition *const *partitions,
                           size_t count, int64_t now_us, struct mp_arena *arena, struct mp_sim_row_view *view)
{
	struct mp_sim_row *rows[MP_SIM_RF_MAX] = {NULL};
	for (uint16_t i = 0; i < table->column_count; i++) {
		view->values[i] = (struct mp_bytes){NULL, -1};
		view->writetimes[i] = 0;
		view->ttls[i] = 0;
	}
	int live = table->statics ? resolve_statics(table, partitions, count, now_us, arena, view) : 0;
	if (live > 0)
		fill_keys(table, partitions, rows, count, view);
	return live;
}

int mp_sim_row_resolve(const struct mp_sim_table *table, struct mp_sim_partition *const *partitions,
                       struct mp_sim_row *const *rows, size_t count, int64_t now_us, struct mp_arena *arena,
                       struct mp_sim_row_view *view)
{
	struct resolve r = {table, rows, count, now_us, newest_deletion(table, partitions, rows, count), arena};
	const struct mp_sim_cell *marker = NULL;
	for (size_t i = 0; i < count; i++) {
		if (rows[i] != NULL)
			marker = newer(marker, &rows[i]->marker);
	}
	bool live = marker != NULL && is_live(&r, marker, r.deleted);
	for (uint16_t i = (uint16_t)(table->partition_count + table->clustering_count); i < table->column_count;
	     i++) {
		if (table->columns[i]->kind == MP_SIM_STATIC)
			continue;
		int rc = resolve_column(&r, table->columns[i], view);
		if (rc < 0)
			return rc;
		live = live || rc > 0;
	}
	if (live && table->statics && resolve_statics(table, partitions, count, now_us, arena, view) < 0)
		return MP_ENOMEM;
	if (live)
		fill_keys(table, partitions, rows, count, view);
	return live ? 1 : 0;
}

// ---- walking ----------------------------------------------------------------------------------------------

static bool within(const struct mp_sim_row_walk *walk, const struct mp_sim_row *row)
{
	struct mp_bytes key = mp_sim_row_clustering(row);
	return walk->reversed ? walk->low == NULL || mp_sim_bound_allows_low(walk->table, walk->low, key)
	                      : walk->high == NULL || mp_sim_bound_allows_high(walk->table, walk->high, key);
}

void mp_sim_row_walk_start(struct mp_sim_row_walk *walk)
{
	for (size_t i = 0; i < walk->count; i++) {
		const struct mp_sim_partition *partition = walk->partitions[i];
		struct mp_sim_row *row = partition == NULL ? NULL
		                         : walk->reversed  ? mp_sim_row_seek_back(partition, walk->high)
		                                           : mp_sim_row_seek(partition, walk->low);
		walk->at[i] = row != NULL && within(walk, row) ? row : NULL;
	}
}

bool mp_sim_row_walk_next(struct mp_sim_row_walk *walk)
{
	const struct mp_sim_row *first = NULL;
	for (size_t i = 0; i < walk->count; i++) {
		if (walk->at[i] == NULL)
			continue;
		int order = first == NULL ? -1
		                          : mp_sim_clustering_compare(walk->table, mp_sim_row_clustering(walk->at[i]),
		                                                      mp_sim_row_clustering(first));
		if (first == NULL || (walk->reversed ? order > 0 : order < 0))
			first = walk->at[i];
	}
	if (first == NULL)
		return false;
	for (size_t i = 0; i < walk->count; i++) {
		struct mp_sim_row *row = walk->at[i];
		walk->row[i] = NULL;
		if (row == NULL || (row != first && mp_sim_clustering_compare(walk->table, mp_sim_row_clustering(row),
		                                                              mp_sim_row_clustering(first)) != 0))
			continue;
		walk->row[i] = row;
		row = walk->reversed ? mp_sim_row_prev(row) : mp_sim_row_next(row);
		walk->at[i] = row != NULL && within(walk, row) ? row : NULL;
	}
	return true;
}

struct mp_bytes mp_sim_row_walk_clustering(const struct mp_sim_row_walk *walk)
{
	for (size_t i = 0; i < walk->count; i++) {
		if (walk->row[i] != NULL)
			return mp_sim_row_clustering(walk->row[i]);
	}
	return (struct mp_bytes){NULL, 0};
}
