// SPDX-License-Identifier: Apache-2.0
// What one node has on its disk: partitions by token, rows by clustering key, cells with their time. Writes only ever
// add, but what a cleared collection held goes, for nobody reads it again; a reader resolves what is newest. So writes
// may come in any order and any number of times (mp_sim_apply of the same mutation twice is once), which is what hints
// and repair rest on.
#pragma once

#include "base/arena.h"
#include "sim/store/schema.h"
#include "sim/store/tree.h"

#define MP_SIM_NEVER INT64_MIN // a time before every time

struct mp_sim_cell {
	int64_t ts;      // microseconds, the writer's
	int64_t expires; // microseconds since 1970, 0: never
	int32_t ttl;     // seconds, 0: none
	int32_t len;     // -1: deleted, -2: never written
	uint8_t *data;
};

struct mp_sim_element { // of a collection or a user's type that is not frozen
	struct mp_sim_cell cell;
	int32_t path_len;
	uint8_t
		*path; // set: the element; map: the key; list: 16 bytes of position; user's type: 2 bytes, the field
};

struct mp_sim_slot { // one regular column of one row
	struct mp_sim_cell cell;
	int64_t deleted;                 // the whole collection, up to this time
	struct mp_sim_element *elements; // by path
	uint32_t count;
	uint32_t cap;
};

struct mp_sim_row {
	struct mp_sim_tree_node node;
	struct mp_sim_slot *slots; // by MP_SIM_SLOT; the table may have grown since
	uint16_t slot_count;
	struct mp_sim_cell marker; // INSERT leaves one: the row exists without any other column; never any data
	int64_t deleted;
	int32_t clustering_len;
	uint8_t clustering[]; // [bytes] of each component
};

// A bound of clustering keys: a prefix of components. len 0: no bound.
struct mp_sim_bound {
	struct mp_bytes prefix;
	bool exclusive;
};

struct mp_sim_range_delete {
	struct mp_sim_bound low;
	struct mp_sim_bound high;
	int64_t ts;
};

struct mp_sim_partition {
	struct mp_sim_tree_node node;
	const struct mp_sim_table *table;
	struct mp_sim_tree rows;
	struct mp_sim_tree statics; // the one row of the static columns, or none
	int64_t token;
	int64_t deleted;
	struct mp_sim_range_delete *ranges;
	uint32_t range_count;
	uint32_t range_cap;
	int32_t key_len;
	uint8_t key[]; // as the routing key: one component raw, several as [short bytes] and a zero
};

struct mp_sim_table_store {
	struct mp_sim_table *table;      // a reference
	struct mp_sim_tree partitions;   // by token, then key
	struct mp_sim_table_store *next; // in the bucket
};

#define MP_SIM_STORE_BUCKETS 256
struct mp_sim_store {
	struct mp_sim_table_store *buckets[MP_SIM_STORE_BUCKETS];
};

void mp_sim_store_init(struct mp_sim_store *store);
void mp_sim_store_deinit(struct mp_sim_store *store);
struct mp_sim_table_store *mp_sim_store_table(const struct mp_sim_store *store,
                                              const struct mp_sim_table *table);
void mp_sim_store_sweep(struct mp_sim_store *store); // forgets tables that were dropped
void mp_sim_store_truncate(struct mp_sim_store *store, const struct mp_sim_table *table);
struct mp_sim_partition *mp_sim_store_find(const struct mp_sim_store *store, const struct mp_sim_table *table,
                                           int64_t token, struct mp_bytes key); // NULL: none
// The first partition at (token, key); with `after`, the first behind it. An empty key comes before all of its token.
struct mp_sim_partition *mp_sim_store_seek(const struct mp_sim_store *store, const struct mp_sim_table *table,
                                           int64_t token, struct mp_bytes key, bool after);
struct mp_sim_partition *mp_sim_partition_next(const struct mp_sim_partition *partition);

