// SPDX-License-Identifier: Apache-2.0
// Finding things in a node's storage. How they get there is in apply.c.
#include "sim/store/store.h"

#include <string.h>

#include "base/mem.h"
#include "sim/cql/compare.h"

static size_t bucket_of(const struct mp_sim_table *table)
{
	uint32_t hash;
	memcpy(&hash, table->id.bytes, sizeof(hash));
	return hash % MP_SIM_STORE_BUCKETS;
}

void mp_sim_store_init(struct mp_sim_store *store)
{
	memset(store, 0, sizeof(*store));
}

static void free_row(struct mp_sim_tree_node *node)
{
	struct mp_sim_row *row = MP_CONTAINER_OF(node, struct mp_sim_row, node);
	for (uint16_t i = 0; i < row->slot_count; i++) {
		struct mp_sim_slot *slot = &row->slots[i];
		mp_free(slot->cell.data);
		for (uint32_t k = 0; k < slot->count; k++) {
			mp_free(slot->elements[k].cell.data);
			mp_free(slot->elements[k].path);
		}
		mp_free(slot->elements);
	}
	mp_free(row->slots);
	mp_free(row);
}

static void free_partition(struct mp_sim_tree_node *node)
{
	struct mp_sim_partition *partition = MP_CONTAINER_OF(node, struct mp_sim_partition, node);
	mp_sim_tree_clear(&partition->rows, free_row);
	mp_sim_tree_clear(&partition->statics, free_row);
	for (uint32_t i = 0; i < partition->range_count; i++) {
		// Bounds are copies; the pointer was const for readers only.
		mp_free((void *)(uintptr_t)partition->ranges[i].low.prefix.data);
		mp_free((void *)(uintptr_t)partition->ranges[i].high.prefix.data);
	}
	mp_free(partition->ranges);
	mp_free(partition);
}

void mp_sim_store_deinit(struct mp_sim_store *store)
{
	for (size_t i = 0; i < MP_SIM_STORE_BUCKETS; i++) {
		while (store->buckets[i] != NULL) {
			struct mp_sim_table_store *at = store->buckets[i];
			store->buckets[i] = at->next;
			mp_sim_tree_clear(&at->partitions, free_partition);
			mp_sim_table_unref(at->table);
			mp_free(at);
		}
	}
}

struct mp_sim_table_store *mp_sim_store_table(const struct mp_sim_store *store,
                                              const struct mp_sim_table *table)
{
	struct mp_sim_table_store *at = store->buckets[bucket_of(table)];
	while (at != NULL && at->table != table)
		at = at->next;
	return at;
}

struct mp_sim_table_store *mp_sim_store_table_make(struct mp_sim_store *store, struct mp_sim_table *table)
{
	struct mp_sim_table_store *at = mp_sim_store_table(store, table);
	if (at != NULL)
		return at;
	at = mp_calloc(1, sizeof(*at));
	if (at == NULL)
		return NULL;
	mp_sim_tree_init(&at->partitions);
	at->table = mp_sim_table_ref(table);
	size_t bucket = bucket_of(table);
	at->next = store->buckets[bucket];
	store->buckets[bucket] = at;
	return at;
}

static void forget(struct mp_sim_table_store **link)
{
	struct mp_sim_table_store *at = *link;
	*link = at->next;
	mp_sim_tree_clear(&at->partitions, free_partition);
	mp_sim_table_unref(at->table);
	mp_free(at);
}

void mp_sim_store_truncate(struct mp_sim_store *store, const struct mp_sim_table *table)
{
	struct mp_sim_table_store **link = &store->buckets[bucket_of(table)];
	while (*link != NULL && (*link)->table != table)
		link = &(*link)->next;
	if (*link != NULL)
		forget(link);
}

void mp_sim_store_sweep(struct mp_sim_store *store)
{
	for (size_t i = 0; i < MP_SIM_STORE_BUCKETS; i++) {
		struct mp_sim_table_store **link = &store->buckets[i];
		while (*link != NULL) {
			if ((*link)->table->dropped)
				forget(link);
			else
				link = &(*link)->next;
		}
	}
}

// ---- partitions -------------------------------------------------------------------------------------------

static struct mp_sim_partition *partition_of(struct mp_sim_tree_node *node)
{
	return node == NULL ? NULL : MP_CONTAINER_OF(node, struct mp_sim_partition, node);
}

int mp_sim_partition_compare(const void *context, const struct mp_sim_tree_node *node, const void *key)
{
	(void)context;
	const struct mp_sim_partition *partition =
		(const void *)((const char *)node - offsetof(struct mp_sim_partition, node));
	const struct mp_sim_partition_key *wanted = key;
	if (partition->token != wanted->token)
		return partition->token < wanted->token ? -1 : 1;
	int32_t common = partition->key_len < wanted->key.len ? partition->key_len : wanted->key.len;
	int order = common > 0 ? memcmp(partition->key, wanted->key.data, (size_t)common) : 0;
	return order != 0 ? order
	                  : (partition->key_len > wanted->key.len) - (partition->key_len < wanted->key.len);
}

