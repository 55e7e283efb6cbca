// SPDX-License-Identifier: Apache-2.0
// Writing into a node's storage: the newest time wins; at the same time a deletion wins, then the larger value.
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "sim/cql/compare.h"
#include "sim/cql/parse.h"
#include "sim/store/counter.h"
#include "sim/store/store.h"

static int set_data(struct mp_sim_cell *cell, struct mp_bytes value)
{
	if (value.len <= 0) {
		mp_free(cell->data);
		cell->data = NULL;
	} else {
		if (cell->len < value.len) {
			uint8_t *data = mp_realloc(cell->data, (size_t)value.len);
			if (data == NULL)
				return MP_ENOMEM;
			cell->data = data;
		}
		memcpy(cell->data, value.data, (size_t)value.len);
	}
	cell->len = value.len;
	return 0;
}

static bool wins(const struct mp_sim_cell *old, int64_t ts, struct mp_bytes value)
{
	if (old->len == -2 || ts != old->ts)
		return old->len == -2 || ts > old->ts;
	if (value.len < 0 || old->len < 0)
		return value.len < 0 && old->len >= 0;
	int32_t common = value.len < old->len ? value.len : old->len;
	int order = common > 0 ? memcmp(value.data, old->data, (size_t)common) : 0;
	return order != 0 ? order > 0 : value.len > old->len;
}

static int merge_cell(struct mp_sim_cell *cell, int64_t ts, int64_t expires, int32_t ttl,
                      struct mp_bytes value)
{
	if (!wins(cell, ts, value))
		return 0;
	int rc = set_data(cell, value);
	if (rc < 0)
		return rc;
	cell->ts = ts;
	cell->expires = expires;
	cell->ttl = ttl;
	return 0;
}

static int merge_counter(struct mp_sim_cell *cell, const struct mp_sim_edit *op)
{
	struct mp_bytes old = {cell->data, cell->len > 0 ? cell->len : 0};
	size_t room =
		(size_t)old.len + (op->value.len > 0 ? (size_t)op->value.len : 0) + sizeof(struct mp_sim_shard);
	struct mp_sim_shard *merged = mp_alloc(room);
	if (merged == NULL)
		return MP_ENOMEM;
	struct mp_bytes value = {(const uint8_t *)merged, mp_sim_counter_merge(old, op->value, merged)};
	int rc = set_data(cell, value);
	if (rc == 0 && op->ts > cell->ts)
		cell->ts = op->ts;
	mp_free(merged);
	return rc;
}

// ---- elements of collections ------------------------------------------------------------------------------

static int compare_path(const struct mp_type *type, struct mp_bytes a, struct mp_bytes b)
{
	if (type->id != MP_TYPE_LIST && type->id != MP_TYPE_UDT)
		return mp_sim_compare(type->children[0], a, b);
	return memcmp(a.data, b.data, (size_t)(a.len < b.len ? a.len : b.len));
}