// How a row's clustering key stands to a (prefix of a) key, in the table's order; an equal prefix is equal.
int mp_sim_clustering_compare(const struct mp_sim_table *table, struct mp_bytes a, struct mp_bytes b);
struct mp_sim_row *mp_sim_row_statics(const struct mp_sim_partition *partition); // NULL: none
struct mp_sim_row *mp_sim_row_find(const struct mp_sim_partition *partition, struct mp_bytes clustering);
// The first row not before the bound (NULL prefix: the first of all).
struct mp_sim_row *mp_sim_row_seek(const struct mp_sim_partition *partition, const struct mp_sim_bound *low);
// The last row not behind the bound.
struct mp_sim_row *mp_sim_row_seek_back(const struct mp_sim_partition *partition,
                                        const struct mp_sim_bound *high);
struct mp_sim_row *mp_sim_row_next(const struct mp_sim_row *row);
struct mp_sim_row *mp_sim_row_prev(const struct mp_sim_row *row);
struct mp_bytes mp_sim_row_clustering(const struct mp_sim_row *row);
bool mp_sim_bound_allows_low(const struct mp_sim_table *table, const struct mp_sim_bound *low,
                             struct mp_bytes key);
bool mp_sim_bound_allows_high(const struct mp_sim_table *table, const struct mp_sim_bound *high,
                              struct mp_bytes key);

// ---- writing ----------------------------------------------------------------------------------------------

// One change of a column. A counter's value is its whole state (counter.h) and is merged, not replaced.
struct mp_sim_edit {
	struct mp_sim_edit *next;
	uint16_t slot;
	enum { MP_SIM_OP_CELL, MP_SIM_OP_ELEMENT, MP_SIM_OP_CLEAR, MP_SIM_OP_COUNTER } kind;
	int64_t ts; // CLEAR: the collection's content up to here goes
	int64_t expires;
	int32_t ttl;
	struct mp_bytes path;
	struct mp_bytes value; // len -1: deletes
};

struct mp_sim_row_change {
	struct mp_sim_row_change *next;
	struct mp_bytes clustering;
	bool is_static; // of the partition's static columns
	bool marker;
	int64_t ts;
	int64_t expires;
	int32_t ttl;
	int64_t deleted; // MP_SIM_NEVER: not
	struct mp_sim_edit *ops;
};

// All that one statement does to one partition. Its memory belongs to whoever made it.
struct mp_sim_mutation {
	uint32_t refs;         // of a copy
	struct mp_arena arena; // of a copy
	struct mp_sim_table *table;
	struct mp_bytes key;
	int64_t token;
	int64_t deleted;                         // the whole partition; MP_SIM_NEVER: not
	const struct mp_sim_range_delete *range; // NULL: none
	struct mp_sim_row_change *rows;
};

int mp_sim_apply(struct mp_sim_store *store,
                 const struct mp_sim_mutation *mutation) MP_MUST_CHECK; // MP_ENOMEM
// A copy on the heap, for hints and for messages on their way. NULL: no memory.
struct mp_sim_mutation *mp_sim_mutation_copy(const struct mp_sim_mutation *mutation) MP_MUST_CHECK;
struct mp_sim_mutation *mp_sim_mutation_ref(struct mp_sim_mutation *mutation);
void mp_sim_mutation_unref(struct mp_sim_mutation *mutation); // only of copies
// Everything a partition holds, written into another store.
int mp_sim_stream_partition(struct mp_sim_store *to, struct mp_sim_table *table,
                            const struct mp_sim_partition *from) MP_MUST_CHECK;

// ---- for apply.c ------------------------------------------------------------------------------------------
struct mp_sim_partition_key {
	int64_t token;
	struct mp_bytes key;
};
int mp_sim_partition_compare(const void *context, const struct mp_sim_tree_node *node, const void *key);
int mp_sim_row_compare(const void *context, const struct mp_sim_tree_node *node,
                       const void *key); // context: table
struct mp_sim_table_store *mp_sim_store_table_make(struct mp_sim_store *store,
                                                   struct mp_sim_table *table) MP_MUST_CHECK;