struct mp_sim_partition *mp_sim_store_find(const struct mp_sim_store *store, const struct mp_sim_table *table,
                                           int64_t token, struct mp_bytes key)
{
	struct mp_sim_table_store *at = mp_sim_store_table(store, table);
	if (at == NULL)
		return NULL;
	struct mp_sim_partition_key wanted = {token, key};
	return partition_of(mp_sim_tree_find(&at->partitions, mp_sim_partition_compare, NULL, &wanted));
}

struct mp_sim_partition *mp_sim_store_seek(const struct mp_sim_store *store, const struct mp_sim_table *table,
                                           int64_t token, struct mp_bytes key, bool after)
{
	struct mp_sim_table_store *at = mp_sim_store_table(store, table);
	if (at == NULL)
		return NULL;
	struct mp_sim_partition_key wanted = {token, key};
	return partition_of(mp_sim_tree_seek(&at->partitions, mp_sim_partition_compare, NULL, &wanted, after));
}

struct mp_sim_partition *mp_sim_partition_next(const struct mp_sim_partition *partition)
{
	return partition_of(mp_sim_tree_next(&partition->node));
}

// ---- rows -------------------------------------------------------------------------------------------------

static struct mp_sim_row *row_of(struct mp_sim_tree_node *node)
{
	return node == NULL ? NULL : MP_CONTAINER_OF(node, struct mp_sim_row, node);
}

struct mp_bytes mp_sim_row_clustering(const struct mp_sim_row *row)
{
	return (struct mp_bytes){row->clustering, row->clustering_len};
}

int mp_sim_clustering_compare(const struct mp_sim_table *table, struct mp_bytes a, struct mp_bytes b)
{
	if (a.len <= 0 || b.len <= 0)
		return 0;
	struct mp_cursor ca = mp_cursor_on(a.data, (size_t)a.len), cb = mp_cursor_on(b.data, (size_t)b.len);
	for (uint16_t i = 0; i < table->clustering_count && mp_cursor_left(&ca) > 0 && mp_cursor_left(&cb) > 0;
	     i++) {
		const struct mp_sim_column *column = table->columns[table->partition_count + i];
		int order = mp_sim_compare(column->type, mp_cursor_bytes(&ca), mp_cursor_bytes(&cb));
		if (order != 0)
			return column->descending ? -order : order;
	}
	return 0;
}

int mp_sim_row_compare(const void *context, const struct mp_sim_tree_node *node, const void *key)
{
	const struct mp_sim_row *row = (const void *)((const char *)node - offsetof(struct mp_sim_row, node));
	return mp_sim_clustering_compare(context, mp_sim_row_clustering(row), *(const struct mp_bytes *)key);
}

struct mp_sim_row *mp_sim_row_statics(const struct mp_sim_partition *partition)
{
	return row_of(mp_sim_tree_first(&partition->statics));
}

struct mp_sim_row *mp_sim_row_find(const struct mp_sim_partition *partition, struct mp_bytes clustering)
{
	return row_of(mp_sim_tree_find(&partition->rows, mp_sim_row_compare, partition->table, &clustering));
}

struct mp_sim_row *mp_sim_row_seek(const struct mp_sim_partition *partition, const struct mp_sim_bound *low)
{
	if (low == NULL || low->prefix.len <= 0)
		return row_of(mp_sim_tree_first(&partition->rows));
	return row_of(mp_sim_tree_seek(&partition->rows, mp_sim_row_compare, partition->table, &low->prefix,
	                               low->exclusive));
}

struct mp_sim_row *mp_sim_row_seek_back(const struct mp_sim_partition *partition,
                                        const struct mp_sim_bound *high)
{
	if (high == NULL || high->prefix.len <= 0)
		return row_of(mp_sim_tree_last(&partition->rows));
	struct mp_sim_tree_node *behind = mp_sim_tree_seek(&partition->rows, mp_sim_row_compare, partition->table,
	                                                   &high->prefix, !high->exclusive);
	return row_of(behind == NULL ? mp_sim_tree_last(&partition->rows) : mp_sim_tree_prev(behind));
}

struct mp_sim_row *mp_sim_row_next(const struct mp_sim_row *row)
{
	return row_of(mp_sim_tree_next(&row->node));
}

struct mp_sim_row *mp_sim_row_prev(const struct mp_sim_row *row)
{
	return row_of(mp_sim_tree_prev(&row->node));
}

bool mp_sim_bound_allows_low(const struct mp_sim_table *table, const struct mp_sim_bound *low,
                             struct mp_bytes key)
{
	if (low->prefix.len <= 0)
		return true;
	int order = mp_sim_clustering_compare(table, key, low->prefix);
	return low->exclusive ? order > 0 : order >= 0;
}

bool mp_sim_bound_allows_high(const struct mp_sim_table *table, const struct mp_sim_bound *high,
                              struct mp_bytes key)
{
	if (high->prefix.len <= 0)
		return true;
	int order = mp_sim_clustering_compare(table, key, high->prefix);
	return high->exclusive ? order < 0 : order <= 0;
}