static struct mp_sim_element *find_element(struct mp_sim_slot *slot, const struct mp_type *type,
                                           struct mp_bytes path, uint32_t *at)
{
	uint32_t low = 0, high = slot->count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		struct mp_sim_element *element = &slot->elements[middle];
		int order = compare_path(type, (struct mp_bytes){element->path, element->path_len}, path);
		if (order == 0) {
			*at = middle;
			return element;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*at = low;
	return NULL;
}

static int merge_element(struct mp_sim_slot *slot, const struct mp_type *type, const struct mp_sim_edit *op)
{
	uint32_t at;
	struct mp_sim_element *element = find_element(slot, type, op->path, &at);
	if (element != NULL)
		return merge_cell(&element->cell, op->ts, op->expires, op->ttl, op->value);
	if (slot->count == slot->cap) {
		uint32_t cap = slot->cap == 0 ? 4 : slot->cap * 2;
		struct mp_sim_element *elements = mp_realloc(slot->elements, cap * sizeof(*elements));
		if (elements == NULL)
			return MP_ENOMEM;
		slot->elements = elements;
		slot->cap = cap;
	}
	struct mp_sim_element new = {.cell.len = -2, .path_len = op->path.len};
	new.path = mp_alloc((size_t)op->path.len);
	if (new.path == NULL)
		return MP_ENOMEM;
	if (op->path.len > 0)
		memcpy(new.path, op->path.data, (size_t)op->path.len);
	int rc = merge_cell(&new.cell, op->ts, op->expires, op->ttl, op->value);
	if (rc < 0) {
		mp_free(new.path);
		return rc;
	}
	memmove(slot->elements + at + 1, slot->elements + at, (slot->count - at) * sizeof(*slot->elements));
	slot->elements[at] = new;
	slot->count++;
	return 0;
}

// What is older than the clearing is read by nobody again, so it goes: a list that is written anew stays small.
static void clear_elements(struct mp_sim_slot *slot, int64_t ts)
{
	if (ts <= slot->deleted)
		return;
	slot->deleted = ts;
	uint32_t kept = 0;
	for (uint32_t i = 0; i < slot->count; i++) {
		struct mp_sim_element *element = &slot->elements[i];
		if (element->cell.ts > ts) {
			slot->elements[kept++] = *element;
			continue;
		}
		mp_free(element->cell.data);
		mp_free(element->path);
	}
	slot->count = kept;
}

// ---- rows and partitions ----------------------------------------------------------------------------------

static struct mp_sim_slot *slot_at(struct mp_sim_row *row, const struct mp_sim_table *table, uint16_t index)
{
	if (index >= row->slot_count) {
		uint16_t count = (uint16_t)(table->column_count - table->partition_count - table->clustering_count);
		mp_assert(index < count);
		struct mp_sim_slot *slots = mp_realloc(row->slots, count * sizeof(*slots));
		if (slots == NULL)
			return NULL;
		for (uint16_t i = row->slot_count; i < count; i++)
			slots[i] = (struct mp_sim_slot){.cell.len = -2, .deleted = MP_SIM_NEVER};
		row->slots = slots;
		row->slot_count = count;
	}
	return &row->slots[index];
}

static int apply_op(struct mp_sim_row *row, const struct mp_sim_table *table, const struct mp_sim_edit *op)
{
	struct mp_sim_slot *slot = slot_at(row, table, op->slot);
	if (slot == NULL)
		return MP_ENOMEM;
	const struct mp_sim_column *column =
		table->columns[table->partition_count + table->clustering_count + op->slot];
	switch (op->kind) {
	case MP_SIM_OP_CELL: return merge_cell(&slot->cell, op->ts, op->expires, op->ttl, op->value);
	case MP_SIM_OP_ELEMENT: return merge_element(slot, column->type, op);
	case MP_SIM_OP_COUNTER: return merge_counter(&slot->cell, op);
	case MP_SIM_OP_CLEAR: clear_elements(slot, op->ts); return 0;
	}
	return 0;
}

static struct mp_sim_row *make_row(struct mp_sim_partition *partition, bool is_static,
                                   struct mp_bytes clustering)
{
	struct mp_sim_row *row =
		is_static ? mp_sim_row_statics(partition) : mp_sim_row_find(partition, clustering);
	if (row != NULL)
		return row;
	size_t len = clustering.len > 0 ? (size_t)clustering.len : 0;
	row = mp_calloc(1, sizeof(*row) + len);
	if (row == NULL)
		return NULL;
	row->marker.len = -2;
	row->deleted = MP_SIM_NEVER;
	row->clustering_len = (int32_t)len;
	if (len > 0)
		memcpy(row->clustering, clustering.data, len);
	mp_sim_tree_insert(is_static ? &partition->statics : &partition->rows, &row->node, mp_sim_row_compare,
	                   partition->table, &clustering);
	return row;
}

static int apply_row(struct mp_sim_partition *partition, const struct mp_sim_row_change *change)
{
	struct mp_sim_row *row = make_row(partition, change->is_static, change->clustering);
	if (row == NULL)
		return MP_ENOMEM;
	if (change->deleted > row->deleted)
		row->deleted = change->deleted;
	int rc = 0;
	if (change->marker)
		rc = merge_cell(&row->marker, change->ts, change->expires, change->ttl, (struct mp_bytes){NULL, 0});
	for (const struct mp_sim_edit *op = change->ops; rc == 0 && op != NULL; op = op->next)
		rc = apply_op(row, partition->table, op);
	return rc;
}

static struct mp_sim_partition *make_partition(struct mp_sim_store *store,
                                               const struct mp_sim_mutation *mutation)
{
	struct mp_sim_table_store *table = mp_sim_store_table_make(store, mutation->table);
	if (table == NULL)
		return NULL;
	struct mp_sim_partition_key key = {mutation->token, mutation->key};
	struct mp_sim_tree_node *node =
		mp_sim_tree_find(&table->partitions, mp_sim_partition_compare, NULL, &key);
	if (node != NULL)
		return MP_CONTAINER_OF(node, struct mp_sim_partition, node);
	struct mp_sim_partition *partition = mp_calloc(1, sizeof(*partition) + (size_t)mutation->key.len);
	if (partition == NULL)
		return NULL;
	partition->table = table->table;
	partition->token = mutation->token;
	partition->deleted = MP_SIM_NEVER;
	partition->key_len = mutation->key.len;
	if (mutation->key.len > 0)
		memcpy(partition->key, mutation->key.data, (size_t)mutation->key.len);
	mp_sim_tree_init(&partition->rows);
	mp_sim_tree_init(&partition->statics);
	mp_sim_tree_insert(&table->partitions, &partition->node, mp_sim_partition_compare, NULL, &key);
	return partition;
}

static int copy_bound(struct mp_sim_bound *to, const struct mp_sim_bound *from)
{
	*to = *from;
	to->prefix.data = NULL;
	if (from->prefix.len <= 0)
		return 0;
	uint8_t *data = mp_alloc((size_t)from->prefix.len);
	if (data == NULL)
		return MP_ENOMEM;
	memcpy(data, from->prefix.data, (size_t)from->prefix.len);
	to->prefix.data = data;
	return 0;
}

static bool same_bound(const struct mp_sim_bound *a, const struct mp_sim_bound *b)
{
	return a->exclusive == b->exclusive && a->prefix.len == b->prefix.len &&
	       (a->prefix.len <= 0 || memcmp(a->prefix.data, b->prefix.data, (size_t)a->prefix.len) == 0);
}

static int apply_range(struct mp_sim_partition *partition, const struct mp_sim_range_delete *range)
{
	for (uint32_t i = 0; i < partition->range_count; i++) {
		struct mp_sim_range_delete *old = &partition->ranges[i];
		if (!same_bound(&old->low, &range->low) || !same_bound(&old->high, &range->high))
			continue;
		if (range->ts > old->ts)
			old->ts = range->ts;
		return 0;
	}
	if (partition->range_count == partition->range_cap) {
		uint32_t cap = partition->range_cap * 2 + 4;
		struct mp_sim_range_delete *ranges = mp_realloc(partition->ranges, cap * sizeof(*ranges));
		if (ranges == NULL)
			return MP_ENOMEM;
		partition->ranges = ranges;
		partition->range_cap = cap;
	}
	struct mp_sim_range_delete *new = &partition->ranges[partition->range_count];
	memset(new, 0, sizeof(*new));
	new->ts = range->ts;
	if (copy_bound(&new->low, &range->low) < 0 || copy_bound(&new->high, &range->high) < 0) {
		mp_free((void *)(uintptr_t) new->low.prefix.data);
		return MP_ENOMEM;
	}
	partition->range_count++;
	return 0;
}

int mp_sim_apply(struct mp_sim_store *store, const struct mp_sim_mutation *mutation)
{
	if (mutation->table->dropped)
		return 0;
	struct mp_sim_partition *partition = make_partition(store, mutation);
	if (partition == NULL)
		return MP_ENOMEM;
	if (mutation->deleted > partition->deleted)
		partition->deleted = mutation->deleted;
	if (mutation->range != NULL)
		MP_SIM_TRY(apply_range(partition, mutation->range));
	for (const struct mp_sim_row_change *change = mutation->rows; change != NULL; change = change->next)
		MP_SIM_TRY(apply_row(partition, change));
	return 0;
}
